"""Recording what changed on the cluster: changes for people, partition states for computation.

=================== =============== ================================================================
kind                about           ``detail``
=================== =============== ================================================================
watch_began         the cluster     ``brokers`` (ids)
cluster_unreachable the cluster     ``error``
cluster_reachable   the cluster     ``brokers`` (ids)
broker_joined       ``broker``      ``address``
broker_left         ``broker``      ``address``
controller_changed  ``broker`` now  ``before``, ``after`` (ids or null)
topic_created       ``topic``       ``partitions``, ``replication_factor``
topic_deleted       ``topic``       ``partitions``
partitions_added    ``topic``       ``before``, ``after`` (how many)
leaders_changed     ``topic``       ``moves``: ``{"1 > 2": [0, 3]}`` partitions by old and new
                                    leader, ``none`` where there is none
isr_shrank          ``topic``       ``moves``: ``{"1,2,3 > 1,2": [0, 3]}``
isr_grew            ``topic``       likewise
replicas_changed    ``topic``       likewise
setting_changed     ``topic``       ``name``, ``before``, ``after`` (texts)
=================== =============== ================================================================

Kinds of partitions have ``partitions``, how many changed; ``moves`` lists at most
:data:`LISTED_PARTITIONS` of them. Where more than :data:`LISTED_TOPICS` topics changed in one look
they are one row without a topic, whose ``detail`` says how many (``topics``) and sums ``moves`` as
``{"1 > 2": 4711}``.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlite_utils import Database

from producer_agent.store.database import connection

LISTED_PARTITIONS = 50
LISTED_TOPICS = 50

KEPT_S = 14 * 86_400.0
"""How long changes and states are kept; the state at that time stays as the one to begin with."""

MOST_CHANGES = 100_000
MOST_STATES = 500_000
"""Rows beyond which the oldest go although they are younger."""

STEP_ROWS = 5_000


@dataclass(frozen=True, slots=True)
class Change:
    """One change, as this module's table describes it."""

    kind: str
    broker: int | None = None
    topic: str | None = None
    partitions: int | None = None
    detail: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class PartitionState:
    """A partition at one moment. Without replicas it is gone."""

    topic: str
    partition: int
    leader: int | None
    isrs: tuple[int, ...]
    replicas: tuple[int, ...]


def add_changes(
    db: Database, cluster: int | None, at_us: int, after_us: int | None, changes: Iterable[Change]
) -> None:
    """Write what one look saw.

    Args:
        cluster: Row id of the cluster; None where none was reached yet.
        at_us: When it was seen.
        after_us: The look before, so that it happened between the two; None of the first look.
        changes: In the order in which they are told.
    """
    connection(db).executemany(
        "INSERT INTO cluster_changes (cluster, at_us, after_us, kind, broker, topic, partitions, "
        "detail) VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
        [
            (
                cluster,
                at_us,
                after_us,
                change.kind,
                change.broker,
                change.topic,
                change.partitions,
                json.dumps(change.detail),
            )
            for change in changes
        ],
    )


def add_states(db: Database, cluster: int, at_us: int, states: Sequence[PartitionState]) -> None:
    """Write partitions that are seen for the first time, or otherwise than before."""
    connection(db).executemany(
        "INSERT OR REPLACE INTO partition_states "
        "(topic, partition, at_us, cluster, leader, isrs, replicas) VALUES (?, ?, ?, ?, ?, ?, ?)",
        [
            (
                state.topic,
                state.partition,
                at_us,
                cluster,
                state.leader,
                _text(state.isrs),
                _text(state.replicas),
            )
            for state in states
        ],
    )


def last_states(db: Database) -> dict[tuple[str, int], tuple[int, PartitionState]]:
    """``{(topic, partition): (cluster's row id, state)}`` as last recorded, gone ones left out."""
    rows = db.execute(
        "SELECT topic, partition, cluster, leader, isrs, replicas, max(at_us) "
        "FROM partition_states GROUP BY topic, partition"
    ).fetchall()
    return {
        (topic, partition): (
            cluster,
            PartitionState(topic, partition, leader, numbers(isrs), numbers(replicas)),
        )
        for topic, partition, cluster, leader, isrs, replicas, _at_us in rows
        if replicas
    }


def trim(db: Database, now_s: float) -> int:
    """Delete one step of what is past its time or beyond its number; returns how many rows."""
    return _trim_changes(db, now_s) + _trim_states(db, now_s)


def numbers(text: str) -> tuple[int, ...]:
    """Broker ids of a column with commas between."""
    return tuple(int(number) for number in text.split(",")) if text else ()


def _trim_changes(db: Database, now_s: float) -> int:
    before_us = _cutoff(db, "cluster_changes", MOST_CHANGES, now_s)
    return int(
        db.execute(
            "DELETE FROM cluster_changes WHERE id IN "
            "(SELECT id FROM cluster_changes WHERE at_us < ? ORDER BY at_us LIMIT ?)",
            [before_us, STEP_ROWS],
        ).rowcount
    )


def _trim_states(db: Database, now_s: float) -> int:
    before_us = _cutoff(db, "partition_states", MOST_STATES, now_s)
    # What was the state at the cut stays, unless the partition was gone by then.
    return int(
        db.execute(
            "DELETE FROM partition_states WHERE (topic, partition, at_us) IN "
            "(SELECT s.topic, s.partition, s.at_us FROM partition_states s "
            " WHERE s.at_us < :before AND (s.replicas = '' OR EXISTS "
            "  (SELECT 1 FROM partition_states later WHERE later.topic = s.topic "
            "   AND later.partition = s.partition AND later.at_us > s.at_us "
            "   AND later.at_us < :before)) "
            " ORDER BY s.at_us LIMIT :step)",
            {"before": before_us, "step": STEP_ROWS},
        ).rowcount
    )


def _cutoff(db: Database, table: str, most: int, now_s: float) -> int:
    by_number = db.execute(
        f"SELECT at_us FROM {table} ORDER BY at_us DESC LIMIT 1 OFFSET ?", [most]
    ).fetchone()
    by_time = int((now_s - KEPT_S) * 1e6)
    return by_time if by_number is None else max(by_time, int(by_number[0]))


def _text(ids: Iterable[int]) -> str:
    return ",".join(map(str, ids))
