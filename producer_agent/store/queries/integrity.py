"""Is the database file whole?"""

from __future__ import annotations

from sqlite_utils import Database


def damage(db: Database) -> str | None:
    """The first thing that is wrong with the file, in SQLite's words, or None.

    Reads all of it (about a second a gigabyte on a local disk), without comparing indexes:
    https://www.sqlite.org/pragma.html#pragma_quick_check
    """
    said = str(db.execute("PRAGMA quick_check(1)").fetchone()[0])
    return None if said == "ok" else said
