"""Who has the database: an agent that takes commands, another process, or nobody."""

from __future__ import annotations

import time
from pathlib import Path

from producer_agent import lock
from producer_agent.store import facts
from producer_agent.store.clock import now_us
from producer_agent.store.database import StoreError
from producer_agent.store.facts import Fact
from producer_agent.store.reader import Reader

SILENT_AFTER_S = 5.0
"""The agent writes a heartbeat every second; the dashboard draws the same line."""

_STARTING_S = 5.0


class DatabaseBusy(Exception):
    """Another process that is no agent has the database; the text says which."""


def holder(db: Path) -> lock.Holder | None:
    """Who holds the lock of a database now, or None."""
    # Asking makes the lock file; where there is none there is nobody, and nothing is made.
    if not lock.lock_path(db).exists() or not lock.is_held(db):
        return None
    return lock.holder_of(db)


def silence_s(agent: Fact) -> float:
    """Seconds since the agent's last heartbeat."""
    return max((now_us() - agent.at_us) / 1e6, 0.0)


def serving_agent(db: Path) -> lock.Holder | None:
    """The agent that serves a database and takes commands, or None if nobody has it.

    Waits a moment for one that has just begun.

    Raises:
        DatabaseBusy: the lock is held, and not by an agent.
    """
    deadline = time.monotonic() + _STARTING_S
    while (found := holder(db)) is not None:
        try:
            agent = Reader(db)(lambda database: facts.get(database, "agent"))
        except StoreError:
            agent = None  # it may be making the database just now
        if agent is not None and agent.body["pid"] == found.pid:
            return found
        if time.monotonic() >= deadline:
            raise DatabaseBusy(
                f"Another process has {db} (pid {found.pid} on {found.host}) and takes no "
                "commands: most likely `run` in another terminal. Wait until it has ended, or "
                "use another database with --db."
            )
        time.sleep(0.1)
    return None
