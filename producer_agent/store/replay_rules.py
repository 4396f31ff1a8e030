"""Automatic replays: for a cause that is known to pass, made by a person and switched off by
itself when its records come back."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sqlite_utils import Database

from producer_agent.store.clock import now_us
from producer_agent.store.replay_plans import OVER

HOUR_US = 3_600_000_000

DEFAULT_DELAY_S = 600.0
DEFAULT_CAP_PER_HOUR = 100
"""What the page and the terminal offer."""


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule as it stands."""

    id: int
    cause: str
    """Fingerprint."""
    enabled: bool
    delay_s: float
    """How old a dead letter must be."""
    cap_per_hour: int
    """Records that it may send in any hour."""
    options: dict[str, Any]
    """See ``replay/options.py``."""
    made_by: str
    made_us: int
    stopped_reason: str | None
    """Why it switched itself off."""


@dataclass(frozen=True, slots=True)
class LastHour:
    """What a rule's plans came to within an hour."""

    planned: int
    """Records that they sent or are to send."""
    sent: int
    came_back: int
    under_way: bool
    """One of its plans is not over yet."""
    stopped: str | None
    """Why its newest plan stopped by itself, or could send nothing, if so."""


_COLUMNS = "id, cause, enabled, delay_s, cap_per_hour, options, made_by, made_us, stopped_reason"


def all_rules(db: Database) -> list[Rule]:
    """Every rule, the oldest first."""
    rows = db.execute(f"SELECT {_COLUMNS} FROM replay_rules ORDER BY id").fetchall()
    return [_rule(row) for row in rows]


def of_cause(db: Database, cause: str) -> Rule | None:
    """The rule of a cause, by its fingerprint."""
    row = db.execute(f"SELECT {_COLUMNS} FROM replay_rules WHERE cause = ?", [cause]).fetchone()
    return None if row is None else _rule(row)


def save(
    db: Database,
    *,
    cause: str,
    enabled: bool,
    delay_s: float,
    cap_per_hour: int,
    options: Mapping[str, Any],
    made_by: str,
) -> int:
    """Make the rule of a cause, or replace it; returns its id."""
    row = db.execute(
        "INSERT INTO replay_rules (cause, enabled, delay_s, cap_per_hour, options, made_by, "
        "made_us) VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT (cause) DO UPDATE SET "
        "enabled = excluded.enabled, delay_s = excluded.delay_s, "
        "cap_per_hour = excluded.cap_per_hour, options = excluded.options, "
        "made_by = excluded.made_by, made_us = excluded.made_us, stopped_reason = NULL "
        "RETURNING id",
        [cause, enabled, delay_s, cap_per_hour, json.dumps(dict(options)), made_by, now_us()],
    ).fetchone()
    return int(row[0])


def delete(db: Database, rule: int) -> bool:
    """Drop a rule; its plans stay. False if there was none."""
    return db.execute("DELETE FROM replay_rules WHERE id = ?", [rule]).rowcount > 0


def switch_off(db: Database, rule: int, reason: str) -> None:
    """The rule stopped by itself."""
    db.execute(
        "UPDATE replay_rules SET enabled = 0, stopped_reason = ? WHERE id = ?", [reason, rule]
    )


def last_hour(db: Database, rule: Rule) -> LastHour:
    """What came of a rule's plans lately: since an hour ago, or since it was last saved."""
    since_us = max(now_us() - HOUR_US, rule.made_us)
    plans = db.execute(
        "SELECT id, state, reason FROM replay_plans WHERE rule = ? AND made_us >= ? ORDER BY id",
        [rule.id, since_us],
    ).fetchall()
    planned = sent = back = 0
    for plan, _, _ in plans:
        row = db.execute(
            "SELECT sum(state NOT IN ('refused', 'already', 'cancelled')), sum(state = 'done'), "
            "sum(came_back_us IS NOT NULL) FROM replays WHERE plan = ?",
            [plan],
        ).fetchone()
        planned, sent, back = (
            planned + (row[0] or 0),
            sent + (row[1] or 0),
            back + (row[2] or 0),
        )
    return LastHour(
        planned,
        sent,
        back,
        any(state not in (*OVER, "stopped") for _, state, _ in plans),
        _why_stopped(db, *plans[-1]) if plans else None,
    )


def _why_stopped(db: Database, plan: int, state: str, reason: str | None) -> str | None:
    if state == "stopped":
        return reason
    if state not in OVER:
        return None
    row = db.execute(
        "SELECT reason, count(*) FROM replays WHERE plan = ? AND state = 'refused' "
        "AND NOT EXISTS (SELECT 1 FROM replays o WHERE o.plan = ? AND o.state <> 'refused') "
        "GROUP BY reason ORDER BY 2 DESC LIMIT 1",
        [plan, plan],
    ).fetchone()
    return None if row is None else f"nothing of its newest plan could be sent: {row[0]}"


def due_letters(db: Database, rule: Rule, limit: int) -> list[int]:
    """Open letters of the rule's cause that are old enough, the oldest first. What came back, or
    was tried in vain, is left to a person."""
    rows = db.execute(
        "SELECT d.id FROM dead_letters d JOIN letter_kinds k ON k.id = d.kind "
        "JOIN causes c ON c.id = k.cause WHERE c.fingerprint = ? "
        "AND d.status IN ('new', 'acknowledged') AND d.times_back = 0 AND d.stored_us <= ? "
        "AND NOT EXISTS (SELECT 1 FROM replays r WHERE r.dead_letter = d.id "
        "AND r.state IN ('intent', 'done', 'unknown', 'failed', 'refused', 'already')) "
        "AND NOT EXISTS (SELECT 1 FROM letter_edit_locks l "
        "WHERE l.dead_letter = d.id AND l.until_us > ?) ORDER BY d.stored_us LIMIT ?",
        [rule.cause, now_us() - int(rule.delay_s * 1e6), now_us(), limit],
    ).fetchall()
    return [row[0] for row in rows]


def _rule(row: tuple[Any, ...]) -> Rule:
    values = list(row)
    values[2] = values[2] == 1
    values[5] = json.loads(values[5])
    return Rule(*values)
