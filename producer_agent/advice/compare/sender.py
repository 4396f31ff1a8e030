"""One turn: a producer of its own sends a round's events by the clock, and times each report.

It runs in a process of its own (see ``worker.py``) and in one thread there: what is due is handed
over, then reports are served until the next event is due. With a thread for each, the two would
wait for one another's hold on the interpreter, up to 5 ms at a time, and that would be measured.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable
from functools import partial
from typing import Final

import numpy as np
from confluent_kafka import KafkaError, KafkaException, Message, Producer

from producer_agent.advice.compare.client_statistics import ClientStatistics
from producer_agent.advice.compare.events import HEADER, EventSequence, pack_identity
from producer_agent.advice.compare.plan import Load
from producer_agent.advice.compare.turn import TurnOrder, TurnResult
from producer_agent.delivery.pacer import Pacer
from producer_agent.store.clock import now_us
from producer_agent.store.latency_bins import count

CONNECT_S: Final = 10.0
SETTLE_S: Final = 10.0
"""How long reports are waited for at the end; then what is out is unresolved."""

GONE_S: Final = 5.0
"""No broker can be reached for so long: the cluster went away."""

LATE_S: Final = 0.1
"""How long after its time a turn goes on to send what is due, before it leaves the rest."""

SHORTEST_POLL_S: Final = 0.001
LONGEST_POLL_S: Final = 0.05

COMMIT_S: Final = 10.0


class _Gone(Exception):
    """No broker can be reached."""


class TurnSender:
    """Sends one turn. Make a new one for each.

    Args:
        order: What to send.
        stopped: Says when to end early.
    """

    def __init__(self, order: TurnOrder, stopped: Callable[[], bool]) -> None:
        self._order = order
        self._stopped = stopped
        self._load = Load.model_validate(order.load)
        self._events = EventSequence(self._load, order.seed, order.rate, order.round)
        self._result = TurnResult()
        self._failed: Counter[str] = Counter()
        self._rejected: Counter[str] = Counter()
        self._latencies_us: list[float] = []
        self._delays_us: list[float] = []
        self._held: list[tuple[int, int]] = []
        """Acknowledged in the open transaction: sequence and when it was sent."""
        self._failures = 0
        self._commits = self._aborts = 0
        self._closing = False
        self._down: tuple[float, str] | None = None
        self._sequence = 0
        self._statistics = ClientStatistics(order.topic, self._load.seconds)

    def run(self) -> TurnResult:
        """Send it all, and wait for the reports."""
        result = self._result
        rate, load = self._order.rate, self._load
        result.first = round(load.warm_up_s * rate)
        result.end = max(result.first + 1, round((load.warm_up_s + load.seconds) * rate))
        try:
            self._producer = Producer(
                {
                    **self._order.config,
                    **self._statistics.config(),
                    "error_cb": self._error,
                },
                logger=_Quiet(),
            )
            self._connect()
            self._prime()
            if self._order.transaction_ms is None:
                self._send(lambda: None)
            else:
                self._send_in_transactions(self._order.transaction_ms / 1000)
            self._settle()
        except _Gone as gone:
            result.ended, result.why = "gone", str(gone)
        except KafkaException as error:
            result.ended, result.why = "broke", error.args[0].str()
        except SystemError as error:  # how a fatal error surfaces from flush()
            result.ended, result.why = "broke", str(error.__cause__ or error)
        if result.ended is None and self._stopped():
            result.ended = "stopped"
        return self._sum_up()

    def _connect(self) -> None:
        """Connections and metadata belong to no event's latency."""
        try:
            self._producer.list_topics(self._order.topic, timeout=CONNECT_S)
        except KafkaException as error:
            raise _Gone(error.args[0].str()) from error
        if self._order.transaction_ms is not None:
            self._begin_first()

    def _begin_first(self) -> None:
        deadline = time.monotonic() + 3 * CONNECT_S
        while not self._stopped():
            try:
                self._producer.init_transactions(CONNECT_S)
                return
            except KafkaException as error:
                if not error.args[0].retriable() or time.monotonic() >= deadline:
                    raise
                self._producer.poll(LONGEST_POLL_S)

    def _prime(self) -> None:
        """One event to each partition, whose reports are waited for and forgotten: connections to
        all leaders, and an idempotent producer's id, take up to half a second to get."""
        order, producer = self._order, self._producer
        found = producer.list_topics(order.topic, timeout=CONNECT_S).topics[order.topic]
        if order.transaction_ms is not None:
            producer.begin_transaction()
        for partition in found.partitions:
            producer.produce(
                order.topic, b"", partition=partition, on_delivery=partial(self._report, -1, 0)
            )
        deadline = time.monotonic() + CONNECT_S
        while len(producer) and time.monotonic() < deadline and not self._stopped():
            producer.flush(LONGEST_POLL_S)
            self._require_cluster()
        if order.transaction_ms is not None:
            self._commit()

    def _send(self, between: Callable[[], None]) -> None:
        """Hand over what is due until all is, or time is up; ``between`` is called after that."""
        result, producer = self._result, self._producer
        began_s = time.monotonic()
        window_s = began_s + self._load.warm_up_s
        last_s = window_s + self._load.seconds + LATE_S
        pacer = Pacer(self._order.rate, began_s)
        measuring = False
        cpu_s = 0.0
        now_s = began_s
        while self._sequence < result.end and now_s < last_s and not self._stopped():
            tick = pacer.take(now_s)
            for place in range(min(tick.events, result.end - self._sequence)):
                if not measuring and self._sequence >= result.first:
                    measuring = True
                    cpu_s = time.process_time()
                    self._statistics.begin()
                self._produce(measuring, tick.first_delay_s - place / tick.rate)
            between()
            wait_s = pacer.wait_s(time.monotonic())
            producer.poll(min(max(wait_s, SHORTEST_POLL_S), LONGEST_POLL_S) if wait_s > 0 else 0)
            self._require_cluster()
            now_s = time.monotonic()
        result.end = max(self._sequence, result.first)
        result.seconds = max(now_s - window_s, self._load.seconds)
        result.cpu_s = cpu_s

    def _produce(self, measured: bool, delay_s: float) -> None:
        order, sequence = self._order, self._sequence
        key, value = self._events.next()
        self._sequence += 1
        sent_us = now_us()
        header = pack_identity(bytes.fromhex(order.turn), sequence, sent_us)
        if measured:
            self._delays_us.append(max(0.0, delay_s * 1e6))
        try:
            self._producer.produce(
                order.topic,
                value,
                key,
                on_delivery=partial(self._report, sequence, sent_us),
                headers=[(HEADER, header)],
            )
        except BufferError:
            self._reject(sequence, measured, KafkaError(KafkaError._QUEUE_FULL).name())
        except KafkaException as error:
            if error.args[0].code() == KafkaError._FATAL:
                raise
            self._failures += 1
            self._reject(sequence, measured, error.args[0].name())

    def _reject(self, sequence: int, measured: bool, name: str) -> None:
        if measured:
            self._rejected[name] += 1
            self._result.rejected_sequences.append(sequence)

    def _report(
        self, sequence: int, sent_us: int, error: KafkaError | None, message: Message
    ) -> None:
        if error is None:
            self._down = None
        else:
            self._failures += 1
        if self._order.transaction_ms is not None and error is None:
            self._held.append((sequence, sent_us))
            return
        if sequence < self._result.first:
            return
        if error is None:
            latency_s = message.latency()
            self._latencies_us.append((latency_s or 0.0) * 1e6)
            return
        self._result.without_ack.append(sequence)
        if self._closing and error.code() in (
            KafkaError._PURGE_QUEUE,
            KafkaError._PURGE_INFLIGHT,
        ):
            self._result.unresolved += 1
        else:
            self._failed[error.name()] += 1

    def _send_in_transactions(self, period_s: float) -> None:
        """Commit every ``period_s``; a latency is until the commit, as no reader that waits for
        commits gets an event before."""
        result, producer = self._result, self._producer
        self._commits = self._aborts = 0
        producer.begin_transaction()
        commit_s = time.monotonic() + period_s
        failures = 0

        def end_transaction() -> None:
            nonlocal commit_s, failures
            commit_s = time.monotonic() + period_s
            self._commit()
            failures = self._failures
            producer.begin_transaction()

        def between() -> None:
            # Once an event has failed, librdkafka refuses every further one until the abort.
            if time.monotonic() >= commit_s or self._failures != failures:
                end_transaction()

        self._send(between)
        self._commit()
        result.commits, result.aborts = self._commits, self._aborts

    def _commit(self) -> None:
        result = self._result
        deadline = time.monotonic() + 3 * COMMIT_S
        while True:
            try:
                self._producer.commit_transaction(COMMIT_S)
                break
            except KafkaException as raised:
                error = raised.args[0]
                self._require_cluster()
                if error.retriable() and time.monotonic() < deadline:
                    continue
                if error.fatal() or not error.txn_requires_abort():
                    raise
                self._producer.abort_transaction(COMMIT_S)
                aborted = [sequence for sequence, _ in self._held if sequence >= result.first]
                self._failed["TRANSACTION_ABORTED"] += len(aborted)
                result.without_ack += aborted
                self._held.clear()
                self._aborts += 1
                return
        at_us = now_us()
        self._latencies_us += [
            float(at_us - sent_us) for sequence, sent_us in self._held if sequence >= result.first
        ]
        self._commits += bool(self._held)
        self._held.clear()

    def _settle(self) -> None:
        """Wait for the reports that are out, then give them up."""
        deadline = time.monotonic() + SETTLE_S
        while len(self._producer) and time.monotonic() < deadline and not self._stopped():
            self._producer.flush(LONGEST_POLL_S)
            self._require_cluster()
        if len(self._producer):
            self._closing = True
            self._producer.purge()
            self._producer.flush(1.0)
        self._result.cpu_s = time.process_time() - self._result.cpu_s
        self._statistics.end(self._producer.poll)

    def _require_cluster(self) -> None:
        if self._down is not None and time.monotonic() - self._down[0] > GONE_S:
            raise _Gone(self._down[1])

    def _error(self, error: KafkaError) -> None:
        if error.code() == KafkaError._ALL_BROKERS_DOWN and self._down is None:
            self._down = (time.monotonic(), error.str())

    def _sum_up(self) -> TurnResult:
        result = self._result
        rejected = sum(self._rejected.values())
        result.sent = max(result.end - result.first - rejected, 0)
        result.acknowledged = len(self._latencies_us)
        result.failed, result.rejected = dict(self._failed), dict(self._rejected)
        result.ack = count(np.asarray(self._latencies_us))
        result.delay = count(np.asarray(self._delays_us))
        result.client = self._statistics.figures()
        return result


class _Quiet:
    """In place of a logger: what librdkafka says of a broker that is away is told by the turn."""

    def log(self, *_: object) -> None:
        """Say nothing."""
