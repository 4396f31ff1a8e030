"""What changed on the cluster, who led a partition when, and since when a broker is missing."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import groupby
from typing import Any

from sqlite_utils import Database

from producer_agent.store.cluster_changes import PartitionState, numbers

_COLUMNS = "id, at_us, after_us, kind, broker, topic, partitions, detail"


@dataclass(frozen=True, slots=True)
class ChangeRow:
    """A change that was seen; ``kind`` and ``detail`` as ``store/cluster_changes.py`` tells."""

    id: int
    at_us: int
    after_us: int | None
    """The look before, so that it happened between the two; None: there was none."""
    kind: str
    broker: int | None
    topic: str | None
    partitions: int | None
    """How many changed, of the kinds that are about partitions."""
    detail: dict[str, Any]


@dataclass(frozen=True, slots=True)
class LeaderSpan:
    """A partition was led by one broker (None: by none) in ``[from_us, until_us)``."""

    partition: int
    leader: int | None
    from_us: int
    until_us: int


@dataclass(frozen=True, slots=True)
class StateThen:
    """A partition's state, and since when it was so (as far as it was watched)."""

    at_us: int
    state: PartitionState


def changes(
    db: Database,
    *,
    since_us: int | None = None,
    until_us: int | None = None,
    topic: str | None = None,
    broker: int | None = None,
    limit: int = 200,
) -> tuple[ChangeRow, ...]:
    """Changes seen in ``[since_us, until_us]``, the newest first.

    Args:
        topic: Only those that concern this topic: its own, those of brokers and of the whole
            cluster, and those summed over many topics.
        broker: Only those that concern this broker: its own, those of the whole cluster, and
            moves of partitions that name it.
        limit: At most so many.
    """
    where: list[str] = ["1"]
    values: list[Any] = []
    for condition, value in (("at_us >= ?", since_us), ("at_us <= ?", until_us)):
        if value is not None:
            where.append(condition)
            values.append(value)
    if topic is not None:
        where.append("(topic = ? OR topic IS NULL)")
        values.append(topic)
    if broker is not None:
        where.append(
            "(broker = ? OR (broker IS NULL AND topic IS NULL AND partitions IS NULL) OR EXISTS "
            "(SELECT 1 FROM json_each(detail, '$.moves') WHERE "
            "',' || replace(key, ' > ', ',') || ',' LIKE ?))"
        )
        values += [broker, f"%,{broker},%"]
    rows = db.execute(
        f"SELECT {_COLUMNS} FROM cluster_changes WHERE {' AND '.join(where)} "
        "ORDER BY at_us DESC, id DESC LIMIT ?",
        [*values, limit],
    )
    return tuple(_change(row) for row in rows)


def last_change(db: Database) -> int:
    """Number of the newest change, 0 before there was one: while it stays nothing changed."""
    return int(db.execute("SELECT coalesce(max(id), 0) FROM cluster_changes").fetchone()[0])


def topics_that_changed(db: Database, limit: int) -> tuple[str, ...]:
    """Names of topics that have a history of their own, by name."""
    rows = db.execute(
        "SELECT DISTINCT topic FROM cluster_changes WHERE topic IS NOT NULL ORDER BY topic LIMIT ?",
        [limit],
    )
    return tuple(str(row[0]) for row in rows)


def watched_since(db: Database) -> int | None:
    """Since when the present watch has gone on without a pause; None: nothing was ever seen."""
    row = db.execute("SELECT max(at_us) FROM cluster_changes WHERE kind = 'watch_began'").fetchone()
    return None if row[0] is None else int(row[0])


def watch_began_before(db: Database, at_us: int) -> int | None:
    """Since when the watch that went on at that time had gone on; None: nobody watched then."""
    row = db.execute(
        "SELECT max(at_us) FROM cluster_changes WHERE kind = 'watch_began' AND at_us <= ?", [at_us]
    ).fetchone()
    return None if row[0] is None else int(row[0])


def cluster_row(db: Database, cluster_id: str) -> int | None:
    """The row id of a cluster by its own id; None before it was registered."""
    row = db.execute("SELECT id FROM clusters WHERE cluster_id = ?", [cluster_id]).fetchone()
    return None if row is None else int(row[0])


def departures(db: Database, brokers: Iterable[int]) -> dict[int, ChangeRow]:
    """Of each of these brokers its last departure, where it has not come back since."""
    found: dict[int, ChangeRow] = {}
    for broker in brokers:
        row = db.execute(
            f"SELECT {_COLUMNS} FROM cluster_changes WHERE broker = ? "
            "AND kind IN ('broker_left', 'broker_joined') ORDER BY at_us DESC, id DESC LIMIT 1",
            [broker],
        ).fetchone()
        if row is not None and row[3] == "broker_left":
            found[broker] = _change(row)
    return found


def leaders(db: Database, topic: str, since_us: int, until_us: int) -> tuple[LeaderSpan, ...]:
    """Who led each partition of a topic in ``[since_us, until_us)``, by partition and time.

    Times in which no agent watched are in no span, as nobody knows.
    """
    pauses = [
        (int(after_us), int(at_us))
        for after_us, at_us in db.execute(
            "SELECT after_us, at_us FROM cluster_changes WHERE kind = 'watch_began' "
            "AND after_us IS NOT NULL AND at_us > ? AND after_us < ? ORDER BY at_us",
            [since_us, until_us],
        )
    ]
    spans: list[LeaderSpan] = []
    for partition, history in groupby(
        _states(db, topic, since_us, until_us), key=lambda then: then.state.partition
    ):
        states = list(history)
        ends = [then.at_us for then in states[1:]] + [until_us]
        for then, end_us in zip(states, ends, strict=True):
            if not then.state.replicas:
                continue
            begin_us = max(then.at_us, since_us)
            for piece_from_us, piece_until_us in _without(begin_us, end_us, pauses):
                last = spans[-1] if spans else None
                if (
                    last is not None
                    and last.partition == partition
                    and last.leader == then.state.leader
                    and last.until_us == piece_from_us
                ):
                    piece_from_us = spans.pop().from_us
                spans.append(
                    LeaderSpan(partition, then.state.leader, piece_from_us, piece_until_us)
                )
    return tuple(spans)


def states_between(
    db: Database, topic: str, partition: int, since_us: int, until_us: int
) -> tuple[StateThen, ...]:
    """The states of one partition in ``[since_us, until_us]``, that at its beginning first."""
    return tuple(_states(db, topic, since_us, until_us, partition))


def topic_states(db: Database, topic: str, since_us: int, until_us: int) -> tuple[StateThen, ...]:
    """Likewise of each of its partitions."""
    return tuple(_states(db, topic, since_us, until_us))


def _states(
    db: Database, topic: str, since_us: int, until_us: int, partition: int | None = None
) -> list[StateThen]:
    where, values = "s.topic = ?", [topic]
    if partition is not None:
        where += " AND s.partition = ?"
        values.append(partition)  # type: ignore[arg-type]
    rows = db.execute(
        "SELECT s.partition, s.at_us, s.leader, s.isrs, s.replicas FROM partition_states s "
        f"WHERE {where} AND s.at_us <= ? AND s.at_us >= coalesce((SELECT max(at_us) "
        "FROM partition_states e WHERE e.topic = s.topic AND e.partition = s.partition "
        "AND e.at_us <= ?), 0) ORDER BY s.partition, s.at_us",
        [*values, until_us, since_us],
    )
    return [
        StateThen(at_us, PartitionState(topic, number, leader, numbers(isrs), numbers(replicas)))
        for number, at_us, leader, isrs, replicas in rows
    ]


def _without(from_us: int, until_us: int, pauses: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """The pieces of ``[from_us, until_us)`` that lie in no pause."""
    pieces = []
    for pause_from_us, pause_until_us in pauses:
        if pause_from_us > from_us:
            pieces.append((from_us, min(pause_from_us, until_us)))
        from_us = max(from_us, pause_until_us)
    pieces.append((from_us, until_us))
    return [piece for piece in pieces if piece[0] < piece[1]]


def _change(row: tuple[Any, ...]) -> ChangeRow:
    number, at_us, after_us, kind, broker, topic, partitions, detail = row
    return ChangeRow(number, at_us, after_us, kind, broker, topic, partitions, json.loads(detail))
