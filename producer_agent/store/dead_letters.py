"""Storing dead letters: each record once, together with how far its topic was read."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from operator import attrgetter
from typing import Any

from sqlite_utils import Database

from producer_agent.store import dead_letter_positions
from producer_agent.store.clock import now_us
from producer_agent.store.database import connection
from producer_agent.store.dead_letter_positions import Place
from producer_agent.store.headers import Headers, headers_to_json
from producer_agent.store.letter_text import header_marks, searched_text
from producer_agent.store.replays import plan_and_sequence

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
    times_replayed: int
    """As the record tells; a board that knows the replay counts itself."""
    fingerprint: str
    fingerprint_version: int
    cause_title: str
    original_value: bytes | None = None
    """What the record wraps, where that is not its own value: it is what is searched."""
    original_headers: Headers = ()
    fixed_convention: str | None = None
    """The convention that its topic's policy said; None: detected."""
    default_target: str | None = None
    """Where its topic's policy sends what does not tell its origin."""


def insert(db: Database, cluster: int, letters: Sequence[Letter]) -> int:
    """Store what is not stored yet and move the positions on, in the caller's transaction.

    A record is known by (cluster, topic, topic id, partition, offset). A record of our own
    publisher that only repeats a letter already here (same id, same bytes: it was published
    twice across a crash) is passed over.

    Returns how many were new.
    """
    reached: dict[Place, int] = {}
    batch = _Batch(db, cluster)
    for told in letters:
        letter = _storable(told)
        place = (letter.topic, letter.topic_id, letter.partition)
        reached[place] = max(reached.get(place, 0), letter.offset + 1)
        batch.add(letter)
    batch.write()
    dead_letter_positions.advance(db, cluster, reached)
    return len(batch.letters)


class _Batch:
    """The letters of one call that are not stored yet, written table by table.

    What many of them share (their cause, their kind) is looked up once.
    """

    def __init__(self, db: Database, cluster: int) -> None:
        self.letters: list[Letter] = []
        self._db = db
        self._cluster = cluster
        # Never before the latest: the order of ids is that of storing, whatever the clock does.
        (latest_us,) = db.execute("SELECT max(stored_us) FROM dead_letters").fetchone()
        self._at_us = max(now_us(), latest_us or 0)
        self._taken: set[tuple[Place, int]] = set()
        self._highest: dict[Place, int] = {}
        self._marked: dict[tuple[str, str], set[tuple[bytes | None, bytes | None]]] = {}
        self._causes: dict[str, int] = {}
        self._kinds: dict[tuple[object, ...], int] = {}

    def add(self, letter: Letter) -> None:
        """Take a letter, unless it is here already or only repeats one that is."""
        place = (letter.topic, letter.topic_id, letter.partition)
        if (place, letter.offset) in self._taken or self._is_stored(place, letter.offset):
            return
        if letter.letter_id is not None:
            bytes_ = (letter.key, letter.value)
            marked = self._marked.setdefault((letter.letter_id, letter.topic), set())
            if bytes_ in marked or _is_repeat(self._db, letter):
                return
            marked.add(bytes_)
        self._taken.add((place, letter.offset))
        self.letters.append(letter)

    def _is_stored(self, place: Place, offset: int) -> bool:
        where = "WHERE cluster = ? AND topic = ? AND topic_id = ? AND partition = ?"
        values = [self._cluster, *place]
        if place not in self._highest:
            (highest,) = self._db.execute(
                f'SELECT max("offset") FROM dead_letters {where}', values
            ).fetchone()
            self._highest[place] = -1 if highest is None else highest
        if offset > self._highest[place]:
            return False  # as nearly all are: what is read is read once, and in order
        row = self._db.execute(
            f'SELECT 1 FROM dead_letters {where} AND "offset" = ?', [*values, offset]
        ).fetchone()
        return row is not None

    def write(self) -> None:
        """Store what was taken."""
        if not self.letters:
            return
        (last,) = self._db.execute(
            "UPDATE letter_ids SET last = last + ? RETURNING last", [len(self.letters)]
        ).fetchone()
        numbered = list(enumerate(self.letters, last - len(self.letters) + 1))
        many = connection(self._db).executemany
        many(_INSERT, [self._row(id_, letter) for id_, letter in numbered])
        many(
            "INSERT INTO dead_letter_records (letter, key, value, headers, searched) "
            "VALUES (?, ?, ?, ?, ?)",
            [
                (
                    id_,
                    letter.key,
                    letter.value,
                    headers_to_json(letter.headers),
                    searched_text(letter.value, letter.original_value),
                )
                for id_, letter in numbered
            ],
        )
        many(
            "INSERT INTO letter_headers (rowid, marks) VALUES (?, ?)",
            [
                (id_, header_marks(letter.headers, letter.original_headers))
                for id_, letter in numbered
            ],
        )
        ids = [numbered[0][0], last]
        self._db.execute(
            "INSERT INTO letter_text (rowid, value) "
            "SELECT letter, value FROM letter_texts WHERE letter BETWEEN ? AND ?",
            ids,
        )
        self._db.execute(
            "INSERT INTO letter_keys (rowid, original_key_text) "
            "SELECT id, original_key_text FROM dead_letters "
            "WHERE id BETWEEN ? AND ? AND original_key_text IS NOT NULL",
            ids,
        )

    def _row(self, id_: int, letter: Letter) -> tuple[object, ...]:
        previous, times_back = _earlier_life(self._db, letter, self._at_us)
        cause = self._causes.get(letter.fingerprint)
        if cause is None:
            cause = self._causes[letter.fingerprint] = _cause(self._db, letter, self._at_us)
        return (
            id_,
            self._cluster,
            letter.topic,
            letter.topic_id,
            letter.partition,
            letter.offset,
            letter.timestamp_ms,
            len(letter.key or b"") + len(letter.value or b""),
            letter.convention,
            letter.side,
            letter.original_topic,
            letter.original_partition,
            letter.original_offset,
            letter.original_timestamp_ms,
            _text(letter.original_key),
            letter.error_class,
            letter.error_code,
            letter.error_message,
            letter.may_be_stored,
            letter.profile,
            letter.run_uuid,
            letter.sequence,
            letter.letter_id,
            letter.consumer_group,
            letter.connector,
            letter.replay_id,
            previous,
            times_back,
            cause,
            self._kind(letter, cause),
            letter.fixed_convention,
            letter.default_target,
            self._at_us,
        )

    def _kind(self, letter: Letter, cause: int) -> int:
        values = (
            cause,
            letter.topic,
            letter.original_topic,
            letter.side,
            letter.convention,
            letter.consumer_group,
            letter.connector,
            letter.profile,
            letter.error_class,
            letter.error_code,
        )
        kind = self._kinds.get(values)
        if kind is None:
            row = self._db.execute(_KIND, values).fetchone()
            if row is None:
                row = self._db.execute(_NEW_KIND, values).fetchone()
            kind = self._kinds[values] = int(row[0])
        return kind


_COLUMNS = (
    'id, cluster, topic, topic_id, partition, "offset", timestamp_ms, size, convention, side, '
    "original_topic, original_partition, original_offset, original_timestamp_ms, "
    "original_key_text, error_class, error_code, error_message, may_be_stored, profile, run_uuid, "
    "sequence, letter_id, consumer_group, connector, replay_id, previous, times_back, cause, kind, "
    "fixed_convention, default_target, stored_us"
)
_INSERT = (
    f"INSERT INTO dead_letters ({_COLUMNS}) VALUES ({', '.join('?' * (_COLUMNS.count(',') + 1))})"
)
_KIND = (
    "SELECT id FROM letter_kinds WHERE cause = ? AND topic = ? AND original_topic IS ? "
    "AND side = ? AND convention = ? AND consumer_group IS ? AND connector IS ? AND profile IS ? "
    "AND error_class IS ? AND error_code IS ?"
)
_NEW_KIND = (
    "INSERT INTO letter_kinds (cause, topic, original_topic, side, convention, consumer_group, "
    "connector, profile, error_class, error_code) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?) "
    "RETURNING id"
)


def _is_repeat(db: Database, letter: Letter) -> bool:
    row = db.execute(
        "SELECT 1 FROM dead_letters d JOIN dead_letter_records r ON r.letter = d.id "
        "WHERE d.letter_id = ? AND d.topic = ? AND r.key IS ? AND r.value IS ?",
        [letter.letter_id, letter.topic, letter.key, letter.value],
    ).fetchone()
    return row is not None


def _earlier_life(db: Database, letter: Letter, at_us: int) -> tuple[int | None, int]:
    """The dead letter that came back as this one, and how often that happened in all."""
    if letter.replay_id is None:
        return None, 0
    place = plan_and_sequence(db, letter.replay_id)
    row = (
        place
        and db.execute(
            "SELECT p.id, p.times_back FROM replays r JOIN dead_letters p ON p.id = r.dead_letter "
            "WHERE r.plan = ? AND r.sequence = ?",
            place,
        ).fetchone()
    )
    if not row:
        # Replayed by a board that keeps its own ledger.
        return None, max(1, letter.times_replayed)
    assert place is not None
    db.execute(
        "UPDATE replays SET came_back_us = coalesce(came_back_us, ?) "
        "WHERE plan = ? AND sequence = ?",
        [at_us, *place],
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


_TEXTS = tuple(field.name for field in fields(Letter) if "str" in str(field.type))
_texts_of = attrgetter(*_TEXTS)


def _storable(letter: Letter) -> Letter:
    """The letter with text that can be written as UTF-8: JSON can smuggle lone surrogates in."""
    broken: dict[str, Any] = {
        name: value.encode("utf-8", "replace").decode("utf-8")
        for name, value in zip(_TEXTS, _texts_of(letter), strict=True)
        if value is not None and not value.isascii() and not _is_utf8(value)
    }
    return replace(letter, **broken) if broken else letter


def _is_utf8(text: str) -> bool:
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True
