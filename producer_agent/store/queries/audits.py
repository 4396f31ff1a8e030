"""What audits found."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from sqlite_utils import Database

from producer_agent.store.audits import FindingRow


@dataclass(frozen=True, slots=True)
class AuditRow:
    """One audit, and the run it is of."""

    id: int
    run: str
    """The run's uuid."""
    profile: str
    acks: str
    state: str
    """``running``, ``done``, ``incomplete`` or ``failed``."""
    reason: str | None
    started_us: int
    ended_us: int | None
    accepted: int | None
    records: int
    matrix: dict[str, Any] | None
    """See ``durability/verdicts.py``; None until it is judged."""
    places: list[dict[str, Any]]


def audit(db: Database, audit_id: int) -> AuditRow | None:
    """One by its id."""
    row = db.execute(
        "SELECT a.id, r.uuid, r.profile, r.acks, a.state, a.reason, a.started_us, a.ended_us, "
        "a.accepted, a.records, a.matrix, a.places FROM audits a JOIN runs r ON r.id = a.run "
        "WHERE a.id = ?",
        [audit_id],
    ).fetchone()
    if row is None:
        return None
    told: list[Any] = [*row[:10], json.loads(row[10] or "null"), json.loads(row[11] or "[]")]
    return AuditRow(*told)


def findings(
    db: Database, audit_id: int, kind: str | None = None, limit: int = 1_000
) -> list[FindingRow]:
    """Events that an audit lists, by kind and sequence."""
    return [
        FindingRow(
            kind=row["kind"],
            sequence=row["sequence"],
            claim=row["claim"],
            sent_us=row["sent_us"],
            topic=row["topic"],
            partition=row["partition"],
            offset=row["offset"],
            found=[(at[0], at[1], at[2]) for at in json.loads(row["found"])],
        )
        for row in db.query(
            'SELECT kind, sequence, claim, sent_us, topic, partition, "offset", found '
            "FROM audit_findings WHERE audit = ? AND kind = coalesce(?, kind) "
            "ORDER BY kind, sequence LIMIT ?",
            [audit_id, kind, limit],
        )
    ]
