"""One agent a database."""

from __future__ import annotations

import fcntl
import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from producer_agent.lock import AgentLock, AgentRunning, holder_of, is_held, lock_path
from tests.waiting import wait_until


def test_the_second_is_told_who_the_first_is(db_path: Path) -> None:
    with AgentLock(db_path):
        assert is_held(db_path)
        holder = holder_of(db_path)
        assert holder is not None
        assert holder.pid == os.getpid()
        with (
            pytest.raises(AgentRunning, match=rf"pid {os.getpid()} on .*ACKBOARD_DB"),
            AgentLock(db_path),
        ):
            pass
        assert is_held(db_path), "the refused one took the lock along"
    assert not is_held(db_path)
    assert lock_path(db_path).exists()
    with AgentLock(db_path):
        pass


def test_the_kernel_drops_it_with_the_process(db_path: Path) -> None:
    script = (
        "import sys, time; from pathlib import Path; from producer_agent.lock import AgentLock\n"
        "with AgentLock(Path(sys.argv[1])): print('held', flush=True); time.sleep(60)"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", script, str(db_path)], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    try:
        assert process.stdout.readline() == "held\n"
        assert is_held(db_path)
        process.kill()
        process.wait(5)
        wait_until(lambda: not is_held(db_path), 2, "the lock outlived its process")
    finally:
        process.kill()
        process.wait(5)
        process.stdout.close()


def test_where_there_is_no_file_nobody_serves(tmp_path: Path) -> None:
    assert not is_held(tmp_path / "nowhere" / "ackboard.db")
    assert holder_of(tmp_path / "ackboard.db") is None


@pytest.mark.parametrize("content", ["", "nonsense", "[]", '{"pid": "x"}'])
def test_a_lock_file_that_says_nothing_names_nobody(db_path: Path, content: str) -> None:
    lock_path(db_path).write_text(content)
    assert holder_of(db_path) is None
    with AgentLock(db_path):
        assert holder_of(db_path) is not None


def test_looking_whether_it_is_held_never_turns_an_agent_away(db_path: Path) -> None:
    """A supervisor and pages look twice a second, and an instant is enough for a refusal."""
    with lock_path(db_path).open("a+") as looking:
        fcntl.flock(looking, fcntl.LOCK_SH)  # as is_held does
        timer = threading.Timer(0.1, fcntl.flock, (looking, fcntl.LOCK_UN))
        timer.start()
        with AgentLock(db_path):
            assert is_held(db_path)
        timer.join()
