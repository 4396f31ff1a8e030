"""The supervisor keeps one agent alive, joins another's, and ends the one it started."""

from __future__ import annotations

import itertools
import os
import signal
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from producer_agent import supervisor as module
from producer_agent.lock import AgentLock
from producer_agent.supervisor import Supervisor
from tests.waiting import wait_until

NOTE_START = (
    "import os, sys, time, signal; "
    "open(sys.argv[1], 'a').write(f'{os.getpid()} {time.monotonic()}\\n'); "
)


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "WATCH_S", 0.02)
    monkeypatch.setattr(module, "FIRST_BACKOFF_S", 0.1)


@pytest.fixture
def starts(tmp_path: Path) -> Path:
    return tmp_path / "starts"


@pytest.fixture
def supervise(db_path: Path, starts: Path) -> Iterator[Callable[[str], Supervisor]]:
    made: list[Supervisor] = []

    def supervised(script: str) -> Supervisor:
        supervisor = Supervisor(db_path, [sys.executable, "-c", NOTE_START + script, str(starts)])
        made.append(supervisor)
        supervisor.start()
        return supervisor

    yield supervised
    for supervisor in made:
        supervisor.close()


def started(starts: Path) -> list[tuple[int, float]]:
    if not starts.exists():
        return []
    return [
        (int(line.split()[0]), float(line.split()[1])) for line in starts.read_text().splitlines()
    ]


def gone(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    return False


def test_an_agent_that_is_killed_is_started_again(
    supervise: Callable[[str], Supervisor], starts: Path
) -> None:
    supervisor = supervise("time.sleep(60)")
    wait_until(lambda: started(starts), 10, "it was not started")
    first = started(starts)[0][0]
    assert supervisor.pid == first
    os.kill(first, signal.SIGKILL)
    wait_until(lambda: len(started(starts)) == 2, 10, "it was not started again")

    assert supervisor.restarts == 1
    assert supervisor.pid == started(starts)[1][0] != first


def test_an_agent_that_dies_at_once_is_started_ever_more_seldom(
    supervise: Callable[[str], Supervisor], starts: Path
) -> None:
    supervise("sys.exit(1)")
    wait_until(lambda: len(started(starts)) == 4, 20, "it gave up")
    times = [at for _, at in started(starts)]
    gaps = [later - earlier for earlier, later in itertools.pairwise(times)]
    assert gaps[0] >= 0.1
    assert gaps[1] >= 0.2
    assert gaps[2] >= 0.4


def test_an_agent_that_serves_already_is_joined_and_replaced_when_it_ends(
    supervise: Callable[[str], Supervisor], starts: Path, db_path: Path
) -> None:
    with AgentLock(db_path):
        supervisor = supervise("time.sleep(60)")
        ends_s = time.monotonic() + 0.5
        wait_until(lambda: time.monotonic() > ends_s, 2, "")
        assert started(starts) == []
        assert supervisor.pid is None
    wait_until(lambda: started(starts), 10, "nobody serves now")
    assert supervisor.restarts == 0


def test_closing_ends_the_agent_cleanly(
    supervise: Callable[[str], Supervisor], starts: Path
) -> None:
    supervisor = supervise(
        "end = lambda *_: (open(sys.argv[1] + '.clean', 'w'), sys.exit()); "
        "signal.signal(signal.SIGTERM, end); "
        "open(sys.argv[1] + '.ready', 'w').close(); time.sleep(60)"
    )
    wait_until(lambda: Path(f"{starts}.ready").exists(), 10, "it was not started")
    pid = started(starts)[0][0]
    supervisor.close()
    assert gone(pid)
    assert Path(f"{starts}.clean").exists()


def test_an_agent_that_will_not_end_is_killed(
    supervise: Callable[[str], Supervisor], starts: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "STOP_S", 0.3)
    supervisor = supervise(
        "signal.signal(signal.SIGTERM, signal.SIG_IGN); "
        "open(sys.argv[1] + '.ready', 'w').close(); time.sleep(60)"
    )
    wait_until(lambda: Path(f"{starts}.ready").exists(), 10, "it was not started")
    supervisor.close()
    assert gone(started(starts)[0][0])


def test_a_lock_that_cannot_be_looked_at_does_not_end_the_watch(
    supervise: Callable[[str], Supervisor], starts: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def forbidden(_db: Path) -> bool:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(module, "is_held", forbidden)
    supervise("time.sleep(60)")
    wait_until(lambda: started(starts), 10, "it was not started")
