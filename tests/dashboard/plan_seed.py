"""Replay plans as the planner and the runner leave them, through the functions that they use."""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from typing import Any

from sqlite_utils import Database

from producer_agent.store import replay_plans, replays
from producer_agent.store.replays import PlannedRecord, Settled

FINDINGS: dict[str, Any] = {
    "targets": {
        "task-events": {
            "records": 5,
            "partitions": 6,
            "max_message_bytes": 1_000_000,
            "by_partition": {"0": 2, "3": 3},
            "kept_partition": 3,
            "by_key": 2,
            "anywhere": 0,
        }
    },
    "groups": {"task-events": ["billing", "*odd* `group`"]},
    "dropped_headers": {"kafka_dlt-exception-message": 5},
    "kept_headers": {"content-type": 5},
    "edited": 1,
    "keys_checked": 40,
    "keys_agree": {"murmur2 (Java's default)": 40, "crc32 (librdkafka's default)": 7},
    "partitioner": "murmur2 (Java's default)",
    "looked_for": 3,
    "not_looked_for": 2,
    "look_problem": "task-events[4] could not be read.",
    "compression": None,
}


def made(
    db: Database,
    letters: Sequence[int],
    *,
    title: str = "letters of a test",
    options: Mapping[str, Any] | None = None,
    findings: Mapping[str, Any] = FINDINGS,
    refused: Mapping[int, str] | None = None,
    already: Sequence[int] = (),
    state: str = "planned",
    reason: str | None = None,
    progress: str | None = None,
    outcomes: Mapping[int, str] | None = None,
) -> int:
    """A plan of these letters in sending order; returns its number.

    Args:
        refused: Reasons, by letter.
        already: Letters that were found on their target.
        outcomes: State by letter that was sent, all in one batch; the others still wait.
    """
    refused = refused or {}
    with db.atomic():
        plan = replay_plans.create(
            db,
            uuid=uuid.uuid4().hex,
            cluster=1,
            title=title,
            selection={"dead_letters": list(letters)},
            options=options or {},
            made_by="kim",
        )
        rows = []
        for sequence, letter in enumerate(letters):
            kept = "refused" if letter in refused else "already" if letter in already else "planned"
            rows.append(
                PlannedRecord(
                    sequence=sequence,
                    dead_letter=letter,
                    status_before="new",
                    edit=None,
                    headers=None,
                    own_bytes=False,
                    target_topic="task-events",
                    target_partition=sequence % 6,
                    state=kept,
                    reason=refused.get(letter),
                )
            )
        replays.write_planned(db, plan, rows)
        replay_plans.set_findings(db, plan, findings)
        replay_plans.set_state(db, plan, "planned")
        if outcomes:
            _sent(db, plan, letters, outcomes)
        if state != "planned":
            replay_plans.set_state(db, plan, state, reason=reason)
        if progress is not None:
            replay_plans.set_progress(db, plan, progress)
    return plan


def _sent(db: Database, plan: int, letters: Sequence[int], outcomes: Mapping[int, str]) -> None:
    replay_plans.set_state(db, plan, "running")
    replays.begin(db, plan)
    settled: list[Settled] = []
    for sequence, letter in enumerate(letters):
        if letter not in outcomes:
            continue
        assert replays.intend(db, plan, len(settled), 1, 10**9, tell=True) == (sequence, sequence)
        state = outcomes[letter]
        landed = (sequence % 6, 100 + sequence) if state == "done" else (None, None)
        reason = "MSG_SIZE_TOO_LARGE: too large" if state == "failed" else None
        settled.append(Settled(sequence, state, reason, *landed))
    replays.settle(db, plan, settled)
