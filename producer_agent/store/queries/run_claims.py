"""What was claimed of the events of one run, in lots, as an audit takes it in."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from sqlite_utils import Database

from producer_agent.store.lots import Reports, unpack

LOTS: Final = 400
"""Rows of ``delivery_lots`` read at once: up to 200,000 events."""

Watermarks = dict[int, tuple[int, int]]


@dataclass(frozen=True, slots=True)
class RunRecord:
    """A run, as far as an audit needs to know it."""

    id: int
    uuid: str
    profile: str
    acks: str
    body: dict[str, Any]
    """The frozen profile."""
    cluster: str
    """The cluster's own id."""
    topic: str
    application: bool
    """A service of the user's own, that sends through ``ReliableProducer``."""
    started_us: int
    ended_us: int | None
    end_reason: str | None
    accepted: int
    settled: int
    start_watermarks: Watermarks
    """Of ``topic``; empty where they were not noted."""
    end_watermarks: Watermarks
    trimmed_below: int
    """Outcomes of sequences below this may have been deleted by retention."""

    @property
    def transactional(self) -> bool:
        """Whether a record counts once its transaction is committed."""
        profile, plain = self.body.get("producer", {}), self.body.get("librdkafka", {})
        return bool(profile.get("transactional_id") or plain.get("transactional.id"))

    @property
    def topics(self) -> tuple[str, ...]:
        """Where its events are sent, as far as its profile tells."""
        second = self.body.get("workload", {}).get("second_topic")
        return (self.topic,) if second is None else (self.topic, second)


@dataclass(frozen=True, slots=True)
class ReportLot:
    """Reports of one row of ``delivery_lots``."""

    id: int
    outcome: str
    """``delivered`` or ``unconfirmed``."""
    topic: str
    reports: Reports


@dataclass(frozen=True, slots=True)
class UndeliveredClaim:
    """One event that was not acknowledged."""

    id: int
    sequence: int
    outcome: str
    topic: str
    partition: int | None
    stored: str


_RUN = """
    SELECT r.id, r.uuid, r.profile, r.acks, r.body, c.cluster_id, r.topic, r.application,
           r.started_us, r.ended_us, r.end_reason, r.accepted, r.settled, r.start_watermarks,
           r.end_watermarks, r.trimmed_below
      FROM runs r JOIN clusters c ON c.id = r.cluster
"""


def runs_named(db: Database, uuid: str) -> list[RunRecord]:
    """Runs whose uuid begins so (hex digits, with or without dashes); two at most."""
    wanted = uuid.replace("-", "").lower()
    return _runs(db, "WHERE substr(r.uuid, 1, ?) = ? ORDER BY r.id LIMIT 2", len(wanted), wanted)


def latest_run(db: Database, profile: str | None = None) -> RunRecord | None:
    """The run that was begun last (of a profile, or at all)."""
    found = _runs(
        db, "WHERE r.profile = coalesce(?, r.profile) ORDER BY r.id DESC LIMIT 1", profile
    )
    return found[0] if found else None


def report_lots(db: Database, run: RunRecord, after: int) -> list[ReportLot]:
    """The next lots of a run's reports behind row ``after``, in the order of their arrival."""
    rows = db.query(
        "SELECT * FROM delivery_lots WHERE run = ? AND id > ? ORDER BY id LIMIT ?",
        [run.id, after, LOTS],
    )
    return [
        ReportLot(row["id"], row["outcome"], row["topic"] or run.topic, unpack(row)) for row in rows
    ]


def undelivered_claims(db: Database, run: RunRecord, after: int) -> list[UndeliveredClaim]:
    """The next failures of a run behind row ``after``; 20,000 at most."""
    return [
        UndeliveredClaim(*row)
        for row in db.execute(
            "SELECT id, sequence, outcome, topic, partition, stored FROM undelivered "
            "WHERE run = ? AND id > ? ORDER BY id LIMIT 20000",
            [run.id, after],
        )
    ]


def lot_ids(db: Database, run: RunRecord) -> tuple[int, int]:
    """First and last row id of a run's lots; ``(0, 0)`` where it has none."""
    first, last = db.execute(
        "SELECT min(id), max(id) FROM delivery_lots WHERE run = ?", [run.id]
    ).fetchone()
    return (first or 0, last or 0)


def reported_spans(db: Database, run: RunRecord) -> dict[tuple[str, int], tuple[int, int]]:
    """``{(topic, partition): (lowest, highest offset)}`` of what reports told of a run."""
    spans: dict[tuple[str, int], tuple[int, int]] = {}
    for topic, packed_partitions, packed_offsets in db.execute(
        "SELECT topic, partitions, offsets FROM delivery_lots WHERE run = ?", [run.id]
    ):
        partitions = np.frombuffer(packed_partitions, dtype="<u4")
        offsets = np.frombuffer(packed_offsets, dtype="<u8").astype(np.int64) - 1
        for partition in np.unique(partitions).tolist():
            its = offsets[(partitions == partition) & (offsets >= 0)]
            if len(its):
                place = (topic or run.topic, partition)
                low, high = spans.get(place, (int(its[0]), int(its[0])))
                spans[place] = (min(low, int(its.min())), max(high, int(its.max())))
    return spans


def sent_times(db: Database, run: int, sequences: Sequence[int]) -> dict[int, int]:
    """When events were sent, in UTC microseconds; without those that no lot speaks of."""
    wanted = np.unique(np.asarray(sequences, dtype=np.int64))
    found: dict[int, int] = {}
    if not len(wanted):
        return found
    for reports in _lots_between(db, run, int(wanted[0]), int(wanted[-1])):
        which = np.isin(reports.sequences, wanted)
        found.update(
            zip(reports.sequences[which].tolist(), reports.sent_us[which].tolist(), strict=True)
        )
    return found


def _lots_between(db: Database, run: int, first: int, last: int) -> Iterator[Reports]:
    for row in db.query(
        "SELECT * FROM delivery_lots WHERE run = ? AND last_sequence >= ? AND first_sequence <= ?",
        [run, first, last],
    ):
        yield unpack(row)


def _runs(db: Database, where: str, *values: object) -> list[RunRecord]:
    return [
        RunRecord(
            id=row[0],
            uuid=row[1],
            profile=row[2],
            acks=row[3],
            body=json.loads(row[4]),
            cluster=row[5],
            topic=row[6],
            application=row[7] is not None,
            started_us=row[8],
            ended_us=row[9],
            end_reason=row[10],
            accepted=row[11],
            settled=row[12],
            start_watermarks=_watermarks(row[13]),
            end_watermarks=_watermarks(row[14]),
            trimmed_below=row[15],
        )
        for row in db.execute(f"{_RUN} {where}", list(values))
    ]


def _watermarks(text: str | None) -> Watermarks:
    if text is None:
        return {}
    return {int(partition): (low, high) for partition, (low, high) in json.loads(text).items()}
