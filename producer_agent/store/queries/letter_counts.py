"""How many dead letters match, by kind and status: from the kept counts wherever they tell.

A filter by topic, cause, side, status and the like reads the few rows that triggers keep
(``letter_counts``, ``letter_hours``). Time cuts hours in two at its ends, whose letters an index
counts. Only a filter by text, header, key, plan or come-back looks at the letters themselves.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from sqlite_utils import Database

from producer_agent.store.queries.letter_filter import (
    LetterFilter,
    is_counted,
    kind_clause,
    marks,
    search_of,
    where_clause,
)

HOUR_US = 3_600_000_000


@dataclass(frozen=True, slots=True)
class Tally:
    """How many letters of one kind have one status."""

    kind: int
    """A row id of ``letter_kinds``."""
    status: str
    n: int


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


@dataclass(frozen=True, slots=True)
class FilterOptions:
    """What can be filtered by: the values that occur."""

    topics: tuple[str, ...]
    """Meant for."""
    profiles: tuple[str, ...]
    causes: tuple[tuple[int, str], ...]
    """Row id and title, the latest seen first."""
    dead_letter_topics: tuple[str, ...]
    sides: tuple[str, ...]
    conventions: tuple[str, ...]
    consumer_groups: tuple[str, ...]
    errors: tuple[str, ...]
    """Classes, and codes that have none."""
    statuses: tuple[tuple[str, int], ...]
    """Status and how many letters have it, in no order."""


def tally(db: Database, wanted: LetterFilter) -> tuple[Tally, ...]:
    """The letters that match, counted by kind and status; nothing that is zero."""
    if not is_counted(wanted):
        where, values = where_clause(wanted)
        rows = db.execute(
            f"SELECT d.kind, d.status, count(*) FROM dead_letters d {where} GROUP BY 1, 2", values
        ).fetchall()
        return tuple(Tally(*row) for row in rows)
    timed = wanted.since_us is not None or wanted.until_us is not None
    counts = _within(db, wanted) if timed else _kept(db, wanted)
    for (kind, status), n in _newer(db, wanted).items():
        counts[kind, status] -= n
    return tuple(Tally(*pair, n) for pair, n in counts.items() if n > 0)


def count(db: Database, wanted: LetterFilter) -> int:
    """How many letters match."""
    if is_counted(wanted):
        return sum(part.n for part in tally(db, wanted))
    search = search_of(wanted)
    if search is not None and replace(search.rest, up_to_id=None) == LetterFilter():
        # The index alone tells: it has the numbers of all that match, and of no other letter.
        up_to = 2**62 if wanted.up_to_id is None else wanted.up_to_id
        row = db.execute(
            f"SELECT count(*) FROM {search.table} WHERE {search.table} MATCH ? AND rowid <= ?",
            [search.query, up_to],
        ).fetchone()
        return int(row[0])
    where, values = where_clause(wanted)
    return int(db.execute(f"SELECT count(*) FROM dead_letters d {where}", values).fetchone()[0])


def count_newer(db: Database, wanted: LetterFilter, than_id: int) -> int:
    """How many letters match that came in after ``than_id``."""
    where, values = where_clause(wanted)
    clause = f"{where} AND" if where else "WHERE"
    # NOT INDEXED: by row id, as few are newer than a list that somebody is reading.
    row = db.execute(
        f"SELECT count(*) FROM dead_letters d NOT INDEXED {clause} d.id > ?", [*values, than_id]
    ).fetchone()
    return int(row[0])


def summary(db: Database, wanted: LetterFilter) -> LetterSummary:
    """Count the letters that match, by cause."""
    tallies = tally(db, wanted)
    causes = cause_of_kinds(db)
    counted: dict[int, int] = {}
    last: dict[int, int] = {}
    spans = span_of(db, wanted, tallies)
    for part in tallies:
        cause = causes[part.kind]
        counted[cause] = counted.get(cause, 0) + part.n
        last[cause] = max(last.get(cause, 0), spans[part.kind, part.status][1])
    titles = dict(db.execute("SELECT id, title FROM causes").fetchall())
    groups = [CauseGroup(id_, titles[id_], n, last[id_]) for id_, n in counted.items()]
    groups.sort(key=lambda group: (-group.count, -group.last_seen_us, group.id))
    return LetterSummary(total=sum(counted.values()), causes=tuple(groups))


def span_of(
    db: Database, wanted: LetterFilter, tallies: tuple[Tally, ...]
) -> dict[tuple[int, str], tuple[int, int]]:
    """When the first and the last letter of each tally were stored, UTC microseconds."""
    if not is_counted(wanted):
        where, values = where_clause(wanted)
        rows = db.execute(
            "SELECT d.kind, d.status, min(d.stored_us), max(d.stored_us) "
            f"FROM dead_letters d {where} GROUP BY 1, 2",
            values,
        ).fetchall()
        return {(kind, status): (first, last) for kind, status, first, last in rows}
    where, values = where_clause(
        LetterFilter(since_us=wanted.since_us, until_us=wanted.until_us, up_to_id=wanted.up_to_id)
    )
    clause = f"{where} AND" if where else "WHERE"
    end = (
        f"SELECT d.stored_us FROM dead_letters d INDEXED BY dead_letters_by_kind "
        f"{clause} d.kind = ? AND d.status = ? ORDER BY d.stored_us {{}} LIMIT 1"
    )
    spans: dict[tuple[int, str], tuple[int, int]] = {}
    for part in tallies:
        taken = [*values, part.kind, part.status]
        first = db.execute(end.format("ASC"), taken).fetchone()
        last = db.execute(end.format("DESC"), taken).fetchone()
        spans[part.kind, part.status] = (first[0], last[0])
    return spans


def filter_options(db: Database) -> FilterOptions:
    """The values that occur among the dead letters."""
    return FilterOptions(
        topics=_occurring(db, "original_topic"),
        profiles=_occurring(db, "profile"),
        causes=tuple(
            (row[0], row[1])
            for row in db.execute(
                "SELECT id, title FROM causes ORDER BY last_seen_us DESC, id DESC"
            )
        ),
        dead_letter_topics=_occurring(db, "topic"),
        sides=_occurring(db, "side"),
        conventions=_occurring(db, "convention"),
        consumer_groups=_occurring(db, "consumer_group"),
        errors=_occurring(db, "coalesce(k.error_class, CAST(k.error_code AS TEXT))"),
        statuses=tuple(
            (row[0], row[1])
            for row in db.execute(
                "SELECT status, sum(n) FROM letter_counts GROUP BY status HAVING sum(n) > 0"
            )
        ),
    )


def cause_of_kinds(db: Database) -> dict[int, int]:
    """The cause of every kind."""
    return dict(db.execute("SELECT id, cause FROM letter_kinds").fetchall())


def pairs_clause(wanted: LetterFilter, table: str) -> tuple[str, list[Any]]:
    """The kinds and statuses that a filter keeps, as SQL over a table of counts ``t``."""
    clauses, values = ["t.n > 0"], []
    of_kind, kind_values = kind_clause(wanted)
    if of_kind:
        clauses.append(f"t.kind IN (SELECT k.id FROM letter_kinds k WHERE {of_kind})")
        values += kind_values
    if wanted.statuses is not None:
        clauses.append(f"t.status IN ({marks(wanted.statuses)})")
        values += wanted.statuses
    return f"FROM {table} t WHERE {' AND '.join(clauses)}", values


def _kept(db: Database, wanted: LetterFilter) -> dict[tuple[int, str], int]:
    """Of all times."""
    source, values = pairs_clause(wanted, "letter_counts")
    rows = db.execute(f"SELECT t.kind, t.status, t.n {source}", values).fetchall()
    return {(kind, status): n for kind, status, n in rows}


def _within(db: Database, wanted: LetterFilter) -> dict[tuple[int, str], int]:
    """Of a time: whole hours from the kept counts, the hours it cuts from the index."""
    since_us = 0 if wanted.since_us is None else wanted.since_us
    until_us = 2**62 if wanted.until_us is None else wanted.until_us
    whole_from, whole_to = -(-since_us // HOUR_US), until_us // HOUR_US
    untimed = replace(wanted, since_us=None, until_us=None, up_to_id=None)
    counts: dict[tuple[int, str], int] = {}
    if whole_from < whole_to:
        source, values = pairs_clause(untimed, "letter_hours")
        rows = db.execute(
            f"SELECT t.kind, t.status, sum(t.n) {source} AND t.hour >= ? AND t.hour < ? "
            "GROUP BY 1, 2",
            [*values, whole_from, whole_to],
        )
        counts = {(kind, status): n for kind, status, n in rows.fetchall()}
        cut = [(since_us, whole_from * HOUR_US), (whole_to * HOUR_US, until_us)]
    else:
        cut = [(since_us, until_us)]
    for start_us, end_us in cut:
        if start_us >= end_us:
            continue
        # By time, not by kind: an hour is short, and the plan must not depend on statistics.
        where, values = where_clause(replace(untimed, since_us=start_us, until_us=end_us))
        rows = db.execute(
            "SELECT d.kind, d.status, count(*) FROM dead_letters d INDEXED BY dead_letters_by_time "
            f"{where} GROUP BY 1, 2",
            values,
        )
        for kind, status, n in rows.fetchall():
            counts[kind, status] = counts.get((kind, status), 0) + n
    return counts


def _newer(db: Database, wanted: LetterFilter) -> dict[tuple[int, str], int]:
    """Those that match but for ``up_to_id``: few, as it is set when a list is made."""
    if wanted.up_to_id is None:
        return {}
    where, values = where_clause(replace(wanted, up_to_id=None))
    clause = f"{where} AND" if where else "WHERE"
    rows = db.execute(
        "SELECT d.kind, d.status, count(*) FROM dead_letters d NOT INDEXED "
        f"{clause} d.id > ? GROUP BY 1, 2",
        [*values, wanted.up_to_id],
    ).fetchall()
    return {(kind, status): n for kind, status, n in rows}


def _occurring(db: Database, column: str) -> tuple[str, ...]:
    rows = db.execute(
        f"SELECT DISTINCT {column} AS told FROM letter_kinds k WHERE told IS NOT NULL "
        "AND EXISTS (SELECT 1 FROM letter_counts t WHERE t.kind = k.id AND t.n > 0) ORDER BY 1"
    )
    return tuple(row[0] for row in rows.fetchall())
