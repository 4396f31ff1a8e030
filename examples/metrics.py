"""Activity metrics: a thousand samples a second, each replaced by the next one.

python -m examples.metrics [--brokers HOST:PORT] [--seconds 60]

acks=0: nobody confirms, nothing is sent again, and a sample that does not leave within two seconds
is of no use any more. Nothing of it is dead-lettered: nobody would send an old sample again.
"""

from __future__ import annotations

import json
import logging
import random
import time

from examples.service import Stop, options, ticks
from producer_agent import ReliableProducer

TOPIC = "shop-metrics"

CONFIG = {
    "acks": 0,
    "linger.ms": 20,
    "compression.type": "lz4",
    "delivery.timeout.ms": 2_000,
}

GAUGES = ("cpu", "memory", "open_sessions", "queue_depth")

log = logging.getLogger("metrics")


def main() -> None:
    """Serve until told to stop."""
    given = options("Sends samples; a single one does not matter.", rate=1_000)
    stop, draw = Stop(), random.Random()
    config = {**CONFIG, "bootstrap.servers": given.brokers}
    with ReliableProducer(
        config, name="shop-metrics", database=given.database, dead_letter_topic=None
    ) as producer:
        for n in ticks(stop, given):
            sample = {
                "gauge": GAUGES[n % 4],
                "value": draw.random(),
                "at_ms": time.time_ns() // 10**6,
            }
            try:
                producer.produce(TOPIC, json.dumps(sample))
            except BufferError:
                producer.purge(in_flight=False)  # the newest samples are the ones that count
            if n % 50 == 0:
                producer.poll(0)
    log.info("%s", producer.counts())


if __name__ == "__main__":
    main()
