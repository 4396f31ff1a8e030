"""Writing new dead letters, table by table; the caller has seen that they are new."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from sqlite_utils import Database

from producer_agent.store import letter_counting
from producer_agent.store.headers import headers_to_json
from producer_agent.store.letter import Letter
from producer_agent.store.letter_text import header_marks, searched_text
from producer_agent.store.many_rows import Row, insert_many
from producer_agent.store.replays import plan_and_sequence

QUIET_US = 24 * 3600 * 1_000_000
"""A cause that was not seen for so long is new again when it is seen."""

LIST_TEXT = 200
"""Characters of a key kept as text for lists and filters."""

NEW = "new"
"""The status that every letter comes with."""


def insert_new(db: Database, cluster: int, letters: Sequence[Letter], at_us: int) -> None:
    """Store letters, in the caller's transaction.

    Args:
        db: The database.
        cluster: Row id of the cluster.
        letters: At least one; their ids are given in this order.
        at_us: When they are stored, no earlier than any that is.
    """
    (last,) = db.execute(
        "UPDATE letter_ids SET last = last + ? RETURNING last", [len(letters)]
    ).fetchone()
    first = last - len(letters) + 1
    rows = _Rows(db, cluster, at_us)
    narrow = [rows.row(id_, letter) for id_, letter in enumerate(letters, first)]
    with letter_counting.by_hand(db):
        insert_many(db, "dead_letters", _COLUMNS, narrow)
    hour = at_us // letter_counting.HOUR_US
    letter_counting.add(db, ((kind, NEW, hour, n) for kind, n in rows.of_kind.items()))
    insert_many(
        db,
        "dead_letter_records",
        "letter, key, value, headers, searched",
        [
            (
                id_,
                letter.key,
                letter.value,
                headers_to_json(letter.headers),
                searched_text(letter.value, letter.original_value),
            )
            for id_, letter in enumerate(letters, first)
        ],
        bytes_of=_bytes_of,
    )
    insert_many(
        db,
        "letter_headers",
        "rowid, marks",
        [
            (id_, header_marks(letter.headers, letter.original_headers))
            for id_, letter in enumerate(letters, first)
        ],
    )
    db.execute(
        "INSERT INTO letter_text (rowid, value) "
        "SELECT letter, value FROM letter_texts WHERE letter BETWEEN ? AND ?",
        [first, last],
    )
    db.execute(
        "INSERT INTO letter_keys (rowid, original_key_text) "
        "SELECT id, original_key_text FROM dead_letters "
        "WHERE id BETWEEN ? AND ? AND original_key_text IS NOT NULL",
        [first, last],
    )


class _Rows:
    """Makes the rows of a batch; what many letters share (cause, kind) is looked up once."""

    def __init__(self, db: Database, cluster: int, at_us: int) -> None:
        self.of_kind: Counter[int] = Counter()
        """How many letters of each kind there are."""
        self._db = db
        self._cluster = cluster
        self._at_us = at_us
        self._causes: dict[str, int] = {}
        self._kinds: dict[tuple[object, ...], int] = {}

    def row(self, id_: int, letter: Letter) -> Row:
        """Of ``dead_letters``."""
        previous, times_back = _earlier_life(self._db, letter, self._at_us)
        cause = self._causes.get(letter.fingerprint)
        if cause is None:
            cause = self._causes[letter.fingerprint] = _cause(self._db, letter, self._at_us)
        kind = self._kind(letter, cause)
        self.of_kind[kind] += 1
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
            kind,
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


def _bytes_of(record: Row) -> int:
    _, key, value, headers, searched = record
    return sum(
        len(part) for part in (key, value, headers, searched) if isinstance(part, bytes | str)
    )


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
