"""How far each dead-letter partition was read, and what was deleted there before it was."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from sqlite_utils import Database

from producer_agent.store.clock import now_us
from producer_agent.store.database import connection


@dataclass(frozen=True, slots=True)
class Position:
    """Where reading goes on in a partition."""

    next_offset: int
    deleted_unread: int = 0
    """Offsets that were deleted before they were read. At most so many records: transaction
    markers and what compaction removed have offsets as well."""
    deleted_us: int | None = None


Place = tuple[str, str, int]
"""Topic, the topic's id (empty where it is not told), partition."""


def positions(db: Database, cluster: int, topic: str, topic_id: str) -> dict[int, Position]:
    """Position by partition, for a topic in this incarnation."""
    rows = db.execute(
        "SELECT partition, next_offset, deleted_unread, deleted_us FROM dead_letter_positions "
        "WHERE cluster = ? AND topic = ? AND topic_id = ?",
        [cluster, topic, topic_id],
    )
    return {partition: Position(*rest) for partition, *rest in rows.fetchall()}


def advance(db: Database, cluster: int, reached: Mapping[Place, int]) -> None:
    """Move positions on to these next offsets; none moves back."""
    connection(db).executemany(
        "INSERT INTO dead_letter_positions (cluster, topic, topic_id, partition, next_offset) "
        "VALUES (?, ?, ?, ?, ?) ON CONFLICT DO UPDATE SET "
        "next_offset = max(next_offset, excluded.next_offset)",
        [(cluster, *place, offset) for place, offset in reached.items()],
    )


def skip_deleted(db: Database, cluster: int, place: Place, low: int) -> int:
    """The partition begins at ``low`` now: move on to it, counting what was never read.

    Returns how many offsets that were; 0 if reading goes on behind ``low`` anyway.
    """
    values = [cluster, *place, low]
    where = "cluster = ? AND topic = ? AND topic_id = ? AND partition = ? AND next_offset < ?"
    row = db.execute(
        f"SELECT next_offset FROM dead_letter_positions WHERE {where}", values
    ).fetchone()
    if row is None:
        return 0
    db.execute(
        "UPDATE dead_letter_positions SET deleted_unread = deleted_unread + ? - next_offset, "
        f"next_offset = ?, deleted_us = ? WHERE {where}",
        [low, low, now_us(), *values],
    )
    return low - int(row[0])


def latest_topic_id(db: Database, cluster: int, topic: str) -> str:
    """The id under which the topic was last read; empty if none was ever told."""
    row = db.execute(
        "SELECT topic_id FROM dead_letters WHERE cluster = ? AND topic = ? "
        "ORDER BY +id DESC LIMIT 1",
        [cluster, topic],
    ).fetchone()
    if row is None:
        # Nothing is stored yet, but a start from "now" may have been noted.
        row = db.execute(
            "SELECT topic_id FROM dead_letter_positions WHERE cluster = ? AND topic = ? "
            "ORDER BY topic_id DESC LIMIT 1",
            [cluster, topic],
        ).fetchone()
    return "" if row is None else str(row[0])


def adopt_topic_id(db: Database, cluster: int, topic: str, topic_id: str) -> None:
    """The cluster tells the id of a topic that was read without one: what was read is its."""
    for table in ("dead_letters", "dead_letter_positions"):
        db.execute(
            f"UPDATE OR IGNORE {table} SET topic_id = ? "
            "WHERE cluster = ? AND topic = ? AND topic_id = ''",
            [topic_id, cluster, topic],
        )
