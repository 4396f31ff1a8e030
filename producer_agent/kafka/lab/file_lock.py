"""One holder at a time, across processes and threads."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator
from pathlib import Path

from producer_agent.kafka.lab.errors import LabError

_POLL_S = 0.02


@contextlib.contextmanager
def exclusive(path: Path, *, timeout_s: float, doing: str) -> Iterator[None]:
    """Hold the lock file `path` while the block runs; the kernel lets go if we die.

    Raises:
        LabError: somebody else held it for `timeout_s`, or this is not a POSIX system.
    """
    try:
        import fcntl
    except ModuleNotFoundError as error:  # Windows: no flock, and no SIGSTOP either
        raise LabError("the lab needs Linux or macOS (on Windows, use WSL)") from error
    deadline = time.monotonic() + timeout_s
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a") as lock:
        while True:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() >= deadline:
                    raise LabError(
                        f"gave up {doing} after {timeout_s:g} s: another process holds {path}; "
                        f"wait for it, or find it with `fuser {path}`"
                    ) from None
                time.sleep(_POLL_S)
        yield
