"""What a reliable producer raises beside confluent-kafka's own, each a ``KafkaException``.

``args[0]`` is the ``KafkaError`` as ever, so that code written for the bare client goes on working.
"""

from __future__ import annotations

from typing import NoReturn

from confluent_kafka import KafkaError, KafkaException

FENCED_CODES = frozenset({KafkaError._FENCED, KafkaError.PRODUCER_FENCED})


class ReliableProducerError(KafkaException):
    """A ``KafkaException`` whose text says what to do."""

    def __init__(self, error: KafkaError, text: str) -> None:
        super().__init__(error)
        self.error = error
        self._text = text

    def __str__(self) -> str:
        return f"{self._text} ({self.error.name()}: {self.error.str()})"


class FatalProducerError(ReliableProducerError):
    """The producer is dead: close it and make a new one. What was not reported is unresolved."""


class ProducerFenced(FatalProducerError):
    """Another producer has taken this one's ``transactional.id``; this one must end."""


class TransactionAborted(ReliableProducerError):
    """The transaction was aborted: none of its records will be seen. It may be done again, whole,
    with the same producer."""


class TransactionInDoubt(ReliableProducerError):
    """No answer came in time, so it is not known whether the transaction was committed.

    Call ``commit_transaction()`` again, or close the producer and make a new one with the same
    ``transactional.id``: its first transaction waits until this one is settled.
    """


def fatal(error: KafkaError) -> FatalProducerError:
    """The exception for an error that ends the producer."""
    if error.code() in FENCED_CODES:
        return ProducerFenced(
            error,
            "Another producer uses the same transactional.id and has fenced this one: close it, "
            "and let only one instance at a time use that id",
        )
    return FatalProducerError(
        error,
        "The producer had a fatal error and takes no more records: close it and make a new one; "
        "records without a report may be stored, so read back before you send them again",
    )


def raise_in_words(raised: KafkaException | SystemError) -> NoReturn:
    """Raise what librdkafka's ``poll()`` or ``flush()`` raised: a fatal error in words, and
    anything else (a callback's own, say) as it is.

    Some fatal errors come out of confluent-kafka 2.16 as the cause of a ``SystemError``.
    """
    found: BaseException | None = raised
    while isinstance(found, SystemError):
        found = found.__cause__ or found.__context__
    if isinstance(found, KafkaException) and not isinstance(found, FatalProducerError):
        error = found.args[0] if found.args else None
        if isinstance(error, KafkaError) and error.fatal():
            raise fatal(error) from raised
    raise raised
