"""What a person put in place of a dead letter's bytes, and who may edit it just now.

The dead letter itself is never changed; an edit is sent in its place by the next plan.
"""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlite_utils import Database

from producer_agent.store.clock import now_us
from producer_agent.store.headers import Headers, headers_from_json, headers_to_json

LOCK_US = 15 * 60 * 1_000_000
"""An editor who is away for so long no longer keeps others out."""


@dataclass(frozen=True, slots=True)
class Edit:
    """One edit of a dead letter."""

    id: int
    dead_letter: int
    key: bytes | None
    value: bytes | None
    headers: Headers
    who: str
    made_us: int
    withdrawn_us: int | None


@dataclass(frozen=True, slots=True)
class EditLock:
    """Who edits a dead letter now."""

    who: str
    token: str
    until_us: int


_COLUMNS = "id, dead_letter, key, value, headers, who, made_us, withdrawn_us"


def pending(db: Database, letters: Sequence[int]) -> dict[int, Edit]:
    """By dead letter: the edit that its next replay sends. One that was sent is spent."""
    marks = ", ".join("?" * len(letters))
    rows = db.execute(
        f"SELECT {_COLUMNS} FROM letter_edits e WHERE e.dead_letter IN ({marks}) "
        "AND e.id = (SELECT max(id) FROM letter_edits l WHERE l.dead_letter = e.dead_letter) "
        "AND e.withdrawn_us IS NULL",
        list(letters),
    )
    return {row[1]: _edit(row) for row in rows.fetchall()}


def all_of(db: Database, letter: int) -> list[Edit]:
    """Every edit of a dead letter, the latest first."""
    rows = db.execute(
        f"SELECT {_COLUMNS} FROM letter_edits WHERE dead_letter = ? ORDER BY id DESC", [letter]
    )
    return [_edit(row) for row in rows.fetchall()]


def get(db: Database, edit: int) -> Edit | None:
    """One edit."""
    row = db.execute(f"SELECT {_COLUMNS} FROM letter_edits WHERE id = ?", [edit]).fetchone()
    return None if row is None else _edit(row)


def lock_of(db: Database, letter: int) -> EditLock | None:
    """Who edits it now, if anybody does."""
    row = db.execute(
        "SELECT who, token, until_us FROM letter_edit_locks WHERE dead_letter = ? AND until_us > ?",
        [letter, now_us()],
    ).fetchone()
    return None if row is None else EditLock(*row)


def editors(db: Database, letters: Sequence[int]) -> dict[int, str]:
    """Who is editing which of these dead letters now."""
    marks = ", ".join("?" * len(letters))
    rows = db.execute(
        f"SELECT dead_letter, who FROM letter_edit_locks WHERE dead_letter IN ({marks}) "
        "AND until_us > ?",
        [*letters, now_us()],
    )
    return dict(rows.fetchall())


def lock(db: Database, letter: int, who: str) -> EditLock:
    """Begin to edit; returns the lock, which is somebody else's if its token is not the one that
    this call would have made: compare :attr:`EditLock.who` and keep the token."""
    held = lock_of(db, letter)
    if held is not None:
        return held
    made = EditLock(who, uuid.uuid4().hex, now_us() + LOCK_US)
    db.execute(
        "INSERT INTO letter_edit_locks (dead_letter, who, token, until_us) VALUES (?, ?, ?, ?) "
        "ON CONFLICT (dead_letter) DO UPDATE SET who = excluded.who, token = excluded.token, "
        "until_us = excluded.until_us",
        [letter, made.who, made.token, made.until_us],
    )
    return made


def unlock(db: Database, letter: int, token: str) -> bool:
    """End editing; False if the lock was no longer this editor's."""
    cursor = db.execute(
        "DELETE FROM letter_edit_locks WHERE dead_letter = ? AND token = ?", [letter, token]
    )
    return cursor.rowcount > 0


def save(
    db: Database,
    letter: int,
    who: str,
    key: bytes | None,
    value: bytes | None,
    headers: Headers,
) -> int:
    """Keep an edit; returns its id."""
    cursor = db.execute(
        "INSERT INTO letter_edits (dead_letter, key, value, headers, who, made_us) "
        "VALUES (?, ?, ?, ?, ?, ?)",
        [letter, key, value, headers_to_json(headers), who, now_us()],
    )
    assert cursor.lastrowid is not None
    return cursor.lastrowid


def withdraw(db: Database, letter: int) -> bool:
    """The next replay sends the original again; False if there was no edit."""
    cursor = db.execute(
        "UPDATE letter_edits SET withdrawn_us = ? WHERE dead_letter = ? AND withdrawn_us IS NULL",
        [now_us(), letter],
    )
    return cursor.rowcount > 0


def _edit(row: tuple[Any, ...]) -> Edit:
    identity, letter, key, value, headers, who, made_us, withdrawn_us = row
    return Edit(
        identity, letter, key, value, headers_from_json(headers), who, made_us, withdrawn_us
    )
