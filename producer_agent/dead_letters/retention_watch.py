"""Retention watch: what is on the dead-letter topics and not stored here yet, and how long it
stays there."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from itertools import groupby
from typing import Any

from sqlite_utils import Database

from producer_agent.dead_letters.assignment import Assigned, Brokers
from producer_agent.dead_letters.consumer import Reading
from producer_agent.dead_letters.retention_outlook import PartitionOutlook, Retention, outlook
from producer_agent.store import dead_letter_positions
from producer_agent.store.clock import now_us
from producer_agent.store.dead_letter_positions import Place, Position
from producer_agent.store.writer import Writer

log = logging.getLogger(__name__)

LOOK_EVERY_S = 5.0
SETTINGS_EVERY_S = 60.0
PEEK_EVERY_S = 10.0

FirstTimestamps = Callable[[Mapping[tuple[str, int], int]], Mapping[tuple[str, int], int]]
"""Timestamps, UTC milliseconds, of the first records from these offsets on."""


class RetentionWatch:
    """Looks at the topics that a consumer reads, in a thread of its own: reading never waits.

    Args:
        reading: How far the consumer is.
        cluster: Row id of the cluster.
        writer: The database.
        brokers: The cluster.
        first_timestamps: See :data:`FirstTimestamps`; asked for what is unread, every 10 s.
        tool: Options with which Kafka's own tools reach the cluster, for mends.
    """

    def __init__(
        self,
        reading: Callable[[], Reading],
        cluster: int,
        writer: Writer,
        brokers: Brokers,
        first_timestamps: FirstTimestamps,
        tool: Sequence[str],
    ) -> None:
        self._reading = reading
        self._cluster = cluster
        self._writer = writer
        self._brokers = brokers
        self._first_timestamps = first_timestamps
        self._tool = tuple(tool)
        self._stop = threading.Event()
        self._settings: dict[str, Mapping[str, str]] = {}
        self._settings_of: frozenset[str] = frozenset()
        self._settings_s = 0.0
        self._first_ms: dict[tuple[str, int], tuple[int, int]] = {}
        self._peek_s = 0.0
        self.topics: list[dict[str, Any]] = []
        """An entry a topic, as last looked at; see :func:`outlook`."""
        self.behind: int | None = None
        """Records on the topics that are not stored here yet, or None if that is not known."""
        self._thread = threading.Thread(target=self._run, name="retention-watch", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def close(self) -> None:
        """End."""
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join()

    def _run(self) -> None:
        while not self._stop.is_set():
            try:
                self.look()
            except Exception:
                # The figures are old then, and say so: the next look may succeed.
                self.behind = None
                log.exception("the dead-letter topics could not be looked at")
            self._stop.wait(LOOK_EVERY_S if self.topics else min(1.0, LOOK_EVERY_S))

    def look(self) -> None:
        """Look once."""
        reading = self._reading()
        names = sorted({at.topic for at in reading.assigned} | reading.set_aside.keys())
        bounds = self._brokers.offset_bounds([(at.topic, at.partition) for at in reading.assigned])
        # Read after the bounds, else what was stored in between would count as unread.
        stored = self._writer.call(lambda db: self._positions(db, reading.assigned))
        self._read_settings(names)
        partitions = [
            _partition(at, bounds.get((at.topic, at.partition)), stored.get(at.place))
            for at in reading.assigned
        ]
        partitions = self._with_timestamps(reading.assigned, partitions)
        by_topic = {
            topic: list(group)
            for topic, group in groupby(
                zip(reading.assigned, partitions, strict=True), key=lambda pair: pair[0].topic
            )
        }
        at_us = now_us()
        self.topics = [
            outlook(
                topic,
                [partition for _, partition in by_topic.get(topic, ())],
                Retention.of(self._settings.get(topic, {})),
                convention=by_topic[topic][0][0].policy.convention if topic in by_topic else None,
                unreadable=reading.set_aside.get(topic),
                tool=self._tool,
                now_us=at_us,
            )
            for topic in names
        ]
        behind = [partition.behind for partition in partitions]
        known = bool(partitions) and None not in behind
        self.behind = sum(n or 0 for n in behind) if known else None

    def _positions(self, db: Database, assigned: Sequence[Assigned]) -> dict[Place, Position]:
        found: dict[Place, Position] = {}
        for topic, topic_id in {(at.topic, at.topic_id) for at in assigned}:
            positions = dead_letter_positions.positions(db, self._cluster, topic, topic_id)
            found.update({(topic, topic_id, at): here for at, here in positions.items()})
        return found

    def _read_settings(self, names: Sequence[str]) -> None:
        now_s, wanted = time.monotonic(), frozenset(names)
        if wanted != self._settings_of or now_s >= self._settings_s:
            self._settings = dict(self._brokers.topic_settings(names))
            self._settings_of, self._settings_s = wanted, now_s + SETTINGS_EVERY_S

    def _with_timestamps(
        self, assigned: Sequence[Assigned], partitions: Sequence[PartitionOutlook]
    ) -> list[PartitionOutlook]:
        """The partitions with the time of their first unread record, which is only fetched where
        age deletes anything."""
        unread = {
            (at.topic, at.partition): max(partition.stored_to or 0, partition.low or 0)
            for at, partition in zip(assigned, partitions, strict=True)
            if partition.behind and Retention.of(self._settings.get(at.topic, {})).ms is not None
        }
        self._first_ms = {
            place: known for place, known in self._first_ms.items() if unread.get(place) == known[0]
        }
        missing = {place: at for place, at in unread.items() if place not in self._first_ms}
        if missing and time.monotonic() >= self._peek_s:
            self._peek_s = time.monotonic() + PEEK_EVERY_S
            for place, timestamp in self._first_timestamps(missing).items():
                self._first_ms[place] = (missing[place], timestamp)
        return [
            _dated(partition, self._first_ms.get((at.topic, at.partition)))
            for at, partition in zip(assigned, partitions, strict=True)
        ]


def _dated(partition: PartitionOutlook, known: tuple[int, int] | None) -> PartitionOutlook:
    return partition if known is None else replace(partition, first_unread_ms=known[1])


def _partition(
    at: Assigned, bounds: tuple[int, int] | None, stored: Position | None
) -> PartitionOutlook:
    low, high = bounds if bounds is not None else (None, None)
    if stored is None:
        return PartitionOutlook(at.partition, None, low, high)
    return PartitionOutlook(
        at.partition, stored.next_offset, low, high, stored.deleted_unread, stored.deleted_us
    )
