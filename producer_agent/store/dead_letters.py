"""Storing dead letters: each record once, together with how far its topic was read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any

from sqlite_utils import Database

from producer_agent.store.clock import now_us
from producer_agent.store.database import connection
from producer_agent.store.headers import Headers, headers_to_json

QUIET_US = 24 * 3600 * 1_000_000
"""A cause that was not seen for so long is new again when it is seen."""

LIST_TEXT = 200
"""Characters of a key kept as text for lists and filters."""


@dataclass(frozen=True, slots=True)
class Letter:
    """A dead letter as it is stored: the record's bytes and what was read from them."""

    topic: str
    topic_id: str
    partition: int
    offset: int
    timestamp_ms: int | None
    key: bytes | None
    value: bytes | None
    headers: Headers
    convention: str
    side: str
    original_topic: str | None
    original_partition: int | None
    original_offset: int | None
    original_timestamp_ms: int | None
    original_key: bytes | None
    error_class: str | None
    error_code: int | None
    error_message: str | None
    may_be_stored: bool | None
    profile: str | None
    run_uuid: str | None
    sequence: int | None
    letter_id: str | None
    consumer_group: str | None
    connector: str | None
    replay_id: str | None
    """Of the replay that it came back from."""
    fingerprint: str
    fingerprint_version: int
    cause_title: str


def positions(db: Database, cluster: int, topic: str, topic_id: str) -> dict[int, int]:
    """Next offset to read by partition, for a topic in this incarnation."""
    rows = db.execute(
        "SELECT partition, next_offset FROM dead_letter_positions "
        "WHERE cluster = ? AND topic = ? AND topic_id = ?",
        [cluster, topic, topic_id],
    )
    return dict(rows.fetchall())


def latest_topic_id(db: Database, cluster: int, topic: str) -> str:
    """The id under which the topic was last read; empty if none was ever told."""
    row = db.execute(
        "SELECT topic_id FROM dead_letters WHERE cluster = ? AND topic = ? "
        "ORDER BY +id DESC LIMIT 1",
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


def insert(db: Database, cluster: int, letters: Sequence[Letter]) -> int:
    """Store what is not stored yet and move the positions on, in the caller's transaction.

    A record is known by (cluster, topic, topic id, partition, offset). A record of our own
    publisher that only repeats a letter already here (same id, same bytes: it was published
    twice across a crash) is passed over.

    Returns how many were new.
    """
    new = 0
    reached: dict[tuple[str, str, int], int] = {}
    for told in letters:
        letter = _storable(told)
        place = (letter.topic, letter.topic_id, letter.partition)
        reached[place] = max(reached.get(place, 0), letter.offset + 1)
        if _is_repeat(db, letter):
            continue
        new += _insert_one(db, cluster, letter)
    connection(db).executemany(
        "INSERT INTO dead_letter_positions (cluster, topic, topic_id, partition, next_offset) "
        "VALUES (?, ?, ?, ?, ?) ON CONFLICT DO UPDATE SET "
        "next_offset = max(next_offset, excluded.next_offset)",
        [(cluster, *place, offset) for place, offset in reached.items()],
    )
    return new


def _is_repeat(db: Database, letter: Letter) -> bool:
    if letter.letter_id is None:
        return False
    row = db.execute(
        "SELECT 1 FROM dead_letters d JOIN dead_letter_records r ON r.letter = d.id "
        "WHERE d.letter_id = ? AND d.topic = ? AND r.key IS ? AND r.value IS ?",
        [letter.letter_id, letter.topic, letter.key, letter.value],
    ).fetchone()
    return row is not None


def _insert_one(db: Database, cluster: int, letter: Letter) -> int:
    at_us = now_us()
    previous, times_back = _earlier_life(db, letter.replay_id, at_us)
    values: dict[str, object] = {
        "cluster": cluster,
        "topic": letter.topic,
        "topic_id": letter.topic_id,
        "partition": letter.partition,
        "offset": letter.offset,
        "timestamp_ms": letter.timestamp_ms,
        "size": len(letter.key or b"") + len(letter.value or b""),
        "convention": letter.convention,
        "side": letter.side,
        "original_topic": letter.original_topic,
        "original_partition": letter.original_partition,
        "original_offset": letter.original_offset,
        "original_timestamp_ms": letter.original_timestamp_ms,
        "original_key_text": _text(letter.original_key),
        "error_class": letter.error_class,
        "error_code": letter.error_code,
        "error_message": letter.error_message,
        "may_be_stored": letter.may_be_stored,
        "profile": letter.profile,
        "run_uuid": letter.run_uuid,
        "sequence": letter.sequence,
        "letter_id": letter.letter_id,
        "consumer_group": letter.consumer_group,
        "connector": letter.connector,
        "replay_id": letter.replay_id,
        "previous": previous,
        "times_back": times_back,
        "cause": _cause(db, letter, at_us),
        "stored_us": at_us,
    }
    cursor = db.execute(_INSERT.format(*_names(values)), list(values.values()))
    row = cursor.fetchone()
    if row is None:
        return 0
    db.execute(
        "INSERT INTO dead_letter_records (letter, key, value, headers) VALUES (?, ?, ?, ?)",
        [row[0], letter.key, letter.value, headers_to_json(letter.headers)],
    )
    return 1


_INSERT = "INSERT INTO dead_letters ({}) VALUES ({}) ON CONFLICT DO NOTHING RETURNING id"


def _names(values: Mapping[str, object]) -> tuple[str, str]:
    return ", ".join(f'"{name}"' for name in values), ", ".join("?" for _ in values)


def _earlier_life(db: Database, replay_id: str | None, at_us: int) -> tuple[int | None, int]:
    """The dead letter that came back as this one, and how often that happened in all."""
    if replay_id is None:
        return None, 0
    row = db.execute(
        "SELECT p.id, p.times_back FROM replays r JOIN dead_letters p ON p.id = r.dead_letter "
        "WHERE r.replay_id = ?",
        [replay_id],
    ).fetchone()
    if row is None:
        return None, 1  # replayed by a board that keeps its own ledger
    db.execute(
        "UPDATE replays SET came_back_us = coalesce(came_back_us, ?) WHERE replay_id = ?",
        [at_us, replay_id],
    )
    return row[0], row[1] + 1


def _cause(db: Database, letter: Letter, at_us: int) -> int:
    """The row id of the letter's cause, which is marked as come up or come back if it is."""
    row = db.execute(
        "INSERT INTO causes (fingerprint, version, title, first_seen_us, last_seen_us, came_up_us) "
        "VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT (fingerprint) DO UPDATE SET "
        "came_up_us = CASE WHEN last_seen_us < ? THEN excluded.came_up_us ELSE came_up_us END, "
        "regressed_us = CASE WHEN state = 'resolved' THEN excluded.last_seen_us "
        "ELSE regressed_us END, "
        "state = CASE WHEN state = 'resolved' THEN 'new' ELSE state END, "
        "last_seen_us = excluded.last_seen_us RETURNING id",
        [
            letter.fingerprint,
            letter.fingerprint_version,
            letter.cause_title,
            at_us,
            at_us,
            at_us,
            at_us - QUIET_US,
        ],
    ).fetchone()
    return int(row[0])


def _text(value: bytes | None) -> str | None:
    return None if value is None else value.decode("utf-8", "replace")[:LIST_TEXT]


def _storable(letter: Letter) -> Letter:
    """The letter with text that can be written as UTF-8: JSON can smuggle lone surrogates in."""
    broken: dict[str, Any] = {
        field.name: value.encode("utf-8", "replace").decode("utf-8")
        for field in fields(letter)
        if isinstance(value := getattr(letter, field.name), str) and not _is_utf8(value)
    }
    return replace(letter, **broken) if broken else letter


def _is_utf8(text: str) -> bool:
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True
