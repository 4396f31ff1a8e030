"""Causes as something that a person owns, notes and closes."""

from __future__ import annotations

from typing import Final

from sqlite_utils import Database

from producer_agent.store.clock import now_us

STATES: Final = ("new", "acknowledged", "resolved", "archived")
"""Every value of ``causes.state``."""

RESTORED: Final = "restored"
"""Asked of an archived cause or letter: make it again what it was before."""

NOTE_CHARACTERS: Final = 4_000
OWNER_CHARACTERS: Final = 200


class CauseRefused(Exception):
    """It cannot be done to this cause; the text says why, and what can."""


def set_state(db: Database, cause: int, state: str, *, command: int, who: str) -> str:
    """Move a cause to another state; returns which it has now.

    Args:
        db: The database.
        cause: A row id of ``causes``.
        state: One of :data:`STATES`, or :data:`RESTORED`.
        command: The command that asks for it.
        who: Who asked.

    Raises:
        CauseRefused: there is no such cause or state, or it is not archived and was to be restored.
    """
    before = _get(db, cause, "state")
    if state == RESTORED:
        if before != "archived":
            raise CauseRefused(
                f"Cause {cause} is {before}, not archived: there is nothing to restore."
            )
        row = db.execute(
            "SELECT before FROM cause_actions WHERE cause = ? AND field = 'state' "
            "AND after = 'archived' ORDER BY command DESC LIMIT 1",
            [cause],
        ).fetchone()
        state = row[0] if row is not None and row[0] != "archived" else "new"
    elif state not in STATES:
        raise CauseRefused(
            f"There is no state {state!r}. There are: {', '.join((*STATES, RESTORED))}."
        )
    if state != before:
        db.execute(
            "UPDATE causes SET state = ?, state_us = ?, state_by = ? WHERE id = ?",
            [state, now_us(), who, cause],
        )
        _note_action(db, cause, command, "state", before, state)
    return state


def set_note(db: Database, cause: int, note: str, *, command: int) -> None:
    """Replace the note of a cause; an empty one removes it.

    Raises:
        CauseRefused: there is no such cause, or it is too long.
    """
    _set_text(db, cause, "note", note, NOTE_CHARACTERS, command)


def set_owner(db: Database, cause: int, owner: str, *, command: int) -> None:
    """Say whose cause it is; an empty text says that it is nobody's.

    Raises:
        CauseRefused: there is no such cause, or it is too long.
    """
    _set_text(db, cause, "owner", owner, OWNER_CHARACTERS, command)


def _set_text(db: Database, cause: int, field: str, text: str, longest: int, command: int) -> None:
    text = text.strip()
    if len(text) > longest:
        raise CauseRefused(
            f"The {field} has {len(text):,} characters; there is room for {longest:,}."
        )
    after = text.encode("utf-8", "replace").decode("utf-8") or None
    before = _get(db, cause, field)
    if after != before:
        db.execute(f"UPDATE causes SET {field} = ? WHERE id = ?", [after, cause])
        _note_action(db, cause, command, field, before, after)


def _get(db: Database, cause: int, field: str) -> str | None:
    row = db.execute(f"SELECT {field} FROM causes WHERE id = ?", [cause]).fetchone()
    if row is None:
        raise CauseRefused(f"There is no cause {cause}. `dead-letters groups` lists them.")
    value: str | None = row[0]
    return value


def _note_action(
    db: Database, cause: int, command: int, field: str, before: str | None, after: str | None
) -> None:
    db.execute(
        "INSERT INTO cause_actions (cause, command, field, before, after, at_us) "
        "VALUES (?, ?, ?, ?, ?, ?)",
        [cause, command, field, before, after, now_us()],
    )
