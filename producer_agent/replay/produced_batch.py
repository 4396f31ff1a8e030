"""A batch handed to a producer, and what its delivery reports say about each record."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Final

from confluent_kafka import KafkaError, KafkaException, Message, Producer

from producer_agent.delivery.errors import Retried, Stored, fact_of
from producer_agent.replay.sender import Outgoing, Sent

log = logging.getLogger(__name__)

DELIVERY_TIMEOUT_MS = 30_000
FLUSH_S = DELIVERY_TIMEOUT_MS / 1000 + 5

OF_THE_RECORD: Final = frozenset(
    {
        KafkaError.MSG_SIZE_TOO_LARGE,
        KafkaError.RECORD_LIST_TOO_LARGE,
        KafkaError.INVALID_RECORD,
        KafkaError.INVALID_MSG,
        KafkaError.INVALID_TIMESTAMP,
    }
)
"""Errors that one record causes and all of its request report."""


def producer_config(
    connection: Mapping[str, Any], compression: str | None, batch_bytes: int
) -> dict[str, Any]:
    """librdkafka's properties for sending records back, acks=all and idempotent."""
    return {
        **connection,
        "acks": "all",
        "enable.idempotence": True,
        "delivery.timeout.ms": DELIVERY_TIMEOUT_MS,
        "request.timeout.ms": 10_000,
        "linger.ms": 5,
        "batch.size": batch_bytes,
        "batch.num.messages": 100_000,
        # A batch is bounded by the runner, in records and in bytes.
        "queue.buffering.max.messages": 200_000,
        "queue.buffering.max.kbytes": 2_000_000,
        # Whether a record fits is for its topic to say.
        "message.max.bytes": 100_000_000,
        "compression.type": compression or "none",
        "topic.metadata.propagation.max.ms": 5_000,
        "error_cb": lambda error: log.info("replay: %s", error),
    }


class ProducedBatch:
    """Delivery reports of the records handed over last."""

    def __init__(self) -> None:
        self.records: Sequence[Outgoing] = ()
        self.sent = Sent()
        self.failed: dict[int, KafkaError] = {}

    def produce(self, producer: Producer, records: Sequence[Outgoing]) -> None:
        """Hand records over. Stops at the first that shows the transaction to be lost."""
        self.records, self.sent, self.failed = records, Sent(), {}
        report = self._report
        for at, record in enumerate(records):
            while True:
                try:
                    producer.produce(
                        record.topic,
                        record.value,
                        record.key,
                        -1 if record.partition is None else record.partition,
                        partial(report, at),
                        headers=record.headers,  # type: ignore[arg-type]
                    )
                    break
                except BufferError:
                    producer.poll(0.1)
                except KafkaException as error:
                    raised: KafkaError = error.args[0]
                    self.failed[at] = raised
                    if raised.code() == KafkaError._STATE or raised.fatal():
                        return
                    break
                except (TypeError, ValueError) as error:
                    # A topic or header name that is no UTF-8, say: nothing was handed over.
                    self.sent.refused[at] = str(error)
                    break
            if not at % 500:
                producer.poll(0)
        producer.poll(0)

    def wait(self, producer: Producer, gives_up: Callable[[], bool]) -> None:
        """Wait until every record was reported, its time ran out, or ``gives_up`` says so."""
        deadline = time.monotonic() + FLUSH_S
        while producer.flush(0.25) and time.monotonic() < deadline and not gives_up():
            pass

    def _report(self, at: int, error: KafkaError | None, message: Message) -> None:
        if error is None:
            self.sent.landed[at] = (message.partition(), message.offset())  # type: ignore[assignment]
        else:
            self.failed[at] = error

    @property
    def is_whole(self) -> bool:
        """Every record was acknowledged."""
        return len(self.sent.landed) == len(self.records)


@dataclass(frozen=True, slots=True)
class Blame:
    """Failures that are final; positions are those of a batch's records."""

    refused: dict[int, str]
    """Position → why the record can never land."""
    suspects: dict[int, str] = field(default_factory=dict)
    """Likewise, but one of them may have taken the others along."""


def blamed(failed: Mapping[int, KafkaError], refused: Mapping[int, str]) -> Blame:
    """The failures that are final, told apart by whether others may have caused them."""
    refused, suspects = dict(refused), {}
    for at, error in failed.items():
        words = f"{error.name()}: {error.str()}"
        if error.code() in OF_THE_RECORD:
            suspects[at] = words
        elif _is_final(error):
            refused[at] = words
    if len(suspects) == 1:
        return Blame(refused | suspects)
    return Blame(refused, suspects)


def _is_final(error: KafkaError) -> bool:
    """Nothing of it was stored, and trying again changes nothing."""
    if error.code() in (KafkaError._PURGE_QUEUE, KafkaError._PURGE_INFLIGHT, KafkaError._STATE):
        return False  # these went down with another
    if error.code() == KafkaError.UNKNOWN_TOPIC_OR_PART:
        return True  # reported only after topic.metadata.propagation.max.ms: it is gone
    fact = fact_of(error.code())
    return fact.stored is Stored.NO and fact.retried is Retried.NO


def discard(producer: Producer) -> None:
    """Let go of a producer, with whatever it still holds."""
    try:
        producer.purge()
        producer.flush(2.0)
        producer.close()
    except (KafkaException, SystemError) as error:
        log.info("replay: while closing a producer: %s", error)
