"""The advice as a profile that Ackboard runs."""

from __future__ import annotations

from typing import Any, Final

from producer_agent.advice.advisor.advice import Advice
from producer_agent.delivery.profiles import (
    PROPERTY_OF,
    Objective,
    ProducerSettings,
    Profile,
    Workload,
)
from producer_agent.kafka.properties import canonical

_FIELD_OF: Final = {canonical(name): field for field, name in PROPERTY_OF.items()}
_SMALLEST_PAYLOAD: Final = 50
_EVENTS: Final = {"business": "task", "experience": "analytics", "nothing": "activity"}
_KEYS: Final = 1_000


def profile_of(advice: Advice, name: str | None = None) -> Profile:
    """A profile of the advice's settings, load and objective; `name` where it is not the event's.

    It is not started with the agent, and sends no faulty events.
    """
    q = advice.question
    producer: dict[str, Any] = {}
    extra: dict[str, Any] = {}
    for choice in advice.producer:
        field = _FIELD_OF.get(canonical(choice.name))
        if field is None:
            extra[choice.name] = choice.value
        else:
            producer[field] = choice.value
    topic = advice.topic_settings
    return Profile(
        name=name or q.name,
        description=f"Advised: {advice.producer[0].reason}",
        active=False,
        producer=ProducerSettings(**producer, extra=extra),
        workload=Workload(
            topic=q.name,
            second_topic=f"{q.name}-index" if q.atomic else None,
            partitions=int(topic["partitions"]),
            replication_factor=int(topic["replication.factor"]),
            min_insync_replicas=int(topic["min.insync.replicas"]),
            rate_per_s=q.rate_per_s,
            payload_bytes=max(q.payload_bytes, _SMALLEST_PAYLOAD),
            keys=_KEYS if q.ordered_per_key else 0,
            event=_EVENTS[q.if_lost],
            transaction_ms=transaction_ms(advice),
        ),
        objective=Objective(
            success_ratio=advice.objective.success_ratio,
            latency_p99_ms=advice.objective.latency_p99_ms,
        ),
    )


def transaction_ms(advice: Advice) -> int:
    """How often a transaction commits: half of the latency allowed, from 10 ms to a second."""
    allowed = advice.question.latency_p99_ms
    return 1_000 if allowed is None else int(min(max(allowed / 2, 10), 1_000))
