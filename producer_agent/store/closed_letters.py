"""Deleting dead letters that are done with, where the policy of their topic says after how long.

An open letter is never deleted, nor one that a replay plan still needs. What a letter leaves
behind stays sound: its replays go with it, and a later life of the same record forgets it.
"""

from __future__ import annotations

from sqlite_utils import Database

from producer_agent.store.database import connection
from producer_agent.store.dead_letter_policies import all_policies, policy_of
from producer_agent.store.replay_plans import OVER
from producer_agent.store.rollups import DAY_S

CLOSED = ("replayed", "resolved", "archived")
"""Statuses of letters that nobody is asked to decide on any more."""

STEP_LETTERS = 500
"""Letters deleted in one transaction: each may be of several megabytes."""


def trim(db: Database, now_s: float) -> int:
    """Delete one step; returns how many letters went (0: all is done)."""
    policies = all_policies(db)
    if all(policy.keep_closed_days is None for policy in policies):
        return 0
    gone = 0
    topics = [
        row[0] for row in db.execute("SELECT DISTINCT topic FROM dead_letter_positions").fetchall()
    ]
    for topic in topics:
        policy = policy_of(policies, topic)
        if policy is not None and policy.keep_closed_days is not None and gone < STEP_LETTERS:
            before_us = int((now_s - policy.keep_closed_days * DAY_S) * 1e6)
            gone += _delete(db, _due(db, topic, before_us, STEP_LETTERS - gone))
    return gone


def _due(db: Database, topic: str, before_us: int, limit: int) -> list[int]:
    """Closed letters that were stored, and last acted on or replayed, before that."""
    rows = db.execute(
        "SELECT d.id FROM dead_letters d "
        f"WHERE d.topic = ? AND d.status IN ({_quoted(CLOSED)}) AND d.stored_us < ? "
        "AND NOT EXISTS (SELECT 1 FROM letter_actions a WHERE a.letter = d.id AND a.at_us >= ?) "
        "AND NOT EXISTS (SELECT 1 FROM replays r JOIN replay_plans p ON p.id = r.plan "
        "WHERE r.dead_letter = d.id "
        f"AND (p.state NOT IN ({_quoted(OVER)}) OR coalesce(r.settled_us, 0) >= ?)) "
        "ORDER BY d.stored_us LIMIT ?",
        [topic, before_us, before_us, before_us, limit],
    ).fetchall()
    return [row[0] for row in rows]


def _delete(db: Database, letters: list[int]) -> int:
    many = connection(db).executemany
    each = [(letter,) for letter in letters]
    many("UPDATE dead_letters SET previous = NULL WHERE previous = ?", each)
    many(
        "DELETE FROM replay_headers WHERE (plan, sequence) IN "
        "(SELECT plan, sequence FROM replays WHERE dead_letter = ?)",
        each,
    )
    for table in ("replays", "letter_edits", "letter_edit_locks"):
        many(f"DELETE FROM {table} WHERE dead_letter = ?", each)
    many("DELETE FROM dead_letters WHERE id = ?", each)
    return len(letters)


def _quoted(words: tuple[str, ...]) -> str:
    return ", ".join(f"'{word}'" for word in words)
