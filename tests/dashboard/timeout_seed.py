"""Records that timed out, with their attempts and what was seen on the cluster meanwhile.

python -m tests.dashboard.timeout_seed PATH
"""

from __future__ import annotations

import sys
import uuid
from array import array
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from sqlite_utils import Database

from producer_agent.delivery.errors import BY_NAME, Stored
from producer_agent.delivery.shipped_profiles import shipped_profiles
from producer_agent.kafka.attempt_summary import Attempt, AttemptSummary, Summed
from producer_agent.store import cluster_changes, deliveries, runs
from producer_agent.store.clock import now_us
from producer_agent.store.cluster_changes import Change, PartitionState
from producer_agent.store.database import open_database
from producer_agent.store.deliveries import OutcomeBatch, UndeliveredEvent
from tests.dashboard import letter_seed, seed

S = 1_000_000
MS = 1_000
RUN = uuid.UUID(int=77).hex
TOPIC = "task-events"


@dataclass(frozen=True, slots=True)
class TimedOut:
    """One record, sent 30 s before it was given up."""

    sequence: int
    attempts: tuple[tuple[int, str, bool], ...]
    """``(ms after produce(), cause, may it be stored)``."""
    exact: bool = True
    partition: int | None = 0

    def summary(self, sent_us: int) -> AttemptSummary:
        summed = Summed.of(
            [
                Attempt(sent_us + ms * MS, cause, Stored.MAYBE if maybe else Stored.NO, 1, 1)
                for ms, cause, maybe in self.attempts
            ]
        )
        return AttemptSummary(
            summed.causes,
            not self.attempts,
            None if self.attempts else "Connect to 127.0.0.1:9092 failed: Connection refused",
            self.exact,
            False,
            summed.each,
            summed.left_out,
        )


def _refused(every_ms: int, until_ms: int = 30_000) -> tuple[tuple[int, str, bool], ...]:
    return tuple((ms, "NOT_ENOUGH_REPLICAS", False) for ms in range(40, until_ms, every_ms))


RECORDS = (
    TimedOut(0, _refused(1_400)),
    TimedOut(1, ((10_020, "_TIMED_OUT", True), *_refused(2_000)[7:])),
    TimedOut(2, _refused(110)),
    TimedOut(3, ()),
    TimedOut(4, _refused(700), exact=False),
)


def fill(path: Path, end_us: int | None = None) -> list[int]:
    """Run, records, letters and the history of their partition; returns the letters' row ids."""
    seed.fill(path, seconds=30, rate=2.0)
    settled_us = (now_us() if end_us is None else end_us) - 60 * S
    sent_us = settled_us - 30 * S
    profile = shipped_profiles()[0]
    db = open_database(path)
    with db.atomic():
        row = runs.begin_run(
            db,
            uuid=RUN,
            profile=profile.name,
            acks="all",
            body=profile.to_json(),
            cluster=1,
            topic=TOPIC,
            watermarks=None,
        )
        code = BY_NAME["_MSG_TIMED_OUT"]
        events = [
            UndeliveredEvent(
                sequence=record.sequence,
                outcome="failed",
                topic=TOPIC,
                partition=record.partition,
                code=code.code,
                code_name=code.name,
                reason=code.meaning,
                stored="maybe" if any(maybe for *_, maybe in record.attempts) else "no",
                cause=code.name,
                sent_us=sent_us,
                settled_us=settled_us + 60 * MS,
                attempts=record.summary(sent_us).to_json(),
            )
            for record in RECORDS
        ]
        batch = OutcomeBatch(row.id, row.series, "delivered", 5, array("d"), undelivered=events)
        deliveries.record(db, batch)
        _history(db, sent_us)
    letters = [_letter(record, sent_us, settled_us) for record in RECORDS]
    letter_seed.store(db, letters)
    ids = [row[0] for row in db.execute("SELECT id FROM dead_letters ORDER BY id").fetchall()]
    db.close()
    return ids


def _letter(record: TimedOut, sent_us: int, settled_us: int) -> Any:
    event = letter_seed.failed_event(3)  # the one that timed out
    return replace(
        event,
        letter_id=f"{RUN}:{record.sequence}",
        run=RUN,
        sequence=record.sequence,
        topic=TOPIC,
        partition=record.partition,
        sent_us=sent_us,
        failed_us=settled_us,
        attempts=record.summary(sent_us).to_json(),
    )


def _history(db: Database, sent_us: int) -> None:
    began_us = sent_us - 600 * S
    everyone = (1, 2, 3)
    states = (
        (began_us, PartitionState(TOPIC, 0, 1, everyone, everyone)),
        (sent_us - 5 * S, PartitionState(TOPIC, 0, 1, (1,), everyone)),
        (sent_us + 11 * S, PartitionState(TOPIC, 0, None, (1,), everyone)),
        (sent_us + 14 * S, PartitionState(TOPIC, 0, 2, (2,), everyone)),
    )
    for at_us, state in states:
        cluster_changes.add_states(db, 1, at_us, [state])
    cluster_changes.add_changes(db, 1, began_us, None, [Change("watch_began")])
    cluster_changes.add_changes(
        db, 1, sent_us + 11 * S, sent_us + 9 * S, [Change("broker_left", broker=1)]
    )


if __name__ == "__main__":
    print(fill(Path(sys.argv[1])))
