"""Samples of a client's statistics, for tests: a quiet client, changed where a test says so."""

from __future__ import annotations

from typing import Any

from producer_agent.store.client_statistics import BrokerSample, ClientSample, Spread, TopicSample

NONE = Spread(0, 0, 0, 0)


def spread(n: int, each: int, p99: int | None = None) -> Spread:
    """``n`` durations of which each took so long."""
    most = each if p99 is None else p99
    return Spread(n, n * each, most, most)


def broker(number: int, **changes: Any) -> BrokerSample:
    quiet: dict[str, Any] = {
        "broker": number,
        "state": "UP",
        "queue": NONE,
        "send": NONE,
        "trip": NONE,
        "throttle": NONE,
        "requests": 0,
        "unanswered": 0,
        "timeouts": 0,
        "errors": 0,
        "disconnects": 0,
    }
    return BrokerSample(**{**quiet, **changes})


def sample(
    until_us: int,
    *brokers: BrokerSample,
    queued: int = 0,
    limit: int = 100,
    produced: int = 0,
    transmitted: int = 0,
    seconds: int = 5,
) -> ClientSample:
    return ClientSample(
        since_us=until_us - seconds * 1_000_000,
        until_us=until_us,
        queued=queued,
        queue_limit=limit,
        queued_bytes=0,
        queue_limit_bytes=1_000,
        brokers=brokers,
        topics={"orders": TopicSample(produced, transmitted, 0, NONE, NONE)},
    )
