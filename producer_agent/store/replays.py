"""The replay ledger: one row a record of a plan, written before anything is sent.

States of a row: ``planned`` → ``intent`` (it may be on its way) → ``done``, or back to ``planned``
when the transaction that carried it is known to be void; ``unknown`` while nobody can tell; and
``refused``, ``already`` (it lay on its target before), ``failed`` and ``cancelled``, in which
nothing was sent. A unique index lets one record have only one row that is under way or done.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlite_utils import Database

from producer_agent.store.clock import now_us
from producer_agent.store.database import connection
from producer_agent.store.headers import Headers, headers_from_json, headers_to_json

LIVE = ("intent", "done", "unknown")
"""States in which a record may be on its target, or is: no second replay of it may begin."""


@dataclass(frozen=True, slots=True)
class LetterToReplay:
    """A dead letter as the planner reads it."""

    id: int
    topic: str
    partition: int
    offset: int
    timestamp_ms: int | None
    key: bytes | None
    value: bytes | None
    headers: Headers
    status: str
    side: str
    may_be_stored: bool
    times_back: int
    live: str | None
    """State of the replay of it that is under way, done, or not known."""
    live_plan: int | None
    cluster: int
    """Row id of the cluster that it was read from."""
    cluster_kind: str

    def is_of(self, cluster: int, is_real: bool) -> bool:
        """Whether it belongs to a cluster. Embedded ones, each gone with its agent, are one."""
        return self.cluster == cluster or (self.cluster_kind == "embedded" and not is_real)


@dataclass(frozen=True, slots=True)
class PlannedRecord:
    """A ledger row as the planner writes it."""

    sequence: int
    replay_id: str
    dead_letter: int
    edit: int | None
    headers: Headers | None
    own_bytes: bool
    target_topic: str | None
    target_partition: int | None
    state: str
    """``planned``, ``refused`` or ``already``."""
    reason: str | None
    partition: int | None = None
    offset: int | None = None


@dataclass(frozen=True, slots=True)
class RecordToSend:
    """A ledger row as the runner reads it, with the bytes that are to be sent where they are the
    dead letter's own."""

    row: int
    sequence: int
    replay_id: str
    dead_letter: int
    edit: int | None
    topic: str
    partition: int | None
    own_bytes: bool
    key: bytes | None
    value: bytes | None
    headers: Headers | None
    times_back: int


@dataclass(frozen=True, slots=True)
class Settled:
    """What came of a ledger row."""

    row: int
    state: str
    reason: str | None = None
    partition: int | None = None
    offset: int | None = None


def letters(db: Database, ids: Sequence[int]) -> list[LetterToReplay]:
    """Dead letters by row id, in the order of ``ids``; unknown ids are left out."""
    marks = ", ".join("?" * len(ids))
    rows = db.execute(
        'SELECT d.id, d.topic, d.partition, d."offset", d.timestamp_ms, b.key, b.value, b.headers, '
        "d.status, d.side, d.may_be_stored, d.times_back, r.state, r.plan, d.cluster, k.kind "
        "FROM dead_letters d JOIN dead_letter_records b ON b.letter = d.id "
        "JOIN clusters k ON k.id = d.cluster "
        "LEFT JOIN replays r ON r.dead_letter = d.id AND r.state IN ('intent', 'done', 'unknown') "
        f"WHERE d.id IN ({marks})",
        list(ids),
    )
    found: dict[int, LetterToReplay] = {}
    for row in rows:
        values = list(row)
        values[7] = headers_from_json(values[7])
        values[10] = values[10] == 1
        found[row[0]] = LetterToReplay(*values)
    return [found[letter] for letter in ids if letter in found]


def sizes(db: Database, ids: Sequence[int]) -> dict[int, int]:
    """Bytes of key and value by letter."""
    found: dict[int, int] = {}
    for start in range(0, len(ids), 500):
        some = ids[start : start + 500]
        marks = ", ".join("?" * len(some))
        found.update(
            db.execute(
                f"SELECT id, size FROM dead_letters WHERE id IN ({marks})", list(some)
            ).fetchall()
        )
    return found


def in_sending_order(db: Database, ids: Sequence[int]) -> list[int]:
    """These letters in the order in which their originals were: by original topic, partition and
    offset where those are told, else in the order in which they were dead-lettered. So records of
    one key keep their order."""
    order: list[tuple[object, ...]] = []
    for start in range(0, len(ids), 500):
        some = ids[start : start + 500]
        marks = ", ".join("?" * len(some))
        order += db.execute(
            'SELECT original_topic, original_partition, original_offset, topic, partition, "offset"'
            f", id, run_uuid, sequence, timestamp_ms FROM dead_letters WHERE id IN ({marks})",
            list(some),
        ).fetchall()
    return [int(str(row[6])) for row in sorted(order, key=_sending_key)]


def _sending_key(row: tuple[object, ...]) -> tuple[object, ...]:
    original, partition, offset, topic, dead_partition, dead_offset, letter, run, seq, at_ms = row
    if offset is not None:
        return (str(original or ""), 0, partition or 0, offset, "", 0, 0, letter)
    if run is not None and seq is not None:
        return (str(original or ""), 1, 0, 0, run, seq, 0, letter)
    return (str(original or ""), 2, dead_partition, dead_offset, topic, 0, at_ms or 0, letter)


def write_planned(db: Database, plan: int, records: Sequence[PlannedRecord]) -> None:
    """Add rows to a plan that is being made."""
    at_us = now_us()
    connection(db).executemany(
        "INSERT INTO replays (plan, sequence, replay_id, dead_letter, edit, headers, own_bytes, "
        'target_topic, target_partition, state, reason, partition, "offset", planned_us) '
        "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        [
            (
                plan,
                record.sequence,
                record.replay_id,
                record.dead_letter,
                record.edit,
                None if record.headers is None else headers_to_json(record.headers),
                record.own_bytes,
                record.target_topic,
                record.target_partition,
                record.state,
                record.reason,
                record.partition,
                record.offset,
                at_us,
            )
            for record in records
        ],
    )


def clear_plan(db: Database, plan: int) -> None:
    """Drop the rows of a plan whose making was cut off, so that it can be made again."""
    db.execute("DELETE FROM replays WHERE plan = ? AND settled_us IS NULL", [plan])


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
    db.execute(
        "UPDATE dead_letters SET status = 'resolved' WHERE status IN ('new', 'acknowledged') "
        "AND id IN (SELECT dead_letter FROM replays WHERE plan = ? AND state = 'already')",
        [plan],
    )


def intend(db: Database, plan: int, batch: int, most: int, most_bytes: int) -> list[int]:
    """Mark the next planned records as being sent with ``batch``; returns their row ids.

    A record that meanwhile has a live replay in another plan, or was archived, is refused here:
    this is where two people who click at once are told apart.
    """
    at_us = now_us()
    rows = db.execute(
        "SELECT r.id, d.size, d.status, o.plan FROM replays r "
        "JOIN dead_letters d ON d.id = r.dead_letter "
        "LEFT JOIN replays o ON o.dead_letter = r.dead_letter "
        "AND o.state IN ('intent', 'done', 'unknown') "
        "WHERE r.plan = ? AND r.state = 'planned' ORDER BY r.sequence LIMIT ?",
        [plan, most],
    ).fetchall()
    chosen: list[int] = []
    refused: list[tuple[str, int, int]] = []
    total = 0
    for row, size, status, other in rows:
        if other is not None:
            refused.append((f"plan {other} sends or sent it", at_us, row))
        elif status == "archived":
            refused.append(("it was archived after the plan was made", at_us, row))
        else:
            total += size
            if chosen and total > most_bytes:
                break
            chosen.append(row)
    if refused:
        connection(db).executemany(
            "UPDATE replays SET state = 'refused', reason = ?, settled_us = ? WHERE id = ?", refused
        )
    connection(db).executemany(
        "UPDATE replays SET state = 'intent', batch = ?, settled_us = NULL, status_before = "
        "coalesce(status_before, (SELECT status FROM dead_letters d WHERE d.id = dead_letter)) "
        "WHERE id = ?",
        [(batch, row) for row in chosen],
    )
    db.execute(
        "UPDATE dead_letters SET status = 'replaying' WHERE id IN "
        "(SELECT dead_letter FROM replays WHERE plan = ? AND batch = ? AND state = 'intent')",
        [plan, batch],
    )
    if refused and not chosen:
        return intend(db, plan, batch, most, most_bytes)
    return chosen


def to_send(db: Database, rows: Sequence[int]) -> list[RecordToSend]:
    """Ledger rows with the bytes to send, in the order of the plan."""
    records: list[RecordToSend] = []
    for start in range(0, len(rows), 500):
        some = rows[start : start + 500]
        marks = ", ".join("?" * len(some))
        for row in db.execute(
            "SELECT r.id, r.sequence, r.replay_id, r.dead_letter, r.edit, r.target_topic, "
            "r.target_partition, r.own_bytes, b.key, b.value, r.headers, d.times_back "
            "FROM replays r JOIN dead_letters d ON d.id = r.dead_letter "
            "LEFT JOIN dead_letter_records b ON b.letter = r.dead_letter AND r.own_bytes "
            f"WHERE r.id IN ({marks}) ORDER BY r.sequence",
            list(some),
        ):
            values = list(row)
            values[7] = values[7] == 1
            values[10] = None if values[10] is None else headers_from_json(values[10])
            records.append(RecordToSend(*values))
    return records


def settle(db: Database, plan: int, outcomes: Sequence[Settled]) -> None:
    """Write what came of rows, and the status that follows for their dead letters.

    ``planned`` puts a row back: nothing of it was sent.
    """
    at_us = now_us()
    connection(db).executemany(
        'UPDATE replays SET state = ?, reason = ?, partition = ?, "offset" = ?, '
        "settled_us = CASE WHEN ? <> 'planned' THEN ? END, "
        "batch = CASE WHEN ? <> 'planned' THEN batch END WHERE id = ? AND plan = ?",
        [
            (
                outcome.state,
                outcome.reason,
                outcome.partition,
                outcome.offset,
                outcome.state,
                at_us,
                outcome.state,
                outcome.row,
                plan,
            )
            for outcome in outcomes
        ],
    )
    done = [(o.row,) for o in outcomes if o.state == "done"]
    void = [(o.row,) for o in outcomes if o.state in ("planned", "failed", "cancelled", "refused")]
    connection(db).executemany(
        "UPDATE dead_letters SET status = 'replayed' WHERE id = "
        "(SELECT dead_letter FROM replays WHERE id = ?)",
        done,
    )
    connection(db).executemany(
        "UPDATE dead_letters SET status = coalesce((SELECT status_before FROM replays "
        "WHERE id = ?1), 'new') WHERE status = 'replaying' AND id = "
        "(SELECT dead_letter FROM replays WHERE id = ?1)",
        void,
    )


def open_rows(db: Database, plan: int) -> list[tuple[int, int, str, int | None]]:
    """Rows that may be under way: ``(row, sequence, target topic, batch)``."""
    rows = db.execute(
        "SELECT id, sequence, target_topic, batch FROM replays "
        "WHERE plan = ? AND state IN ('intent', 'unknown') ORDER BY sequence",
        [plan],
    )
    return [tuple(row) for row in rows.fetchall()]


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


def next_planned(db: Database, plan: int) -> bool:
    """Whether something is left to send."""
    row = db.execute(
        "SELECT 1 FROM replays WHERE plan = ? AND state = 'planned' LIMIT 1", [plan]
    ).fetchone()
    return row is not None


def cancel_planned(db: Database, plan: int) -> int:
    """What was not sent yet never will be; returns how many."""
    cursor = db.execute(
        "UPDATE replays SET state = 'cancelled', reason = 'the plan was cancelled', "
        "settled_us = ? WHERE plan = ? AND state = 'planned'",
        [now_us(), plan],
    )
    return int(cursor.rowcount)


def sent_and_back(db: Database, plan: int) -> tuple[int, int]:
    """How many of the plan's records are on their target, and how many of them came back."""
    sent = db.execute(
        "SELECT count(*) FROM replays WHERE plan = ? AND state = 'done'", [plan]
    ).fetchone()[0]
    return int(sent), came_back(db, plan)


def came_back(db: Database, plan: int) -> int:
    """How many of the plan's records were read from a dead-letter topic again."""
    row = db.execute(
        "SELECT count(*) FROM replays WHERE plan = ? AND came_back_us IS NOT NULL", [plan]
    ).fetchone()
    return int(row[0])
