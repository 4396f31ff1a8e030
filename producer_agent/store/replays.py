"""The replay ledger: one row a record of a plan, written before anything is sent.

States of a row: ``planned`` → ``intent`` (it may be on its way) → ``done``, or back to ``planned``
when the transaction that carried it is known to be void; ``unknown`` while nobody can tell; and
``refused``, ``already`` (it lay on its target before), ``failed`` and ``cancelled``, in which
nothing was sent. A unique index lets one record have only one row that is under way or done.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from sqlite_utils import Database

from producer_agent.store.clock import now_us
from producer_agent.store.database import connection
from producer_agent.store.headers import Headers, headers_from_json, headers_to_json
from producer_agent.store.letter_status import set_status
from producer_agent.store.queries.letter_filter import REPLAYABLE_STATUSES

LIVE = ("intent", "done", "unknown")
"""States in which a record may be on its target, or is: no second replay of it may begin."""


@dataclass(frozen=True, slots=True)
class PlannedRecord:
    """A ledger row as the planner writes it."""

    sequence: int
    dead_letter: int
    status_before: str
    edit: int | None
    headers: Headers | None
    own_bytes: bool
    target_topic: str | None
    target_partition: int | None
    state: str
    """``planned``, ``refused`` or ``already``."""
    reason: str | None


class RecordToSend(NamedTuple):
    """A ledger row as the runner reads it, with the bytes that are to be sent where they are the
    dead letter's own. A tuple, as fifty thousand are read in two seconds."""

    sequence: int
    dead_letter: int
    edit: int | None
    topic: str
    partition: int | None
    own_bytes: bool
    key: bytes | None
    value: bytes | None
    headers: Headers | None
    """What it is sent with, the replay's own included; None: to be read from the original."""


@dataclass(frozen=True, slots=True)
class Settled:
    """What came of a ledger row."""

    sequence: int
    state: str
    reason: str | None = None
    partition: int | None = None
    offset: int | None = None


def plan_and_sequence(db: Database, told: str) -> tuple[int, int] | None:
    """The ledger row of a replay id, ``<uuid of the plan>-<sequence>``; None if it is not of this
    board."""
    uuid, _, number = told.partition("-")
    sequence = int(number) if number.isascii() and number.isdecimal() and len(number) < 19 else 0
    row = db.execute("SELECT id FROM replay_plans WHERE uuid = ?", [uuid]).fetchone()
    return None if row is None else (int(row[0]), sequence)


def write_planned(db: Database, plan: int, records: Sequence[PlannedRecord]) -> None:
    """Add rows to a plan that is being made."""
    at_us = now_us()
    connection(db).executemany(
        "INSERT INTO replays (plan, sequence, dead_letter, status_before, edit, "
        "own_bytes, target_topic, target_partition, state, reason, planned_us) "
        "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        [
            (
                plan,
                record.sequence,
                record.dead_letter,
                record.status_before,
                record.edit,
                record.own_bytes,
                record.target_topic,
                record.target_partition,
                record.state,
                record.reason,
                at_us,
            )
            for record in records
        ],
    )
    connection(db).executemany(
        "INSERT INTO replay_headers (plan, sequence, headers) VALUES (?, ?, ?)",
        [
            (plan, record.sequence, headers_to_json(record.headers))
            for record in records
            if record.headers is not None
        ],
    )
    db.execute("UPDATE replay_plans SET records = records + ? WHERE id = ?", [len(records), plan])


def clear_plan(db: Database, plan: int) -> None:
    """Drop the rows of a plan whose making was cut off, so that it can be made again."""
    db.execute("DELETE FROM replays WHERE plan = ?", [plan])
    db.execute("DELETE FROM replay_headers WHERE plan = ?", [plan])
    db.execute("UPDATE replay_plans SET records = 0, landed = 0 WHERE id = ?", [plan])


def find_already(db: Database, plan: int, found: Sequence[tuple[int, int, int]]) -> None:
    """Rows (``sequence, partition, offset``) whose records were found on their target."""
    connection(db).executemany(
        "UPDATE replays SET state = 'already', partition = ?, \"offset\" = ?, "
        "reason = 'it was found on its target' "
        "WHERE plan = ? AND sequence = ? AND state = 'planned'",
        [(partition, offset, plan, sequence) for sequence, partition, offset in found],
    )


def begin(db: Database, plan: int) -> None:
    """The plan is run: letters that lie on their target already need nothing more."""
    set_status(
        db,
        "resolved",
        "SELECT dead_letter FROM replays WHERE plan = ? AND state = 'already'",
        [plan],
        only_from=("new", "acknowledged"),
    )


def intend(
    db: Database, plan: int, batch: int, most: int, most_bytes: int, tell: bool
) -> tuple[int, int] | None:
    """Mark the next planned records as being sent with ``batch``; returns the first and the last
    sequence, or None if nothing is left.

    A record that meanwhile has a live replay in another plan, or was archived, is refused here:
    this is where two people who click at once are told apart.

    Args:
        db: The database.
        plan: Row id.
        batch: The transaction's number.
        most, most_bytes: How large it may be.
        tell: Give the letters the status ``replaying`` too.
    """
    while True:
        found = _next_stretch(db, plan, most, most_bytes)
        if found is None:
            return None
        first, last = found
        stretch = [plan, first, last]
        db.execute(
            "UPDATE replays SET state = 'refused', settled_us = ?, reason = (SELECT 'plan ' || "
            f"o.plan || ' sends or sent it' FROM replays o WHERE {_LIVE_TWIN}) "
            "WHERE plan = ? AND state = 'planned' AND sequence BETWEEN ? AND ? "
            f"AND EXISTS (SELECT 1 FROM replays o WHERE {_LIVE_TWIN})",
            [now_us(), *stretch],
        )
        db.execute(
            "UPDATE replays SET state = 'refused', settled_us = ?, "
            "reason = 'it was archived after the plan was made' "
            "WHERE plan = ? AND state = 'planned' AND sequence BETWEEN ? AND ? AND EXISTS "
            "(SELECT 1 FROM dead_letters d WHERE d.id = dead_letter AND d.status = 'archived')",
            [now_us(), *stretch],
        )
        db.execute(
            "UPDATE replays SET state = 'refused', settled_us = ?1, "
            "reason = 'somebody began to edit it after the plan was made' "
            "WHERE EXISTS (SELECT 1 FROM letter_edit_locks WHERE until_us > ?1) "
            "AND plan = ?2 AND state = 'planned' AND sequence BETWEEN ?3 AND ?4 AND EXISTS "
            "(SELECT 1 FROM letter_edit_locks l "
            "WHERE l.dead_letter = replays.dead_letter AND l.until_us > ?1)",
            [now_us(), *stretch],
        )
        cursor = db.execute(
            "UPDATE replays SET state = 'intent', batch = ? "
            "WHERE plan = ? AND state = 'planned' AND sequence BETWEEN ? AND ?",
            [batch, *stretch],
        )
        if cursor.rowcount:
            break
    if tell:
        set_status(
            db,
            "replaying",
            "SELECT dead_letter FROM replays WHERE plan = ? AND sequence BETWEEN ? AND ? "
            "AND state = 'intent'",
            stretch,
            only_from=REPLAYABLE_STATUSES,
        )
    return first, last


_LIVE_TWIN = (
    "o.dead_letter = replays.dead_letter AND o.plan <> replays.plan "
    "AND o.state IN ('intent', 'done', 'unknown')"
)


def _next_stretch(db: Database, plan: int, most: int, most_bytes: int) -> tuple[int, int] | None:
    """First and last sequence of the next planned records, at least one."""
    first, last = db.execute(
        "SELECT min(sequence), max(CASE WHEN total <= ? OR total = size THEN sequence END) FROM "
        "(SELECT sequence, size, sum(size) OVER (ORDER BY sequence) AS total FROM "
        "(SELECT r.sequence, d.size FROM replays r JOIN dead_letters d ON d.id = r.dead_letter "
        "WHERE r.plan = ? AND r.state = 'planned' ORDER BY r.sequence LIMIT ?))",
        [most_bytes, plan, most],
    ).fetchone()
    return None if first is None else (first, last)


def to_send(db: Database, plan: int, first: int, last: int) -> list[RecordToSend]:
    """The records under way of a stretch, with the bytes to send, in the order of the plan."""
    records: list[RecordToSend] = []
    for row in db.execute(
        "SELECT r.sequence, r.dead_letter, r.edit, r.target_topic, r.target_partition, "
        "r.own_bytes, b.key, b.value, h.headers FROM replays r "
        "LEFT JOIN replay_headers h ON h.plan = r.plan AND h.sequence = r.sequence "
        "LEFT JOIN dead_letter_records b ON b.letter = r.dead_letter AND r.own_bytes "
        "WHERE r.plan = ? AND r.sequence BETWEEN ? AND ? AND r.state = 'intent' "
        "ORDER BY r.sequence",
        [plan, first, last],
    ):
        sequence, letter, edit, topic, partition, own_bytes, key, value, headers = row
        kept = None if headers is None else headers_from_json(headers)
        records.append(
            RecordToSend(sequence, letter, edit, topic, partition, own_bytes == 1, key, value, kept)
        )
    return records


def settle(db: Database, plan: int, outcomes: Sequence[Settled], tell: bool = True) -> None:
    """Write what came of rows, and the status that follows for their dead letters.

    ``planned`` puts a row back: nothing of it was sent. Without ``tell`` the letters of ``done``
    keep their status until :func:`tell_done`.
    """
    at_us = now_us()
    many = connection(db).executemany
    done = [each for each in outcomes if each.state == "done"]
    void = [each for each in outcomes if each.state != "done"]
    # One statement for all of a batch: a row at a time, each would hand the interpreter over and
    # wait to get it back from the thread that is sending.
    db.execute(
        "CREATE TEMP TABLE IF NOT EXISTS landed "
        '(sequence INTEGER PRIMARY KEY, reason TEXT, partition INTEGER, "offset" INTEGER)'
    )
    db.execute("DELETE FROM landed")
    db.execute(
        "INSERT INTO landed SELECT value ->> 0, value ->> 1, value ->> 2, value ->> 3 "
        "FROM json_each(?)",
        [json.dumps([(each.sequence, each.reason, each.partition, each.offset) for each in done])],
    )
    landed = db.execute(
        "UPDATE replays SET state = 'done', settled_us = ?, (reason, partition, \"offset\") = "
        '(SELECT reason, partition, "offset" FROM landed l WHERE l.sequence = replays.sequence) '
        "WHERE plan = ? AND sequence IN (SELECT sequence FROM landed) AND state <> 'done'",
        [at_us, plan],
    )
    db.execute("UPDATE replay_plans SET landed = landed + ? WHERE id = ?", [landed.rowcount, plan])
    many(
        "UPDATE replays SET state = ?1, reason = ?2, settled_us = CASE WHEN ?1 <> 'planned' "
        "THEN ?3 END, batch = CASE WHEN ?1 <> 'planned' THEN batch END "
        "WHERE plan = ?4 AND sequence = ?5",
        [(each.state, each.reason, at_us, plan, each.sequence) for each in void],
    )
    if tell and done:
        tell_done(db, plan, min(each.sequence for each in done) - 1, len(done) + len(void))
    # What went back is told by the row itself, as another person may have moved it meanwhile.
    many(
        "UPDATE dead_letters SET status = (SELECT r.status_before FROM replays r "
        "WHERE r.plan = ?1 AND r.sequence = ?2) WHERE status = 'replaying' AND id = "
        "(SELECT r.dead_letter FROM replays r WHERE r.plan = ?1 AND r.sequence = ?2)",
        [(plan, each.sequence) for each in void if each.state != "unknown"],
    )


def tell_done(db: Database, plan: int, after: int, most: int) -> int | None:
    """Give the letters of up to ``most`` records that are done, beyond sequence ``after``, the
    status ``replayed``; returns the last sequence looked at, or None if there was none."""
    row = db.execute(
        "SELECT max(sequence) FROM (SELECT sequence FROM replays WHERE plan = ? "
        "AND state = 'done' AND sequence > ? ORDER BY sequence LIMIT ?)",
        [plan, after, most],
    ).fetchone()
    if row[0] is None:
        return None
    set_status(
        db,
        "replayed",
        "SELECT dead_letter FROM replays WHERE plan = ? AND state = 'done' "
        "AND sequence > ? AND sequence <= ?",
        [plan, after, row[0]],
        only_from=(*REPLAYABLE_STATUSES, "replaying"),
    )
    return int(row[0])


def open_rows(db: Database, plan: int) -> list[tuple[int, str, int | None]]:
    """Rows that may be under way: ``(sequence, target topic, batch)``."""
    rows = db.execute(
        "SELECT sequence, target_topic, batch FROM replays "
        "WHERE plan = ? AND state IN ('intent', 'unknown') ORDER BY sequence",
        [plan],
    )
    return [(row[0], row[1], row[2]) for row in rows.fetchall()]


def reached(db: Database, plan: int) -> dict[tuple[str, int], int]:
    """The offset after the last record of this plan that is known to lie on each partition."""
    rows = db.execute(
        'SELECT target_topic, partition, max("offset") + 1 FROM replays '
        "WHERE plan = ? AND state = 'done' AND \"offset\" IS NOT NULL "
        "GROUP BY target_topic, partition",
        [plan],
    )
    return {(row[0], row[1]): row[2] for row in rows.fetchall()}


def targets(db: Database, plan: int) -> list[str]:
    """The topics that a plan's records are to be sent to."""
    rows = db.execute(
        "SELECT DISTINCT target_topic FROM replays "
        "WHERE plan = ? AND target_topic IS NOT NULL AND state NOT IN ('refused', 'already')",
        [plan],
    )
    return sorted(row[0] for row in rows.fetchall())


def last_batch(db: Database, plan: int) -> int | None:
    """The highest batch that any row of the plan went with."""
    row = db.execute("SELECT max(batch) FROM replays WHERE plan = ?", [plan]).fetchone()
    return None if row[0] is None else int(row[0])


def cancel_planned(db: Database, plan: int) -> int:
    """What was not sent yet never will be; returns how many."""
    cursor = db.execute(
        "UPDATE replays SET state = 'cancelled', reason = 'the plan was cancelled', "
        "settled_us = ? WHERE plan = ? AND state = 'planned'",
        [now_us(), plan],
    )
    return int(cursor.rowcount)


def leave_open(db: Database, plan: int, reason: str) -> None:
    """The plan is over, and nobody could tell of these whether they arrived."""
    db.execute(
        "UPDATE replays SET state = 'unknown', reason = ?, settled_us = ? "
        "WHERE plan = ? AND state = 'intent'",
        [reason, now_us(), plan],
    )


def sent_and_back(db: Database, plan: int) -> tuple[int, int]:
    """How many of the plan's records are on their target, and how many of them came back."""
    row = db.execute("SELECT landed FROM replay_plans WHERE id = ?", [plan]).fetchone()
    return int(row[0]), came_back(db, plan)


def came_back(db: Database, plan: int) -> int:
    """How many of the plan's records were read from a dead-letter topic again."""
    row = db.execute(
        "SELECT count(*) FROM replays WHERE plan = ? AND came_back_us IS NOT NULL", [plan]
    ).fetchone()
    return int(row[0])
