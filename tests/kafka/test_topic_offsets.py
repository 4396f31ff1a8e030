"""Where partitions begin and end is told for all at once, and left out where it is not known."""

from __future__ import annotations

from confluent_kafka import Producer

from producer_agent.kafka.admin import Admin
from producer_agent.kafka.embedded import EmbeddedCluster
from producer_agent.kafka.first_records import FirstRecords
from producer_agent.kafka.topic_offsets import offset_bounds


def produce(cluster: EmbeddedCluster, topic: str, *timestamps_ms: int) -> None:
    producer = Producer(cluster.client_defaults)
    for at in timestamps_ms:
        producer.produce(topic, b"x" * 1_000, partition=0, timestamp=at)
    assert producer.flush(10) == 0


def test_bounds_of_many_partitions_and_nothing_of_one_that_is_not_there(
    shared_cluster: EmbeddedCluster,
) -> None:
    shared_cluster.create_topic("bounds", partitions=2)
    produce(shared_cluster, "bounds", 1, 2, 3)
    shared_cluster.delete_records("bounds", 0, 2)
    admin = Admin(shared_cluster.client_defaults)
    wanted = [("bounds", 0), ("bounds", 1), ("not-there", 0)]
    assert offset_bounds(admin, wanted) == {("bounds", 0): (2, 3), ("bounds", 1): (0, 0)}
    assert offset_bounds(admin, []) == {}


def test_the_time_of_the_first_record_from_an_offset_on(shared_cluster: EmbeddedCluster) -> None:
    shared_cluster.create_topic("dated", partitions=2)
    produce(shared_cluster, "dated", 1_000, 2_000, 3_000)
    records = FirstRecords(shared_cluster.client_defaults, "peek")
    assert records.timestamps_ms({("dated", 0): 1, ("dated", 1): 0}, timeout_s=1.0) == {
        ("dated", 0): 2_000
    }
    assert records.timestamps_ms({}) == {}
