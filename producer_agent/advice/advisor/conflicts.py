"""What cannot be had as it was asked, what contradicts itself, and what is dearer than it looks.

Each rule is a function of the answers, the settings that were chosen, and what was measured here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Final

from producer_agent.advice.advisor.advice import Conflict, Evidence, Settled
from producer_agent.advice.advisor.question import Question
from producer_agent.advice.advisor.rules.acknowledgement import UNCONFIRMED_FROM, share
from producer_agent.advice.advisor.rules.buffers import (
    DEFAULT_MESSAGES,
    LARGEST_KBYTES,
    events_in_an_outage,
)
from producer_agent.advice.advisor.rules.topic import copies
from producer_agent.advice.check.dangerous_delivery import BROKER_MESSAGE_MAX_BYTES

_COORDINATOR_COPIES: Final = 3
_UNBATCHED_PER_S: Final = 5_000.0
_COMMIT_MS: Final = 20.0
"""A commit is two round trips to the coordinator and one to each partition's leader; within 20 ms
there is no room for them beside the events' own."""

Rule = Callable[[Question, Settled, Sequence[Evidence]], Iterator[Conflict]]


def conflicts(q: Question, settled: Settled, support: Sequence[Evidence]) -> tuple[Conflict, ...]:
    """All of them, what is impossible first."""
    found = [conflict for rule in _RULES for conflict in rule(q, settled, support)]
    return tuple(sorted(found, key=lambda conflict: _ORDER[conflict.kind]))


_ORDER: Final = {"impossible": 0, "contradiction": 1, "price": 2}


def _copies(q: Question, _settled: Settled, _support: Sequence[Evidence]) -> Iterator[Conflict]:
    held = copies(q)
    if q.replication_factor > q.brokers:
        yield Conflict(
            "impossible",
            f"{q.replication_factor} copies do not fit on {_brokers(q.brokers)}: the topic cannot "
            "be created (INVALID_REPLICATION_FACTOR).",
            f"Set the replication factor to {q.brokers} or less, or add brokers.",
            ("replication.factor",),
        )
    if not q.never_lost:
        return
    if q.replication_factor == 1:
        yield Conflict(
            "impossible",
            "Never lost, with a replication factor of 1: one broker's disk holds the only copy, "
            "and acks=all is that broker's word alone.",
            "Set the replication factor to 3 and min.insync.replicas to 2"
            + (
                ", as the settings below do."
                if held >= 3
                else f"; that takes 3 brokers, and there {'are' if q.brokers > 1 else 'is'} "
                f"{q.brokers}."
            ),
            ("replication.factor", "acks"),
        )
    elif q.brokers == 1:
        yield Conflict(
            "impossible",
            "Never lost, on one broker: its disk holds the only copy.",
            "Add brokers, 3 in all, for 3 copies of which 2 have to confirm.",
            ("replication.factor",),
        )
    elif q.min_insync_replicas == 1:
        yield Conflict(
            "impossible",
            "Never lost, with min.insync.replicas of 1: while the followers lag, acks=all is the "
            "leader's word alone, and its death loses what it acknowledged.",
            "Set min.insync.replicas to 2 or more, as the settings below do.",
            ("min.insync.replicas", "acks"),
        )


def _in_sync(q: Question, settled: Settled, _support: Sequence[Evidence]) -> Iterator[Conflict]:
    asked, held = q.min_insync_replicas, q.replication_factor
    if asked > held:
        waits = settled["acks"] == "all"
        yield Conflict(
            "impossible" if waits else "price",
            f"min.insync.replicas {asked} with {held} cop{'ies' if held > 1 else 'y'}: every "
            "write with acks=all fails with NOT_ENOUGH_REPLICAS"
            + ("." if waits else f"; acks={settled['acks']} does not look at it, others may."),
            f"Set min.insync.replicas to {max(held - 1, 1)}, or raise the replication factor "
            f"to {asked + 1}.",
            ("min.insync.replicas", "replication.factor"),
        )
        return
    chosen, kept = settled["min.insync.replicas"], settled["replication.factor"]
    if settled["acks"] != "all" or not (asked == held > 1 or chosen == kept != 1):
        return
    which: tuple[object, object] = (asked, held)
    if chosen != kept:
        mend = f"Have {chosen} of {kept} confirm, as the settings below do."
    else:
        which = (chosen, kept)
        mend = "Have 3 copies of which 2 confirm" + (
            "." if q.brokers >= 3 else f"; that takes 3 brokers, and there are {q.brokers}."
        )
    yield Conflict(
        "price",
        f"min.insync.replicas {which[0]} with {which[1]} copies: all of them have to confirm, so "
        "with one broker down nothing is accepted, and a rolling restart stops every producer.",
        mend,
        ("min.insync.replicas", "replication.factor"),
    )


def _worth(q: Question, settled: Settled, _support: Sequence[Evidence]) -> Iterator[Conflict]:
    if q.never_lost and q.if_lost == "nothing":
        yield Conflict(
            "contradiction",
            "Nothing breaks when one is lost, and yet none may be lost: the price of acks=all is "
            "paid for nothing.",
            f"Allow a loss of {share(UNCONFIRMED_FROM)} or 0.1 %, or say what breaks.",
            ("acks",),
        )
    if q.if_lost == "business" and not q.never_lost:
        yield Conflict(
            "contradiction",
            f"Business breaks when one is lost, and yet {share(q.tolerated_loss)} may be lost: "
            "the settings below lose none that was acknowledged.",
            "Set the tolerated loss to 0, or say that only the user's experience suffers.",
            ("acks",),
        )
    if settled["acks"] == 0 and not q.tells_duplicates and q.ordered_per_key:
        yield Conflict(
            "price",
            "Order per key holds for what arrives; with acks=0 nothing tells which events of a "
            "key are missing.",
            "Number the events of each key, so that consumers see the gaps, or lower the loss "
            "that is tolerated.",
            ("acks",),
        )


def _latency(q: Question, settled: Settled, support: Sequence[Evidence]) -> Iterator[Conflict]:
    allowed = q.latency_p99_ms
    if allowed is None or settled["acks"] == 0:
        return
    of_acks = [
        found
        for found in support
        if found.acks == str(settled["acks"])
        and found.replicates
        and found.transactional == q.atomic
    ]
    if of_acks:
        found = of_acks[0]
        measured = (
            f"acks={found.acks} was measured here at a p99 of {found.p99_ms:.3g} ms "
            f"({found.p99_low_ms:.3g} to {found.p99_high_ms:.3g}, profile {found.profile} at "
            f"{found.rate_per_s:g}/s)"
        )
        if found.p99_low_ms > allowed:
            yield Conflict(
                "impossible",
                f"{allowed:g} ms at p99, while {measured}.",
                _latency_mend(found, support),
                ("acks",),
            )
        elif found.p99_high_ms > allowed:
            yield Conflict(
                "price",
                f"{allowed:g} ms at p99 lie within what chance makes of the measurement: "
                f"{measured}.",
                "Measure longer, at this event's own rate, before you promise it.",
                ("acks",),
            )
    if q.atomic and allowed < _COMMIT_MS:
        yield Conflict(
            "impossible",
            f"{allowed:g} ms, atomically with other topics: readers of committed events see one "
            "only after its transaction has committed, which takes several round trips.",
            f"Allow {_COMMIT_MS:g} ms or more, or write to one topic and derive the others "
            "from it.",
            ("transactional.id",),
        )
    if settled["linger.ms"] == 0 and q.peak > _UNBATCHED_PER_S:
        yield Conflict(
            "price",
            f"{allowed:g} ms leave no time to batch, and {q.peak:g} events/s at peak are as many "
            "requests: client and brokers will queue, and queueing costs more than a linger would.",
            "Allow 5 ms or more, or measure it with a rate sweep in Compare.",
            ("linger.ms",),
        )


def _latency_mend(found: Evidence, support: Sequence[Evidence]) -> str:
    allow = f"Allow {found.p99_high_ms * 1.2:.0f} ms or more"
    faster = next(
        (
            other
            for other in support
            if other.replicates and other.acks == "1" and other.p99_ms < found.p99_low_ms
        ),
        None,
    )
    if found.acks == "all" and faster is not None:
        return (
            f"{allow}, or tolerate a loss: acks=1 was measured at {faster.p99_ms:.3g} ms (profile "
            f"{faster.profile})."
        )
    return f"{allow}, or look on Latency where the time goes: network, replicas, or queueing."


def _buffer(q: Question, settled: Settled, _support: Sequence[Evidence]) -> Iterator[Conflict]:
    timeout_ms = float(settled["delivery.timeout.ms"])
    arriving = events_in_an_outage(q, timeout_ms)
    room = int(settled["queue.buffering.max.messages"])
    in_bytes = int(settled["queue.buffering.max.kbytes"]) * 1024
    held_s = min(room, in_bytes / q.payload_bytes) / q.peak
    if held_s * 1000 < timeout_ms:
        yield Conflict(
            "price",
            f"{arriving:,.0f} events of {q.payload_bytes:,} bytes arrive at peak within "
            f"delivery.timeout.ms ({timeout_ms / 1000:g} s), more than "
            f"{LARGEST_KBYTES // 1024**2} GiB of buffer holds: after {held_s:.0f} s of an outage "
            "produce() raises BufferError.",
            "Spread the load over several producers, or have the caller slow down at BufferError "
            "as the generated program does.",
            ("queue.buffering.max.kbytes", "delivery.timeout.ms"),
        )
    elif arriving > DEFAULT_MESSAGES:
        yield Conflict(
            "price",
            f"{arriving:,.0f} events arrive at peak within delivery.timeout.ms "
            f"({timeout_ms / 1000:g} s), and librdkafka's default queue of {DEFAULT_MESSAGES:,} "
            f"would raise BufferError after {DEFAULT_MESSAGES / q.peak:.0f} s of an outage.",
            f"Keep the {room:,} of the settings below, and have the memory for them.",
            ("queue.buffering.max.messages",),
        )


def _sizes(q: Question, settled: Settled, _support: Sequence[Evidence]) -> Iterator[Conflict]:
    largest = int(settled["message.max.bytes"])
    if largest > BROKER_MESSAGE_MAX_BYTES:
        yield Conflict(
            "price",
            f"Events of {q.payload_bytes:,} bytes may reach {largest:,}, and a topic takes "
            f"{BROKER_MESSAGE_MAX_BYTES:,} if nothing is set: those come back as "
            "MSG_SIZE_TOO_LARGE.",
            "Set the topic's max.message.bytes as below before the producer is deployed, or "
            "store what is large elsewhere and send where it is.",
            ("message.max.bytes", "max.message.bytes"),
        )


def _transactions(
    q: Question, _settled: Settled, _support: Sequence[Evidence]
) -> Iterator[Conflict]:
    if not q.atomic:
        return
    if q.brokers < _COORDINATOR_COPIES:
        yield Conflict(
            "price",
            f"Transactions on {_brokers(q.brokers)}: brokers keep the log of transactions on "
            f"{_COORDINATOR_COPIES} by default, and refuse to start one with fewer.",
            f"Have {_COORDINATOR_COPIES} brokers, or set "
            "transaction.state.log.replication.factor and transaction.state.log.min.isr on them.",
            ("transactional.id",),
        )
    if q.if_lost == "nothing":
        yield Conflict(
            "contradiction",
            "Nothing breaks when one is lost, and yet it has to be written atomically with other "
            "topics.",
            "Write without transactions, unless what is on the other topics matters more.",
            ("transactional.id",),
        )


def _duplicates(q: Question, settled: Settled, _support: Sequence[Evidence]) -> Iterator[Conflict]:
    if settled["acks"] == "all" and q.never_lost and not q.tells_duplicates:
        yield Conflict(
            "price",
            "Idempotence drops what one producer's retry sends twice. What the application sends "
            "again after a restart, or after a time-out whose outcome was not known, still "
            "comes twice, and consumers cannot tell.",
            "Give each event an id of its own, and have consumers drop what they have seen.",
            ("enable.idempotence",),
        )
    if settled["acks"] == 1 and not q.tells_duplicates:
        yield Conflict(
            "price",
            "With acks=1 a retry may store an event twice, and consumers cannot tell.",
            "Give each event an id of its own, or accept that some are counted twice.",
            ("enable.idempotence",),
        )


_RULES: Final[tuple[Rule, ...]] = (
    _copies,
    _in_sync,
    _worth,
    _latency,
    _buffer,
    _sizes,
    _transactions,
    _duplicates,
)


def _brokers(number: int) -> str:
    return f"{number} broker{'s' if number != 1 else ''}"
