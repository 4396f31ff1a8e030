"""How long an event is worth waiting for, and how it is tried again meanwhile."""

from __future__ import annotations

from typing import Final

from producer_agent.advice.advisor.advice import Choice, Settled
from producer_agent.advice.advisor.question import IfLost, Question
from producer_agent.delivery.profile_values import INT32_MAX

_WORTH_MS: Final[dict[IfLost, tuple[int, str]]] = {
    "business": (
        120_000,
        "Two minutes ride out a broker's restart and the election after it; what then still "
        "fails is worth a dead letter.",
    ),
    "experience": (
        60_000,
        "One minute rides out an election; a user does not wait longer, and what fails is kept "
        "as a dead letter.",
    ),
    "nothing": (
        15_000,
        "After 15 seconds a newer event says more than this one; it is not worth its place in the "
        "buffer.",
    ),
}
_WORTH_ALL_MS: Final = 120_000
_TRANSACTION_MS: Final = 60_000
_IN_A_TRANSACTION_MS: Final = 45_000
_ATTEMPTS: Final = 4
"""Attempts that fit into the delivery time-out even if each runs into its own."""

_KIP_91: Final = "KIP-91 (intuitive user timeouts in the producer)"


def delivery_timeout(q: Question, _settled: Settled) -> Choice:
    """After which an event is given up."""
    name = "delivery.timeout.ms"
    cost = (
        "Memory: what arrives meanwhile waits in the buffer (queue.buffering.max.*). A failure is "
        "only known after that long."
    )
    if q.atomic:
        return Choice(
            name,
            _IN_A_TRANSACTION_MS,
            f"A transaction lasts {_TRANSACTION_MS // 1000} s at most; an event in it has to be "
            "given up before.",
            cost,
            "librdkafka CONFIGURATION.md, `transaction.timeout.ms`",
        )
    ms, reason = _WORTH_MS[q.if_lost]
    if q.never_lost:
        ms, reason = _WORTH_ALL_MS, _WORTH_MS["business"][1]
    return Choice(name, ms, reason, cost, _KIP_91)


def request_timeout(_q: Question, settled: Settled) -> Choice:
    """How long one attempt may take."""
    name, ms = "request.timeout.ms", min(int(settled["delivery.timeout.ms"]) // _ATTEMPTS, 30_000)
    if settled["acks"] == 0:
        return Choice(
            name,
            ms,
            "No answer is waited for; it is written to fit into delivery.timeout.ms, without "
            "which the Java producer refuses to start.",
            "None: with acks=0 it has no effect.",
            _KIP_91,
        )
    again = (
        "it drops the second copy"
        if settled["enable.idempotence"]
        else "the event may be stored twice"
    )
    return Choice(
        name,
        ms,
        f"{_ATTEMPTS} attempts fit into delivery.timeout.ms even if a broker never answers; one "
        "that fails at once leaves time for many more.",
        f"A broker that needs longer for its replicas is asked again: {again}.",
        _KIP_91,
    )


def retries(_q: Question, settled: Settled) -> Choice | None:
    """Let time decide, and not a count; with acks=0 there is no refusal to retry on."""
    if settled["acks"] == 0:
        return None
    return Choice(
        "retries",
        INT32_MAX,
        "A count runs out within a second of a fault that a restart mends; delivery.timeout.ms "
        "decides instead.",
        "Load: a failing broker is asked again until then, at most once a second a batch.",
        _KIP_91,
    )


def backoff(_q: Question, settled: Settled) -> Choice | None:
    """The wait before the first retry."""
    if settled["acks"] == 0:
        return None
    return Choice(
        "retry.backoff.ms",
        100,
        "The first retry comes soon, as an election takes a few hundred milliseconds; the wait "
        "doubles from there to retry.backoff.max.ms (1 s).",
        "Latency: an event that meets an election is late by at least that much.",
        "KIP-580 (exponential backoff for Kafka clients)",
    )


def transaction_timeout(q: Question, _settled: Settled) -> Choice | None:
    """After which the broker aborts what its producer left open."""
    if not q.atomic:
        return None
    return Choice(
        "transaction.timeout.ms",
        _TRANSACTION_MS,
        "A producer that dies leaves its transaction open, and readers of committed events wait "
        "behind it until the broker aborts it.",
        f"Latency after a crash: up to {_TRANSACTION_MS // 1000} s for those readers; less would "
        "abort what a slow broker still could have committed.",
        "Kafka documentation, producer configuration `transaction.timeout.ms`",
    )


def transactional_id(q: Question, _settled: Settled) -> Choice | None:
    """By which the broker knows this instance again, and fences its twin."""
    if not q.atomic:
        return None
    return Choice(
        "transactional.id",
        f"{q.name}-1",
        "One fixed id for each running instance (here: instance 1), the same after a restart: so "
        "the broker ends what a crashed one left open, and fences a twin that still runs.",
        "Operation: two instances of one id stop each other with PRODUCER_FENCED; give each its "
        "own, such as the ordinal of a stateful set.",
        "KIP-98 (exactly once delivery)",
    )
