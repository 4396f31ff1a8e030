"""Dead letters by cause, with all that tells one cause from another."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field, replace
from typing import Final

from sqlite_utils import Database

from producer_agent.store.clock import now_us
from producer_agent.store.queries.letter_counts import (
    HOUR_US,
    Tally,
    cause_of_kinds,
    pairs_clause,
    span_of,
    tally,
)
from producer_agent.store.queries.letter_filter import (
    LetterFilter,
    is_counted,
    search_of,
    where_clause,
)

TREND_HOURS: Final = 24
TREND_DAYS: Final = 14

NEW_US: Final = 24 * HOUR_US
"""How long a cause that came up is marked as new."""


@dataclass(slots=True)
class LetterGroup:
    """The letters of one cause within a filter."""

    cause: int
    """Row id in this database."""
    fingerprint: str
    title: str
    side: str
    """One, as the side is part of the fingerprint."""
    state: str = "new"
    """Of the cause: ``new``, ``acknowledged``, ``resolved`` or ``archived``."""
    state_us: int | None = None
    state_by: str | None = None
    owner: str | None = None
    note: str | None = None
    came_up_us: int | None = None
    """The first letter after a day without one, or ever; UTC microseconds."""
    regressed_us: int | None = None
    """The first letter after it was resolved."""
    is_new: bool = False
    """It came up within a day, and nobody has looked at it."""
    is_regressed: bool = False
    """It came back after it was resolved, and nobody has looked at it."""
    count: int = 0
    first_seen_us: int = 0
    """When the first of them was stored here, UTC microseconds."""
    last_seen_us: int = 0
    topics: Counter[str | None] = field(default_factory=Counter)
    """Letters by the topic they were meant for; None where that is not known."""
    conventions: Counter[str] = field(default_factory=Counter)
    statuses: Counter[str] = field(default_factory=Counter)
    dead_letter_topics: Counter[str] = field(default_factory=Counter)
    consumer_groups: Counter[str] = field(default_factory=Counter)
    """Letters by consumer group; those that tell none are in none."""
    connectors: Counter[str] = field(default_factory=Counter)
    profiles: Counter[str] = field(default_factory=Counter)
    came_back: int = 0
    """How many of them are replays come back."""
    hours: tuple[int, ...] = ()
    """Letters by hour over the last day, the current hour last: whatever times the filter has."""
    days: tuple[int, ...] = ()
    """Letters by day (of 24 hours up to the end of the current one) over two weeks, today last."""


def groups(
    db: Database, wanted: LetterFilter, *, at_us: int | None = None
) -> tuple[LetterGroup, ...]:
    """Every cause among the letters that match: the most frequent first, then the latest seen.

    Args:
        db: The database.
        wanted: Which letters.
        at_us: When "now" is, for the trends and the mark of what is new; UTC microseconds.
    """
    at_us = now_us() if at_us is None else at_us
    of_all_times = replace(wanted, since_us=None, until_us=None, up_to_id=None)
    if is_counted(wanted):
        found = _by_counts(db, wanted)
        _add_trends(db, found, _hours_kept(db, of_all_times, at_us), at_us)
        _add_returns(db, wanted, found)
    else:
        cells = _cells(db, wanted, _first_hour(at_us))
        found = _by_cells(db, cells)
        if wanted != of_all_times:
            cells = _cells(db, of_all_times, _first_hour(at_us))
        _add_trends(db, found, [(cell.kind, cell.hour, cell.n) for cell in cells], at_us)
    _add_causes(db, found, at_us)
    distinct = {group.cause: group for group in found.values()}
    return tuple(
        sorted(
            distinct.values(), key=lambda group: (-group.count, -group.last_seen_us, group.cause)
        )
    )


@dataclass(frozen=True, slots=True)
class _Cell:
    """The letters of one kind, status and hour that match a filter which no kept count tells."""

    kind: int
    status: str
    hour: int
    n: int
    first_us: int
    last_us: int
    came_back: int


def _cells(db: Database, wanted: LetterFilter, begin: int) -> list[_Cell]:
    """All that a group tells of its letters, in one walk over those that match; what is older
    than ``begin``, the first hour of the trends, is one hour."""
    search = search_of(wanted)
    source = "dead_letters d"
    where, values = where_clause(wanted if search is None else search.rest)
    if search is not None:
        # From the search to the letters by number: SQLite would rather walk them all by kind.
        source = f"{search.table} t CROSS JOIN dead_letters d ON d.id = t.rowid"
        where = f"{where} AND" if where else "WHERE"
        where += f" t.{search.table} MATCH ?"
        values = [*values, search.query]
    rows = db.execute(
        f"SELECT d.kind, d.status, max(d.stored_us / {HOUR_US}, {begin - 1}), count(*), "
        "min(d.stored_us), max(d.stored_us), sum(d.times_back > 0) "
        f"FROM {source} {where} GROUP BY 1, 2, 3",
        values,
    )
    return [_Cell(*row) for row in rows.fetchall()]


def _by_cells(db: Database, cells: list[_Cell]) -> dict[int, LetterGroup]:
    found = _gathered(db, tuple(Tally(cell.kind, cell.status, cell.n) for cell in cells))
    for cell in cells:
        _stretch(found[cell.kind], cell.first_us, cell.last_us)
        found[cell.kind].came_back += cell.came_back
    return found


def _by_counts(db: Database, wanted: LetterFilter) -> dict[int, LetterGroup]:
    tallies = tally(db, wanted)
    found = _gathered(db, tallies)
    for (kind, _), (first_us, last_us) in span_of(db, wanted, tallies).items():
        _stretch(found[kind], first_us, last_us)
    return found


def _stretch(group: LetterGroup, first_us: int, last_us: int) -> None:
    group.first_seen_us = min(group.first_seen_us or first_us, first_us)
    group.last_seen_us = max(group.last_seen_us, last_us)


def _gathered(db: Database, tallies: tuple[Tally, ...]) -> dict[int, LetterGroup]:
    """The group of each kind that occurs, with what the kinds and counts tell."""
    kinds = {
        row[0]: row[1:]
        for row in db.execute(
            "SELECT k.id, k.cause, c.fingerprint, c.title, k.side, k.original_topic, k.convention, "
            "k.topic, k.consumer_group, k.connector, k.profile "
            "FROM letter_kinds k JOIN causes c ON c.id = k.cause"
        )
    }
    by_cause: dict[int, LetterGroup] = {}
    found: dict[int, LetterGroup] = {}
    for part in tallies:
        cause, fingerprint, title, side, meant_for, convention, topic, *of = kinds[part.kind]
        group = by_cause.setdefault(cause, LetterGroup(cause, fingerprint, title, side))
        found[part.kind] = group
        group.count += part.n
        group.statuses[part.status] += part.n
        group.topics[meant_for] += part.n
        group.conventions[convention] += part.n
        group.dead_letter_topics[topic] += part.n
        for counter, name in zip(
            (group.consumer_groups, group.connectors, group.profiles), of, strict=True
        ):
            if name is not None:
                counter[name] += part.n
    return found


def _add_causes(db: Database, found: dict[int, LetterGroup], at_us: int) -> None:
    told = {
        row[0]: row[1:]
        for row in db.execute(
            "SELECT id, state, state_us, state_by, owner, note, came_up_us, regressed_us "
            "FROM causes"
        )
    }
    for group in found.values():
        (
            group.state,
            group.state_us,
            group.state_by,
            group.owner,
            group.note,
            group.came_up_us,
            group.regressed_us,
        ) = told[group.cause]
        unseen = group.state == "new"
        group.is_regressed = unseen and group.regressed_us is not None
        group.is_new = unseen and group.came_up_us is not None and group.came_up_us > at_us - NEW_US


def _add_trends(
    db: Database,
    found: dict[int, LetterGroup],
    counted: list[tuple[int, int, int]],
    at_us: int,
) -> None:
    """Trends out of ``(kind, hour, letters)``."""
    this_hour = at_us // HOUR_US
    begin = _first_hour(at_us)
    hours = {group.cause: [0] * TREND_HOURS for group in found.values()}
    days = {group.cause: [0] * TREND_DAYS for group in found.values()}
    causes = cause_of_kinds(db)
    for kind, hour, n in counted:
        cause = causes[kind]
        if cause not in days or not begin <= hour <= this_hour:
            continue
        days[cause][(hour - begin) // 24] += n
        if hour > this_hour - TREND_HOURS:
            hours[cause][hour - this_hour + TREND_HOURS - 1] += n
    for group in found.values():
        group.hours, group.days = tuple(hours[group.cause]), tuple(days[group.cause])


def _first_hour(at_us: int) -> int:
    return at_us // HOUR_US - 24 * TREND_DAYS + 1


def _hours_kept(db: Database, wanted: LetterFilter, at_us: int) -> list[tuple[int, int, int]]:
    source, values = pairs_clause(wanted, "letter_counts")
    # The few pairs first: each finds its hours by key.
    rows = db.execute(
        f"SELECT h.kind, h.hour, h.n FROM (SELECT t.kind, t.status {source}) p "
        "CROSS JOIN letter_hours h ON h.kind = p.kind AND h.status = p.status "
        "WHERE h.hour >= ? AND h.n > 0",
        [*values, _first_hour(at_us)],
    )
    return list(rows.fetchall())


def _add_returns(db: Database, wanted: LetterFilter, found: dict[int, LetterGroup]) -> None:
    where, values = where_clause(wanted)
    clause = f"{where} AND" if where else "WHERE"
    rows = db.execute(
        "SELECT d.kind, count(*) FROM dead_letters d INDEXED BY dead_letters_by_times_back "
        f"{clause} d.times_back > 0 GROUP BY 1",
        values,
    )
    for kind, n in rows.fetchall():
        if kind in found:
            found[kind].came_back += n
