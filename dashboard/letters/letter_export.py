"""Taking dead letters along as a file: JSON Lines without loss, or CSV for a spreadsheet.

A browser's download is held in the server's memory, so it is bounded, and says what is left out;
the terminal's export has no bound.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Final, Literal

import streamlit as st
from sqlite_utils import Database

from dashboard import context
from dashboard.formats import count, size
from producer_agent.cli.letter_record import csv_header, csv_line, json_line, record_of
from producer_agent.dead_letters.stored import decoded_of
from producer_agent.store.queries import dead_letters as letters
from producer_agent.store.queries.dead_letters import LetterFilter
from producer_agent.store.queries.letter_export import BEGINNING, PAGE, exported_letter, places
from producer_agent.store.reader import Reader

MOST_LETTERS: Final = 10_000
MOST_BYTES: Final = 64_000_000
"""Of keys and values; a file has each of them once in base64, and the headers twice."""

Format = Literal["jsonl", "csv"]

_FORMATS: Final[tuple[tuple[Format, str], ...]] = (
    ("jsonl", "JSON Lines (nothing lost)"),
    ("csv", "CSV (for a spreadsheet)"),
)


@dataclass(frozen=True, slots=True)
class Portion:
    """What one file holds."""

    ids: tuple[int, ...]
    """Row ids, the first stored first."""
    bytes: int
    """Of their keys and values."""


def popover(wanted: LetterFilter | None, ids: Sequence[int], total: int) -> None:
    """The button that opens the choice of formats; what fits is reckoned when it is open.

    Args:
        wanted: All that match it; None: those of ``ids``.
        ids: Row ids.
        total: How many letters are meant.
    """
    opened = st.popover(
        "Export",
        icon=":material/download:",
        disabled=not total,
        on_change="rerun",
        key="dead-letters-export",
    )
    if not opened.open or not total:
        return
    with opened:
        portion = context.read(partial(fitting, wanted=wanted, ids=ids))
        left_out = total - len(portion.ids)
        words = f"{count(len(portion.ids))} letters, {size(portion.bytes)} of keys and values."
        if left_out > 0:
            words += (
                f" The first stored of {count(total)}: a download holds at most "
                f"{MOST_LETTERS:,} letters or {size(MOST_BYTES)}. "
                "`python -m producer_agent dead-letters export` writes all of them."
            )
        st.caption(words)
        reader = context.reader()
        for format_, label in _FORMATS:
            st.download_button(
                label,
                _maker(reader, portion, format_),
                file_name=f"dead-letters.{format_}",
                mime="text/csv" if format_ == "csv" else "application/x-ndjson",
                icon=":material/download:",
                on_click="ignore",
                key=f"dead-letters-export-{format_}",
            )


def fitting(db: Database, wanted: LetterFilter | None, ids: Sequence[int]) -> Portion:
    """The letters that one file may hold, from the first stored on."""
    chosen: list[int] = []
    total = 0
    for some in _pages(db, wanted, ids):
        for row in letters.by_ids(db, some):
            if chosen and (len(chosen) == MOST_LETTERS or total + row.size > MOST_BYTES):
                return Portion(tuple(chosen), total)
            chosen.append(row.id)
            total += row.size
    return Portion(tuple(chosen), total)


def written(reader: Reader, portion: Portion, format_: Format) -> bytes:
    """The file. A letter that was deleted meanwhile is left out."""
    lines = [csv_header()] if format_ == "csv" else []
    line = csv_line if format_ == "csv" else json_line
    for id_ in portion.ids:
        found = reader(partial(exported_letter, id_=id_))
        if found is not None:
            lines.append(line(record_of(found, decoded_of(found.letter))))
    return b"".join(lines)


def _maker(reader: Reader, portion: Portion, format_: Format) -> Callable[[], bytes]:
    return lambda: written(reader, portion, format_)


def _pages(
    db: Database, wanted: LetterFilter | None, ids: Sequence[int]
) -> Iterator[Sequence[int]]:
    if wanted is None:
        yield sorted(ids)
        return
    after = BEGINNING
    while page := places(db, wanted, after=after, limit=PAGE):
        yield [place.id for place in page]
        after = page[-1]
