"""Runs and clusters: begun, ended, and what an agent's death left open."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from producer_agent.store import rollups
from producer_agent.store.clock import now_us
from producer_agent.store.sqlite import Session, connection


@dataclass(frozen=True, slots=True)
class RunRow:
    """A run that was begun, and what to record it under."""

    id: int
    series: int


def register_cluster(db: Session, cluster_id: str, kind: str, bootstrap_servers: str) -> int:
    """The row id of a cluster, which is known by its own id and not by its address."""
    db.execute(
        "INSERT INTO clusters (cluster_id, kind, bootstrap_servers, first_seen_us) "
        "VALUES (?, ?, ?, ?) ON CONFLICT (cluster_id) DO UPDATE SET "
        "bootstrap_servers = excluded.bootstrap_servers, kind = excluded.kind",
        [cluster_id, kind, bootstrap_servers, now_us()],
    )
    row = db.execute("SELECT id FROM clusters WHERE cluster_id = ?", [cluster_id]).fetchone()
    return int(row[0])


def begin_run(
    db: Session,
    *,
    uuid: str,
    profile: str,
    acks: str,
    body: str,
    cluster: int,
    topic: str,
    watermarks: Mapping[int, tuple[int, int]] | None,
    application: int | None = None,
    settled: int = 0,
) -> RunRow:
    """Insert a run.

    Args:
        uuid: 32 hex digits.
        body: The frozen profile as JSON.
        cluster: From :func:`register_cluster`.
        watermarks: ``{partition: (low, high)}`` of its topic now; None if they can't be had.
        application: Whose run it is (``store/applications.py``); None: the agent's.
        settled: Events of it whose outcomes were told before, and elsewhere.
    """
    db.execute(
        "INSERT INTO series (profile, acks) VALUES (?, ?) ON CONFLICT DO NOTHING", [profile, acks]
    )
    series = db.execute(
        "SELECT id FROM series WHERE profile = ? AND acks = ?", [profile, acks]
    ).fetchone()[0]
    cursor = db.execute(
        "INSERT INTO runs (uuid, profile, acks, body, cluster, topic, started_us, "
        "start_watermarks, application, accepted, settled) "
        "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        [
            *(uuid, profile, acks, body, cluster, topic, now_us(), _watermarks(watermarks)),
            *(application, settled, settled),
        ],
    )
    assert cursor.lastrowid is not None
    return RunRow(cursor.lastrowid, int(series))


def end_run(
    db: Session,
    run: int,
    reason: str,
    watermarks: Mapping[int, tuple[int, int]] | None,
) -> int:
    """Mark a run ended; every sequence without an outcome gets ``unresolved``.

    Returns how many those were.
    """
    row = db.execute(
        "SELECT accepted, settled, topic, profile, acks, trimmed_below FROM runs WHERE id = ?",
        [run],
    ).fetchone()
    accepted, settled, topic, profile, acks, trimmed_below = row
    unsettled = max(int(accepted) - int(settled), 0)
    missing = _missing_sequences(db, run, trimmed_below, accepted) if unsettled else []
    # Rows of events that were settled may be gone (retention): of the gaps the newest are the ones
    # without an outcome. An unsettled event older than what is kept is counted, without a row.
    missing = missing[-unsettled:] if unsettled else []
    at_us = now_us()
    if missing:
        connection(db).executemany(
            "INSERT INTO undelivered (run, sequence, outcome, topic, reason, stored, settled_us) "
            "VALUES (?, ?, 'unresolved', ?, ?, 'maybe', ?)",
            [
                (run, sequence, topic, f"no report when the run ended ({reason})", at_us)
                for sequence in missing
            ],
        )
    if unsettled:
        series = db.execute(
            "SELECT id FROM series WHERE profile = ? AND acks = ?", [profile, acks]
        ).fetchone()[0]
        rollups.add_count(db, series, at_us // 1_000_000, "unresolved", unsettled)
    db.execute(
        "UPDATE runs SET ended_us = ?, end_reason = ?, end_watermarks = ?, settled = settled + ?, "
        "left_unresolved = ? WHERE id = ?",
        [at_us, reason, _watermarks(watermarks), unsettled, unsettled, run],
    )
    return unsettled


def resume_run(db: Session, run: int) -> None:
    """Take back :func:`end_run`: the run had only been silent, and its outcomes may still come."""
    ended_us, left_unresolved, profile, acks = db.execute(
        "SELECT ended_us, left_unresolved, profile, acks FROM runs WHERE id = ?", [run]
    ).fetchone()
    if ended_us is None:
        return
    db.execute(
        "DELETE FROM undelivered WHERE run = ? AND outcome = 'unresolved' AND settled_us = ? "
        "AND sent_us IS NULL",
        [run, ended_us],
    )
    series = db.execute(
        "SELECT id FROM series WHERE profile = ? AND acks = ?", [profile, acks]
    ).fetchone()[0]
    rollups.add_count(db, series, ended_us // 1_000_000, "unresolved", -left_unresolved)
    db.execute(
        "UPDATE runs SET ended_us = NULL, end_reason = NULL, end_watermarks = NULL, "
        "settled = settled - left_unresolved, left_unresolved = 0 WHERE id = ?",
        [run],
    )


def end_open_runs(db: Session, reason: str) -> dict[str, int]:
    """End what an agent that died left running; ``{profile: unresolved events}``.

    Runs of applications are not the agent's: see ``applications.end_silent``.
    """
    left = db.execute(
        "SELECT id, profile FROM runs WHERE ended_us IS NULL AND application IS NULL"
    ).fetchall()
    result: dict[str, int] = {}
    for run, profile in left:
        result[profile] = result.get(profile, 0) + end_run(db, run, reason, None)
    return result


def _missing_sequences(db: Session, run: int, first: int, accepted: int) -> list[int]:
    """Sequences in ``[first, accepted)`` that no lot and no row speaks of."""
    seen = np.zeros(max(accepted - first, 0), dtype=bool)
    for first_sequence, packed in db.execute(
        "SELECT first_sequence, sequences FROM delivery_lots WHERE run = ?", [run]
    ):
        at = np.frombuffer(packed, dtype="<u4").astype(np.int64) + first_sequence - first
        seen[at[(at >= 0) & (at < len(seen))]] = True
    for (sequence,) in db.execute("SELECT sequence FROM undelivered WHERE run = ?", [run]):
        if 0 <= sequence - first < len(seen):
            seen[sequence - first] = True
    return [int(at) + first for at in np.flatnonzero(~seen)]


def _watermarks(watermarks: Mapping[int, tuple[int, int]] | None) -> str | None:
    if watermarks is None:
        return None
    return json.dumps({str(partition): list(pair) for partition, pair in watermarks.items()})
