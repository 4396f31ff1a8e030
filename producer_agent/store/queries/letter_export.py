"""What an export asks: the letters that match in the order they came, one whole letter at a time.

Each question is a short read of its own. One cursor over everything would hold a snapshot open for
as long as whoever reads the export takes, and the write-ahead log could not be cut meanwhile.
"""

from __future__ import annotations

from dataclasses import dataclass

from sqlite_utils import Database

from producer_agent.store.queries.dead_letters import Letter, letter
from producer_agent.store.queries.letter_order import BEGINNING, Place, places

__all__ = ["BEGINNING", "PAGE", "ExportedLetter", "Place", "exported_letter", "places"]

PAGE = 1_000
"""Places in a page: numbers only, so it is small whatever the letters weigh."""


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


def exported_letter(db: Database, id_: int) -> ExportedLetter | None:
    """One letter; None if it is gone, as retention may delete while an export runs."""
    found = letter(db, id_)
    if found is None:
        return None
    return ExportedLetter(found, found.topic_id or None, found.cause_id, found.fingerprint)
