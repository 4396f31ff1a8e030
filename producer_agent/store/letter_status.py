"""Moving many dead letters to a status at once, counted in sums instead of one by one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlite_utils import Database

from producer_agent.store import letter_counting


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
        f"SELECT kind, status, stored_us / {letter_counting.HOUR_US}, count(*) FROM dead_letters "
        f"WHERE {which} GROUP BY 1, 2, 3",
        taken,
    ).fetchall()
    if not moved:
        return 0
    with letter_counting.by_hand(db):
        db.execute(f"UPDATE dead_letters SET status = ? WHERE {which}", [status, *taken])
    letter_counting.add(db, [(kind, before, hour, -n) for kind, before, hour, n in moved])
    letter_counting.add(db, [(kind, status, hour, n) for kind, _, hour, n in moved])
    return sum(n for *_, n in moved)
