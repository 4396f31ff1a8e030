"""What a stored comparison tells the advisor."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from producer_agent.advice.advisor.advise import advise
from producer_agent.advice.advisor.example import TASK_CREATION
from producer_agent.advice.advisor.measurements import measurements
from producer_agent.store import comparisons, runs
from producer_agent.store.reader import Reader
from producer_agent.store.writer import Writer
from tests.advice.compare.builders import body, comparison_of, plan_of

PROFILES = [
    body("critical", acks="all", idempotence=True),
    body("analytics", acks=1),
    body("metrics", acks=0),
]


def latencies(_rate: float, number: int, profile: int) -> npt.NDArray[np.float64]:
    """12 ms under the first profile, 3 ms under the others, a little else in each round."""
    middle = 12_000.0 if profile == 0 else 3_000.0
    return np.random.default_rng(number).normal(middle, 200.0, 3_000)


def store(writer: Writer, **environment: Any) -> int:
    whole = comparison_of(plan_of(*PROFILES, load={"rate_per_s": 600}), latencies)
    cluster = writer.call(
        partial(runs.register_cluster, cluster_id="c1", kind="real", bootstrap_servers="k:9092")
    )
    summary = whole.summary
    number = writer.call(
        partial(
            comparisons.begin,
            uuid=summary.uuid,
            title=summary.title,
            plan=summary.plan,
            environment=summary.environment | environment,
            cluster=cluster,
            turns=summary.turns,
            expected_end_us=99,
            notes=[],
            made_by="kim",
        )
    )
    for turn in whole.measured:
        writer.call(partial(comparisons.add_turn, comparison=number, turn=turn))
    return number


def test_acknowledged_profiles_are_told_with_their_interval_and_comparison(
    writer: Writer, db_path: Path
) -> None:
    number = store(writer)
    found = {one.profile: one for one in Reader(db_path)(measurements)}
    assert set(found) == {"critical", "analytics"}, "acks=0 acknowledges nothing"
    critical = found["critical"]
    assert (critical.acks, critical.rate_per_s, critical.comparison) == ("all", 600, number)
    assert critical.p99_low_ms <= critical.p99_ms <= critical.p99_high_ms
    assert 12 < critical.p99_ms < 13
    assert (critical.lost, critical.replicates) == (0, True)


def test_a_latency_below_what_was_measured_is_impossible(writer: Writer, db_path: Path) -> None:
    store(writer)
    asked = TASK_CREATION.model_copy(update={"latency_p99_ms": 5.0})
    advice = advise(asked, Reader(db_path)(measurements))
    assert not advice.is_possible
    assert "5 ms at p99, while acks=all was measured here at a p99 of 12" in (
        advice.conflicts[0].message
    )
    assert "acks=1 was measured at 3" in advice.conflicts[0].mend
    assert advise(TASK_CREATION, Reader(db_path)(measurements)).is_possible


def test_the_embedded_cluster_makes_nothing_impossible(writer: Writer, db_path: Path) -> None:
    store(writer, cluster_kind="embedded")
    asked = TASK_CREATION.model_copy(update={"latency_p99_ms": 5.0})
    advice = advise(asked, Reader(db_path)(measurements))
    assert advice.is_possible
    assert not any(found.replicates for found in advice.support)


def test_without_comparisons_nothing_is_told(writer: Writer, db_path: Path) -> None:
    assert Reader(db_path)(measurements) == ()
