"""Who did what and when to one dead letter, told from the tables that hold it anyway."""

from __future__ import annotations

from dataclasses import dataclass

from sqlite_utils import Database


@dataclass(frozen=True, slots=True)
class HistoryEntry:
    """Something that happened to a letter."""

    at_us: int
    what: str
    """``stored``, ``status``, ``cause state``, ``cause note``, ``cause owner``, ``replay``,
    ``edit``, ``edit withdrawn``, ``came back``, or ``earlier life``."""
    who: str | None
    """None: the system."""
    why: str | None
    before: str | None = None
    after: str | None = None
    """The status, state, note or owner; of a replay its state."""
    detail: str | None = None
    """Of a replay: where it went, or why it did not; of an earlier life where that lay."""
    letter: int | None = None
    """Another letter that it is about: the earlier life, or the one that came back."""
    plan: int | None = None
    """Of a replay: a row id of ``replay_plans``."""
    command: int | None = None
    """A row id of ``commands``."""


def history(db: Database, letter: int) -> tuple[HistoryEntry, ...]:
    """Everything known of a letter, the newest first; empty if there is no such letter.

    Statuses that a command set (alone, by a filter or along with its cause) come from
    ``letter_actions``, replays from the ledger, edits from ``letter_edits``, earlier lives by
    ``previous``.
    """
    row = db.execute(
        'SELECT cause, stored_us, topic, partition, "offset" FROM dead_letters WHERE id = ?',
        [letter],
    ).fetchone()
    if row is None:
        return ()
    cause, stored_us, topic, partition, offset = row
    entries = [
        HistoryEntry(stored_us, "stored", None, None, detail=f"{topic}[{partition}]@{offset}"),
        *_actions(db, letter),
        *_cause_actions(db, cause),
        *_replays(db, letter),
        *_edits(db, letter),
        *_came_back(db, letter),
        *_earlier_lives(db, letter),
    ]
    # Of what happened in one microsecond the later written is the newer: the sort is stable.
    entries.reverse()
    entries.sort(key=lambda entry: -entry.at_us)
    return tuple(entries)


def _actions(db: Database, letter: int) -> list[HistoryEntry]:
    rows = db.execute(
        "SELECT a.at_us, c.who, c.why, a.before, a.after, a.command FROM letter_actions a "
        "LEFT JOIN commands c ON c.id = a.command WHERE a.letter = ? ORDER BY a.command",
        [letter],
    )
    return [
        HistoryEntry(at_us, "status", who, why, before, after, command=command)
        for at_us, who, why, before, after, command in rows.fetchall()
    ]


def _cause_actions(db: Database, cause: int) -> list[HistoryEntry]:
    rows = db.execute(
        "SELECT a.at_us, a.field, c.who, c.why, a.before, a.after, a.command FROM cause_actions a "
        "LEFT JOIN commands c ON c.id = a.command WHERE a.cause = ? ORDER BY a.command",
        [cause],
    )
    return [
        HistoryEntry(at_us, f"cause {field}", who, why, before, after, command=command)
        for at_us, field, who, why, before, after, command in rows.fetchall()
    ]


def _replays(db: Database, letter: int) -> list[HistoryEntry]:
    rows = db.execute(
        "SELECT coalesce(r.settled_us, r.planned_us), p.made_by, r.state, r.reason, "
        'r.target_topic, r.partition, r."offset", r.plan FROM replays r '
        "JOIN replay_plans p ON p.id = r.plan WHERE r.dead_letter = ? ORDER BY r.plan",
        [letter],
    )
    return [
        HistoryEntry(
            at_us,
            "replay",
            who,
            None,
            after=state,
            detail=reason or _place(topic, partition, offset),
            plan=plan,
        )
        for at_us, who, state, reason, topic, partition, offset, plan in rows.fetchall()
    ]


def _edits(db: Database, letter: int) -> list[HistoryEntry]:
    rows = db.execute(
        "SELECT made_us, withdrawn_us, who FROM letter_edits WHERE dead_letter = ? ORDER BY id",
        [letter],
    ).fetchall()
    found = [HistoryEntry(made_us, "edit", who, None) for made_us, _, who in rows]
    found += [
        HistoryEntry(withdrawn_us, "edit withdrawn", None, None)
        for _, withdrawn_us, _ in rows
        if withdrawn_us is not None
    ]
    return found


def _came_back(db: Database, letter: int) -> list[HistoryEntry]:
    """Replays of this letter that were read from a dead-letter topic again."""
    rows = db.execute(
        'SELECT stored_us, topic, partition, "offset", id FROM dead_letters WHERE previous = ? '
        "ORDER BY id",
        [letter],
    )
    return [
        HistoryEntry(
            at_us, "came back", None, None, detail=_place(topic, partition, offset), letter=id_
        )
        for at_us, topic, partition, offset, id_ in rows.fetchall()
    ]


def _earlier_lives(db: Database, letter: int) -> list[HistoryEntry]:
    rows = db.execute(
        "WITH RECURSIVE lives(id) AS ("
        "  SELECT previous FROM dead_letters WHERE id = ? AND previous IS NOT NULL UNION "
        "  SELECT d.previous FROM dead_letters d JOIN lives l ON d.id = l.id "
        "  WHERE d.previous IS NOT NULL) "
        'SELECT d.stored_us, d.topic, d.partition, d."offset", d.id FROM lives l '
        "JOIN dead_letters d ON d.id = l.id ORDER BY d.id",
        [letter],
    )
    return [
        HistoryEntry(
            at_us, "earlier life", None, None, detail=_place(topic, partition, offset), letter=id_
        )
        for at_us, topic, partition, offset, id_ in rows.fetchall()
    ]


def _place(topic: str | None, partition: int | None, offset: int | None) -> str | None:
    if topic is None or partition is None:
        return topic
    return f"{topic}[{partition}]" + ("" if offset is None else f"@{offset}")
