"""The history of a cluster: changes for people, partition states for computation."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlite_utils import Database

from producer_agent.store import cluster_changes as table
from producer_agent.store import runs
from producer_agent.store.cluster_changes import Change, PartitionState
from producer_agent.store.database import open_database
from producer_agent.store.queries import cluster_changes as query
from producer_agent.store.queries.cluster_changes import LeaderSpan


@pytest.fixture
def db(tmp_path: Path) -> Iterator[Database]:
    opened = open_database(tmp_path / "changes.db")
    yield opened
    opened.close()


@pytest.fixture
def cluster(db: Database) -> int:
    return runs.register_cluster(db, "c", "lab", "here:1")


def state(
    leader: int | None, isrs: tuple[int, ...] = (1, 2, 3), topic: str = "t", partition: int = 0
) -> PartitionState:
    return PartitionState(topic, partition, leader, isrs, (1, 2, 3))


def gone(topic: str = "t", partition: int = 0) -> PartitionState:
    return PartitionState(topic, partition, None, (), ())


def test_leaders_are_told_over_the_window_with_the_one_that_led_at_its_beginning(
    db: Database, cluster: int
) -> None:
    table.add_states(db, cluster, 10, [state(1), state(2, partition=1)])
    table.add_states(db, cluster, 50, [state(3)])
    table.add_states(db, cluster, 60, [state(None)])
    table.add_states(db, cluster, 90, [state(1)])
    assert query.leaders(db, "t", 20, 80) == (
        LeaderSpan(0, 1, 20, 50),
        LeaderSpan(0, 3, 50, 60),
        LeaderSpan(0, None, 60, 80),
        LeaderSpan(1, 2, 20, 80),
    )


def test_a_change_of_the_isr_alone_does_not_split_a_leaders_span(
    db: Database, cluster: int
) -> None:
    table.add_states(db, cluster, 10, [state(1)])
    table.add_states(db, cluster, 50, [state(1, (1, 2))])
    assert query.leaders(db, "t", 0, 100) == (LeaderSpan(0, 1, 10, 100),)


def test_nobody_is_said_to_lead_while_no_agent_watched_or_once_the_topic_is_gone(
    db: Database, cluster: int
) -> None:
    table.add_states(db, cluster, 10, [state(1)])
    table.add_changes(db, cluster, 60, 30, [Change("watch_began")])
    table.add_states(db, cluster, 80, [gone()])
    assert query.leaders(db, "t", 0, 100) == (
        LeaderSpan(0, 1, 10, 30),
        LeaderSpan(0, 1, 60, 80),
    )


def test_a_broker_is_missing_since_its_last_departure_unless_it_came_back(
    db: Database, cluster: int
) -> None:
    for at_us, kind, broker in (
        (10, "broker_left", 1),
        (20, "broker_joined", 1),
        (30, "broker_left", 2),
        (40, "broker_left", 1),
        (50, "broker_joined", 2),
    ):
        table.add_changes(db, cluster, at_us, at_us - 2, [Change(kind, broker=broker)])
    found = query.departures(db, [1, 2, 3])
    assert {broker: row.at_us for broker, row in found.items()} == {1: 40}


def test_changes_of_a_topic_are_its_own_and_those_of_the_whole_cluster_newest_first(
    db: Database, cluster: int
) -> None:
    table.add_changes(db, None, 10, None, [Change("cluster_unreachable", detail={"error": "x"})])
    table.add_changes(
        db,
        cluster,
        20,
        10,
        [Change("isr_shrank", topic="t", partitions=2), Change("isr_shrank", topic="other")],
    )
    assert [row.kind for row in query.changes(db, topic="t")] == [
        "isr_shrank",
        "cluster_unreachable",
    ]
    assert query.changes(db, topic="t")[1].detail == {"error": "x"}
    assert [row.topic for row in query.changes(db, since_us=20)] == ["other", "t"]


def test_retention_keeps_the_state_with_which_the_kept_time_begins(
    db: Database, cluster: int
) -> None:
    now_s = table.KEPT_S + 100
    table.add_states(db, cluster, 10_000_000, [state(1), state(1, topic="left")])
    table.add_states(db, cluster, 20_000_000, [state(2), gone("left")])
    table.add_states(db, cluster, 150_000_000, [state(3)])
    table.add_changes(db, cluster, 10_000_000, None, [Change("watch_began")])
    while table.trim(db, now_s):
        pass
    kept = db.execute("SELECT topic, at_us FROM partition_states ORDER BY 2").fetchall()
    assert kept == [("t", 20_000_000), ("t", 150_000_000)]
    assert query.changes(db) == ()


def test_beyond_their_number_the_oldest_rows_go_although_they_are_young(
    db: Database, cluster: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(table, "MOST_CHANGES", 3)
    monkeypatch.setattr(table, "MOST_STATES", 3)
    for at_us in range(10, 20):
        table.add_changes(db, cluster, at_us, None, [Change("isr_grew", topic="t")])
        table.add_states(db, cluster, at_us, [state(at_us)])
    while table.trim(db, 1.0):
        pass
    assert len(query.changes(db)) == 4  # the one at the cut stays with the 3 after it
    assert db.execute("SELECT count(*) FROM partition_states").fetchone()[0] == 5
