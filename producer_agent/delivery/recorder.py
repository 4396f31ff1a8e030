"""The recorder: gives each event its callback, and hands what became of it to the writer.

The callback runs once for every event, so it does as little as can be: an acknowledgement is five
numbers appended to a list. Everything else (packing, bins, SQL) is done in lots by the writer's
thread. No callback raises into ``poll()``: what goes wrong there is recorded as an outcome too.
"""

from __future__ import annotations

import logging
import threading
import time
from array import array
from collections.abc import Callable
from concurrent.futures import Future
from functools import partial

from confluent_kafka import KafkaError, KafkaException, Message

from producer_agent.delivery.errors import Stored, fact_of
from producer_agent.delivery.events import Event
from producer_agent.delivery.judgement import judge
from producer_agent.kafka.attempts import AttemptLog
from producer_agent.store.clock import now_us
from producer_agent.store.deliveries import OutcomeBatch, UndeliveredEvent, record
from producer_agent.store.lots import REPORT_WIDTH
from producer_agent.store.writer import Writer

log = logging.getLogger(__name__)

Send = Callable[[int, Event, int], None]

FLUSH_EVERY_S = 0.25
"""How long a report waits for others to be committed with."""

FLUSH_AT = 50_000
"""Reports that are handed on without waiting."""

MOST_BACKLOG = 2_000_000
"""Reports queued for the writer (some 80 MB) before a run stops producing."""


class Recorder:
    """Records the outcomes of one run. One thread polls and flushes; another sends.

    Args:
        writer: Where outcomes go.
        run: The run's row id.
        series: The row id of its (profile, acks).
        acks: ``"0"``, ``"1"`` or ``"all"``; offsets told under ``"0"`` are ignored, as there is
            nothing behind them.
        attempts: The producer's log of attempts.
        dead_letters: Whether what failed goes to the dead-letter queue.
        second_topic: A topic that events are sent to beside the run's own, or None.
    """

    def __init__(
        self,
        writer: Writer,
        run: int,
        series: int,
        acks: str,
        attempts: AttemptLog,
        *,
        dead_letters: bool = True,
        second_topic: str | None = None,
    ) -> None:
        self._writer = writer
        self._run = run
        self._series = series
        self._outcome = "unconfirmed" if acks == "0" else "delivered"
        self._attempts = attempts
        self._dead_letters = dead_letters
        self._second_topic = second_topic
        self._reports: list[float | None] = []
        self._second_reports: list[float | None] = []
        self._ready: list[float | None] = []
        self._second_ready: list[float | None] = []
        self._undelivered: list[UndeliveredEvent] = []
        self._delays: list[tuple[int, float, int]] = []
        self._counters: dict[tuple[int, str], int] = {}
        self._lock = threading.Lock()
        self._flushed_s = time.monotonic()
        self._last: Future[None] | None = None
        self.failed_reports = 0
        """Reports of a failure so far: within a transaction, the first makes an abort due."""
        self.accepted = 0
        """Sequences below this were handed to ``produce()``, or are about to be: whoever sends
        sets it before a tick's events, as an attribute an event is too dear."""
        self.holding = False
        """Acknowledgements wait for :meth:`commit` or :meth:`abort` of their transaction."""
        self.closing = False
        """The run is ending: what is purged now is unresolved, not failed."""

    def sender(self, produce: Callable[..., None], on_fatal: Callable[[], None]) -> Send:
        """A function ``send(sequence, event, sent_us)`` over a producer's ``produce``.

        Whatever happens to the event becomes its outcome; the function raises nothing.

        Args:
            produce: ``Producer.produce``.
            on_fatal: Called when the producer turns out to be dead.
        """
        first = self._sender(produce, on_fatal, self._reports)
        if self._second_topic is None:
            return first
        second = self._sender(produce, on_fatal, self._second_reports)
        second_topic = self._second_topic

        def send(sequence: int, event: Event, sent_us: int) -> None:
            (second if event.topic == second_topic else first)(sequence, event, sent_us)

        return send

    def _sender(
        self,
        produce: Callable[..., None],
        on_fatal: Callable[[], None],
        reports: list[float | None],
    ) -> Send:
        # One closure around everything that is needed for an event, and default arguments where
        # the callback needs its event: this runs once an event and is the price of recording
        # (bench/record.py), in which a comparison, an attribute or an empty list of headers can
        # be seen.
        extend = reports.extend
        failed = self._failed
        confirmed = self._outcome == "delivered"

        def send(sequence: int, event: Event, sent_us: int) -> None:
            if confirmed:

                def report(
                    error: KafkaError | None,
                    message: Message,
                    sequence: int = sequence,
                    sent_us: int = sent_us,
                    event: Event = event,
                ) -> None:
                    if error is None:
                        partition, offset = message.partition(), message.offset()
                        extend((sequence, sent_us, partition, offset, message.latency()))
                    else:
                        failed(sequence, sent_us, event, error, message)

            else:

                def report(
                    error: KafkaError | None,
                    message: Message,
                    sequence: int = sequence,
                    sent_us: int = sent_us,
                    event: Event = event,
                ) -> None:
                    if error is None:
                        # Whatever offset is told here, there is no broker's word behind it.
                        extend((sequence, sent_us, message.partition(), None, message.latency()))
                    else:
                        failed(sequence, sent_us, event, error, message)

            topic, partition, key, value, headers = event
            try:
                if headers:
                    produce(topic, value, key, partition, report, headers=headers)
                else:
                    produce(topic, value, key, partition, report)
            except BufferError:
                self.rejected(sequence, sent_us, event, KafkaError(KafkaError._QUEUE_FULL))
            except KafkaException as raised:
                if raised.args[0].code() == KafkaError._FATAL:
                    on_fatal()
                self.rejected(sequence, sent_us, event, raised.args[0])

        return send

    def rejected(self, sequence: int, sent_us: int, event: Event, error: KafkaError) -> None:
        """Record that ``produce()`` raised ``error``: the event never got a callback."""
        full = error.code() == KafkaError._QUEUE_FULL
        if full:
            self.count("queue_full")
        fact = fact_of(error.code())
        self._add(
            UndeliveredEvent(
                sequence=sequence,
                outcome="rejected",
                topic=event.topic,
                partition=event.known_partition,
                code=error.code(),
                code_name=fact.name,
                reason=error.str(),
                stored=Stored.NO.value,
                cause=fact.name,
                sent_us=sent_us,
                settled_us=now_us(),
                # A full queue is back-pressure on the sender and comes in thousands: counted,
                # its outcomes recorded, yet nothing that on-call could triage one by one.
                dead_letter=self._dead_letters and not full,
                key=event.key,
                value=event.value,
                headers=event.headers,
            )
        )

    def aborted(self, sequence: int, sent_us: int, event: Event, reason: str) -> None:
        """Record an event whose transaction was aborted after the broker had taken it."""
        self._add(
            UndeliveredEvent(
                sequence=sequence,
                outcome="failed",
                topic=event.topic,
                partition=event.known_partition,
                code=None,
                code_name="TRANSACTION_ABORTED",
                reason=reason,
                stored=Stored.NO.value,
                cause="TRANSACTION_ABORTED",
                sent_us=sent_us,
                settled_us=now_us(),
                dead_letter=self._dead_letters,
                key=event.key,
                value=event.value,
                headers=event.headers,
            )
        )

    def commit(self) -> None:
        """The transaction is committed: record the acknowledgements held back for it."""
        with self._lock:
            self._make_ready()

    def abort(self) -> list[int]:
        """The transaction is aborted: forget its acknowledgements, and tell whose they were."""
        with self._lock:
            taken = _take(self._reports) + _take(self._second_reports)
            return [int(sequence or 0) for sequence in taken[::REPORT_WIDTH]]

    def _make_ready(self) -> None:
        self._ready += _take(self._reports)
        self._second_ready += _take(self._second_reports)

    def delays(self, second: int, delays_us: list[tuple[float, int]]) -> None:
        """Record schedule delays: ``(microseconds, events)`` within ``second``."""
        with self._lock:
            self._delays += [(second, delay, n) for delay, n in delays_us]

    def count(self, counter: str, n: int = 1) -> None:
        """Add to a counter of the rollups, which are ``store.rollups.COUNTERS``."""
        key = (int(time.time()), counter)
        with self._lock:
            self._counters[key] = self._counters.get(key, 0) + n

    @property
    def overloaded(self) -> bool:
        """The writer is so far behind (a full disk, say) that nothing more should be sent."""
        return self._writer.backlog > MOST_BACKLOG

    def flush(self, *, force: bool = False) -> None:
        """Hand what has come in to the writer, if it is time to. Called after each poll."""
        reports_waiting = len(self._reports) + len(self._second_reports)
        waiting = reports_waiting // REPORT_WIDTH + len(self._undelivered)
        now_s = time.monotonic()
        if not force and waiting < FLUSH_AT and now_s - self._flushed_s < FLUSH_EVERY_S:
            return
        self._flushed_s = now_s
        with self._lock:
            delays, self._delays = self._delays, []
            counters, self._counters = self._counters, {}
            undelivered, self._undelivered = self._undelivered, []
            if not self.holding:
                self._make_ready()
            reports, second_reports = _packed(self._ready), _packed(self._second_ready)
            self._ready.clear()
            self._second_ready.clear()
        if second_reports:
            self._submit(
                OutcomeBatch(
                    run=self._run,
                    series=self._series,
                    outcome=self._outcome,
                    accepted=self.accepted,
                    reports=second_reports,
                    topic=self._second_topic,
                )
            )
        if not (reports or undelivered or delays or counters):
            return
        self._submit(
            OutcomeBatch(
                run=self._run,
                series=self._series,
                outcome=self._outcome,
                accepted=self.accepted,
                reports=reports,
                undelivered=undelivered,
                schedule_delays=delays,
                counters=[(second, counter, n) for (second, counter), n in counters.items()],
            )
        )

    def _submit(self, batch: OutcomeBatch) -> None:
        self._last = self._writer.submit(partial(record, batch=batch), must=True, weight=len(batch))

    def wait_recorded(self, timeout_s: float) -> None:
        """Flush, and wait until all of it is committed.

        Raises:
            TimeoutError: the writer could not in time; it goes on trying.
        """
        self.flush(force=True)
        if self._last is not None:
            self._last.result(timeout_s)

    def _add(self, event: UndeliveredEvent) -> None:
        with self._lock:
            self._undelivered.append(event)

    def _failed(
        self,
        sequence: int,
        sent_us: int,
        event: Event,
        error: KafkaError,
        message: Message,
    ) -> None:
        self.failed_reports += 1
        try:
            self._add(self._judge(sequence, sent_us, event, error, message))
        except Exception as broken:
            # A bug of ours must neither stop the poll loop nor lose the outcome.
            log.exception("the failure of event %d could not be examined", sequence)
            self._add(
                UndeliveredEvent(
                    sequence=sequence,
                    outcome="failed",
                    topic=message.topic() or "",
                    partition=None,
                    code=error.code(),
                    code_name=error.name(),
                    reason=f"{error.str()} (and its attempts could not be read: {broken})",
                    stored=Stored.MAYBE.value,
                    cause=error.name(),
                    sent_us=sent_us,
                    settled_us=now_us(),
                    dead_letter=self._dead_letters,
                    key=event.key,
                    value=event.value,
                    headers=event.headers,
                )
            )

    def _judge(
        self,
        sequence: int,
        sent_us: int,
        event: Event,
        error: KafkaError,
        message: Message,
    ) -> UndeliveredEvent:
        topic = message.topic() or event.topic
        judged = judge(error, topic, message.partition(), sent_us, self._attempts)
        purged = judged.code in (KafkaError._PURGE_QUEUE, KafkaError._PURGE_INFLIGHT)
        return UndeliveredEvent(
            sequence=sequence,
            outcome="unresolved" if purged and self.closing else "failed",
            topic=topic,
            partition=judged.partition,
            code=judged.code,
            code_name=judged.code_name,
            reason=judged.reason,
            stored=judged.stored.value,
            cause=judged.cause,
            sent_us=sent_us,
            settled_us=judged.settled_us,
            attempts=judged.attempts.to_json(),
            dead_letter=self._dead_letters,
            key=event.key,
            value=event.value,
            headers=event.headers,
        )


def _take(reports: list[float | None]) -> list[float | None]:
    # The callback may append at any moment, without the lock, as it must stay cheap: that is
    # safe since it appends whole reports at the end, while one taker at a time (hence the
    # lock) removes a prefix.
    taken = reports[:]
    del reports[: len(taken)]
    return taken


def _packed(reports: list[float | None]) -> array[float]:
    """The reports as doubles; an offset that was not told (acks=0, or a duplicate that the broker
    recognised) is -1."""
    try:
        return array("d", reports)  # type: ignore[arg-type]  # None is what is looked for
    except TypeError:
        return array("d", [-1.0 if number is None else number for number in reports])
