"""Dead letters as the publisher wraps and the consumer stores them, and replays in the ledger.

python -m tests.dashboard.letter_seed PATH [--letters N]
"""

from __future__ import annotations

import argparse
import json
import uuid
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from sqlite_utils import Database

from producer_agent.dead_letters import envelope
from producer_agent.dead_letters.conventions import RawRecord, decode
from producer_agent.dead_letters.envelope import FailedEvent
from producer_agent.dead_letters.letters import letter_of
from producer_agent.delivery.errors import BY_NAME, Stored
from producer_agent.kafka.attempts import AttemptCause, AttemptSummary
from producer_agent.store import dead_letters, facts, replay_plans, replays, runs
from producer_agent.store.clock import now_us
from producer_agent.store.database import open_database
from producer_agent.store.replays import PlannedRecord, Settled
from tests.dashboard import seed

QUEUE = "dead-letter-queue"

CAUSES = ("_UNKNOWN_PARTITION", "_UNKNOWN_TOPIC", "MSG_SIZE_TOO_LARGE", "_MSG_TIMED_OUT")
TOPICS = ("task-events", "task-analytics", "activity-metrics")
PROFILES = ("critical", "analytics", "metrics")


@dataclass(frozen=True, slots=True)
class Foreign:
    """A record that somebody else left on the queue."""

    value: bytes | None
    key: bytes | None = None
    headers: tuple[tuple[str, bytes | None], ...] = ()


def failed_event(sequence: int, **changes: Any) -> FailedEvent:
    """An event that failed, as the recorder kept it; causes, topics and profiles take turns."""
    fact = BY_NAME[CAUSES[sequence % len(CAUSES)]]
    at_us = now_us()
    attempts = AttemptSummary(
        (AttemptCause("NOT_ENOUGH_REPLICAS", 38, at_us - 29_000_000, at_us, Stored.NO),),
        never_sent=False,
        connection=None,
        exact=True,
    )
    event = FailedEvent(
        letter_id=f"{'ab' * 16}:{sequence}",
        topic=TOPICS[sequence % len(TOPICS)],
        partition=sequence % 6,
        key=f"user-{sequence}".encode(),
        value=json.dumps(
            {"task_id": sequence, "kind": "resize", "amount": 19.9, "tags": ["a", "b"]}
        ).encode(),
        headers=(("content-type", b"application/json"), ("trace", None)),
        error=f"Local: {fact.meaning}",
        error_code=fact.code,
        error_name=fact.name,
        outcome="failed",
        stored=fact.stored.value,
        run="ab" * 16,
        sequence=sequence,
        profile=PROFILES[sequence % len(PROFILES)],
        sent_us=at_us - 30_000_000,
        failed_us=at_us,
        attempts=attempts.to_json() if fact.name == "_MSG_TIMED_OUT" else None,
    )
    return replace(event, **changes)


def store(db: Database, events: Sequence[FailedEvent | Foreign], *, first_offset: int = 0) -> None:
    """What the publisher wraps and the consumer then reads back and stores."""
    cluster = runs.register_cluster(db, "seeded-cluster", "embedded", "127.0.0.1:1")
    rows = []
    for at, event in enumerate(events):
        offset = first_offset + at
        if isinstance(event, Foreign):
            record = RawRecord(QUEUE, 0, offset, 1, event.key, event.value, event.headers)
        else:
            record = RawRecord(
                QUEUE,
                0,
                offset,
                event.failed_us // 1000,
                event.key,
                envelope.wrap(event),
                ((envelope.LETTER_HEADER, event.letter_id.encode()),),
            )
        rows.append(letter_of(record, "", decode(record)))
    with db.atomic():
        assert dead_letters.insert(db, cluster, rows) == len(rows)


def replayed(db: Database, letter: int, state: str, reason: str | None = None) -> int:
    """A plan of this one letter that was run: intended, and unless ``intent`` settled.

    Returns the plan.
    """
    with db.atomic():
        plan = replay_plans.create(
            db,
            uuid=uuid.uuid4().hex,
            cluster=1,
            title=f"Dead letter {letter}",
            selection={"dead_letters": [letter]},
            options={},
            made_by="kim",
        )
        replays.write_planned(
            db,
            plan,
            [
                PlannedRecord(
                    sequence=0,
                    dead_letter=letter,
                    status_before="new",
                    edit=None,
                    headers=None,
                    own_bytes=False,
                    target_topic="task-events",
                    target_partition=None,
                    state="planned",
                    reason=None,
                )
            ],
        )
        assert replays.intend(db, plan, 0, 1, 1_000_000, tell=True) == (0, 0)
        if state != "intent":
            landed = (3, 1_881_204) if state == "done" else (None, None)
            replays.settle(db, plan, [Settled(0, state, reason, *landed)])
        replay_plans.set_state(db, plan, "running" if state == "intent" else "done")
    return plan


def fill(path: Path, letters: int) -> None:
    """Half a minute of sending, with this many dead letters, some of them replayed."""
    seed.fill(path, seconds=30)
    db = open_database(path)
    try:
        store(db, [failed_event(sequence) for sequence in range(letters)])
        store(
            db,
            [
                Foreign(b"\xff\x00 not text", b"k\xe2\x80\xae"),
                Foreign(None, b"tombstone"),
                failed_event(
                    10_000_000,
                    error_name=None,
                    error_code=None,
                    error="**boom** <b>at</b> [x](http://127.0.0.1) :red[y] $a$ \u202egnp",
                    topic="odd:material/home:_*topic*_",
                    value=b'{"n": 123456789012345678901, "n": 1.10, "rtl": "\\u202e"}',
                ),
            ],
            first_offset=letters,
        )
        replayed(db, 1, "done")
        replayed(db, 2, "failed", "MSG_SIZE_TOO_LARGE: Broker: Message size too large")
        replayed(db, 3, "unknown", "no acknowledgement in time")
        facts.put(
            db,
            "letters",
            {
                "topic": QUEUE,
                "outbox_waiting": 3,
                "outbox_since_us": now_us() - 4_000_000,
                "publisher_error": None,
                "consumer_error": None,
                "behind": 0,
            },
        )
    finally:
        db.close()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("path", type=Path)
    parser.add_argument("--letters", type=int, default=240)
    arguments = parser.parse_args()
    fill(arguments.path, arguments.letters)
