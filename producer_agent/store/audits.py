"""Audits: begun, interrupted, gone on with, and what they found."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlite_utils import Database

from producer_agent.store.clock import now_us
from producer_agent.store.sqlite import connection


@dataclass(frozen=True, slots=True)
class FindingRow:
    """One event that is listed."""

    kind: str
    sequence: int
    claim: str
    sent_us: int | None
    topic: str | None
    partition: int | None
    offset: int | None
    found: Sequence[tuple[str, int, int]]
    """Topic, partition and offset wherever it was read."""


def begin(db: Database, run: int) -> int:
    """A new audit of a run, or the one that was interrupted; its id."""
    open_ = db.execute(
        "SELECT id FROM audits WHERE run = ? AND state = 'running' ORDER BY id DESC LIMIT 1", [run]
    ).fetchone()
    if open_ is not None:
        return int(open_[0])
    cursor = db.execute(
        "INSERT INTO audits (run, state, started_us) VALUES (?, 'running', ?)", [run, now_us()]
    )
    assert cursor.lastrowid is not None
    return cursor.lastrowid


def save_checkpoint(db: Database, audit: int, body: Mapping[str, Any], matcher: bytes) -> None:
    """Keep how far it came, in the place of what was kept before."""
    db.execute(
        "INSERT INTO audit_checkpoints VALUES (?, ?, ?) ON CONFLICT (audit) DO UPDATE "
        "SET body = excluded.body, matcher = excluded.matcher",
        [audit, json.dumps(body), matcher],
    )


def checkpoint(db: Database, audit: int) -> tuple[dict[str, Any], bytes] | None:
    """What :func:`save_checkpoint` kept last."""
    row = db.execute(
        "SELECT body, matcher FROM audit_checkpoints WHERE audit = ?", [audit]
    ).fetchone()
    return None if row is None else (json.loads(row[0]), row[1])


def finish(
    db: Database,
    audit: int,
    *,
    accepted: int,
    records: int,
    matrix: Mapping[str, Any],
    places: Sequence[Mapping[str, Any]],
    findings: Iterable[FindingRow],
    reason: str | None,
) -> None:
    """Write the verdict down.

    Args:
        reason: Why it is incomplete; None: it is not.
    """
    db.execute(
        "UPDATE audits SET state = ?, reason = ?, ended_us = ?, accepted = ?, records = ?, "
        "matrix = ?, places = ? WHERE id = ?",
        [
            "done" if reason is None else "incomplete",
            reason,
            now_us(),
            accepted,
            records,
            json.dumps(matrix),
            json.dumps(places),
            audit,
        ],
    )
    db.execute("DELETE FROM audit_findings WHERE audit = ?", [audit])
    connection(db).executemany(
        "INSERT INTO audit_findings VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (
            (
                audit,
                row.kind,
                row.sequence,
                row.claim,
                row.sent_us,
                row.topic,
                row.partition,
                row.offset,
                json.dumps(row.found),
            )
            for row in findings
        ),
    )
    db.execute("DELETE FROM audit_checkpoints WHERE audit = ?", [audit])


def give_up(db: Database, audit: int, reason: str) -> None:
    """It could not be made at all."""
    db.execute(
        "UPDATE audits SET state = 'failed', reason = ?, ended_us = ? WHERE id = ?",
        [reason, now_us(), audit],
    )
    db.execute("DELETE FROM audit_checkpoints WHERE audit = ?", [audit])
