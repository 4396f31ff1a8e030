"""What recording costs: recorded throughput over bare confluent-kafka, alternating rounds.

``python -m bench.record [--events N] [--rounds R] [--cluster embedded|lab|both] [--json FILE]``

One process, one topic, 200-byte values, linger 5 ms. "bare" is confluent-kafka's producer with a
trivial callback, polled from a thread as recording needs it; "bare inline" polls between produce
calls instead, which some find faster, and the ratio is taken against the faster of the two.
"recorded" is Ackboard's recorder and writer: every outcome committed to SQLite when the clock
stops. "with identity" adds the 28-byte header that an audit reads. After each recorded round every
sequence is looked for in the database; a missing one fails the run.
"""

from __future__ import annotations

import argparse
import json
import statistics
import tempfile
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from confluent_kafka import Producer
from rich.console import Console
from rich.table import Table

from producer_agent import collector
from producer_agent.delivery.events import ANY_PARTITION, Event, pack_identity
from producer_agent.delivery.producer import RecordingProducer
from producer_agent.delivery.recorder import Recorder
from producer_agent.kafka.embedded import EmbeddedCluster
from producer_agent.kafka.lab import Lab
from producer_agent.kafka.our_headers import IDENTITY_HEADER
from producer_agent.kafka.topics import TopicSpec, ensure_topics
from producer_agent.store import lots, runs
from producer_agent.store.clock import now_us
from producer_agent.store.database import open_database
from producer_agent.store.writer import Writer

VALUE = b"v" * 200
PARTITIONS = 6
TOPIC = "bench-record"
ACKS = ("0", "1", "all")
GOALS = {"lab": {"all": 0.8}, "embedded": {"all": 0.45}}


@dataclass(frozen=True, slots=True)
class Round:
    """One way of sending, once."""

    way: str
    acks: str
    seconds: float
    events: int

    @property
    def rate(self) -> float:
        return self.events / self.seconds


def client_config(connection: dict[str, Any], acks: str) -> dict[str, Any]:
    return {
        **connection,
        "acks": acks,
        "linger.ms": 5,
        "queue.buffering.max.messages": 500_000,
    }


def bare(connection: dict[str, Any], acks: str, events: int, *, threaded: bool) -> float:
    """Seconds that the bare client takes, polled from a thread or inline."""
    producer = Producer(client_config(connection, acks))
    producer.list_topics(TOPIC, timeout=10)
    stop = threading.Event()

    def delivered(_error: object, _message: object) -> None:
        pass

    def poll() -> None:
        while not stop.is_set():
            producer.poll(0.05)

    thread = threading.Thread(target=poll)
    if threaded:
        thread.start()
    began_s = time.perf_counter()
    for sequence in range(events):
        while True:
            try:
                producer.produce(TOPIC, VALUE, on_delivery=delivered)
                break
            except BufferError:
                producer.poll(0.005)
        if not threaded and sequence % 1000 == 0:
            producer.poll(0)
    producer.flush()
    took_s = time.perf_counter() - began_s
    stop.set()
    if threaded:
        thread.join()
    producer.close()
    return took_s


def recorded(
    connection: dict[str, Any], acks: str, events: int, *, identity: bool, folder: Path
) -> float:
    """Seconds until every outcome is committed; raises if one is missing."""
    path = folder / f"{uuid.uuid4().hex}.db"
    run = uuid.uuid4()
    with Writer(path) as writer:
        cluster = writer.call(
            partial(
                runs.register_cluster, cluster_id="bench", kind="real", bootstrap_servers="bench"
            )
        )
        row = writer.call(
            partial(
                runs.begin_run,
                uuid=run.hex,
                profile="bench",
                acks=acks,
                body="{}",
                cluster=cluster,
                topic=TOPIC,
                watermarks=None,
            )
        )
        producer = RecordingProducer(
            client_config(connection, acks),
            lambda attempts: Recorder(writer, row.id, row.series, acks, attempts),
            "bench",
        )
        producer.client.list_topics(TOPIC, timeout=10)
        plain = Event(TOPIC, ANY_PARTITION, None, VALUE, [])
        limit = 400_000
        began_s = time.perf_counter()
        for sequence in range(events):
            event = plain
            if identity:
                header = pack_identity(run.bytes, sequence, VALUE)
                event = Event(TOPIC, ANY_PARTITION, None, VALUE, [(IDENTITY_HEADER, header)])
            if sequence % 1000 == 0:
                sent_us = now_us()
                producer.recorder.accepted = min(sequence + 1000, events)
                # The agent never waits for room (a full queue is an outcome there); here every
                # event is to be sent, so the queue is kept from filling.
                while producer.outstanding > limit:
                    time.sleep(0.001)
            producer.send(sequence, event, sent_us)
        producer.client.flush()
        producer.recorder.wait_recorded(120.0)
        took_s = time.perf_counter() - began_s
        producer.close(10.0)
    check(path, events)
    path.unlink()
    return took_s


def check(path: Path, events: int) -> None:
    """Every sequence has exactly one outcome, and it is an acknowledgement."""
    db = open_database(path)
    seen = np.zeros(events, dtype=np.int64)
    for row in db.query("SELECT * FROM delivery_lots"):
        np.add.at(seen, lots.unpack(row).sequences, 1)
    undelivered = db["undelivered"].count
    db.close()
    if undelivered or not (seen == 1).all():
        raise SystemExit(
            f"FAILED: {int((seen == 0).sum())} outcomes missing, {int((seen > 1).sum())} double, "
            f"{undelivered} not acknowledged"
        )


def measure(connection: dict[str, Any], events: int, rounds: int) -> Iterator[Round]:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        ways: dict[str, Callable[[str], float]] = {
            "bare": lambda acks: bare(connection, acks, events, threaded=True),
            "bare inline": lambda acks: bare(connection, acks, events, threaded=False),
            "recorded": lambda acks: recorded(
                connection, acks, events, identity=False, folder=folder
            ),
            "with identity": lambda acks: recorded(
                connection, acks, events, identity=True, folder=folder
            ),
        }
        bare(connection, "all", events // 4, threaded=True)  # warm up brokers and caches
        for _ in range(rounds):
            for acks in ACKS:
                for way, send in ways.items():
                    yield Round(way, acks, send(acks), events)


@contextmanager
def cluster_of(kind: str) -> Iterator[dict[str, Any]]:
    """A cluster with the topic made."""
    if kind == "embedded":
        with EmbeddedCluster() as embedded:
            embedded.create_topic(TOPIC, PARTITIONS, 3)
            yield dict(embedded.client_defaults)
    else:
        with tempfile.TemporaryDirectory() as home, Lab(Path(home)) as lab:
            connection = {"bootstrap.servers": lab.bootstrap_servers}
            ensure_topics(connection, [TopicSpec(TOPIC, PARTITIONS, 3, 2)])
            yield connection


def report(kind: str, measured: list[Round], console: Console) -> dict[str, Any]:
    table = Table(title=f"{kind} cluster, {measured[0].events:,} events of {len(VALUE)} B a round")
    for heading in ("acks", "bare /s", "recorded /s", "ratio", "with identity /s", "ratio", "goal"):
        table.add_column(heading, justify="right")
    result: dict[str, Any] = {}
    for acks in ACKS:
        by_way = {
            way: [r.rate for r in measured if r.way == way and r.acks == acks]
            for way in ("bare", "bare inline", "recorded", "with identity")
        }
        medians = {way: statistics.median(rates) for way, rates in by_way.items()}
        fastest = max(("bare", "bare inline"), key=lambda way: medians[way])
        ratios = {
            way: statistics.median(
                ours / theirs for ours, theirs in zip(by_way[way], by_way[fastest], strict=True)
            )
            for way in ("recorded", "with identity")
        }
        goal = GOALS[kind].get(acks)
        result[acks] = {
            "rates": by_way,
            "fastest_bare": fastest,
            "ratios": ratios,
            "goal": goal,
        }
        table.add_row(
            acks,
            f"{medians[fastest]:,.0f}",
            f"{medians['recorded']:,.0f}",
            f"{ratios['recorded']:.2f}",
            f"{medians['with identity']:,.0f}",
            f"{ratios['with identity']:.2f}",
            "" if goal is None else f"{goal:.2f}",
        )
    console.print(table)
    return result


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--events", type=int, default=300_000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--cluster", choices=("embedded", "lab", "both"), default="both")
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    collector.relax()  # as the agent does; the bare client gains as much from it
    console = Console()
    results: dict[str, Any] = {}
    for kind in ("embedded", "lab") if arguments.cluster == "both" else (arguments.cluster,):
        with cluster_of(kind) as connection:
            measured = list(measure(connection, arguments.events, arguments.rounds))
        results[kind] = report(kind, measured, console)
    if arguments.json:
        arguments.json.write_text(json.dumps(results, indent=2) + "\n")


if __name__ == "__main__":
    main()
