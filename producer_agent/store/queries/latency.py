"""How long acknowledgements took: distributions and percentiles out of latency bins.

Failures have no acknowledgement and are in none of these figures; they are counted beside.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt
from sqlite_utils import Database

from producer_agent.store import latency_bins
from producer_agent.store.queries.windows import Window

Metric = Literal["ack", "schedule"]
By = Literal["acks", "profile"]

_GROUP = {"acks": "s.acks", "profile": "s.profile || ' · acks=' || s.acks"}
"""SQL for what a distribution is named by. A profile may have had another acks level before."""


@dataclass(frozen=True, slots=True)
class Distribution:
    """The latencies of one acks level or profile in a window; all in microseconds."""

    name: str
    """``all``; or by profile ``critical · acks=all``."""
    acks: str
    events: int
    """Latencies counted."""
    failed: int
    """Events that failed in the window, which are not among them."""
    quantiles_us: tuple[float | None, ...]
    """At ``latency_bins.PERCENTILES``: p50, p90, p95, p99, p99.9; within 1 %."""
    largest_us: float | None
    """The upper bound of the highest bin."""
    values_us: tuple[float, ...]
    """Upper bounds of the bins, ascending; with the next, the points of the ECDF."""
    shares: tuple[float, ...]
    """Share of the events at or below each value; the last is 1."""


@dataclass(frozen=True, slots=True)
class HeatMap:
    """How many events took how long, over time."""

    at_s: tuple[int, ...]
    """Starts of the columns, UTC seconds, evenly spaced."""
    step_s: int
    edges_us: tuple[float, ...]
    """Bounds of the rows, ascending: one more than there are rows."""
    counts: npt.NDArray[np.int64]
    """``(rows, columns)``."""


def distributions(
    db: Database, window: Window, by: By, metric: Metric = "ack"
) -> list[Distribution]:
    """One distribution a group that has latencies or failures in the window, ordered by name."""
    group = _GROUP[by]
    span = [window.resolution_s, window.start_s, window.end_s]
    binned: dict[tuple[str, str], list[tuple[int, int]]] = {}
    for name, acks, bin_number, n in db.execute(
        f"SELECT {group}, s.acks, b.bin, sum(b.n) FROM latency_bins b "
        "JOIN series s ON s.id = b.series "
        "WHERE b.resolution = ? AND b.metric = ? AND b.bucket >= ? AND b.bucket < ? "
        "GROUP BY 1, 2, 3 ORDER BY 1, 2, 3",
        [span[0], metric, *span[1:]],
    ):
        binned.setdefault((name, acks), []).append((bin_number, n))
    failed: dict[tuple[str, str], int] = {
        (name, acks): n
        for name, acks, n in db.execute(
            f"SELECT {group}, s.acks, sum(r.failed) FROM rollups r "
            "JOIN series s ON s.id = r.series "
            "WHERE r.resolution = ? AND r.bucket >= ? AND r.bucket < ? "
            "GROUP BY 1, 2 HAVING sum(r.failed) > 0",
            span,
        )
    }
    return [
        _distribution(name, acks, binned.get((name, acks), []), failed.get((name, acks), 0))
        for name, acks in sorted(binned.keys() | failed.keys())
    ]


def heat_map(db: Database, window: Window, acks: str, *, rows: int = 28) -> HeatMap | None:
    """Acknowledgements of one acks level over time and latency; None where there are none."""
    found = db.execute(
        "SELECT b.bucket, b.bin, sum(b.n) FROM latency_bins b JOIN series s ON s.id = b.series "
        "WHERE b.resolution = ? AND b.metric = 'ack' AND b.bucket >= ? AND b.bucket < ? "
        "AND s.acks = ? GROUP BY 1, 2",
        [window.resolution_s, window.start_s, window.end_s, acks],
    ).fetchall()
    if not found:
        return None
    buckets, bins, counts = np.asarray(found, dtype=np.int64).T
    first, last = int(bins.min()), int(bins.max())
    wide = max((last - first) // rows + 1, 1)  # bins a row
    height = (last - first) // wide + 1
    table = np.zeros((height, window.buckets), dtype=np.int64)
    columns = (buckets - window.start_s) // window.resolution_s
    np.add.at(table, ((bins - first) // wide, columns), counts)
    return HeatMap(
        at_s=window.bucket_starts,
        step_s=window.resolution_s,
        edges_us=tuple(
            latency_bins.upper_bound_of(first - 1 + row * wide) for row in range(height + 1)
        ),
        counts=table,
    )


def grouped_quantiles(
    groups: npt.NDArray[np.int64],
    bins: npt.NDArray[np.int64],
    counts: npt.NDArray[np.int64],
    wanted: Sequence[float],
) -> dict[int, tuple[float, ...]]:
    """``{group: quantiles in us}`` of counted bins, as ``latency_bins.quantiles`` of each group.

    For charts, which need hundreds at once: one sort, then one search for all of them.
    """
    if not len(groups):
        return {}
    order = np.lexsort((bins, groups))
    groups, bins = groups[order], bins[order]
    reached = np.cumsum(counts[order])
    names, first = np.unique(groups, return_index=True)
    before = np.concatenate(([0], reached[first[1:] - 1]))
    totals = np.concatenate((reached[first[1:] - 1], reached[-1:])) - before
    ranks = np.maximum(np.ceil(np.outer(totals, np.asarray(wanted))), 1)
    found = bins[np.searchsorted(reached, before[:, None] + ranks)]
    return {
        int(name): tuple(latency_bins.value_of(int(at)) for at in row)
        for name, row in zip(names, found, strict=True)
    }


def _distribution(
    name: str, acks: str, counted: list[tuple[int, int]], failed: int
) -> Distribution:
    reached = np.cumsum([n for _, n in counted]) if counted else np.zeros(0, dtype=np.int64)
    return Distribution(
        name=name,
        acks=acks,
        events=int(reached[-1]) if counted else 0,
        failed=failed,
        quantiles_us=tuple(latency_bins.quantiles(counted)),
        largest_us=latency_bins.upper_bound_of(counted[-1][0]) if counted else None,
        values_us=tuple(latency_bins.upper_bound_of(at) for at, _ in counted),
        shares=tuple((reached / reached[-1]).tolist()) if counted else (),
    )
