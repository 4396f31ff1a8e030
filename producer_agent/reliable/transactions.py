"""Transactions, with the errors handled as confluent-kafka's documentation asks.

Retriable: asked again until the time is over. Abortable (``txn_requires_abort``): aborted, and
:class:`TransactionAborted` raised. Anything else is fatal. See librdkafka's INTRODUCTION.md,
"Transactional producer API", and the docstrings of ``confluent_kafka.Producer``.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Protocol

from confluent_kafka import Consumer, KafkaError, KafkaException, TopicPartition

from producer_agent.kafka.retriable import ask
from producer_agent.reliable.errors import (
    FatalProducerError,
    TransactionAborted,
    TransactionInDoubt,
    fatal,
)

log = logging.getLogger(__name__)


class Transactional(Protocol):
    """What of a producer is needed here; confluent-kafka's has it."""

    def init_transactions(self, timeout: float = -1) -> None:
        """Take the transactional id."""

    def begin_transaction(self) -> None:
        """Begin."""

    def commit_transaction(self, timeout: float = -1) -> None:
        """Commit."""

    def abort_transaction(self, timeout: float = -1) -> None:
        """Abort."""

    def send_offsets_to_transaction(
        self, positions: list[TopicPartition], group_metadata: Any, timeout: float = -1
    ) -> None:
        """Make offsets part of it."""


class Transaction:
    """The open transaction of a ``with producer.transaction()`` block."""

    def __init__(self, producer: Transactional, timeout_s: float) -> None:
        self._producer = producer
        self._timeout_s = timeout_s

    def send_offsets(
        self, consumer: Consumer, positions: Sequence[TopicPartition] | None = None
    ) -> None:
        """Commit what was consumed together with what is produced: both, or neither.

        Args:
            consumer: With ``enable.auto.commit`` off.
            positions: The next offset to consume, by partition; None: where the consumer stands
                in all that is assigned to it.

        Raises:
            KafkaException: as of ``send_offsets_to_transaction``; the block then aborts.
        """
        if positions is None:
            positions = consumer.position(consumer.assignment())
        # A partition that nothing was consumed of has no position, and a negative offset.
        known = [position for position in positions if position.offset >= 0]
        if known:
            metadata = consumer.consumer_group_metadata()
            ask(
                lambda step_s: self._producer.send_offsets_to_transaction(known, metadata, step_s),
                self._timeout_s,
            )


@contextmanager
def transaction(
    producer: Transactional, timeout_s: float, *, initialise: bool
) -> Iterator[Transaction]:
    """Begin a transaction; commit it where the block ends well, and abort it where it raises.

    Args:
        producer: With a ``transactional.id``.
        timeout_s: For each of initialising, committing and aborting.
        initialise: Whether this is the producer's first transaction.

    Raises:
        TransactionAborted: it could not be committed and was aborted; do it again if you like.
        TransactionInDoubt: committing got no answer in time.
        ProducerFenced, FatalProducerError: the producer is at its end.
        Whatever the block raised, once the transaction is aborted.
    """
    try:
        if initialise:
            ask(producer.init_transactions, timeout_s)
        producer.begin_transaction()
    except KafkaException as raised:
        # Not retriable and nothing to abort yet: "treat any other error as a fatal error".
        if raised.args[0].retriable():
            raise
        raise _as_fatal(raised) from raised
    try:
        yield Transaction(producer, timeout_s)
    except KafkaException as raised:
        error = raised.args[0]
        if isinstance(raised, FatalProducerError) or error.fatal():
            raise _as_fatal(raised) from raised
        _abort(producer, timeout_s, raised)
        if error.txn_requires_abort():
            raise _aborted(error) from raised
        raise
    except BaseException as raised:
        _abort(producer, timeout_s, raised)
        raise
    _commit(producer, timeout_s)


def _commit(producer: Transactional, timeout_s: float) -> None:
    try:
        ask(producer.commit_transaction, timeout_s)
    except KafkaException as raised:
        error = raised.args[0]
        if error.txn_requires_abort():
            _abort(producer, timeout_s, raised)
            raise _aborted(error) from raised
        if error.retriable():
            raise TransactionInDoubt(
                error,
                "Whether the transaction was committed is not known: call commit_transaction() "
                "again, or make a new producer with the same transactional.id",
            ) from raised
        raise _as_fatal(raised) from raised


def _abort(producer: Transactional, timeout_s: float, because: BaseException) -> None:
    """Abort; where that fails, say so: the broker aborts by itself once the transaction's time is
    over, and the reason for the abort matters more to the caller than this."""
    try:
        ask(producer.abort_transaction, timeout_s)
    except KafkaException as raised:
        error = raised.args[0]
        if not error.retriable():
            raise _as_fatal(raised) from because
        log.error(
            "a transaction could not be aborted within %g s (%s); the broker aborts it after "
            "transaction.timeout.ms",
            timeout_s,
            error.str(),
        )


def _aborted(error: KafkaError) -> TransactionAborted:
    return TransactionAborted(
        error, "The transaction was aborted and none of its records will be seen: do it again"
    )


def _as_fatal(raised: KafkaException) -> FatalProducerError:
    return raised if isinstance(raised, FatalProducerError) else fatal(raised.args[0])
