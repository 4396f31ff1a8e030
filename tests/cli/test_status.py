"""``status``: alive or silent, reachable or not, and the exit code that says so."""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from producer_agent.lock import lock_path
from producer_agent.store import facts
from producer_agent.store.database import open_database
from tests.cli.conftest import Invoke, document
from tests.cli.test_docs import example, keys_of
from tests.dashboard import seed

PID = 4711  # as seed.put_agent writes it


@pytest.fixture
def held(db_path: Path) -> Iterator[None]:
    """The lock is held in the name of the seeded agent."""
    with lock_path(db_path).open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        json.dump({"pid": PID, "host": "localhost"}, file)
        file.flush()
        yield


def write(db_path: Path, *, silent_s: float = 0.0, pid: int = PID, **cluster: Any) -> None:
    """What an agent would have written."""
    db = open_database(db_path)
    with db.atomic():
        seed.put_agent(db, silent_s=silent_s, pid=pid)
        seed.put_cluster(db, topics=["orders"], **cluster)
        facts.put(db, "runs", [])
        facts.put(db, "letters", {"topic": "dlq", "outbox_waiting": 7, "outbox_since_us": 1})
    db.close()


@pytest.mark.usefixtures("held")
def test_a_live_agent_on_a_cluster_that_answers_is_healthy(invoke: Invoke, db_path: Path) -> None:
    write(db_path)
    result = invoke("status", "--json")
    told = document(result)
    assert result.exit_code == 0
    assert told["healthy"] is True
    assert told["agent"]["alive"] is True
    assert told["agent"]["pid"] == PID
    assert told["agent"]["uptime_s"] > 8000
    assert told["agent"]["heartbeat_age_s"] < 5
    assert told["cluster"]["reachable"] is True
    assert told["outbox"]["waiting"] == 7
    assert "7 waiting for dlq" in invoke("status").stdout


@pytest.mark.usefixtures("held")
def test_an_agent_without_a_heartbeat_for_5_s_is_silent(invoke: Invoke, db_path: Path) -> None:
    write(db_path, silent_s=6)
    result = invoke("status", "--json")
    assert result.exit_code == 1
    told = document(result)
    assert (told["agent"]["alive"], told["agent"]["state"]) == (False, "silent")
    assert told["cluster"]["reachable"] is None, "nobody has looked lately"
    assert f"kill {PID}" in result.stderr


def test_a_heartbeat_just_before_the_end_makes_no_agent_alive(
    invoke: Invoke, db_path: Path
) -> None:
    write(db_path)
    result = invoke("status", "--json")
    assert result.exit_code == 1
    assert document(result)["agent"]["state"] == "stopped"
    assert "producer_agent serve" in result.stderr


@pytest.mark.usefixtures("held")
def test_a_process_that_is_no_agent_is_told_apart(invoke: Invoke, db_path: Path) -> None:
    write(db_path, pid=PID + 1)
    result = invoke("status")
    assert result.exit_code == 1
    assert f"Pid {PID} on localhost" in result.stderr


@pytest.mark.usefixtures("held")
def test_a_cluster_that_cannot_be_reached_is_a_failure(invoke: Invoke, db_path: Path) -> None:
    write(db_path, reachable=False, error="no broker answered\x1b[2J")
    result = invoke("status")
    assert result.exit_code == 1
    assert "cannot be reached: no broker answered\\x1b[2J" in result.stderr
    assert document(invoke("status", "--json"))["cluster"]["reachable"] is False


def test_asking_makes_no_file(invoke: Invoke, db_path: Path) -> None:
    open_database(db_path).close()
    before = set(os.listdir(db_path.parent)) | {"ackboard.db-wal", "ackboard.db-shm"}
    invoke("status")
    assert set(os.listdir(db_path.parent)) <= before


@pytest.mark.usefixtures("held")
def test_the_keys_are_those_of_the_documentation(invoke: Invoke, db_path: Path) -> None:
    write(db_path)
    told, documented = keys_of(document(invoke("status", "--json"))), keys_of(example("status"))
    for name in ("runs", "jobs"):
        assert (told.pop(name), bool(documented.pop(name))) == ([], True)
    assert told == documented
