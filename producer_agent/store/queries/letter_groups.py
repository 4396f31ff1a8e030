"""Dead letters by cause, with all that tells one cause from another."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from sqlite_utils import Database

from producer_agent.store.queries.dead_letters import LetterFilter, where_clause


@dataclass(slots=True)
class LetterGroup:
    """The letters of one cause within a filter."""

    cause: int
    """Row id in this database."""
    fingerprint: str
    title: str
    side: str
    """One, as the side is part of the fingerprint."""
    count: int = 0
    first_seen_us: int = 0
    """When the first of them was stored here, UTC microseconds."""
    last_seen_us: int = 0
    topics: Counter[str | None] = field(default_factory=Counter)
    """Letters by the topic they were meant for; None where that is not known."""
    conventions: Counter[str] = field(default_factory=Counter)
    statuses: Counter[str] = field(default_factory=Counter)


def groups(db: Database, wanted: LetterFilter) -> tuple[LetterGroup, ...]:
    """Every cause among the letters that match: the most frequent first, then the latest seen."""
    where, values = where_clause(wanted)
    rows = db.execute(
        "SELECT d.cause, c.fingerprint, c.title, d.side, d.original_topic, d.convention, "
        "d.status, count(*), min(d.stored_us), max(d.stored_us) "
        f"FROM dead_letters d JOIN causes c ON c.id = d.cause {where} "
        "GROUP BY d.cause, d.side, d.original_topic, d.convention, d.status",
        values,
    )
    found: dict[int, LetterGroup] = {}
    for cause, fingerprint, title, side, topic, convention, status, n, first_us, last_us in rows:
        group = found.get(cause)
        if group is None:
            group = found[cause] = LetterGroup(
                cause, fingerprint, title, side, first_seen_us=first_us
            )
        group.count += n
        group.first_seen_us = min(group.first_seen_us, first_us)
        group.last_seen_us = max(group.last_seen_us, last_us)
        group.topics[topic] += n
        group.conventions[convention] += n
        group.statuses[status] += n
    return tuple(
        sorted(found.values(), key=lambda group: (-group.count, -group.last_seen_us, group.cause))
    )
