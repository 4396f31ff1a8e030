"""The error truth table: what a code in a delivery report really tells.

``KafkaError.retriable()`` and ``.fatal()`` are False on every delivery report, so an error is
classified by its code alone. The rows were read from librdkafka's ``src/rdkafka_request.c`` (
``rd_kafka_err_action``, ``rd_kafka_handle_Produce_error``,
``rd_kafka_handle_idempotent_Produce_error``) and, where a cluster can provoke one, seen in tests.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType

from confluent_kafka import KafkaError


class Stored(StrEnum):
    """May a record whose delivery failed be on its topic all the same?"""

    NO = "no"
    MAYBE = "maybe"
    YES = "yes"


class Retried(StrEnum):
    """Did librdkafka itself try again before it reported the error?"""

    YES = "yes"
    NO = "no"
    ENDED = "ended"
    """Its retries ended here: the time-out ran out, or they were purged."""


@dataclass(frozen=True, slots=True)
class ErrorFact:
    """One row of the table."""

    code: int
    name: str
    """As Kafka and librdkafka write it; a leading underscore marks a local error."""
    meaning: str
    """A few words for a list, such as "too few replicas in sync"."""
    retried: Retried
    stored: Stored
    mend: str
    """What on-call does about it."""
    replay_unchanged: bool = True
    """False where the same record will be refused again."""

    @property
    def summary(self) -> str:
        """Meaning and whether it may be stored: the words beside a code in the interface."""
        tail = {
            Stored.NO: "not stored",
            Stored.MAYBE: "may be stored",
            Stored.YES: "stored",
        }[self.stored]
        return f"{self.meaning}; {tail}"


def _rows() -> list[ErrorFact]:
    no, maybe, yes = Stored.NO, Stored.MAYBE, Stored.YES
    retried, once, ended = Retried.YES, Retried.NO, Retried.ENDED
    e = KafkaError

    def row(
        code: int,
        name: str,
        meaning: str,
        was_retried: Retried,
        stored: Stored,
        mend: str,
        replay_unchanged: bool = True,
    ) -> ErrorFact:
        return ErrorFact(code, name, meaning, was_retried, stored, mend, replay_unchanged)

    return [
        row(
            e._MSG_TIMED_OUT,
            "_MSG_TIMED_OUT",
            "no acknowledgement within delivery.timeout.ms",
            ended,
            maybe,
            "Look at the attempts. Where one may have been stored, read the topic back before "
            "you replay.",
        ),
        row(
            e._TIMED_OUT,
            "_TIMED_OUT",
            "a request got no answer in time",
            retried,
            maybe,
            "Look at broker latency and the network between client and broker.",
        ),
        row(
            e._TIMED_OUT_QUEUE,
            "_TIMED_OUT_QUEUE",
            "never left the client's queue",
            retried,
            no,
            "Look at the client's CPU and its network.",
        ),
        row(
            e._TRANSPORT,
            "_TRANSPORT",
            "the connection to the broker broke",
            retried,
            maybe,
            "Check the network and the brokers' advertised listeners.",
        ),
        row(
            e._ALL_BROKERS_DOWN,
            "_ALL_BROKERS_DOWN",
            "no broker can be reached",
            retried,
            maybe,
            "Bring a broker back, or correct bootstrap.servers.",
        ),
        row(
            e.REQUEST_TIMED_OUT,
            "REQUEST_TIMED_OUT",
            "replicas did not follow in time",
            retried,
            maybe,
            "Look for replicas that lag or brokers under load.",
        ),
        row(
            e.NOT_ENOUGH_REPLICAS,
            "NOT_ENOUGH_REPLICAS",
            "too few replicas in sync",
            retried,
            no,
            "Bring the missing brokers back until the in-sync replicas reach min.insync.replicas.",
        ),
        row(
            e.NOT_ENOUGH_REPLICAS_AFTER_APPEND,
            "NOT_ENOUGH_REPLICAS_AFTER_APPEND",
            "too few replicas in sync after the write",
            retried,
            maybe,
            "Bring the missing brokers back. Expect duplicates where idempotence is off.",
        ),
        row(
            e.NOT_LEADER_FOR_PARTITION,
            "NOT_LEADER_FOR_PARTITION",
            "the broker no longer leads the partition",
            retried,
            no,
            "A leader election: it passes by itself. If it stays, look at the controller.",
        ),
        row(
            e.LEADER_NOT_AVAILABLE,
            "LEADER_NOT_AVAILABLE",
            "the partition has no leader",
            retried,
            no,
            "A leader election: it passes by itself. If it stays, bring a replica back.",
        ),
        row(
            e.UNKNOWN_TOPIC_OR_PART,
            "UNKNOWN_TOPIC_OR_PART",
            "the topic or partition does not exist",
            retried,
            no,
            "Create the topic, or correct its name.",
        ),
        row(
            e._UNKNOWN_TOPIC,
            "_UNKNOWN_TOPIC",
            "the topic does not exist",
            once,
            no,
            "Create the topic, or correct its name.",
        ),
        row(
            e._UNKNOWN_PARTITION,
            "_UNKNOWN_PARTITION",
            "the topic has no such partition",
            once,
            no,
            "Correct the partitioner, or add partitions to the topic.",
            replay_unchanged=True,
        ),
        row(
            e.KAFKA_STORAGE_ERROR,
            "KAFKA_STORAGE_ERROR",
            "the broker could not write its disk",
            retried,
            no,
            "Look at the broker's disk.",
        ),
        row(
            e.INVALID_MSG,
            "INVALID_MSG",
            "the broker found the batch invalid",
            retried,
            no,
            "Corruption on the way, or a record without a key on a compacted topic.",
        ),
        row(
            e.NETWORK_EXCEPTION,
            "NETWORK_EXCEPTION",
            "the broker lost its connection",
            once,
            no,
            "Look at the broker's network, then replay.",
        ),
        row(
            e.FENCED_LEADER_EPOCH,
            "FENCED_LEADER_EPOCH",
            "the leader has changed",
            once,
            no,
            "A leader election: replay.",
        ),
        row(
            e.UNKNOWN,
            "UNKNOWN",
            "the broker failed without saying why",
            once,
            maybe,
            "Read the broker's log. Read the topic back before you replay.",
        ),
        row(
            e.MSG_SIZE_TOO_LARGE,
            "MSG_SIZE_TOO_LARGE",
            "the record is too large",
            once,
            no,
            "Align message.max.bytes of the client with max.message.bytes of the topic, or "
            "split the payload.",
            replay_unchanged=False,
        ),
        row(
            e.RECORD_LIST_TOO_LARGE,
            "RECORD_LIST_TOO_LARGE",
            "the batch is larger than a log segment",
            once,
            no,
            "Lower batch.size.",
        ),
        row(
            e.TOPIC_AUTHORIZATION_FAILED,
            "TOPIC_AUTHORIZATION_FAILED",
            "not allowed to write the topic",
            once,
            no,
            "Grant WRITE on the topic to the client's principal.",
        ),
        row(
            e.CLUSTER_AUTHORIZATION_FAILED,
            "CLUSTER_AUTHORIZATION_FAILED",
            "not allowed on the cluster",
            once,
            no,
            "Grant IDEMPOTENT_WRITE on the cluster to the client's principal.",
        ),
        row(
            e.INVALID_REQUIRED_ACKS,
            "INVALID_REQUIRED_ACKS",
            "the broker does not know this acks value",
            once,
            no,
            "Set acks to 0, 1 or all.",
        ),
        row(
            e.INVALID_TIMESTAMP,
            "INVALID_TIMESTAMP",
            "the record's time is out of bounds",
            once,
            no,
            "Correct the producer's clock or the timestamp it sets.",
            replay_unchanged=False,
        ),
        row(
            e.POLICY_VIOLATION,
            "POLICY_VIOLATION",
            "the broker's policy refused the record",
            once,
            no,
            "Ask the owner of the cluster which policy.",
            replay_unchanged=False,
        ),
        row(
            e.TOPIC_EXCEPTION,
            "TOPIC_EXCEPTION",
            "the topic's name is invalid",
            once,
            no,
            "Correct the topic's name.",
        ),
        row(
            e.UNSUPPORTED_FOR_MESSAGE_FORMAT,
            "UNSUPPORTED_FOR_MESSAGE_FORMAT",
            "the topic's message format is too old",
            once,
            no,
            "Raise the topic's message format, or turn off idempotence and headers.",
        ),
        row(
            e.UNSUPPORTED_COMPRESSION_TYPE,
            "UNSUPPORTED_COMPRESSION_TYPE",
            "the broker does not know the codec",
            once,
            no,
            "Choose another compression.type.",
        ),
        row(
            e.INVALID_RECORD,
            "INVALID_RECORD",
            "the broker's validation refused the record",
            once,
            no,
            "Correct the record (a null key on a compacted topic, for one) before a replay.",
            replay_unchanged=False,
        ),
        row(
            e._INVALID_DIFFERENT_RECORD,
            "_INVALID_DIFFERENT_RECORD",
            "another record of its batch was invalid",
            once,
            no,
            "Nothing is wrong with this one: replay it.",
        ),
        row(
            e._PURGE_QUEUE,
            "_PURGE_QUEUE",
            "dropped from the client's queue",
            ended,
            no,
            "The producer was closed or had a fatal error: replay.",
        ),
        row(
            e._PURGE_INFLIGHT,
            "_PURGE_INFLIGHT",
            "dropped while on its way",
            ended,
            maybe,
            "Read the topic back before you replay.",
        ),
        row(
            e._QUEUE_FULL,
            "_QUEUE_FULL",
            "the client's queue was full",
            once,
            no,
            "Send slower, or raise queue.buffering.max.messages; then look why the broker is slow.",
        ),
        row(
            e.DUPLICATE_SEQUENCE_NUMBER,
            "DUPLICATE_SEQUENCE_NUMBER",
            "a retry of a record that was already stored",
            retried,
            yes,
            "No loss: the record is there.",
        ),
        row(
            e.OUT_OF_ORDER_SEQUENCE_NUMBER,
            "OUT_OF_ORDER_SEQUENCE_NUMBER",
            "the broker misses an earlier batch",
            ended,
            maybe,
            "The producer is made anew; read the topic back before you replay.",
        ),
        row(
            e.UNKNOWN_PRODUCER_ID,
            "UNKNOWN_PRODUCER_ID",
            "the broker forgot the producer",
            ended,
            maybe,
            "Retention removed its last records: lengthen it, and read the topic back.",
        ),
        row(
            e.INVALID_PRODUCER_EPOCH,
            "INVALID_PRODUCER_EPOCH",
            "a newer producer took over",
            once,
            no,
            "Find the second producer with the same transactional.id.",
        ),
        row(
            e._GAPLESS_GUARANTEE,
            "_GAPLESS_GUARANTEE",
            "an earlier record failed for good",
            ended,
            no,
            "The producer is made anew; replay both.",
        ),
        row(
            e._INCONSISTENT,
            "_INCONSISTENT",
            "client and broker disagree on what is stored",
            ended,
            maybe,
            "Read the topic back before you replay.",
        ),
        row(
            e._FATAL,
            "_FATAL",
            "the producer had a fatal error before",
            once,
            no,
            "The producer is made anew; replay.",
        ),
        row(
            e._FENCED,
            "_FENCED",
            "a newer producer has this transactional.id",
            ended,
            no,
            "Stop the second producer with the same transactional.id.",
        ),
        row(
            e.CONCURRENT_TRANSACTIONS,
            "CONCURRENT_TRANSACTIONS",
            "the last transaction is not finished",
            retried,
            no,
            "It passes by itself.",
        ),
        row(
            e.COORDINATOR_LOAD_IN_PROGRESS,
            "COORDINATOR_LOAD_IN_PROGRESS",
            "the coordinator is still loading",
            retried,
            no,
            "It passes by itself.",
        ),
        row(
            e._STATE,
            "_STATE",
            "produced while no transaction was open",
            once,
            no,
            "Its transaction had failed and was about to be aborted: replay. Where that happens "
            "to every event, the caller begins none.",
        ),
    ]


TABLE: Mapping[int, ErrorFact] = MappingProxyType({fact.code: fact for fact in _rows()})
"""Every row, by code."""


def fact_of(code: int) -> ErrorFact:
    """The row of a code. A code without one is taken to be possibly stored, as the safe side."""
    known = TABLE.get(code)
    if known is not None:
        return known
    error = KafkaError(code)
    return ErrorFact(
        code,
        error.name(),
        error.str() or "unknown error",
        Retried.NO,
        Stored.MAYBE,
        "Not in Ackboard's error table: read the topic back before you replay.",
    )


BY_NAME: Mapping[str, ErrorFact] = MappingProxyType({fact.name: fact for fact in TABLE.values()})
"""Every row, by name."""
