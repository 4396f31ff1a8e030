"""Is it being delivered: counts, ratios and causes of a window, for the Overview."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, fields
from functools import reduce

import numpy as np
from sqlite_utils import Database

from producer_agent.store.queries.latency import grouped_quantiles
from producer_agent.store.queries.windows import Window

RATE_OVER_S = 10
RATE_LAG_S = 2
"""The rate now is that of 10 whole seconds up to 2 s ago: reports are committed in batches."""

TREND_POINTS = 30
FEWEST_REFUSED = 5
"""Refused events below which nothing is concluded, whatever their share."""


@dataclass(frozen=True, slots=True)
class Counts:
    """Outcomes and incidents in a window."""

    delivered: int = 0
    unconfirmed: int = 0
    failed: int = 0
    rejected: int = 0
    unresolved: int = 0
    """Events whose run ended before their report came."""
    queue_full: int = 0
    """Events refused because the client's queue was full (also counted as rejected)."""
    not_sent: int = 0
    """Events that were due while their run was paused, and so were never produced."""
    late_polls: int = 0
    """Times that reports were served late, which makes their latencies too long."""
    commits: int = 0
    aborts: int = 0
    """Transactions by how they ended."""

    def __add__(self, other: Counts) -> Counts:
        return Counts(*(getattr(self, name) + getattr(other, name) for name in _COUNTERS))

    @property
    def reported(self) -> int:
        """What a success ratio is a share of: delivered and failed."""
        return self.delivered + self.failed

    @property
    def sent(self) -> int:
        """Events with an outcome of any kind but ``unresolved``."""
        return self.delivered + self.unconfirmed + self.failed + self.rejected


_COUNTERS = tuple(field.name for field in fields(Counts))


@dataclass(frozen=True, slots=True)
class ProfileSummary:
    """One profile under one acks level in the window."""

    profile: str
    acks: str
    counts: Counts
    rate_now: float
    """Events a second over the last seconds."""
    p99_us: float | None
    success_objective: float | None
    """From its newest run's frozen profile."""
    p99_objective_ms: float | None

    @property
    def burn_rate(self) -> float | None:
        """How many times faster than its objective allows it fails; None without either.

        Failed share over allowed share: Site Reliability Workbook, chapter 5, "burn rate".
        acks=0 has none, since nothing proves a delivery.
        """
        if self.success_objective is None or self.acks == "0" or not self.counts.reported:
            return None
        return (self.counts.failed / self.counts.reported) / (1 - self.success_objective)

    @property
    def burns(self) -> bool:
        """Whether it fails more than its objective allows, and chance does not explain it.

        The lower end of Wilson's score interval (three standard deviations, about 1 in 700) must
        exceed the allowed share: one failure in a quiet minute is no alarm.
        """
        rate = self.burn_rate
        if rate is None or rate <= 1 or self.success_objective is None:
            return False
        return _wilson_lower(self.counts.failed, self.counts.reported) > 1 - self.success_objective

    @property
    def refuses(self) -> bool:
        """Whether ``produce()`` refuses more events than its objective would let fail.

        They are no part of the success ratio, as there was no report, yet they are just as lost.
        Without an objective one in a hundred is let pass. Chance is ruled out as in :attr:`burns`.
        """
        allowed = 0.01 if self.success_objective is None else 1 - self.success_objective
        return self.counts.rejected >= FEWEST_REFUSED and (
            _wilson_lower(self.counts.rejected, self.counts.sent) > allowed
        )

    @property
    def is_slow(self) -> bool:
        """Whether its p99 exceeds its objective."""
        return (
            self.p99_us is not None
            and self.p99_objective_ms is not None
            and self.counts.delivered + self.counts.unconfirmed >= 100
            and self.p99_us > self.p99_objective_ms * 1000
        )


@dataclass(frozen=True, slots=True)
class LevelSummary:
    """One acks level in the window: all its profiles together, and its history.

    The histories have one entry a bucket of the window; None where the bucket has no report.
    """

    acks: str
    profiles: tuple[ProfileSummary, ...]
    counts: Counts
    rate_now: float
    p50_us: float | None
    p99_us: float | None
    success_history: tuple[float | None, ...]
    """Shares 0 to 1; all None under acks=0."""
    rate_history: tuple[float | None, ...]
    """Events a second; None where the bucket is still filling."""
    failed_history: tuple[int, ...]
    p50_history_us: tuple[float | None, ...]
    p99_history_us: tuple[float | None, ...]

    @property
    def tightest_objective(self) -> float | None:
        """The highest success objective of its profiles, or None where none has one."""
        return max(
            (p.success_objective for p in self.profiles if p.success_objective is not None),
            default=None,
        )


@dataclass(frozen=True, slots=True)
class CauseSummary:
    """Failures of one cause on one topic in the window."""

    cause: str
    """The error code's name, or that of the broker's answer behind a time-out."""
    topic: str
    outcome: str
    """``failed`` or ``rejected``."""
    profiles: tuple[str, ...]
    events: int
    last_seen_us: int
    """To the second while fine rollups are kept, then to the bucket."""
    trend: tuple[int, ...]
    """Events in :data:`TREND_POINTS` equal parts of the window."""
    letters_title: str | None
    """Title of the one cause that its dead letters are grouped under, if there is just one."""


def levels(db: Database, window: Window, now_us: int) -> list[LevelSummary]:
    """One summary an acks level that has anything recorded in the window, "all" first."""
    history: dict[int, dict[int, Counts]] = defaultdict(dict)
    for series, bucket, *counts in db.execute(
        f"SELECT series, bucket, {', '.join(_COUNTERS)} FROM rollups "
        "WHERE resolution = ? AND bucket >= ? AND bucket < ?",
        [window.resolution_s, window.start_s, window.end_s],
    ):
        history[series][bucket] = Counts(*counts)
    if not history:
        return []
    rates = _rates_now(db, now_us)
    bins = _ack_bins(db, window)
    p99_of = grouped_quantiles(bins[:, 0], bins[:, 2], bins[:, 3], (0.99,))
    by_acks: dict[str, dict[int, ProfileSummary]] = defaultdict(dict)
    for series, profile, acks in db.execute("SELECT id, profile, acks FROM series ORDER BY 2, 3"):
        if series in history:
            success_objective, p99_objective_ms = _objective(db, profile, acks)
            by_acks[acks][series] = ProfileSummary(
                profile=profile,
                acks=acks,
                counts=_total(history[series].values()),
                rate_now=rates.get(series, 0.0),
                p99_us=p99_of.get(series, (None,))[0],
                success_objective=success_objective,
                p99_objective_ms=p99_objective_ms,
            )
    return [
        _level(acks, by_acks[acks], history, bins, window, now_us // 1_000_000 - RATE_LAG_S)
        for acks in sorted(by_acks, key=("all", "1", "0").index)
    ]


def causes(db: Database, window: Window, limit: int = 20) -> list[CauseSummary]:
    """What failed or was rejected in the window, most events first."""
    parts: dict[tuple[str, str, str], list[tuple[int, int, str]]] = defaultdict(list)
    for cause, topic, outcome, bucket, n, profile in db.execute(
        "SELECT f.cause, f.topic, f.outcome, f.bucket, f.n, s.profile FROM failure_rollups f "
        "JOIN series s ON s.id = f.series "
        "WHERE f.resolution = ? AND f.bucket >= ? AND f.bucket < ?",
        [window.resolution_s, window.start_s, window.end_s],
    ):
        parts[cause, topic, outcome].append((bucket, n, profile))
    last_seconds = {
        (cause, topic, outcome): bucket
        for cause, topic, outcome, bucket in db.execute(
            "SELECT cause, topic, outcome, max(bucket) FROM failure_rollups "
            "WHERE resolution = 1 AND bucket >= ? AND bucket < ? GROUP BY 1, 2, 3",
            [window.start_s, window.end_s],
        )
    }
    titles = _letter_titles(db) if parts else {}
    found = []
    for key, rows in parts.items():
        trend = [0] * TREND_POINTS
        for bucket, n, _ in rows:
            at = (bucket - window.start_s) * TREND_POINTS // (window.end_s - window.start_s)
            trend[at] += n
        last_s = max(last_seconds.get(key, 0), max(bucket for bucket, _, _ in rows))
        found.append(
            CauseSummary(
                *key,
                profiles=tuple(sorted({profile for _, _, profile in rows})),
                events=sum(n for _, n, _ in rows),
                last_seen_us=last_s * 1_000_000,
                trend=tuple(trend),
                letters_title=titles.get(key[0]),
            )
        )
    return sorted(found, key=lambda cause: (-cause.events, cause.cause, cause.topic))[:limit]


def _letter_titles(db: Database) -> dict[str, str]:
    """``{error name: title}`` of dead letters' causes, where the name has one title only.

    A title is the error's name and its masked message (``dead_letters/fingerprint.py``).
    """
    titles: dict[str, list[str]] = defaultdict(list)
    for (title,) in db.execute("SELECT title FROM causes ORDER BY last_seen_us DESC LIMIT 1000"):
        titles[title.partition(":")[0]].append(title)
    return {name: found[0] for name, found in titles.items() if len(found) == 1}


def _level(
    acks: str,
    profiles: dict[int, ProfileSummary],
    history: dict[int, dict[int, Counts]],
    bins: np.ndarray[tuple[int, int], np.dtype[np.int64]],
    window: Window,
    complete_s: int,
) -> LevelSummary:
    mine = bins[np.isin(bins[:, 0], list(profiles))]
    quantiles = grouped_quantiles(mine[:, 1], mine[:, 2], mine[:, 3], (0.5, 0.99))
    whole = grouped_quantiles(np.zeros_like(mine[:, 0]), mine[:, 2], mine[:, 3], (0.5, 0.99))
    p50_us, p99_us = whole.get(0, (None, None))
    points = [
        _total(history[series].get(bucket, Counts()) for series in profiles)
        for bucket in window.bucket_starts
    ]
    return LevelSummary(
        acks=acks,
        profiles=tuple(profiles.values()),
        counts=_total(points),
        rate_now=sum(profile.rate_now for profile in profiles.values()),
        p50_us=p50_us,
        p99_us=p99_us,
        success_history=tuple(
            point.delivered / point.reported if point.reported and acks != "0" else None
            for point in points
        ),
        rate_history=tuple(
            point.sent / window.resolution_s if at + window.resolution_s <= complete_s else None
            for at, point in zip(window.bucket_starts, points, strict=True)
        ),
        failed_history=tuple(point.failed + point.rejected for point in points),
        p50_history_us=tuple(quantiles.get(at, (None,))[0] for at in window.bucket_starts),
        p99_history_us=tuple(quantiles.get(at, (None, None))[1] for at in window.bucket_starts),
    )


def _ack_bins(db: Database, window: Window) -> np.ndarray[tuple[int, int], np.dtype[np.int64]]:
    """Rows of ``(series, bucket, bin, n)``."""
    rows = db.execute(
        "SELECT series, bucket, bin, n FROM latency_bins "
        "WHERE resolution = ? AND metric = 'ack' AND bucket >= ? AND bucket < ?",
        [window.resolution_s, window.start_s, window.end_s],
    ).fetchall()
    return np.asarray(rows, dtype=np.int64).reshape(-1, 4)


def _rates_now(db: Database, now_us: int) -> dict[int, float]:
    end_s = now_us // 1_000_000 - RATE_LAG_S
    return {
        series: sent / RATE_OVER_S
        for series, sent in db.execute(
            "SELECT series, sum(delivered + unconfirmed + failed + rejected) FROM rollups "
            "WHERE resolution = 1 AND bucket >= ? AND bucket < ? GROUP BY series",
            [end_s - RATE_OVER_S, end_s],
        )
    }


def _objective(db: Database, profile: str, acks: str) -> tuple[float | None, float | None]:
    row = db.execute(
        "SELECT json_extract(body, '$.objective.success_ratio'), "
        "json_extract(body, '$.objective.latency_p99_ms') FROM runs "
        "WHERE profile = ? AND acks = ? ORDER BY id DESC LIMIT 1",
        [profile, acks],
    ).fetchone()
    return (None, None) if row is None else (row[0], row[1])


def _total(counts: Iterable[Counts]) -> Counts:
    return reduce(Counts.__add__, counts, Counts())


def _wilson_lower(hits: int, n: int, z: float = 3.0) -> float:
    """Lower bound of a share (Wilson 1927), which holds for few hits where ±z·sigma does not."""
    share, spread = hits / n, z * z / n
    half = z * math.sqrt(share * (1 - share) / n + spread / (4 * n))
    return (share + spread / 2 - half) / (1 + spread)
