"""Comparisons measured on the embedded cluster, and what ends them early."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from producer_agent.advice.compare.analysis import analyse, turns_of
from producer_agent.advice.compare.beside import RunsBeside
from producer_agent.advice.compare.manager import CompareRefused, ComparisonManager
from producer_agent.advice.compare.plan import ComparisonPlan
from producer_agent.advice.compare.verdict import verdict
from producer_agent.advice.compare.worker import Worker, WorkerDied
from producer_agent.delivery.profiles import Profile
from producer_agent.delivery.run_manager import RunManager
from producer_agent.kafka.cluster import Cluster
from producer_agent.kafka.embedded import ALL_BROKERS
from producer_agent.settings import Settings
from producer_agent.store import runs
from producer_agent.store.latency_bins import quantiles
from producer_agent.store.queries import comparisons as queries
from producer_agent.store.queries.comparisons import Comparison
from producer_agent.store.reader import Reader
from producer_agent.store.writer import Writer
from tests.advice.compare.builders import body, plan_of
from tests.recording import rows
from tests.waiting import wait_until

SHORT = {"rate_per_s": 200, "seconds": 0.3, "warm_up_s": 0.1}


class Room:
    """A manager with an embedded cluster of its own, and runs beside it."""

    def __init__(self, writer: Writer) -> None:
        self.cluster = Cluster(Settings(db=writer.path))
        row = writer.call(
            partial(
                runs.register_cluster,
                cluster_id="mock",
                kind="embedded",
                bootstrap_servers=self.cluster.bootstrap_servers,
            )
        )
        self.reader = Reader(writer.path)
        self.runs = RunManager(
            self.cluster.connection, writer, row, self.cluster.watermarks, lambda: None
        )
        self.started: list[tuple[str, float]] = []
        beside = RunsBeside(self.runs, self._start)
        self.manager = ComparisonManager(self.cluster, row, writer, self.reader, beside)

    def _start(self, name: str, rate: float) -> None:
        self.started.append((name, rate))
        self.run(name, rate)

    def run(self, name: str, rate: float) -> None:
        self.runs.start(Profile.from_mapping(body(name, workload={"topic": "orders"})), rate)

    def compare(self, plan: ComparisonPlan, **options: Any) -> Comparison:
        number = self.manager.start(plan, "kim", **options)
        return self.over(number)

    def over(self, number: int) -> Comparison:
        wait_until(lambda: self.reader(queries.running) is None, 90, "it goes on")
        return self.get(number)

    def get(self, number: int) -> Comparison:
        found = self.reader(partial(queries.comparison, comparison_id=number))
        assert found is not None
        return found

    def some_turns(self, number: int, n: int = 2) -> None:
        wait_until(lambda: len(self.get(number).measured) >= n, 60, "no turn ends")


@pytest.fixture
def room(writer: Writer) -> Iterator[Room]:
    made = Room(writer)
    yield made
    made.manager.close()
    made.runs.stop_all("the test is over")
    made.cluster.close()


def workers() -> list[str]:
    """Ids and command lines of comparison processes that this process started."""
    found = subprocess.run(
        ["ps", "-ww", "-o", "pid=,args=", "--ppid", str(os.getpid())],
        capture_output=True,
        text=True,
    )
    return [line for line in found.stdout.splitlines() if "compare.worker" in line]


def test_profiles_are_measured_round_by_round_under_the_same_load(
    room: Room, writer: Writer
) -> None:
    plan = plan_of(
        body("plain"),
        body("unsure", acks=0, compression="zstd"),
        body("atomic", transactional_id="shop", workload={"transaction_ms": 50}),
        load=SHORT,
    )
    found = room.compare(plan, title="three ways")
    assert (found.summary.state, found.summary.reason) == ("done", None)
    assert (found.summary.title, found.summary.made_by) == ("three ways", "kim")
    assert [(t.rate, t.round, t.position, t.profile) for t in found.measured] == list(
        plan.schedule()
    )
    # A machine that is too busy sends fewer in the time there is, and no event twice.
    assert sum(turn.measures.sent for turn in found.measured) > 0.8 * 60 * plan.turns
    for turn in found.measured:
        measures = turn.measures
        n = measures.sent
        assert 0 < n <= 60
        assert measures.read_back == n
        assert (measures.lost, measures.duplicated, measures.phantom) == (0, 0, 0)
        assert (measures.failed, measures.rejected, measures.unresolved) == ({}, {}, 0)
        assert measures.acknowledged + measures.unconfirmed == n
        for counted in (turn.ack, turn.end_to_end, turn.delay):
            assert sum(events for _, events in counted) == n
        assert measures.cpu_us_per_message is not None
        assert measures.cpu_us_per_message > 0
        assert measures.batches is not None
        assert measures.batches > 0
        assert measures.requests is not None
    by_name = {
        name: [t.measures for t in found.measured if t.profile == place]
        for place, name in enumerate(plan.names)
    }
    assert all(m.unconfirmed == m.sent for m in by_name["unsure"])
    assert all((m.commits or 0) >= 3 and m.aborts == 0 for m in by_name["atomic"])
    assert all(m.commits is None for m in by_name["plain"])
    caveats = verdict(analyse(found)).caveats
    assert any("does not replicate" in caveat for caveat in caveats)
    environment = found.summary.environment
    assert environment["cluster_kind"] == "embedded"
    assert environment["librdkafka"].startswith("2.")
    assert rows(Reader(writer.path), "SELECT count(*) FROM runs") == [0]
    assert workers() == []


def test_ten_milliseconds_more_of_linger_are_found_as_about_ten(room: Room) -> None:
    plan = plan_of(body("one"), body("slower", linger_ms=15), load={**SHORT, "rate_per_s": 100})
    found = room.compare(plan)
    medians = [
        [quantiles(turn.ack, [0.5])[0] or 0.0 for turn in turns_of(found, 100, profile)]
        for profile in (0, 1)
    ]
    # The median of the rounds: the machine may be busy with something else in one of them.
    difference = np.median(np.subtract(medians[1], medians[0]))
    assert 6_000 < difference < 14_000


def test_cancelling_keeps_what_is_measured_and_ends_the_processes(room: Room) -> None:
    number = room.manager.start(plan_of(load=SHORT, rounds=50), "kim")
    room.some_turns(number)
    progress = room.get(number).summary
    assert progress.progress is not None
    assert "round" in progress.progress
    assert progress.expected_end_us is not None
    room.manager.cancel(number)
    found = room.get(number)
    assert found.summary.state == "cancelled"
    assert 2 <= len(found.measured) < 100
    assert found.summary.turns_done == len(found.measured)
    assert workers() == []
    with pytest.raises(CompareRefused, match="not running"):
        room.manager.cancel(number)


def test_a_second_one_is_refused_and_what_runs_cannot_be_deleted(room: Room) -> None:
    number = room.manager.start(plan_of(load=SHORT, rounds=50), "kim")
    with pytest.raises(CompareRefused, match=r"is running, .* cancel it"):
        room.manager.start(plan_of(load=SHORT), "kim")
    with pytest.raises(CompareRefused, match="Cancel it first"):
        room.manager.delete(number)
    room.manager.cancel(number)
    room.manager.delete(number)
    assert room.reader(queries.comparisons) == ()
    with pytest.raises(CompareRefused, match="no comparison"):
        room.manager.delete(number)


def test_a_cluster_that_goes_away_leaves_the_turns_before_and_says_so(
    room: Room,
) -> None:
    number = room.manager.start(plan_of(load=SHORT, rounds=50), "kim")
    room.some_turns(number)
    assert room.cluster._embedded is not None
    room.cluster._embedded.broker_down(ALL_BROKERS)
    found = room.over(number)
    assert found.summary.state == "incomplete"
    assert found.summary.reason is not None
    assert "The cluster went away" in found.summary.reason
    assert len(found.measured) >= 2
    assert verdict(analyse(found)).caveats[0].startswith("It is incomplete")


def test_the_agents_end_leaves_the_turns_before_and_says_so(room: Room) -> None:
    number = room.manager.start(plan_of(load=SHORT, rounds=50), "kim")
    room.some_turns(number)
    room.manager.close()
    found = room.get(number)
    assert (found.summary.state, found.summary.reason) == (
        "incomplete",
        "The agent was stopped. What was measured before is kept.",
    )
    assert workers() == []


def test_runs_beside_it_go_on_and_are_told(room: Room) -> None:
    room.run("orders", 200)
    found = room.compare(plan_of(load=SHORT))
    assert room.runs.is_running("orders")
    assert any("Other profiles went on sending beside it" in note for note in found.summary.notes)
    beside = [turn.measures.beside_per_s or 0 for turn in found.measured]
    assert 100 < sum(beside) / len(beside) < 300


def test_runs_can_be_paused_and_go_on_at_their_rate_however_it_ends(room: Room) -> None:
    room.run("orders", 123)
    number = room.manager.start(plan_of(load=SHORT, rounds=50), "kim", pause_runs=True)
    room.some_turns(number, 1)
    assert not room.runs.is_running("orders")
    room.manager.cancel(number)
    assert room.runs.is_running("orders")
    assert room.started == [("orders", 123)]
    notes = room.get(number).summary.notes
    assert any(note == "Paused meanwhile: orders." for note in notes)
    assert not any("went on" in note for note in notes)


def test_a_profile_that_librdkafka_refuses_is_refused_before_anything_begins(room: Room) -> None:
    plan = plan_of(body("one"), body("two", acks=1, idempotence=True), load=SHORT)
    with pytest.raises(ValueError, match=r"profile two, producer\.acks"):
        room.manager.start(plan, "kim")
    assert room.reader(queries.comparisons) == ()


def test_a_client_that_cannot_keep_up_is_said_to_be_overloaded(room: Room) -> None:
    plan = plan_of(
        body("one", queue_max_messages=50),
        body("two", queue_max_messages=50),
        load={**SHORT, "rate_per_s": 100_000},
    )
    found = room.compare(plan)
    assert all(turn.measures.rate_reached < 95_000 for turn in found.measured)
    assert any("overloaded client" in caveat for caveat in verdict(analyse(found)).caveats)


def test_secrets_of_the_connection_are_in_no_argument_list(room: Room) -> None:
    number = room.manager.start(plan_of(load=SHORT, rounds=50), "kim")
    room.some_turns(number, 1)
    lines = workers()
    assert sorted(line.split()[-1] for line in lines) == ["reader", "sender"]
    assert not any("bootstrap" in line or "127.0.0.1" in line for line in lines)
    room.manager.cancel(number)


def test_a_process_that_dies_ends_the_comparison_with_what_it_measured(
    room: Room, writer: Writer
) -> None:
    number = room.manager.start(plan_of(load=SHORT, rounds=50), "kim")
    room.some_turns(number)
    pid = next(int(line.split()[0]) for line in workers() if line.endswith("sender"))
    os.kill(pid, 9)
    over = room.over(number)
    assert over.summary.state == "incomplete"
    assert over.summary.reason is not None
    assert "sender ended" in over.summary.reason
    assert len(over.measured) >= 2


def test_a_worker_ends_with_its_stdin_and_tells_what_it_could_not_do(tmp_path: Path) -> None:
    with Worker("reader") as worker:
        worker.tell(
            "open", connection={"bootstrap.servers": "127.0.0.1:1"}, topic="t", partitions=1
        )
        assert worker.answer(20) == {}
        worker.tell("begin", turn="00" * 16, first=0, committed_only=False)
        with pytest.raises(WorkerDied):
            worker.answer(20)
    assert worker._process.returncode == 0
