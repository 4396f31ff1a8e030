"""Readers see one snapshot at a time, write nothing, and follow a file that is replaced."""

from __future__ import annotations

import os
import threading
from pathlib import Path

import pytest

from producer_agent.store.database import StoreError, open_database
from producer_agent.store.reader import Reader
from producer_agent.store.writer import Writer
from tests.recording import begin_run, rows


def test_one_reading_sees_one_state(writer: Writer, reader: Reader) -> None:
    begin_run(writer)

    def twice(db: object) -> tuple[int, int]:
        def n() -> int:
            return int(db.execute("SELECT count(*) FROM runs").fetchone()[0])  # type: ignore[attr-defined]

        before = n()
        begin_run(writer)
        return before, n()

    assert reader(twice) == (1, 1)
    assert rows(reader, "SELECT count(*) FROM runs") == [2]


def test_it_cannot_write(writer: Writer, reader: Reader) -> None:
    with pytest.raises(StoreError, match="readonly"):
        reader(lambda db: db.execute("DELETE FROM runs"))


def test_a_database_that_is_not_there_yet_is_found_when_it_is(db_path: Path) -> None:
    reader = Reader(db_path)
    with pytest.raises(StoreError, match=r"no database at .* yet"):
        rows(reader, "SELECT 1")
    open_database(db_path).close()
    assert rows(reader, "SELECT 1") == [1]


def test_a_file_that_is_replaced_is_read_anew(db_path: Path, tmp_path: Path) -> None:
    with Writer(db_path) as writer:
        begin_run(writer)
    reader = Reader(db_path)
    assert rows(reader, "SELECT count(*) FROM runs") == [1]
    other = tmp_path / "other.db"
    open_database(other).close()
    os.replace(other, db_path)
    assert rows(reader, "SELECT count(*) FROM runs") == [0]


def test_a_query_that_fails_leaves_the_reader_usable(writer: Writer, reader: Reader) -> None:
    with pytest.raises(StoreError, match="no such table"):
        rows(reader, "SELECT * FROM nowhere")
    assert rows(reader, "SELECT count(*) FROM runs") == [0]


def test_each_thread_reads_on_a_connection_of_its_own(writer: Writer, reader: Reader) -> None:
    seen: list[int] = []

    def read() -> None:
        for _ in range(20):
            seen.extend(rows(reader, "SELECT count(*) FROM runs"))

    threads = [threading.Thread(target=read) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert seen == [0] * 120
