"""``serve`` as a process: one a database, a clean end, and the commands that go through it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from producer_agent.store.reader import Reader
from tests.cli.conftest import START_TIMEOUT_S, Invoke, Start, document, end, fact, is_sending
from tests.recording import assert_one_outcome_each, rows
from tests.waiting import wait_until


@dataclass(frozen=True, slots=True)
class Served:
    """A database and the pid of the agent that serves it."""

    db: Path
    pid: int


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """One agent for the tests that leave it as it is."""
    db = tmp_path_factory.mktemp("served") / "ackboard.db"
    with subprocess.Popen(
        [sys.executable, "-m", "producer_agent", "serve", "--db", str(db)],
        stderr=subprocess.DEVNULL,
        env={n: v for n, v in os.environ.items() if not n.startswith(("ACKBOARD_", "KAFKA_"))},
    ) as process:
        try:
            wait_until(lambda: is_sending(db), START_TIMEOUT_S, "the agent does not send")
            yield Served(db, process.pid)
        finally:
            process.kill()


def test_sigterm_ends_it_with_an_outcome_for_every_event(
    agent: subprocess.Popen[str], db_path: Path
) -> None:
    wait_until(
        lambda: sum(run["accepted"] for run in fact(db_path, "runs")) > 500, 30, "500 events"
    )
    _, log = end(agent)
    assert agent.returncode == 0
    assert "Traceback" not in log
    reader = Reader(db_path)
    runs = rows(reader, "SELECT uuid FROM runs")
    assert len(runs) == 3
    for uuid in runs:
        assert sum(assert_one_outcome_each(reader, uuid).values()) > 0
    assert rows(reader, "SELECT DISTINCT end_reason FROM runs") == ["the agent was stopped"]


def test_ctrl_c_ends_it_as_well(agent: subprocess.Popen[str]) -> None:
    _, log = end(agent, signal.SIGINT)
    assert agent.returncode == 0
    assert "Traceback" not in log


def test_a_second_agent_is_refused_and_told_the_pid_of_the_first(
    served: Served, start: Start
) -> None:
    second = start("serve", "--db", served.db)
    _, said = second.communicate(timeout=30)
    assert second.returncode == 1
    assert f"pid {served.pid} " in said
    assert str(served.db) in said


def test_commands_go_through_the_agent_that_serves(
    served: Served, invoke: Invoke, tmp_path: Path
) -> None:
    """Status is healthy; an import and a run are asked of the agent, and the run is stopped."""
    wait_until(
        lambda: invoke("status", "--db", served.db).exit_code == 0, 10, "status is not healthy"
    )
    file = tmp_path / "mine.json"
    file.write_text(
        json.dumps(
            {
                "name": "mine",
                "workload": {
                    "topic": "mine",
                    "rate_per_s": 200,
                    "faults": {"unknown_partition": 0.1},
                },
            }
        )
    )
    assert (
        document(invoke("profiles", "import", file, "--json", "--db", served.db))["change"]
        == "added"
    )
    result = invoke("run", file, "--count", "100", "--json", "--db", served.db)
    told = document(result)
    assert result.exit_code == 0, result.stderr
    assert told["ran_in"] == "agent"
    assert told["accepted"] >= 100
    assert told["failed"] + told["rejected"] > 0
    assert told["dead_letters"]["stored"] == told["dead_letters"]["due"] > 0
    assert assert_one_outcome_each(Reader(served.db), told["run"])["delivered"] == told["delivered"]
    kinds = rows(Reader(served.db), "SELECT kind, state FROM commands ORDER BY id")
    assert kinds == [("profile.save", "done"), ("run.start", "done"), ("run.stop", "done")]


def test_a_run_of_what_runs_already_is_refused(served: Served, invoke: Invoke) -> None:
    result = invoke("run", "critical", "--count", "10", "--db", served.db)
    assert result.exit_code == 1
    assert "critical is running. Stop it first." in result.stderr


def test_a_run_from_a_file_does_not_change_the_agents_profile_of_that_name(
    served: Served, invoke: Invoke, tmp_path: Path
) -> None:
    file = tmp_path / "production.json"
    file.write_text('{"name": "production", "workload": {"topic": "mine"}}')
    result = invoke("run", file, "--count", "10", "--db", served.db)
    assert result.exit_code == 1
    assert "profiles import FILE --replace" in result.stderr


def test_a_run_whose_agent_dies_says_so(
    agent: subprocess.Popen[str], start: Start, db_path: Path
) -> None:
    run = start("run", "production", "--json")
    wait_until(
        lambda: any(now["profile"] == "production" for now in fact(db_path, "runs")),
        30,
        "the agent does not run it",
    )
    os.kill(agent.pid, signal.SIGKILL)
    _, said = run.communicate(timeout=30)
    assert run.returncode == 1
    assert "The agent ended while it ran production" in said
