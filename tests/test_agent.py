"""The agent as a process: what it leaves behind however it ends, and what it does when asked."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from producer_agent import agent as module
from producer_agent.agent import Agent
from producer_agent.commands import Command, CommandFailed, ask_and_wait
from producer_agent.lock import is_held
from producer_agent.settings import Settings
from producer_agent.store import commands, facts
from producer_agent.store.database import StoreError
from producer_agent.store.reader import Reader
from producer_agent.store.writer import Writer
from tests.recording import assert_one_outcome_each, rows
from tests.waiting import wait_until

ROOT = Path(__file__).parents[1]
ACTIVE = 3
"""Shipped profiles that start by themselves."""

Start = Callable[..., "subprocess.Popen[bytes]"]


@pytest.fixture
def start(db_path: Path, tmp_path: Path) -> Iterator[Start]:
    """Starts agents on the test's database; those that are left are killed."""
    processes: list[subprocess.Popen[bytes]] = []
    environment = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("ACKBOARD_", "KAFKA_"))
    }
    environment["PYTHONPATH"] = str(ROOT)
    log = (tmp_path / "agent.log").open("ab")

    def started(*options: str) -> subprocess.Popen[bytes]:
        process = subprocess.Popen(
            [sys.executable, "-m", "producer_agent", "serve", "--db", str(db_path), *options],
            env=environment,
            cwd=tmp_path,
            stderr=log,
        )
        processes.append(process)
        return process

    yield started
    for process in processes:
        if process.poll() is None:
            process.kill()
        process.wait(10)
    log.close()


def agent_state(reader: Reader) -> str | None:
    try:
        fact = reader(lambda db: facts.get(db, "agent"))
    except StoreError:
        return None
    return None if fact is None else str(fact.body["state"])


def wait_sending(reader: Reader, runs: int = ACTIVE, events: int = 40) -> None:
    """Until that many runs are open and each has recorded some outcomes."""

    def sending() -> bool:
        if agent_state(reader) is None:
            return False
        settled = rows(reader, "SELECT settled FROM runs WHERE ended_us IS NULL")
        return len(settled) == runs and min(settled) >= events

    wait_until(sending, 40, "the agent never came up")


def ask(db_path: Path, command: Command, **arguments: Any) -> dict[str, Any]:
    return ask_and_wait(db_path, command, arguments, who="test", timeout_s=30)


def assert_each_dead_letter_once(reader: Reader) -> None:
    """Each event that was put into the outbox is on the triage page, and once."""
    wait_until(
        lambda: (
            rows(reader, "SELECT count(*) FROM outbox")
            == rows(reader, "SELECT count(*) FROM dead_letters")
        ),
        20,
        "outbox and dead letters do not agree",
    )
    letters = rows(reader, "SELECT letter_id FROM dead_letters")
    assert len(set(letters)) == len(letters)


def test_told_to_stop_it_settles_every_event_and_says_so(start: Start, db_path: Path) -> None:
    process, reader = start(), Reader(db_path)
    wait_sending(reader)
    process.send_signal(signal.SIGTERM)
    assert process.wait(30) == 0

    uuids = rows(reader, "SELECT uuid FROM runs")
    assert len(uuids) == ACTIVE
    for uuid in uuids:
        counted = assert_one_outcome_each(reader, uuid)
        assert "unresolved" not in counted
    assert set(rows(reader, "SELECT end_reason FROM runs")) == {"the agent was stopped"}
    assert agent_state(reader) == "stopped"
    assert not is_held(db_path)


def test_killed_in_the_middle_of_a_fault_it_loses_no_event_and_doubles_none(
    start: Start, db_path: Path
) -> None:
    """kill -9 while the brokers are down and dead letters are on their way; then a new agent."""
    process, reader = start(), Reader(db_path)
    wait_sending(reader)
    topic = "task-events"
    ask(db_path, Command.FAULT_INJECT, kind="message_too_large", topic=topic)
    wait_until(lambda: rows(reader, "SELECT count(*) FROM outbox")[0] > 20, 20, "nothing failed")
    ask(db_path, Command.FAULT_INJECT, kind="brokers_down")
    wait_until(
        lambda: sum(rows(reader, "SELECT accepted - settled FROM runs")) > 50,
        20,
        "nothing is outstanding",
    )
    process.kill()
    process.wait(10)
    left = rows(reader, "SELECT uuid FROM runs")
    assert not is_held(db_path)

    second = start()
    wait_sending(reader)
    assert_each_dead_letter_once(reader)
    second.send_signal(signal.SIGTERM)
    assert second.wait(30) == 0

    unresolved = 0
    for uuid in rows(reader, "SELECT uuid FROM runs"):
        counted = assert_one_outcome_each(reader, uuid)
        unresolved += counted.get("unresolved", 0) if uuid in left else 0
    assert unresolved > 50
    assert rows(reader, "SELECT DISTINCT end_reason FROM runs WHERE uuid = ?", left[0]) == [
        "the agent died"
    ]
    assert len(rows(reader, "SELECT uuid FROM runs")) == 2 * ACTIVE


def test_it_ends_when_its_parent_is_gone(start: Start, db_path: Path, tmp_path: Path) -> None:
    script = (
        "import os, subprocess, sys\n"
        "subprocess.Popen([sys.executable, '-m', 'producer_agent', 'serve', '--db', sys.argv[1], "
        "'--parent', str(os.getpid())], stderr=subprocess.DEVNULL)\n"
        "sys.stdin.read()"
    )
    parent = subprocess.Popen(
        [sys.executable, "-c", script, str(db_path)],
        stdin=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        cwd=tmp_path,
    )
    reader = Reader(db_path)
    try:
        wait_sending(reader, events=1)
    finally:
        parent.kill()
        parent.wait(10)
        assert parent.stdin is not None
        parent.stdin.close()
    wait_until(lambda: not is_held(db_path), 30, "it goes on without its parent")
    assert agent_state(reader) == "stopped"
    assert rows(reader, "SELECT count(*) FROM runs WHERE ended_us IS NULL") == [0]


def test_what_is_asked_is_done_and_what_cannot_be_is_refused_in_words(
    start: Start, db_path: Path
) -> None:
    """One agent: a second is turned away; runs are slowed and stopped; a dead letter is replayed
    once; nonsense is refused."""
    process, reader = start(), Reader(db_path)
    wait_sending(reader)
    assert start().wait(30) == 1, "a second agent served the same database"

    ask(db_path, Command.RUN_RATE, profile="metrics", rate=5)
    ask(db_path, Command.RUN_STOP, profile="analytics")
    with pytest.raises(CommandFailed, match="is not running"):
        ask(db_path, Command.RUN_STOP, profile="analytics")
    with pytest.raises(CommandFailed, match="Stop it first"):
        ask(db_path, Command.RUN_START, profile="critical")
    with pytest.raises(CommandFailed, match="There is no profile"):
        ask(db_path, Command.RUN_START, profile="nobody")
    with pytest.raises(CommandFailed, match="needs the argument 'profile'"):
        ask(db_path, Command.RUN_STOP)
    with pytest.raises(CommandFailed, match="There is no fault"):
        ask(db_path, Command.FAULT_INJECT, kind="earthquake")
    with pytest.raises(CommandFailed, match="list of row ids"):
        ask(db_path, Command.REPLAY, dead_letters="all")

    ask(db_path, Command.FAULT_INJECT, kind="message_too_large", topic="task-events")
    too_large = "SELECT id FROM dead_letters WHERE error_class = 'MSG_SIZE_TOO_LARGE' LIMIT 1"
    wait_until(lambda: rows(reader, too_large), 20, "nothing failed")
    ask(db_path, Command.FAULT_UNDO_ALL)
    (dead_letter,) = rows(reader, too_large)
    first = ask(db_path, Command.REPLAY, dead_letters=[dead_letter])
    again = ask(db_path, Command.REPLAY, dead_letters=[dead_letter])
    assert [outcome["state"] for outcome in first["outcomes"]] == ["done"]
    assert "replayed before" in again["outcomes"][0]["reason"]

    process.send_signal(signal.SIGTERM)
    assert process.wait(30) == 0
    for uuid in rows(reader, "SELECT uuid FROM runs"):
        assert_one_outcome_each(reader, uuid)
    assert rows(reader, "SELECT count(*) FROM commands WHERE state IN ('asked', 'taken')") == [0]
    assert rows(reader, "SELECT wanted FROM profiles WHERE name = 'analytics'") == [0]


@pytest.fixture
def agent(writer: Writer, reader: Reader) -> Agent:
    """An agent that does not run, with a writer."""
    made = Agent(Settings(db=writer.path))
    made._writer, made._reader = writer, reader
    made._cluster = SimpleNamespace(bootstrap_servers="x")  # type: ignore[assignment]
    return made


def test_flows_that_could_not_be_started_are_started_anew(
    agent: Agent, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A cluster that answers and goes away while topics are made must not leave an agent that
    believes it serves."""
    events: list[str] = []

    class StubFlows:
        cluster_id = "c"

        def __init__(self, *_: Any) -> None:
            events.append("made")

        def start(self) -> None:
            events.append("started")
            if events.count("started") == 1:
                raise RuntimeError("the cluster went away")

        def close(self, _reason: str) -> None:
            events.append("closed")

    monkeypatch.setattr(module, "Flows", StubFlows)
    with pytest.raises(RuntimeError):
        agent._follow("c")
    agent._follow("c")
    agent._follow("c")

    assert events == ["made", "started", "closed", "made", "started"]


def test_a_command_is_settled_although_the_facts_cannot_be_written(
    agent: Agent, writer: Writer, reader: Reader, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = writer.call(lambda db: commands.insert(db, "run.stop", {}, "ann", None))
    taken = writer.call(commands.take)
    assert taken is not None

    def broken() -> None:
        raise StoreError("blocked")

    monkeypatch.setattr(agent, "_tell", broken)
    agent._handlers = SimpleNamespace(handle=lambda _command: {"ok": 1})  # type: ignore[assignment]
    agent._do(taken)

    wait_until(
        lambda: rows(reader, "SELECT state FROM commands WHERE id = ?", asked) == ["done"],
        5,
        "it stays taken",
    )
