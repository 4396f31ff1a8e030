"""Replay plans: what was frozen, how it stands, and what a person wants of it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sqlite_utils import Database

from producer_agent.store.clock import now_us


@dataclass(frozen=True, slots=True)
class PlanRow:
    """A plan as it stands."""

    id: int
    uuid: str
    cluster: int | None
    title: str
    selection: dict[str, Any]
    options: dict[str, Any]
    findings: dict[str, Any]
    """What planning found: targets, groups, headers, what it could not look up."""
    method: str | None
    """``transactions`` or ``ledger``: which of the two keeps it exactly once; None before."""
    state: str
    """``planning`` → ``planned`` → ``running`` → ``done``; on the way ``pausing``, ``paused``,
    ``stopped`` (by itself), ``cancelling``, ``cancelled``, ``failed``."""
    reason: str | None
    progress: str | None
    rule: int | None
    records: int
    """Rows in the ledger."""
    landed: int
    """Of these, the ones that are done."""
    made_by: str
    made_us: int
    started_us: int | None
    ended_us: int | None


OVER = ("done", "cancelled", "failed")
"""States in which nothing more will be sent."""

UNDER_WAY = ("planning", "running", "pausing", "cancelling")
"""States in which the agent is at it; an agent that starts goes on with these."""

_COLUMNS = (
    "id, uuid, cluster, title, selection, options, findings, method, state, reason, progress, "
    "rule, records, landed, made_by, made_us, started_us, ended_us"
)


def create(
    db: Database,
    *,
    uuid: str,
    cluster: int,
    title: str,
    selection: Mapping[str, Any],
    options: Mapping[str, Any],
    made_by: str,
    rule: int | None = None,
) -> int:
    """A plan that is still empty, in state ``planning``."""
    cursor = db.execute(
        "INSERT INTO replay_plans (uuid, cluster, title, selection, options, state, made_by, "
        "made_us, rule) VALUES (?, ?, ?, ?, ?, 'planning', ?, ?, ?)",
        [
            uuid,
            cluster,
            title,
            json.dumps(dict(selection)),
            json.dumps(dict(options)),
            made_by,
            now_us(),
            rule,
        ],
    )
    assert cursor.lastrowid is not None
    return cursor.lastrowid


def get(db: Database, plan: int) -> PlanRow | None:
    """One plan."""
    row = db.execute(f"SELECT {_COLUMNS} FROM replay_plans WHERE id = ?", [plan]).fetchone()
    return None if row is None else _row(row)


def under_way(db: Database) -> list[PlanRow]:
    """The plans that an agent has to go on with, the oldest first."""
    marks = ", ".join("?" * len(UNDER_WAY))
    rows = db.execute(
        f"SELECT {_COLUMNS} FROM replay_plans WHERE state IN ({marks}) ORDER BY id",
        list(UNDER_WAY),
    )
    return [_row(row) for row in rows.fetchall()]


def latest(db: Database, limit: int = 100, offset: int = 0) -> list[PlanRow]:
    """The newest plans, newest first."""
    rows = db.execute(
        f"SELECT {_COLUMNS} FROM replay_plans ORDER BY id DESC LIMIT ? OFFSET ?", [limit, offset]
    )
    return [_row(row) for row in rows.fetchall()]


def set_state(
    db: Database,
    plan: int,
    state: str,
    *,
    reason: str | None = None,
    only_from: tuple[str, ...] | None = None,
) -> bool:
    """Move a plan to another state; with ``only_from``, only if it is in one of those.

    Returns whether it moved.
    """
    at_us = now_us()
    marks = ", ".join("?" * len(only_from or ()))
    cursor = db.execute(
        "UPDATE replay_plans SET state = ?, reason = ?, "
        "progress = CASE WHEN ? IN ('running', 'planning') THEN progress END, "
        "started_us = CASE WHEN ? = 'running' THEN coalesce(started_us, ?) ELSE started_us END, "
        "ended_us = CASE WHEN ? IN ('done', 'cancelled', 'failed') THEN ? END "
        f"WHERE id = ? {f'AND state IN ({marks})' if only_from is not None else ''}",
        [state, reason, state, state, at_us, state, at_us, plan, *(only_from or ())],
    )
    return cursor.rowcount > 0


def set_progress(db: Database, plan: int, progress: str | None) -> None:
    """What it is at, in words."""
    db.execute("UPDATE replay_plans SET progress = ? WHERE id = ?", [progress, plan])


def set_method(db: Database, plan: int, method: str) -> None:
    """Which of the two ways keeps it exactly once."""
    db.execute("UPDATE replay_plans SET method = ? WHERE id = ?", [method, plan])


def set_findings(db: Database, plan: int, findings: Mapping[str, Any]) -> None:
    """What planning found; replaces what was there."""
    db.execute(
        "UPDATE replay_plans SET findings = ? WHERE id = ?", [json.dumps(dict(findings)), plan]
    )


def _row(row: tuple[Any, ...]) -> PlanRow:
    values = list(row)
    for at in (4, 5, 6):
        values[at] = json.loads(values[at])
    return PlanRow(*values)
