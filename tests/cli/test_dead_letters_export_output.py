"""``dead-letters export``: tables in which nothing runs, files whole or not at all, any size."""

from __future__ import annotations

import json
import os
import tracemalloc
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from producer_agent.cli import dead_letters_export
from producer_agent.cli.letter_record import FIELDS
from tests.cli.conftest import Invoke, Start
from tests.cli.exported_letters import (
    MEGABYTE,
    OWN,
    decode64,
    exported,
    seed,
    store,
    table,
)
from tests.cli.test_output import is_harmless
from tests.dashboard.letter_seed import Foreign, failed_event
from tests.dead_letters.test_conventions_samples import SAMPLES


@pytest.fixture
def samples(db_path: Path) -> Path:
    """A dead letter of every framework there is a sample of, as it wrote it."""
    store(db_path, [sample.record for sample in SAMPLES], topic_id="AbC")
    return db_path


@pytest.fixture
def own(db_path: Path) -> Path:
    """Six dead letters of our own publisher: four causes, three topics, three profiles."""
    seed(db_path, [failed_event(sequence) for sequence in range(OWN)])
    return db_path


def test_a_table_has_the_same_fields_flattened(invoke: Invoke, samples: Path) -> None:
    rows, records = table(invoke), exported(invoke)
    assert len(rows) == len(records)
    for row, record in zip(rows, records, strict=True):
        assert tuple(row) == FIELDS
        for name in ("headers", "hops", "original_headers"):
            assert json.loads(row[name]) == record[name]
        for name in ("key_b64", "value_b64"):
            assert decode64(row[name].removeprefix("'") or None) == (decode64(record[name]) or None)
        for name in ("partition", "offset", "attempts", "error_code"):
            assert row[name] == ("" if record[name] is None else str(record[name]))


FORMULAS = ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "\n=1", "＝1"]


@pytest.mark.parametrize("text", FORMULAS)
def test_a_cell_that_would_run_as_a_formula_has_an_apostrophe(
    invoke: Invoke, db_path: Path, text: str
) -> None:
    seed(db_path, [failed_event(0, error=text, topic=text)])
    (row,) = table(invoke)
    assert row["error_message"].startswith("'")
    assert row["original_topic"].startswith("'")
    assert exported(invoke)[0]["error_message"] == text


def test_no_text_cell_of_any_letter_begins_as_a_formula(invoke: Invoke, db_path: Path) -> None:
    odd = [failed_event(n, error=text, topic=text) for n, text in enumerate(FORMULAS)]
    # Base64 may begin with a plus as well.
    seed(db_path, [*odd, Foreign(b"\xfb\xff", b"\xfb", (("=h", b"\xfb"),))])
    rows = table(invoke)
    assert rows[-1]["value_b64"] == "'+/8="
    for row in rows:
        for name, cell in row.items():
            assert not cell.startswith(tuple("=+-@\t\r")) or (name == "error_code"), name


def test_a_number_stays_a_number(invoke: Invoke, own: Path) -> None:
    row = table(invoke)[3]
    assert (row["error_code"], row["partition"], row["offset"]) == ("-192", "0", "3")
    assert row["is_pointer"] == "false"


def test_control_characters_are_spelt_out_in_a_table_and_it_stays_a_table(
    invoke: Invoke, db_path: Path
) -> None:
    text = 'a\x00\x1b[2J\r\u202e",;\nb 漢字 é'
    seed(db_path, [failed_event(0, error=text), failed_event(1)])
    result = invoke("dead-letters", "export", "--format", "csv")
    first, _ = table(invoke)
    assert first["error_message"] == 'a\\x00\\x1b[2J\\x0d\\u202e",;\nb 漢字 é'
    assert is_harmless(result.stdout_bytes.decode("utf-8").replace("\r\n", "\n"))


def test_a_value_of_5_mb_comes_out_whole(invoke: Invoke, db_path: Path) -> None:
    value = os.urandom(5 * MEGABYTE)
    store(db_path, [replace(SAMPLES[0].record, value=value)])
    (told,) = exported(invoke)
    assert decode64(told["value_b64"]) == value
    assert told["value_bytes"] == 5 * MEGABYTE


def test_5000_letters_stream_in_the_memory_of_a_few(invoke: Invoke, db_path: Path) -> None:
    body = b"x" * 3_000
    record = SAMPLES[0].record

    def fill(start: int, end: int) -> None:
        letters = [replace(record, offset=at, value=b"%d" % at + body) for at in range(start, end)]
        store(db_path, letters)

    def export(name: str) -> tuple[list[int], int]:
        """The offsets in the file, and the most memory that was taken."""
        out = db_path.with_name(name)
        tracemalloc.start()
        result = invoke("dead-letters", "export", "--output", out)
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert result.exit_code == 0
        with out.open("rb") as file:
            return [json.loads(line)["offset"] for line in file], peak

    fill(0, 5)
    export("first.jsonl")  # what is imported and kept at the first time is no letter's
    few, peak_of_few = export("few.jsonl")
    for at in range(5, 5_000, 555):
        fill(at, at + 555)
    all_, peak_of_all = export("all.jsonl")
    assert (few, all_) == (list(range(5)), list(range(5_000)))
    assert db_path.with_name("all.jsonl").stat().st_size > 20 * MEGABYTE
    assert peak_of_all - peak_of_few < MEGABYTE


def test_a_reader_that_goes_away_ends_it_quietly(start: Start, samples: Path) -> None:
    store(
        samples, [replace(SAMPLES[0].record, offset=n + 900, value=b"v" * 9_000) for n in range(99)]
    )
    process = start("dead-letters", "export")
    assert process.stdout is not None
    assert json.loads(process.stdout.readline())["id"] == 1
    process.stdout.close()
    process.stdout = None
    _, said = process.communicate(timeout=30)
    assert said == ""
    assert process.returncode == 1


def test_a_file_holds_what_stdout_would(invoke: Invoke, samples: Path, tmp_path: Path) -> None:
    for format_ in ("jsonl", "csv"):
        out = tmp_path / f"out.{format_}"
        result = invoke("dead-letters", "export", "--format", format_, "--output", out)
        assert (result.exit_code, result.stdout) == (0, "")
        straight = invoke("dead-letters", "export", "--format", format_).stdout_bytes
        assert out.read_bytes() == straight


def test_a_file_that_is_there_is_kept_without_force(
    invoke: Invoke, own: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out.jsonl"
    out.write_bytes(b"mine")
    result = invoke("dead-letters", "export", "--output", out)
    assert result.exit_code == 1
    assert "--force" in result.stderr
    assert out.read_bytes() == b"mine"
    assert invoke("dead-letters", "export", "--output", out, "--force").exit_code == 0
    assert len(out.read_bytes().splitlines()) == OWN
    assert sorted(path.name for path in tmp_path.glob("*out*")) == ["out.jsonl"]


def test_a_file_that_came_while_it_ran_is_kept(
    invoke: Invoke, own: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "out.jsonl"
    write = dead_letters_export._write

    def and_another(*arguments: Any) -> int:
        out.write_bytes(b"theirs")
        return write(*arguments)

    monkeypatch.setattr(dead_letters_export, "_write", and_another)
    result = invoke("dead-letters", "export", "--output", out)
    assert result.exit_code == 1
    assert "is there already" in result.stderr
    assert out.read_bytes() == b"theirs"
    assert list(tmp_path.glob(".out*")) == []


@pytest.mark.parametrize("force", [[], ["--force"]])
def test_an_export_that_breaks_leaves_no_file_and_the_old_one_as_it_was(
    invoke: Invoke, own: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, force: list[str]
) -> None:
    out = tmp_path / "out.jsonl"
    if force:
        out.write_bytes(b"old")
    seen = 0

    def full(record: Any) -> bytes:
        nonlocal seen
        seen += 1
        if seen > 2:
            raise OSError(28, "No space left on device")
        return b"{}\n"

    monkeypatch.setattr(dead_letters_export, "json_line", full)
    result = invoke("dead-letters", "export", "--output", out, *force)
    assert result.exit_code == 1
    assert "No space left" in result.stderr
    assert list(tmp_path.glob(".out*")) == []
    assert (out.read_bytes() == b"old") if force else not out.exists()


def test_what_is_no_ordinary_file_is_left_alone_even_with_force(
    invoke: Invoke, own: Path, tmp_path: Path
) -> None:
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    for target in (fifo, tmp_path):
        result = invoke("dead-letters", "export", "--output", target, "--force")
        assert result.exit_code == 1
        assert "no ordinary file" in result.stderr
    assert fifo.is_fifo()


def test_a_symbolic_link_stays_one_and_its_file_is_replaced(
    invoke: Invoke, own: Path, tmp_path: Path
) -> None:
    real, link = tmp_path / "real.jsonl", tmp_path / "link.jsonl"
    real.write_bytes(b"old")
    link.symlink_to(real)
    assert invoke("dead-letters", "export", "--output", link, "--force").exit_code == 0
    assert link.is_symlink()
    assert len(real.read_bytes().splitlines()) == OWN
