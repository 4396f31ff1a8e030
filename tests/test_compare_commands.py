"""The agent asked to compare: by names, by bodies, and killed while it measures."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from producer_agent.advice.compare.manager import DIED, CompareRefused
from producer_agent.advice.compare.plan import ComparisonPlan, PlanInvalid
from producer_agent.commands import Command, CommandFailed, ask_and_wait
from producer_agent.compare_commands import CompareCommands
from producer_agent.store import facts, profiles
from producer_agent.store.commands import CommandRow
from producer_agent.store.database import StoreError
from producer_agent.store.queries import comparisons as queries
from producer_agent.store.reader import Reader
from producer_agent.store.writer import Writer
from tests.advice.compare.builders import body
from tests.waiting import wait_until

ROOT = Path(__file__).parents[1]
SHORT = {"rate_per_s": 100, "seconds": 0.3, "warm_up_s": 0.1}

Start = Callable[[], "subprocess.Popen[bytes]"]


class Manager:
    """Notes what it was asked."""

    def __init__(self) -> None:
        self.asked: list[Any] = []

    def start(self, plan: ComparisonPlan, who: str, **options: Any) -> int:
        self.asked.append((plan, who, options))
        return 3

    def cancel(self, number: int) -> None:
        self.asked.append(("cancel", number))

    def delete(self, number: int) -> None:
        self.asked.append(("delete", number))


def command(**arguments: Any) -> CommandRow:
    fields: dict[str, Any] = dict.fromkeys(CommandRow.__slots__)
    return CommandRow(**{**fields, "id": 1, "who": "kim", "arguments": arguments})


@pytest.fixture
def manager() -> Manager:
    return Manager()


@pytest.fixture
def handlers(writer: Writer, reader: Reader, manager: Manager) -> CompareCommands:
    stored = ComparisonPlan.from_mapping({"profiles": [body("orders"), body("other")]})
    for profile in stored.profiles:
        writer.call(partial(profiles.save, name=profile.name, body=profile.to_json()))
    return CompareCommands(reader, lambda: manager)  # type: ignore[arg-type, return-value]


def test_names_become_copies_of_stored_profiles_and_bodies_stay(
    handlers: CompareCommands, manager: Manager
) -> None:
    plan = {"profiles": ["orders", body("mine", acks=1)], "load": SHORT}
    answer = handlers.start(command(plan=plan, title="why", pause_runs=True))
    assert answer == {"comparison": 3}
    made, who, options = manager.asked[0]
    assert made.names == ("orders", "mine")
    assert made.profiles[1].producer.acks == 1
    assert (who, options) == ("kim", {"title": "why", "pause_runs": True})


@pytest.mark.parametrize(
    ("plan", "said"),
    [
        ({"profiles": ["orders", "none"]}, "no profile 'none'. There are: orders, other."),
        ({"profiles": "orders"}, "a list of names or bodies"),
        ({"profiles": ["orders"]}, "Give 2 to 5 profiles"),
        ({"profiles": ["orders", "other"], "rounds": 2}, "at least 5 rounds"),
        ("orders", "give an object"),
    ],
)
def test_what_cannot_be_compared_is_refused_in_words(
    handlers: CompareCommands, manager: Manager, plan: Any, said: str
) -> None:
    with pytest.raises((CompareRefused, PlanInvalid), match=said):
        handlers.start(command(plan=plan))
    assert manager.asked == []


@pytest.mark.parametrize("number", [True, "3", None, 3.0])
def test_a_number_is_a_number(handlers: CompareCommands, number: Any) -> None:
    for handle in (handlers.cancel, handlers.delete):
        with pytest.raises(CompareRefused, match="give a comparison's number"):
            handle(command(comparison=number))


def test_cancel_and_delete_are_passed_on(handlers: CompareCommands, manager: Manager) -> None:
    handlers.cancel(command(comparison=3))
    handlers.delete(command(comparison=4))
    assert manager.asked == [("cancel", 3), ("delete", 4)]


@pytest.fixture
def start(db_path: Path, tmp_path: Path) -> Iterator[Start]:
    """Starts agents that run nothing of their own; those that are left are killed."""
    processes: list[subprocess.Popen[bytes]] = []
    environment = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("ACKBOARD_", "KAFKA_"))
    }
    environment |= {"PYTHONPATH": str(ROOT), "ACKBOARD_AUTOSTART": "false"}
    log = (tmp_path / "agent.log").open("ab")

    def started() -> subprocess.Popen[bytes]:
        process = subprocess.Popen(
            [sys.executable, "-m", "producer_agent", "serve", "--db", str(db_path)],
            env=environment,
            cwd=tmp_path,
            stderr=log,
        )
        processes.append(process)
        wait_until(lambda: _runs(db_path, process.pid), 40, "the agent does not run")
        return process

    yield started
    for process in processes:
        process.kill()
        process.wait(10)
    log.close()


def _runs(db: Path, pid: int) -> bool:
    try:
        fact = Reader(db)(lambda database: facts.get(database, "agent"))
    except StoreError:
        return False
    return fact is not None and fact.body["pid"] == pid and fact.body["state"] == "running"


def _children(pid: int) -> list[int]:
    found = subprocess.run(
        ["ps", "-ww", "-o", "pid=,args=", "--ppid", str(pid)], capture_output=True, text=True
    )
    return [int(line.split()[0]) for line in found.stdout.splitlines() if "compare" in line]


def _alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().split(") ")[1][0] != "Z"
    except FileNotFoundError:
        return False


def test_an_agent_killed_while_it_measures_leaves_its_turns_and_the_next_says_so(
    start: Start, db_path: Path
) -> None:
    process = start()
    plan = {"profiles": ["critical", "analytics"], "load": SHORT, "rounds": 100}
    asked = partial(ask_and_wait, db_path, who="test", timeout_s=30)
    number = asked(Command.COMPARE_START, {"plan": plan})["comparison"]
    reader = Reader(db_path)

    def get() -> queries.Comparison:
        found = reader(partial(queries.comparison, comparison_id=number))
        assert found is not None
        return found

    wait_until(lambda: len(get().measured) >= 2, 60, "no turn ends")
    with pytest.raises(CommandFailed, match="is running, and two at once"):
        asked(Command.COMPARE_START, {"plan": plan})
    children = _children(process.pid)
    assert len(children) == 2
    process.send_signal(signal.SIGKILL)
    process.wait(10)
    wait_until(lambda: not any(map(_alive, children)), 20, "its processes go on without it")
    kept = get()
    assert kept.summary.is_running  # nobody was left to say otherwise
    start()
    found = get()
    assert (found.summary.state, found.summary.reason) == ("incomplete", DIED)
    assert found.measured == kept.measured
    again = asked(Command.COMPARE_START, {"plan": plan})["comparison"]
    asked(Command.COMPARE_CANCEL, {"comparison": again})
    asked(Command.COMPARE_DELETE, {"comparison": again})
    assert [summary.id for summary in reader(queries.comparisons)] == [number]
