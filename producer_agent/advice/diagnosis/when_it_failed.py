"""Why a record failed, as it was then: from what was recorded in its life, asking nobody."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from sqlite_utils import Database

from producer_agent.advice.diagnosis.diagnosis import Diagnosis
from producer_agent.advice.diagnosis.live_facts import LiveFacts, RecordFacts
from producer_agent.advice.diagnosis.recorded_facts import record_facts
from producer_agent.advice.diagnosis.time_out_cause import judge
from producer_agent.advice.diagnosis.time_outs import life, timed_out
from producer_agent.delivery.errors import BY_NAME
from producer_agent.store.queries import failed_events

TIME_OUTS: Final = frozenset(
    {"_MSG_TIMED_OUT", "_TIMED_OUT", "_TIMED_OUT_QUEUE", "REQUEST_TIMED_OUT"}
)
"""Codes that do not tell their cause: the record's life does."""


def as_it_was(record: RecordFacts, at_us: int) -> Diagnosis:
    """What was the matter in a record's life; its state is PASSED, whatever is the matter now.

    Args:
        record: The record with what was seen in its life.
        at_us: Now, UTC microseconds; the diagnosis is as of the record's outcome.
    """
    event = record.event
    code = event.code or "no code"
    nobody_asked = LiveFacts(
        topic=event.topic,
        at_us=at_us,
        kind="real",
        bootstrap_servers="",
        secured=False,
        principal=None,
        view=None,
        view_us=None,
        unreachable=None,
        record=record,
    )
    found = replace(
        timed_out(nobody_asked, code), at_us=event.settled_us, facts=tuple(life(record))
    )
    if code in TIME_OUTS:
        return found
    row = BY_NAME.get(code)
    who = "The client refused it" if code.startswith("_") else "The broker refused it"
    if event.outcome == "rejected":
        who = "produce() refused it, so it was never sent"
    meaning = f": {row.summary.rstrip('.')}" if row is not None else ""
    because = judge(record).because
    return replace(
        found,
        matter="other",
        headline=f"{who} ({code}){meaning}.",
        findings=(
            *_replicas_then(record),
            *(told for told in found.findings if told not in because),
        ),
    )


def why_it_failed(db: Database, run_uuid: str, sequence: int, at_us: int) -> Diagnosis | None:
    """The same of one event of a run; None: it is not kept, or no event of this board."""
    event = failed_events.failed_event(db, run_uuid, sequence)
    return None if event is None else as_it_was(record_facts(db, event), at_us)


def why_the_last_failed(
    db: Database, topic: str, cause: str, since_us: int, at_us: int
) -> Diagnosis | None:
    """The same of the newest failure of a cause on a topic; None: none since then is kept."""
    event = failed_events.last_failed_event(db, topic, since_us, cause)
    return None if event is None else as_it_was(record_facts(db, event), at_us)


def _replicas_then(record: RecordFacts) -> list[str]:
    event = record.event
    return [
        f"Partition {event.partition} had {len(then.state.isrs)} of {len(then.state.replicas)} "
        "replicas in sync then, and "
        + ("no leader." if then.state.leader is None else f"broker {then.state.leader} led it.")
        for then in record.states[:3]
        if then.state.leader is None or len(then.state.isrs) < len(then.state.replicas)
    ]
