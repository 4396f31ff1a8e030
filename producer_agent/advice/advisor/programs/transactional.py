"""Part of a program: writes events to several topics, all or nothing."""

from __future__ import annotations

import logging
import time
from functools import partial

from confluent_kafka import KafkaError, KafkaException, Message, Producer

from producer_agent.advice.advisor.programs.dead_letters import DeadLetters
from producer_agent.advice.advisor.programs.settings import (
    COMMIT_EVERY_S,
    CONFIG,
    PATIENCE_S,
    TOPIC,
    TOPICS,
)

log = logging.getLogger(TOPIC)

Event = tuple[bytes | None, bytes]

MOST_IN_A_TRANSACTION = 1000
MOST_ATTEMPTS = 3
# Errors that lie in the event itself: it would be refused again, and is taken out.
OF_THE_EVENT = frozenset(
    {
        KafkaError.MSG_SIZE_TOO_LARGE,
        KafkaError.INVALID_MSG,
        KafkaError.INVALID_RECORD,
        KafkaError.INVALID_TIMESTAMP,
        KafkaError.POLICY_VIOLATION,
    }
)


class Sender:
    """Writes events to every one of TOPICS in transactions of COMMIT_EVERY_S."""

    def __init__(self, bootstrap: str, instance: str, letters: DeadLetters) -> None:
        self._letters = letters
        self._producer = Producer(
            {
                **CONFIG,
                "bootstrap.servers": bootstrap,
                # The same after a restart, another for each instance that runs beside it.
                "transactional.id": f"{TOPIC}-{instance}",
            }
        )
        self._producer.init_transactions(PATIENCE_S)
        self._waiting: list[Event] = []
        self._since = time.monotonic()
        self._refused: dict[Event, KafkaError] = {}
        self.sent = 0

    def send(self, key: bytes | None, value: bytes) -> None:
        """Take one event into the transaction that is next.

        Raises KafkaException after a fatal error: the process has to be started anew.
        """
        if not self._waiting:
            self._since = time.monotonic()
        self._waiting.append((key, value))
        self.poll()

    def poll(self) -> None:
        """Commit when it is time; call it at least every second, also when idle."""
        self._letters.poll()
        full = len(self._waiting) >= MOST_IN_A_TRANSACTION
        if full or (self._waiting and time.monotonic() - self._since >= COMMIT_EVERY_S):
            self._write()

    def close(self) -> None:
        """Write what still waits."""
        try:
            if self._waiting:
                self._write()
        except KafkaException as error:
            log.critical("a fatal error ended the last transaction: %s", error)

    def _write(self) -> None:
        """Write all that waits, or keep it as dead letters; nothing is read by halves."""
        error = KafkaError(KafkaError._FAIL)
        attempts = 0
        while self._waiting and attempts < MOST_ATTEMPTS:
            attempts += 1
            self._refused.clear()
            try:
                self._transaction()
            except KafkaException as failure:
                error = failure.args[0]
                log.warning("a transaction failed: %s", error.str())
                if error.fatal() or not self._abort():
                    self._give_up(error)
                    raise
                self._take_out_refused()
                if self._refused:
                    attempts = 0  # the others have not been tried without it
            else:
                self.sent += len(self._waiting)
                self._waiting = []
        self._give_up(error)

    def _abort(self) -> bool:
        """End the transaction so that nothing of it is read; False if that cannot be."""
        give_up = time.monotonic() + PATIENCE_S
        while True:
            try:
                self._producer.abort_transaction(PATIENCE_S)
                return True
            except KafkaException as failure:
                if not failure.args[0].retriable() or time.monotonic() > give_up:
                    return False

    def _take_out_refused(self) -> None:
        for event in self._waiting:
            if event in self._refused:
                self._letters.keep(*event, self._refused[event])
        self._waiting = [event for event in self._waiting if event not in self._refused]

    def _give_up(self, error: KafkaError) -> None:
        for event in self._waiting:
            self._letters.keep(*event, error)
        self._waiting = []

    def _transaction(self) -> None:
        self._producer.begin_transaction()
        for event in self._waiting:
            for topic in TOPICS:
                self._produce(topic, event)
        while True:
            try:
                self._producer.commit_transaction(PATIENCE_S)
                return
            except KafkaException as failure:
                if not failure.args[0].retriable():
                    raise

    def _produce(self, topic: str, event: Event) -> None:
        key, value = event
        while True:
            try:
                self._producer.produce(
                    topic, value, key, on_delivery=partial(self._reported, event)
                )
                return
            except BufferError:
                self._producer.poll(0.1)
            except KafkaException as refusal:
                self._reported(event, refusal.args[0], None)
                raise

    def _reported(self, event: Event, error: KafkaError | None, _message: Message | None) -> None:
        if error is not None and error.code() in OF_THE_EVENT:
            self._refused[event] = error
