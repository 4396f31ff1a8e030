"""The ``commands`` table: append-only requests to the agent, and so the audit log."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sqlite_utils import Database

from producer_agent.store.clock import now_us


@dataclass(frozen=True, slots=True)
class CommandRow:
    """One request, as it stands."""

    id: int
    kind: str
    arguments: dict[str, Any]
    who: str
    why: str | None
    state: str
    """``asked``, ``taken``, ``done`` or ``failed``."""
    asked_us: int
    taken_us: int | None
    settled_us: int | None
    result: dict[str, Any] | None
    """What came of it; ``{"error": text}`` when it failed."""


_COLUMNS = "id, kind, arguments, who, why, state, asked_us, taken_us, settled_us, result"


def insert(db: Database, kind: str, arguments: Mapping[str, Any], who: str, why: str | None) -> int:
    """Ask; returns the command's id."""
    with db.atomic():
        cursor = db.execute(
            "INSERT INTO commands (kind, arguments, who, why, asked_us) VALUES (?, ?, ?, ?, ?)",
            [kind, json.dumps(dict(arguments)), who, why, now_us()],
        )
    assert cursor.lastrowid is not None
    return cursor.lastrowid


def insert_taken(
    db: Database, kind: str, arguments: Mapping[str, Any], who: str, why: str | None
) -> CommandRow:
    """Write down a command that whoever writes it does itself, so that no agent takes it."""
    at_us = now_us()
    row = db.execute(
        "INSERT INTO commands (kind, arguments, who, why, state, asked_us, taken_us) "
        f"VALUES (?, ?, ?, ?, 'taken', ?, ?) RETURNING {_COLUMNS}",
        [kind, json.dumps(dict(arguments)), who, why, at_us, at_us],
    ).fetchone()
    return _row(row)


def any_asked(db: Database) -> bool:
    """Whether a command waits to be taken; reads only."""
    return db.execute("SELECT 1 FROM commands WHERE state = 'asked' LIMIT 1").fetchone() is not None


def take(db: Database) -> CommandRow | None:
    """Take the oldest command that was asked for, if there is one."""
    row = db.execute(
        f"UPDATE commands SET state = 'taken', taken_us = ? WHERE id = "
        f"(SELECT min(id) FROM commands WHERE state = 'asked') RETURNING {_COLUMNS}",
        [now_us()],
    ).fetchone()
    return None if row is None else _row(row)


def settle(db: Database, command: int, state: str, result: Mapping[str, Any]) -> None:
    """Write what came of a command."""
    db.execute(
        "UPDATE commands SET state = ?, settled_us = ?, result = ? WHERE id = ?",
        [state, now_us(), json.dumps(dict(result)), command],
    )


def fail_taken(db: Database, reason: str) -> int:
    """Settle what an agent that died had taken; returns how many."""
    cursor = db.execute(
        "UPDATE commands SET state = 'failed', settled_us = ?, result = ? WHERE state = 'taken'",
        [now_us(), json.dumps({"error": reason})],
    )
    return int(cursor.rowcount)


def get(db: Database, command: int) -> CommandRow | None:
    """One command."""
    row = db.execute(f"SELECT {_COLUMNS} FROM commands WHERE id = ?", [command]).fetchone()
    return None if row is None else _row(row)


def latest(db: Database, limit: int = 100) -> list[CommandRow]:
    """The newest commands, newest first."""
    rows = db.execute(f"SELECT {_COLUMNS} FROM commands ORDER BY id DESC LIMIT ?", [limit])
    return [_row(row) for row in rows.fetchall()]


def _row(row: tuple[Any, ...]) -> CommandRow:
    identity, kind, arguments, who, why, state, asked_us, taken_us, settled_us, result = row
    return CommandRow(
        identity,
        kind,
        json.loads(arguments),
        who,
        why,
        state,
        asked_us,
        taken_us,
        settled_us,
        None if result is None else json.loads(result),
    )
