"""Comparisons as the agent leaves them, through the functions that it records with.

python -m tests.dashboard.compare_seed PATH
"""

from __future__ import annotations

import argparse
import uuid
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from sqlite_utils import Database

from producer_agent.advice.compare.plan import ComparisonPlan
from producer_agent.delivery.shipped_profiles import shipped_profiles
from producer_agent.store import comparisons
from producer_agent.store.clock import now_us
from producer_agent.store.comparisons import State, TurnMeasures
from producer_agent.store.database import open_database
from producer_agent.store.queries.comparisons import Comparison
from tests.advice.compare.builders import Latencies, comparison_of, measured
from tests.dashboard import seed

SHIFTS_US = {"critical": 6_000.0, "analytics": 0.0, "metrics": -1_500.0}


def surroundings(path: Path) -> None:
    """The shipped profiles, a cluster, and an agent whose heartbeat stays fresh for five minutes,
    however slow the machine that runs the test."""
    seed.fill(path, seconds=5)
    db = open_database(path)
    with db.atomic():
        seed.put_agent(db, silent_s=-300)
    db.close()


def plan_of(
    names: Sequence[str] = ("critical", "analytics", "metrics"), **plan: Any
) -> ComparisonPlan:
    """A plan of shipped profiles."""
    shipped = {profile.name: profile for profile in shipped_profiles()}
    bodies = [shipped[name].model_dump(mode="json") for name in names]
    return ComparisonPlan.from_mapping({"profiles": bodies, "baseline": "analytics", **plan})


def latencies(plan: ComparisonPlan, *, events: int = 2_500, seed: int = 20261124) -> Latencies:
    """A tail, weather of each round that all share, and a knee at 2,000 a second."""
    random = np.random.default_rng(seed)
    weather: dict[tuple[float, int], float] = {}

    def make(rate: float, number: int, profile: int) -> npt.NDArray[np.float64]:
        common = weather.setdefault((rate, number), random.normal(0, 0.08))
        load = 1.0 if rate < 2_000 else 3.8
        level = 5_000 * load * np.exp(common + random.normal(0, 0.01))
        values = level * np.exp(random.normal(0, 0.25, events))
        values[: events // 200] *= 4
        shift = SHIFTS_US.get(plan.names[profile], 0.0)
        late: npt.NDArray[np.float64] = np.maximum(values + shift, 150.0)
        return late

    return make


def measures(plan: ComparisonPlan) -> Callable[[float, int, int, int], TurnMeasures]:
    """All well; of acks=0 nothing is acknowledged."""

    def make(rate: float, _round: int, profile: int, n: int) -> TurnMeasures:
        unconfirmed = plan.profiles[profile].acks_label == "0"
        return measured(
            n,
            rate_reached=rate * 0.999,
            acknowledged=0 if unconfirmed else n,
            unconfirmed=n if unconfirmed else 0,
        )

    return make


def made(plan: ComparisonPlan, **changes: Any) -> Comparison:
    """A comparison of the plan, not yet stored."""
    changes.setdefault("measures", measures(plan))
    return comparison_of(plan, changes.pop("latencies", latencies(plan)), **changes)


def store(
    db: Database,
    made: Comparison,
    *,
    state: State = "done",
    reason: str | None = None,
    notes: Sequence[str] = (),
    kind: str = "lab",
    title: str | None = None,
    began_s_ago: float = 0.0,
) -> int:
    """Begin it, add its turns, end it unless it is to run on; returns its number."""
    plan = ComparisonPlan.from_json(made.summary.plan)
    with db.atomic():
        number = comparisons.begin(
            db,
            uuid=uuid.uuid4().hex,
            title=title or f"{' · '.join(plan.names)} at {plan.load.rate_per_s:,g}/s",
            plan=plan.to_json(),
            environment={**made.summary.environment, "cluster_kind": kind},
            cluster=1,
            turns=plan.turns,
            expected_end_us=now_us() + int(plan.expected_s * 1e6),
            notes=notes,
            made_by="kim",
        )
        for turn in made.measured:
            comparisons.add_turn(db, number, turn)
        if state == "running":
            left = plan.turns - len(made.measured)
            comparisons.set_progress(
                db,
                number,
                f"{plan.load.rate_per_s:g}/s, round 2 of {plan.rounds}: {plan.names[0]}",
                now_us() + int(left * plan.turn_s * 1e6),
            )
        else:
            comparisons.end(db, number, state, reason)
        if began_s_ago:
            db.execute(
                "UPDATE comparisons SET started_us = started_us - ? WHERE id = ?",
                [int(began_s_ago * 1e6), number],
            )
    return number


def _main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("path", type=Path)
    db = open_database(parser.parse_args().path)
    plan = plan_of()
    store(db, made(plan), began_s_ago=7_200)
    sweep = plan_of(sweep=[100, 1_000, 2_000, 5_000])
    store(db, made(sweep), began_s_ago=5_400, title="Sweep of the three")
    part = made(plan, keep=lambda _rate, number, _profile: number <= 2)
    store(
        db,
        part,
        state="incomplete",
        reason="The cluster went away in round 3 at 500/s.",
        began_s_ago=3_600,
    )
    store(db, made(plan, keep=lambda *_: False), state="cancelled", began_s_ago=1_800)
    pair = plan_of(("critical", "production"), baseline="critical", seed=7)
    store(db, made(pair), kind="embedded", began_s_ago=900, title="*Two* of `acks=all`")
    db.close()


if __name__ == "__main__":
    _main()
