"""What the three services have in common: their options, their signals, and their pace."""

from __future__ import annotations

import argparse
import logging
import os
import signal
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from producer_agent.reliable import NoConfiguration, bootstrap_servers


@dataclass(frozen=True, slots=True)
class Options:
    """What a service was started with."""

    brokers: str
    database: Path
    rate: float
    """Records a second."""
    seconds: float | None
    """None: until it is told to stop."""


def options(description: str, rate: float) -> Options:
    """Read the command line, and set up logging as a service does."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument(
        "--brokers",
        help="bootstrap.servers; else KAFKA_BOOTSTRAP_SERVERS, or the cluster of the dashboard",
    )
    parser.add_argument(
        "--db",
        type=Path,
        default=Path(os.environ.get("ACKBOARD_DB", "data/ackboard.db")),
        help="Ackboard's database (default: %(default)s)",
    )
    parser.add_argument("--rate", type=float, default=rate, help="records a second (%(default)s)")
    parser.add_argument("--seconds", type=float, help="end after so many; else on Ctrl-C or TERM")
    given = parser.parse_args()
    logging.basicConfig(level="INFO", format="%(asctime)s %(levelname)-7s %(name)s: %(message)s")
    try:
        brokers = given.brokers or bootstrap_servers(given.db)
    except NoConfiguration as error:
        parser.error(str(error))
    return Options(brokers, given.db, given.rate, given.seconds)


class Stop:
    """Set by SIGINT and SIGTERM: the loop ends, and the producer is closed with all it has."""

    def __init__(self) -> None:
        self._asked = threading.Event()
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, lambda _number, _frame: self._asked.set())

    def __bool__(self) -> bool:
        return self._asked.is_set()


def ticks(stop: Stop, given: Options) -> Iterator[int]:
    """0, 1, 2, … at the rate, until the time is over or it is told to stop.

    The times are fixed beforehand: a service that was held up sends what has become due, as the
    requests it serves do not wait either.
    """
    began_s, n = time.monotonic(), 0
    while not stop:
        due_s = began_s + n / given.rate
        if given.seconds is not None and n / given.rate >= given.seconds:
            return
        while not stop and (left_s := due_s - time.monotonic()) > 0:
            time.sleep(min(left_s, 0.05))
        if not stop:
            yield n
        n += 1
