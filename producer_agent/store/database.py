"""Opening the database file: WAL, migrations, and errors that name the mend."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlite_utils import Database

from producer_agent.store.schema import migrations
from producer_agent.store.sqlite import BUSY_TIMEOUT_S, StoreError, connection, explain

__all__ = ["BUSY_TIMEOUT_S", "StoreError", "connection", "explain", "open_database"]


class WritableDatabase(Database):
    """A database whose transactions take the write lock as they begin.

    One that began by reading cannot wait for the lock later: if another process has committed
    meanwhile, SQLite refuses it at once, whatever the time-out
    (https://www.sqlite.org/isolation.html, "SQLITE_BUSY_SNAPSHOT").
    """

    @contextmanager
    def atomic(self) -> Iterator[Database]:
        """Commit what is done within, or none of it; within another, a savepoint."""
        opened = connection(self)
        if opened.in_transaction:
            with super().atomic():
                yield self
            return
        opened.execute("BEGIN IMMEDIATE")
        try:
            yield self
            opened.execute("COMMIT")
        finally:
            # Not there any more if it was committed, or undone by the error itself.
            if opened.in_transaction:
                opened.rollback()


def open_database(path: Path, *, read_only: bool = False) -> Database:
    """Open (and unless ``read_only``, create and migrate) the database at ``path``.

    The connection may be handed between threads but never used by two at once.

    Raises:
        StoreError: missing (read-only), not a database, corrupt, locked, unwritable, or written
            by a newer version.
    """
    try:
        if read_only:
            if not path.exists():
                raise StoreError(
                    f"There is no database at {path}. Start the agent once "
                    f"(`python -m producer_agent serve` or `make run`), or set ACKBOARD_DB."
                )
            opened = sqlite3.connect(
                f"{path.absolute().as_uri()}?mode=ro",
                uri=True,
                timeout=BUSY_TIMEOUT_S,
                check_same_thread=False,
            )
        else:
            path.parent.mkdir(parents=True, exist_ok=True)
            opened = sqlite3.connect(path, timeout=BUSY_TIMEOUT_S, check_same_thread=False)
        db = Database(opened) if read_only else WritableDatabase(opened)
        try:
            _prepare(db, path, read_only=read_only)
        except BaseException:
            opened.close()
            raise
    except (sqlite3.Error, OSError) as error:
        raise explain(error, path) from error
    return db


def _prepare(db: Database, path: Path, *, read_only: bool) -> None:
    db.execute("PRAGMA foreign_keys = ON")
    if not read_only:
        db.execute("PRAGMA journal_mode = WAL")
        # WAL with NORMAL never corrupts; a power cut may undo the last commits, a crash of
        # the process cannot: https://www.sqlite.org/pragma.html#pragma_synchronous
        db.execute("PRAGMA synchronous = NORMAL")
        db.execute("PRAGMA journal_size_limit = 67108864")
    known = {migration.name for migration in migrations._migrations}
    applied = {migration.name for migration in migrations.applied(db)}
    newer = sorted(applied - known)
    if newer:
        raise StoreError(
            f"{path} was written by a newer Ackboard (it has {newer[-1]}, this version does not). "
            f"Upgrade Ackboard, or set ACKBOARD_DB to another file."
        )
    if read_only and not applied:
        raise StoreError(f"{path} is being made just now. Try again in a moment.")
    if read_only and known - applied:
        raise StoreError(
            f"{path} is from an older Ackboard. Start the agent once and it is upgraded in place."
        )
    if not read_only and known - applied:
        migrations.apply(db)
