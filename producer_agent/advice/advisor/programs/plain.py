"""Part of a program: sends one event at a time, and accounts for each."""

from __future__ import annotations

import logging
import time
from functools import partial

from confluent_kafka import KafkaError, KafkaException, Message, Producer

from producer_agent.advice.advisor.programs.dead_letters import DeadLetters
from producer_agent.advice.advisor.programs.settings import CONFIG, PATIENCE_S, TOPIC

log = logging.getLogger(TOPIC)


class Sender:
    """Sends events; each is in the end counted as sent, or kept as a dead letter."""

    def __init__(self, bootstrap: str, _instance: str, letters: DeadLetters) -> None:
        self._letters = letters
        self._producer = Producer({**CONFIG, "bootstrap.servers": bootstrap})
        self.sent = 0

    def send(self, key: bytes | None, value: bytes) -> None:
        """Queue one event; waits while the queue is full, as long as delivery may take.

        Raises KafkaException after a fatal error: the process has to be started anew.
        """
        give_up = time.monotonic() + PATIENCE_S
        while True:
            try:
                self._producer.produce(
                    TOPIC, value, key, on_delivery=partial(self._reported, key, value)
                )
                break
            except BufferError:
                # The cluster is slower than the events: whoever feeds us has to wait.
                if time.monotonic() > give_up:
                    self._letters.keep(key, value, KafkaError(KafkaError._QUEUE_FULL))
                    break
                self._producer.poll(0.1)
            except KafkaException as refusal:
                error: KafkaError = refusal.args[0]
                self._letters.keep(key, value, error)
                if error.code() == KafkaError._FATAL:
                    raise
                break
        self.poll()

    def poll(self) -> None:
        """Serve delivery reports; call it at least every second, also when idle."""
        self._producer.poll(0)
        self._letters.poll()

    def close(self) -> None:
        """Wait for what is under way, and keep what is left as dead letters."""
        log.info("waiting for %d events", len(self._producer))
        self._flush(PATIENCE_S)
        if left := len(self._producer):
            log.error("%d events are left, and given up", left)
            self._producer.purge()
            self._flush(5)

    def _flush(self, seconds: float) -> None:
        try:
            self._producer.flush(seconds)
        except KafkaException as error:  # a fatal one; what is under way is purged next
            log.critical("%s", error.args[0].str())

    def _reported(
        self, key: bytes | None, value: bytes, error: KafkaError | None, _message: Message
    ) -> None:
        if error is None or error.code() == KafkaError.DUPLICATE_SEQUENCE_NUMBER:
            self.sent += 1  # a duplicate sequence number is a retry of what is stored
        else:
            self._letters.keep(key, value, error)
