"""Comparisons as they are stored, made of numbers instead of measured."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from producer_agent.advice.compare.plan import ComparisonPlan
from producer_agent.store.comparisons import Turn, TurnMeasures
from producer_agent.store.latency_bins import count
from producer_agent.store.queries.comparisons import Comparison, Summary

Latencies = Callable[[float, int, int], npt.NDArray[np.float64]]
"""Of a rate, a round and a profile's place: latencies in microseconds."""


def body(name: str, **changes: Any) -> dict[str, Any]:
    """A profile; ``objective`` and ``workload`` go there, the rest to its producer."""
    objective = changes.pop("objective", {})
    workload = {"topic": "unused", **changes.pop("workload", {})}
    return {"name": name, "producer": changes, "workload": workload, "objective": objective}


def plan_of(*profiles: dict[str, Any], **plan: Any) -> ComparisonPlan:
    return ComparisonPlan.from_mapping(
        {"profiles": list(profiles) or [body("one"), body("two")], **plan}
    )


def measured(n: int, **changes: Any) -> TurnMeasures:
    told: dict[str, Any] = {
        "seconds": 5.0,
        "sent": n,
        "acknowledged": n,
        "unconfirmed": 0,
        "unresolved": 0,
        "rate_reached": n / 5.0,
        "read_back": n,
        "lost": 0,
        "duplicated": 0,
        "phantom": 0,
        "batches": 10,
        "batch_bytes": 400.0,
        "batch_messages": n / 10,
        "requests": 10,
        "message_bytes": 8_000,
        "wire_bytes": 4_000,
        "client_queue_us": 5_000.0,
        "client_send_us": 100.0,
        "broker_us": 900.0,
        "cpu_us_per_message": 200.0,
        "beside_per_s": 0.0,
    }
    return TurnMeasures(**{**told, **changes})


def comparison_of(
    plan: ComparisonPlan,
    latencies: Latencies,
    *,
    measures: Callable[[float, int, int, int], TurnMeasures] | None = None,
    keep: Callable[[float, int, int], bool] = lambda _rate, _round, _profile: True,
    **summary: Any,
) -> Comparison:
    """A comparison whose acknowledgements took so long; end to end is 2 ms more."""
    turns = []
    clock = itertools.count(1_000_000, 1_000)
    for rate, number, position, profile in plan.schedule():
        if not keep(rate, number, profile):
            continue
        values = latencies(rate, number, profile)
        n = len(values)
        turns.append(
            Turn(
                rate=rate,
                round=number,
                profile=profile,
                position=position,
                started_us=next(clock),
                ended_us=next(clock),
                measures=measures(rate, number, profile, n)
                if measures
                else measured(n, rate_reached=rate),
                ack=tuple(count(values)),
                end_to_end=tuple(count(values + 2_000)),
                delay=tuple(count(np.full(n, 500.0))),
            )
        )
    fields: dict[str, Any] = {
        "id": 7,
        "uuid": "0" * 32,
        "title": "one · two",
        "plan": plan.to_json(),
        "environment": {
            "cluster_id": "c1",
            "cluster_kind": "real",
            "bootstrap_servers": "kafka:9092",
            "brokers": 3,
            "broker_version": None,
            "librdkafka": "2.16.0",
            "confluent_kafka": "2.16.1",
            "python": "3.11.7",
            "cpus": 2,
            "host": "h",
            "platform": "Linux",
            "topic": "ackboard-compare-0",
        },
        "state": "done",
        "reason": None,
        "progress": None,
        "turns_done": len(turns),
        "turns": plan.turns,
        "expected_end_us": None,
        "notes": (),
        "made_by": "kim",
        "started_us": 1_795_000_000_000_000,
        "ended_us": 1_795_000_060_000_000,
    }
    return Comparison(Summary(**{**fields, **summary}), tuple(turns))


def noisy(
    seed: int,
    shifts_us: Sequence[float],
    n: int = 300,
    weather: float = 0.2,
) -> Latencies:
    """Log-normal latencies of about 10 ms, later by each profile's shift; each round has weather
    of its own, most of it shared by the profiles, and some turns have a pause in them."""
    random = np.random.Generator(np.random.PCG64(seed))
    shared: dict[tuple[float, int], float] = {}

    def make(rate: float, number: int, profile: int) -> npt.NDArray[np.float64]:
        common = shared.setdefault((rate, number), random.normal(0, weather))
        level = 10_000 * np.exp(common + random.normal(0, weather / 4))
        values = level * np.exp(random.normal(0, 0.25, n))
        if random.random() < 0.1:
            values[: max(n // 50, 1)] += 50_000
        return values + shifts_us[profile]

    return make
