"""Fills a database as the agent would: through the functions that record, not by hand.

python -m tests.dashboard.seed PATH [--hours H] [--burning]
"""

from __future__ import annotations

import argparse
import uuid
from array import array
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from sqlite_utils import Database

from producer_agent.delivery.errors import BY_NAME
from producer_agent.delivery.profiles import Profile
from producer_agent.delivery.shipped_profiles import shipped_profiles
from producer_agent.store import deliveries, facts, runs
from producer_agent.store.clock import now_us
from producer_agent.store.database import open_database
from producer_agent.store.deliveries import OutcomeBatch, UndeliveredEvent

MEDIAN_ACK_US = {"all": 14_000.0, "1": 5_000.0, "0": 900.0}


@dataclass(frozen=True, slots=True)
class Failures:
    """Failures to record: a share of a profile's events, in its last ``last_s`` seconds."""

    profile: str
    code_name: str
    share: float
    last_s: int = 10**9
    outcome: str = "failed"


QUIET = (
    Failures("critical", "MSG_SIZE_TOO_LARGE", 0.00002),
    Failures("analytics", "_UNKNOWN_PARTITION", 0.0003),
    Failures("metrics", "_UNKNOWN_TOPIC", 0.0002),
)
"""As the shipped profiles fail on purpose, within their objectives."""

BURNING = (*QUIET, Failures("analytics", "NOT_ENOUGH_REPLICAS", 0.05, 300))


def fill(
    path: Path,
    *,
    seconds: int = 900,
    rate: float = 20.0,
    failures: Sequence[Failures] = QUIET,
    end_us: int | None = None,
) -> None:
    """Record ``seconds`` of sending, ended just now, with live agent and cluster facts.

    Args:
        rate: Events a second of each profile (its own rate would make tests slow).
        end_us: When the last second of it was; now, if None.
    """
    end_us = now_us() if end_us is None else end_us
    db = open_database(path)
    random = np.random.default_rng(20261124)
    try:
        with db.atomic():
            cluster = runs.register_cluster(db, "seeded-cluster", "embedded", "127.0.0.1:1")
            for profile in shipped_profiles():
                save_profile(db, profile)
            active = [profile for profile in shipped_profiles() if profile.active]
            statuses = []
            for profile in active:
                mine = [failure for failure in failures if failure.profile == profile.name]
                statuses.append(send(db, cluster, profile, seconds, rate, mine, end_us, random))
            put_agent(db)
            put_cluster(db, topics=[profile.workload.topic for profile in active])
            facts.put(db, "runs", statuses)
    finally:
        db.close()


def save_profile(db: Database, profile: Profile) -> None:
    """Store a profile as the agent stores a shipped one."""
    db.execute(
        "INSERT OR REPLACE INTO profiles (name, body, shipped, changed_us) VALUES (?, ?, 1, ?)",
        [profile.name, profile.to_json(), now_us()],
    )


def send(
    db: Database,
    cluster: int,
    profile: Profile,
    seconds: int,
    rate: float,
    failures: Sequence[Failures],
    end_us: int,
    random: np.random.Generator,
) -> dict[str, Any]:
    """One run under ``profile``, still open; returns its entry in the fact ``runs``."""
    topic, acks = profile.workload.topic, profile.acks_label
    run_uuid = uuid.UUID(bytes=random.bytes(16)).hex
    row = runs.begin_run(
        db,
        uuid=run_uuid,
        profile=profile.name,
        acks=acks,
        body=profile.to_json(),
        cluster=cluster,
        topic=topic,
        watermarks={0: (0, 0)},
    )
    start_us = end_us - seconds * 1_000_000
    db.execute("UPDATE runs SET started_us = ? WHERE id = ?", [start_us, row.id])
    n = int(seconds * rate)
    settled = np.linspace(start_us, end_us - 1000, n).astype(np.int64)
    latencies = random.lognormal(np.log(MEDIAN_ACK_US[acks]), 0.35, n).clip(200, 2e6)
    kinds = np.full(n, -1)
    for at, failure in enumerate(failures):
        hit = (random.random(n) < failure.share) & (settled > end_us - failure.last_s * 1_000_000)
        kinds[hit] = at
    flat: array[float] = array("d")
    undelivered = []
    for sequence in range(n):
        sent_us = int(settled[sequence] - latencies[sequence])
        if kinds[sequence] < 0:
            offset = -1 if acks == "0" else sequence
            flat.extend((sequence, sent_us, sequence % 6, offset, latencies[sequence] / 1e6))
        else:
            failure = failures[kinds[sequence]]
            undelivered.append(
                undelivered_event(sequence, failure, topic, sent_us, int(settled[sequence]))
            )
    batch = OutcomeBatch(
        row.id,
        row.series,
        "unconfirmed" if acks == "0" else "delivered",
        n,
        reports=flat,
        undelivered=undelivered,
        schedule_delays=[
            (second, float(delay), max(int(rate), 1))
            for second, delay in zip(
                range(start_us // 1_000_000, end_us // 1_000_000),
                random.lognormal(np.log(300), 0.5, seconds + 1),
                strict=False,
            )
        ],
    )
    deliveries.record(db, batch)
    return {
        "uuid": run_uuid,
        "profile": profile.name,
        "acks": acks,
        "topic": topic,
        "rate": rate,
        "accepted": n,
        "outstanding": 0,
        "started_us": start_us,
        "paused_because": None,
        "last_error": None,
    }


def undelivered_event(
    sequence: int, failure: Failures, topic: str, sent_us: int, settled_us: int
) -> UndeliveredEvent:
    """A failed event as the recorder hands it over, with what a dead letter needs."""
    known = BY_NAME[failure.code_name]
    return UndeliveredEvent(
        sequence=sequence,
        outcome=failure.outcome,
        topic=topic,
        partition=sequence % 6,
        code=known.code,
        code_name=known.name,
        reason=known.meaning,
        stored=known.stored.value,
        cause=known.name,
        sent_us=sent_us,
        settled_us=settled_us,
        dead_letter=True,
        key=b"user-%d" % (sequence % 1000),
        value=b'{"task": %d}' % sequence,
        headers=(("content-type", b"application/json"),),
    )


def put_agent(db: Database, *, silent_s: float = 0.0, **changes: Any) -> None:
    """The agent's heartbeat; ``silent_s`` ago."""
    facts.put(
        db,
        "agent",
        {
            "pid": 4711,
            "version": "0.1.0",
            "state": "running",
            "started_us": now_us() - 8_040_000_000,
            "host": "localhost",
            "blocked": None,
            "backlog": 0,
            "messages": [],
        }
        | changes,
    )
    db.execute(
        "UPDATE facts SET at_us = at_us - ? WHERE name = 'agent'", [int(silent_s * 1_000_000)]
    )


def put_cluster(db: Database, *, topics: Sequence[str] = (), **changes: Any) -> None:
    """An embedded cluster of three brokers that can be reached."""
    facts.put(
        db,
        "cluster",
        {
            "kind": "embedded",
            "bootstrap_servers": "127.0.0.1:41001,127.0.0.1:41002,127.0.0.1:41003",
            "cluster_id": "seeded-cluster",
            "controller_id": 1,
            "reachable": True,
            "since_us": now_us() - 8_040_000_000,
            "error": None,
            "brokers": [{"id": i, "host": "127.0.0.1", "port": 41000 + i} for i in (1, 2, 3)],
            "topics": [
                {
                    "name": topic,
                    "internal": False,
                    "min_insync_replicas": None,
                    "partitions": [
                        {"id": p, "leader": p % 3 + 1, "replicas": [1, 2, 3], "isrs": [1, 2, 3]}
                        for p in range(6)
                    ],
                }
                for topic in topics
            ],
            "problems": [],
        }
        | changes,
    )


def _main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("path", type=Path)
    parser.add_argument("--hours", type=float, default=0.25)
    parser.add_argument("--burning", action="store_true")
    options = parser.parse_args()
    fill(
        options.path,
        seconds=int(options.hours * 3600),
        failures=BURNING if options.burning else QUIET,
    )


if __name__ == "__main__":
    _main()
