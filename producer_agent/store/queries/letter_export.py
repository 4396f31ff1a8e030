"""What an export asks: the letters that match in the order they came, one whole letter at a time.

Each question is a short read of its own. One cursor over everything would hold a snapshot open for
as long as whoever reads the export takes, and the write-ahead log could not be cut meanwhile.
"""

from __future__ import annotations

from dataclasses import dataclass

from sqlite_utils import Database

from producer_agent.store.queries.dead_letters import Letter, LetterFilter, letter, where_clause

PAGE = 1_000
"""Places in a page: numbers only, so it is small whatever the letters weigh."""


@dataclass(frozen=True, slots=True, order=True)
class Place:
    """Where a letter stands in the order of an export: by time of storing, then by row id."""

    stored_us: int
    id: int


BEGINNING = Place(-1, -1)
"""Before the first letter."""


@dataclass(frozen=True, slots=True)
class ExportedLetter:
    """A letter whole, with what names its topic and its cause for good."""

    letter: Letter
    topic_id: str | None
    """The topic's id on its cluster, which a topic created anew does not share."""
    cause_row: int
    """Row id of its cause in this database."""
    fingerprint: str
    """The cause in any database: the same reason has the same one."""


def places(
    db: Database, wanted: LetterFilter, *, after: Place = BEGINNING, limit: int = PAGE
) -> tuple[Place, ...]:
    """The letters that match beyond ``after``, the first stored first.

    The order is the one every index of the table ends in, so a page costs what it holds, however
    far along it is; several statuses at once are sorted, by their numbers alone.
    """
    where, values = where_clause(wanted)
    clause = f"{where} AND" if where else "WHERE"
    rows = db.execute(
        f"SELECT d.stored_us, d.id FROM dead_letters d {clause} (d.stored_us, d.id) > (?, ?) "
        "ORDER BY d.stored_us, d.id LIMIT ?",
        [*values, after.stored_us, after.id, limit],
    )
    return tuple(Place(*row) for row in rows.fetchall())


def exported_letter(db: Database, id_: int) -> ExportedLetter | None:
    """One letter; None if it is gone, as retention may delete while an export runs."""
    found = letter(db, id_)
    if found is None:
        return None
    topic_id, cause_row, fingerprint = db.execute(
        "SELECT d.topic_id, d.cause, c.fingerprint FROM dead_letters d "
        "JOIN causes c ON c.id = d.cause WHERE d.id = ?",
        [id_],
    ).fetchone()
    return ExportedLetter(found, topic_id or None, cause_row, fingerprint)
