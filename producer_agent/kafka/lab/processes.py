"""Processes that outlive us, remembered by pid and start time.

A pid alone says little after a crash or a reboot: the kernel gives it to someone else. So a
process is known here by its pid and by when it started, and a signal is sent only to the
process that has both.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Literal

ProcessState = Literal["running", "paused", "stopped"]

_POLL_S = 0.01

# Children of this very process, kept so that they can be reaped when they end: a zombie would
# otherwise stay in the process table for as long as we live.
_children: dict[int, subprocess.Popen[bytes]] = {}


@dataclass(frozen=True, slots=True)
class ProcessId:
    """A process that a recycled pid cannot be mistaken for.

    `started` is opaque: boot id and clock ticks since boot on Linux (exact, and untouched by
    changes of the wall clock), `ps`'s start time elsewhere.
    """

    pid: int
    started: str


def spawn(argv: Sequence[str], *, log: Path, cwd: Path) -> ProcessId:
    """Start `argv` detached from our terminal, its output appended to `log`.

    Raises:
        OSError: the program cannot be executed.
        ChildProcessError: it ended before it could be identified.
    """
    with log.open("ab") as output:
        child = subprocess.Popen(
            argv,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            cwd=cwd,
            start_new_session=True,  # Ctrl-C in our terminal is not for it
        )
    _children[child.pid] = child
    process = identify(child.pid)
    if process is None:
        raise ChildProcessError(f"{argv[0]} ended at once; see {log}")
    return process


def identify(pid: int) -> ProcessId | None:
    """The identity of the process that has this pid now, None if there is none (or a zombie)."""
    seen = _look(pid)
    return None if seen is None else ProcessId(pid, seen[1])


def state_of(process: ProcessId | None) -> ProcessState:
    """Whether the process runs, is paused (SIGSTOP), or is gone."""
    if process is None:
        return "stopped"
    seen = _look(process.pid)
    if seen is None or seen[1] != process.started:
        return "stopped"
    return "paused" if seen[0] == "T" else "running"


def send(process: ProcessId | None, number: signal.Signals) -> bool:
    """Send a signal; False, and nothing sent, if that process is no longer there."""
    if process is None or state_of(process) == "stopped":
        return False
    try:
        os.kill(process.pid, number)
    except ProcessLookupError:
        return False
    return True


def wait_for(
    processes: Sequence[ProcessId | None],
    reached: Callable[[ProcessState], bool],
    *,
    timeout_s: float,
) -> bool:
    """Wait until every process is in a state that `reached` accepts; False on time-out."""
    deadline = time.monotonic() + timeout_s
    while not all(reached(state_of(process)) for process in processes):
        if time.monotonic() >= deadline:
            return False
        time.sleep(_POLL_S)
    return True


def _look(pid: int) -> tuple[str, str] | None:
    """State letter (as `ps` prints it) and start mark of a live process."""
    if (child := _children.get(pid)) and child.poll() is not None:
        _children.pop(pid, None)  # another thread may have been faster
    seen = _look_proc(pid) if sys.platform == "linux" else _look_ps(pid)
    # Z and X are dead already: they wait for their parent, and no signal reaches them.
    return None if seen is None or seen[0] in "ZX" else seen


def _look_proc(pid: int) -> tuple[str, str] | None:
    # proc(5): pid (comm) state ppid … starttime, the 22nd field; comm may hold spaces and ")".
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(errors="replace")
    except (FileNotFoundError, ProcessLookupError):
        return None
    fields = stat.rpartition(")")[2].split()
    return fields[0], f"{_boot_id()}:{fields[19]}"


@cache
def _boot_id() -> str:
    return Path("/proc/sys/kernel/random/boot_id").read_text().strip()


def _look_ps(pid: int) -> tuple[str, str] | None:
    answer = subprocess.run(
        ["ps", "-o", "stat=,lstart=", "-p", str(pid)],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "LC_ALL": "C", "TZ": "UTC"},
    ).stdout.split(None, 1)
    return (answer[0][0], answer[1].strip()) if len(answer) == 2 else None
