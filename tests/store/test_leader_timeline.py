"""Who led a partition for the whole of a record's life, as far as it was watched."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from sqlite_utils import Database

from producer_agent.store import cluster_changes as table
from producer_agent.store import runs
from producer_agent.store.cluster_changes import Change, PartitionState
from producer_agent.store.database import open_database
from producer_agent.store.leader_timeline import (
    CHANGED,
    NO_LEADER,
    NO_PARTITION,
    NOT_KNOWN,
    read_timeline,
)

S = 1_000_000
LOOKED_US = 1_000 * S


@pytest.fixture
def db(tmp_path: Path) -> Iterator[Database]:
    opened = open_database(tmp_path / "leaders.db")
    runs.register_cluster(opened, "c", "lab", "here:1")
    yield opened
    opened.close()


def saw(
    db: Database, at_s: int, *leaders: int | None, kind: str = "leaders_changed", gone: bool = False
) -> None:
    """A look at ``at_s``, two seconds after the last, that found these leaders."""
    after_us = None if kind == "watch_began" and at_s == 10 else (at_s - 2) * S
    states = [
        PartitionState("t", number, leader, (), () if gone else (1, 2, 3))
        for number, leader in enumerate(leaders)
    ]
    table.add_states(db, 1, at_s * S, states)
    table.add_changes(db, 1, at_s * S, after_us, [Change(kind)])


def leader(
    db: Database, sent_s: float, settled_s: float, partition: int = 0, since_s: float = 0
) -> int:
    timeline = read_timeline(db, "t", int(since_s * S))
    sent_us, settled_us = np.array([int(sent_s * S)]), np.array([int(settled_s * S)])
    return int(timeline.leaders(np.array([partition]), sent_us, settled_us, LOOKED_US)[0])


def test_a_record_is_put_down_to_the_broker_that_led_all_its_life(db: Database) -> None:
    saw(db, 10, 1, 2, kind="watch_began")
    assert leader(db, 20, 21) == 1
    assert leader(db, 20, 21, partition=1) == 2
    assert leader(db, 20, 21, since_s=19) == 1


def test_no_broker_is_blamed_where_the_leader_changed_meanwhile_or_between_the_looks_around_it(
    db: Database,
) -> None:
    saw(db, 10, 1, kind="watch_began")
    saw(db, 30, 3)
    assert leader(db, 20, 26.9) == 1
    assert leader(db, 20, 31) == CHANGED
    assert leader(db, 28.5, 29) == CHANGED, "it was one or the other: nobody looked between"
    assert leader(db, 30, 31) == 3
    assert leader(db, 29.9, 31) == CHANGED


def test_a_change_of_the_replicas_in_sync_changes_no_leader(db: Database) -> None:
    saw(db, 10, 1, kind="watch_began")
    table.add_states(db, 1, 20 * S, [PartitionState("t", 0, 1, (1,), (1, 2, 3))])
    assert leader(db, 15, 25) == 1


def test_a_partition_without_leader_or_that_is_not_there_has_a_name_of_its_own(
    db: Database,
) -> None:
    saw(db, 10, 1, kind="watch_began")
    saw(db, 20, None)
    assert leader(db, 21, 25) == NO_LEADER
    assert leader(db, 21, 25, partition=7) == NO_PARTITION
    assert leader(db, 21, 25, partition=-1) == NO_PARTITION
    saw(db, 30, None, gone=True, kind="topic_deleted")
    assert leader(db, 31, 32) == NO_PARTITION
    at = np.array([15 * S])
    timeline = read_timeline(db, "never.made", 0)
    assert list(timeline.leaders(np.array([0]), at, at, LOOKED_US)) == [NO_PARTITION]


def test_what_nobody_watched_is_not_known(db: Database) -> None:
    assert leader(db, 1, 2) == NOT_KNOWN, "nobody ever looked"
    saw(db, 10, 1, kind="watch_began")
    assert leader(db, 5, 11) == NOT_KNOWN
    table.add_changes(db, 1, 40 * S, 38 * S, [Change("cluster_unreachable")])
    assert leader(db, 30, 36) == 1
    assert leader(db, 30, 39) == NOT_KNOWN
    assert leader(db, 900, 901) == NOT_KNOWN, "it was never reached again"
    table.add_changes(db, 1, 50 * S, 48 * S, [Change("cluster_reachable")])
    assert leader(db, 51, 52) == 1
    table.add_changes(db, 1, 80 * S, 60 * S, [Change("watch_began")])  # another agent, later
    assert leader(db, 55, 58) == 1
    assert leader(db, 58, 61) == NOT_KNOWN
    assert leader(db, 81, 82) == 1
    assert leader(db, 999, 1_001) == NOT_KNOWN, "after the last look"


def test_many_records_of_many_partitions_are_told_at_once(db: Database) -> None:
    saw(db, 10, *(n % 3 for n in range(3_000)), kind="watch_began")
    saw(db, 30, *(2 if n % 3 == 0 else n % 3 for n in range(3_000)))
    random = np.random.default_rng(3)
    partitions = random.integers(0, 3_000, 20_000)
    sent_us = random.integers(11 * S, 60 * S, 20_000)
    settled_us = sent_us + random.integers(0, 3 * S, 20_000)
    found = read_timeline(db, "t", 0).leaders(partitions, sent_us, settled_us, LOOKED_US)
    moved = partitions % 3 == 0
    expected = np.where(
        ~moved,
        partitions % 3,
        np.where(settled_us < 27 * S, 0, np.where(sent_us >= 30 * S, 2, CHANGED)),
    )
    assert (found == expected).all()
