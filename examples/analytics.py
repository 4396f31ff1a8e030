"""Task analytics: counted by the thousand, and one in a thousand may be lost.

python -m examples.analytics [--brokers HOST:PORT] [--seconds 60]

acks=1: the leader has it, and a leader that dies may take some along. Records wait 50 ms for each
other, so that a request carries many of them, and are compressed well. A full queue drops the
record instead of holding up the page that is being counted.
"""

from __future__ import annotations

import json
import logging
import random

from examples.service import Stop, options, ticks
from producer_agent import ReliableProducer

TOPIC = "shop-analytics"

CONFIG = {
    "acks": 1,
    "linger.ms": 50,
    "batch.size": 262_144,
    "compression.type": "zstd",
    "delivery.timeout.ms": 30_000,
}

ACTIONS = ("task.viewed", "task.searched", "board.opened")

log = logging.getLogger("analytics")


def main() -> None:
    """Serve until told to stop."""
    given = options("Counts what users do; a few may be lost.", rate=200)
    stop, draw = Stop(), random.Random()
    config = {**CONFIG, "bootstrap.servers": given.brokers}
    dropped = 0
    with ReliableProducer(config, name="shop-analytics", database=given.database) as producer:
        for n in ticks(stop, given):
            user = f"user-{draw.randrange(5_000)}"
            body = {"user": user, "action": draw.choice(ACTIONS), "ms": draw.randrange(5, 4_000)}
            try:
                producer.produce(TOPIC, json.dumps(body), key=user)
            except BufferError:
                dropped += 1
            if n % 20 == 0:
                producer.poll(0)
    log.info("%s, %d dropped as the queue was full", producer.counts(), dropped)


if __name__ == "__main__":
    main()
