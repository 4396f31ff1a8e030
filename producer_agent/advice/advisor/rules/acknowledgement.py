"""Who has to confirm an event, and whether a retry may store it twice or out of order."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from producer_agent.advice.advisor.advice import Choice, Settled
from producer_agent.advice.advisor.question import Question
from producer_agent.delivery.profile_values import Setting

KEEPS_ORDER_IN_FLIGHT: Final = 5
"""Requests in flight whose order an idempotent producer keeps (librdkafka and Java alike)."""

UNCONFIRMED_FROM: Final = 0.01
"""Tolerated loss from which nobody has to confirm: a leader that dies takes seconds of events
with it unnoticed, which over a day is far above one in a thousand."""

_ACKS: Final = "Kafka documentation, producer configuration `acks`"
_KIP_98: Final = "KIP-98 (exactly once delivery)"
_KIP_679: Final = "KIP-679 (the strongest delivery guarantee by default)"


@dataclass(frozen=True, slots=True)
class _Row:
    applies: Callable[[Question], bool]
    acks: Setting
    reason: Callable[[Question], str]
    source: str | None = _ACKS


_ACKS_TABLE: Final[tuple[_Row, ...]] = (
    _Row(
        lambda q: q.atomic,
        "all",
        lambda q: (
            "Writing atomically with other topics takes a transaction, and a transactional "
            "producer has to wait for every in-sync replica."
        ),
        _KIP_98,
    ),
    _Row(
        lambda q: q.never_lost,
        "all",
        lambda q: (
            "None may be lost: only what every in-sync replica has survives the death of "
            "the leader."
        ),
        _KIP_679,
    ),
    _Row(
        lambda q: q.if_lost == "business",
        "all",
        lambda q: (
            "Business breaks when one is lost: with less than all, the death of a leader "
            "loses events that were reported as delivered."
        ),
        _KIP_679,
    ),
    _Row(
        lambda q: q.ordered_per_key and q.if_lost != "nothing",
        "all",
        lambda q: (
            "The order of each key has to hold through retries: that takes an idempotent "
            "producer, which has to wait for every in-sync replica."
        ),
        _KIP_98,
    ),
    _Row(
        lambda q: not q.tells_duplicates and q.if_lost != "nothing",
        "all",
        lambda q: (
            "Consumers cannot tell an event that comes twice, so a retry must not store it "
            "twice: that takes an idempotent producer, which has to wait for every in-sync replica."
        ),
        _KIP_98,
    ),
    _Row(
        lambda q: q.if_lost == "nothing" and q.tolerated_loss >= UNCONFIRMED_FROM,
        0,
        lambda q: (
            f"Nothing breaks when one is lost, and {share(q.tolerated_loss)} may be: nobody "
            "has to confirm what the next event replaces."
        ),
    ),
    _Row(
        lambda q: True,
        1,
        lambda q: (
            f"{share(q.tolerated_loss)} may be lost: the leader's word is enough, and what "
            "it refuses is still reported, and retried."
        ),
    ),
)
"""The first row that applies decides."""

_ACKS_COST: Final = {
    "all": "Latency: a round trip to the slowest in-sync replica on top of the leader's. "
    "Availability: with fewer in-sync replicas than min.insync.replicas nothing is accepted.",
    "1": "Loss: if the leader dies before its followers copied it, an event that was reported as "
    "delivered is gone.",
    "0": "Proof: nothing tells whether an event arrived, no refusal is reported and none is "
    "retried; while a leader moves, all that goes to it is lost.",
}


def acks(q: Question, _settled: Settled) -> Choice:
    """Who confirms, by what breaks when an event is lost."""
    row = next(row for row in _ACKS_TABLE if row.applies(q))
    return Choice("acks", row.acks, row.reason(q), _ACKS_COST[str(row.acks)], row.source)


def idempotence(_q: Question, settled: Settled) -> Choice:
    """Whether the broker drops what a retry sends twice; it takes acks=all."""
    if settled["acks"] == "all":
        return Choice(
            "enable.idempotence",
            True,
            "The broker drops what a retry sends twice, and keeps the order within a partition.",
            "Next to nothing: a sequence number in each batch, and at most "
            f"{KEEPS_ORDER_IN_FLIGHT} requests in flight.",
            _KIP_98,
        )
    if settled["acks"] == 0:
        return Choice(
            "enable.idempotence",
            False,
            "It needs acks=all; with acks=0 nothing is sent again, so nothing is stored twice.",
            "None beyond that of acks=0.",
            _KIP_98,
        )
    return Choice(
        "enable.idempotence",
        False,
        "It needs acks=all, which this event is not worth.",
        "Duplicates: an answer that got lost makes the retry store the event a second time; "
        "consumers have to tell, or not to mind.",
        _KIP_98,
    )


def in_flight(q: Question, settled: Settled) -> Choice | None:
    """How many requests may be under way at once without losing the order."""
    name = "max.in.flight.requests.per.connection"
    if settled["enable.idempotence"]:
        return Choice(
            name,
            KEEPS_ORDER_IN_FLIGHT,
            f"An idempotent producer keeps the order of up to {KEEPS_ORDER_IN_FLIGHT} requests.",
            f"Throughput over a slow line: {KEEPS_ORDER_IN_FLIGHT} batches a broker per round "
            "trip, no more.",
            "librdkafka CONFIGURATION.md, `enable.idempotence`",
        )
    if q.ordered_per_key:
        return Choice(
            name,
            1,
            "The order of each key has to hold, and without idempotence a second request under "
            "way may overtake the retry of the first.",
            "Throughput: one batch a broker per round trip.",
            "Kafka documentation, producer configuration `max.in.flight.requests.per.connection`",
        )
    return None


def partitioner(q: Question, _settled: Settled) -> Choice | None:
    """Which partition a key goes to: the same whoever writes it."""
    if not q.ordered_per_key:
        return None
    return Choice(
        "partitioner",
        "murmur2_random",
        "One key has to meet one partition whichever client writes it: this is what Java's "
        "default does, and librdkafka's own does not.",
        "On a topic that already holds events keyed by librdkafka's default, keys move to other "
        "partitions once.",
        "librdkafka CONFIGURATION.md, `partitioner`",
    )


def share(ratio: float) -> str:
    """`0.1 %`, for a ratio of 0.001."""
    return f"{ratio * 100:.6g} %"
