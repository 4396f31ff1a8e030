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
        self._open: dict[int, tuple[bytes | None, bytes]] = {}
        self._number = 0
        self.sent = 0

    def send(self, key: bytes | None, value: bytes) -> None:
        """Queue one event; waits while the queue is full, as long as delivery may take.

        Raises KafkaException after a fatal error: the process has to be started anew.
        """
        self._number += 1
        self._open[self._number] = (key, value)
        report = partial(self._reported, self._number)
        give_up = time.monotonic() + PATIENCE_S
        while True:
            try:
                self._producer.produce(TOPIC, value, key, on_delivery=report)
                break
            except BufferError:
                # The cluster is slower than the events: whoever feeds us has to wait.
                if time.monotonic() > give_up:
                    report(KafkaError(KafkaError._QUEUE_FULL), None)
                    break
                self.poll(0.1)
            except KafkaException as refusal:
                error: KafkaError = refusal.args[0]
                report(error, None)
                if error.code() == KafkaError._FATAL:
                    raise
                break
        self.poll()

    def poll(self, seconds: float = 0) -> None:
        """Serve delivery reports; call it at least every second, also when idle.

        Raises KafkaException after a fatal error.
        """
        self._letters.poll()
        try:
            self._producer.poll(seconds)
        except SystemError as lost:  # a callback ran while the fatal error was being raised
            raise KafkaException(KafkaError(KafkaError._FATAL)) from lost

    def close(self) -> None:
        """Wait for what is under way, and keep what is left as dead letters."""
        log.info("waiting for %d events", len(self._open))
        self._flush(PATIENCE_S)
        if self._open:
            log.error("%d events are left, and given up", len(self._open))
            self._producer.purge()
            self._flush(5)
        for number in list(self._open):
            self._reported(number, KafkaError(KafkaError._FAIL), None)

    def _flush(self, seconds: float) -> None:
        try:
            self._producer.flush(seconds)
        except (KafkaException, SystemError) as error:
            log.critical("a fatal error ended the waiting: %s", error)

    def _reported(self, number: int, error: KafkaError | None, _message: Message | None) -> None:
        if error is None or error.code() == KafkaError.DUPLICATE_SEQUENCE_NUMBER:
            self.sent += 1  # a duplicate sequence number is a retry of what is stored
        else:
            self._letters.keep(*self._open[number], error)
        del self._open[number]
