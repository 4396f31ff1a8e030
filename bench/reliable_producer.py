"""What ReliableProducer costs beside the bare client, in one run, in alternating rounds.

python -m bench.reliable_producer [--events 200000] [--rounds 7] [--cluster embedded|lab|both]

"bare" has a delivery callback that counts, as a service has; the reliable ones have the same
callback on top of their own. Each way produces in one thread and polls inline, as services do, and
a round is over when every record has its report and, with a database, is committed there; that is
checked. Look at the ratios, which are taken within a round: rates say how fast the machine was.

"CPU" is that of the producing thread alone, in microseconds a record: what the application itself
pays, whatever else the machine does. "with work" is a loop that also makes each record's JSON, as
the least that a service does.
"""

from __future__ import annotations

import argparse
import json
import statistics
import tempfile
import time
import uuid
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from confluent_kafka import Producer
from rich.console import Console
from rich.table import Table

from bench.record import cluster_of
from producer_agent import ReliableProducer, collector
from producer_agent.store.database import open_database

TOPIC = "bench"
VALUE = bytes(200)
NOTE = "x" * 140
ROOM = 400_000
GOAL = 0.8

Way = Callable[[dict[str, Any], Path], Producer]


def client_config(connection: dict[str, Any]) -> dict[str, Any]:
    return {
        **connection,
        "acks": "all",
        "linger.ms": 5,
        "queue.buffering.max.messages": 500_000,
    }


def reliable(*, identity: bool, database: bool) -> Way:
    def make(config: dict[str, Any], folder: Path) -> Producer:
        path = None
        if database:
            path = folder / f"{uuid.uuid4().hex}.db"
            open_database(path).close()
        return ReliableProducer(
            config, name="bench", database=path, identity=identity, most_kept=10_000_000
        )

    return make


WAYS: dict[str, Way] = {
    "bare": lambda config, _folder: Producer(config),
    "reliable": reliable(identity=False, database=False),
    "with identity": reliable(identity=True, database=False),
    "with database": reliable(identity=False, database=True),
    "with both (default)": reliable(identity=True, database=True),
}


@dataclass(frozen=True, slots=True)
class Round:
    """One way in one round."""

    rate: float
    """Records a second from the first record to the last report, and to its commit."""
    cpu_us: float
    """Of the producing thread, a record."""


def one_round(
    way: str, connection: dict[str, Any], events: int, folder: Path, *, work: bool
) -> Round:
    producer = WAYS[way](client_config(connection), folder)
    producer.list_topics(TOPIC, timeout=10)
    delivered = 0

    def report(error: object, _message: object) -> None:
        nonlocal delivered
        if error is None:
            delivered += 1

    began_s, cpu_s = time.perf_counter(), time.thread_time()
    for sequence in range(events):
        value = VALUE
        if work:
            value = json.dumps({"id": sequence, "kind": "task.created", "note": NOTE}).encode()
        producer.produce(TOPIC, value, on_delivery=report)
        if sequence % 100 == 0:
            producer.poll(0)
            while len(producer) > ROOM:
                producer.poll(0.005)
    producer.flush()
    producer.close()  # waits for the database, where there is one
    took_s, cpu_s = time.perf_counter() - began_s, time.thread_time() - cpu_s
    if delivered != events:
        raise SystemExit(f"FAILED: {way}: {delivered} of {events} were delivered")
    if isinstance(producer, ReliableProducer):
        check(producer, events, folder)
    return Round(events / took_s, cpu_s / events * 1e6)


def check(producer: ReliableProducer, events: int, folder: Path) -> None:
    """Every outcome is accounted for, in memory and in the database."""
    counts = producer.counts()
    if counts.delivered != events or counts.not_kept:
        raise SystemExit(f"FAILED: {counts}")
    for path in folder.glob("*.db"):
        db = open_database(path)
        kept, settled = db.execute(
            "SELECT (SELECT sum(n) FROM delivery_lots), (SELECT settled FROM runs)"
        ).fetchone()
        db.close()
        path.unlink()
        if kept != events or settled != events:
            raise SystemExit(f"FAILED: {kept} of {events} are in the database, {settled} settled")


def measure(kind: str, events: int, rounds: int, *, work: bool) -> dict[str, list[Round]]:
    """Rounds by way."""
    measured: dict[str, list[Round]] = {way: [] for way in WAYS}
    with cluster_of(kind) as connection, tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for way in WAYS:
            one_round(way, connection, events // 10, folder, work=work)  # imports, brokers
        order = list(WAYS)
        for turn in range(rounds):
            # Each way comes first, last and after each other one: a machine that slows down or
            # speeds up hits all alike.
            turned = order[turn % len(order) :] + order[: turn % len(order)]
            for way in turned if turn % 2 == 0 else reversed(turned):
                measured[way].append(one_round(way, connection, events, folder, work=work))
    return measured


def report_of(title: str, measured: dict[str, list[Round]], console: Console) -> dict[str, Any]:
    table = Table(title=title)
    for heading in ("", "/s", "of bare", "lowest to highest", "CPU us", "of bare"):
        table.add_column(heading, justify="left" if not heading else "right")
    told: dict[str, Any] = {}
    for way, of_way in measured.items():
        pairs = list(zip(of_way, measured["bare"], strict=True))
        ratios = [ours.rate / bare.rate for ours, bare in pairs]
        cpu_ratios = [bare.cpu_us / ours.cpu_us for ours, bare in pairs]
        table.add_row(
            way,
            f"{statistics.median(ours.rate for ours in of_way):,.0f}",
            f"{statistics.median(ratios):.2f}",
            f"{min(ratios):.2f} to {max(ratios):.2f}",
            f"{statistics.median(ours.cpu_us for ours in of_way):.2f}",
            f"{statistics.median(cpu_ratios):.2f}",
        )
        told[way] = {"rounds": [asdict(ours) for ours in of_way], "ratios": ratios}
    console.print(table)
    console.print(f"The goal is {GOAL:.2f} of the bare client.")
    return told


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--events", type=int, default=200_000)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--cluster", choices=("embedded", "lab", "both"), default="both")
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    collector.relax()  # as a service of such a rate does; the bare client gains as much from it
    console = Console()
    results: dict[str, Any] = {}
    for kind in ("embedded", "lab") if arguments.cluster == "both" else (arguments.cluster,):
        for work in (False, True):
            title = f"{kind} cluster, acks=all" + (", with work" if work else "")
            measured = measure(kind, arguments.events, arguments.rounds, work=work)
            results[title] = report_of(title, measured, console)
    if arguments.json:
        arguments.json.write_text(json.dumps(results, indent=2) + "\n")


if __name__ == "__main__":
    main()
