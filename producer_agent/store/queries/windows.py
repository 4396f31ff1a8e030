"""The window a page looks at, cut into buckets that the rollups have."""

from __future__ import annotations

from dataclasses import dataclass

from producer_agent.store.rollups import MOST_POINTS, resolution_for

POINTS = 180
"""Buckets a window has at most. A tail percentile needs some hundred events in each, so this is
fewer than a chart of counts could show."""


@dataclass(frozen=True, slots=True)
class Window:
    """Whole buckets from ``start_s`` up to ``end_s`` (UTC seconds), the last still filling."""

    start_s: int
    end_s: int
    """Exclusive."""
    resolution_s: int

    @property
    def buckets(self) -> int:
        """How many there are."""
        return (self.end_s - self.start_s) // self.resolution_s

    @property
    def bucket_starts(self) -> tuple[int, ...]:
        """UTC seconds at which each begins."""
        return tuple(range(self.start_s, self.end_s, self.resolution_s))


def window_to(now_us: int, seconds: int) -> Window:
    """The last ``seconds``: the bucket of ``now_us``, and whole ones before it."""
    width = resolution_for(seconds * MOST_POINTS / POINTS)
    end_s = now_us // 1_000_000 // width * width + width
    return Window(end_s - -(-seconds // width) * width, end_s, width)
