"""The outbox: failures that wait for their way to the dead-letter topic."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any

from sqlite_utils import Database

from producer_agent.store.clock import now_us
from producer_agent.store.database import connection
from producer_agent.store.headers import Headers, headers_from_json


@dataclass(frozen=True, slots=True)
class OutboxRow:
    """One failed event with what is known of its failure."""

    id: int
    run: str
    profile: str
    sequence: int
    topic: str
    partition: int | None
    key: bytes | None
    value: bytes | None
    headers: Headers
    outcome: str
    code: int | None
    code_name: str | None
    reason: str
    stored: str
    sent_us: int | None
    settled_us: int
    attempts: dict[str, Any] | None


@dataclass(frozen=True, slots=True)
class Waiting:
    """What has not been published."""

    rows: int
    oldest_us: int | None


def waiting(db: Database) -> Waiting:
    """How many rows wait, and since when the oldest does."""
    rows, oldest = db.execute(
        "SELECT count(*), min(created_us) FROM outbox WHERE published_us IS NULL"
    ).fetchone()
    return Waiting(int(rows), oldest)


def next_rows(db: Database, after: int, limit: int) -> list[OutboxRow]:
    """Unpublished rows with an id above ``after``, oldest first."""
    rows = db.execute(
        """
        SELECT o.id, r.uuid, r.profile, o.sequence, u.topic, u.partition, o.key, o.value,
               o.headers, u.outcome, u.code, u.code_name, u.reason, u.stored, u.sent_us,
               u.settled_us, u.attempts
          FROM outbox o
          JOIN runs r ON r.id = o.run
          JOIN undelivered u ON u.run = o.run AND u.sequence = o.sequence
         WHERE o.published_us IS NULL AND o.id > ?
         ORDER BY o.id LIMIT ?
        """,
        [after, limit],
    ).fetchall()
    return [_row(row) for row in rows]


def _row(row: tuple[Any, ...]) -> OutboxRow:
    names = [field.name for field in fields(OutboxRow)]
    values = dict(zip(names, row, strict=True))
    values["headers"] = headers_from_json(values["headers"])
    if values["attempts"] is not None:
        values["attempts"] = json.loads(values["attempts"])
    return OutboxRow(**values)


def published(db: Database, places: Sequence[tuple[int, str, str | None]]) -> None:
    """Mark ``(row, where it landed, why its value was left out or None)`` as published."""
    at_us = now_us()
    connection(db).executemany(
        "UPDATE outbox SET published_us = ?, published_to = ?, refusal = ? WHERE id = ?",
        [(at_us, place, refusal, row) for row, place, refusal in places],
    )


def publish_again(db: Database, topic: str) -> int:
    """Unmark what was published to ``topic`` on a cluster that is gone, and never read back.

    An embedded cluster forgets its records as its agent ends, those included that the consumer
    had not stored yet. Returns how many there were.
    """
    cursor = db.execute(
        """
        UPDATE outbox SET published_us = NULL, published_to = NULL, refusal = NULL
         WHERE published_us IS NOT NULL AND substr(published_to, 1, length(?)) = ? AND NOT EXISTS (
               SELECT 1 FROM dead_letters d JOIN runs r ON r.id = outbox.run
                WHERE d.letter_id = r.uuid || ':' || outbox.sequence)
        """,
        [f"{topic}[", f"{topic}["],
    )
    return int(cursor.rowcount)


@dataclass(frozen=True, slots=True)
class KeptEvent:
    """What a too large dead letter left behind here."""

    key: bytes | None
    value: bytes | None
    headers: Headers


def event_of(db: Database, run_uuid: str, sequence: int) -> KeptEvent | None:
    """The event itself, while its outbox row is kept."""
    row = db.execute(
        "SELECT o.key, o.value, o.headers FROM outbox o JOIN runs r ON r.id = o.run "
        "WHERE r.uuid = ? AND o.sequence = ?",
        [run_uuid, sequence],
    ).fetchone()
    return None if row is None else KeptEvent(row[0], row[1], headers_from_json(row[2]))


def value_of(db: Database, run_uuid: str, sequence: int) -> bytes | None:
    """The value alone."""
    kept = event_of(db, run_uuid, sequence)
    return None if kept is None else kept.value
