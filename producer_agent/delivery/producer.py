"""The recording producer: librdkafka's producer with a poll thread and a recorder around it."""

from __future__ import annotations

import json
import logging
import threading
import time
from collections.abc import Callable, Mapping
from typing import Any

from confluent_kafka import KafkaError, KafkaException, Producer

from producer_agent.delivery.recorder import Recorder
from producer_agent.kafka.attempts import AttemptLog
from producer_agent.store.clock import now_us

log = logging.getLogger(__name__)

POLL_S = 0.05
LATE_POLL_S = 0.25
"""A poll that comes later than this spoils latencies: ``Message.latency()`` is taken by poll."""

LATE_POLL_LOG_S = 10.0

STATISTICS_MS = 5_000


class RecordingProducer:
    """Sends events and records every outcome; polls in a thread of its own.

    Args:
        config: librdkafka configuration, connection included.
        make_recorder: Called with the producer's attempt log.
        name: For threads and logs.
        on_statistics: Called with librdkafka's statistics, decoded, every 5 s.

    Raises:
        KafkaException: librdkafka refuses the configuration.
    """

    def __init__(
        self,
        config: Mapping[str, Any],
        make_recorder: Callable[[AttemptLog], Recorder],
        name: str,
        on_statistics: Callable[[dict[str, Any]], None] | None = None,
    ) -> None:
        self._name = name
        self._attempts = AttemptLog(name)
        self._on_statistics = on_statistics
        self._config: dict[str, Any] = {
            **config,
            "debug": "msg",
            "error_cb": self._error,
        }
        if on_statistics is not None:
            self._config["statistics.interval.ms"] = STATISTICS_MS
            self._config["stats_cb"] = self._statistics
        self.recorder = make_recorder(self._attempts)
        self.last_error: tuple[int, str] | None = None
        """``(when in us, what)`` of the last error of the connection or the client."""
        self._producer = self._make()
        self._remake = threading.Event()
        self.send = self.recorder.sender(self._producer.produce, self._remake.set)
        """``send(sequence, event, sent_us)``: hand one event over; nothing is raised, as whatever
        happens becomes its outcome."""
        self._stop = threading.Event()
        self._draining = threading.Event()
        self._warn_again_s = 0.0
        self._thread = threading.Thread(target=self._poll, name=f"poll-{name}", daemon=True)
        self._thread.start()

    @property
    def outstanding(self) -> int:
        """Events handed over whose report has not been served yet."""
        return len(self._producer)

    @property
    def client(self) -> Producer:
        """The producer underneath, for transactions and metadata. Never poll it yourself."""
        return self._producer

    def drain(self, timeout_s: float) -> int:
        """Wait until every report was served; returns how many are still outstanding."""
        deadline = time.monotonic() + timeout_s
        self._draining.set()
        try:
            while self.outstanding and time.monotonic() < deadline and self._thread.is_alive():
                self._stop.wait(0.01)
        finally:
            self._draining.clear()
        return self.outstanding

    def close(self, timeout_s: float) -> None:
        """Wait for reports up to ``timeout_s``, then purge; what is purged is ``unresolved``.

        Every event handed over has an outcome in the recorder when this returns.
        """
        if self.drain(timeout_s):
            log.warning(
                "%s: %d events unreported after %.1f s are unresolved",
                self._name,
                self.outstanding,
                timeout_s,
            )
            self.recorder.closing = True
            self._purge()
        self._stop.set()
        self._thread.join()
        self.recorder.flush(force=True)
        self._producer.close()

    def _make(self) -> Producer:
        return Producer(self._config, logger=self._attempts)

    def _poll(self) -> None:
        """The poll thread's life."""
        ended_s = time.monotonic()
        while not self._stop.is_set():
            began_s = time.monotonic()
            try:
                if self._draining.is_set():
                    # It polls as well, and lets what is batched leave at once, whatever linger.ms.
                    self._producer.flush(POLL_S)
                else:
                    self._producer.poll(POLL_S)
            except (KafkaException, SystemError) as error:
                # Fatal errors bypass error_cb: they surface here, some as a SystemError.
                self._note(f"fatal: {error}")
                self._remake.set()
            # A report could not be served between two polls, nor while poll() itself took longer
            # than its wait: it had lots of callbacks to make, or hungered for the interpreter.
            late_s = max(began_s - ended_s, time.monotonic() - began_s - POLL_S)
            ended_s = time.monotonic()
            if late_s > LATE_POLL_S:
                self.recorder.count("late_polls")
                self._warn_of_late_poll(late_s)
            try:
                if self._remake.is_set():
                    self._replace()
                self.recorder.flush()
            except Exception:
                # Without this thread no report would ever be served again: go on, whatever it was.
                log.exception("%s: in the poll thread", self._name)

    def _warn_of_late_poll(self, late_s: float) -> None:
        """Log it, unless that was done just now: they come in bursts, and all are counted."""
        now_s = time.monotonic()
        if now_s >= self._warn_again_s:
            self._warn_again_s = now_s + LATE_POLL_LOG_S
            log.warning("%s: reports were served %.0f ms late", self._name, late_s * 1e3)

    def _replace(self) -> None:
        """After a fatal error: settle what the old producer holds, go on with a new one."""
        old = self._producer
        log.error("%s: the producer had a fatal error and is made anew", self._name)
        self._purge()
        self._producer = self._make()
        self.send = self.recorder.sender(self._producer.produce, self._remake.set)
        deadline = time.monotonic() + 10.0
        while len(old) and time.monotonic() < deadline:
            try:
                old.poll(POLL_S)
            except (KafkaException, SystemError) as error:
                log.debug("%s: while settling a dead producer: %s", self._name, error)
        self._remake.clear()

    def _purge(self) -> None:
        try:
            self._producer.purge(in_queue=True, in_flight=True, blocking=True)
        except KafkaException as error:
            log.warning("%s: purge: %s", self._name, error)
        deadline = time.monotonic() + 5.0
        while self._thread.is_alive() and self.outstanding and time.monotonic() < deadline:
            if threading.current_thread() is self._thread:
                return  # the caller polls
            self._stop.wait(0.01)

    def _error(self, error: KafkaError) -> None:
        self._note(f"{error.name()}: {error.str()}")
        if error.fatal():
            self._remake.set()

    def _note(self, text: str) -> None:
        self.last_error = (now_us(), text)
        log.info("%s: %s", self._name, text)

    def _statistics(self, text: str) -> None:
        if self._on_statistics is None:
            return
        try:
            self._on_statistics(json.loads(text))
        except Exception:
            # A callback must never raise into poll().
            log.exception("%s: statistics could not be read", self._name)
