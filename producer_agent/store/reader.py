"""Reading side by side with the writer: a read-only connection for each thread that asks."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from sqlite_utils import Database

from producer_agent.store.database import StoreError, explain, open_database

T = TypeVar("T")


class Reader:
    """Runs queries, each on the calling thread's own connection to the database at ``path``."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._local = threading.local()

    def __call__(self, query: Callable[[Database], T]) -> T:
        """Run ``query(db)`` on one snapshot, so that the figures of one page agree.

        Raises:
            StoreError: the database is missing, corrupt, or written by another version.
        """
        db = self._database()
        try:
            db.execute("BEGIN")
            try:
                return query(db)
            finally:
                db.execute("ROLLBACK")
        except sqlite3.Error as error:
            self._forget()
            raise explain(error, self.path) from error

    def _database(self) -> Database:
        identity = self._identity()
        held: tuple[Database, tuple[int, int]] | None = getattr(self._local, "held", None)
        if held is not None and held[1] != identity:
            # The file was replaced or deleted under us (a restore, say): read the new one.
            self._forget()
            held = None
        if held is None:
            held = (open_database(self.path, read_only=True), identity)
            self._local.held = held
        return held[0]

    def _identity(self) -> tuple[int, int]:
        try:
            stat = self.path.stat()
        except OSError as error:
            self._forget()
            if isinstance(error, FileNotFoundError):
                raise StoreError(
                    f"There is no database at {self.path} yet. It is made when the agent starts."
                ) from error
            raise explain(error, self.path) from error
        return stat.st_dev, stat.st_ino

    def _forget(self) -> None:
        held = getattr(self._local, "held", None)
        if held is not None:
            held[0].close()
            self._local.held = None
