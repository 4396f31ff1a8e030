"""The clerk: judges each failure, enters it in the book, tells it, and sends its letter on its way.

Delivery callbacks hold the clerk and not the producer: a callback whose report never comes must
not keep a producer alive that nobody else holds any more.
"""

from __future__ import annotations

from collections.abc import Callable

from confluent_kafka import KafkaError

from producer_agent.delivery.errors import Stored, fact_of
from producer_agent.delivery.judgement import Judgement, judge
from producer_agent.kafka.attempts import AttemptLog
from producer_agent.reliable.book import Book
from producer_agent.reliable.failures import Failure, FailureLog
from producer_agent.reliable.letters import DeadLetterSender
from producer_agent.reliable.recording import Recording
from producer_agent.store.clock import now_us
from producer_agent.store.headers import Headers

Payload = str | bytes | bytearray | memoryview | None

OnFailure = Callable[[Failure], None]

_PURGED = frozenset({KafkaError._PURGE_QUEUE, KafkaError._PURGE_INFLIGHT})

_OF_THE_PRODUCER = frozenset(
    {
        KafkaError._FATAL,
        KafkaError._FENCED,
        KafkaError._PREV_IN_PROGRESS,
        KafkaError._QUEUE_FULL,
        KafkaError._STATE,
    }
)
"""``produce()`` raises these whatever the record: the caller has to mend the producer first, and
still holds the record."""

ABORTED = "TRANSACTION_ABORTED"


class Clerk:
    """What happens to the records of one producer that are not acknowledged.

    Args:
        profile: The name that they are told under.
        book: Where they are entered.
        attempts: The producer's log of attempts.
        log: Tells them.
        on_failure: The user's own ear, or None. It may raise, as a delivery callback may.
    """

    def __init__(
        self,
        profile: str,
        book: Book,
        attempts: AttemptLog,
        log: FailureLog,
        on_failure: OnFailure | None,
    ) -> None:
        self.book = book
        self.recording: Recording | None = None
        self.letters: DeadLetterSender | None = None
        """None: nothing is dead-lettered."""
        self.aborting = False
        """A transaction is being aborted: what is purged now is part of it."""
        self.purging = False
        """The user purged: what is purged is no loss to be dead-lettered."""
        self.closing = False
        """The producer ends: what is purged now is unresolved."""
        self.profile = profile
        self._run = book.run.hex
        self._attempts = attempts
        self._log = log
        self._on_failure = on_failure

    @property
    def is_at_work_here(self) -> bool:
        """Whether the calling thread is one of the producer's own."""
        helpers = (self.recording, self.letters)
        return any(helper is not None and helper.is_this_thread for helper in helpers)

    def failed(
        self,
        sequence: int,
        sent_us: int,
        topic: str,
        partition: int | None,
        key: Payload,
        value: Payload,
        headers: Headers,
        error: KafkaError,
    ) -> None:
        """A delivery report told an error."""
        judged = judge(error, topic, partition, sent_us, self._attempts)
        purged = judged.code in _PURGED
        if purged and (self.aborting or self.book.in_transaction):
            self.aborted(sequence, sent_us, topic, judged.partition, key, value, headers)
            return
        if purged and self.closing:
            return  # it is left open, and :meth:`end` counts it
        on_purpose = self.book.in_transaction or (purged and self.purging)
        self._enter(
            self._failure("failed", sequence, sent_us, key, value, headers, judged, not on_purpose)
        )

    def rejected(
        self,
        sequence: int,
        topic: str,
        partition: int,
        key: Payload,
        value: Payload,
        headers: Headers,
        error: KafkaError,
    ) -> None:
        """``produce()`` raised: there will be no report. The caller is told by the exception."""
        at_us = now_us()
        self._enter(
            Failure(
                run=self._run,
                sequence=sequence,
                profile=self.profile,
                outcome="rejected",
                topic=topic,
                partition=None if partition < 0 else partition,
                key=_bytes(key),
                value=_bytes(value),
                headers=headers,
                code=error.code(),
                code_name=fact_of(error.code()).name,
                reason=error.str(),
                stored=Stored.NO,
                cause=fact_of(error.code()).name,
                sent_us=at_us,
                settled_us=at_us,
                attempts=None,
                dead_letter=self._wanted(
                    error.code() not in _OF_THE_PRODUCER and not self.book.in_transaction
                ),
            ),
            told=True,
        )

    def aborted(
        self,
        sequence: int,
        sent_us: int,
        topic: str,
        partition: int | None,
        key: Payload = None,
        value: Payload = None,
        headers: Headers = (),
    ) -> None:
        """The record's transaction was aborted; the caller knows, and does it again or does not,
        so it is neither logged one by one nor dead-lettered."""
        self._enter(
            Failure(
                run=self._run,
                sequence=sequence,
                profile=self.profile,
                outcome="failed",
                topic=topic,
                partition=partition,
                key=_bytes(key),
                value=_bytes(value),
                headers=headers,
                code=None,
                code_name=ABORTED,
                reason="its transaction was aborted",
                stored=Stored.NO,
                cause=ABORTED,
                sent_us=sent_us,
                settled_us=now_us(),
                attempts=None,
                dead_letter=False,
            ),
            told=True,
        )

    def end(self) -> int:
        """Nothing more will come. Returns how many records are unresolved."""
        unused, self.book.unused = list(self.book.unused), self.book.unused.__class__()
        for sequence in unused:
            # Numbers that the queue had no room for, and that no later record took on.
            error = KafkaError(KafkaError._QUEUE_FULL)
            self.rejected(sequence, self.book.first_topic, -1, None, None, (), error)
        return self.book.end()

    def _failure(
        self,
        outcome: str,
        sequence: int,
        sent_us: int,
        key: Payload,
        value: Payload,
        headers: Headers,
        judged: Judgement,
        dead_letter: bool,
    ) -> Failure:
        return Failure(
            run=self._run,
            sequence=sequence,
            profile=self.profile,
            outcome=outcome,
            topic=judged.topic,
            partition=judged.partition,
            key=_bytes(key),
            value=_bytes(value),
            headers=headers,
            code=judged.code,
            code_name=judged.code_name,
            reason=judged.reason,
            stored=judged.stored,
            cause=judged.cause,
            sent_us=sent_us,
            settled_us=judged.settled_us,
            attempts=judged.attempts,
            dead_letter=self._wanted(dead_letter),
        )

    def _wanted(self, dead_letter: bool) -> bool:
        return dead_letter and self.letters is not None

    def _enter(self, failure: Failure, *, told: bool = False) -> None:
        waits = self.recording is not None and self.recording.takes_letters
        kept = self.book.fail(failure, letter_elsewhere=not waits)
        if failure.dead_letter and self.letters is not None and not (kept and waits):
            self.letters.send(failure)
        if told:
            return
        self._log.tell(failure)
        if self._on_failure is not None:
            self._on_failure(failure)


def _bytes(payload: Payload) -> bytes | None:
    if payload is None or isinstance(payload, bytes):
        return payload
    return payload.encode() if isinstance(payload, str) else bytes(payload)
