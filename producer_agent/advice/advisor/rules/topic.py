"""The topic's own settings, without which the producer's promise nothing."""

from __future__ import annotations

from typing import Final

from producer_agent.advice.advisor.advice import Choice, Settled
from producer_agent.advice.advisor.question import Question
from producer_agent.advice.advisor.rules import batching
from producer_agent.advice.check.dangerous_delivery import BROKER_MESSAGE_MAX_BYTES

_USUAL_COPIES: Final = 3


def copies(q: Question) -> int:
    """The replication factor: what was asked, as far as there are brokers; 3 where none may be
    lost.
    """
    wanted = max(q.replication_factor, _USUAL_COPIES) if q.never_lost else q.replication_factor
    return min(wanted, q.brokers)


def in_sync(q: Question, acks: object) -> int:
    """The copies that acks=all waits for: as asked where that makes sense, else one below all."""
    held = copies(q)
    if acks != "all" or held == 1:
        return 1
    if 2 <= q.min_insync_replicas < held:
        return q.min_insync_replicas
    return max(held - 1, 2)


def partitions(q: Question, _settled: Settled) -> Choice:
    """How many, by the bytes at peak."""
    number = batching.partitions(q)
    later = (
        "Adding some later moves keys to other partitions, and breaks their order once."
        if q.ordered_per_key
        else "Some can be added later."
    )
    return Choice(
        "partitions",
        number,
        f"{batching.bytes_at_peak(q) / 1e6:.2g} MB/s at peak, spread evenly over {q.brokers} "
        f"broker{'s' if q.brokers > 1 else ''}; at most {number} consumers of a group share "
        f"them. {later}",
        "Each is open files and memory on its brokers, and smaller batches.",
        "Kafka documentation, operations, `kafka-topics.sh --partitions`",
    )


def replication_factor(q: Question, settled: Settled) -> Choice:
    """How many brokers hold each event."""
    number = copies(q)
    if number == 1:
        reason = "There is one broker, or one copy was asked for: its disk is all there is."
        cost = "Loss: with the broker's disk all is gone; while it is down nothing is accepted."
    elif settled["acks"] == "all":
        reason = (
            f"{number} copies: an acknowledged event survives the loss of {number - 1} of them."
        )
        cost = f"Disk and network: {number} times the bytes."
    else:
        reason = (
            f"{number} copies: when a leader dies another takes over, short of what it had "
            "not yet copied."
        )
        cost = f"Disk and network: {number} times the bytes."
    return Choice("replication.factor", number, reason, cost, "Kafka documentation, replication")


def min_insync_replicas(q: Question, settled: Settled) -> Choice:
    """Below how many copies acks=all is refused."""
    name, number, held = "min.insync.replicas", in_sync(q, settled["acks"]), copies(q)
    source = "Kafka documentation, topic configuration `min.insync.replicas`"
    if settled["acks"] != "all":
        return Choice(
            name,
            number,
            f"acks={settled['acks']} does not look at it.",
            "None; a producer of acks=all on this topic would have no more than the leader's word.",
            source,
        )
    if number == 1:
        return Choice(
            name,
            1,
            "There is one copy, so no more can be in sync.",
            "acks=all then says no more than acks=1.",
            source,
        )
    spare = held - number
    cost = (
        f"Availability: writing goes on while {spare} broker{'s are' if spare > 1 else ' is'} "
        f"down, and stops with NOT_ENOUGH_REPLICAS at {spare + 1}."
        if spare
        else "Availability: with one broker down nothing is accepted (NOT_ENOUGH_REPLICAS)."
    )
    return Choice(
        name,
        number,
        f"acks=all then means at least {number} copies, also while others lag; with 1 it would "
        "mean the leader alone.",
        cost,
        source,
    )


def unclean_election(q: Question, settled: Settled) -> Choice:
    """Whether a replica that lags may become leader."""
    waits = settled["acks"] == "all"
    reason = (
        "A replica that lags must not become leader: what it lacks would be lost although every "
        "in-sync replica had confirmed it."
        if waits
        else "A replica that lags becoming leader would lose more than the share that may be lost."
    )
    return Choice(
        "unclean.leader.election.enable",
        False,
        reason,
        "Availability: a partition whose in-sync replicas are all down stays down until one is "
        "back.",
        "KIP-106 (default of unclean.leader.election.enable)",
    )


def max_message_bytes(_q: Question, settled: Settled) -> Choice | None:
    """Raised where the producer's largest event would not fit."""
    largest = int(settled["message.max.bytes"])
    if largest <= BROKER_MESSAGE_MAX_BYTES:
        return None
    return Choice(
        "max.message.bytes",
        largest + 100_000,
        f"The producer's message.max.bytes is {largest:,}, and a topic takes "
        f"{BROKER_MESSAGE_MAX_BYTES:,} if nothing is set; some room for the batch's own bytes.",
        "Memory: brokers and every consumer hold batches of that size.",
        "Kafka documentation, topic configuration `max.message.bytes`",
    )
