"""The watch tells what is unread on each topic, how old it is, and what its settings do to it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from producer_agent.dead_letters import consumer as module
from producer_agent.dead_letters.assignment import Assigned
from producer_agent.dead_letters.consumer import Reading
from producer_agent.dead_letters.retention_watch import RetentionWatch
from producer_agent.kafka.embedded import EmbeddedCluster
from producer_agent.kafka.first_records import FirstRecords
from producer_agent.store import dead_letter_positions
from producer_agent.store.clock import now_us
from producer_agent.store.dead_letter_policies import Policy
from producer_agent.store.writer import Writer
from tests.dead_letters.records import TOPIC, EmbeddedBrokers, consuming, produce
from tests.recording import register_cluster
from tests.waiting import wait_until

DAY_MS = 86_400_000


@pytest.fixture
def row(writer: Writer) -> int:
    return register_cluster(writer)


class Peek:
    """The first unread records' timestamps, counting how often they are asked for."""

    def __init__(self, cluster: EmbeddedCluster) -> None:
        self._records = FirstRecords(cluster.client_defaults, "peek")
        self.asked: list[dict[tuple[str, int], int]] = []

    def __call__(self, places: Mapping[tuple[str, int], int]) -> dict[tuple[str, int], int]:
        self.asked.append(dict(places))
        return self._records.timestamps_ms(places)


def reading(*partitions: int, aside: Mapping[str, str] | None = None) -> Reading:
    policy = Policy(TOPIC, "kafka-connect")
    assigned = tuple(Assigned(TOPIC, "", at, policy, None) for at in partitions)
    return Reading(assigned, aside or {})


def test_it_tells_what_is_unread_and_until_when_it_is_there(
    own_cluster: EmbeddedCluster, writer: Writer, row: int
) -> None:
    own_cluster.create_topic(TOPIC, partitions=2)
    before_ms = now_us() // 1_000
    produce(own_cluster, *(b"%d" % n for n in range(10)))
    produce(own_cluster, b"x", partition=1)
    brokers, peek = EmbeddedBrokers(own_cluster), Peek(own_cluster)
    brokers.settings = {TOPIC: {"retention.ms": str(DAY_MS // 2)}}
    reached = {(TOPIC, "", 0): 4, (TOPIC, "", 1): 1}
    writer.call(lambda db: dead_letter_positions.advance(db, row, reached))
    watch = RetentionWatch(lambda: reading(0, 1), row, writer, brokers, peek, ["--x"])
    watch.look()

    assert watch.behind == 6
    (entry,) = watch.topics
    assert entry["behind"] == 6
    assert entry["stored_to"] == {"0": 4, "1": 1}
    assert entry["convention"] == "kafka-connect"
    due_ms = entry["next_deletion_us"] // 1_000
    assert before_ms <= due_ms - DAY_MS // 2 <= now_us() // 1_000
    assert any("6 records" in warning["message"] for warning in entry["warnings"])
    assert peek.asked == [{(TOPIC, 0): 4}]
    watch.look()
    assert len(peek.asked) == 1, "the same record was fetched again"


def test_nothing_is_fetched_where_age_deletes_nothing_or_all_is_read(
    own_cluster: EmbeddedCluster, writer: Writer, row: int
) -> None:
    own_cluster.create_topic(TOPIC, partitions=1)
    produce(own_cluster, b"1")
    brokers, peek = EmbeddedBrokers(own_cluster), Peek(own_cluster)
    watch = RetentionWatch(lambda: reading(0), row, writer, brokers, peek, [])
    watch.look()
    assert (watch.behind, watch.topics[0]["next_deletion_us"]) == (1, None)
    brokers.settings = {TOPIC: {"retention.ms": "1000"}}
    writer.call(lambda db: dead_letter_positions.advance(db, row, {(TOPIC, "", 0): 1}))
    RetentionWatch(lambda: reading(0), row, writer, brokers, peek, []).look()
    assert peek.asked == []


def test_a_topic_that_is_set_aside_is_told_with_the_reason(
    own_cluster: EmbeddedCluster, writer: Writer, row: int
) -> None:
    brokers = EmbeddedBrokers(own_cluster)
    denied = reading(aside={"a-dlt": "Broker: Topic authorization failed"})
    watch = RetentionWatch(lambda: denied, row, writer, brokers, Peek(own_cluster), [])
    watch.look()
    (entry,) = watch.topics
    assert (entry["topic"], entry["partitions"], watch.behind) == ("a-dlt", 0, None)
    assert "Topic authorization failed" in entry["warnings"][0]["message"]


def test_beside_a_consumer_it_sees_that_all_was_read(
    own_cluster: EmbeddedCluster, writer: Writer, row: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "POLL_S", 0.05)
    own_cluster.create_topic(TOPIC, partitions=3)
    for partition in range(3):
        produce(own_cluster, b"x", b"y", partition=partition)
    brokers = EmbeddedBrokers(own_cluster)
    with consuming(own_cluster, writer, row) as consumer:
        watch = RetentionWatch(consumer.reading, row, writer, brokers, Peek(own_cluster), [])

        def all_read() -> bool:
            watch.look()
            return watch.behind == 0

        wait_until(all_read, 10, "it never saw that all was read")
        assert watch.topics[0]["stored_to"] == {"0": 2, "1": 2, "2": 2}


def test_a_look_that_breaks_is_told_as_not_known_and_tried_again(
    writer: Writer, row: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("producer_agent.dead_letters.retention_watch.LOOK_EVERY_S", 0.02)
    looks: list[int] = []

    def broken() -> Reading:
        looks.append(1)
        raise RuntimeError("a bug")

    unused: Any = None
    watch = RetentionWatch(broken, row, writer, unused, unused, [])
    watch.behind = 3
    watch.start()
    try:
        wait_until(lambda: len(looks) >= 3, 5, "it looked only once")
        assert watch.behind is None
    finally:
        watch.close()
