"""Moving many dead letters to a status at once, counted in sums instead of one by one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlite_utils import Database

from producer_agent.store.database import connection

_HOUR_US = 3_600_000_000


def set_status(
    db: Database, status: str, letters: str, values: Sequence[Any], *, only_from: Sequence[str]
) -> int:
    """Give letters a status, in the caller's transaction.

    Args:
        db: The database.
        status: The new one.
        letters: SQL that selects their row ids.
        values: What it takes.
        only_from: Letters of another status stay as they are.

    Returns how many were moved.
    """
    marks = ", ".join("?" * len(only_from))
    which = f"id IN ({letters}) AND status IN ({marks}) AND status <> ?"
    taken = [*values, *only_from, status]
    moved = db.execute(
        f"SELECT kind, status, stored_us / {_HOUR_US}, count(*) FROM dead_letters "
        f"WHERE {which} GROUP BY 1, 2, 3",
        taken,
    ).fetchall()
    if not moved:
        return 0
    db.execute("UPDATE letter_counting SET by_hand = 1")
    db.execute(f"UPDATE dead_letters SET status = ? WHERE {which}", [status, *taken])
    db.execute("UPDATE letter_counting SET by_hand = 0")
    many = connection(db).executemany
    many(
        "UPDATE letter_counts SET n = n - ? WHERE kind = ? AND status = ?",
        [(n, kind, before) for kind, before, _, n in moved],
    )
    many(
        "UPDATE letter_hours SET n = n - ? WHERE kind = ? AND status = ? AND hour = ?",
        [(n, kind, before, hour) for kind, before, hour, n in moved],
    )
    many(
        "INSERT INTO letter_counts (kind, status, n) VALUES (?, ?, ?) "
        "ON CONFLICT DO UPDATE SET n = n + excluded.n",
        [(kind, status, n) for kind, _, _, n in moved],
    )
    many(
        "INSERT INTO letter_hours (kind, status, hour, n) VALUES (?, ?, ?, ?) "
        "ON CONFLICT DO UPDATE SET n = n + excluded.n",
        [(kind, status, hour, n) for kind, _, hour, n in moved],
    )
    return sum(n for *_, n in moved)
