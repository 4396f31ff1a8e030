"""What librdkafka's statistics tell of one turn: batches, requests, and where the time went.

Read from `STATISTICS.md` of librdkafka 2.16: counters run from the client's start, and each
window (``int_latency``, ``batchsize``, ...) is of the interval since the last emission, with its
own ``sum`` and ``cnt``. So counters are subtracted and windows are added up.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

_SOONEST_MS: Final = 100
_LATEST_MS: Final = 500
_A_TURN: Final = 4
"""Emissions in a measured window, at least."""

_BROKER_WINDOWS: Final = ("int_latency", "outbuf_latency", "rtt", "throttle")


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
        self._before: tuple[int, int] = (0, 0)
        self._now: tuple[int, int] = (0, 0)
        self._sums: dict[str, list[float]] = {}
        self._emissions = 0

    def config(self) -> dict[str, Any]:
        """The settings that make a producer tell."""
        return {"statistics.interval.ms": self._interval_ms, "stats_cb": self._take}

    def begin(self) -> None:
        """The window begins: what was told before is the warm-up's."""
        self._before = self._now
        self._sums.clear()

    def end(self, poll: Callable[[float], object]) -> None:
        """Wait for one more emission, which has the tail."""
        seen = self._emissions
        deadline = time.monotonic() + 2 * self._interval_ms / 1000
        while self._emissions == seen and time.monotonic() < deadline:
            poll(0.02)

    def figures(self) -> ClientFigures:
        """Of the window so far."""
        requests, message_bytes = (
            now - was for now, was in zip(self._now, self._before, strict=True)
        )
        batch_bytes, batches = self._sums.get("batchsize", [0.0, 0.0])
        told = batches > 0
        return ClientFigures(
            batches=int(batches) if told else None,
            batch_bytes=self._mean("batchsize"),
            batch_messages=self._mean("batchcnt"),
            requests=requests if told else None,
            message_bytes=message_bytes if told else None,
            wire_bytes=int(batch_bytes) if told else None,
            client_queue_us=self._mean("int_latency"),
            client_send_us=self._mean("outbuf_latency"),
            broker_us=self._mean("rtt"),
            throttle_ms=self._mean("throttle"),
        )

    def _mean(self, window: str) -> float | None:
        total, n = self._sums.get(window, [0.0, 0.0])
        return total / n if n else None

    def _take(self, text: str) -> None:
        told = json.loads(text)
        topic = told["topics"].get(self._topic, {})
        brokers = told["brokers"].values()
        self._now = (
            sum(broker["req"].get("Produce", 0) for broker in brokers),
            sum(partition["txbytes"] for partition in topic.get("partitions", {}).values()),
        )
        for name in _BROKER_WINDOWS:
            for broker in brokers:
                self._add(name, broker[name])
        for name in ("batchsize", "batchcnt"):
            if name in topic:
                self._add(name, topic[name])
        self._emissions += 1

    def _add(self, name: str, window: Mapping[str, Any]) -> None:
        kept = self._sums.setdefault(name, [0.0, 0.0])
        kept[0] += window["sum"]
        kept[1] += window["cnt"]
