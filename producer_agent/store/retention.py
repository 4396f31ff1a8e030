"""What is kept, and for how long: so a week of the shipped profiles stays far below 1 GB.

Deleting goes in small steps, each its own transaction, so that outcomes are never kept waiting.
Dead letters are deleted only where a policy of their topic says so, and only those that are done
with.
"""

from __future__ import annotations

from dataclasses import dataclass

from sqlite_utils import Database

from producer_agent.store import (
    broker_rollups,
    client_statistics,
    closed_letters,
    cluster_changes,
)
from producer_agent.store.rollups import DAY_S, RESOLUTIONS

STEP_ROWS = 5_000
"""Rows deleted in one transaction."""


@dataclass(frozen=True, slots=True)
class Keep:
    """How much of what is kept."""

    deliveries: int
    """Delivery reports, counted one by one; the newest stay."""
    undelivered_s: float
    published_s: float
    """Outbox rows after they were published."""
    commands_s: float = 365.0 * DAY_S


def trim(db: Database, now_s: float, keep: Keep) -> int:
    """Delete one step of what is past its time; returns how many rows went (0: all is done)."""
    return (
        _trim_lots(db, keep.deliveries)
        + _trim_rollups(db, int(now_s))
        + _delete(
            db,
            "undelivered",
            "settled_us < ? AND NOT EXISTS (SELECT 1 FROM outbox o WHERE o.run = undelivered.run "
            "AND o.sequence = undelivered.sequence)",
            [(now_s - keep.undelivered_s) * 1e6],
        )
        # A value that the dead-letter topic would not take exists in the outbox alone.
        + _delete(
            db,
            "outbox",
            "published_us < ? AND refusal IS NULL",
            [(now_s - keep.published_s) * 1e6],
        )
        + closed_letters.trim(db, now_s)
        + cluster_changes.trim(db, now_s)
        + broker_rollups.trim(db, int(now_s))
        + client_statistics.trim(db, now_s)
    )


def _trim_lots(db: Database, deliveries: int) -> int:
    """Delete the oldest lots beyond the newest ``deliveries`` reports."""
    total, newest = 0, None
    # Lots are nearly full or nearly empty, so rows cannot be counted; but ids ascend with time,
    # and a running sum from the newest stops as soon as enough are kept.
    for lot, n in db.execute("SELECT id, n FROM delivery_lots ORDER BY id DESC"):
        if total >= deliveries:
            newest = lot
            break
        total += n
    if newest is None:
        return 0
    gone = db.execute(
        "SELECT run, max(last_sequence) FROM (SELECT run, last_sequence FROM delivery_lots "
        "WHERE id <= ? ORDER BY id LIMIT ?) GROUP BY run",
        [newest, STEP_ROWS],
    ).fetchall()
    for run, last_sequence in gone:
        db.execute(
            "UPDATE runs SET trimmed_below = max(trimmed_below, ?) WHERE id = ?",
            [last_sequence + 1, run],
        )
    cursor = db.execute(
        "DELETE FROM delivery_lots WHERE id IN "
        "(SELECT id FROM delivery_lots WHERE id <= ? ORDER BY id LIMIT ?)",
        [newest, STEP_ROWS],
    )
    return int(cursor.rowcount)


def _trim_rollups(db: Database, now_s: int) -> int:
    gone = 0
    for resolution in RESOLUTIONS:
        if resolution.kept_s is None:
            continue
        before = now_s - resolution.kept_s
        for table in ("rollups", "failure_rollups"):
            gone += db.execute(
                f"DELETE FROM {table} WHERE resolution = ? AND bucket < ?",
                [resolution.seconds, before],
            ).rowcount
        for metric in ("ack", "schedule"):
            gone += db.execute(
                "DELETE FROM latency_bins WHERE resolution = ? AND metric = ? AND bucket < ?",
                [resolution.seconds, metric, before],
            ).rowcount
    return gone


def _delete(db: Database, table: str, where: str, values: list[float]) -> int:
    cursor = db.execute(
        f"DELETE FROM {table} WHERE rowid IN "
        f"(SELECT rowid FROM {table} WHERE {where} LIMIT {STEP_ROWS})",
        values,
    )
    return int(cursor.rowcount)
