"""What clients saw by their own statistics: in one record's life, and where the time goes."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final

from sqlite_utils import Database

from producer_agent.store.client_statistics import COARSE
from producer_agent.store.queries.windows import Window

FINE_UP_TO_S: Final = 2 * 3600
"""Spans up to this are read from single samples: some ten thousand rows."""


_LONGEST_US: Final = 60_000_000
"""No sample covers more: where to stop looking for those that began in a span."""


@dataclass(frozen=True, slots=True)
class Stage:
    """Durations of one stage; whose sum, not whose mean, can be added to another's."""

    n: int
    total: int
    p99: int
    """The highest of the samples': those of several cannot be put together."""

    @property
    def mean(self) -> float | None:
        """None where nothing was measured."""
        return self.total / self.n if self.n else None


@dataclass(frozen=True, slots=True)
class BrokerSeen:
    """One broker as a client saw it in a span of time. Durations are µs, of throttling ms."""

    broker: int
    states: tuple[str, ...]
    """Of the connection at each sample."""
    queue: Stage
    send: Stage
    trip: Stage
    throttle: Stage
    """Its ``p99`` is the longest."""
    requests: int
    unanswered: int
    """Requests that waited for an answer, at the sample where they were most."""
    timeouts: int
    errors: int
    disconnects: int


@dataclass(frozen=True, slots=True)
class ClientSeen:
    """One run's statistics in a span of time; they come every few seconds, so it may be wider than
    what was asked for."""

    since_us: int
    until_us: int
    samples: int
    queued: int
    """Events in the client, at the sample where they were most."""
    queue_fill: float
    """The highest share of its limit, in events or bytes, that the queue held."""
    produced: int
    transmitted: int
    brokers: tuple[BrokerSeen, ...]

    @property
    def amplification(self) -> float | None:
        """How often an event was sent on average; None where none was produced."""
        return self.transmitted / self.produced if self.produced else None

    def broker(self, number: int | None) -> BrokerSeen | None:
        """One of them."""
        return next((one for one in self.brokers if one.broker == number), None)


@dataclass(frozen=True, slots=True)
class StageSplit:
    """Where the time of a profile's events went, at one broker or all."""

    profile: str
    acks: str
    broker: int | None
    """None: all."""
    queue: Stage
    send: Stage
    trip: Stage
    throttle: Stage
    requests: int

    @property
    def waits_for_answers(self) -> bool:
        """Whether a round trip is part of an acknowledgement: under acks=0 it is not."""
        return self.acks != "0"

    @property
    def total_us(self) -> float:
        """The mean of each stage, added up."""
        stages = (self.queue, self.send, self.trip) if self.waits_for_answers else (
            self.queue, self.send,
        )  # fmt: skip
        return sum(stage.mean or 0.0 for stage in stages)


_STAGES: Final = (
    "sum(b.queue_n), sum(b.queue_us), max(b.queue_p99_us), "
    "sum(b.send_n), sum(b.send_us), max(b.send_p99_us), "
    "sum(b.trip_n), sum(b.trip_us), max(b.trip_p99_us), "
    "sum(b.throttle_n), sum(b.throttle_ms), max(b.throttle_most_ms), sum(b.requests)"
)


def seen_by_client(db: Database, run_uuid: str, since_us: int, until_us: int) -> ClientSeen | None:
    """The samples of a run that cover ``[since_us, until_us]``; None: there are none, or not yet.

    The last is told a few seconds after ``until_us``.
    """
    return _seen(db, "SELECT id FROM runs WHERE uuid = ?", run_uuid, since_us, until_us)


def seen_of_profile(db: Database, profile: str, since_us: int, until_us: int) -> ClientSeen | None:
    """Likewise of a profile's runs: there is one at a time."""
    runs = "SELECT id FROM runs WHERE profile = ?"
    return _seen(db, runs, profile, since_us, until_us)


def _seen(db: Database, runs: str, of: str, since_us: int, until_us: int) -> ClientSeen | None:
    span = [since_us, until_us + _LONGEST_US, until_us, of]
    of_a_span = (
        f"WHERE b.until_us >= ? AND b.until_us <= ? AND b.since_us <= ? AND b.run IN ({runs})"
    )
    row = db.execute(
        "SELECT min(b.since_us), max(b.until_us), count(*), max(b.queued), "
        "max(max(1.0 * b.queued / b.queue_limit, 1.0 * b.queued_bytes / b.queue_limit_bytes)), "
        f"sum(b.produced), sum(b.transmitted) FROM client_samples b {of_a_span}",
        span,
    ).fetchone()
    began_us, ended_us, samples, queued, fill, produced, transmitted = row
    if not samples:
        return None
    states: dict[int, list[str]] = defaultdict(list)
    for broker, state in db.execute(
        f"SELECT b.broker, b.state FROM client_broker_samples b {of_a_span} ORDER BY b.until_us",
        span,
    ):
        states[broker].append(state)
    brokers = db.execute(
        "SELECT b.broker, max(b.unanswered), sum(b.timeouts), sum(b.errors), sum(b.disconnects), "
        f"{_STAGES} FROM client_broker_samples b {of_a_span} GROUP BY b.broker",
        span,
    ).fetchall()
    seen = (
        BrokerSeen(
            broker=broker,
            states=tuple(states[broker]),
            unanswered=unanswered,
            timeouts=timeouts,
            errors=errors,
            disconnects=disconnects,
            **_stages(told),
        )
        for broker, unanswered, timeouts, errors, disconnects, *told in brokers
    )
    return ClientSeen(
        since_us=began_us,
        until_us=ended_us,
        samples=samples,
        queued=queued,
        queue_fill=fill,
        produced=produced,
        transmitted=transmitted,
        brokers=tuple(seen),
    )


def stage_splits(db: Database, window: Window) -> tuple[StageSplit, ...]:
    """Where the time went in a window: of each profile by broker, its total before its brokers."""
    if window.end_s - window.start_s <= FINE_UP_TO_S:
        found = db.execute(
            f"SELECT r.profile, r.acks, b.broker, {_STAGES} FROM client_broker_samples b "
            "JOIN runs r ON r.id = b.run WHERE b.until_us > ? AND b.until_us <= ? "
            "GROUP BY 1, 2, 3",
            [window.start_s * 1_000_000, window.end_s * 1_000_000],
        )
    else:
        found = db.execute(
            f"SELECT s.profile, s.acks, b.broker, {_STAGES} FROM client_stage_rollups b "
            "JOIN series s ON s.id = b.series WHERE b.bucket >= ? AND b.bucket < ? "
            "GROUP BY 1, 2, 3",
            [window.start_s - window.start_s % COARSE.seconds, window.end_s],
        )
    by_profile: dict[tuple[str, str], list[StageSplit]] = defaultdict(list)
    for profile, acks, broker, *told in found:
        split = StageSplit(profile, acks, broker, **_stages(told))
        if split.queue.n:  # of others nothing was sent to
            by_profile[profile, acks].append(split)
    return tuple(split for of_one in by_profile.values() for split in (_together(of_one), *of_one))


def _together(splits: Sequence[StageSplit]) -> StageSplit:
    return StageSplit(
        splits[0].profile,
        splits[0].acks,
        None,
        _add(split.queue for split in splits),
        _add(split.send for split in splits),
        _add(split.trip for split in splits),
        _add(split.throttle for split in splits),
        sum(split.requests for split in splits),
    )


def _add(stages: Iterable[Stage]) -> Stage:
    every = list(stages)
    return Stage(
        sum(stage.n for stage in every),
        sum(stage.total for stage in every),
        max(stage.p99 for stage in every),
    )


def _stages(told: Sequence[Any]) -> dict[str, Any]:
    """Fields of a split from the columns of :data:`_STAGES`."""
    names = ("queue", "send", "trip", "throttle")
    stages = {name: Stage(*told[at * 3 : at * 3 + 3]) for at, name in enumerate(names)}
    return {**stages, "requests": told[-1]}
