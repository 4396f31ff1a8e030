"""The faults that a user can inject into the embedded cluster, each undone as simply as injected.

The catalogue (:data:`FAULTS`) says what each does and which error code it ends in; the injector
keeps the list of active faults and makes the cluster agree with it.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType, TracebackType
from typing import Self

from confluent_kafka import KafkaError

from producer_agent.kafka.embedded import (
    ALL_BROKERS,
    PRODUCE_API_KEY,
    EmbeddedCluster,
    EmbeddedClusterClosed,
)

SLOW_BROKER_RTT_MS = 60_000
"""Delay of each answer under `slow_brokers`: twice librdkafka's default request.timeout.ms."""


class FaultKind(StrEnum):
    """The faults of the producer lesson."""

    BROKERS_DOWN = "brokers_down"
    SLOW_BROKERS = "slow_brokers"
    NOT_ENOUGH_REPLICAS = "not_enough_replicas"
    TOPIC_AUTHORIZATION_FAILED = "topic_authorization_failed"
    UNKNOWN_TOPIC = "unknown_topic"
    MESSAGE_TOO_LARGE = "message_too_large"

    @property
    def fault(self) -> Fault:
        """This kind's entry in the catalogue."""
        return FAULTS[self]


@dataclass(frozen=True, slots=True)
class Fault:
    """What a page tells of a fault before it is injected.

    `effect` is one sentence: what the user will see. `expected_code` is the error code in the
    delivery report under librdkafka's default settings, `other_codes` are those that also occur:
    with finite retries, or raised by produce() once the producer knows. `needs_topic` tells a
    fault of one topic from one of the whole cluster.
    """

    title: str
    effect: str
    expected_code: int
    other_codes: tuple[int, ...] = ()
    needs_topic: bool = False


FAULTS: Mapping[FaultKind, Fault] = MappingProxyType(
    {
        FaultKind.BROKERS_DOWN: Fault(
            title="All brokers down",
            effect=(
                "Every connection drops and none is accepted: each event fails with _MSG_TIMED_OUT "
                "when delivery.timeout.ms has run out, with acks=0 as well."
            ),
            expected_code=KafkaError._MSG_TIMED_OUT,
        ),
        FaultKind.SLOW_BROKERS: Fault(
            title="Slow brokers",
            effect=(
                f"Each answer takes {SLOW_BROKER_RTT_MS // 1000} s, longer than a request may: "
                "the record is stored, its acknowledgement comes too late, and the event fails "
                "with _MSG_TIMED_OUT although it is in the topic."
            ),
            expected_code=KafkaError._MSG_TIMED_OUT,
        ),
        FaultKind.NOT_ENOUGH_REPLICAS: Fault(
            title="Not enough in-sync replicas",
            effect=(
                "Every produce request of every topic is refused with NOT_ENOUGH_REPLICAS and "
                "retried inside the client, so events fail with _MSG_TIMED_OUT; a profile with "
                "finite retries sees NOT_ENOUGH_REPLICAS itself."
            ),
            expected_code=KafkaError._MSG_TIMED_OUT,
            other_codes=(KafkaError.NOT_ENOUGH_REPLICAS,),
        ),
        FaultKind.TOPIC_AUTHORIZATION_FAILED: Fault(
            title="Not authorized for the topic",
            effect=(
                "The topic refuses the producer: waiting events fail with "
                "TOPIC_AUTHORIZATION_FAILED at once, and from then on produce() itself raises it."
            ),
            expected_code=KafkaError.TOPIC_AUTHORIZATION_FAILED,
            needs_topic=True,
        ),
        FaultKind.UNKNOWN_TOPIC: Fault(
            title="Topic does not exist",
            effect=(
                "The topic is gone from the cluster's metadata: after "
                "topic.metadata.propagation.max.ms events fail with UNKNOWN_TOPIC_OR_PART, and a "
                "running producer's produce() raises _UNKNOWN_TOPIC."
            ),
            expected_code=KafkaError.UNKNOWN_TOPIC_OR_PART,
            other_codes=(KafkaError._UNKNOWN_TOPIC, KafkaError._UNKNOWN_PARTITION),
            needs_topic=True,
        ),
        FaultKind.MESSAGE_TOO_LARGE: Fault(
            title="Events too large",
            effect=(
                "The event generator makes payloads beyond message.max.bytes: produce() raises "
                "MSG_SIZE_TOO_LARGE and nothing is sent."
            ),
            expected_code=KafkaError.MSG_SIZE_TOO_LARGE,
            needs_topic=True,
        ),
    }
)

_TOPIC_ERRORS: Mapping[FaultKind, int] = MappingProxyType(
    {
        FaultKind.TOPIC_AUTHORIZATION_FAILED: KafkaError.TOPIC_AUTHORIZATION_FAILED,
        FaultKind.UNKNOWN_TOPIC: KafkaError.UNKNOWN_TOPIC_OR_PART,
    }
)


@dataclass(frozen=True, slots=True)
class ActiveFault:
    """A fault in force. `topic` is None for the whole cluster, `since_us` UTC microseconds."""

    kind: FaultKind
    topic: str | None
    since_us: int


_Key = tuple[FaultKind, str | None]
_Active = Mapping[_Key, ActiveFault]


class FaultInjector:
    """Injects and undoes the faults of the catalogue; the only one to do so on its cluster.

    Undoing restores the cluster as it was made: brokers up, no delay, no errors. Where two faults
    overlap each leaves the other in force; of two errors on one topic the later shows, and the
    earlier again when the later is undone. Safe to use from several threads.

    A running producer feels a topic fault, and its end, when it refreshes its metadata: give it
    :attr:`EmbeddedCluster.client_defaults`, or it takes up to five minutes.
    """

    def __init__(self, cluster: EmbeddedCluster) -> None:
        self._cluster = cluster
        self._lock = threading.Lock()
        self._active: dict[_Key, ActiveFault] = {}
        self._refusal = _ProduceRefusal(cluster, KafkaError.NOT_ENOUGH_REPLICAS)

    def inject(self, kind: FaultKind, *, topic: str | None = None) -> ActiveFault:
        """Put a fault in force; one already in force is returned as it is.

        Raises ValueError for a fault of one topic without a topic, or a fault of the whole
        cluster with one; EmbeddedClusterClosed where the cluster is gone.
        """
        if kind.fault.needs_topic and not topic:
            raise ValueError(f"{kind} acts on one topic: say which, topic=...")
        if not kind.fault.needs_topic and topic is not None:
            raise ValueError(f"{kind} acts on the whole cluster: leave the topic out")
        key = (kind, topic)
        with self._lock:
            if key not in self._active:
                fault = ActiveFault(kind, topic, time.time_ns() // 1000)
                wanted = {**self._active, key: fault}
                self._enforce(key, wanted)
                self._active = wanted
            return self._active[key]

    def undo(self, kind: FaultKind, *, topic: str | None = None) -> tuple[ActiveFault, ...]:
        """End a fault; without a topic, on every topic. Returns the faults that ended.

        A fault that is not in force is no error: nothing ends.
        """
        return self._undo(lambda fault: fault.kind == kind and topic in (None, fault.topic))

    def undo_all(self) -> tuple[ActiveFault, ...]:
        """End every fault. Returns those that ended."""
        return self._undo(lambda fault: True)

    def active(self) -> tuple[ActiveFault, ...]:
        """The faults in force, the oldest first."""
        with self._lock:
            return tuple(self._active.values())

    def close(self) -> None:
        """End every fault, unless the cluster was closed before and took them along."""
        try:
            self.undo_all()
        except EmbeddedClusterClosed:
            with self._lock:
                self._active = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def _undo(self, ends: Callable[[ActiveFault], bool]) -> tuple[ActiveFault, ...]:
        with self._lock:
            ending = [(key, fault) for key, fault in self._active.items() if ends(fault)]
            for key, _ in ending:
                wanted = {other: fault for other, fault in self._active.items() if other != key}
                self._enforce(key, wanted)
                self._active = wanted
            return tuple(fault for _, fault in ending)

    def _enforce(self, key: _Key, wanted: _Active) -> None:
        """Make the cluster agree with `wanted` in what the fault `key` touches."""
        kind, topic = key
        match kind:
            case FaultKind.BROKERS_DOWN:
                turn = self._cluster.broker_down if key in wanted else self._cluster.broker_up
                turn(ALL_BROKERS)
            case FaultKind.SLOW_BROKERS:
                self._cluster.set_broker_rtt(
                    ALL_BROKERS, SLOW_BROKER_RTT_MS if key in wanted else 0
                )
            case FaultKind.NOT_ENOUGH_REPLICAS:
                if key in wanted:
                    self._refusal.start()
                else:
                    self._refusal.stop()
            case FaultKind.TOPIC_AUTHORIZATION_FAILED | FaultKind.UNKNOWN_TOPIC:
                if topic is None:
                    raise ValueError(f"{kind} acts on one topic: say which, topic=...")
                self._set_topic_error(topic, wanted)
            case FaultKind.MESSAGE_TOO_LARGE:
                pass  # the event generator reads active() and makes the payloads

    def _set_topic_error(self, topic: str, wanted: _Active) -> None:
        """A topic has room for one error: that of its latest fault."""
        codes = [
            _TOPIC_ERRORS[kind]
            for kind, of_topic in wanted
            if of_topic == topic and kind in _TOPIC_ERRORS
        ]
        if codes:
            self._cluster.set_topic_error(topic, codes[-1])
        else:
            self._cluster.clear_topic_error(topic)


class _ProduceRefusal:
    """Refuses every produce request until stopped.

    The mock forgets an error once a request has met it and cannot be told to repeat it, so a
    thread counts the requests and pushes as many errors again. The supply outlasts several ticks
    of the fastest client measured (59,000 requests a second from one producer that sends each
    record alone and never retries).
    """

    SUPPLY = 12_000
    TICK_S = 0.02
    # The count misses requests that arrive between reading and emptying the mock's list: one in
    # thousands, or one in twelve where the operating system stops the thread just there (measured
    # on a machine with more to do than cores). One more for each four keeps the supply from
    # shrinking over a long fault.
    REQUESTS_PER_SPARE = 4

    def __init__(self, cluster: EmbeddedCluster, code: int) -> None:
        self._cluster = cluster
        self._code = code
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        self._cluster.start_request_tracking()  # first, so that no request goes uncounted
        self._push(self.SUPPLY)
        self._stop.clear()
        self._thread = threading.Thread(target=self._run, name="produce-refusal", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        self._stop.set()
        if self._thread is not None:
            self._thread.join()
            self._thread = None
        self._cluster.stop_request_tracking()
        self._cluster.clear_produce_errors()

    def _run(self) -> None:
        since_spare = 0
        while not self._stop.wait(self.TICK_S):
            try:
                met = self._cluster.take_request_counts()[PRODUCE_API_KEY]
                spares, since_spare = divmod(since_spare + met, self.REQUESTS_PER_SPARE)
                self._push(met + spares)
            except EmbeddedClusterClosed:
                return  # the cluster took its errors along

    def _push(self, count: int) -> None:
        self._cluster.push_produce_errors([self._code] * count)
