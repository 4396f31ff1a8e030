"""Comparisons as rows: begun, each turn as it ends, ended; and what an agent's death left open."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

from sqlite_utils import Database

from producer_agent.store.clock import now_us

State = Literal["running", "done", "cancelled", "incomplete"]

Bins = tuple[tuple[int, int], ...]
"""``(bin, how many)`` ascending by bin: see ``store/latency_bins.py``; microseconds."""


class ComparisonRunning(Exception):
    """One is running, and a second would be its noise; the text names it."""


@dataclass(frozen=True, slots=True)
class TurnMeasures:
    """What one profile's turn in one round came to; the warm-up is left out of all of it.

    A figure that could not be had is None: never a zero in its place.
    """

    seconds: float
    """Length of the measured window."""
    sent: int
    """Events that ``produce()`` took."""
    acknowledged: int
    """Of these, with a broker's word; in a transaction, with its commit. 0 for acks=0."""
    unconfirmed: int
    """Of these, handed over with acks=0: nobody answered for them."""
    unresolved: int
    """Of these, without a report when the turn ended."""
    failed: dict[str, int] = field(default_factory=dict)
    """Of these, reported failed, by the code's name."""
    rejected: dict[str, int] = field(default_factory=dict)
    """Events due that ``produce()`` refused, by the code's name."""
    rate_reached: float = 0.0
    """Events a second that ``produce()`` took in the window."""
    read_back: int | None = None
    """Of the sent, read at least once."""
    lost: int | None = None
    """Acknowledged (acks=0: handed over), and not read; None where that cannot be told."""
    duplicated: int | None = None
    """Records read beyond the first of their event."""
    phantom: int | None = None
    """Reported failed, and read all the same."""
    batches: int | None = None
    batch_bytes: float | None = None
    """Mean size of a batch as it was sent, compressed."""
    batch_messages: float | None = None
    """Mean number of messages in a batch."""
    requests: int | None = None
    """Produce requests to brokers, repeated ones included."""
    message_bytes: int | None = None
    """Messages that were transmitted, framing included, before compression."""
    wire_bytes: int | None = None
    """The batches they were sent in, compressed."""
    client_queue_us: float | None = None
    """Mean time from ``produce()`` until an event's batch was made (``int_latency``)."""
    client_send_us: float | None = None
    """Mean time from there until the request was sent (``outbuf_latency``)."""
    broker_us: float | None = None
    """Mean time from there until the broker's answer (``rtt``)."""
    throttle_ms: float | None = None
    """Mean time for which a broker asked to hold back."""
    commits: int | None = None
    aborts: int | None = None
    """Transactions; None for a profile without."""
    cpu_us_per_message: float | None = None
    """CPU time of the sending process (its one producer and the loop around it) a sent event."""
    beside_per_s: float | None = None
    """Events a second that the agent's profiles sent beside it."""

    @property
    def compression_ratio(self) -> float | None:
        """Bytes in messages over bytes on the wire; below 1, framing outweighs compression."""
        if not self.wire_bytes or self.message_bytes is None:
            return None
        return self.message_bytes / self.wire_bytes

    @property
    def failed_in_all(self) -> int:
        """Reported failed, whatever the code."""
        return sum(self.failed.values())

    @property
    def rejected_in_all(self) -> int:
        """Refused by ``produce()``, whatever the code."""
        return sum(self.rejected.values())

    def to_json(self) -> dict[str, Any]:
        """Field by field."""
        return asdict(self)

    @classmethod
    def from_json(cls, body: Mapping[str, Any]) -> TurnMeasures:
        """The inverse of :meth:`to_json`."""
        return cls(**body)


@dataclass(frozen=True, slots=True)
class Turn:
    """One profile's part of one round at one rate."""

    rate: float
    """Events a second that were asked for."""
    round: int
    """From 1."""
    profile: int
    """From 0: the place in the plan's list of profiles."""
    position: int
    """From 1: the place in this round's shuffled order."""
    started_us: int
    ended_us: int
    measures: TurnMeasures
    ack: Bins
    """Latency of acknowledgements; with acks=0 of the hand-over; until the commit in a
    transaction."""
    end_to_end: Bins
    """From ``produce()`` until read back."""
    delay: Bins
    """Schedule delay: how late events were sent."""


def begin(
    db: Database,
    *,
    uuid: str,
    title: str,
    plan: str,
    environment: Mapping[str, Any],
    cluster: int,
    turns: int,
    expected_end_us: int,
    notes: Sequence[str],
    made_by: str,
) -> int:
    """Insert a comparison that begins now; returns its number.

    Raises:
        ComparisonRunning: another one is.
    """
    running = db.execute("SELECT id, title FROM comparisons WHERE state = 'running'").fetchone()
    if running is not None:
        raise ComparisonRunning(
            f"Comparison {running[0]} ({running[1]}) is running, and two at once would be each "
            f"other's noise. Wait until it is done, or cancel it."
        )
    cursor = db.execute(
        "INSERT INTO comparisons (uuid, title, plan, environment, cluster, state, turns, "
        "expected_end_us, notes, made_by, started_us) "
        "VALUES (?, ?, ?, ?, ?, 'running', ?, ?, ?, ?, ?)",
        [
            uuid,
            title,
            plan,
            json.dumps(environment),
            cluster,
            turns,
            expected_end_us,
            json.dumps(list(notes)),
            made_by,
            now_us(),
        ],
    )
    assert cursor.lastrowid is not None
    return cursor.lastrowid


def add_turn(db: Database, comparison: int, turn: Turn) -> None:
    """Keep a turn that has ended."""
    db.execute(
        "INSERT INTO comparison_turns (comparison, rate, round, profile, position, started_us, "
        "ended_us, measures, bins) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
        [
            comparison,
            turn.rate,
            turn.round,
            turn.profile,
            turn.position,
            turn.started_us,
            turn.ended_us,
            json.dumps(turn.measures.to_json()),
            json.dumps({"ack": turn.ack, "end_to_end": turn.end_to_end, "delay": turn.delay}),
        ],
    )


def set_progress(db: Database, comparison: int, progress: str, expected_end_us: int) -> None:
    """Say what it is at, and when it will be done."""
    db.execute(
        "UPDATE comparisons SET progress = ?, expected_end_us = ? WHERE id = ?",
        [progress, expected_end_us, comparison],
    )


def end(
    db: Database, comparison: int, state: State, reason: str | None, notes: Sequence[str] = ()
) -> None:
    """It is over; notes are added to those it has."""
    kept = db.execute("SELECT notes FROM comparisons WHERE id = ?", [comparison]).fetchone()
    if kept is None:
        return  # deleted meanwhile
    db.execute(
        "UPDATE comparisons SET state = ?, reason = ?, notes = ?, progress = NULL, "
        "expected_end_us = NULL, ended_us = ? WHERE id = ?",
        [state, reason, json.dumps([*json.loads(kept[0]), *notes]), now_us(), comparison],
    )


def end_open(db: Database, reason: str) -> list[int]:
    """Mark incomplete what an agent that died left running; returns those comparisons."""
    found = [row[0] for row in db.execute("SELECT id FROM comparisons WHERE state = 'running'")]
    for comparison in found:
        end(db, comparison, "incomplete", reason)
    return found


def delete(db: Database, comparison: int) -> bool:
    """Delete one that is over, with its turns; False if there is none such."""
    cursor = db.execute("DELETE FROM comparisons WHERE id = ? AND state <> 'running'", [comparison])
    return cursor.rowcount > 0
