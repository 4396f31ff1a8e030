"""The worked example: three types of event of one application, from business to nothing."""

from __future__ import annotations

from typing import Final

from producer_agent.advice.advisor.question import Question

TASK_CREATION: Final = Question(
    name="task-creation",
    if_lost="business",
    tolerated_loss=0.0,
    latency_p99_ms=50.0,
    rate_per_s=50.0,
    peak_per_s=200.0,
    payload_bytes=600,
    tells_duplicates=True,
    ordered_per_key=True,
)
"""A task that was created must not be lost, and its user waits at most 50 ms."""

TASK_ANALYTICS: Final = Question(
    name="task-analytics",
    if_lost="experience",
    tolerated_loss=0.001,
    latency_p99_ms=200.0,
    rate_per_s=300.0,
    peak_per_s=1_000.0,
    payload_bytes=400,
    tells_duplicates=True,
)
"""Counted for charts, by an id of its own; one in a thousand may be missing."""

ACTIVITY_METRICS: Final = Question(
    name="activity-metrics",
    if_lost="nothing",
    tolerated_loss=0.01,
    latency_p99_ms=None,
    rate_per_s=1_000.0,
    peak_per_s=3_000.0,
    payload_bytes=200,
)
"""1,000 samples a second, each replaced by the next."""

EXAMPLE: Final = (TASK_CREATION, TASK_ANALYTICS, ACTIVITY_METRICS)
