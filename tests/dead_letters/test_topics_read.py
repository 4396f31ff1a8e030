"""Topics are read as their policies say: by name or pattern, from the start or from now, and what
is deleted unread is counted."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from functools import partial
from typing import Any

import pytest
from confluent_kafka import Consumer, KafkaError, TopicPartition

from producer_agent.dead_letters import consumer as module
from producer_agent.dead_letters import group_offsets
from producer_agent.dead_letters.assignment import Assigner
from producer_agent.kafka.embedded import ALL_BROKERS, EmbeddedCluster
from producer_agent.store import database, dead_letter_policies
from producer_agent.store import writer as writer_module
from producer_agent.store.dead_letter_policies import Policy
from producer_agent.store.reader import Reader
from producer_agent.store.writer import Writer
from tests.dead_letters.records import TOPIC, EmbeddedBrokers, consuming, no_ids, produce
from tests.recording import register_cluster, rows
from tests.waiting import wait_until

GROUP = "ackboard-test"


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "REVIEW_S", 0.2)
    monkeypatch.setattr(module, "POLL_S", 0.05)
    monkeypatch.setattr(module, "FIRST_BACKOFF_S", 0.1)
    monkeypatch.setattr(group_offsets, "COMMIT_EVERY_S", 0.1)
    monkeypatch.setattr(writer_module, "RETRY_S", 0.05)
    monkeypatch.setattr(database, "BUSY_TIMEOUT_S", 0.1)


@pytest.fixture
def row(writer: Writer) -> int:
    return register_cluster(writer)


def save(writer: Writer, policy: Policy) -> None:
    writer.call(partial(dead_letter_policies.save, policy=policy))


def stored(reader: Reader) -> list[tuple[str, str]]:
    return rows(
        reader,
        "SELECT d.topic, CAST(r.value AS TEXT) FROM dead_letters d "
        "JOIN dead_letter_records r ON r.letter = d.id ORDER BY d.topic, d.partition, d.offset",
    )


def wait_stored(reader: Reader, *expected: tuple[str, str]) -> None:
    wait_until(lambda: len(stored(reader)) >= len(expected), 15, "not all was stored")
    assert stored(reader) == sorted(expected)


def positions(reader: Reader) -> dict[tuple[str, int], int]:
    found = rows(reader, "SELECT topic, partition, next_offset FROM dead_letter_positions")
    return {(topic, partition): offset for topic, partition, offset in found}


def committed(cluster: EmbeddedCluster, *places: tuple[str, int]) -> dict[tuple[str, int], int]:
    consumer = Consumer({**cluster.client_defaults, "group.id": GROUP})
    try:
        found = consumer.committed([TopicPartition(*place) for place in places], timeout=5)
        return {(at.topic, at.partition): at.offset for at in found}
    finally:
        consumer.close()


def test_a_pattern_reads_what_matches_also_what_appears_later_and_nothing_else(
    own_cluster: EmbeddedCluster, writer: Writer, reader: Reader, row: int
) -> None:
    for topic in ("a-dlt", "orders", "__x-dlt"):
        own_cluster.create_topic(topic, partitions=1)
        produce(own_cluster, b"1", topic=topic)
    save(writer, Policy("^.*-dlt$"))
    with consuming(own_cluster, writer, row):
        wait_stored(reader, ("a-dlt", "1"))
        own_cluster.create_topic("b-dlt", partitions=2)
        produce(own_cluster, b"2", topic="b-dlt", partition=1)
        own_cluster.create_topic(TOPIC, partitions=1)
        produce(own_cluster, b"own", topic=TOPIC)
        wait_stored(reader, ("a-dlt", "1"), ("b-dlt", "2"), (TOPIC, "own"))


def test_a_policy_that_is_added_or_taken_away_takes_effect_while_it_reads(
    own_cluster: EmbeddedCluster, writer: Writer, reader: Reader, row: int
) -> None:
    own_cluster.create_topic("a-dlt", partitions=1)
    own_cluster.create_topic(TOPIC, partitions=1)
    produce(own_cluster, b"1", topic="a-dlt")
    with consuming(own_cluster, writer, row) as consumer:
        save(writer, Policy("a-dlt", "kafka-connect", "orders"))
        consumer.review_soon()
        wait_stored(reader, ("a-dlt", "1"))
        writer.call(partial(dead_letter_policies.delete, topic="a-dlt"))
        consumer.review_soon()
        wait_until(
            lambda: [at.topic for at in consumer.reading().assigned] == [TOPIC],
            5,
            "it is still read",
        )
        produce(own_cluster, b"2", topic="a-dlt")
        produce(own_cluster, b"own", topic=TOPIC)
        wait_stored(reader, ("a-dlt", "1"), (TOPIC, "own"))
        save(writer, Policy("a-dlt"))
        wait_stored(reader, ("a-dlt", "1"), ("a-dlt", "2"), (TOPIC, "own"))
    understood = rows(
        reader,
        "SELECT original_topic, fixed_convention, default_target FROM dead_letters "
        "WHERE topic = 'a-dlt' ORDER BY id",
    )
    assert understood == [("orders", "kafka-connect", "orders"), (None, None, None)]


def test_from_now_skips_what_was_there_and_nothing_after_it_even_across_a_restart(
    own_cluster: EmbeddedCluster, writer: Writer, reader: Reader, row: int
) -> None:
    own_cluster.create_topic("a-dlt", partitions=2)
    produce(own_cluster, b"old", b"older", topic="a-dlt")
    save(writer, Policy("^.*-dlt$", start_from="now"))
    with consuming(own_cluster, writer, row):
        begun = {("a-dlt", 0): 2, ("a-dlt", 1): 0}
        wait_until(lambda: positions(reader) == begun, 10, "where it begins was not stored")
    # Nobody reads: these come after "now", one of them on a topic that was not there then.
    produce(own_cluster, b"new", topic="a-dlt")
    own_cluster.create_topic("b-dlt", partitions=1)
    produce(own_cluster, b"first", topic="b-dlt")
    with consuming(own_cluster, writer, row):
        wait_stored(reader, ("a-dlt", "new"), ("b-dlt", "first"))


def test_while_now_cannot_be_learnt_a_topic_waits_instead_of_being_read_whole(
    writer: Writer, reader: Reader, row: int
) -> None:
    class Brokers:
        bounds: Mapping[tuple[str, int], tuple[int, int]] = {("a", 0): (0, 7)}

        def topic_ids(self, names: object) -> dict[str, str]:
            return {}

        def offset_bounds(self, _places: object) -> Mapping[tuple[str, int], tuple[int, int]]:
            return self.bounds

        def topic_settings(self, names: object) -> dict[str, dict[str, str]]:
            return {}

    brokers = Brokers()
    save(writer, Policy("^a", start_from="now"))
    assigner = Assigner(row, TOPIC, writer, brokers)
    assert assigner.assign({"a": [0, 1]}) == []
    assert positions(reader) == {}
    brokers.bounds = {("a", 0): (0, 7), ("a", 1): (0, 3)}
    begun = assigner.assign({"a": [0, 1]})
    assert [at.position and at.position.next_offset for at in begun] == [7, 3]
    # The same policy on another cluster has a "now" of its own.
    other = Assigner(register_cluster(writer, "other"), TOPIC, writer, brokers)
    assert [at.position and at.position.next_offset for at in other.assign({"a": [0, 1]})] == [7, 3]


def test_a_topic_that_was_read_before_goes_on_where_it_was_left_whatever_a_policy_says(
    own_cluster: EmbeddedCluster, writer: Writer, reader: Reader, row: int
) -> None:
    own_cluster.create_topic("a-dlt", partitions=1)
    produce(own_cluster, b"1", topic="a-dlt")
    save(writer, Policy("a-dlt"))
    with consuming(own_cluster, writer, row):
        wait_stored(reader, ("a-dlt", "1"))
    produce(own_cluster, b"2", topic="a-dlt")
    save(writer, Policy("a-dlt", start_from="now"))
    with consuming(own_cluster, writer, row):
        wait_stored(reader, ("a-dlt", "1"), ("a-dlt", "2"))


def test_the_groups_offsets_follow_what_is_stored(
    own_cluster: EmbeddedCluster, writer: Writer, reader: Reader, row: int
) -> None:
    own_cluster.create_topic(TOPIC, partitions=2)
    produce(own_cluster, b"1", b"2", b"3")
    produce(own_cluster, b"4", partition=1)
    places = ((TOPIC, 0), (TOPIC, 1))
    with consuming(own_cluster, writer, row, group=GROUP):
        wait_until(
            lambda: committed(own_cluster, *places) == {(TOPIC, 0): 3, (TOPIC, 1): 1},
            10,
            "the offsets were never committed",
        )
        assert positions(reader) == {(TOPIC, 0): 3, (TOPIC, 1): 1}


def test_what_was_stored_last_is_committed_at_the_end(
    own_cluster: EmbeddedCluster,
    writer: Writer,
    reader: Reader,
    row: int,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    own_cluster.create_topic(TOPIC, partitions=1)
    monkeypatch.setattr(group_offsets, "COMMIT_EVERY_S", 3600.0)
    with consuming(own_cluster, writer, row, group=GROUP):
        produce(own_cluster, b"1")
        wait_stored(reader, (TOPIC, "1"))
        produce(own_cluster, b"2")
        wait_stored(reader, (TOPIC, "1"), (TOPIC, "2"))
    assert committed(own_cluster, (TOPIC, 0)) == {(TOPIC, 0): 2}


def test_a_commit_that_fails_is_told_until_one_succeeds() -> None:
    offsets = group_offsets.GroupOffsets(GROUP)
    offsets.on_commit(KafkaError(KafkaError.GROUP_AUTHORIZATION_FAILED), [])
    assert offsets.error is not None
    assert "Group authorization failed" in offsets.error
    offsets.on_commit(None, [TopicPartition(TOPIC, 0, 1)])
    assert offsets.error is None


def test_it_ends_quickly_while_the_brokers_are_away(
    own_cluster: EmbeddedCluster, writer: Writer, reader: Reader, row: int
) -> None:
    """confluent-kafka's waiting commit would keep it for 46 s."""
    own_cluster.create_topic(TOPIC, partitions=1)
    with consuming(own_cluster, writer, row) as consumer:
        produce(own_cluster, b"1")
        wait_stored(reader, (TOPIC, "1"))
        own_cluster.broker_down(ALL_BROKERS)
        consumer._stop.set()
        wait_until(lambda: not consumer._thread.is_alive(), 12, "it does not end")


MEGABYTE = b"x" * 1_000_000
"""The embedded cluster keeps 5 MB a partition, and deletes the oldest beyond."""


def deleted(reader: Reader) -> Any:
    (found,) = rows(reader, "SELECT sum(deleted_unread) FROM dead_letter_positions")
    return found


def test_what_was_deleted_while_nobody_read_is_counted(
    own_cluster: EmbeddedCluster, writer: Writer, reader: Reader, row: int
) -> None:
    own_cluster.create_topic(TOPIC, partitions=1)
    produce(own_cluster, b"1", b"2")
    with consuming(own_cluster, writer, row):
        wait_stored(reader, (TOPIC, "1"), (TOPIC, "2"))
    produce(own_cluster, *([MEGABYTE] * 8))
    low, high = EmbeddedBrokers(own_cluster, no_ids).offset_bounds([(TOPIC, 0)])[TOPIC, 0]
    assert low > 2, "the embedded cluster deleted nothing"
    with consuming(own_cluster, writer, row):
        wait_until(lambda: positions(reader) == {(TOPIC, 0): high}, 15, "it does not go on")
    assert deleted(reader) == low - 2
    assert len(stored(reader)) == 2 + high - low


def test_what_was_deleted_before_it_was_first_seen_is_no_loss_of_ours(
    own_cluster: EmbeddedCluster, writer: Writer, reader: Reader, row: int
) -> None:
    own_cluster.create_topic(TOPIC, partitions=1)
    produce(own_cluster, *([MEGABYTE] * 8))
    with consuming(own_cluster, writer, row):
        wait_until(lambda: positions(reader) == {(TOPIC, 0): 8}, 15, "it is not read")
    assert deleted(reader) == 0


def test_what_is_deleted_while_the_database_is_locked_is_counted(
    own_cluster: EmbeddedCluster, writer: Writer, reader: Reader, row: int
) -> None:
    """The position is gone on the broker when reading goes on, and librdkafka skips nothing by
    itself."""
    own_cluster.create_topic(TOPIC, partitions=1)
    with consuming(own_cluster, writer, row):
        produce(own_cluster, b"1")
        wait_stored(reader, (TOPIC, "1"))
        other = sqlite3.connect(writer.path, isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        produce(own_cluster, b"2")
        wait_until(lambda: writer.blocked, 10, "the writer was never blocked")
        for _ in range(40):
            produce(own_cluster, MEGABYTE)
        other.execute("ROLLBACK")
        other.close()
        wait_until(lambda: positions(reader) == {(TOPIC, 0): 42}, 20, "it does not go on")
    assert deleted(reader) > 0
    assert len(stored(reader)) + deleted(reader) == 42
    offsets = rows(reader, 'SELECT "offset" FROM dead_letters')
    assert len(set(offsets)) == len(offsets)


def test_a_topic_that_a_policy_names_and_that_is_not_there_is_told_until_it_is(
    own_cluster: EmbeddedCluster, writer: Writer, reader: Reader, row: int
) -> None:
    own_cluster.create_topic(TOPIC, partitions=1)
    save(writer, Policy("later-dlt"))
    save(writer, Policy("^none-"))
    with consuming(own_cluster, writer, row) as consumer:
        wait_until(
            lambda: consumer.reading().set_aside == {"later-dlt": module.MISSING},
            10,
            "nobody is told",
        )
        own_cluster.create_topic("later-dlt", partitions=1)
        produce(own_cluster, b"1", topic="later-dlt")
        wait_stored(reader, ("later-dlt", "1"))
        assert consumer.reading().set_aside == {}
