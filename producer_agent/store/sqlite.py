"""What every connection to the database file has in common, with sqlite-utils or without it.

sqlite-utils brings pandas along where that is installed, which takes seconds to import: too dear
for a service that only records what became of its own records. So whatever such a service calls
(see ``store/guest.py``) asks for no more of a database than :class:`Session`.
"""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Any, Protocol

BUSY_TIMEOUT_S = 5.0
"""How long a statement waits for another writer. The agent's transactions take milliseconds."""


class Session(Protocol):
    """The two things that recording asks of a database; ``sqlite_utils.Database`` has them."""

    @property
    def conn(self) -> Any:
        """The ``sqlite3.Connection`` underneath."""

    def execute(self, sql: str, parameters: Any = None, /) -> sqlite3.Cursor:
        """Run one statement."""


def connection(db: Session) -> sqlite3.Connection:
    """The open connection under ``db``, for ``executemany``, which sqlite-utils does not wrap."""
    assert db.conn is not None, "the database was closed"
    opened: sqlite3.Connection = db.conn
    return opened


class StoreError(Exception):
    """The database cannot be used; the text says why and what mends it."""


def explain(error: Exception, path: Path, waited_s: float = BUSY_TIMEOUT_S) -> StoreError:
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
            f"{path} stayed locked for {waited_s:g} s ({text}). Another program holds a "
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
