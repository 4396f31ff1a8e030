"""A guest's way to the database: a service that records its own outcomes, and nothing else.

The agent owns the file. A guest neither makes nor upgrades it, waits but shortly for a lock, and
does without sqlite-utils (``store/sqlite.py`` says why).
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from producer_agent.store.sqlite import StoreError, explain

LOCK_TIMEOUT_S = 0.5
"""A guest has something better to do than to wait: it tries again with the next lot."""

NEEDED = "m0015_applications"
"""The migration that made room for applications."""


class Guest:
    """One connection to an existing database. It belongs to one thread.

    Args:
        path: The file.

    Raises:
        StoreError: it is not there, cannot be opened, or is of an older Ackboard.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        if not path.exists():
            raise _missing(path)
        try:
            self.conn = sqlite3.connect(
                f"{path.absolute().as_uri()}?mode=rw",
                uri=True,
                timeout=LOCK_TIMEOUT_S,
                isolation_level=None,
                check_same_thread=False,
            )
            try:
                self._prepare()
            except BaseException:
                self.conn.close()
                raise
            self._identity = self._identity_of_file()
        except (sqlite3.Error, OSError) as error:
            raise explain(error, path, LOCK_TIMEOUT_S) from error

    def execute(self, sql: str, parameters: Any = None, /) -> sqlite3.Cursor:
        """Run one statement."""
        return self.conn.execute(sql, parameters or ())

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Commit what is done within, or none of it.

        Raises:
            StoreError: the file is locked, full, gone, replaced, or not to be written.
        """
        try:
            if self._identity_of_file() != self._identity:
                raise StoreError(f"{self.path} was replaced by another file.")
            self.conn.execute("BEGIN IMMEDIATE")
            try:
                yield
                self.conn.execute("COMMIT")
            finally:
                if self.conn.in_transaction:
                    self.conn.execute("ROLLBACK")
        except FileNotFoundError as error:
            raise _missing(self.path) from error
        except (sqlite3.Error, OSError) as error:
            raise explain(error, self.path, LOCK_TIMEOUT_S) from error

    def close(self) -> None:
        """Let go of the file."""
        self.conn.close()

    def _prepare(self) -> None:
        self.conn.execute("PRAGMA foreign_keys = ON")
        # The file is in WAL mode already; how often it is synced is each connection's own affair.
        self.conn.execute("PRAGMA synchronous = NORMAL")
        known = self.conn.execute(
            "SELECT name FROM sqlite_master WHERE name = '_sqlite_migrations'"
        ).fetchone()
        applied = (
            known
            and self.conn.execute(
                "SELECT 1 FROM _sqlite_migrations WHERE name = ?", [NEEDED]
            ).fetchone()
        )
        if not applied:
            raise StoreError(
                f"{self.path} is from an older Ackboard, which takes no records of applications. "
                f"Upgrade the dashboard, start it once, and the file is upgraded in place."
            )

    def _identity_of_file(self) -> tuple[int, int]:
        stat = self.path.stat()
        return stat.st_dev, stat.st_ino


def _missing(path: Path) -> StoreError:
    return StoreError(
        f"There is no database at {path} yet. It is made when the dashboard or the agent starts "
        f"(`make run`, or `python -m producer_agent serve`); or set ACKBOARD_DB."
    )


def stored_profile(path: Path, name: str) -> str | None:
    """The JSON of a profile in the database, or None if there is none of this name.

    Raises:
        StoreError: the database cannot be read.
    """
    return _one(path, "SELECT body FROM profiles WHERE name = ?", name)


def cluster_address(path: Path) -> str | None:
    """``bootstrap.servers`` of the cluster that the agent serves, or None while it is not known.

    Raises:
        StoreError: the database cannot be read.
    """
    return _one(
        path,
        "SELECT json_extract(body, '$.bootstrap_servers') FROM facts WHERE name = ?",
        "cluster",
    )


def _one(path: Path, sql: str, name: str) -> str | None:
    guest = Guest(path)
    try:
        row = guest.execute(sql, [name]).fetchone()
    except sqlite3.Error as error:
        raise explain(error, path, LOCK_TIMEOUT_S) from error
    finally:
        guest.close()
    return None if row is None or row[0] is None else str(row[0])
