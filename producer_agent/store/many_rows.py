"""Inserting many rows with few statements, so that other threads compute meanwhile."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache
from itertools import chain

from sqlite_utils import Database

from producer_agent.store.database import connection

MOST_ROWS = 256
"""Rows that share a statement. Four times as many are no quicker."""
MOST_BYTES = 2 * 1024 * 1024
"""A statement keeps what it was given until it is used again: rows that hold more go one by one."""

Row = tuple[object, ...]


def insert_many(
    db: Database,
    table: str,
    columns: str,
    rows: Sequence[Row],
    bytes_of: Callable[[Row], int] | None = None,
) -> None:
    """Insert rows in their order, in the caller's transaction.

    A statement lets go of the interpreter's lock while SQLite works; where another thread computes
    meanwhile it then waits up to ``sys.getswitchinterval()`` (5 ms) to have it back. By
    ``executemany`` that is once a row, and takes a hundred times as long as the row.

    Args:
        db: The database.
        table: Its name.
        columns: Their names, divided by commas.
        rows: A value for each column.
        bytes_of: How many bytes a row holds, where they may be many.
    """
    at = 0
    while at < len(rows):
        # Powers of two: a statement of each size is prepared once, and there are few sizes.
        n = min(MOST_ROWS, 1 << ((len(rows) - at).bit_length() - 1))
        some = rows[at : at + n]
        if bytes_of is not None and sum(map(bytes_of, some)) > MOST_BYTES:
            connection(db).executemany(_statement(table, columns, 1), some)
        else:
            connection(db).execute(_statement(table, columns, n), list(chain.from_iterable(some)))
        at += n


@lru_cache(maxsize=256)
def _statement(table: str, columns: str, rows: int) -> str:
    marks = f"({', '.join('?' * (columns.count(',') + 1))})"
    return f"INSERT INTO {table} ({columns}) VALUES {', '.join([marks] * rows)}"
