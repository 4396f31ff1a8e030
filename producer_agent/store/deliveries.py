"""Recording outcomes: deliveries, rollups and the outbox row of a failure, in one transaction."""

from __future__ import annotations

import json
from array import array
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from producer_agent.store import lots, rollups
from producer_agent.store.headers import Headers, headers_to_json
from producer_agent.store.sqlite import Session, connection


@dataclass(frozen=True, slots=True)
class UndeliveredEvent:
    """One event that was not acknowledged, with what a dead letter needs of it."""

    sequence: int
    outcome: str
    """``failed``, ``rejected`` or ``unresolved``."""
    topic: str
    partition: int | None
    code: int | None
    code_name: str | None
    reason: str
    stored: str
    """May the record be on its topic? ``no``, ``maybe`` or ``yes``."""
    cause: str
    """What it is counted under: the code, or the broker's cause behind a time-out."""
    sent_us: int | None
    settled_us: int
    attempts: dict[str, Any] | None = None
    dead_letter: bool = False
    """Whether it goes to the dead-letter queue; then key, value and headers are kept for it."""
    key: bytes | None = None
    value: bytes | None = None
    headers: Headers = ()


@dataclass(slots=True)
class OutcomeBatch:
    """What one run has to record since the last batch."""

    run: int
    series: int
    outcome: str
    """Of ``reports``: ``delivered``, or ``unconfirmed`` under acks=0."""
    accepted: int
    """Sequences below this were given to librdkafka (or rejected by it)."""
    reports: array[float] = field(default_factory=lambda: array("d"))
    """``lots.REPORT_WIDTH`` doubles a report."""
    undelivered: list[UndeliveredEvent] = field(default_factory=list)
    schedule_delays: list[tuple[int, float, int]] = field(default_factory=list)
    """``(second, delay in us, events)`` of each tick of the pacer."""
    counters: list[tuple[int, str, int]] = field(default_factory=list)
    """``(second, counter, n)``: queue_full, not_sent, late_polls, commits, aborts."""
    topic: str | None = None
    """Where the reports' events were sent, if not to the run's own topic."""
    not_kept: int = 0
    """Outcomes that are known and counted (in ``counters``), and are kept no further: too many
    came at once."""

    def __len__(self) -> int:
        return len(self.reports) // lots.REPORT_WIDTH + len(self.undelivered)


_OF_RUN = ("queue_full", "not_sent", "commits", "aborts")
"""Counters that are summed for the run as well."""


def record(db: Session, batch: OutcomeBatch) -> None:
    """Write a batch whole, inside the caller's transaction."""
    if batch.reports:
        _record_reports(db, batch)
    if batch.undelivered:
        _record_undelivered(db, batch)
    if batch.schedule_delays:
        seconds, delays, weights = zip(*batch.schedule_delays, strict=True)
        rollups.add_latencies(
            db,
            batch.series,
            "schedule",
            np.asarray(seconds, dtype=np.int64),
            np.asarray(delays, dtype=np.float64),
            np.asarray(weights, dtype=np.int64),
        )
    counted = dict.fromkeys(_OF_RUN, 0)
    for second, counter, n in batch.counters:
        rollups.add_count(db, batch.series, second, counter, n)
        if counter in counted:
            counted[counter] += n
    db.execute(
        "UPDATE runs SET accepted = max(accepted, ?), settled = settled + ?, "
        f"{', '.join(f'{name} = {name} + ?' for name in _OF_RUN)} WHERE id = ?",
        [batch.accepted, len(batch) + batch.not_kept, *counted.values(), batch.run],
    )


def _record_reports(db: Session, batch: OutcomeBatch) -> None:
    reports = lots.from_flat(batch.reports)
    connection(db).executemany(
        lots.INSERT, lots.pack(batch.run, batch.outcome, reports, batch.topic)
    )
    seconds = reports.reported_us // 1_000_000
    rollups.add_counts(db, batch.series, seconds, batch.outcome)
    rollups.add_latencies(db, batch.series, "ack", seconds, reports.latencies_us.astype(np.float64))


def _record_undelivered(db: Session, batch: OutcomeBatch) -> None:
    for event in batch.undelivered:
        rollups.add_count(db, batch.series, event.settled_us // 1_000_000, event.outcome, 1)
    rollups.add_failures(
        db,
        batch.series,
        (
            (event.settled_us // 1_000_000, event.topic, event.outcome, event.cause)
            for event in batch.undelivered
        ),
    )
    connection(db).executemany(
        "INSERT INTO undelivered (run, sequence, outcome, topic, partition, code, code_name, "
        "reason, stored, sent_us, settled_us, attempts) VALUES (?,?,?,?,?,?,?,?,?,?,?,?)",
        [
            (
                batch.run,
                event.sequence,
                event.outcome,
                event.topic,
                event.partition,
                event.code,
                event.code_name,
                event.reason,
                event.stored,
                event.sent_us,
                event.settled_us,
                json.dumps(event.attempts) if event.attempts else None,
            )
            for event in batch.undelivered
        ],
    )
    connection(db).executemany(
        "INSERT INTO outbox (run, sequence, key, value, headers, created_us) "
        "VALUES (?, ?, ?, ?, ?, ?)",
        [
            (
                batch.run,
                event.sequence,
                event.key,
                event.value,
                headers_to_json(event.headers),
                event.settled_us,
            )
            for event in batch.undelivered
            if event.dead_letter
        ],
    )
