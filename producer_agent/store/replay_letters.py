"""Dead letters as a replay plan reads them, and the order in which they are sent."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlite_utils import Database

from producer_agent.store.headers import Headers, headers_from_json


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
    fixed_convention: str | None = None
    default_target: str | None = None
    """What the policy of its topic said when it was read."""

    def is_of(self, cluster: int, is_real: bool) -> bool:
        """Whether it belongs to a cluster. Embedded ones, each gone with its agent, are one."""
        return self.cluster == cluster or (self.cluster_kind == "embedded" and not is_real)


def letters(db: Database, ids: Sequence[int]) -> list[LetterToReplay]:
    """Dead letters by row id, in the order of ``ids``; unknown ids are left out."""
    marks = ", ".join("?" * len(ids))
    rows = db.execute(
        'SELECT d.id, d.topic, d.partition, d."offset", d.timestamp_ms, b.key, b.value, b.headers, '
        "d.status, d.side, d.may_be_stored, d.times_back, r.state, r.plan, d.cluster, k.kind, "
        "d.fixed_convention, d.default_target "
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
