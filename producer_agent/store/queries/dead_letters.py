"""What triage asks: which dead letters match, what one of them holds, what its replays came to."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlite_utils import Database

from producer_agent.store import outbox
from producer_agent.store.headers import headers_from_json
from producer_agent.store.queries.letter_counts import (
    CauseGroup,
    FilterOptions,
    LetterSummary,
    count,
    count_newer,
    filter_options,
    summary,
)
from producer_agent.store.queries.letter_filter import (
    OPEN_STATUSES,
    REPLAYABLE_STATUSES,
    STATUSES,
    LetterFilter,
    filter_from_json,
    filter_to_json,
    marks,
    where_clause,
)
from producer_agent.store.queries.letter_order import SORTS, Sort, newest_id, page_ids

__all__ = [
    "OPEN_STATUSES",
    "REPLAYABLE_STATUSES",
    "SORTS",
    "STATUSES",
    "CauseGroup",
    "FilterOptions",
    "Letter",
    "LetterFilter",
    "LetterRow",
    "LetterSummary",
    "ReplayRow",
    "Sort",
    "by_ids",
    "count",
    "count_newer",
    "filter_from_json",
    "filter_options",
    "filter_to_json",
    "letter",
    "newest_id",
    "page",
    "replays_of",
    "summary",
    "value_left_behind",
    "where_clause",
]


@dataclass(frozen=True, slots=True)
class LetterRow:
    """A line of the list."""

    id: int
    stored_us: int
    status: str
    side: str
    original_topic: str | None
    original_key_text: str | None
    cause: str
    error_class: str | None
    error_code: int | None
    may_be_stored: bool
    profile: str | None
    size: int
    """Bytes of key and value."""
    cause_id: int = 0
    """A row id of ``causes``."""
    dead_letter_topic: str = ""
    """The topic it was read from."""
    convention: str = "unknown"
    consumer_group: str | None = None
    connector: str | None = None
    original_timestamp_ms: int | None = None
    times_back: int = 0
    """How often a replay of it came back as a dead letter."""
    error_message: str | None = None


@dataclass(frozen=True, slots=True)
class Letter:
    """One dead letter: the record as it lay on its topic, and what was read out of it."""

    id: int
    cluster_kind: str
    cluster_id: str
    topic: str
    partition: int
    offset: int
    timestamp_ms: int | None
    key: bytes | None
    value: bytes | None
    headers: tuple[tuple[str, bytes | None], ...]
    size: int
    convention: str
    side: str
    original_topic: str | None
    original_partition: int | None
    original_offset: int | None
    original_timestamp_ms: int | None
    original_key_text: str | None
    error_class: str | None
    error_code: int | None
    error_message: str | None
    may_be_stored: bool
    profile: str | None
    run_uuid: str | None
    sequence: int | None
    replay_id: str | None
    """Of the replay that this record came back from."""
    cause: str
    status: str
    stored_us: int
    topic_id: str = ""
    """The topic's id on its cluster, empty where that does not tell."""
    cause_id: int = 0
    """A row id of ``causes``."""
    fingerprint: str = ""
    """The cause in any database."""
    consumer_group: str | None = None
    connector: str | None = None
    previous: int | None = None
    """The dead letter whose replay came back as this one."""
    times_back: int = 0
    """How often that happened in all."""
    fixed_convention: str | None = None
    """The convention that its topic's policy said; None: detected."""
    default_target: str | None = None
    """Where its topic's policy sends what does not tell its origin."""


@dataclass(frozen=True, slots=True)
class ReplayRow:
    """One entry of the replay ledger, with who made its plan."""

    replay_id: str
    dead_letter: int
    target_topic: str | None
    state: str
    """``planned``, ``refused``, ``intent``, ``done``, ``already``, ``failed``, ``unknown`` or
    ``cancelled``."""
    reason: str | None
    partition: int | None
    offset: int | None
    planned_us: int
    settled_us: int | None
    who: str | None
    plan: int = 0
    """A row id of ``replay_plans``."""
    came_back_us: int | None = None
    """When it was read from a dead-letter topic again."""


def page(
    db: Database,
    wanted: LetterFilter,
    *,
    limit: int,
    offset: int = 0,
    sort: Sort = "stored",
    descending: bool = True,
) -> tuple[LetterRow, ...]:
    """One page of the letters that match; unless told otherwise the latest stored first."""
    # The ids first: an index alone sorts them, where whole rows would have to be carried along.
    return by_ids(
        db,
        page_ids(db, wanted, limit=limit, offset=offset, sort=sort, descending=descending),
    )


def by_ids(db: Database, ids: Sequence[int]) -> tuple[LetterRow, ...]:
    """These letters as they stand now, in the order of ``ids``; unknown ids are left out."""
    rows = db.execute(
        "SELECT d.id, d.stored_us, d.status, d.side, d.original_topic, d.original_key_text, "
        "c.title, d.error_class, d.error_code, d.may_be_stored, d.profile, d.size, d.cause, "
        "d.topic, d.convention, d.consumer_group, d.connector, d.original_timestamp_ms, "
        "d.times_back, d.error_message "
        f"FROM dead_letters d JOIN causes c ON c.id = d.cause WHERE d.id IN ({marks(ids)})",
        list(ids),
    ).fetchall()
    found = {row[0]: LetterRow(*_true_or_false(row, 9)) for row in rows}
    return tuple(found[id_] for id_ in ids if id_ in found)


def letter(db: Database, id_: int) -> Letter | None:
    """One letter whole, or None if there is none of this id."""
    row = db.execute(
        'SELECT d.id, k.kind, k.cluster_id, d.topic, d.partition, d."offset", d.timestamp_ms, '
        "b.key, b.value, b.headers, d.size, d.convention, d.side, d.original_topic, "
        "d.original_partition, d.original_offset, d.original_timestamp_ms, d.original_key_text, "
        "d.error_class, d.error_code, d.error_message, d.may_be_stored, d.profile, d.run_uuid, "
        "d.sequence, d.replay_id, c.title, d.status, d.stored_us, d.topic_id, d.cause, "
        "c.fingerprint, d.consumer_group, d.connector, d.previous, d.times_back, "
        "d.fixed_convention, d.default_target "
        "FROM dead_letters d JOIN dead_letter_records b ON b.letter = d.id "
        "JOIN causes c ON c.id = d.cause JOIN clusters k ON k.id = d.cluster "
        "WHERE d.id = ?",
        [id_],
    ).fetchone()
    if row is None:
        return None
    values = _true_or_false(row, 21)
    values[9] = tuple(headers_from_json(values[9]))
    return Letter(*values)


def value_left_behind(db: Database, run_uuid: str, sequence: int) -> bytes | None:
    """The value of an event that was too large for its dead letter, while the outbox has it."""
    return outbox.value_of(db, run_uuid, sequence)


def replays_of(db: Database, ids: Sequence[int]) -> tuple[ReplayRow, ...]:
    """Every replay of these letters, the latest first."""
    rows = db.execute(
        "SELECT p.uuid || '-' || r.sequence, r.dead_letter, r.target_topic, r.state, r.reason, "
        'r.partition, r."offset", r.planned_us, r.settled_us, p.made_by, r.plan, r.came_back_us '
        "FROM replays r JOIN replay_plans p ON p.id = r.plan "
        f"WHERE r.dead_letter IN ({marks(ids)}) ORDER BY r.plan DESC, r.sequence DESC",
        list(ids),
    ).fetchall()
    return tuple(ReplayRow(*row) for row in rows)


def _true_or_false(row: Sequence[Any], at: int) -> list[Any]:
    """The row with SQLite's 1, 0 or NULL at ``at`` as a bool."""
    values = list(row)
    values[at] = values[at] == 1
    return values
