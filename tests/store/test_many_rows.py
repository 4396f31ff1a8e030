"""Many rows go in with few statements, all of them and in their order."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from sqlite_utils import Database

from producer_agent.store.database import connection, open_database
from producer_agent.store.many_rows import MOST_BYTES, MOST_ROWS, insert_many


@pytest.fixture
def db(tmp_path: Path) -> Iterator[Database]:
    opened = open_database(tmp_path / "b.db")
    opened.execute("CREATE TABLE t (id INTEGER PRIMARY KEY AUTOINCREMENT, a, b BLOB)")
    with closing(connection(opened)):
        yield opened


@pytest.mark.parametrize("n", [0, 1, 2, 3, MOST_ROWS - 1, MOST_ROWS, 2 * MOST_ROWS + 77])
def test_every_row_is_stored_once_and_in_order(db: Database, n: int) -> None:
    insert_many(db, "t", "a, b", [(number, b"\0") for number in range(n)])
    rows = db.execute("SELECT a, b FROM t ORDER BY id").fetchall()
    assert rows == [(number, b"\0") for number in range(n)]


def test_a_batch_takes_few_statements(db: Database) -> None:
    told: list[str] = []
    connection(db).set_trace_callback(told.append)
    insert_many(db, "t", "a, b", [(number, None) for number in range(2 * MOST_ROWS + 3)])
    assert len([sql for sql in told if sql.startswith("INSERT")]) == 4


def test_large_rows_go_one_by_one_so_that_no_statement_keeps_them_all(db: Database) -> None:
    told: list[str] = []
    connection(db).set_trace_callback(lambda sql: told.append(sql[:6]))
    rows = [(number, bytes(MOST_BYTES // 4 + 1)) for number in range(4)]
    insert_many(db, "t", "a, b", rows, bytes_of=lambda row: len(bytes(row[1])))  # type: ignore[call-overload]
    assert told.count("INSERT") == 4
    assert db.execute("SELECT a, length(b) FROM t ORDER BY id").fetchall() == [
        (number, MOST_BYTES // 4 + 1) for number in range(4)
    ]
