"""``dead-letters export``: every letter that matches, for other programs or a spreadsheet.

Letters are read, written and forgotten one by one, so an export needs the memory of its largest
letter, however many there are.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from enum import StrEnum
from functools import partial
from pathlib import Path
from typing import Annotated, BinaryIO

import typer

from producer_agent.cli.letter_filter import LetterOptions, choosing_letters
from producer_agent.cli.letter_record import csv_header, csv_line, json_line, record_of
from producer_agent.cli.options import DbOption, settings_for
from producer_agent.cli.output import count, fail, note
from producer_agent.dead_letters.conventions import Decoded, unknown
from producer_agent.dead_letters.stored import decoded_of, raw_record
from producer_agent.store.queries.dead_letters import Letter, LetterFilter, newest_id
from producer_agent.store.queries.letter_export import (
    BEGINNING,
    PAGE,
    ExportedLetter,
    exported_letter,
    places,
)
from producer_agent.store.reader import Reader


class Format(StrEnum):
    """How an export is written."""

    JSONL = "jsonl"
    CSV = "csv"


@choosing_letters
def export(
    chosen: LetterOptions,
    limit: Annotated[
        int | None,
        typer.Option(min=1, help="At most so many, the first stored; without it all."),
    ] = None,
    format_: Annotated[
        Format,
        typer.Option(
            "--format",
            help="jsonl: a line of JSON a letter, nothing lost; csv: for a spreadsheet.",
        ),
    ] = Format.JSONL,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="Write to this file, not to stdout.")
    ] = None,
    force: Annotated[
        bool, typer.Option("--force", help="Let --output take the place of a file that is there.")
    ] = False,
    db: DbOption = None,
) -> None:
    """Export dead letters, the first stored first: their own bytes, and all that these tell.

    Letters that come in while it runs are not in it. A file is there whole or not at all.

    Exit codes: 0 done (also when none match); 1 the database cannot be read, or the file is there
    already or cannot be written; 2 bad usage.
    """
    if force and output is None:
        raise typer.BadParameter("--force is for --output FILE. Give both or neither.")
    reader = Reader(settings_for(db).db)
    wanted = replace(chosen.filter(reader), up_to_id=reader(newest_id))
    letters = letters_of(reader, wanted, limit)
    if output is None:
        written = _write(letters, sys.stdout.buffer, format_)
    else:
        with _new_file(output, force=force) as file:
            written = _write(letters, file, format_)
    if not written:
        note("No dead letter matches.")
    if output is not None:
        note(f"{count(written)} dead letters written to {output}.")


def letters_of(reader: Reader, wanted: LetterFilter, limit: int | None) -> Iterator[ExportedLetter]:
    """The letters that match, the first stored first, each read when it is asked for."""
    after, left = BEGINNING, limit
    while left is None or left > 0:
        page = reader(
            partial(
                places, wanted=wanted, after=after, limit=PAGE if left is None else min(PAGE, left)
            )
        )
        if not page:
            return
        for place in page:
            found = reader(partial(exported_letter, id_=place.id))
            if found is not None:
                yield found
        after = page[-1]
        left = None if left is None else left - len(page)


def _write(letters: Iterator[ExportedLetter], to: BinaryIO, format_: Format) -> int:
    """Write every letter and return how many there were."""
    line = csv_line if format_ is Format.CSV else json_line
    if format_ is Format.CSV:
        to.write(csv_header())
    written = 0
    for found in letters:
        to.write(line(record_of(found, _decoded(found.letter))))
        written += 1
    # What a full disk or a closed pipe has to say is heard here, not after the last exit code.
    to.flush()
    return written


def _decoded(letter: Letter) -> Decoded:
    try:
        return decoded_of(letter)
    except Exception as error:  # noqa: BLE001 - told, and no reason to lose the letters behind it
        note(
            f"Dead letter {letter.id} is exported as bytes only, as reading it broke "
            f"({type(error).__name__}: {error}). This is a bug in Ackboard; please report it."
        )
        return unknown.decode(raw_record(letter))


@contextmanager
def _new_file(path: Path, *, force: bool) -> Iterator[BinaryIO]:
    """A file beside ``path`` that takes its name once it is whole; on an error there is none.

    Raises:
        typer.Exit: there is something of this name, and ``force`` does not cover it.
        OSError: it cannot be written.
    """
    target = path.resolve()  # through a symbolic link, which stays one
    if target.exists() and not (force and target.is_file()):
        _refuse(path, target)
    partial_file = target.with_name(f".{target.name[:200]}.{os.getpid()}.partial")
    with partial_file.open("xb") as file:
        try:
            yield file
            file.flush()
            os.fsync(file.fileno())
            if force:
                partial_file.replace(target)
            else:
                _name_if_free(partial_file, path, target)
        finally:
            partial_file.unlink(missing_ok=True)


def _name_if_free(file: Path, path: Path, target: Path) -> None:
    """Give ``file`` its name unless another got it first, while we wrote."""
    try:
        target.hardlink_to(file)
    except FileExistsError:
        _refuse(path, target)
    except OSError:
        # A file system without hard links (FAT, some mounts) cannot do both in one step.
        if target.exists():
            _refuse(path, target)
        file.replace(target)


def _refuse(path: Path, target: Path) -> None:
    if target.is_file():
        fail(f"{path} is there already. Give --force to replace it, or another name.")
    fail(f"{path} is no ordinary file, and is left alone. Give the name of a file.")
