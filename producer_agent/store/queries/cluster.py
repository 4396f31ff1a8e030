"""What keeps Ackboard itself going: its jobs, and the state of its database."""

from __future__ import annotations

from dataclasses import dataclass

from sqlite_utils import Database


@dataclass(frozen=True, slots=True)
class JobRow:
    """A job that runs by the clock, as its last run left it."""

    name: str
    last_run_us: int
    last_state: str
    """``done``, ``failed`` or ``missed``."""
    detail: str | None
    failed_in_row: int


@dataclass(frozen=True, slots=True)
class DatabaseState:
    """What the SQLite file holds."""

    size_bytes: int
    free_bytes: int
    """Of the size, what deleted rows left behind; it is used again before the file grows."""
    journal_mode: str
    schema: str
    """The latest migration that was applied."""
    runs: int
    open_runs: int
    dead_letters: int
    outbox_waiting: int
    first_run_us: int | None
    """When the first run began; None before there was one."""


def jobs(db: Database) -> tuple[JobRow, ...]:
    """Every job, those that failed last first."""
    rows = db.execute(
        "SELECT name, last_run_us, last_state, detail, failed_in_row FROM jobs "
        "ORDER BY last_state = 'done', name"
    ).fetchall()
    return tuple(JobRow(*row) for row in rows)


def database_state(db: Database) -> DatabaseState:
    """Size and contents of the database."""
    page_size = _one(db, "PRAGMA page_size")
    return DatabaseState(
        size_bytes=page_size * _one(db, "PRAGMA page_count"),
        free_bytes=page_size * _one(db, "PRAGMA freelist_count"),
        journal_mode=str(db.execute("PRAGMA journal_mode").fetchone()[0]),
        schema=str(db.execute("SELECT max(name) FROM _sqlite_migrations").fetchone()[0]),
        runs=_one(db, "SELECT count(*) FROM runs"),
        open_runs=_one(db, "SELECT count(*) FROM runs WHERE ended_us IS NULL"),
        dead_letters=_one(db, "SELECT count(*) FROM dead_letters"),
        outbox_waiting=_one(db, "SELECT count(*) FROM outbox WHERE published_us IS NULL"),
        first_run_us=db.execute("SELECT min(started_us) FROM runs").fetchone()[0],
    )


def _one(db: Database, sql: str) -> int:
    return int(db.execute(sql).fetchone()[0])
