"""One run: a producer under one profile from start to stop."""

from __future__ import annotations

import logging
import threading
import time
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

from confluent_kafka import KafkaException, Producer

from producer_agent.delivery.events import Event, EventSource
from producer_agent.delivery.pacer import Pacer
from producer_agent.delivery.producer import RecordingProducer
from producer_agent.delivery.profiles import Profile
from producer_agent.delivery.recorder import Recorder
from producer_agent.delivery.statistics_recording import StatisticsRecording
from producer_agent.kafka.attempts import AttemptLog
from producer_agent.kafka.retriable import ask
from producer_agent.store import runs
from producer_agent.store.clock import now_us
from producer_agent.store.writer import Writer

log = logging.getLogger(__name__)

LONGEST_SLEEP_S = 0.1
"""How soon a stop or a new rate is noticed."""

SETTLE_S = 10.0
"""How long a stopped run waits for outstanding reports before it calls them unresolved."""

COMMIT_S = 30.0
ABORT_S = 30.0
INIT_S = 10.0
"""How long a transaction may take to commit, to abort, and to be allowed at all."""

Watermarks = Mapping[int, tuple[int, int]]


@dataclass(frozen=True, slots=True)
class RunLimits:
    """When a run ends by itself; None: not on that account."""

    events: int | None = None
    seconds: float | None = None


@dataclass(frozen=True, slots=True)
class RunStatus:
    """A run as it stands now."""

    uuid: str
    profile: str
    acks: str
    topic: str
    rate: float
    """Events a second it is asked to send."""
    accepted: int
    outstanding: int
    started_us: int
    paused_because: str | None
    """Why it does not send although it runs, or None."""
    last_error: tuple[int, str] | None


class ProducerRun:
    """Sends a profile's events at its rate and records every outcome.

    Args:
        profile: Frozen for this run.
        connection: librdkafka properties that reach the cluster.
        writer: Where outcomes go.
        cluster: Row id of the cluster.
        watermarks: Reads ``{partition: (low, high)}`` of a topic, or None if it can't.
        hold: Says why nothing may be sent just now (an outbox that is full, say), or None.
        limits: When it ends by itself.
    """

    def __init__(
        self,
        profile: Profile,
        connection: Mapping[str, Any],
        writer: Writer,
        cluster: int,
        watermarks: Callable[[str], Watermarks | None] = lambda _topic: None,
        hold: Callable[[], str | None] = lambda: None,
        limits: RunLimits | None = None,
    ) -> None:
        self.profile = profile
        self.uuid = uuid.uuid4()
        self.started_us = now_us()
        self._writer = writer
        self._watermarks = watermarks
        self._hold = hold
        self._limits = limits or RunLimits()
        self._source = EventSource(profile, self.uuid)
        self._pacer = Pacer(profile.workload.rate_per_s, time.monotonic())
        self._paused_because: str | None = None
        self._stop = threading.Event()
        self._end_reason = "stopped"
        self._broke: str | None = None
        self._row = writer.call(
            partial(
                runs.begin_run,
                uuid=self.uuid.hex,
                profile=profile.name,
                acks=profile.acks_label,
                body=profile.to_json(),
                cluster=cluster,
                topic=profile.workload.topic,
                watermarks=watermarks(profile.workload.topic),
            )
        )
        try:
            self._producer = RecordingProducer(
                {**connection, **profile.producer.librdkafka()},
                self._make_recorder,
                profile.name,
                StatisticsRecording(writer, self._row, profile.name),
            )
        except BaseException as error:
            writer.call(
                partial(
                    runs.end_run,
                    run=self._row.id,
                    reason=f"did not start: {error}",
                    watermarks=None,
                )
            )
            raise
        self._thread = threading.Thread(target=self._run, name=f"send-{profile.name}", daemon=True)

    def start(self) -> None:
        """Begin to send."""
        self._thread.start()

    @property
    def alive(self) -> bool:
        """Whether it still sends or waits for reports."""
        return self._thread.is_alive()

    @property
    def broke(self) -> str | None:
        """Why it ended by itself before it was asked to, or None."""
        return self._broke

    @property
    def id(self) -> int:
        """Row id of the run."""
        return self._row.id

    def set_rate(self, rate: float) -> None:
        """Change the events a second from now on."""
        self._pacer.set_rate(rate, time.monotonic())

    def set_oversize(self, on: bool) -> None:
        """The fault "message too large": every payload exceeds the client's limit while on."""
        self._source.oversize_all = on

    def set_partitions(self, n: int) -> None:
        """Send to each of so many partitions in turn from now on."""
        self._source.partitions = n

    def stop(self, reason: str = "stopped") -> None:
        """Ask it to end; :meth:`join` waits for that."""
        self._end_reason = reason
        self._stop.set()

    def join(self, timeout_s: float | None = None) -> None:
        """Wait until every outcome is recorded and the run's row is closed."""
        self._thread.join(timeout_s)

    def status(self) -> RunStatus:
        """How it stands."""
        return RunStatus(
            uuid=self.uuid.hex,
            profile=self.profile.name,
            acks=self.profile.acks_label,
            topic=self.profile.workload.topic,
            rate=self._pacer.rate,
            accepted=self._producer.recorder.accepted,
            outstanding=self._producer.outstanding,
            started_us=self.started_us,
            paused_because=self._paused_because,
            last_error=self._producer.last_error,
        )

    def _make_recorder(self, attempts: AttemptLog) -> Recorder:
        return Recorder(
            self._writer,
            self._row.id,
            self._row.series,
            self.profile.acks_label,
            attempts,
            second_topic=self.profile.workload.second_topic,
        )

    def _run(self) -> None:
        try:
            if self.profile.producer.is_transactional:
                self._send_in_transactions()
            else:
                self._send(lambda *event: self._producer.send(*event), lambda: None)
        except Exception as error:
            log.exception("run of %s broke", self.profile.name)
            self._broke = str(error)
            self._end_reason = f"broke: {error}"
        finally:
            self._finish()

    def _send(self, send: Callable[[int, Event, int], None], between: Callable[[], None]) -> None:
        """Send what is due until told to stop; ``between`` is called after every tick."""
        self._pacer = Pacer(self._pacer.rate, time.monotonic())
        ends_s = None if self._limits.seconds is None else time.monotonic() + self._limits.seconds
        sequence = 0
        recorder = self._producer.recorder
        while not self._stop.is_set():
            now_s = time.monotonic()
            if ends_s is not None and now_s >= ends_s:
                self._end_reason = "complete"
                return
            tick = self._pacer.take(now_s)
            if tick.events:
                self._paused_because = self._hold() or (
                    "the database cannot keep up" if recorder.overloaded else None
                )
                if self._paused_because is not None:
                    recorder.count("not_sent", tick.events)
                else:
                    sent_us = now_us()
                    end = sequence + tick.events
                    if self._limits.events is not None:
                        end = min(end, self._limits.events)
                    recorder.accepted = end
                    try:
                        while sequence < end:
                            send(sequence, self._source.make(sequence), sent_us)
                            sequence += 1
                    finally:
                        recorder.accepted = sequence
                    recorder.delays(sent_us // 1_000_000, list(tick.delays_us()))
                    if sequence == self._limits.events:
                        self._end_reason = "complete"
                        return
            between()
            self._stop.wait(min(self._pacer.wait_s(time.monotonic()), LONGEST_SLEEP_S))

    def _send_in_transactions(self) -> None:
        """Like :meth:`_send`, committing every ``transaction_ms``.

        An acknowledgement inside a transaction is no delivery until the commit, so the recorder
        holds it back; an abort turns it into a failure.
        """
        recorder, client = self._producer.recorder, self._producer.client
        recorder.holding = True
        opened: dict[int, tuple[Event, int]] = {}
        period_s = self.profile.workload.transaction_ms / 1000
        if not self._begin_transactions(client):
            return
        commit_s = time.monotonic() + period_s
        failed_before = recorder.failed_reports

        def send(sequence: int, event: Event, sent_us: int) -> None:
            opened[sequence] = (event, sent_us)
            self._producer.send(sequence, event, sent_us)

        def commit() -> None:
            nonlocal commit_s, failed_before
            commit_s = time.monotonic() + period_s
            if not opened:
                return
            try:
                ask(client.commit_transaction, COMMIT_S)
                recorder.commit()
                recorder.count("commits")
            except KafkaException as error:
                kafka_error = error.args[0]
                if kafka_error.fatal():
                    raise
                log.warning("%s: transaction aborted: %s", self.profile.name, kafka_error.str())
                ask(client.abort_transaction, ABORT_S)
                recorder.count("aborts")
                for sequence in recorder.abort():
                    event, sent_us = opened[sequence]
                    recorder.aborted(sequence, sent_us, event, kafka_error.str())
            opened.clear()
            failed_before = recorder.failed_reports
            client.begin_transaction()

        def between() -> None:
            # Once an event has failed, librdkafka refuses every further one until the abort.
            if time.monotonic() >= commit_s or recorder.failed_reports != failed_before:
                commit()

        try:
            self._send(send, between)
        finally:
            commit()

    def _begin_transactions(self, client: Producer) -> bool:
        """Take the transactional id and begin; waits out a cluster that is away. False: stopped."""
        while not self._stop.is_set():
            try:
                client.init_transactions(INIT_S)
                client.begin_transaction()
                return True
            except KafkaException as error:
                if not error.args[0].retriable():
                    raise
                self._paused_because = f"no transaction yet: {error.args[0].str()}"
                self._stop.wait(LONGEST_SLEEP_S)
        return False

    def _finish(self) -> None:
        """Settle every event and close the run's row, whatever happened before."""
        self._producer.close(SETTLE_S)
        try:
            self._producer.recorder.wait_recorded(30.0)
        except TimeoutError:
            log.error("%s: the database is blocked: %s", self.profile.name, self._writer.blocked)
        except Exception:
            # Those outcomes are missing, and so become unresolved: the run must be ended for that.
            log.exception("%s: its last outcomes could not be recorded", self.profile.name)
        watermarks = self._watermarks(self.profile.workload.topic)
        unresolved = self._writer.submit(
            partial(runs.end_run, run=self._row.id, reason=self._end_reason, watermarks=watermarks),
            must=True,
        )
        try:
            unresolved.result(30.0)
        except TimeoutError:
            log.error("%s: its end is not recorded yet", self.profile.name)
