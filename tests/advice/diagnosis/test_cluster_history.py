"""The watcher writes what changed, once, and goes on where a former agent left off."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from producer_agent.advice.diagnosis.cluster_history import ClusterHistory
from producer_agent.kafka.cluster_view import BrokerView, ClusterView, PartitionView, TopicView
from producer_agent.store import facts, runs
from producer_agent.store.queries import cluster_changes as query
from producer_agent.store.queries.cluster_changes import ChangeRow, LeaderSpan
from producer_agent.store.reader import Reader
from producer_agent.store.writer import Writer

ALL = (1, 2, 3)


@pytest.fixture
def writer(tmp_path: Path) -> Iterator[Writer]:
    with Writer(tmp_path / "history.db") as opened:
        for name in ("c", "other"):
            opened.call(
                partial(
                    runs.register_cluster, cluster_id=name, kind="lab", bootstrap_servers="here:1"
                )
            )
        yield opened


def view(
    leader: int | None, brokers: tuple[int, ...] = ALL, cluster: str = "c", topic: str = "t"
) -> ClusterView:
    partitions = (PartitionView(0, leader, ALL, ALL),)
    return ClusterView(
        cluster,
        None,
        tuple(BrokerView(id_, "here", 9000 + id_) for id_ in brokers),
        (TopicView(topic, partitions, False),),
    )


def told(writer: Writer) -> list[ChangeRow]:
    return list(reversed(Reader(writer.path)(query.changes)))


def test_only_what_changed_is_written_with_the_look_before(writer: Writer) -> None:
    history = ClusterHistory(writer)
    for at_us, leader in ((10, 1), (20, 1), (30, 2)):
        history.reached(view(leader), at_us, {}, None)
    assert [(row.kind, row.at_us, row.after_us) for row in told(writer)] == [
        ("watch_began", 10, None),
        ("leaders_changed", 30, 20),
    ]
    assert Reader(writer.path)(lambda db: query.leaders(db, "t", 0, 40)) == (
        LeaderSpan(0, 1, 10, 30),
        LeaderSpan(0, 2, 30, 40),
    )


def test_an_unreachable_cluster_is_told_once_and_so_is_its_return(writer: Writer) -> None:
    history = ClusterHistory(writer)
    history.unreachable("refused", 5)
    history.reached(view(1), 10, {}, None)
    history.unreachable("refused", 20)
    history.unreachable("refused", 30)
    history.reached(view(1), 40, {}, None)
    assert [row.kind for row in told(writer)] == [
        "cluster_unreachable",
        "watch_began",
        "cluster_unreachable",
        "cluster_reachable",
    ]


def test_a_broker_that_left_while_no_agent_watched_is_seen_by_the_next(writer: Writer) -> None:
    first = ClusterHistory(writer)
    first.reached(view(3), 10, {}, None)
    body = {
        "cluster_id": "c",
        "brokers": [{"id": id_, "host": "here", "port": 9000 + id_} for id_ in ALL],
    }
    writer.call(partial(facts.put, name="cluster", body=body))
    last_us = Reader(writer.path)(lambda db: facts.get(db, "cluster"))
    assert last_us is not None
    later_us = last_us.at_us + 1_000_000
    ClusterHistory(writer).reached(view(1, brokers=(1, 2)), later_us, {}, None)
    gone = Reader(writer.path)(lambda db: query.departures(db, ALL))
    assert {broker: (row.after_us, row.at_us) for broker, row in gone.items()} == {
        3: (last_us.at_us, later_us)
    }
    spans = Reader(writer.path)(lambda db: query.leaders(db, "t", 0, later_us + 5))
    assert spans == (LeaderSpan(0, 3, 10, last_us.at_us), LeaderSpan(0, 1, later_us, later_us + 5))


def test_topics_of_a_cluster_that_is_no_longer_looked_at_have_no_leader_from_then(
    writer: Writer,
) -> None:
    history = ClusterHistory(writer)
    history.reached(view(1), 10, {}, None)
    history.reached(view(2, cluster="other", topic="u"), 20, {}, None)
    assert Reader(writer.path)(lambda db: query.leaders(db, "t", 0, 40)) == (
        LeaderSpan(0, 1, 10, 20),
    )
    assert [row.kind for row in told(writer)] == ["watch_began", "watch_began"]


def test_a_controller_is_told_when_it_changes_and_not_when_it_is_not_known(
    writer: Writer,
) -> None:
    history = ClusterHistory(writer)
    for at_us, controller in ((10, 1), (20, None), (30, 1), (40, 3)):
        history.reached(view(1), at_us, {}, controller)
    assert [(row.kind, row.detail) for row in told(writer)][1:] == [
        ("controller_changed", {"before": 1, "after": 3})
    ]


def test_a_setting_that_changes_is_told_also_when_it_was_not_answered_in_between(
    writer: Writer,
) -> None:
    history = ClusterHistory(writer)
    for at_us, settings in (
        (10, {"t": {"min.insync.replicas": "2"}}),
        (20, {}),
        (30, {"t": {"min.insync.replicas": "1"}}),
    ):
        history.reached(view(1), at_us, settings, None)
    assert [row.kind for row in told(writer)] == ["watch_began", "setting_changed"]
