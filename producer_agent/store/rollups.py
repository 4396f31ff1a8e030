"""Rollups: every outcome is added to buckets of five widths at once, so no chart reads events.

Writing all widths together needs no compaction job that could lag or fail; a chart picks the
finest width that gives it a few hundred points, and old fine buckets are deleted.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from producer_agent.store import latency_bins
from producer_agent.store.sqlite import Session, connection

HOUR_S = 3600
DAY_S = 24 * HOUR_S


@dataclass(frozen=True, slots=True)
class Resolution:
    """A bucket width and how long buckets of it are kept."""

    seconds: int
    kept_s: int | None
    """None: for ever."""


RESOLUTIONS = (
    Resolution(1, HOUR_S // 4),
    Resolution(10, 2 * HOUR_S),
    Resolution(60, DAY_S),
    Resolution(600, 14 * DAY_S),
    Resolution(3600, None),
)
"""Each is kept for longer than any window that :func:`resolution_for` reads from it."""

BROKER_RESOLUTIONS = RESOLUTIONS[1:]
"""Those of what is broken down by broker: the cluster is looked at every other second."""

MOST_POINTS = 400
"""A chart reads at most about so many buckets: more than its width in points shows nothing more."""


def resolution_for(window_s: float) -> int:
    """The finest bucket width, in seconds, that covers a window with :data:`MOST_POINTS`."""
    for resolution in RESOLUTIONS:
        if window_s / resolution.seconds <= MOST_POINTS:
            return resolution.seconds
    return RESOLUTIONS[-1].seconds


COUNTERS = (
    "delivered",
    "unconfirmed",
    "failed",
    "rejected",
    "unresolved",
    "queue_full",
    "not_sent",
    "late_polls",
    "commits",
    "aborts",
)
"""Columns of ``rollups``; the last two count transactions."""


def add_count(db: Session, series: int, at_s: int, counter: str, n: int) -> None:
    """Add ``n`` to one of :data:`COUNTERS` in the buckets that second ``at_s`` belongs to."""
    if counter not in COUNTERS:
        raise ValueError(f"{counter!r} is no counter; there are {', '.join(COUNTERS)}")
    if n == 0:
        return
    connection(db).executemany(
        f"INSERT INTO rollups (resolution, bucket, series, {counter}) VALUES (?, ?, ?, ?) "
        f"ON CONFLICT DO UPDATE SET {counter} = {counter} + excluded.{counter}",
        [(r.seconds, at_s - at_s % r.seconds, series, n) for r in RESOLUTIONS],
    )


def add_counts(db: Session, series: int, seconds: npt.NDArray[np.int64], counter: str) -> None:
    """Count one event of ``counter`` for each of ``seconds``."""
    at, counts = np.unique(seconds, return_counts=True)
    for second, n in zip(at.tolist(), counts.tolist(), strict=True):
        add_count(db, series, second, counter, n)


def add_latencies(
    db: Session,
    series: int,
    metric: str,
    seconds: npt.NDArray[np.int64],
    values_us: npt.NDArray[np.float64],
    weights: npt.NDArray[np.int64] | None = None,
) -> None:
    """Add ``values_us`` (``weights`` times each, or once) to the bins of their buckets."""
    if not len(values_us):
        return
    # One sort for (second, bin): bins stay below 4096 for anything under 10**35 us.
    keys, at = np.unique(seconds * 4096 + latency_bins.bin_of(values_us), return_inverse=True)
    counts = np.bincount(at, weights=weights).astype(np.int64)
    bin_seconds, bins = keys // 4096, keys % 4096
    rows: Counter[tuple[int, str, int, int, int]] = Counter()
    for resolution in RESOLUTIONS:
        buckets = bin_seconds - bin_seconds % resolution.seconds
        for bucket, bin_number, n in zip(
            buckets.tolist(), bins.tolist(), counts.tolist(), strict=True
        ):
            rows[resolution.seconds, metric, bucket, series, bin_number] += n
    connection(db).executemany(
        "INSERT INTO latency_bins (resolution, metric, bucket, series, bin, n) "
        "VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT DO UPDATE SET n = n + excluded.n",
        [(*key, n) for key, n in rows.items()],
    )


def add_failures(db: Session, series: int, failures: Iterable[tuple[int, str, str, str]]) -> None:
    """Count failures given as ``(second, topic, outcome, cause)``."""
    connection(db).executemany(
        "INSERT INTO failure_rollups (resolution, bucket, series, topic, outcome, cause, n) "
        "VALUES (?, ?, ?, ?, ?, ?, 1) ON CONFLICT DO UPDATE SET n = n + 1",
        [
            (r.seconds, at - at % r.seconds, series, topic, outcome, cause)
            for at, topic, outcome, cause in failures
            for r in RESOLUTIONS
        ],
    )
