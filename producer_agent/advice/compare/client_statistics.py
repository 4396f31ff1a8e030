"""What librdkafka's statistics tell of one turn: batches, requests, and where the time went."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from producer_agent.kafka.client_statistics import StatisticsReader
from producer_agent.store.client_statistics import Spread
from producer_agent.store.clock import now_us

_SOONEST_MS: Final = 100
_LATEST_MS: Final = 500
_A_TURN: Final = 4
"""Emissions in a measured window, at least."""


@dataclass(frozen=True, slots=True)
class ClientFigures:
    """Means and sums over a turn's window; None where nothing was told."""

    batches: int | None
    batch_bytes: float | None
    batch_messages: float | None
    requests: int | None
    message_bytes: int | None
    wire_bytes: int | None
    client_queue_us: float | None
    client_send_us: float | None
    broker_us: float | None
    throttle_ms: float | None


class ClientStatistics:
    """Takes a producer's statistics and sums up those of the measured window.

    Args:
        topic: The one that is sent to.
        seconds: Length of the window.
    """

    def __init__(self, topic: str, seconds: float) -> None:
        self._topic = topic
        self._interval_ms = int(min(max(seconds * 1000 / _A_TURN, _SOONEST_MS), _LATEST_MS))
        self._reader = StatisticsReader()
        self._requests = 0
        self._message_bytes = 0
        self._sums: dict[str, list[int]] = {}
        self._emissions = 0

    def config(self) -> dict[str, Any]:
        """The settings that make a producer tell."""
        return {"statistics.interval.ms": self._interval_ms, "stats_cb": self._take}

    def begin(self) -> None:
        """The window begins: what was told before is the warm-up's."""
        self._requests = self._message_bytes = 0
        self._sums.clear()

    def end(self, poll: Callable[[float], object]) -> None:
        """Wait for one more emission, which has the tail."""
        seen = self._emissions
        deadline = time.monotonic() + 2 * self._interval_ms / 1000
        while self._emissions == seen and time.monotonic() < deadline:
            poll(0.02)

    def figures(self) -> ClientFigures:
        """Of the window so far."""
        batch_bytes, batches = self._sums.get("batch_bytes", [0, 0])
        told = batches > 0
        return ClientFigures(
            batches=batches if told else None,
            batch_bytes=self._mean("batch_bytes"),
            batch_messages=self._mean("batch_events"),
            requests=self._requests if told else None,
            message_bytes=self._message_bytes if told else None,
            wire_bytes=batch_bytes if told else None,
            client_queue_us=self._mean("queue"),
            client_send_us=self._mean("send"),
            broker_us=self._mean("trip"),
            throttle_ms=self._mean("throttle"),
        )

    def _mean(self, window: str) -> float | None:
        total, n = self._sums.get(window, [0, 0])
        return total / n if n else None

    def _take(self, text: str) -> None:
        sample = self._reader.read(json.loads(text), now_us())
        for broker in sample.brokers:
            self._requests += broker.requests
            self._add("queue", broker.queue)
            self._add("send", broker.send)
            self._add("trip", broker.trip)
            self._add("throttle", broker.throttle)
        topic = sample.topics.get(self._topic)
        if topic is not None:
            self._message_bytes += topic.transmitted_bytes
            self._add("batch_bytes", topic.batch_bytes)
            self._add("batch_events", topic.batch_events)
        self._emissions += 1

    def _add(self, window: str, spread: Spread) -> None:
        kept = self._sums.setdefault(window, [0, 0])
        kept[0] += spread.total
        kept[1] += spread.n
