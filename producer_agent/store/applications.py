"""Applications: producers in a team's own services, which record here beside the agent.

Each has a heartbeat. What an application that died left open is ended by the agent once the
heartbeat is old, and taken back if the application turns out to have been silent only (stopped in
a debugger, shut out by a lock on the file).
"""

from __future__ import annotations

from dataclasses import dataclass

from producer_agent.store import runs
from producer_agent.store.clock import now_us
from producer_agent.store.sqlite import Session

SILENT_AFTER_S = 15.0
"""An application whose heartbeat is older is called dead; it beats every second or two."""

DIED = "the application died"


@dataclass(frozen=True, slots=True)
class Application:
    """Who it is."""

    name: str
    host: str
    pid: int
    version: str
    """Of the Ackboard library in it."""


def enrol(db: Session, application: Application) -> int:
    """Insert an application that begins now; its row id."""
    at_us = now_us()
    cursor = db.execute(
        "INSERT INTO applications (name, host, pid, version, started_us, heartbeat_us) "
        "VALUES (?, ?, ?, ?, ?, ?)",
        [
            *(application.name, application.host, application.pid, application.version),
            *(at_us, at_us),
        ],
    )
    assert cursor.lastrowid is not None
    return cursor.lastrowid


def cluster_row(db: Session, cluster_id: str | None, bootstrap_servers: str) -> int:
    """The row id of the cluster an application writes to.

    Args:
        cluster_id: As the cluster tells; None while it cannot be reached, and then the cluster
            last known at this address is taken.
        bootstrap_servers: Its address.
    """
    if cluster_id is None:
        known = db.execute(
            "SELECT id FROM clusters WHERE bootstrap_servers = ? ORDER BY id DESC LIMIT 1",
            [bootstrap_servers],
        ).fetchone()
        if known is not None:
            return int(known[0])
        cluster_id = f"not reached at {bootstrap_servers}"
    # What the agent knows of it (kind, its own address for it) is not ours to change.
    db.execute(
        "INSERT INTO clusters (cluster_id, kind, bootstrap_servers, first_seen_us) "
        "VALUES (?, 'real', ?, ?) ON CONFLICT (cluster_id) DO NOTHING",
        [cluster_id, bootstrap_servers, now_us()],
    )
    row = db.execute("SELECT id FROM clusters WHERE cluster_id = ?", [cluster_id]).fetchone()
    return int(row[0])


def beat(db: Session, application: int, *, not_kept: int = 0, letters_lost: int = 0) -> None:
    """Note that it lives, and what it could not record since the last beat.

    Where it had been taken for dead, it and its runs are resumed.
    """
    resumed = db.execute(
        "UPDATE applications SET ended_us = NULL, end_reason = NULL "
        "WHERE id = ? AND ended_us IS NOT NULL",
        [application],
    ).rowcount
    if resumed:
        for (run,) in db.execute(
            "SELECT id FROM runs WHERE application = ?", [application]
        ).fetchall():
            runs.resume_run(db, run)
    db.execute(
        "UPDATE applications SET heartbeat_us = ?, not_kept = not_kept + ?, "
        "letters_lost = letters_lost + ? WHERE id = ?",
        [now_us(), not_kept, letters_lost, application],
    )


def leave(db: Session, application: int, reason: str) -> int:
    """End it and its runs; returns how many events are unresolved."""
    unresolved = 0
    for (run,) in db.execute(
        "SELECT id FROM runs WHERE application = ? AND ended_us IS NULL", [application]
    ).fetchall():
        unresolved += runs.end_run(db, run, reason, None)
    db.execute(
        "UPDATE applications SET ended_us = ?, end_reason = ? WHERE id = ?",
        [now_us(), reason, application],
    )
    return unresolved


def end_silent(db: Session, at_us: int) -> dict[str, int]:
    """End every application whose heartbeat is old at ``at_us``; ``{name: unresolved events}``."""
    silent = db.execute(
        "SELECT id, name FROM applications WHERE ended_us IS NULL AND heartbeat_us < ?",
        [at_us - int(SILENT_AFTER_S * 1e6)],
    ).fetchall()
    result: dict[str, int] = {}
    for application, name in silent:
        result[name] = result.get(name, 0) + leave(db, application, DIED)
    return result
