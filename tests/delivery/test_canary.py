"""A run sends to as many partitions as there are brokers, and follows their number."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from producer_agent.delivery import canary as module
from producer_agent.delivery.canary import Canary
from producer_agent.kafka.admin import ClusterUnreachable
from producer_agent.kafka.cluster_view import ClusterView, PartitionView, TopicView
from producer_agent.kafka.topics import TopicProblem
from tests.recording import profile
from tests.waiting import wait_until


class Run:
    """Stands for a ProducerRun."""

    profile = profile(workload={"per_broker": True})
    alive = True
    partitions = 0

    def set_partitions(self, n: int) -> None:
        self.partitions = n


class Keeper:
    """Makes the topic at the second look, and tells a problem after that."""

    def __init__(self, cluster: Cluster) -> None:
        self.cluster = cluster
        self.looks = 0

    def keep(self, _view: ClusterView) -> list[TopicProblem]:
        self.looks += 1
        if self.looks == 2:
            self.cluster.partitions = 3
        note = TopicProblem("orders", "broker_partitions", "broker 3 is gone", blocking=False)
        return [note] if self.looks > 2 else []


class Cluster:
    """Its topic has so many partitions; None: nobody answers."""

    def __init__(self) -> None:
        self.partitions: int | None = 0

    def view(self) -> ClusterView:
        if self.partitions is None:
            raise ClusterUnreachable("no broker answered")
        led = tuple(PartitionView(n, 1, (1,), (1,)) for n in range(self.partitions))
        return ClusterView("c", None, (), (TopicView("orders", led, False),) if led else ())


@pytest.fixture
def cluster() -> Cluster:
    return Cluster()


@pytest.fixture
def told() -> dict[str, list[TopicProblem]]:
    return {}


@pytest.fixture
def canary(
    cluster: Cluster, told: dict[str, list[TopicProblem]], monkeypatch: pytest.MonkeyPatch
) -> Iterator[Canary]:
    monkeypatch.setattr(module, "FOLLOW_EVERY_S", 0.02)
    made = Canary(lambda _profile: Keeper(cluster), cluster.view, told.__setitem__)
    yield made
    made.close()


def test_the_topic_is_there_with_its_leaders_before_anything_is_sent(
    canary: Canary, cluster: Cluster
) -> None:
    keeper: Any = canary.prepare(Run.profile)
    assert cluster.partitions == 3
    assert keeper.looks == 3, "it looked until the leaders were there"


def test_the_partitions_are_followed_as_they_become_more_and_through_a_silence(
    canary: Canary, cluster: Cluster, told: dict[str, list[TopicProblem]]
) -> None:
    run: Any = Run()
    canary.follow(run, canary.prepare(Run.profile))
    assert run.partitions == 3, "known at once"
    cluster.partitions = None
    cluster.partitions = 4
    wait_until(lambda: run.partitions == 4, 5, "the new partition was not seen")
    assert [problem.message for problem in told["orders"]] == ["broker 3 is gone"]
    cluster.partitions = None
    keeper_threads = list(canary._threads)
    assert keeper_threads[0].is_alive()
    cluster.partitions = 5
    wait_until(lambda: run.partitions == 5, 5, "a silence ended the following")
    run.alive = False
    wait_until(lambda: not keeper_threads[0].is_alive(), 5, "it outlives its run")


def test_a_topic_that_cannot_be_made_is_told_at_once(
    cluster: Cluster, told: dict[str, list[TopicProblem]]
) -> None:
    class Refused:
        def keep(self, _view: ClusterView) -> list[TopicProblem]:
            return [TopicProblem("orders", "broker_partitions", "not allowed", blocking=True)]

    made = Canary(lambda _profile: Refused(), cluster.view, told.__setitem__)
    made.prepare(Run.profile)
    assert told["orders"][0].message == "not allowed"
