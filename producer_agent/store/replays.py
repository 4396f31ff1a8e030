"""The replay ledger: one row an attempt to send a dead letter back."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass

from sqlite_utils import Database

from producer_agent.store.clock import now_us
from producer_agent.store.database import connection
from producer_agent.store.headers import Headers, headers_from_json


@dataclass(frozen=True, slots=True)
class LetterToReplay:
    """A dead letter as the replay reads it."""

    id: int
    topic: str
    partition: int
    offset: int
    timestamp_ms: int | None
    key: bytes | None
    value: bytes | None
    headers: Headers
    status: str


@dataclass(frozen=True, slots=True)
class ReplayRow:
    """A ledger row as it stands."""

    id: int
    replay_id: str
    dead_letter: int
    target_topic: str
    state: str
    """``intent``, ``done``, ``failed`` or ``unknown``."""
    reason: str | None
    partition: int | None
    offset: int | None
    planned_us: int
    settled_us: int | None


@dataclass(frozen=True, slots=True)
class ReplayOutcome:
    """What came of a ledger row."""

    row: int
    dead_letter: int
    state: str
    reason: str | None
    partition: int | None
    offset: int | None


_STATUS_AFTER = {"done": "replayed", "failed": "replay_failed", "unknown": "replay_unknown"}
_COLUMNS = (
    'id, replay_id, dead_letter, target_topic, state, reason, partition, "offset", '
    "planned_us, settled_us"
)


def letter(db: Database, dead_letter: int) -> LetterToReplay | None:
    """A dead letter by row id."""
    row = db.execute(
        'SELECT id, topic, partition, "offset", timestamp_ms, key, value, headers, status '
        "FROM dead_letters WHERE id = ?",
        [dead_letter],
    ).fetchone()
    if row is None:
        return None
    identity, topic, partition, offset, timestamp_ms, key, value, headers, status = row
    return LetterToReplay(
        identity,
        topic,
        partition,
        offset,
        timestamp_ms,
        key,
        value,
        headers_from_json(headers),
        status,
    )


def live(db: Database, dead_letter: int) -> ReplayRow | None:
    """The replay of a record that is under way, done, or of unknown outcome."""
    row = db.execute(
        f"SELECT {_COLUMNS} FROM replays WHERE dead_letter = ? AND state <> 'failed'",
        [dead_letter],
    ).fetchone()
    return None if row is None else ReplayRow(*row)


def intend(
    db: Database, dead_letter: int, replay_id: str, target_topic: str, command: int | None
) -> int | None:
    """Write the intent to replay; None if a replay of this record is already in the ledger."""
    try:
        cursor = db.execute(
            "INSERT INTO replays (replay_id, dead_letter, command, target_topic, state, "
            "planned_us) VALUES (?, ?, ?, ?, 'intent', ?)",
            [replay_id, dead_letter, command, target_topic, now_us()],
        )
    except sqlite3.IntegrityError as error:
        if "replays.dead_letter" not in str(error):
            raise
        return None
    db.execute("UPDATE dead_letters SET status = 'replaying' WHERE id = ?", [dead_letter])
    return cursor.lastrowid


def settle(db: Database, outcomes: Sequence[ReplayOutcome]) -> None:
    """Write outcomes, and the status that follows for the record."""
    at_us = now_us()
    connection(db).executemany(
        'UPDATE replays SET state = ?, reason = ?, partition = ?, "offset" = ?, settled_us = ? '
        "WHERE id = ?",
        [
            (outcome.state, outcome.reason, outcome.partition, outcome.offset, at_us, outcome.row)
            for outcome in outcomes
        ],
    )
    connection(db).executemany(
        "UPDATE dead_letters SET status = ? WHERE id = ?",
        [(_STATUS_AFTER[outcome.state], outcome.dead_letter) for outcome in outcomes],
    )


def settle_interrupted(db: Database, reason: str) -> int:
    """Intents that an agent's death left open become ``unknown``; returns how many."""
    rows = db.execute("SELECT id, dead_letter FROM replays WHERE state = 'intent'").fetchall()
    settle(db, [ReplayOutcome(row, dead, "unknown", reason, None, None) for row, dead in rows])
    return len(rows)
