"""Answers, and what the advisor has to say to them with which reason: the table of its rules."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from producer_agent.advice.advisor.advice import Evidence
from producer_agent.advice.advisor.question import Question, question_from

USUAL: dict[str, Any] = {
    "name": "orders",
    "if_lost": "experience",
    "tolerated_loss": 0.001,
    "latency_p99_ms": 200,
    "rate_per_s": 100,
    "payload_bytes": 500,
    "tells_duplicates": True,
}
"""What a case changes: an event that takes acks=1, on three brokers, with nothing against it."""

ALL_AT_12_MS = Evidence("critical", "all", 100, 12.0, 11.0, 13.0)
ALL_AROUND_50_MS = Evidence("critical", "all", 100, 49.0, 45.0, 55.0)
ONE_AT_3_MS = Evidence("analytics", "1", 100, 3.0, 2.8, 3.4)
EMBEDDED = Evidence("critical", "all", 100, 900.0, 890.0, 910.0, replicates=False)


@dataclass(frozen=True)
class Case:
    """One row: answers that differ from the usual ones, and what must come of them."""

    name: str
    answers: dict[str, Any]
    settings: dict[str, Any] = field(default_factory=dict)
    """Producer and topic settings; None for one that must not be chosen."""
    reason: tuple[str, str] | None = None
    """A setting, and words its reason must have."""
    conflict: tuple[str, str] | None = None
    """Its kind, and words it or its mend must have; None: nothing impossible or contradictory."""
    measured: tuple[Evidence, ...] = ()

    @property
    def question(self) -> Question:
        """The answers, checked."""
        return question_from(USUAL | self.answers)


NEVER = {"if_lost": "business", "tolerated_loss": 0}

CASES = (
    # Who confirms.
    Case(
        "usual", {}, {"acks": 1, "enable.idempotence": False}, ("acks", "leader's word is enough")
    ),
    Case("never lost", NEVER, {"acks": "all"}, ("acks", "every in-sync replica has survives")),
    Case(
        "a user's, never lost",
        {"tolerated_loss": 0},
        {"acks": "all", "min.insync.replicas": 2},
        ("acks", "None may be lost"),
    ),
    Case(
        "business, and yet a loss",
        {"if_lost": "business"},
        {"acks": "all"},
        ("acks", "Business breaks"),
        ("contradiction", "Business breaks when one is lost, and yet 0.1 % may be lost"),
    ),
    Case(
        "order of a user's events",
        {"ordered_per_key": True},
        {"acks": "all", "enable.idempotence": True, "partitioner": "murmur2_random"},
        ("acks", "order of each key has to hold through retries"),
    ),
    Case(
        "duplicates not told",
        {"tells_duplicates": False},
        {"acks": "all", "enable.idempotence": True},
        ("acks", "must not store it twice"),
    ),
    Case(
        "nothing breaks",
        {"if_lost": "nothing", "tolerated_loss": 0.01},
        {"acks": 0, "enable.idempotence": False, "retries": None, "retry.backoff.ms": None},
        ("acks", "nobody has to confirm"),
    ),
    Case(
        "nothing breaks, little may be lost",
        {"if_lost": "nothing"},
        {"acks": 1},
        ("acks", "leader's word is enough"),
    ),
    Case(
        "nothing breaks, just under the limit",
        {"if_lost": "nothing", "tolerated_loss": 0.0099},
        {"acks": 1},
        ("acks", "0.99 % may be lost"),
    ),
    Case(
        "nothing breaks, none may be lost",
        {"if_lost": "nothing", "tolerated_loss": 0},
        {"acks": "all"},
        ("acks", "None may be lost"),
        ("contradiction", "paid for nothing"),
    ),
    Case(
        "order of what may be lost",
        {"if_lost": "nothing", "ordered_per_key": True},
        {"acks": 1, "max.in.flight.requests.per.connection": 1},
        ("max.in.flight.requests.per.connection", "overtake the retry"),
    ),
    Case(
        "order where nobody confirms",
        {
            "if_lost": "nothing",
            "tolerated_loss": 0.05,
            "ordered_per_key": True,
            "tells_duplicates": False,
        },
        {"acks": 0, "max.in.flight.requests.per.connection": 1},
        ("partitioner", "whichever client writes it"),
        ("price", "which events of a key are missing"),
    ),
    Case(
        "counted twice",
        {"if_lost": "nothing", "tells_duplicates": False},
        {"acks": 1},
        ("enable.idempotence", "not worth"),
        ("price", "a retry may store an event twice"),
    ),
    Case(
        "never lost, and not told apart",
        NEVER | {"tells_duplicates": False},
        {"enable.idempotence": True, "max.in.flight.requests.per.connection": 5},
        ("enable.idempotence", "drops what a retry sends twice"),
        ("price", "id of its own"),
    ),
    Case(
        "no order, no partitioner",
        NEVER,
        {"partitioner": None, "max.in.flight.requests.per.connection": 5},
        ("max.in.flight.requests.per.connection", "order of up to 5"),
    ),
    Case(
        "no order, acks=1",
        {},
        {"max.in.flight.requests.per.connection": None},
        ("enable.idempotence", "It needs acks=all"),
    ),
    # Transactions.
    Case(
        "atomic",
        {"atomic": True},
        {
            "acks": "all",
            "transactional.id": "orders-1",
            "delivery.timeout.ms": 45_000,
            "transaction.timeout.ms": 60_000,
        },
        ("acks", "takes a transaction"),
    ),
    Case(
        "atomic by instance",
        {"atomic": True},
        {"enable.idempotence": True},
        ("transactional.id", "for each running instance"),
    ),
    Case(
        "not atomic",
        NEVER,
        {"transactional.id": None, "transaction.timeout.ms": None},
    ),
    Case(
        "atomic within 10 ms",
        {"atomic": True, "latency_p99_ms": 10},
        {"acks": "all"},
        None,
        ("impossible", "only after its transaction has committed"),
    ),
    Case(
        "atomic on two brokers",
        {"atomic": True, "brokers": 2, "replication_factor": 2, "min_insync_replicas": 1},
        {"transactional.id": "orders-1"},
        None,
        ("price", "transaction.state.log.replication.factor"),
    ),
    Case(
        "atomic for nothing",
        {"atomic": True, "if_lost": "nothing"},
        {},
        None,
        ("contradiction", "Write without transactions"),
    ),
    # Copies.
    Case(
        "never lost, one copy",
        NEVER | {"replication_factor": 1, "min_insync_replicas": 1},
        {"replication.factor": 3, "min.insync.replicas": 2},
        ("replication.factor", "survives the loss of 2"),
        ("impossible", "Never lost, with a replication factor of 1"),
    ),
    Case(
        "never lost, one broker",
        NEVER | {"brokers": 1, "replication_factor": 1, "min_insync_replicas": 1},
        {"replication.factor": 1, "min.insync.replicas": 1},
        ("replication.factor", "its disk is all there is"),
        ("impossible", "that takes 3 brokers, and there is 1"),
    ),
    Case(
        "never lost, min ISR 1",
        NEVER | {"min_insync_replicas": 1},
        {"min.insync.replicas": 2},
        ("min.insync.replicas", "with 1 it would mean the leader alone"),
        ("impossible", "min.insync.replicas of 1"),
    ),
    Case(
        "min ISR is RF",
        NEVER | {"brokers": 2, "replication_factor": 2, "min_insync_replicas": 2},
        {"replication.factor": 2, "min.insync.replicas": 2},
        None,
        ("price", "with one broker down nothing is accepted"),
    ),
    Case(
        "min ISR is RF, though there are brokers",
        NEVER | {"replication_factor": 3, "min_insync_replicas": 3},
        {"replication.factor": 3, "min.insync.replicas": 2},
        ("min.insync.replicas", "at least 2 copies"),
        ("price", "Have 2 of 3 confirm, as the settings below do"),
    ),
    Case(
        "min ISR above RF",
        NEVER | {"replication_factor": 2, "min_insync_replicas": 3},
        {"replication.factor": 3, "min.insync.replicas": 2},
        None,
        ("impossible", "NOT_ENOUGH_REPLICAS"),
    ),
    Case(
        "min ISR above RF, acks=1",
        {"replication_factor": 1, "min_insync_replicas": 2},
        {"acks": 1, "replication.factor": 1},
        None,
        ("price", "acks=1 does not look at it"),
    ),
    Case(
        "RF above brokers",
        {"brokers": 2, "min_insync_replicas": 1},
        {"replication.factor": 2},
        None,
        ("impossible", "INVALID_REPLICATION_FACTOR"),
    ),
    Case(
        "five copies of which three",
        NEVER | {"brokers": 5, "replication_factor": 5, "min_insync_replicas": 3},
        {"replication.factor": 5, "min.insync.replicas": 3},
        ("replication.factor", "survives the loss of 4"),
    ),
    Case(
        "one copy of what may be lost",
        {"replication_factor": 1, "min_insync_replicas": 1},
        {"replication.factor": 1, "min.insync.replicas": 1},
        ("min.insync.replicas", "acks=1 does not look at it"),
    ),
    Case(
        "no unclean election",
        {},
        {"unclean.leader.election.enable": False},
        ("unclean.leader.election.enable", "more than the share"),
    ),
    # Time.
    Case(
        "business waits two minutes",
        NEVER,
        {"delivery.timeout.ms": 120_000, "request.timeout.ms": 30_000, "retries": 2**31 - 1},
        ("delivery.timeout.ms", "ride out a broker's restart"),
    ),
    Case(
        "a user waits one",
        {},
        {"delivery.timeout.ms": 60_000, "request.timeout.ms": 15_000},
        ("delivery.timeout.ms", "a user does not wait longer"),
    ),
    Case(
        "a sample is soon worth nothing",
        {"if_lost": "nothing"},
        {"delivery.timeout.ms": 15_000},
        ("delivery.timeout.ms", "newer event says more"),
    ),
    Case(
        "a count of retries runs out",
        {},
        {"retry.backoff.ms": 100},
        ("retries", "delivery.timeout.ms decides instead"),
    ),
    Case(
        "50 ms",
        NEVER | {"latency_p99_ms": 50},
        {"linger.ms": 5.0},
        ("linger.ms", "of which waiting may take a tenth"),
    ),
    Case(
        "20 ms",
        {"latency_p99_ms": 20},
        {"linger.ms": 2.0},
        ("linger.ms", "20 ms are allowed at p99"),
    ),
    Case(
        "3 ms",
        {"latency_p99_ms": 3},
        {"linger.ms": 0.0, "compression.type": "none"},
        ("linger.ms", "no time to wait for others"),
    ),
    Case(
        "3 ms and a flood",
        {"latency_p99_ms": 3, "rate_per_s": 20_000},
        {"linger.ms": 0.0},
        None,
        ("price", "as many requests"),
    ),
    Case(
        "any latency",
        {"if_lost": "nothing", "latency_p99_ms": None, "tolerated_loss": 0.02},
        {"linger.ms": 50.0},
        ("linger.ms", "No latency is asked for"),
    ),
    # Measured here.
    Case(
        "5 ms over a measured 12",
        NEVER | {"latency_p99_ms": 5},
        {"acks": "all"},
        None,
        ("impossible", "5 ms at p99, while acks=all was measured here at a p99 of 12 ms"),
        (ALL_AT_12_MS,),
    ),
    Case(
        "5 ms, and acks=1 makes it",
        NEVER | {"latency_p99_ms": 5},
        {},
        None,
        ("impossible", "acks=1 was measured at 3 ms"),
        (ALL_AT_12_MS, ONE_AT_3_MS),
    ),
    Case(
        "within chance",
        NEVER | {"latency_p99_ms": 50},
        {},
        None,
        ("price", "within what chance makes of the measurement"),
        (ALL_AROUND_50_MS,),
    ),
    Case(
        "well within what was measured",
        NEVER | {"latency_p99_ms": 50},
        {"acks": "all"},
        measured=(ALL_AT_12_MS,),
    ),
    Case(
        "the embedded cluster proves nothing",
        NEVER | {"latency_p99_ms": 50},
        {"acks": "all"},
        measured=(EMBEDDED,),
    ),
    # Size and load.
    Case(
        "a small load keeps librdkafka's queue",
        {},
        {"queue.buffering.max.messages": 100_000, "message.max.bytes": 1_000_000},
        ("queue.buffering.max.messages", "6,000 that wait"),
    ),
    Case(
        "an outage at peak overruns the default queue",
        NEVER | {"rate_per_s": 1_000, "peak_per_s": 5_000},
        {"queue.buffering.max.messages": 720_000, "queue.buffering.max.kbytes": 524_288},
        ("queue.buffering.max.messages", "600,000 that wait"),
        ("price", "after 20 s of an outage"),
    ),
    Case(
        "an outage at peak overruns all memory",
        NEVER | {"rate_per_s": 20_000, "payload_bytes": 2_000},
        {"queue.buffering.max.kbytes": 1_048_576},
        ("queue.buffering.max.kbytes", "MB"),
        ("price", "1 GiB of buffer holds: after 26 s"),
    ),
    Case(
        "large events",
        {"payload_bytes": 800_000},
        {"message.max.bytes": 1_601_000, "max.message.bytes": 1_701_000},
        ("message.max.bytes", "may be twice that"),
        ("price", "MSG_SIZE_TOO_LARGE"),
    ),
    Case(
        "much data, and time",
        {"rate_per_s": 10_000, "payload_bytes": 1_000},
        {"compression.type": "zstd", "batch.size": 131_072},
        ("compression.type", "MB/s at peak"),
        ("price", "librdkafka's default queue"),
    ),
    Case(
        "batches worth compressing",
        {"rate_per_s": 1_000},
        {"compression.type": "lz4"},
        ("compression.type", "compresses well"),
    ),
    Case(
        "alone in its batch",
        {"rate_per_s": 10},
        {"compression.type": "none"},
        ("compression.type", "too small"),
    ),
    Case(
        "partitions by the bytes",
        {"rate_per_s": 50_000, "payload_bytes": 1_000},
        {"partitions": 12},
        ("partitions", "spread evenly over 3 brokers"),
        ("price", "BufferError"),
    ),
    Case(
        "keys stay where they are",
        NEVER | {"ordered_per_key": True},
        {"partitions": 6},
        ("partitions", "moves keys to other partitions"),
    ),
)
