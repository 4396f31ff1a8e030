"""Success and latency by the broker that led the partition, and whether one stands out."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Literal

import numpy as np
from sqlite_utils import Database

from producer_agent.store import latency_bins
from producer_agent.store.queries.latency import grouped_quantiles
from producer_agent.store.queries.windows import Window
from producer_agent.store.rollups import BROKER_RESOLUTIONS

MOST_BROKERS: Final = 500

SLOWER_BY_US: Final = 5_000.0
SLOWER_TIMES: Final[Mapping[str, float]] = {"median": 2.0, "p99": 3.0}
LEAST_ACKNOWLEDGED: Final[Mapping[str, int]] = {"median": 100, "p99": 1_000}
FAILING_TIMES: Final = 5.0
LEAST_FAILED: Final = 10
LEAST_REPORTED: Final = 100

_QUANTILES: Final[Mapping[Literal["median", "p99"], float]] = {"median": 0.5, "p99": 0.99}

_Span = tuple[int, int, int, str]
"""Resolution, start, end and acks level of a query."""

RULE: Final = (
    "A broker stands out if, under one profile, its median is at least "
    f"{SLOWER_TIMES['median']:g} times that of the other brokers together and "
    f"{SLOWER_BY_US / 1000:g} ms above it (of {LEAST_ACKNOWLEDGED['median']:,} acknowledgements "
    f"or more on either side), or so its p99 {SLOWER_TIMES['p99']:g} times (of "
    f"{LEAST_ACKNOWLEDGED['p99']:,}), or if at least {LEAST_FAILED} of its events failed, a share "
    f"at least {FAILING_TIMES:g} times that of the others ({LEAST_REPORTED} events or more)."
)
"""What :func:`standing_out` goes by, in words. Brokers are compared under one profile only: each
profile has its own load, and may be on the partitions of one broker more than of another."""


@dataclass(frozen=True, slots=True)
class BrokerSummary:
    """What became of the records whose partition one broker led, in a window. Which those are:
    see ``store/broker_rollups.py``."""

    broker: int
    """Its id; below 0 one of the names in ``store/leader_timeline.py``."""
    delivered: int
    unconfirmed: int
    failed: int
    quantiles_us: tuple[float | None, ...]
    """At ``latency_bins.PERCENTILES``."""
    p99_history_us: tuple[float | None, ...]
    """By bucket of the window; None where nothing was acknowledged."""
    failed_history: tuple[int, ...]

    @property
    def acknowledged(self) -> int:
        """Events that its latencies are of; under acks=0 they only left the client."""
        return self.delivered + self.unconfirmed

    @property
    def success(self) -> float | None:
        """Share delivered of what was reported; None under acks=0, where nothing proves it."""
        reported = self.delivered + self.failed
        return self.delivered / reported if reported and not self.unconfirmed else None


@dataclass(frozen=True, slots=True)
class StandsOut:
    """A broker that is slower, or fails more, than the others under the same profile."""

    broker: int
    profile: str
    what: Literal["median", "p99", "failed"]
    value: float
    """Microseconds, or the share that failed."""
    others: float
    """Of all the other brokers together."""

    @property
    def times(self) -> float:
        """How many times the others' it is; infinite where theirs is 0."""
        return self.value / self.others if self.others else float("inf")


def by_broker(db: Database, window: Window, acks: str) -> tuple[BrokerSummary, ...]:
    """Each broker's part under one acks level, by id; after them what is nobody's.

    Args:
        window: Of a resolution of 10 s at least; a finer one is read at 10 s.
        acks: ``0``, ``1`` or ``all``: their latencies are not to be thrown together.
    """
    window = _coarse(window)
    span = (window.resolution_s, window.start_s, window.end_s, acks)
    counts: dict[int, Counter[str]] = defaultdict(Counter)
    failures: dict[int, dict[int, int]] = defaultdict(dict)
    for broker, bucket, delivered, unconfirmed, failed in db.execute(
        "SELECT b.broker, b.bucket, sum(b.delivered), sum(b.unconfirmed), sum(b.failed) "
        "FROM broker_rollups b JOIN series s ON s.id = b.series "
        "WHERE b.resolution = ? AND b.bucket >= ? AND b.bucket < ? AND s.acks = ? GROUP BY 1, 2",
        span,
    ):
        counts[broker].update(delivered=delivered, unconfirmed=unconfirmed, failed=failed)
        failures[broker][bucket] = failed
    totals, histories = _latencies(db, span, window)
    ordered = sorted(counts, key=lambda broker: (broker < 0, abs(broker)))[:MOST_BROKERS]
    return tuple(
        BrokerSummary(
            broker=broker,
            delivered=counts[broker]["delivered"],
            unconfirmed=counts[broker]["unconfirmed"],
            failed=counts[broker]["failed"],
            quantiles_us=tuple(latency_bins.quantiles(totals.get(broker, ()))),
            p99_history_us=histories.get(broker, (None,) * window.buckets),
            failed_history=tuple(failures[broker].get(at, 0) for at in window.bucket_starts),
        )
        for broker in ordered
    )


def acks_levels(db: Database, window: Window) -> tuple[str, ...]:
    """Acks levels of which something is there, the strongest first."""
    window = _coarse(window)
    found = {
        acks
        for (acks,) in db.execute(
            "SELECT DISTINCT s.acks FROM broker_rollups b JOIN series s ON s.id = b.series "
            "WHERE b.resolution = ? AND b.bucket >= ? AND b.bucket < ?",
            [window.resolution_s, window.start_s, window.end_s],
        )
    }
    return tuple(acks for acks in ("all", "1", "0") if acks in found)


def standing_out(db: Database, window: Window, acks: str) -> tuple[StandsOut, ...]:
    """Brokers that stand out by :data:`RULE`, in order: each at most once as failing and once as
    slow, under the profile where it is furthest from the others."""
    window = _coarse(window)
    span = (window.resolution_s, window.start_s, window.end_s, acks)
    bins: dict[str, dict[int, list[tuple[int, int]]]] = defaultdict(lambda: defaultdict(list))
    for profile, broker, bin_number, n in db.execute(
        "SELECT s.profile, b.broker, b.bin, sum(b.n) FROM broker_latency_bins b "
        "JOIN series s ON s.id = b.series WHERE b.resolution = ? AND b.bucket >= ? "
        "AND b.bucket < ? AND s.acks = ? AND b.broker >= 0 GROUP BY 1, 2, 3",
        span,
    ):
        bins[profile][broker].append((bin_number, n))
    outcomes: dict[str, dict[int, tuple[int, int]]] = defaultdict(dict)
    for profile, broker, good, bad in db.execute(
        "SELECT s.profile, b.broker, sum(b.delivered + b.unconfirmed), sum(b.failed) "
        "FROM broker_rollups b JOIN series s ON s.id = b.series WHERE b.resolution = ? "
        "AND b.bucket >= ? AND b.bucket < ? AND s.acks = ? AND b.broker >= 0 GROUP BY 1, 2",
        span,
    ):
        outcomes[profile][broker] = (good, bad)
    found: dict[tuple[int, bool], StandsOut] = {}
    for one in (
        *(each for profile, of_brokers in bins.items() for each in _slow(profile, of_brokers)),
        *(each for profile, results in outcomes.items() for each in _failing(profile, results)),
    ):
        key = one.broker, one.what != "failed"
        found[key] = max(found.get(key, one), one, key=lambda each: each.times)
    return tuple(found[key] for key in sorted(found))


def _latencies(
    db: Database, span: _Span, window: Window
) -> tuple[dict[int, list[tuple[int, int]]], dict[int, tuple[float | None, ...]]]:
    """Of each broker its counted bins, and p99 by bucket."""
    rows = db.execute(
        "SELECT b.broker, b.bucket, b.bin, sum(b.n) FROM broker_latency_bins b "
        "JOIN series s ON s.id = b.series WHERE b.resolution = ? AND b.bucket >= ? "
        "AND b.bucket < ? AND s.acks = ? GROUP BY 1, 2, 3",
        span,
    ).fetchall()
    if not rows:
        return {}, {}
    brokers, buckets, bins, counts = np.asarray(rows, dtype=np.int64).T
    columns = (buckets - window.start_s) // window.resolution_s
    names, at = np.unique(brokers, return_inverse=True)
    quantiles = grouped_quantiles(at * window.buckets + columns, bins, counts, (0.99,))
    totals: dict[int, list[tuple[int, int]]] = defaultdict(list)
    summed = np.zeros((len(names), int(bins.max()) + 1), dtype=np.int64)
    np.add.at(summed, (at, bins), counts)
    for number, broker in enumerate(names.tolist()):
        present = np.flatnonzero(summed[number])
        totals[broker] = list(zip(present.tolist(), summed[number][present].tolist(), strict=True))
    return dict(totals), {
        broker: tuple(
            quantiles[number * window.buckets + column][0]
            if number * window.buckets + column in quantiles
            else None
            for column in range(window.buckets)
        )
        for number, broker in enumerate(names.tolist())
    }


def _slow(profile: str, bins: Mapping[int, Sequence[tuple[int, int]]]) -> list[StandsOut]:
    found = []
    for broker, mine in bins.items():
        theirs: dict[int, int] = defaultdict(int)
        for other, counted in bins.items():
            if other != broker:
                for bin_number, n in counted:
                    theirs[bin_number] += n
        fewest = min(sum(n for _, n in mine), sum(theirs.values()))
        for what, quantile in _QUANTILES.items():
            (value,) = latency_bins.quantiles(mine, (quantile,))
            (others,) = latency_bins.quantiles(theirs.items(), (quantile,))
            if value is None or others is None or fewest < LEAST_ACKNOWLEDGED[what]:
                continue
            if value >= others * SLOWER_TIMES[what] and value >= others + SLOWER_BY_US:
                found.append(StandsOut(broker, profile, what, value, others))
    return found


def _failing(profile: str, outcomes: Mapping[int, tuple[int, int]]) -> list[StandsOut]:
    found = []
    good_of_all = sum(good for good, _ in outcomes.values())
    bad_of_all = sum(bad for _, bad in outcomes.values())
    for broker, (good, bad) in outcomes.items():
        reported_by_others = good_of_all + bad_of_all - good - bad
        if bad < LEAST_FAILED or reported_by_others < LEAST_REPORTED:
            continue
        mine, others = bad / (good + bad), (bad_of_all - bad) / reported_by_others
        if mine >= others * FAILING_TIMES:
            found.append(StandsOut(broker, profile, "failed", mine, others))
    return found


def _coarse(window: Window) -> Window:
    """The window at a resolution that there is."""
    finest_s = BROKER_RESOLUTIONS[0].seconds
    if window.resolution_s >= finest_s:
        return window
    return Window(
        window.start_s // finest_s * finest_s, -(-window.end_s // finest_s) * finest_s, finest_s
    )
