"""Sending a batch of records so that it lands exactly once, in one of two ways.

``TransactionalSender``: one transactional id a plan; each batch is a transaction that also carries
the number of the next batch as a committed offset of a group of the plan's own. A producer that
comes after a crash fences the one before, and reads from the group how far it came.

``LedgerSender``: an idempotent producer; what an agent's death left open is looked for on the
target. For clusters that do not keep transactions.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Final, Protocol

from confluent_kafka import Consumer, KafkaError, KafkaException, Message, Producer, TopicPartition

from producer_agent.delivery.errors import Retried, Stored, fact_of
from producer_agent.store.headers import Headers

log = logging.getLogger(__name__)

DELIVERY_TIMEOUT_MS = 30_000
TRANSACTION_TIMEOUT_MS = 60_000
FLUSH_S = DELIVERY_TIMEOUT_MS / 1000 + 5
ADMIN_TIMEOUT_S = 15.0

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


class Interrupted(Exception):
    """How far the batch came is not known: settle it from the cluster, then go on."""


class NotAllowed(Exception):
    """The cluster refuses this way of sending for good; the text names the mend."""


@dataclass(frozen=True, slots=True)
class Outgoing:
    """One record to send."""

    topic: str
    partition: int | None
    key: bytes | None
    value: bytes | None
    headers: Headers


@dataclass(slots=True)
class Sent:
    """What came of a batch; positions are those of its records."""

    landed: dict[int, tuple[int, int]] = field(default_factory=dict)
    """Position → partition and offset."""
    refused: dict[int, str] = field(default_factory=dict)
    """Position → why the record can never land. In a transaction, nothing of the batch landed."""
    suspects: dict[int, str] = field(default_factory=dict)
    """Likewise, but one of them may have taken the others along."""
    doubtful: dict[int, str] = field(default_factory=dict)
    """Position → why it is not known whether it landed."""


class Sender(Protocol):
    """Sends batches of one plan."""

    def committed_batches(self) -> int | None:
        """Batches below this number have landed; None: only the target itself can tell.

        Nothing of an earlier producer can land after this.

        Raises:
            Interrupted: the cluster did not answer. NotAllowed: it never will.
        """

    def begin(self, number: int, records: Sequence[Outgoing]) -> None:
        """Hand a batch over."""

    def finish(self) -> Sent:
        """Wait for what comes of it.

        Raises:
            Interrupted: how far it came is not known. NotAllowed: see there.
        """

    def trial(self, records: Sequence[Outgoing]) -> bool:
        """Whether the cluster takes these records, without landing any."""

    def close(self) -> None:
        """Let go of the connections; what was not finished is void or unknown."""


def _config(
    connection: Mapping[str, Any], compression: str | None, batch_bytes: int
) -> dict[str, Any]:
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


class _Batch:
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
            try:
                for name, _ in record.headers:
                    require_header_name(name)
            except ValueError as error:
                self.sent.refused[at] = str(error)
                continue
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

    def _report(self, at: int, error: KafkaError | None, message: Message) -> None:
        if error is None:
            self.sent.landed[at] = (message.partition(), message.offset())  # type: ignore[assignment]
        else:
            self.failed[at] = error

    @property
    def is_whole(self) -> bool:
        """Every record was acknowledged."""
        return len(self.sent.landed) == len(self.records)


class TransactionalSender:
    """See the module.

    Args:
        connection: librdkafka properties that reach the cluster.
        plan: The plan's uuid, 32 hex digits.
        mark_topic: A topic that is there, for the group offset that each transaction carries: the
            broker takes none of a topic it does not know.
        compression: librdkafka's name, or None.
        batch_bytes: The largest produce batch.
    """

    def __init__(
        self,
        connection: Mapping[str, Any],
        plan: str,
        mark_topic: str,
        compression: str | None = None,
        batch_bytes: int = 1_000_000,
    ) -> None:
        self.name = f"ackboard-replay-{plan}"
        self._mark_topic = mark_topic
        self._producer = Producer(
            {
                **_config(connection, compression, batch_bytes),
                "transactional.id": self.name,
                "transaction.timeout.ms": TRANSACTION_TIMEOUT_MS,
            }
        )
        self._consumer = Consumer(
            {
                **connection,
                "group.id": self.name,
                "enable.auto.commit": False,
                # An offset whose transaction is still open is waited for, not overlooked.
                "isolation.level": "read_committed",
                "error_cb": lambda error: log.info("replay: %s", error),
            }
        )
        self._batch = _Batch()
        self._number = 0

    def committed_batches(self) -> int | None:
        """See :class:`Sender`. None where the group never committed, or forgot."""
        try:
            # Fences the producer of an agent that died, and ends its transaction.
            self._producer.init_transactions(ADMIN_TIMEOUT_S)
            (at,) = self._consumer.committed(
                [TopicPartition(self._mark_topic, 0)], timeout=ADMIN_TIMEOUT_S
            )
        except KafkaException as error:
            raise _explained(error.args[0], self.name) from error
        if at.error is not None:
            raise Interrupted(f"how far the plan came cannot be read: {at.error.str()}")
        return at.offset if at.offset >= 0 else None

    def begin(self, number: int, records: Sequence[Outgoing]) -> None:
        """See :class:`Sender`."""
        self._number = number
        try:
            self._producer.begin_transaction()
        except KafkaException as error:
            raise _explained(error.args[0], self.name) from error
        self._batch.produce(self._producer, records)

    def finish(self) -> Sent:
        """See :class:`Sender`."""
        self._producer.flush(FLUSH_S)
        if not self._batch.is_whole:
            return self._give_up()
        try:
            self._producer.send_offsets_to_transaction(
                [TopicPartition(self._mark_topic, 0, self._number + 1)],
                self._consumer.consumer_group_metadata(),
                ADMIN_TIMEOUT_S,
            )
            self._commit()
        except KafkaException as error:
            raise _explained(error.args[0], self.name) from error
        return self._batch.sent

    def trial(self, records: Sequence[Outgoing]) -> bool:
        """See :class:`Sender`."""
        batch = _Batch()
        try:
            self._producer.begin_transaction()
            batch.produce(self._producer, records)
            self._producer.flush(FLUSH_S)
            self._producer.abort_transaction(ADMIN_TIMEOUT_S)
        except KafkaException as error:
            raise _explained(error.args[0], self.name) from error
        return batch.is_whole

    def close(self) -> None:
        """See :class:`Sender`."""
        _discard(self._producer)
        self._consumer.close()

    def _commit(self) -> None:
        deadline = time.monotonic() + TRANSACTION_TIMEOUT_MS / 1000
        while True:
            try:
                self._producer.commit_transaction(ADMIN_TIMEOUT_S)
                return
            except KafkaException as error:
                if not error.args[0].retriable() or time.monotonic() > deadline:
                    raise

    def _give_up(self) -> Sent:
        """Abort, and tell which record is to blame."""
        blame = dict(self._batch.failed)
        try:
            self._producer.abort_transaction(ADMIN_TIMEOUT_S)
        except KafkaException as error:
            raise _explained(error.args[0], self.name) from error
        sent = _blamed(blame, self._batch.sent.refused)
        if not sent.refused and not sent.suspects:
            words = next(iter(blame.values())).str() if blame else "no acknowledgement in time"
            raise Interrupted(words)
        return sent


class LedgerSender:
    """See the module; the arguments are those of :class:`TransactionalSender`."""

    def __init__(
        self,
        connection: Mapping[str, Any],
        compression: str | None = None,
        batch_bytes: int = 1_000_000,
    ) -> None:
        self._producer = Producer(_config(connection, compression, batch_bytes))
        self._batch = _Batch()

    def committed_batches(self) -> int | None:
        """Not known: the target has to be read."""
        return None

    def begin(self, number: int, records: Sequence[Outgoing]) -> None:
        """See :class:`Sender`; the number is of no use here."""
        self._batch.produce(self._producer, records)

    def finish(self) -> Sent:
        """See :class:`Sender`."""
        self._producer.flush(FLUSH_S)
        batch = self._batch
        sent = batch.sent
        blamed = _blamed(batch.failed, sent.refused)
        told = sent.landed.keys() | blamed.refused.keys() | blamed.suspects.keys()
        for at in range(len(batch.records)):
            if at not in told:
                error = batch.failed.get(at)
                sent.doubtful[at] = error.str() if error else "no acknowledgement in time"
        sent.refused, sent.suspects = blamed.refused, blamed.suspects
        return sent

    def trial(self, records: Sequence[Outgoing]) -> bool:
        """Cannot be told without landing them."""
        return False

    def close(self) -> None:
        """See :class:`Sender`."""
        _discard(self._producer)


def _blamed(failed: Mapping[int, KafkaError], refused: Mapping[int, str]) -> Sent:
    """The failures that are final, told apart by whether others may have caused them."""
    sent = Sent(refused=dict(refused))
    for at, error in failed.items():
        words = f"{error.name()}: {error.str()}"
        if error.code() in OF_THE_RECORD:
            sent.suspects[at] = words
        elif _is_final(error):
            sent.refused[at] = words
    if len(sent.suspects) == 1:
        sent.refused |= sent.suspects
        sent.suspects = {}
    return sent


def _is_final(error: KafkaError) -> bool:
    """Nothing of it was stored, and trying again changes nothing."""
    if error.code() in (KafkaError._PURGE_QUEUE, KafkaError._PURGE_INFLIGHT, KafkaError._STATE):
        return False  # these went down with another
    if error.code() == KafkaError.UNKNOWN_TOPIC_OR_PART:
        return True  # reported only after topic.metadata.propagation.max.ms: it is gone
    fact = fact_of(error.code())
    return fact.stored is Stored.NO and fact.retried is Retried.NO


_NOT_ALLOWED: Final = {
    KafkaError.TRANSACTIONAL_ID_AUTHORIZATION_FAILED: (
        "WRITE and DESCRIBE on the transactional id {name}"
    ),
    KafkaError.GROUP_AUTHORIZATION_FAILED: "READ on the group {name}",
    KafkaError.CLUSTER_AUTHORIZATION_FAILED: "IDEMPOTENT_WRITE on the cluster",
}


def _explained(error: KafkaError, name: str) -> Exception:
    right = _NOT_ALLOWED.get(error.code())
    if right is not None:
        return NotAllowed(
            f"The cluster refuses it: {error.str()}. Grant {right.format(name=name)}, or plan it "
            f"anew with the ledger instead of transactions."
        )
    if error.code() in (KafkaError.UNSUPPORTED_VERSION, KafkaError._UNSUPPORTED_FEATURE):
        return NotAllowed(
            f"The cluster knows no transactions: {error.str()}. Plan it anew with the ledger."
        )
    return Interrupted(error.str())


def require_header_name(name: str) -> None:
    """Raise ValueError for a name that confluent-kafka 2.16 mistreats: one that is no UTF-8 (JSON
    can hold half a surrogate pair) crashes the process, and one with a NUL is cut there."""
    name.encode("utf-8")
    if "\0" in name:
        raise ValueError(f"the header name {name!r} holds a NUL and would be cut there")


def _discard(producer: Producer) -> None:
    try:
        producer.purge()
        producer.flush(2.0)
        producer.close()
    except (KafkaException, SystemError) as error:
        log.info("replay: while closing a producer: %s", error)
