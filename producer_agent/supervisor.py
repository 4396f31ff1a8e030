"""The supervisor: starts the agent as a process of its own and starts it again if it dies.

It runs in the dashboard's process. Where an agent already serves the database (its lock is held)
it joins that one: it only watches, and starts one of its own should the other end.
"""

from __future__ import annotations

import logging
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

from producer_agent.lock import holder_of, is_held

log = logging.getLogger(__name__)

WATCH_S = 0.5
FIRST_BACKOFF_S = 0.5
LONGEST_BACKOFF_S = 30.0
STEADY_S = 30.0
"""An agent that lived this long did not die of its start: the back-off begins anew."""

STOP_S = 30.0
"""How long the agent may take to settle its outstanding events before it is killed."""


class Supervisor:
    """Keeps one agent serving the database at ``db``. ``close()`` ends the one it started."""

    def __init__(self, db: Path, command: list[str] | None = None) -> None:
        self._db = db
        self._command = command or [
            sys.executable,
            "-m",
            "producer_agent",
            "serve",
            "--db",
            str(db),
            "--parent",
            str(os.getpid()),
        ]
        self._stop = threading.Event()
        self._process: subprocess.Popen[bytes] | None = None
        self._thread = threading.Thread(target=self._run, name="supervisor", daemon=True)
        self.restarts = 0
        """How often an agent that died was started again."""

    def start(self) -> None:
        """Begin to watch."""
        self._thread.start()

    @property
    def pid(self) -> int | None:
        """Pid of the agent it started, while that lives; None while it joins another's."""
        process = self._process
        return process.pid if process is not None and process.poll() is None else None

    def close(self) -> None:
        """End the agent it started, cleanly if it can within 30 s."""
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join()
        process = self._process
        if process is None or process.poll() is not None:
            return
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(STOP_S)
        except subprocess.TimeoutExpired:
            log.error("the agent (pid %d) did not end within %.0f s; killed", process.pid, STOP_S)
            process.kill()
            process.wait()

    def _run(self) -> None:
        backoff_s = FIRST_BACKOFF_S
        joined = False
        while not self._stop.is_set():
            if _is_served(self._db):
                if not joined:
                    log.info("joining the agent that serves %s: %s", self._db, holder_of(self._db))
                joined = True
                self._stop.wait(WATCH_S)
                continue
            joined = False
            began_s = time.monotonic()
            self._process = subprocess.Popen(self._command, env=_environment())
            while self._process.poll() is None and not self._stop.wait(WATCH_S):
                pass
            if self._stop.is_set():
                return
            lived_s = time.monotonic() - began_s
            if lived_s > STEADY_S:
                backoff_s = FIRST_BACKOFF_S
            self.restarts += 1
            log.error(
                "the agent ended with status %s after %.0f s; it is started again in %.1f s",
                self._process.returncode,
                lived_s,
                backoff_s,
            )
            self._stop.wait(backoff_s)
            backoff_s = min(backoff_s * 2, LONGEST_BACKOFF_S)


def _is_served(db: Path) -> bool:
    try:
        return is_held(db)
    except OSError as error:
        # A folder that may not be read, say: the agent that is started will say so in full.
        log.error("the lock of %s cannot be looked at: %s", db, error)
        return False


def _environment() -> dict[str, str]:
    """The environment, with the folder that this package was imported from on the path."""
    root = str(Path(__file__).resolve().parent.parent)
    path = os.environ.get("PYTHONPATH")
    return {**os.environ, "PYTHONPATH": f"{root}{os.pathsep}{path}" if path else root}
