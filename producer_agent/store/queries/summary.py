"""What became of the events: of a window, exactly, and of one run."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
from sqlite_utils import Database

from producer_agent.store import latency_bins
from producer_agent.store.latency_bins import PERCENTILES
from producer_agent.store.rollups import RESOLUTIONS, resolution_for

By = Literal["acks", "profile"]

OUTCOMES = ("delivered", "unconfirmed", "failed", "rejected", "unresolved")
"""Every event has one of these, and only one."""

_SECOND_US = 1_000_000


@dataclass(frozen=True, slots=True)
class Row:
    """The events of one acks level or one profile."""

    name: str
    outcomes: dict[str, int]
    """By each of :data:`OUTCOMES`."""
    success_ratio: float | None
    """Delivered among delivered and failed; None where nothing was reported, and under acks=0,
    where nothing proves a delivery. A profile that had several levels is judged without acks=0."""
    quantiles_us: tuple[float, ...] | None
    """At ``latency_bins.PERCENTILES``, within 1 %; None without an acknowledgement."""

    @property
    def total(self) -> int:
        """All its events."""
        return sum(self.outcomes.values())


@dataclass(frozen=True, slots=True)
class Summary:
    """The events of a window."""

    since_us: int | None
    """Where it really begins: the asked time rounded down to a whole bucket, or with no time
    asked the first bucket there is (None: nothing was ever recorded)."""
    until_us: int
    rows: tuple[Row, ...]


@dataclass(frozen=True, slots=True)
class RunProgress:
    """How far a run is."""

    uuid: str
    accepted: int
    settled: int
    ended_us: int | None


@dataclass(frozen=True, slots=True)
class LettersOfRun:
    """How far a run's failures are on their way to triage."""

    due: int
    """Failures that go to the dead-letter topic."""
    published: int
    stored: int
    """Of those published, what was read back and can be triaged."""

    @property
    def settled(self) -> bool:
        """Whether every failure has arrived."""
        return self.stored >= self.due


@dataclass(frozen=True, slots=True)
class RunSummary:
    """What became of a run's events."""

    uuid: str
    profile: str
    acks: str
    topic: str
    started_us: int
    ended_us: int | None
    end_reason: str | None
    accepted: int
    outcomes: dict[str, int]
    """By each of :data:`OUTCOMES`; they add up to ``accepted`` once the run has ended."""
    not_sent: int
    """Due while the run was paused, and so never produced."""
    rate_reached: float | None
    """Events a second between the first and the last that were sent; None of fewer than two."""
    quantiles_us: tuple[float, ...] | None
    """Exact ones at ``latency_bins.PERCENTILES``, of the reports that are still kept."""
    letters: LettersOfRun


@dataclass(slots=True)
class _Group:
    outcomes: dict[str, int] = field(default_factory=lambda: dict.fromkeys(OUTCOMES, 0))
    proven: int = 0
    reported: int = 0
    bins: list[tuple[int, int]] = field(default_factory=list)


def summary(db: Database, by: By, window_s: float | None, now_us: int) -> Summary:
    """Count the events of the last ``window_s`` seconds, or of all time.

    Counts come from rollups, which are written in the events' own transactions: they are exact
    however much of the events themselves retention deleted. Buckets of an hour are kept for
    ever, and finer ones for longer than any window that is read from them.
    """
    if window_s is None:
        width = RESOLUTIONS[-1].seconds
        first = db.execute(
            "SELECT min(bucket) FROM rollups WHERE resolution = ?", [width]
        ).fetchone()[0]
        since_s = first
    else:
        width = resolution_for(window_s)
        since_s = int((now_us / _SECOND_US - window_s) // width * width)
    if since_s is None:
        return Summary(None, now_us, ())
    groups: dict[str, _Group] = defaultdict(_Group)
    for name, acks, *counts in db.execute(
        f"SELECT s.{by}, s.acks, {', '.join(f'sum(r.{name})' for name in OUTCOMES)} "
        "FROM rollups r JOIN series s ON s.id = r.series "
        "WHERE r.resolution = ? AND r.bucket >= ? GROUP BY s.id ORDER BY 1",
        [width, since_s],
    ):
        group = groups[name]
        for outcome, n in zip(OUTCOMES, counts, strict=True):
            group.outcomes[outcome] += n
        if acks != "0":
            delivered, failed = counts[OUTCOMES.index("delivered")], counts[_FAILED]
            group.proven += delivered
            group.reported += delivered + failed
    for name, bin_number, n in db.execute(
        f"SELECT s.{by}, b.bin, sum(b.n) FROM latency_bins b JOIN series s ON s.id = b.series "
        "WHERE b.resolution = ? AND b.metric = 'ack' AND b.bucket >= ? GROUP BY 1, 2",
        [width, since_s],
    ):
        groups[name].bins.append((bin_number, n))
    # A bucket may hold nothing but incidents (events that were due and not sent).
    rows = [_row(name, group) for name, group in groups.items() if any(group.outcomes.values())]
    order = ("all", "1", "0").index if by == "acks" else str
    return Summary(
        since_s * _SECOND_US, now_us, tuple(sorted(rows, key=lambda row: order(row.name)))
    )


_FAILED = OUTCOMES.index("failed")


def _row(name: str, group: _Group) -> Row:
    found = [value for value in latency_bins.quantiles(group.bins) if value is not None]
    return Row(
        name=name,
        outcomes=group.outcomes,
        success_ratio=group.proven / group.reported if group.reported else None,
        quantiles_us=tuple(found) or None,
    )


def newest_run(db: Database, profile: str) -> RunProgress | None:
    """The latest run under a profile."""
    row = db.execute(
        "SELECT uuid, accepted, settled, ended_us FROM runs WHERE profile = ? "
        "ORDER BY id DESC LIMIT 1",
        [profile],
    ).fetchone()
    return None if row is None else RunProgress(*row)


def run_progress(db: Database, uuid: str) -> RunProgress | None:
    """How far a run is, a quarter of a second ago at most."""
    row = db.execute(
        "SELECT uuid, accepted, settled, ended_us FROM runs WHERE uuid = ?", [uuid]
    ).fetchone()
    return None if row is None else RunProgress(*row)


def run_summary(db: Database, uuid: str) -> RunSummary | None:
    """What became of a run, or None if there is none of this uuid."""
    row = db.execute(
        "SELECT id, uuid, profile, acks, topic, started_us, ended_us, end_reason, accepted, "
        "settled, not_sent, trimmed_below FROM runs WHERE uuid = ?",
        [uuid],
    ).fetchone()
    if row is None:
        return None
    run, _, profile, acks, topic, started_us, ended_us, end_reason = row[:8]
    accepted, settled, not_sent, trimmed_below = row[8:]
    outcomes = dict.fromkeys(OUTCOMES, 0)
    first_sent: list[int] = []
    last_sent: list[int] = []
    for outcome, n, first_us, last_us in db.execute(
        "SELECT outcome, count(*), min(sent_us), max(sent_us) FROM undelivered WHERE run = ? "
        "GROUP BY outcome",
        [run],
    ):
        outcomes[outcome] += n
        first_sent += [first_us] if first_us is not None else []
        last_sent += [last_us] if last_us is not None else []
    latencies: list[np.ndarray[tuple[int], np.dtype[np.uint32]]] = []
    for outcome, n, base_us, sent, packed in db.execute(
        "SELECT outcome, n, first_sent_us, sent, latencies FROM delivery_lots WHERE run = ?", [run]
    ):
        outcomes[outcome] += n
        first_sent.append(base_us)
        last_sent.append(base_us + int(np.frombuffer(sent, dtype="<u4").max()))
        latencies.append(np.frombuffer(packed, dtype="<u4"))
    if trimmed_below:
        # Retention took lots of this very run: what is not a row was acknowledged.
        acknowledged = "unconfirmed" if acks == "0" else "delivered"
        outcomes[acknowledged] += settled - sum(outcomes.values())
    span_us = max(last_sent) - min(first_sent) if first_sent else 0
    return RunSummary(
        uuid=uuid,
        profile=profile,
        acks=acks,
        topic=topic,
        started_us=started_us,
        ended_us=ended_us,
        end_reason=end_reason,
        accepted=accepted,
        outcomes=outcomes,
        not_sent=not_sent,
        rate_reached=(accepted - 1) * _SECOND_US / span_us if accepted > 1 and span_us else None,
        quantiles_us=_exact_quantiles(np.concatenate(latencies)) if latencies else None,
        letters=letters_of_run(db, uuid),
    )


def letters_of_run(db: Database, uuid: str) -> LettersOfRun:
    """How far the failures of a run are; cheap enough to be asked several times a second."""
    due, published = db.execute(
        "SELECT count(*), count(o.published_us) FROM outbox o JOIN runs r ON r.id = o.run "
        "WHERE r.uuid = ?",
        [uuid],
    ).fetchone()
    # By the letter's id, which has an index, and begins with the run's uuid and a colon.
    stored = db.execute(
        "SELECT count(DISTINCT letter_id) FROM dead_letters WHERE letter_id >= ? AND letter_id < ?",
        [f"{uuid}:", f"{uuid};"],
    ).fetchone()[0]
    return LettersOfRun(due, published, stored)


def _exact_quantiles(
    values_us: np.ndarray[tuple[int], np.dtype[np.uint32]],
) -> tuple[float, ...]:
    """Nearest rank, as ``latency_bins.quantiles``, of the values themselves."""
    values_us = np.sort(values_us)
    ranks = np.maximum(np.ceil(np.asarray(PERCENTILES) * len(values_us)).astype(int), 1)
    return tuple(float(value) for value in values_us[ranks - 1])
