"""Runs and clusters: begun, ended, and what an agent's death left open."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from sqlite_utils import Database

from producer_agent.store import rollups
from producer_agent.store.clock import now_us
from producer_agent.store.database import connection


@dataclass(frozen=True, slots=True)
class RunRow:
    """A run that was begun, and what to record it under."""

    id: int
    series: int


def register_cluster(db: Database, cluster_id: str, kind: str, bootstrap_servers: str) -> int:
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
    db: Database,
    *,
    uuid: str,
    profile: str,
    acks: str,
    body: str,
    cluster: int,
    topic: str,
    watermarks: Mapping[int, tuple[int, int]] | None,
) -> RunRow:
    """Insert a run.

    Args:
        uuid: 32 hex digits.
        body: The frozen profile as JSON.
        cluster: From :func:`register_cluster`.
        watermarks: ``{partition: (low, high)}`` of its topic now; None if they can't be had.
    """
    db.execute(
        "INSERT INTO series (profile, acks) VALUES (?, ?) ON CONFLICT DO NOTHING", [profile, acks]
    )
    series = db.execute(
        "SELECT id FROM series WHERE profile = ? AND acks = ?", [profile, acks]
    ).fetchone()[0]
    cursor = db.execute(
        "INSERT INTO runs (uuid, profile, acks, body, cluster, topic, started_us, "
        "start_watermarks) VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
        [uuid, profile, acks, body, cluster, topic, now_us(), _watermarks(watermarks)],
    )
    assert cursor.lastrowid is not None
    return RunRow(cursor.lastrowid, int(series))


def end_run(
    db: Database,
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
        "UPDATE runs SET ended_us = ?, end_reason = ?, end_watermarks = ?, settled = settled + ? "
        "WHERE id = ?",
        [at_us, reason, _watermarks(watermarks), unsettled, run],
    )
    return unsettled


def end_open_runs(db: Database, reason: str) -> dict[str, int]:
    """End what an agent that died left running; ``{profile: unresolved events}``."""
    left = db.execute("SELECT id, profile FROM runs WHERE ended_us IS NULL").fetchall()
    result: dict[str, int] = {}
    for run, profile in left:
        result[profile] = result.get(profile, 0) + end_run(db, run, reason, None)
    return result


def _missing_sequences(db: Database, run: int, first: int, accepted: int) -> list[int]:
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
