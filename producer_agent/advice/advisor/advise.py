"""Puts the advice for one type of event together, rule by rule."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Final

from producer_agent.advice.advisor.advice import Advice, Choice, Evidence, Settled
from producer_agent.advice.advisor.conflicts import conflicts
from producer_agent.advice.advisor.question import Question
from producer_agent.advice.advisor.rules import (
    acknowledgement,
    batching,
    buffers,
    patience,
    topic,
)
from producer_agent.delivery.profile_values import Setting
from producer_agent.delivery.profiles import Objective

_Rule = Callable[[Question, Settled], Choice | None]

_PRODUCER: Final[tuple[_Rule, ...]] = (
    acknowledgement.acks,
    acknowledgement.idempotence,
    acknowledgement.in_flight,
    acknowledgement.partitioner,
    patience.transactional_id,
    patience.transaction_timeout,
    patience.delivery_timeout,
    patience.request_timeout,
    patience.retries,
    patience.backoff,
    batching.linger,
    batching.batch_size,
    batching.compression,
    buffers.message_max_bytes,
    buffers.queue_messages,
    buffers.queue_kbytes,
)
"""In this order: each may look at what the ones before it chose."""

_TOPIC: Final[tuple[_Rule, ...]] = (
    topic.partitions,
    topic.replication_factor,
    topic.min_insync_replicas,
    topic.unclean_election,
    topic.max_message_bytes,
)

_STRICTEST_SUCCESS: Final = 0.9999
"""The objective where none may be lost: what is not delivered is kept as a dead letter, and a
success ratio of 1 would leave no error budget to alert on."""


def advise(question: Question, measured: Sequence[Evidence] = ()) -> Advice:
    """The settings for one type of event, what they cost, and what cannot be had.

    Args:
        measured: What Compare and Durability found here, of any acks level and rate.
    """
    settled: dict[str, Setting] = {}
    producer = _chosen(_PRODUCER, question, settled)
    chosen_topic = _chosen(_TOPIC, question, settled)
    support = _support(question, str(settled["acks"]), measured)
    return Advice(
        question=question,
        producer=producer,
        topic=chosen_topic,
        transactions=_transactions(question),
        objective=_objective(question, settled),
        conflicts=conflicts(question, settled, support),
        support=support,
    )


def _chosen(
    rules: Sequence[_Rule], question: Question, settled: dict[str, Setting]
) -> tuple[Choice, ...]:
    """What the rules choose; `settled` grows along."""
    found: list[Choice] = []
    for rule in rules:
        choice = rule(question, settled)
        if choice is not None:
            found.append(choice)
            settled[choice.name] = choice.value
    return tuple(found)


def _transactions(q: Question) -> str:
    if not q.atomic:
        return (
            "No transactions: it is written to one topic, and they would cost a commit's round "
            "trips for nothing."
        )
    return (
        "Transactions: what goes to several topics is read together or not at all, by consumers "
        "that set isolation.level=read_committed. Each commit costs several round trips, so "
        "commit many events at once."
    )


def _objective(q: Question, settled: Settled) -> Objective:
    ratio: float | None = None
    if settled["acks"] != 0:
        ratio = _STRICTEST_SUCCESS
        if q.tolerated_loss > 1 - _STRICTEST_SUCCESS:
            # Not 0.9989999999999999 for a thousandth.
            ratio = float(f"{1 - q.tolerated_loss:.9g}")
    return Objective(
        success_ratio=ratio if ratio is not None and 0 < ratio < 1 else None,
        latency_p99_ms=q.latency_p99_ms,
    )


def _support(q: Question, acks: str, measured: Sequence[Evidence]) -> tuple[Evidence, ...]:
    """Real clusters before the embedded one, the chosen acks level first, then the nearest rate."""
    return tuple(
        sorted(
            measured,
            key=lambda found: (
                not found.replicates,
                found.acks != acks,
                abs(math.log(max(found.rate_per_s, 0.1) / q.peak)),
            ),
        )
    )
