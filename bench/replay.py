"""What exactly-once costs: a replay plan against a naive loop, and what each leaves when killed.

``python -m bench.replay [--letters N] [--rounds R] [--kills K] [--json FILE]``

Dead letters of 1 KB (Kafka Connect's convention) on a lab of three nodes, acks=all everywhere, in
alternating rounds. Ways:

* ``plan``: Ackboard's, on an agent of its own: the plan is made (``planned``), then run. ``landed``
  ends when the last record has landed and its ledger row is committed, ``over`` when the statuses
  of the dead letters are told too. A small plan goes first, as the first transaction on a new
  cluster takes seconds.
* ``naive``: consume the dead-letter topic, produce to the topic in the headers, flush at the end.
* ``careful``: the same with a flush after each record; fewer records, as it is that slow.

Then each is killed with SIGKILL at random moments and started again, until it ends or was killed
``--kills`` times; the naive ways go on where their consumer group is. What lies on the target is
counted: lost is absent, doubled is there more than once for a read_committed reader.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import signal
import statistics
import subprocess
import sys
import tempfile
import time
import uuid
from collections import Counter
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from confluent_kafka import Consumer, Producer
from rich.console import Console
from rich.table import Table

from producer_agent.commands import Command, ask_and_wait
from producer_agent.dead_letters.conventions import RawRecord, decode
from producer_agent.dead_letters.letters import letter_of
from producer_agent.kafka.cluster_view import cluster_view
from producer_agent.kafka.lab import Lab
from producer_agent.kafka.messages import headers_of
from producer_agent.kafka.read_back import ReadBack
from producer_agent.kafka.topics import TopicSpec, ensure_topics
from producer_agent.store import dead_letters, facts, replay_plans, runs
from producer_agent.store.database import StoreError
from producer_agent.store.reader import Reader
from producer_agent.store.writer import Writer

PARTITIONS = 6
CAREFUL_SHARE = 50
"""The careful loop sends one of so many records, or it would take minutes a round."""

CAREFUL_SHARE_KILLED = 5
"""Enough of them to be killed ten times."""

GOALS = {"naive": 0.9, "careful": 50.0}


@dataclass(frozen=True, slots=True)
class Left:
    """What a way left on its target after it was killed."""

    kills: int
    records: int
    lost: int
    doubled: int


def headers_for(at: int, topic: str) -> list[tuple[str, str | bytes | None]]:
    context = {
        "topic": topic,
        "partition": str(at % PARTITIONS),
        "offset": str(at // PARTITIONS),
        "connector.name": "orders-sink",
        "task.id": "0",
        "stage": "TASK_PUT",
        "class.name": "com.acme.OrdersSink",
        "exception.class.name": "org.apache.kafka.connect.errors.DataException",
        "exception.message": "order has no customer",
    }
    told: list[tuple[str, str | bytes | None]] = [
        (f"__connect.errors.{name}", text.encode()) for name, text in context.items()
    ]
    return [("number", b"%d" % at), *told]


def fill(connection: dict[str, Any], source: str, target: str, letters: int) -> list[RawRecord]:
    """Put dead letters on a topic; returns them as records."""
    producer = Producer({**connection, "linger.ms": 20, "queue.buffering.max.messages": 500_000})
    filler = os.urandom(1024)
    records = []
    for at in range(letters):
        headers = headers_for(at, target)
        key = b"key-%d" % (at % 1000)
        value = b"%08d" % at + filler[8:]
        producer.produce(source, value, key, at % PARTITIONS, headers=headers)
        producer.poll(0)
        kept = tuple((name, bytes(text)) for name, text in headers if isinstance(text, bytes))
        records.append(RawRecord(source, at % PARTITIONS, at // PARTITIONS, 1, key, value, kept))
    producer.flush()
    return records


# -- the naive ways, each in a process of its own


def loop(bootstrap: str, source: str, group: str, letters: int, each: bool) -> None:
    """Consume, produce, flush at the end (or after each). Prints the seconds from the first
    record to the last flush."""
    consumer = Consumer(
        {
            "bootstrap.servers": bootstrap,
            "group.id": group,
            "auto.offset.reset": "earliest",
            "auto.commit.interval.ms": 500,
        }
    )
    producer = Producer(
        {
            "bootstrap.servers": bootstrap,
            "acks": "all",
            "linger.ms": 5,
            "queue.buffering.max.messages": 500_000,
        }
    )
    producer.list_topics(timeout=10)
    consumer.subscribe([source])
    began, seen, idle = 0.0, 0, 0
    while seen < letters and idle < 40:
        lot = consumer.consume(1000, 0.25)
        idle = 0 if lot or (not seen and not idle) else idle + 1
        if lot and not began:
            began = time.perf_counter()
        for message in lot:
            if message.error():
                continue
            headers = headers_of(message)
            target = dict(headers)["__connect.errors.topic"]
            kept = [pair for pair in headers if not pair[0].startswith("__connect.errors.")]
            producer.produce((target or b"").decode(), message.value(), message.key(), headers=kept)
            if each:
                producer.flush()
            else:
                producer.poll(0)
            seen += 1
            if seen >= letters:
                break
    producer.flush()
    print(time.perf_counter() - began, flush=True)
    consumer.close()


def start_loop(bootstrap: str, source: str, group: str, letters: int, *, each: bool) -> Any:
    return subprocess.Popen(
        [sys.executable, "-m", "bench.replay", "--loop", bootstrap, source, group, str(letters)]
        + (["--each"] if each else []),
        stdout=subprocess.PIPE,
        text=True,
    )


# -- the plan, on an agent of its own


class Board:
    """An agent on a database that holds the dead letters."""

    def __init__(self, lab: Lab, home: Path) -> None:
        self._lab = lab
        self.db = home / "replay.db"
        self._process: subprocess.Popen[bytes] | None = None

    def seed(self, records: list[RawRecord]) -> float:
        """Store the dead letters; returns the seconds."""
        began = time.perf_counter()
        cluster_id = cluster_view({"bootstrap.servers": self._lab.bootstrap_servers}).cluster_id
        assert cluster_id is not None
        with Writer(self.db) as writer:
            cluster = writer.call(
                partial(
                    runs.register_cluster,
                    cluster_id=cluster_id,
                    kind="lab",
                    bootstrap_servers=self._lab.bootstrap_servers,
                )
            )
            for start in range(0, len(records), 2_000):
                some = records[start : start + 2_000]
                letters = [letter_of(record, "", decode(record)) for record in some]
                writer.call(partial(dead_letters.insert, cluster=cluster, letters=letters))
        return time.perf_counter() - began

    def start(self, *, wait: bool = True) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "producer_agent", "serve", "--db", str(self.db)],
            env={
                **os.environ,
                "KAFKA_BOOTSTRAP_SERVERS": self._lab.bootstrap_servers,
                "ACKBOARD_CLUSTER_KIND": "lab",
                "ACKBOARD_AUTOSTART": "false",
                "ACKBOARD_LOG_LEVEL": "ERROR",
            },
        )
        while wait and not self._runs():
            time.sleep(0.1)

    def kill(self, number: int = signal.SIGKILL) -> None:
        assert self._process is not None
        self._process.send_signal(number)
        self._process.wait()

    def make_plan(self) -> tuple[int, float]:
        """A plan of everything; its number, and how long it took to make."""
        plan = self._ask(Command.REPLAY_PLAN, {"filter": {}})["plan"]
        row = self.wait_for(plan, "planned")
        return plan, time.time() - row.made_us / 1e6

    def run(self, plan: int) -> None:
        self._ask(Command.REPLAY_RUN, {"plan": plan})

    def wait_for(self, plan: int, state: str) -> replay_plans.PlanRow:
        while (row := self.row(plan)).state != state:
            assert row.state not in ("failed", "stopped"), row.reason
            time.sleep(0.02)
        return row

    def row(self, plan: int) -> replay_plans.PlanRow:
        row = Reader(self.db)(partial(replay_plans.get, plan=plan))
        assert row is not None
        return row

    def landed_s(self, plan: int) -> float:
        """Seconds from the run's start to the last ledger row."""
        last = Reader(self.db)(
            lambda db: db.execute(
                "SELECT max(settled_us) FROM replays WHERE plan = ? AND state = 'done'", [plan]
            ).fetchone()[0]
        )
        return float(last - (self.row(plan).started_us or 0)) / 1e6

    def _ask(self, kind: Command, arguments: dict[str, Any]) -> dict[str, Any]:
        return ask_and_wait(self.db, kind, arguments, who="bench", timeout_s=120)

    def _runs(self) -> bool:
        try:
            fact = Reader(self.db)(partial(facts.get, name="agent"))
        except StoreError:
            return False
        assert self._process is not None
        return (
            fact is not None
            and fact.body["state"] == "running"
            and (fact.body["pid"] == self._process.pid)
        )


def on_target(connection: dict[str, Any], target: str) -> Counter[bytes]:
    """How often each number is there."""
    found: Counter[bytes] = Counter()
    with ReadBack(connection) as read_back:
        for lot in read_back.read(target, read_back.watermarks(target, range(PARTITIONS))):
            for message in lot:
                found[dict(headers_of(message))["number"] or b""] += 1
    return found


def left(found: Counter[bytes], letters: int, kills: int) -> Left:
    return Left(kills, letters, letters - len(found), sum(1 for n in found.values() if n > 1))


class Bench:
    """One lab, fresh topics for each round."""

    def __init__(self, lab: Lab, home: Path, letters: int, say: Console) -> None:
        self._lab, self._home, self._letters, self._say = lab, home, letters, say
        self._connection: dict[str, Any] = {"bootstrap.servers": lab.bootstrap_servers}

    def topics(self, letters: int) -> tuple[str, str, list[RawRecord]]:
        mark = uuid.uuid4().hex[:8]
        source, target = f"bench-dead-{mark}", f"bench-orders-{mark}"
        specs = [TopicSpec(name, PARTITIONS, 3, 2) for name in (source, target)]
        assert ensure_topics(self._connection, specs, 30.0) == []
        return source, target, fill(self._connection, source, target, letters)

    def plan_rate(self) -> dict[str, float]:
        _, target, records = self.topics(self._letters)
        board = Board(self._lab, Path(tempfile.mkdtemp(dir=self._home)))
        board.seed(records)
        board.start()
        plan, planned_s = board.make_plan()
        board.run(plan)
        row = board.wait_for(plan, "done")
        landed_s = board.landed_s(plan)
        board.kill(signal.SIGTERM)
        assert left(on_target(self._connection, target), self._letters, 0).lost == 0
        return {
            "landed": self._letters / landed_s,
            "over": self._letters / ((row.ended_us or 0) - (row.started_us or 0)) * 1e6,
            "planned": self._letters / planned_s,
        }

    def loop_rate(self, *, each: bool) -> float:
        letters = self._letters // CAREFUL_SHARE if each else self._letters
        source, _, _ = self.topics(letters)
        out, _ = start_loop(
            self._lab.bootstrap_servers, source, source, letters, each=each
        ).communicate()
        return letters / float(out)

    def kill_plan(self, kills: int, moments: random.Random) -> Left:
        _, target, records = self.topics(self._letters)
        board = Board(self._lab, Path(tempfile.mkdtemp(dir=self._home)))
        board.seed(records)
        board.start()
        plan, _ = board.make_plan()
        board.run(plan)
        killed = 0
        while killed < kills and board.row(plan).state == "running":
            # Beyond the start, which takes two seconds and sends nothing.
            time.sleep(moments.uniform(0.0, 0.5) + (2.0 if killed else 0.0))
            board.kill()
            killed += 1
            board.start(wait=False)
        board.wait_for(plan, "done")
        board.kill(signal.SIGTERM)
        return left(on_target(self._connection, target), self._letters, killed)

    def kill_loop(self, kills: int, moments: random.Random, *, each: bool) -> Left:
        letters = self._letters // CAREFUL_SHARE_KILLED if each else self._letters
        source, target, _ = self.topics(letters)
        killed = 0
        while True:
            process = start_loop(self._lab.bootstrap_servers, source, source, letters, each=each)
            if killed < kills and _killed(process, moments):
                killed += 1
                continue
            process.communicate()
            break
        return left(on_target(self._connection, target), letters, killed)


def _killed(process: subprocess.Popen[str], moments: random.Random) -> bool:
    """Kill it at a random moment of its work; False if it was over before."""
    try:
        # It takes about a second to start and to join its group.
        process.wait(moments.uniform(0.8, 3.0))
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
        return True
    return False


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--letters", type=int, default=50_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--kills", type=int, default=10)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--loop", nargs=4)
    parser.add_argument("--each", action="store_true")
    asked = parser.parse_args()
    if asked.loop:
        bootstrap, source, group, letters = asked.loop
        loop(bootstrap, source, group, int(letters), asked.each)
        return
    say = Console()
    with tempfile.TemporaryDirectory() as folder, Lab(Path(folder) / "lab") as lab:
        bench = Bench(lab, Path(folder), asked.letters, say)
        # The first transaction on a new cluster makes its coordinator's topic, which takes seconds.
        Bench(lab, Path(folder), 200, say).plan_rate()
        rates: dict[str, list[float]] = {}
        for round_number in range(asked.rounds):
            order = ["plan", "naive", "careful"]
            random.Random(round_number).shuffle(order)
            for way in order:
                if way == "plan":
                    told = bench.plan_rate()
                    for name, rate in told.items():
                        rates.setdefault(f"plan, {name}", []).append(rate)
                else:
                    rates.setdefault(way, []).append(bench.loop_rate(each=way == "careful"))
            say.print(f"round {round_number + 1}: ", {k: round(v[-1]) for k, v in rates.items()})
        report(say, rates)
        moments = random.Random(7)
        outcomes = {}
        if asked.kills:
            outcomes = {
                "plan": bench.kill_plan(asked.kills, moments),
                "naive": bench.kill_loop(asked.kills, moments, each=False),
                "careful": bench.kill_loop(asked.kills, moments, each=True),
            }
            report_left(say, outcomes)
    if asked.json:
        asked.json.write_text(
            json.dumps(
                {
                    "rates": rates,
                    "left": {
                        way: {"kills": o.kills, "lost": o.lost, "doubled": o.doubled}
                        for way, o in outcomes.items()
                    },
                }
            )
        )


def report(say: Console, rates: dict[str, list[float]]) -> None:
    table = Table("way", "records/s, median", "rounds", "plan (landed) over it", "goal")
    landed = statistics.median(rates["plan, landed"])
    for way, of_way in rates.items():
        median = statistics.median(of_way)
        goal = GOALS.get(way)
        table.add_row(
            way,
            f"{median:,.0f}",
            ", ".join(f"{rate:,.0f}" for rate in of_way),
            f"{landed / median:.2f}" if goal else "",
            "" if goal is None else f"{goal:g}",
        )
    say.print(table)


def report_left(say: Console, outcomes: dict[str, Left]) -> None:
    table = Table("way", "killed", "records", "lost", "doubled")
    for way, o in outcomes.items():
        table.add_row(way, str(o.kills), f"{o.records:,}", f"{o.lost:,}", f"{o.doubled:,}")
    say.print(table)


if __name__ == "__main__":
    main()
