"""The board's name: what tells this database's consumer group from every other's."""

from __future__ import annotations

import secrets

from sqlite_utils import Database


def board_name(db: Database) -> str:
    """Eight hex digits, made once and kept with the database."""
    db.execute(
        "INSERT OR IGNORE INTO board (id, name) VALUES (1, ?)",
        [secrets.token_hex(4)],
    )
    row = db.execute("SELECT name FROM board").fetchone()
    return str(row[0])
