"""Exactly once by transactions.

One transactional id a plan; each batch is a transaction that also carries the number of the next
batch as a committed offset of a group of the plan's own. A producer that comes after a crash
fences the one before, and reads from the group how far it came.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from confluent_kafka import Consumer, KafkaError, KafkaException, Producer, TopicPartition

from producer_agent.replay.culprits import culprits
from producer_agent.replay.produced_batch import (
    ProducedBatch,
    blamed,
    discard,
    producer_config,
)
from producer_agent.replay.sender import BatchTooLarge, Interrupted, NotAllowed, Outgoing, Sent

log = logging.getLogger(__name__)

TRANSACTION_TIMEOUT_MS = 60_000
ADMIN_TIMEOUT_S = 15.0
TRIALS = 3


class TransactionalSender:
    """See the module and :class:`sender.Sender`.

    Args:
        connection: librdkafka properties that reach the cluster.
        plan: The plan's uuid, 32 hex digits.
        mark_topic: A topic that is there, for the group offset that each transaction carries: the
            broker takes none of a topic it does not know.
        gives_up: Whether to wait no longer: the agent ends, and the next one goes on.
        tell: Called with what it does where that takes time.
        compression: librdkafka's name, or None.
        batch_bytes: The largest produce batch.
    """

    def __init__(
        self,
        connection: Mapping[str, Any],
        plan: str,
        mark_topic: str,
        gives_up: Callable[[], bool],
        tell: Callable[[str], None],
        compression: str | None = None,
        batch_bytes: int = 1_000_000,
    ) -> None:
        self.name = f"ackboard-replay-{plan}"
        self._mark_topic = mark_topic
        self._gives_up = gives_up
        self._tell = tell
        self._producer = Producer(
            {
                **producer_config(connection, compression, batch_bytes),
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
        self._batch = ProducedBatch()
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
            raise _explained(at.error, self.name)
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
        self._batch.wait(self._producer, self._gives_up)
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

    def close(self) -> None:
        """See :class:`Sender`."""
        discard(self._producer)
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
        if self._gives_up():
            raise Interrupted("the agent ends")
        batch = self._batch
        self._abort()
        blame = blamed(batch.failed, batch.sent.refused)
        if not blame.refused and not blame.suspects:
            raise Interrupted(_why(batch))
        return Sent(refused=blame.refused | self._guilty(batch.records, blame.suspects))

    def _guilty(self, records: Sequence[Outgoing], suspects: Mapping[int, str]) -> dict[int, str]:
        """Which of the suspects the cluster refuses by itself.

        Raises:
            BatchTooLarge: none. Interrupted: the cluster did not say.
        """
        if not suspects:
            return {}
        self._tell("looking for the record that the cluster refuses")
        guilty = culprits(sorted(suspects), lambda some: self._takes([records[at] for at in some]))
        if not guilty:
            raise BatchTooLarge("the batch was too large for its topic; smaller ones follow")
        return {at: suspects[at] for at in guilty}

    def _takes(self, records: Sequence[Outgoing]) -> bool:
        """Whether the cluster takes these records; none of them lands.

        Raises:
            Interrupted: the cluster did not say.
        """
        for _ in range(TRIALS):
            batch = ProducedBatch()
            try:
                self._producer.begin_transaction()
            except KafkaException as error:
                raise _explained(error.args[0], self.name) from error
            batch.produce(self._producer, records)
            batch.wait(self._producer, self._gives_up)
            self._abort()
            if batch.is_whole:
                return True
            blame = blamed(batch.failed, batch.sent.refused)
            if blame.refused or blame.suspects:
                return False
            # After a refused request librdkafka 2.16 fails what comes next with "skipped sequence
            # numbers", whatever it is, until that transaction too is aborted.
        raise Interrupted(_why(batch))

    def _abort(self) -> None:
        try:
            self._producer.abort_transaction(ADMIN_TIMEOUT_S)
        except KafkaException as error:
            raise _explained(error.args[0], self.name) from error


def _why(batch: ProducedBatch) -> str:
    return next((error.str() for error in batch.failed.values()), "no acknowledgement in time")


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
