"""A database with the clients' statistics, as the agent would have recorded them.

python -m tests.dashboard.stage_seed PATH [--throttled]
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np

from producer_agent.store import client_statistics
from producer_agent.store.clock import now_us
from producer_agent.store.database import open_database
from tests.client_samples import broker, sample, spread
from tests.dashboard import seed

S = 1_000_000
QUEUE_US = {"all": 5_300, "1": 12_000, "0": 850}
TRIP_US = {"all": 9_100, "1": 2_400, "0": 700}
"""Of metadata only under acks=0: no produce request is answered."""

SLOW = 2
"""The broker whose round trips take twice as long."""


def fill(path: Path, *, seconds: int = 900, rate: float = 20.0, throttled_ms: int = 0) -> None:
    """A quarter of an hour under the shipped profiles.

    Args:
        throttled_ms: How long broker 2 held ``analytics`` back.
    """
    end_us = now_us()
    seed.fill(path, seconds=seconds, rate=rate, end_us=end_us)
    random = np.random.default_rng(5)
    db = open_database(path)
    with db.atomic():
        runs = db.execute(
            "SELECT r.id, s.id, r.profile, r.acks FROM runs r "
            "JOIN series s ON s.profile = r.profile AND s.acks = r.acks"
        ).fetchall()
        for run, series, profile, acks in runs:
            for until_us in range(end_us - seconds * S + 5 * S, end_us, 5 * S):
                brokers = []
                for number in (1, 2, 3):
                    n = int(rate * 5 / 3)
                    queue = int(QUEUE_US[acks] * random.lognormal(0, 0.1))
                    trip = int(TRIP_US[acks] * random.lognormal(0, 0.1)) * (1 + (number == SLOW))
                    held = throttled_ms if (profile, number) == ("analytics", SLOW) else 0
                    answers = 1 if acks == "0" else n
                    brokers.append(
                        broker(
                            number,
                            requests=n,
                            queue=spread(n, queue, queue * 2),
                            send=spread(n, 80, 210),
                            trip=spread(answers, trip, trip * 3),
                            throttle=spread(answers, held),
                        )
                    )
                told = sample(until_us, *brokers, produced=n * 3, transmitted=n * 3)
                client_statistics.record(db, run, series, told)
    db.close()


def _main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("path", type=Path)
    parser.add_argument("--throttled", action="store_true")
    options = parser.parse_args()
    fill(options.path, throttled_ms=1_400 * options.throttled)


if __name__ == "__main__":
    _main()
