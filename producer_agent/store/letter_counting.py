"""Counting dead letters in sums, where many come or change at once.

Triggers keep the counts whoever writes (``store/schema/m11_letter_counts.py``), at four statements
a letter; here they stand aside and the caller adds up.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Final

from sqlite_utils import Database

from producer_agent.store.database import connection

HOUR_US: Final = 3_600_000_000

Counted = tuple[int, str, int, int]
"""Kind, status, hour (UTC hours since 1970) and how many letters."""


@contextmanager
def by_hand(db: Database) -> Iterator[None]:
    """The triggers do not count; for less than a transaction, which undoes it where it fails."""
    db.execute("UPDATE letter_counting SET by_hand = 1")
    yield
    db.execute("UPDATE letter_counting SET by_hand = 0")


def add(db: Database, counted: Iterable[Counted]) -> None:
    """Count so many letters more (or fewer, where it is negative)."""
    rows = list(counted)
    many = connection(db).executemany
    many(
        "INSERT INTO letter_counts (kind, status, n) VALUES (?, ?, ?) "
        "ON CONFLICT DO UPDATE SET n = n + excluded.n",
        [(kind, status, n) for kind, status, _, n in rows],
    )
    many(
        "INSERT INTO letter_hours (kind, status, hour, n) VALUES (?, ?, ?, ?) "
        "ON CONFLICT DO UPDATE SET n = n + excluded.n",
        rows,
    )
