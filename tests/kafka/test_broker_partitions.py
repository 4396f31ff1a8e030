"""What is to be done so that every broker leads a partition, told from the cluster as seen."""

from __future__ import annotations

from typing import Any

import pytest

from producer_agent.kafka import broker_partitions as module
from producer_agent.kafka.broker_partitions import (
    BrokerPartitions,
    NotDone,
    Steps,
    move_command,
    replicas_from,
    steps_for,
)
from producer_agent.kafka.cluster_view import BrokerView, ClusterView, PartitionView, TopicView

TOPIC = "canary"


def partition(number: int, leader: int | None, *replicas: int, isrs: Any = None) -> PartitionView:
    return PartitionView(number, leader, replicas, replicas if isrs is None else isrs)


WHOLE = (partition(0, 1, 1, 2), partition(1, 2, 2, 3), partition(2, 3, 3, 1))

CASES = {
    "every broker leads one": (WHOLE, {1, 2, 3}, Steps((), (), ())),
    "a broker came": (WHOLE, {1, 2, 3, 7}, Steps(((7, 1),), (), ())),
    "two came": (WHOLE[:1], {1, 2, 3}, Steps(((2, 3), (3, 1)), (), ())),
    "one is gone": (
        (*WHOLE[:2], partition(2, 1, 3, 1, isrs=(1,))),
        {1, 2},
        Steps((), (), ((2, 3),)),
    ),
    "it is back and not in sync yet": (
        (*WHOLE[:2], partition(2, 1, 3, 1, isrs=(1,))),
        {1, 2, 3},
        Steps((), (), ()),
    ),
    "it is in sync again": (
        (*WHOLE[:2], partition(2, 1, 3, 1)),
        {1, 2, 3},
        Steps((), (2,), ()),
    ),
    "nobody leads it, and its own broker is in sync": (
        (partition(0, None, 1, 2),),
        {1, 2},
        Steps(((2, 1),), (0,), ()),
    ),
    "one broker, one partition": ((partition(0, 4, 4),), {4}, Steps((), (), ())),
}


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_the_steps_bring_each_broker_a_partition_of_its_own(
    case: tuple[tuple[PartitionView, ...], set[int], Steps],
) -> None:
    partitions, brokers, expected = case
    assert steps_for(partitions, brokers, 2) == expected


def test_replicas_follow_around_the_ring_and_are_no_more_than_there_are_brokers() -> None:
    assert replicas_from(7, {1, 4, 7}, 2) == (7, 1)
    assert replicas_from(4, {1, 4, 7}, 9) == (4, 7, 1)


def view(partitions: tuple[PartitionView, ...], *brokers: int) -> ClusterView:
    topics = (TopicView(TOPIC, partitions, False),) if partitions else ()
    return ClusterView("c", None, tuple(BrokerView(n, "h", n) for n in brokers), topics)


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[tuple[Any, ...]]:
    """The steps that were asked for, none of which is done."""
    found: list[tuple[Any, ...]] = []
    for step in ("create", "add", "elect"):
        monkeypatch.setattr(
            module, step, lambda _admin, *arguments, step=step: found.append((step, *arguments))
        )
    return found


@pytest.fixture
def keeper() -> BrokerPartitions:
    return BrokerPartitions({"bootstrap.servers": "127.0.0.1:1", "log_level": 0}, TOPIC, 3, 2)


def test_a_topic_that_is_missing_is_made_with_a_partition_for_each_broker(
    keeper: BrokerPartitions, asked: list[Any]
) -> None:
    assert keeper.keep(view((), 1, 2)) == []
    assert asked == [("create", TOPIC, [(1, 2), (2, 1)], {"min.insync.replicas": "2"})]


def test_partitions_are_added_and_leaders_elected_yet_not_at_every_look(
    keeper: BrokerPartitions, asked: list[Any]
) -> None:
    led_by_another = (*WHOLE[:2], partition(2, 1, 3, 1))
    for _ in range(2):
        assert keeper.keep(view(led_by_another, 1, 2, 3, 7)) == []
    assert asked == [
        ("add", TOPIC, 3, ((7, 1, 2),)),
        ("elect", TOPIC, (2,)),
        ("add", TOPIC, 3, ((7, 1, 2),)),
    ]


def test_a_broker_that_is_gone_is_told_with_the_command_that_moves_its_partition(
    keeper: BrokerPartitions, asked: list[Any]
) -> None:
    [problem] = keeper.keep(view((*WHOLE[:2], partition(2, 1, 3, 1, isrs=(1,))), 1, 2))
    assert not problem.blocking
    assert "partition 2 of canary is there for broker 3, which is not up: broker 1 leads it" in (
        problem.message
    )
    assert problem.command == move_command(["--bootstrap-server", "127.0.0.1:1"], TOPIC, 2, (1, 2))
    assert '"partition":2,"replicas":[1, 2]' in problem.command
    assert asked == []


def test_what_the_cluster_refuses_is_told_and_blocks_only_where_there_is_no_topic(
    keeper: BrokerPartitions, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_arguments: Any) -> None:
        raise NotDone("partitions could not be added: not allowed")

    for step in ("create", "add"):
        monkeypatch.setattr(module, step, refuse)
    [refused] = keeper.keep(view(WHOLE[:2], 1, 2, 3))
    assert "not allowed. Grant ALTER" in refused.message
    assert not refused.blocking
    [missing] = keeper.keep(view((), 1, 2, 3))
    assert missing.blocking
