"""How fast an audit reads beside a plain consumer loop on the same topic, and in what memory.

python -m bench.audit [--events 1000000] [--memory-events 10000000] [--rounds 5]

Three real nodes. The topic and the run are made by hand: records of 200 B with the identity header,
and their packed outcomes in a database, a few of them not on the topic and a few on it twice, which
every audit has to find. "plain" consumes the same topic in lots of 5,000 and looks at each record's
value and headers: what any program that verifies a topic does at least. Both are over when the last
record was taken; the audit then has its verdict. Look at the ratio, which is taken within a round.

Memory is the peak of a process of its own that audits, less what it has before it begins.
"""

from __future__ import annotations

import argparse
import resource
import statistics
import subprocess
import sys
import tempfile
import time
import uuid
from array import array
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

from confluent_kafka import Consumer, Producer, TopicPartition
from rich.console import Console
from rich.table import Table

from bench.record import cluster_of
from producer_agent.delivery.events import pack_identity
from producer_agent.durability.audit import Audit
from producer_agent.kafka.cluster_view import cluster_view
from producer_agent.kafka.our_headers import IDENTITY_HEADER
from producer_agent.kafka.topics import TopicSpec, ensure_topics
from producer_agent.store import deliveries, runs
from producer_agent.store.clock import now_us
from producer_agent.store.deliveries import OutcomeBatch
from producer_agent.store.queries import run_claims
from producer_agent.store.reader import Reader
from producer_agent.store.writer import Writer

PARTITIONS = 6
VALUE = bytes(200)
LOT = 50_000
LOST, DOUBLED = 1_000, 2_000
"""Every so manieth event is not on the topic, or on it twice."""
GOAL = 0.9


def fill(connection: Mapping[str, Any], path: Path, events: int) -> tuple[str, str]:
    """Put a run of ``events`` on a topic and in a database; its topic and uuid."""
    topic, run = f"audited-{uuid.uuid4().hex[:8]}", uuid.uuid4()
    problems = ensure_topics(connection, [TopicSpec(topic, PARTITIONS, 1, 1)], 30.0)
    if problems:
        raise SystemExit(str(problems))
    cluster_id = cluster_view(connection).cluster_id
    assert cluster_id is not None
    producer = Producer(
        {**connection, "linger.ms": 50, "batch.size": 1_000_000, "compression.type": "lz4"}
    )
    with Writer(path) as writer:
        cluster = writer.call(
            partial(
                runs.register_cluster,
                cluster_id=cluster_id,
                kind="lab",
                bootstrap_servers=str(connection["bootstrap.servers"]),
            )
        )
        row = writer.call(
            partial(
                runs.begin_run,
                uuid=run.hex,
                profile="bench",
                acks="all",
                body="{}",
                cluster=cluster,
                topic=topic,
                watermarks=dict.fromkeys(range(PARTITIONS), (0, 0)),
            )
        )
        for first in range(0, events, LOT):
            lot = range(first, min(first + LOT, events))
            where = {n: (n % PARTITIONS, 2**40 + n) for n in lot}  # of those that are not sent
            for n in lot:
                _send(producer, topic, run.bytes, n, where)
            if producer.flush(120):
                raise SystemExit("FAILED: not everything was delivered")
            flat = array("d")
            for n, (partition, offset) in where.items():
                flat.extend((n, now_us(), partition, offset, 0.001))
            batch = OutcomeBatch(row.id, row.series, "delivered", lot.stop, flat)
            writer.call(partial(deliveries.record, batch=batch))
        writer.call(partial(runs.end_run, run=row.id, reason="filled", watermarks=None))
    return topic, run.hex


def _send(
    producer: Producer, topic: str, run: bytes, n: int, where: dict[int, tuple[int, int]]
) -> None:
    def told(_error: object, message: Any) -> None:
        where[n] = (message.partition(), message.offset())

    headers: Any = [(IDENTITY_HEADER, pack_identity(run, n, VALUE))]
    for _ in range(0 if n % LOST == 1 else 2 if n % DOUBLED == 2 else 1):
        while True:
            try:
                producer.produce(
                    topic, VALUE, partition=n % PARTITIONS, headers=headers, on_delivery=told
                )
                break
            except BufferError:
                producer.poll(0.05)
    producer.poll(0)


def plain(connection: Mapping[str, Any], topic: str) -> int:
    """Read the topic to its end as any program would; how many records."""
    consumer = Consumer(
        {**connection, "group.id": "bench", "enable.auto.commit": False, "log_level": 0}
    )
    ends = {
        partition: consumer.get_watermark_offsets(TopicPartition(topic, partition), timeout=10)[1]
        for partition in range(PARTITIONS)
    }
    left = {partition for partition, end in ends.items() if end}
    consumer.assign([TopicPartition(topic, partition, 0) for partition in left])
    records = size = 0
    while left:
        for message in consumer.consume(5_000, 0.25):
            if message.error() is not None:
                raise SystemExit(f"FAILED: {message.error()}")
            size += len(message.value() or b"") + len(message.headers() or ())
            records += 1
            partition, offset = message.partition(), message.offset()
            assert partition is not None
            assert offset is not None
            if offset + 1 >= ends[partition]:
                left.discard(partition)
    consumer.close()
    return records


def audit(connection: Mapping[str, Any], path: Path, run: str, events: int) -> None:
    """Audit the run, and fail if it does not find what is wrong with it."""
    reader = Reader(path)
    (record,) = reader(partial(run_claims.runs_named, uuid=run))
    found = Audit(connection, reader, record).run()
    lost = len(range(1, events, LOST))
    doubled = len(range(2, events, DOUBLED))
    told = (found.matrix.lost, found.matrix.duplicated, found.matrix.kept, found.not_known)
    if told != (lost, doubled, events - lost, []):
        raise SystemExit(f"FAILED: {told}")


def peak_mb(address: str, path: Path, run: str, events: int) -> float:
    """Peak memory of a process that audits, less that of one that only imports the same."""
    peaks = []
    for work in ("nothing", "audit"):
        done = subprocess.run(
            [
                *(sys.executable, "-m", "bench.audit", "--in-process"),
                *(work, address, str(path), run, "--events", str(events)),
            ],
            capture_output=True,
            text=True,
        )
        if done.returncode:
            raise SystemExit(done.stderr)
        peaks.append(float(done.stdout))
    return peaks[1] - peaks[0]


def in_process(work: str, address: str, path: Path, run: str, events: int) -> None:
    """What :func:`peak_mb` starts."""
    if work == "audit":
        audit({"bootstrap.servers": address}, path, run, events)
    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--events", type=int, default=1_000_000)
    parser.add_argument("--memory-events", type=int, default=10_000_000, help="0: leave it out")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--in-process", nargs=4, metavar="X", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.in_process:
        work, address, path, run = given.in_process
        in_process(work, address, Path(path), run, given.events)
        return
    console = Console()
    table = Table(title=f"{given.events:,} events, {given.rounds} rounds, three nodes")
    for column in ("round", "plain /s", "audit /s", "ratio"):
        table.add_column(column, justify="right")
    ratios = []
    with cluster_of("lab") as connection, tempfile.TemporaryDirectory() as name:
        address, path = str(connection["bootstrap.servers"]), Path(name) / "audit.db"
        topic, run = fill(connection, path, given.events)
        plain(connection, topic)  # the brokers' caches
        for number in range(given.rounds):
            took_s = {}
            for way in ("plain", "audit") if number % 2 else ("audit", "plain"):
                began_s = time.perf_counter()
                if way == "plain":
                    plain(connection, topic)
                else:
                    audit(connection, path, run, given.events)
                took_s[way] = time.perf_counter() - began_s
            ratios.append(took_s["plain"] / took_s["audit"])
            rates = (f"{given.events / took_s[way]:,.0f}" for way in ("plain", "audit"))
            table.add_row(str(number + 1), *rates, f"{ratios[-1]:.2f}")
        console.print(table)
        median = statistics.median(ratios)
        console.print(f"audit / plain: median {median:.2f} (goal {GOAL})")
        sizes = [given.events, given.memory_events] if given.memory_events else [given.events]
        for events in sizes:
            if events != given.events:
                _, run = fill(connection, path, events)
            mb = peak_mb(address, path, run, events)
            console.print(f"memory of an audit of {events:,} events: {mb:.0f} MB at its peak")


if __name__ == "__main__":
    main()
