"""What librdkafka's statistics tell of a run, sample by sample, and summed for longer times.

A sample is a row of the run and one of each broker it talked to: about 285 bytes on three
brokers, so 4.9 MB a day of a run at one every 5 s. They are kept for a day, for diagnoses; the
sums of ten minutes, which pages read of longer times, take 40 kB a day and are kept for two weeks.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from producer_agent.store.rollups import DAY_S, RESOLUTIONS
from producer_agent.store.sqlite import Session, connection

COARSE: Final = RESOLUTIONS[3]
"""The sums' bucket width and how long they are kept: as the rollups beside which they are shown."""

SAMPLES_KEPT_S: Final = DAY_S
STEP_ROWS: Final = 5_000


@dataclass(frozen=True, slots=True)
class Spread:
    """Durations measured since the sample before."""

    n: int
    total: int
    p99: int
    largest: int


@dataclass(frozen=True, slots=True)
class BrokerSample:
    """One broker as the client saw it. Durations are µs, those of throttling ms."""

    broker: int
    state: str
    """Of the connection at that moment: ``UP``, or what librdkafka calls it otherwise."""
    queue: Spread
    """From produce() until an event was put into a request, an event each time it was: with what
    attempts before took, where they failed."""
    send: Spread
    """From there until the request was written to the socket."""
    trip: Spread
    """From there to the answer, of all requests that have one: under acks=0 none that produces."""
    throttle: Spread
    """How long answers say that the broker held the client back."""
    requests: int
    """Produce requests since the sample before."""
    unanswered: int
    """Requests that waited for an answer at that moment."""
    timeouts: int
    errors: int
    """Failures to send or to receive."""
    disconnects: int


@dataclass(frozen=True, slots=True)
class TopicSample:
    """What was sent to one topic since the sample before."""

    produced: int
    transmitted: int
    """Events, each as often as it was sent."""
    transmitted_bytes: int
    batch_bytes: Spread
    batch_events: Spread


@dataclass(frozen=True, slots=True)
class ClientSample:
    """One emission of a client's statistics: counts are since the one before."""

    since_us: int
    until_us: int
    queued: int
    """Events in the client at that moment: waiting, or sent and not answered for."""
    queue_limit: int
    queued_bytes: int
    queue_limit_bytes: int
    brokers: tuple[BrokerSample, ...]
    topics: Mapping[str, TopicSample]


_STAGES: Final = (
    "requests", "queue_n", "queue_us", "queue_p99_us", "send_n", "send_us", "send_p99_us",
    "trip_n", "trip_us", "trip_p99_us", "throttle_n", "throttle_ms", "throttle_most_ms",
)  # fmt: skip
_HIGHEST: Final = frozenset({"queue_p99_us", "send_p99_us", "trip_p99_us", "throttle_most_ms"})
"""Columns that are not summed up: their highest is kept."""


def record(db: Session, run: int, series: int, sample: ClientSample) -> None:
    """Insert a sample of a run, and add it to its series' sums."""
    topics = sample.topics.values()
    db.execute(
        f"INSERT OR REPLACE INTO client_samples VALUES ({_marks(9)})",
        [
            *(sample.until_us, run, sample.since_us),
            *(sample.queued, sample.queue_limit, sample.queued_bytes, sample.queue_limit_bytes),
            sum(topic.produced for topic in topics),
            sum(topic.transmitted for topic in topics),
        ],
    )
    connection(db).executemany(
        f"INSERT OR REPLACE INTO client_broker_samples VALUES ({_marks(9 + len(_STAGES))})",
        [
            (
                *(sample.until_us, run, one.broker, sample.since_us, one.state),
                *(one.unanswered, one.timeouts, one.errors, one.disconnects),
                *_stages(one),
            )
            for one in sample.brokers
        ],
    )
    added = ", ".join(
        f"{name} = max({name}, excluded.{name})"
        if name in _HIGHEST
        else f"{name} = {name} + excluded.{name}"
        for name in _STAGES
    )
    until_s = sample.until_us // 1_000_000
    bucket = until_s - until_s % COARSE.seconds
    connection(db).executemany(
        f"INSERT INTO client_stage_rollups VALUES ({_marks(3 + len(_STAGES))}) "
        f"ON CONFLICT DO UPDATE SET {added}",
        [
            (bucket, series, one.broker, *_stages(one))
            for one in sample.brokers
            if one.requests or one.queue.n
        ],
    )


def trim(db: Session, now_s: float) -> int:
    """Delete one step of what is past its time; returns how many rows went."""
    gone = 0
    before_us = int((now_s - SAMPLES_KEPT_S) * 1e6)
    for table, key in (
        ("client_samples", "until_us, run"),
        ("client_broker_samples", "until_us, run, broker"),
    ):
        gone += db.execute(
            f"DELETE FROM {table} WHERE ({key}) IN "
            f"(SELECT {key} FROM {table} WHERE until_us < ? ORDER BY until_us LIMIT {STEP_ROWS})",
            [before_us],
        ).rowcount
    assert COARSE.kept_s is not None
    gone += db.execute(
        "DELETE FROM client_stage_rollups WHERE bucket < ?", [int(now_s) - COARSE.kept_s]
    ).rowcount
    return gone


def _stages(one: BrokerSample) -> tuple[int, ...]:
    return (
        one.requests,
        *(one.queue.n, one.queue.total, one.queue.p99),
        *(one.send.n, one.send.total, one.send.p99),
        *(one.trip.n, one.trip.total, one.trip.p99),
        *(one.throttle.n, one.throttle.total, one.throttle.largest),
    )


def _marks(n: int) -> str:
    return ", ".join("?" * n)
