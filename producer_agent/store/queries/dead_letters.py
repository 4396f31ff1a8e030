"""What triage asks: which dead letters match, what one of them holds, what its replays came to."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from sqlite_utils import Database

from producer_agent.store import outbox
from producer_agent.store.headers import headers_from_json

STATUSES: Final = ("new", "acknowledged", "replaying", "replayed", "resolved", "archived")
"""Every value of ``dead_letters.status``, in the order of a letter's life."""

OPEN_STATUSES: Final = ("new", "acknowledged")
"""Those that still ask somebody for a decision."""

REPLAYABLE_STATUSES: Final = ("new", "acknowledged", "resolved")
"""Those without a replay under way or done, so that another may begin."""


@dataclass(frozen=True, slots=True)
class LetterFilter:
    """Which dead letters to list; None leaves a column alone."""

    topic: str | None = None
    """The topic the record was meant for."""
    cause: int | None = None
    """A row id of ``causes``."""
    side: str | None = None
    statuses: tuple[str, ...] | None = None
    profile: str | None = None
    since_us: int | None = None
    """Stored here at or after this time, UTC microseconds."""
    key_contains: str = ""
    """Text within the original key; ASCII letters match in either case."""
    up_to_id: int | None = None
    """Only those known when the list was made, so that rows do not move while one is read."""


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


@dataclass(frozen=True, slots=True)
class ReplayRow:
    """One entry of the replay ledger, with who asked for it where that is known."""

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
    who: str | None


@dataclass(frozen=True, slots=True)
class CauseGroup:
    """The dead letters of one cause within a filter."""

    id: int
    title: str
    count: int
    last_seen_us: int


@dataclass(frozen=True, slots=True)
class LetterSummary:
    """The figures above the list."""

    total: int
    """Letters that match."""
    causes: tuple[CauseGroup, ...]
    """Of those that match, the most frequent first."""
    newest_id: int
    """The highest id that matches, or 0."""


@dataclass(frozen=True, slots=True)
class FilterOptions:
    """What can be filtered by: the values that occur."""

    topics: tuple[str, ...]
    profiles: tuple[str, ...]
    causes: tuple[tuple[int, str], ...]
    """Row id and title, the latest seen first."""


def summary(db: Database, wanted: LetterFilter) -> LetterSummary:
    """Count the letters that match, by cause."""
    where, values = where_clause(wanted)
    rows = db.execute(
        f"SELECT d.cause, c.title, count(*), max(d.stored_us), max(d.id) FROM dead_letters d "
        f"JOIN causes c ON c.id = d.cause {where} GROUP BY d.cause ORDER BY 3 DESC, 4 DESC",
        values,
    ).fetchall()
    return LetterSummary(
        total=sum(row[2] for row in rows),
        causes=tuple(CauseGroup(*row[:4]) for row in rows),
        newest_id=max((row[4] for row in rows), default=0),
    )


def count(db: Database, wanted: LetterFilter) -> int:
    """How many letters match."""
    where, values = where_clause(wanted)
    return int(db.execute(f"SELECT count(*) FROM dead_letters d {where}", values).fetchone()[0])


def newest_id(db: Database) -> int:
    """The highest id of any letter, or 0: what ``up_to_id`` is set to when a list is made."""
    return int(db.execute("SELECT coalesce(max(id), 0) FROM dead_letters").fetchone()[0])


def count_newer(db: Database, wanted: LetterFilter, than_id: int) -> int:
    """How many letters match that came in after ``than_id``."""
    where, values = where_clause(wanted)
    clause = f"{where} AND" if where else "WHERE"
    row = db.execute(
        f"SELECT count(*) FROM dead_letters d {clause} d.id > ?", [*values, than_id]
    ).fetchone()
    return int(row[0])


def page(
    db: Database, wanted: LetterFilter, *, limit: int, offset: int = 0
) -> tuple[LetterRow, ...]:
    """One page of the letters that match, the latest first."""
    where, values = where_clause(wanted)
    # The ids first: an index alone sorts them, where whole rows would drag their payloads along.
    ids = db.execute(
        f"SELECT d.id FROM dead_letters d {where} "
        "ORDER BY d.stored_us DESC, d.id DESC LIMIT ? OFFSET ?",
        [*values, limit, offset],
    ).fetchall()
    return by_ids(db, [row[0] for row in ids])


def by_ids(db: Database, ids: Sequence[int]) -> tuple[LetterRow, ...]:
    """These letters as they stand now, in the order of ``ids``; unknown ids are left out."""
    rows = db.execute(
        "SELECT d.id, d.stored_us, d.status, d.side, d.original_topic, d.original_key_text, "
        "c.title, d.error_class, d.error_code, d.may_be_stored, d.profile, d.size "
        f"FROM dead_letters d JOIN causes c ON c.id = d.cause WHERE d.id IN ({_marks(ids)})",
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
        "d.sequence, d.replay_id, c.title, d.status, d.stored_us "
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
        "SELECT r.replay_id, r.dead_letter, r.target_topic, r.state, r.reason, r.partition, "
        'r."offset", r.planned_us, r.settled_us, a.who FROM replays r '
        "LEFT JOIN commands a ON a.id = r.command "
        f"WHERE r.dead_letter IN ({_marks(ids)}) ORDER BY r.id DESC",
        list(ids),
    ).fetchall()
    return tuple(ReplayRow(*row) for row in rows)


def filter_options(db: Database) -> FilterOptions:
    """The topics, profiles and causes that occur among the dead letters."""
    return FilterOptions(
        topics=_distinct(db, "original_topic"),
        profiles=_distinct(db, "profile"),
        causes=tuple(
            (row[0], row[1])
            for row in db.execute("SELECT id, title FROM causes ORDER BY last_seen_us DESC")
        ),
    )


def _distinct(db: Database, column: str) -> tuple[str, ...]:
    rows = db.execute(
        f"SELECT DISTINCT {column} FROM dead_letters WHERE {column} IS NOT NULL ORDER BY 1"
    )
    return tuple(row[0] for row in rows)


def _true_or_false(row: Sequence[Any], at: int) -> list[Any]:
    """The row with SQLite's 1, 0 or NULL at ``at`` as a bool."""
    values = list(row)
    values[at] = values[at] == 1
    return values


def where_clause(wanted: LetterFilter) -> tuple[str, list[Any]]:
    """A filter as SQL over ``dead_letters d`` (empty: everything) and the values it takes."""
    clauses: list[str] = []
    values: list[Any] = []
    for column, value in (
        ("d.original_topic = ?", wanted.topic),
        ("d.cause = ?", wanted.cause),
        ("d.side = ?", wanted.side),
        ("d.profile = ?", wanted.profile),
        ("d.stored_us >= ?", wanted.since_us),
        ("d.id <= ?", wanted.up_to_id),
    ):
        if value is not None:
            clauses.append(column)
            values.append(value)
    if wanted.statuses is not None:
        clauses.append(f"d.status IN ({_marks(wanted.statuses)})")
        values.extend(wanted.statuses)
    if wanted.key_contains:
        clauses.append("d.original_key_text LIKE ? ESCAPE '\\'")
        values.append(f"%{_like_escaped(wanted.key_contains)}%")
    return (f"WHERE {' AND '.join(clauses)}" if clauses else ""), values


def _like_escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")


def _marks(values: Sequence[Any]) -> str:
    return ", ".join("?" * len(values))
