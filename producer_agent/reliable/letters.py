"""Dead letters without a database: a producer of their own, straight to the dead-letter topic.

Its letters are the same as those that Ackboard's agent publishes (``dead_letters/envelope.py``),
and carry the same id for the same record, so that one published twice is one letter on the board.
"""

from __future__ import annotations

import logging
import queue
import threading
import time
from collections.abc import Callable, Mapping
from typing import Any

from confluent_kafka import KafkaError, KafkaException, Message, Producer

from producer_agent.dead_letters.envelope import LETTER_HEADER, Carried, FailedEvent, wrap
from producer_agent.reliable.failures import Failure

MOST_WAITING = 10_000
"""Letters that wait for the cluster; with the payloads of their records."""

MOST_WAITING_BYTES = 64 * 1024 * 1024
RETRY_S = 1.0
POLL_S = 0.1

_TOO_LARGE = (KafkaError.MSG_SIZE_TOO_LARGE, KafkaError.RECORD_LIST_TOO_LARGE)

_CONNECTION = ("bootstrap.servers", "metadata.broker.list", "client.id", "oauth_cb")
_CONNECTION_PREFIXES = ("security.", "ssl.", "sasl.", "socket.", "broker.", "reconnect.")
"""Properties that say how the cluster is reached; the rest of a configuration is left behind, as
letters are sent with the safest there is."""


def connection_of(config: Mapping[str, Any]) -> dict[str, Any]:
    """The properties of ``config`` that reach the cluster."""
    return {
        name: value
        for name, value in config.items()
        if name in _CONNECTION or name.startswith(_CONNECTION_PREFIXES)
    }


class DeadLetterSender:
    """Publishes failures in a thread of its own, which starts with the first one.

    A letter is tried until the broker has acknowledged it or :meth:`close` gives up.

    Args:
        config: The configuration of the producer whose records failed.
        topic: The dead-letter topic.
        lost: Called for each letter that is given up.
        logger: Where that is told.
    """

    def __init__(
        self,
        config: Mapping[str, Any],
        topic: str,
        lost: Callable[[], None],
        logger: logging.Logger,
    ) -> None:
        self._config: dict[str, Any] = {
            **connection_of(config),
            "acks": "all",
            "enable.idempotence": True,
            "delivery.timeout.ms": 15_000,
            "request.timeout.ms": 10_000,
            "linger.ms": 5,
            "topic.metadata.propagation.max.ms": 5_000,
            # As large as librdkafka allows: whether a letter fits is for the topic to say.
            "message.max.bytes": 100_000_000,
            "error_cb": lambda error: logger.info("dead letters: %s", error),
        }
        self._topic = topic
        self._lost = lost
        self._logger = logger
        self._waiting: queue.SimpleQueue[tuple[Failure, Carried]] = queue.SimpleQueue()
        self._lock = threading.Lock()
        self._open = 0
        """Letters taken on, and neither acknowledged nor given up."""
        self._open_bytes = 0
        self._given_up = threading.Event()
        self._closing = threading.Event()
        self._warn_again_s = 0.0
        self._thread: threading.Thread | None = None

    @property
    def is_this_thread(self) -> bool:
        """Whether it is this object's thread that asks."""
        return threading.current_thread() is self._thread

    @property
    def open(self) -> int:
        """Letters that are not on their topic yet."""
        return self._open

    def send(self, failure: Failure) -> None:
        """Take a letter on. Never blocks; one too many is given up, and that is told."""
        size = _size(failure)
        with self._lock:
            taken = (
                not self._given_up.is_set()
                and self._open < MOST_WAITING
                and self._open_bytes + size <= MOST_WAITING_BYTES
            )
            if taken:
                self._open += 1
                self._open_bytes += size
                self._waiting.put((failure, Carried.ALL))
                if self._thread is None:
                    self._thread = threading.Thread(
                        target=self._run, name="ackboard-dead-letters", daemon=True
                    )
                    self._thread.start()
        if not taken:
            self._give_up(failure, "too many wait for the dead-letter topic")

    def close(self, timeout_s: float) -> int:
        """Publish what waits, for at most ``timeout_s``; returns how many were given up."""
        if self._thread is None:
            return 0
        self._closing.set()
        self._thread.join(timeout_s)
        if not self._thread.is_alive():
            return 0
        self._given_up.set()
        self._thread.join(POLL_S * 10)
        return self._open

    def _run(self) -> None:
        producer: Producer | None = None
        while not self._given_up.is_set():
            try:
                if producer is None:
                    producer = Producer(self._config, logger=self._logger)
                self._publish(producer)
                if self._closing.is_set() and not self._open:
                    break
            except Exception as error:  # noqa: BLE001 - told, and tried again
                # An idempotent producer may be dead for good after an error, and a new one is
                # cheap; and whatever it was, the application must not hear of it from here.
                self._warn(f"a new producer is made: {error}")
                if producer is not None:
                    _discard(producer)
                producer = None
                self._given_up.wait(RETRY_S)
        if producer is not None:
            _discard(producer)  # what it still holds comes back to those that wait
        left = 0
        while not self._waiting.empty():
            left += 1
            self._settle(self._waiting.get_nowait()[0])
            self._lost()
        if left:
            self._logger.error(
                "%d failed records were not dead-lettered: the cluster did not take them in time",
                left,
            )

    def _publish(self, producer: Producer) -> None:
        """Hand over what waits, and serve reports for a moment."""
        again: list[tuple[Failure, Carried]] = []
        try:
            waiting = self._waiting.get(timeout=POLL_S)
        except queue.Empty:
            waiting = None
        while waiting is not None:
            self._produce(producer, *waiting, again)
            try:
                waiting = self._waiting.get_nowait()
            except queue.Empty:
                waiting = None
        producer.poll(0 if not len(producer) else POLL_S)
        while self._closing.is_set() and len(producer) and not self._given_up.is_set():
            producer.flush(POLL_S)
        if again:
            for letter in again:
                self._waiting.put(letter)
            self._given_up.wait(RETRY_S)

    def _produce(
        self,
        producer: Producer,
        failure: Failure,
        carried: Carried,
        again: list[tuple[Failure, Carried]],
    ) -> None:
        def failed(error: KafkaError) -> None:
            if error.code() in _TOO_LARGE and carried is not Carried.NOTHING:
                self._waiting.put((failure, Carried(carried + 1)))
            elif error.code() in _TOO_LARGE:
                self._settle(failure)
                self._give_up(failure, "too large for the dead-letter topic even without payload")
            else:
                if not self._given_up.is_set():
                    self._warn(f"{error.name()}: {error.str()}; it is tried again")
                self._waiting.put((failure, carried))

        def report(error: KafkaError | None, _message: Message) -> None:
            if error is None:
                self._settle(failure)
            else:
                failed(error)

        event = _event(failure)
        try:
            producer.produce(
                self._topic,
                wrap(event, carried),
                None if carried is Carried.NOTHING else failure.key,
                on_delivery=report,
                headers=[(LETTER_HEADER, event.letter_id.encode())],
            )
        except BufferError:
            again.append((failure, carried))
        except KafkaException as raised:
            if raised.args[0].code() in _TOO_LARGE:
                failed(raised.args[0])
            else:
                again.append((failure, carried))
                self._warn(f"{raised.args[0].str()}; it is tried again")

    def _settle(self, failure: Failure) -> None:
        with self._lock:
            self._open -= 1
            self._open_bytes -= _size(failure)

    def _give_up(self, failure: Failure, why: str) -> None:
        self._lost()
        self._logger.error(
            "%s: record %d of run %s was not dead-lettered: %s",
            failure.profile,
            failure.sequence,
            failure.run,
            why,
            extra=failure.context(),
        )

    def _warn(self, text: str) -> None:
        now_s = time.monotonic()
        if now_s >= self._warn_again_s:
            self._warn_again_s = now_s + 10.0
            self._logger.warning("%s: a dead letter did not go: %s", self._topic, text)


def _size(failure: Failure) -> int:
    return len(failure.key or b"") + len(failure.value or b"")


def _event(failure: Failure) -> FailedEvent:
    return FailedEvent(
        letter_id=f"{failure.run}:{failure.sequence}",
        topic=failure.topic,
        partition=failure.partition,
        key=failure.key,
        value=failure.value,
        headers=failure.headers,
        error=failure.reason,
        error_code=failure.code,
        error_name=failure.code_name,
        outcome=failure.outcome,
        stored=failure.stored.value,
        run=failure.run,
        sequence=failure.sequence,
        profile=failure.profile,
        sent_us=failure.sent_us,
        failed_us=failure.settled_us,
        attempts=None if failure.attempts is None else failure.attempts.to_json(),
    )


def _discard(producer: Producer) -> None:
    try:
        producer.purge()
        producer.close()
    except (KafkaException, SystemError):
        # It was dead already; what it held is waiting again or was told as given up.
        return
