"""Adds what was recorded to buckets by the broker that led each record's partition.

An acknowledgement counts for the broker that led the partition all the time from ``produce()`` to
it: where another took over meanwhile, its latency is neither's. A failure counts for the broker
that led when the record was produced, to which it was sent first: a broker that hangs loses its
partitions within seconds, and what was sent to it fails after that.

Done some seconds behind the recording, and beside it: only a look at the cluster that comes after
an outcome tells who led its partition until then, the recording of outcomes is not to wait for
that, and outcomes that other processes record are in the same tables. How far it has come is
committed with the buckets, so an outcome is in them once, whatever is killed in between.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Final

import numpy as np
import numpy.typing as npt
from sqlite_utils import Database

from producer_agent.store import latency_bins
from producer_agent.store.leader_timeline import SLACK_US, LeaderTimeline, read_timeline
from producer_agent.store.reader import Reader
from producer_agent.store.rollups import BROKER_RESOLUTIONS, DAY_S
from producer_agent.store.sqlite import Session, connection
from producer_agent.store.writer import Writer

STEP_LOTS: Final = 500
"""Lots (256,000 reports at most) that are read and written at once."""

STEP_UNDELIVERED: Final = 20_000
MOST_STEPS: Final = 20

WAIT_US: Final = 15_000_000
"""How long an outcome waits for a look at the cluster; after that its leader is not known."""

_STEP_SPAN_US: Final = DAY_S * 1_000_000
_REACH_US: Final = 600_000_000
"""How far before what was asked for a topic's leaders are read, so that one reading serves long."""

_DENSE: Final = 1_000_000
"""Keys below this are counted in an array of that length instead of being sorted."""

_CODES: Final = 8
"""Added to a broker's id, so that the names below 0 can be part of a key."""

Int64s = npt.NDArray[np.int64]


@dataclass(slots=True)
class _Step:
    """What one step found, and up to which ids."""

    lot: int
    undelivered: int
    counts: Counter[tuple[int, int, int, str]] = field(default_factory=Counter)
    """``{(bucket of 10 s, series, broker, outcome): n}``."""
    bins: Counter[tuple[int, int, int, int]] = field(default_factory=Counter)
    """``{(bucket of 10 s, series, broker, bin): n}``."""
    outcomes: int = 0


class BrokerRollups:
    """Keeps ``broker_rollups`` and ``broker_latency_bins``. One thread at a time calls it."""

    def __init__(self, reader: Reader, writer: Writer) -> None:
        self._reader = reader
        self._writer = writer
        self._leaders = _Leaders()

    def roll(self, now_us: int) -> int:
        """Add what is ready; returns how many outcomes that were. What is left waits.

        Raises:
            StoreError, TimeoutError: the database cannot be read or written; nothing is lost.
        """
        outcomes = 0
        for _ in range(MOST_STEPS):
            began, step = self._reader(partial(self._find, now_us=now_us))
            if (step.lot, step.undelivered) == began:
                break
            self._writer.call(partial(_add, step=step))
            outcomes += step.outcomes
        return outcomes

    def _find(self, db: Database, now_us: int) -> tuple[tuple[int, int], _Step]:
        """How far it had come, and the next step from there."""
        look = db.execute("SELECT at_us FROM facts WHERE name = 'cluster'").fetchone()
        # Of times after the last look nobody knows who led what.
        looked_us = 0 if look is None else int(look[0]) - SLACK_US
        ready_us = max(looked_us, now_us - WAIT_US)
        self._leaders.look(db)
        began = db.execute("SELECT lot, undelivered FROM broker_rollups_done").fetchone()
        step = _Step(*began)
        _acknowledged(db, step, self._leaders, looked_us, ready_us, now_us)
        _failed(db, step, self._leaders, looked_us, ready_us, now_us)
        return began, step


def trim(db: Database, now_s: int) -> int:
    """Delete buckets past their time; to be called where outcomes were just deleted."""
    # SQLite gives the highest id again once its row is gone: what comes next must not be skipped.
    db.execute(
        "UPDATE broker_rollups_done SET "
        "lot = min(lot, (SELECT coalesce(max(id), 0) FROM delivery_lots)), "
        "undelivered = min(undelivered, (SELECT coalesce(max(id), 0) FROM undelivered))"
    )
    gone = 0
    for resolution in BROKER_RESOLUTIONS:
        if resolution.kept_s is not None:
            for table in ("broker_rollups", "broker_latency_bins"):
                gone += db.execute(
                    f"DELETE FROM {table} WHERE resolution = ? AND bucket < ?",
                    [resolution.seconds, now_s - resolution.kept_s],
                ).rowcount
    return gone


class _Leaders:
    """Timelines by topic, read again when something changed on the cluster."""

    def __init__(self) -> None:
        self._as_of: tuple[Any, ...] = ()
        self._by_topic: dict[str, LeaderTimeline] = {}

    def look(self, db: Database) -> None:
        """Forget what was read before the last change."""
        newest = tuple(
            db.execute(
                "SELECT (SELECT max(at_us) FROM partition_states), "
                "(SELECT max(id) FROM cluster_changes)"
            ).fetchone()
        )
        if newest != self._as_of:
            self._as_of = newest
            self._by_topic.clear()

    def of(self, db: Database, topic: str, since_us: int) -> LeaderTimeline:
        """Right from ``since_us`` on."""
        known = self._by_topic.get(topic)
        if known is None or known.since_us > since_us:
            known = self._by_topic[topic] = read_timeline(db, topic, since_us - _REACH_US)
        return known


def _acknowledged(
    db: Database, step: _Step, leaders: _Leaders, looked_us: int, ready_us: int, now_us: int
) -> None:
    rows: dict[tuple[int, str, str], list[tuple[Any, ...]]] = defaultdict(list)
    began_us: int | None = None
    for lot, reported_us, series, topic, outcome, *columns in db.execute(
        "SELECT l.id, l.last_reported_us, s.id, coalesce(l.topic, r.topic), l.outcome, l.n, "
        "l.first_sent_us, l.sent, l.partitions, l.latencies FROM delivery_lots l "
        "JOIN runs r ON r.id = l.run JOIN series s ON s.profile = r.profile AND s.acks = r.acks "
        "WHERE l.id > ? ORDER BY l.id LIMIT ?",
        [step.lot, STEP_LOTS],
    ):
        began_us = reported_us if began_us is None else began_us
        # A clock of another process that is ahead must not hold everything up.
        waits = ready_us < reported_us <= now_us + WAIT_US
        if waits or abs(reported_us - began_us) > _STEP_SPAN_US:
            break
        step.lot = lot
        rows[series, topic, outcome].append(tuple(columns))
    for (series, topic, outcome), lots in rows.items():
        n, first_sent_us, *packed = zip(*lots, strict=True)
        sent, partitions, latencies = (
            np.frombuffer(b"".join(column), dtype="<u4").astype(np.int64) for column in packed
        )
        sent_us = np.repeat(np.array(first_sent_us, dtype=np.int64), n) + sent
        settled_us = sent_us + latencies
        timeline = leaders.of(db, topic, int(sent_us.min()))
        brokers = timeline.leaders(partitions, sent_us, settled_us, looked_us)
        _count(step, series, outcome, brokers, settled_us, latencies)


def _failed(
    db: Database, step: _Step, leaders: _Leaders, looked_us: int, ready_us: int, now_us: int
) -> None:
    rows: dict[tuple[int, str], list[tuple[int, int, int]]] = defaultdict(list)
    began_us: int | None = None
    for number, settled_us, outcome, series, topic, partition, sent_us in db.execute(
        "SELECT u.id, u.settled_us, u.outcome, s.id, u.topic, u.partition, u.sent_us "
        "FROM undelivered u JOIN runs r ON r.id = u.run "
        "JOIN series s ON s.profile = r.profile AND s.acks = r.acks "
        "WHERE u.id > ? ORDER BY u.id LIMIT ?",
        [step.undelivered, STEP_UNDELIVERED],
    ):
        began_us = settled_us if began_us is None else began_us
        waits = ready_us < settled_us <= now_us + WAIT_US
        if waits or abs(settled_us - began_us) > _STEP_SPAN_US:
            break
        step.undelivered = number
        if outcome == "failed":
            rows[series, topic].append(
                (
                    -1 if partition is None else partition,
                    settled_us if sent_us is None else sent_us,
                    settled_us,
                )
            )
    for (series, topic), events in rows.items():
        partitions, sent, settled = np.array(events, dtype=np.int64).T
        timeline = leaders.of(db, topic, int(sent.min()))
        brokers = timeline.leaders(partitions, sent, sent, looked_us)
        _count(step, series, "failed", brokers, settled)


def _count(
    step: _Step,
    series: int,
    outcome: str,
    brokers: Int64s,
    settled_us: Int64s,
    latencies_us: Int64s | None = None,
) -> None:
    finest_s = BROKER_RESOLUTIONS[0].seconds
    buckets = settled_us // (finest_s * 1_000_000)
    first = int(buckets.min())
    present, at = _indexed(brokers + _CODES)
    # One key for (bucket, broker, bin), as dense as can be: they are counted, not sorted.
    keys, bins = (buckets - first) * len(present) + at, 1
    if latencies_us is not None:
        of_latencies = latency_bins.bin_of(latencies_us.astype(np.float64))
        bins = int(of_latencies.max()) + 1
        keys = keys * bins + of_latencies
    found, counts = _counts(keys)
    step.outcomes += len(brokers)
    for key, n in zip(found.tolist(), counts.tolist(), strict=True):
        place, bin_number = divmod(key, bins)
        bucket = (first + place // len(present)) * finest_s
        broker = int(present[place % len(present)]) - _CODES
        step.counts[bucket, series, broker, outcome] += n
        if latencies_us is not None:
            step.bins[bucket, series, broker, bin_number] += n


def _indexed(values: Int64s) -> tuple[Int64s, Int64s]:
    """The distinct values, and for each value its place among them."""
    if int(values.max()) >= _DENSE:
        present, at = np.unique(values, return_inverse=True)
        return present, at
    present = np.flatnonzero(np.bincount(values))
    places = np.zeros(int(present[-1]) + 1, dtype=np.int64)
    places[present] = np.arange(len(present))
    return present, places[values]


def _counts(keys: Int64s) -> tuple[Int64s, Int64s]:
    """Distinct keys and how often each is there."""
    if int(keys.max()) >= _DENSE:
        return np.unique(keys, return_counts=True)
    counts = np.bincount(keys)
    present = np.flatnonzero(counts)
    return present, counts[present]


def _add(db: Session, step: _Step) -> None:
    counts: Counter[tuple[int, int, int, int, str]] = Counter()
    bins: Counter[tuple[int, int, int, int, int]] = Counter()
    for resolution in BROKER_RESOLUTIONS:
        width = resolution.seconds
        for (bucket, series, broker, outcome), n in step.counts.items():
            counts[width, bucket - bucket % width, series, broker, outcome] += n
        for (bucket, series, broker, bin_number), n in step.bins.items():
            bins[width, bucket - bucket % width, series, broker, bin_number] += n
    for outcome in ("delivered", "unconfirmed", "failed"):
        connection(db).executemany(
            f"INSERT INTO broker_rollups (resolution, bucket, series, broker, {outcome}) "
            "VALUES (?, ?, ?, ?, ?) "
            f"ON CONFLICT DO UPDATE SET {outcome} = {outcome} + excluded.{outcome}",
            list(_of_outcome(counts, outcome)),
        )
    connection(db).executemany(
        "INSERT INTO broker_latency_bins (resolution, bucket, series, broker, bin, n) "
        "VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT DO UPDATE SET n = n + excluded.n",
        [(*key, n) for key, n in bins.items()],
    )
    db.execute(
        "UPDATE broker_rollups_done SET lot = ?, undelivered = ?", [step.lot, step.undelivered]
    )


def _of_outcome(
    counts: Counter[tuple[int, int, int, int, str]], outcome: str
) -> Iterator[Sequence[int]]:
    for (*key, of), n in counts.items():
        if of == outcome:
            yield (*key, n)
