"""Keys go where Java's and librdkafka's producers put them."""

from __future__ import annotations

import random
from collections.abc import Callable

import pytest
from confluent_kafka import KafkaError, Message, Producer

from producer_agent.kafka.embedded import EmbeddedCluster
from producer_agent.replay.partitioners import java_partition, librdkafka_partition, murmur2

PARTITIONS = 7


@pytest.mark.parametrize(
    ("key", "signed"),
    [
        (b"21", -973932308),
        (b"foobar", -790332482),
        (b"a-little-bit-long-string", -985981536),
        (b"a-little-bit-longer-string", -1486304829),
        (b"lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8", -58897971),
        (b"abc", 479470107),
    ],
)
def test_murmur2_is_javas(key: bytes, signed: int) -> None:
    """Vectors of ``UtilsTest.testMurmur2`` in Apache Kafka, which are signed 32-bit numbers."""
    assert murmur2(key) == signed % 2**32


@pytest.mark.parametrize(
    ("name", "ours"), [("murmur2", java_partition), ("consistent", librdkafka_partition)]
)
def test_librdkafkas_own_partitioners_agree(
    shared_cluster: EmbeddedCluster, name: str, ours: Callable[[bytes, int], int]
) -> None:
    """Any bytes, of any length modulo 4, land where we say that they land."""
    topic = f"partitioner-{name}"
    shared_cluster.create_topic(topic, PARTITIONS)
    chance = random.Random(7)
    keys = [chance.randbytes(chance.randint(1, 40)) for _ in range(400)]
    landed: dict[bytes, int | None] = {}

    def report(error: KafkaError | None, message: Message) -> None:
        assert error is None, error.str()
        key = message.key()
        assert isinstance(key, bytes)
        landed[key] = message.partition()

    producer = Producer({**shared_cluster.client_defaults, "partitioner": name})
    for key in keys:
        producer.produce(topic, b"", key, on_delivery=report)
    assert producer.flush(15) == 0
    assert landed == {key: ours(key, PARTITIONS) for key in keys}
    assert set(landed.values()) == set(range(PARTITIONS))
