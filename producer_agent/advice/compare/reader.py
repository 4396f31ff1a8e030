"""Reads a comparison's topic live, in a process of its own: end-to-end latency, lost, duplicated.

A record's latency is from when it was handed to the producer, by the time in its header, until it
was read here, by the same host's clock.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Final

import numpy as np
from confluent_kafka import Consumer, KafkaError, KafkaException, Message, TopicPartition

from producer_agent.advice.compare.events import HEADER, identity_of
from producer_agent.kafka.messages import headers_of
from producer_agent.store.clock import now_us
from producer_agent.store.latency_bins import count

LOT: Final = 2_000
POLL_S: Final = 0.02
OFFSETS_S: Final = 10.0

STRAGGLERS_S: Final = 3.0
"""Without a record for so long, what was acknowledged and not read is looked into."""


@dataclass(slots=True)
class Readings:
    """What was read of one turn's window."""

    end_to_end: list[tuple[int, int]] = field(default_factory=list)
    read_back: int | None = None
    lost: int | None = None
    duplicated: int | None = None
    phantom: int | None = None
    why: str | None = None
    """Why it does not tell what was lost, or None."""

    def to_json(self) -> dict[str, Any]:
        """Field by field."""
        return asdict(self)

    @classmethod
    def from_json(cls, body: Mapping[str, Any]) -> Readings:
        """The inverse of :meth:`to_json`."""
        return cls(**body)


class LiveReader:
    """Reads one turn after the other.

    Args:
        connection: librdkafka properties that reach the cluster.
        topic: The comparison's.
        partitions: How many it has.
    """

    def __init__(self, connection: Mapping[str, Any], topic: str, partitions: int) -> None:
        self._connection = connection
        self._topic = topic
        self._partitions = range(partitions)
        self._consumers: dict[bool, Consumer] = {}
        self._consumer: Consumer | None = None
        self._turn = b""
        self._starts: dict[int, int] = {}
        self._times = bytearray()
        """How often each sequence was read, up to 255."""
        self._latencies_us: list[float] = []
        self._first = 0
        self._committed_only = False

    def begin(self, turn: str, first: int, *, committed_only: bool) -> None:
        """Read from the topic's end on, and keep what belongs to this turn.

        Args:
            turn: 32 hex digits.
            first: The window's first sequence.
            committed_only: As a consumer of transactions reads.

        Raises:
            KafkaException: the topic's ends are not told.
        """
        consumer = self._consumer_for(committed_only)
        self._committed_only = committed_only
        self._turn = bytes.fromhex(turn)
        self._first = first
        self._times = bytearray()
        self._latencies_us = []
        self._starts = {
            partition: self._bounds(consumer, partition)[1] for partition in self._partitions
        }
        consumer.assign(
            [TopicPartition(self._topic, partition, at) for partition, at in self._starts.items()]
        )
        self._consumer = consumer

    def read(self) -> int:
        """Take what has come, waiting for it a moment; returns how many records."""
        if self._consumer is None:
            time.sleep(POLL_S)
            return 0
        # consume() alone would wait until its lot is full, and each record with it.
        message = self._consumer.poll(POLL_S)
        if message is None:
            return 0
        lot = [message, *self._consumer.consume(LOT, 0)]
        at_us = now_us()
        for read in lot:
            self._take(read, at_us)
        return len(lot)

    def finish(
        self,
        end: int,
        without_ack: Sequence[int],
        rejected: Sequence[int],
        stopped: Callable[[], bool],
    ) -> Readings:
        """Wait for what is still to come, and judge.

        Args:
            end: One behind the window's last sequence.
            without_ack: Sequences that no broker's word stands for.
            rejected: Of these, those that never left.
            stopped: Says when to give up waiting.
        """
        n = max(end - self._first, 0)
        due = np.ones(n, dtype=bool)
        due[[sequence - self._first for sequence in without_ack if sequence < end]] = False
        due[[sequence - self._first for sequence in rejected if sequence < end]] = False
        deadline = time.monotonic() + STRAGGLERS_S
        while not stopped() and time.monotonic() < deadline and (due & (self._seen(n) == 0)).any():
            if self.read():
                deadline = time.monotonic() + STRAGGLERS_S
        readings = self._judge(n, due)
        if self._consumer is not None:
            self._consumer.unassign()
            self._consumer = None
        return readings

    def close(self) -> None:
        """Let go of the connections."""
        for consumer in self._consumers.values():
            consumer.close()

    def _judge(self, n: int, due: np.ndarray[Any, np.dtype[np.bool_]]) -> Readings:
        seen = self._seen(n)
        missing = int((due & (seen == 0)).sum())
        why = self._not_told() if missing else None
        return Readings(
            end_to_end=count(np.asarray(self._latencies_us)),
            read_back=int((seen > 0).sum()),
            lost=None if why else missing,
            duplicated=int(np.maximum(seen.astype(np.int64) - 1, 0).sum()),
            phantom=int((~due & (seen > 0)).sum()),
            why=why,
        )

    def _not_told(self) -> str | None:
        """Why a record that was not read may be there, or may have been; None: it is lost."""
        assert self._consumer is not None
        try:
            for partition, start in self._starts.items():
                low, high = self._bounds(self._consumer, partition)
                if low > start:
                    return "the topic deletes faster than it was read"
                at = self._consumer.position([TopicPartition(self._topic, partition)])[0].offset
                # A transaction ends with a marker that is no record: there the position says less.
                if not self._committed_only and max(at, start) < high:
                    return "the reading fell behind"
        except KafkaException as error:
            return f"the topic could not be read to its end: {error.args[0].str()}"
        return None

    def _seen(self, n: int) -> np.ndarray[Any, np.dtype[np.uint8]]:
        self._times.extend(bytes(max(n - len(self._times), 0)))
        return np.frombuffer(bytes(self._times[:n]), dtype=np.uint8)

    def _take(self, message: Message, at_us: int) -> None:
        if message.error() is not None:
            return
        header = next((value for name, value in headers_of(message) if name == HEADER), None)
        identity = identity_of(header)
        if identity is None or identity.turn != self._turn:
            return
        place = identity.sequence - self._first
        if place < 0:
            return
        if place >= len(self._times):
            self._times.extend(bytes(place + 1024 - len(self._times)))
        if self._times[place] == 0:
            self._latencies_us.append(float(at_us - identity.sent_us))
        self._times[place] = min(self._times[place] + 1, 255)

    def _bounds(self, consumer: Consumer, partition: int) -> tuple[int, int]:
        found = consumer.get_watermark_offsets(
            TopicPartition(self._topic, partition), timeout=OFFSETS_S
        )
        if found is None:  # what confluent-kafka answers where the broker does not in time
            raise KafkaException(KafkaError(KafkaError._TIMED_OUT))
        return found

    def _consumer_for(self, committed_only: bool) -> Consumer:
        if committed_only not in self._consumers:
            self._consumers[committed_only] = Consumer(
                {
                    **self._connection,
                    "group.id": "ackboard-compare",  # never joined, nothing is committed
                    "enable.auto.commit": False,
                    "enable.auto.offset.store": False,
                    "auto.offset.reset": "earliest",
                    "isolation.level": "read_committed" if committed_only else "read_uncommitted",
                    "error_cb": lambda error: None,
                }
            )
        return self._consumers[committed_only]
