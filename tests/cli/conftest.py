"""The command line, in this process by typer's runner, or as the process that users start."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from producer_agent.cli.main import app
from producer_agent.store import facts
from producer_agent.store.database import StoreError
from producer_agent.store.reader import Reader
from tests.waiting import wait_until

Invoke = Callable[..., Result]
Start = Callable[..., "subprocess.Popen[str]"]

START_TIMEOUT_S = 30.0


@pytest.fixture(autouse=True)
def _clean_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No setting of whoever runs the tests, and a database that is not there yet."""
    for name in list(os.environ):
        if name.startswith(("ACKBOARD_", "KAFKA_")) and name != "ACKBOARD_CACHE":
            monkeypatch.delenv(name)
    monkeypatch.setenv("ACKBOARD_DB", str(tmp_path / "ackboard.db"))


@pytest.fixture
def invoke() -> Invoke:
    """Runs a command in this process; a traceback of ours fails the test."""

    def invoked(*arguments: object, **options: Any) -> Result:
        result = CliRunner().invoke(app, [str(argument) for argument in arguments], **options)
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception
        return result

    return invoked


@pytest.fixture
def start() -> Iterator[Start]:
    """Starts a command as a process; what is left of it at the end is killed."""
    running: list[subprocess.Popen[str]] = []

    def started(*arguments: object) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [sys.executable, "-m", "producer_agent", *map(str, arguments)],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        running.append(process)
        return process

    yield started
    for process in running:
        if process.poll() is None:
            process.kill()
        process.communicate()


@pytest.fixture
def agent(start: Start, db_path: Path) -> subprocess.Popen[str]:
    """An agent on the embedded cluster, up and sending."""
    process = start("serve")
    wait_until(lambda: is_sending(db_path), START_TIMEOUT_S, "the agent has not begun to send")
    return process


def is_sending(db: Path) -> bool:
    """Whether an agent has told of a run that got somewhere."""
    runs = fact(db, "runs")
    return bool(runs) and all(run["accepted"] > 0 for run in runs)


def fact(db: Path, name: str) -> Any:
    """The body of a fact, or None while there is none."""
    try:
        found = Reader(db)(lambda database: facts.get(database, name))
    except StoreError:  # it is being made just now
        return None
    return None if found is None else found.body


def end(process: subprocess.Popen[str], number: signal.Signals = signal.SIGTERM) -> tuple[str, str]:
    """Send a signal, wait for the end, and return stdout and stderr."""
    process.send_signal(number)
    return process.communicate(timeout=60)


def document(result: Result) -> Any:
    """The JSON a command wrote, which has to be all that it wrote to stdout."""
    return json.loads(result.stdout)
