"""A database in which one broker is slow and fails, as the agent would have recorded it.

python -m tests.dashboard.broker_seed PATH [--alike]
"""

from __future__ import annotations

import argparse
import uuid
from array import array
from pathlib import Path

import numpy as np

from producer_agent.delivery.shipped_profiles import shipped_profiles
from producer_agent.store import cluster_changes, deliveries, runs
from producer_agent.store.broker_rollups import BrokerRollups
from producer_agent.store.clock import now_us
from producer_agent.store.cluster_changes import Change, PartitionState
from producer_agent.store.database import open_database
from producer_agent.store.deliveries import OutcomeBatch
from producer_agent.store.reader import Reader
from producer_agent.store.writer import Writer
from tests.dashboard import seed
from tests.dashboard.seed import Failures

S = 1_000_000
SLOW = 2
"""The broker that is slow, and that fails in the last five minutes."""


def fill(path: Path, *, seconds: int = 900, rate: float = 20.0, alike: bool = False) -> None:
    """A quarter of an hour under the shipped profiles, broken down by broker.

    Args:
        alike: No broker stands out.
    """
    end_us = now_us() - 3 * S
    begin_us = end_us - (seconds + 60) * S
    seed.fill(path, seconds=seconds, rate=rate, end_us=end_us)
    active = [profile for profile in shipped_profiles() if profile.active]
    db = open_database(path)
    with db.atomic():
        states = [
            PartitionState(profile.workload.topic, number, number % 3 + 1, (1, 2, 3), (1, 2, 3))
            for profile in active
            for number in range(6)
        ]
        cluster_changes.add_states(db, 1, begin_us, states)
        cluster_changes.add_changes(db, 1, begin_us, None, [Change("watch_began")])
        if not alike:
            cluster_changes.add_states(
                db,
                1,
                end_us - 60 * S,
                [PartitionState("task-events", 0, 3, (2, 3), (1, 2, 3))],
            )
            changed = Change("leaders_changed", topic="task-events", partitions=1)
            cluster_changes.add_changes(db, 1, end_us - 60 * S, end_us - 62 * S, [changed])
            row = runs.begin_run(
                db,
                uuid=uuid.uuid4().hex,
                profile="critical",
                acks="all",
                body=active[0].to_json(),
                cluster=1,
                topic="task-events",
                watermarks=None,
            )
            deliveries.record(db, _slow(row.id, row.series, end_us, seconds))
    db.close()
    with Writer(path) as writer:
        BrokerRollups(Reader(path), writer).roll(now_us())


def _slow(run: int, series: int, end_us: int, seconds: int) -> OutcomeBatch:
    random = np.random.default_rng(7)
    n = seconds * 8
    settled = np.linspace(end_us - seconds * S, end_us - 1000, n).astype(np.int64)
    latencies = random.lognormal(np.log(180_000), 0.3, n)
    flat: array[float] = array("d")
    undelivered = []
    refused = Failures("critical", "NOT_ENOUGH_REPLICAS", 1.0)
    for at in range(n):
        sent_us, partition = int(settled[at] - latencies[at]), (1, 4)[at % 2]
        if at % 9 == 0 and settled[at] > end_us - 300 * S:
            sequence = at - (at % 6) + 6 + partition  # which is of this partition
            undelivered.append(
                seed.undelivered_event(sequence, refused, "task-events", sent_us, int(settled[at]))
            )
        else:
            flat.extend((at, sent_us, partition, at, latencies[at] / 1e6))
    return OutcomeBatch(run, series, "delivered", n, reports=flat, undelivered=undelivered)


def _main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("path", type=Path)
    parser.add_argument("--alike", action="store_true")
    options = parser.parse_args()
    fill(options.path, alike=options.alike)


if __name__ == "__main__":
    _main()
