"""One agent a database: a lock file beside it, held for as long as the agent lives."""

from __future__ import annotations

import fcntl
import json
import os
import socket
import time
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import IO, Self

PATIENCE_S = 0.3


class AgentRunning(Exception):
    """Another agent serves this database; the text says which."""


@dataclass(frozen=True, slots=True)
class Holder:
    """Who holds the lock."""

    pid: int
    host: str


def lock_path(db: Path) -> Path:
    """The lock file of a database."""
    return db.with_name(db.name + ".lock")


class AgentLock:
    """The lock. The kernel drops it with the process, however that ends.

    Raises:
        AgentRunning: from ``with``, when another process holds it.
    """

    def __init__(self, db: Path) -> None:
        self._path = lock_path(db)
        self._db = db
        self._file: IO[str] | None = None

    def __enter__(self) -> Self:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        file = self._path.open("a+")
        if not _taken(file):
            file.close()
            holder = holder_of(self._db)
            who = f"pid {holder.pid} on {holder.host}" if holder else "another process"
            raise AgentRunning(
                f"An agent already serves {self._db} ({who}). Use it (the dashboard and the "
                f"commands find it by the database), stop it, or set ACKBOARD_DB to another file."
            )
        file.seek(0)
        file.truncate()
        json.dump({"pid": os.getpid(), "host": socket.gethostname()}, file)
        file.flush()
        self._file = file
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._file is not None:
            # The file stays: deleting it would let two agents lock two files of one name.
            self._file.close()
            self._file = None


def _taken(file: IO[str]) -> bool:
    """Whether the exclusive lock was got; :func:`is_held` of somebody holds it for an instant."""
    deadline = time.monotonic() + PATIENCE_S
    while True:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return True
        except BlockingIOError:
            if time.monotonic() >= deadline:
                return False
            time.sleep(0.02)


def is_held(db: Path) -> bool:
    """Whether an agent serves a database now."""
    path = lock_path(db)
    try:
        with path.open("a+") as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
            return False
    except BlockingIOError:
        return True
    except FileNotFoundError:
        return False


def holder_of(db: Path) -> Holder | None:
    """Who wrote the lock file last; meaningful while :func:`is_held`."""
    try:
        body = json.loads(lock_path(db).read_text())
        return Holder(int(body["pid"]), str(body["host"]))
    except (OSError, ValueError, KeyError, TypeError):
        return None
