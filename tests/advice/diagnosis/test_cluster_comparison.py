"""Two looks at a cluster, and what is told of the difference."""

from __future__ import annotations

from producer_agent.advice.diagnosis.cluster_comparison import (
    Seen,
    differences,
    seen_in,
    setting_changes,
)
from producer_agent.kafka.cluster_view import BrokerView, ClusterView, PartitionView, TopicView
from producer_agent.store.cluster_changes import LISTED_TOPICS, Change, PartitionState

ALL = (1, 2, 3)


def view(*topics: TopicView, brokers: tuple[int, ...] = ALL) -> ClusterView:
    return ClusterView(
        "c", None, tuple(BrokerView(id_, "here", 9000 + id_) for id_ in brokers), topics
    )


def topic(name: str, *partitions: tuple[int | None, tuple[int, ...]]) -> TopicView:
    return TopicView(
        name,
        tuple(PartitionView(i, leader, ALL, isrs) for i, (leader, isrs) in enumerate(partitions)),
        False,
    )


def changes(before: ClusterView, after: ClusterView) -> tuple[Change, ...]:
    seen = seen_in(before)
    return differences(seen, seen_in(after, seen)).changes


def test_nothing_is_told_of_a_cluster_that_is_as_before() -> None:
    one = view(topic("t", (1, ALL)))
    found = differences(seen_in(one), seen_in(one))
    assert (found.changes, found.states) == ((), ())


def test_a_broker_that_leaves_is_told_with_the_partitions_that_it_led_and_followed() -> None:
    before = view(topic("t", (1, ALL), (2, ALL), (3, ALL)))
    after = view(topic("t", (1, (1, 2)), (2, (2, 1)), (1, (1, 2))), brokers=(1, 2))
    assert changes(before, after) == (
        Change("broker_left", broker=3, detail={"address": "here:9003"}),
        Change("leaders_changed", topic="t", partitions=1, detail={"moves": {"3 > 1": [2]}}),
        Change("isr_shrank", topic="t", partitions=3, detail={"moves": {"1,2,3 > 1,2": [0, 1, 2]}}),
    )


def test_a_broker_that_comes_back_is_told_with_what_is_in_sync_again() -> None:
    before = view(topic("t", (None, (3,))), brokers=(1, 2))
    after = view(topic("t", (3, ALL)))
    assert changes(before, after) == (
        Change("broker_joined", broker=3, detail={"address": "here:9003"}),
        Change("leaders_changed", topic="t", partitions=1, detail={"moves": {"none > 3": [0]}}),
        Change("isr_grew", topic="t", partitions=1, detail={"moves": {"3 > 1,2,3": [0]}}),
    )


def test_the_order_in_which_the_isr_is_listed_is_no_change_for_people() -> None:
    assert changes(view(topic("t", (1, (1, 2, 3)))), view(topic("t", (1, (3, 2, 1))))) == ()


def test_topics_that_come_grow_and_go_are_told_and_gone_partitions_have_no_replicas() -> None:
    before, after = (
        view(topic("a", (1, ALL)), topic("b", (1, ALL))),
        view(topic("b", (1, ALL), (2, ALL)), topic("c", (1, ALL))),
    )
    seen = seen_in(before)
    found = differences(seen, seen_in(after, seen))
    assert found.changes == (
        Change("topic_created", topic="c", detail={"partitions": 1, "replication_factor": 3}),
        Change("topic_deleted", topic="a", detail={"partitions": 1}),
        Change("partitions_added", topic="b", detail={"before": 1, "after": 2}),
    )
    assert PartitionState("a", 0, None, (), ()) in found.states


def test_a_topic_answered_for_with_an_error_is_taken_to_be_as_before() -> None:
    denied = TopicView("t", (), False, "TOPIC_AUTHORIZATION_FAILED")
    before = view(topic("t", (1, ALL)))
    assert changes(before, view(denied)) == ()
    assert seen_in(view(denied), seen_in(before)).states == seen_in(before).states


def test_a_change_of_very_many_topics_is_one_row_with_its_sums() -> None:
    names = [f"t{i}" for i in range(LISTED_TOPICS + 1)]
    before = view(*(topic(name, (1, ALL), (2, ALL)) for name in names))
    after = view(*(topic(name, (2, ALL), (2, ALL)) for name in names))
    n = len(names)
    assert changes(before, after) == (
        Change("leaders_changed", partitions=n, detail={"topics": n, "moves": {"1 > 2": n}}),
    )
    assert len(differences(seen_in(before), seen_in(after)).states) == n


def test_a_setting_is_told_with_both_values_and_one_seen_first_is_no_change() -> None:
    before = {"t": {"min.insync.replicas": "2"}}
    after = {"t": {"min.insync.replicas": "1", "retention.ms": "5"}, "u": {"retention.ms": "6"}}
    assert setting_changes(before, after) == [
        Change(
            "setting_changed",
            topic="t",
            detail={"name": "min.insync.replicas", "before": "2", "after": "1"},
        )
    ]


def test_ten_thousand_partitions_are_compared_without_a_change_told_twice() -> None:
    wide = topic("wide", *[(1, ALL)] * 10_000)
    moved = topic("wide", *[(2, ALL)] * 10_000)
    (change,) = changes(view(wide), view(moved))
    assert change.partitions == 10_000
    assert sum(len(listed) for listed in change.detail["moves"].values()) == 50
    assert isinstance(seen_in(view(wide)), Seen)
