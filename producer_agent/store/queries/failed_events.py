"""What failed: one event with its attempts, and what fails lately by topic and cause."""

from __future__ import annotations

import json
from collections import defaultdict
from dataclasses import dataclass
from typing import Any

from sqlite_utils import Database

from producer_agent.store.rollups import RESOLUTIONS

_FINEST_S = RESOLUTIONS[0].seconds


@dataclass(frozen=True, slots=True)
class FailedEvent:
    """One event that was not acknowledged."""

    run_uuid: str
    sequence: int
    profile: str
    profile_body: str
    """Its run's frozen profile, as JSON."""
    outcome: str
    """``failed``, ``rejected`` or ``unresolved``."""
    topic: str
    partition: int | None
    code: str | None
    reason: str
    stored: str
    """May it be on its topic: ``no``, ``maybe``, ``yes``."""
    sent_us: int | None
    settled_us: int
    attempts: dict[str, Any] | None
    """See ``kafka/attempts.py``."""


@dataclass(frozen=True, slots=True)
class TopicFailures:
    """What failed on one topic in a window."""

    topic: str
    since_us: int
    by_cause: dict[str, int]
    """Events by code, or by the broker's cause behind a time-out; the most first."""
    last_us: int
    """Second in which the last one failed, its end."""
    last_by_cause: dict[str, int]

    @property
    def total(self) -> int:
        """All of them."""
        return sum(self.by_cause.values())


@dataclass(frozen=True, slots=True)
class Traffic:
    """What became of events in a window: by outcome, and the incidents counted with them."""

    since_us: int
    until_us: int
    delivered: int
    unconfirmed: int
    failed: int
    rejected: int
    queue_full: int
    not_sent: int
    late_polls: int

    @property
    def seconds(self) -> float:
        """Its length."""
        return max((self.until_us - self.since_us) / 1e6, 1e-6)

    @property
    def acknowledged(self) -> int:
        """Delivered, and handed over under acks=0."""
        return self.delivered + self.unconfirmed


_EVENT = (
    "SELECT r.uuid, u.sequence, r.profile, r.body, u.outcome, u.topic, u.partition, u.code_name, "
    "u.reason, u.stored, u.sent_us, u.settled_us, u.attempts "
    "FROM undelivered u JOIN runs r ON r.id = u.run "
)


def failed_event(db: Database, run_uuid: str, sequence: int) -> FailedEvent | None:
    """The event of a run with this number; None: it did not fail, or retention took its row."""
    row = db.execute(
        _EVENT + "WHERE r.uuid = ? AND u.sequence = ?", [run_uuid, sequence]
    ).fetchone()
    return None if row is None else _event(row)


def letter_event(db: Database, letter: int) -> tuple[str, int] | None:
    """Run and sequence of a dead letter; None: no such letter, or no event of ours."""
    row = db.execute(
        "SELECT run_uuid, sequence FROM dead_letters WHERE id = ?", [letter]
    ).fetchone()
    return None if row is None or row[0] is None or row[1] is None else (row[0], int(row[1]))


def last_failed_event(
    db: Database, topic: str, since_us: int, cause: str | None = None
) -> FailedEvent | None:
    """The newest failure on a topic since then; with a cause, one of its code or behind whose
    time-out that was."""
    where, values = "WHERE u.settled_us >= ? AND u.topic = ?", [since_us, topic]
    if cause is not None:
        where += " AND (u.code_name = ? OR json_extract(u.attempts, '$.causes[0].cause') = ?)"
        values += [cause, cause]
    row = db.execute(
        _EVENT + where + " ORDER BY u.settled_us DESC, u.id DESC LIMIT 1", values
    ).fetchone()
    return None if row is None else _event(row)


def event_size(db: Database, run_uuid: str, sequence: int) -> int | None:
    """Bytes of key, value and headers of a failed event, while the outbox keeps them."""
    row = db.execute(
        "SELECT o.key, o.value, o.headers FROM outbox o JOIN runs r ON r.id = o.run "
        "WHERE r.uuid = ? AND o.sequence = ?",
        [run_uuid, sequence],
    ).fetchone()
    if row is None:
        return None
    headers = sum(
        # The second is base64: four characters for three bytes.
        len(name.encode()) + (0 if value is None else len(value) * 3 // 4)
        for name, value in json.loads(row[2])
    )
    return len(row[0] or b"") + len(row[1] or b"") + headers


def recent_failures(db: Database, since_us: int) -> dict[str, TopicFailures]:
    """What failed since then, by topic. Read from rollups, so a storm costs no more than a few."""
    counts: dict[str, dict[str, int]] = defaultdict(lambda: defaultdict(int))
    last: dict[str, dict[str, int]] = defaultdict(dict)
    for topic, cause, n, bucket in db.execute(
        "SELECT topic, cause, sum(n), max(bucket) FROM failure_rollups "
        "WHERE resolution = ? AND bucket >= ? AND outcome IN ('failed', 'rejected') "
        "GROUP BY topic, cause",
        [_FINEST_S, since_us // 1_000_000],
    ):
        counts[topic][cause] += n
        last[topic][cause] = (bucket + _FINEST_S) * 1_000_000
    return {
        topic: TopicFailures(
            topic,
            since_us,
            dict(sorted(causes.items(), key=lambda item: -item[1])),
            max(last[topic].values()),
            last[topic],
        )
        for topic, causes in counts.items()
    }


def traffic(db: Database, profiles: list[str], since_us: int, until_us: int) -> Traffic:
    """What became of these profiles' events in ``[since_us, until_us]``, to whole seconds."""
    columns = (
        "delivered", "unconfirmed", "failed", "rejected", "queue_full", "not_sent", "late_polls"
    )  # fmt: skip
    sums = ", ".join(f"coalesce(sum({column}), 0)" for column in columns)
    marks = ", ".join("?" * len(profiles))
    first_s, last_s = since_us // 1_000_000, until_us // 1_000_000
    # Per-second buckets are kept for a while only: of an old event its minute is all there is.
    for resolution in RESOLUTIONS:
        row = db.execute(
            f"SELECT {sums}, count(*) FROM rollups WHERE resolution = ? "
            f"AND bucket >= ? AND bucket <= ? AND series IN "
            f"(SELECT id FROM series WHERE profile IN ({marks}))",
            [resolution.seconds, first_s - first_s % resolution.seconds, last_s, *profiles],
        ).fetchone()
        if row[-1]:
            return Traffic(since_us, until_us, *row[:-1])
    return Traffic(since_us, until_us, 0, 0, 0, 0, 0, 0, 0)


def _event(row: tuple[Any, ...]) -> FailedEvent:
    attempts = None if row[-1] is None else json.loads(row[-1])
    return FailedEvent(*(*row[:-1], attempts))
