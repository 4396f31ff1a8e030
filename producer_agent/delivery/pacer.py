"""An open-loop pacer: events are due by the clock, whether or not the last one was answered.

A closed loop would send less while the cluster is slow and so hide the slowness (coordinated
omission; Gil Tene, "How NOT to Measure Latency"). Here what was due late is sent at once, and how
late it was is reported as schedule delay, as in the OpenMessaging Benchmark.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import dataclass

MOST_PER_TICK = 2_000
"""Events sent before the clock is read again."""

DELAY_SAMPLES = 16
"""Delays reported of one tick, spread over its events."""


@dataclass(frozen=True, slots=True)
class Tick:
    """What is due now."""

    events: int
    first_delay_s: float
    """How late the first of them is; each later one is ``1 / rate`` less late."""
    rate: float

    def delays_us(self) -> Iterator[tuple[float, int]]:
        """``(delay in microseconds, events)``: each event up to 16, beyond that 16 groups."""
        groups = min(self.events, DELAY_SAMPLES)
        for group in range(groups):
            start = self.events * group // groups
            end = self.events * (group + 1) // groups
            middle = (start + end - 1) / 2
            yield max(0.0, (self.first_delay_s - middle / self.rate) * 1e6), end - start


class Pacer:
    """Says how many events are due; knows nothing of what they are.

    Args:
        rate: Events a second.
        now_s: The time it starts from, on the caller's monotonic clock.
    """

    def __init__(self, rate: float, now_s: float) -> None:
        self._lock = threading.Lock()
        self._rate = rate
        self._anchor_s = now_s
        self._taken = 0

    @property
    def rate(self) -> float:
        """Events a second, as last set."""
        return self._rate

    def set_rate(self, rate: float, now_s: float) -> None:
        """Change the rate from now on; what was due before stays due."""
        with self._lock:
            # Move the anchor so that exactly the events due until now remain due under the
            # old rate, and the next one falls due 1/rate from now.
            owed = max(0.0, (now_s - self._anchor_s) * self._rate - self._taken)
            self._rate = rate
            self._anchor_s = now_s - owed / rate
            self._taken = 0

    def take(self, now_s: float) -> Tick:
        """What is due at ``now_s``, at most :data:`MOST_PER_TICK` events; they count as sent."""
        with self._lock:
            due = int((now_s - self._anchor_s) * self._rate) - self._taken
            events = min(max(due, 0), MOST_PER_TICK)
            # Event k (from 0) is due at anchor + (k + 1) / rate.
            first_due_s = self._anchor_s + (self._taken + 1) / self._rate
            self._taken += events
            return Tick(events, max(0.0, now_s - first_due_s), self._rate)

    def wait_s(self, now_s: float) -> float:
        """Seconds until the next event is due; 0 if one is."""
        with self._lock:
            return max(0.0, self._anchor_s + (self._taken + 1) / self._rate - now_s)
