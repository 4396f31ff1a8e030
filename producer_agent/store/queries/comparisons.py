"""What the Compare page and the terminal ask of comparisons.

The turns come as they were measured; ``advice/compare/analysis.py``, which needs no Kafka, makes
percentiles, intervals and the verdict of them.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from sqlite_utils import Database

from producer_agent.store.comparisons import Bins, State, Turn, TurnMeasures

__all__ = [
    "Comparison",
    "Summary",
    "Turn",
    "TurnMeasures",
    "comparison",
    "comparisons",
    "count_comparisons",
    "running",
    "summary",
]


@dataclass(frozen=True, slots=True)
class Summary:
    """A comparison without its turns."""

    id: int
    uuid: str
    title: str
    plan: str
    """JSON, for ``advice.compare.plan.ComparisonPlan.from_json``."""
    environment: dict[str, Any]
    """``cluster_id, cluster_kind, bootstrap_servers, brokers, broker_version`` (or null),
    ``librdkafka, confluent_kafka, python, cpus, host, platform``, ``topic`` (its own)."""
    state: State
    reason: str | None
    """Why it is incomplete."""
    progress: str | None
    """What it is at, while it runs."""
    turns_done: int
    turns: int
    """How many it has when complete."""
    expected_end_us: int | None
    """While it runs; the time left is from now until then."""
    notes: tuple[str, ...]
    """What to read the figures with: a caveat, a warning."""
    made_by: str
    started_us: int
    ended_us: int | None

    @property
    def is_running(self) -> bool:
        """Whether it still measures."""
        return self.state == "running"


@dataclass(frozen=True, slots=True)
class Comparison:
    """A comparison with every turn that was measured."""

    summary: Summary
    measured: tuple[Turn, ...]
    """In the order in which they were run."""


_SUMMARY = (
    "SELECT c.id, c.uuid, c.title, c.plan, c.environment, c.state, c.reason, c.progress, "
    "(SELECT count(*) FROM comparison_turns t WHERE t.comparison = c.id), c.turns, "
    "c.expected_end_us, c.notes, c.made_by, c.started_us, c.ended_us FROM comparisons c"
)


def comparisons(db: Database, *, limit: int = 50, offset: int = 0) -> tuple[Summary, ...]:
    """The newest comparisons, newest first."""
    rows = db.execute(f"{_SUMMARY} ORDER BY c.id DESC LIMIT ? OFFSET ?", [limit, offset])
    return tuple(_summary(row) for row in rows.fetchall())


def count_comparisons(db: Database) -> int:
    """How many there are."""
    return int(db.execute("SELECT count(*) FROM comparisons").fetchone()[0])


def running(db: Database) -> Summary | None:
    """The one that runs now."""
    row = db.execute(f"{_SUMMARY} WHERE c.state = 'running'").fetchone()
    return None if row is None else _summary(row)


def summary(db: Database, comparison_id: int) -> Summary | None:
    """One comparison without its turns."""
    row = db.execute(f"{_SUMMARY} WHERE c.id = ?", [comparison_id]).fetchone()
    return None if row is None else _summary(row)


def comparison(db: Database, comparison_id: int) -> Comparison | None:
    """One comparison, whole."""
    found = summary(db, comparison_id)
    if found is None:
        return None
    turns = db.execute(
        "SELECT rate, round, profile, position, started_us, ended_us, measures, bins "
        "FROM comparison_turns WHERE comparison = ? ORDER BY started_us",
        [comparison_id],
    ).fetchall()
    return Comparison(found, tuple(_turn(turn) for turn in turns))


def _summary(row: tuple[Any, ...]) -> Summary:
    fields = list(row)
    fields[4] = json.loads(fields[4])
    fields[11] = tuple(json.loads(fields[11]))
    return Summary(*fields)


def _turn(row: tuple[Any, ...]) -> Turn:
    rate, number, profile, position, started_us, ended_us, measures, bins = row
    by_kind = json.loads(bins)
    return Turn(
        rate=rate,
        round=number,
        profile=profile,
        position=position,
        started_us=started_us,
        ended_us=ended_us,
        measures=TurnMeasures.from_json(json.loads(measures)),
        ack=_bins(by_kind["ack"]),
        end_to_end=_bins(by_kind["end_to_end"]),
        delay=_bins(by_kind["delay"]),
    )


def _bins(pairs: list[list[int]]) -> Bins:
    return tuple((number, n) for number, n in pairs)
