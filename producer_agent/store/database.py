"""Opening the database file: WAL, migrations, and errors that name the mend."""

from __future__ import annotations

import sqlite3
from pathlib import Path

from sqlite_utils import Database

from producer_agent.store.schema import migrations

BUSY_TIMEOUT_S = 5.0
"""How long a statement waits for another writer. The agent's transactions take milliseconds."""


class StoreError(Exception):
    """The database cannot be used; the text says why and what mends it."""


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
        db = Database(opened)
        try:
            _prepare(db, path, read_only=read_only)
        except BaseException:
            opened.close()
            raise
    except (sqlite3.Error, OSError) as error:
        raise explain(error, path) from error
    return db


def connection(db: Database) -> sqlite3.Connection:
    """The open connection under ``db``, for ``executemany``, which sqlite-utils does not wrap."""
    assert db.conn is not None, "the database was closed"
    return db.conn


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


def explain(error: Exception, path: Path) -> StoreError:
    """Turn SQLite's or the system's error into one that names the mend."""
    text = str(error)
    if isinstance(error, OSError):
        # Told apart by class: its text has the path in it, which may hold any word.
        return StoreError(
            f"{path} cannot be opened or written ({text}). Check the owner and the permissions "
            f"of the file and of its folder, or set ACKBOARD_DB to a place you can write."
        )
    if "not a database" in text or "malformed" in text:
        return StoreError(
            f"{path} is not a usable SQLite database ({text}). Move it away and start again, or "
            f'recover it with `sqlite3 {path} ".recover" | sqlite3 recovered.db`.'
        )
    if "locked" in text or "busy" in text:
        return StoreError(
            f"{path} stayed locked for {BUSY_TIMEOUT_S:g} s ({text}). Another program holds a "
            f"write transaction: close it (a database browser, a backup) and try again."
        )
    if "full" in text:
        return StoreError(f"No room to write {path} ({text}). Free disk space; nothing else helps.")
    if "readonly" in text or "unable to open" in text:
        return StoreError(
            f"{path} cannot be opened or written ({text}). Check the owner and the permissions "
            f"of the file and of its folder, or set ACKBOARD_DB to a place you can write."
        )
    return StoreError(f"{path}: {text}")
