"""The letters of a filter in an order: the ids of a page, wherever in the list it stands.

By time of storing, which is what people page through and exports walk along, letters come out of
the index by kind and status: one ordered stream for each pair that the kept counts say is there,
merged. A page then costs what it holds and what it skips, however rare or old its letters are.
"""

from __future__ import annotations

import heapq
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from typing import Final, Literal

from sqlite_utils import Database

from producer_agent.store.queries.letter_counts import pairs_clause
from producer_agent.store.queries.letter_filter import (
    LetterFilter,
    Search,
    is_counted,
    kind_clause,
    search_of,
    where_clause,
)

Sort = Literal["stored", "size", "times_back", "original_time"]

SORTS: Final[tuple[Sort, ...]] = ("stored", "size", "times_back", "original_time")
"""What a list can be sorted by: time of storing, bytes of key and value, how often it came back,
timestamp of the original (letters that do not tell it last)."""

MOST_STREAMS: Final = 500
"""Pairs of kind and status that are merged; beyond it SQLite sorts what matches."""

_COLUMNS: Final = {
    "stored": "d.stored_us",
    "size": "d.size",
    "times_back": "d.times_back",
    "original_time": "d.original_timestamp_ms",
}


@dataclass(frozen=True, slots=True, order=True)
class Place:
    """Where a letter stands in the order of storing: by time, then by row id."""

    stored_us: int
    id: int


BEGINNING: Final = Place(-1, -1)
"""Before the first letter."""


def page_ids(
    db: Database,
    wanted: LetterFilter,
    *,
    limit: int,
    offset: int = 0,
    sort: Sort = "stored",
    descending: bool = True,
) -> list[int]:
    """Row ids of one page; of letters that are alike in the order the later stored comes first
    (last, where it ascends)."""
    direction = "DESC" if descending else "ASC"
    if sort == "stored":
        pairs = _pairs(db, wanted)
        if pairs is not None:
            with _merged(db, wanted, pairs, BEGINNING, descending=descending) as places:
                return [place.id for place in islice(places, offset, offset + limit)]
        search = search_of(wanted)
        if search is not None:
            return _searched(db, search, limit, offset, direction)
    where, values = where_clause(wanted)
    rows = db.execute(
        f"SELECT d.id FROM dead_letters d {where} "
        f"ORDER BY {_COLUMNS[sort]} {direction} NULLS LAST, d.id {direction} LIMIT ? OFFSET ?",
        [*values, limit, offset],
    )
    return [row[0] for row in rows.fetchall()]


def _searched(db: Database, search: Search, limit: int, offset: int, direction: str) -> list[int]:
    """By number, which is the order of storing, as the index gives them: a word that half of all
    letters have costs no more than the page."""
    where, values = where_clause(search.rest)
    clause = f"{where} AND" if where else "WHERE"
    rows = db.execute(
        f"SELECT d.id FROM {search.table} t CROSS JOIN dead_letters d ON d.id = t.rowid "
        f"{clause} t.{search.table} MATCH ? ORDER BY t.rowid {direction} LIMIT ? OFFSET ?",
        [*values, search.query, limit, offset],
    )
    return [row[0] for row in rows.fetchall()]


def places(
    db: Database, wanted: LetterFilter, *, after: Place = BEGINNING, limit: int
) -> tuple[Place, ...]:
    """The letters that match beyond ``after``, the first stored first."""
    pairs = _pairs(db, wanted)
    if pairs is not None:
        with _merged(db, wanted, pairs, after, descending=False) as found:
            return tuple(islice(found, limit))
    where, values = where_clause(wanted)
    clause = f"{where} AND" if where else "WHERE"
    rows = db.execute(
        f"SELECT d.stored_us, d.id FROM dead_letters d {clause} (d.stored_us, d.id) > (?, ?) "
        "ORDER BY d.stored_us, d.id LIMIT ?",
        [*values, after.stored_us, after.id, limit],
    )
    return tuple(Place(*row) for row in rows.fetchall())


def ids(db: Database, wanted: LetterFilter) -> list[int]:
    """Row ids of all that match, the first stored first: a selection, frozen."""
    where, values = where_clause(wanted)
    rows = db.execute(f"SELECT d.id FROM dead_letters d {where} ORDER BY d.id", values)
    return [row[0] for row in rows.fetchall()]


def newest_id(db: Database) -> int:
    """The highest id of any letter, or 0: what ``up_to_id`` is set to when a list is made."""
    return int(db.execute("SELECT coalesce(max(id), 0) FROM dead_letters").fetchone()[0])


def _pairs(db: Database, wanted: LetterFilter) -> list[tuple[int, str]] | None:
    """The kinds and statuses to merge; None where one index walk or a sort serves better."""
    if not is_counted(wanted):
        return None
    if not kind_clause(wanted)[0] and wanted.statuses is None:
        return None
    source, values = pairs_clause(wanted, "letter_counts")
    pairs = db.execute(
        f"SELECT t.kind, t.status {source} LIMIT ?", [*values, MOST_STREAMS + 1]
    ).fetchall()
    return pairs if len(pairs) <= MOST_STREAMS else None


@contextmanager
def _merged(
    db: Database,
    wanted: LetterFilter,
    pairs: list[tuple[int, str]],
    after: Place,
    *,
    descending: bool,
) -> Generator[Iterator[Place]]:
    """The letters of these pairs in order, read as far as they are asked for."""
    where, values = where_clause(
        LetterFilter(since_us=wanted.since_us, until_us=wanted.until_us, up_to_id=wanted.up_to_id)
    )
    direction = "DESC" if descending else "ASC"
    clause = f"{where} AND" if where else "WHERE"
    if after > BEGINNING:
        clause += " (d.stored_us, d.id) > (?, ?) AND"
        values = [*values, after.stored_us, after.id]
    sql = (
        "SELECT d.stored_us, d.id FROM dead_letters d INDEXED BY dead_letters_by_kind "
        f"{clause} d.kind = ? AND d.status = ? ORDER BY d.stored_us {direction}, d.id {direction}"
    )
    cursors = [db.execute(sql, [*values, *pair]) for pair in pairs]
    try:
        rows = heapq.merge(*cursors, reverse=descending)
        yield (Place(*row) for row in rows)
    finally:
        for cursor in cursors:
            cursor.close()
