"""Producing to and reading from a dead-letter topic, past the code under test."""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager

from confluent_kafka import Consumer, KafkaError, Message, Producer, TopicPartition, cimpl

from producer_agent.dead_letters.consumer import DeadLetterConsumer
from producer_agent.kafka.admin import Admin
from producer_agent.kafka.embedded import EmbeddedCluster
from producer_agent.kafka.topic_offsets import offset_bounds
from producer_agent.store.writer import Writer
from tests.waiting import wait_until

TOPIC = "dead"

TopicIds = Callable[[Sequence[str]], Mapping[str, str]]


def produce(
    cluster: EmbeddedCluster,
    *values: bytes | None,
    topic: str = TOPIC,
    key: bytes | None = b"k",
    partition: int = 0,
) -> None:
    """Put records on a topic."""
    errors: list[KafkaError] = []
    producer = Producer({**cluster.client_defaults, "message.max.bytes": 50_000_000})
    for value in values:
        producer.produce(
            topic,
            value,
            key,
            partition=partition,
            on_delivery=lambda error, _message: errors.append(error) if error else None,
        )
    assert producer.flush(15) == 0
    assert not errors


def produce_with_header_name(cluster: EmbeddedCluster, name: bytes, value: bytes) -> None:
    """Put a record with a header of any name on the topic: Kafka and librdkafka allow it, and
    confluent-kafka, which takes text only, could not write it."""
    library = ctypes.CDLL(cimpl.__file__)
    pointer = ctypes.c_void_p
    for function in ("rd_kafka_conf_new", "rd_kafka_new", "rd_kafka_headers_new"):
        getattr(library, function).restype = pointer
    error = ctypes.create_string_buffer(512)
    conf = pointer(library.rd_kafka_conf_new())
    brokers = cluster.bootstrap_servers.encode()
    library.rd_kafka_conf_set(conf, b"bootstrap.servers", brokers, error, ctypes.c_size_t(512))
    producer = pointer(library.rd_kafka_new(0, conf, error, ctypes.c_size_t(512)))
    headers = pointer(library.rd_kafka_headers_new(ctypes.c_size_t(1)))
    library.rd_kafka_header_add(
        headers, name, ctypes.c_ssize_t(len(name)), b"1", ctypes.c_ssize_t(1)
    )
    # rd_kafka_vtype_t: TOPIC 1, MSGFLAGS 7 (2: copy the value), VALUE 4, HEADERS 10, END 0.
    size = ctypes.c_size_t(len(value))
    arguments = (1, TOPIC.encode(), 7, 2, 4, value, size, 10, headers, 0)
    assert library.rd_kafka_producev(producer, *arguments) == 0
    assert library.rd_kafka_flush(producer, 10_000) == 0
    library.rd_kafka_destroy(producer)


def read(cluster: EmbeddedCluster, topic: str, count: int, partitions: int = 1) -> list[Message]:
    """The first ``count`` records of a topic."""
    consumer = Consumer({**cluster.client_defaults, "group.id": "reader", "log_level": 0})
    found: list[Message] = []
    consumer.assign([TopicPartition(topic, partition, 0) for partition in range(partitions)])

    def enough() -> bool:
        for message in consumer.consume(100, 0.1):
            assert message.error() is None
            found.append(message)
        return len(found) >= count

    try:
        wait_until(enough, 15, f"{count} records never arrived in {topic}")
    finally:
        consumer.close()
    return found


def no_ids(_topics: Sequence[str]) -> dict[str, str]:
    """As of a cluster that tells no topic ids."""
    return {}


class EmbeddedBrokers:
    """What the consumer asks of a cluster, of an embedded one with topic ids of the test's own."""

    def __init__(self, cluster: EmbeddedCluster, ids: TopicIds = no_ids) -> None:
        self._admin = Admin(cluster.client_defaults)
        self.topic_ids = ids
        self.settings: dict[str, dict[str, str]] = {}

    def offset_bounds(
        self, partitions: Collection[tuple[str, int]]
    ) -> dict[tuple[str, int], tuple[int, int]]:
        return offset_bounds(self._admin, partitions)

    def topic_settings(self, _names: Sequence[str]) -> dict[str, dict[str, str]]:
        return self.settings


@contextmanager
def consuming(
    cluster: EmbeddedCluster,
    writer: Writer,
    row: int,
    ids: TopicIds = no_ids,
    group: str = "ackboard-test",
) -> Iterator[DeadLetterConsumer]:
    """A consumer that runs."""
    brokers = EmbeddedBrokers(cluster, ids)
    consumer = DeadLetterConsumer(cluster.client_defaults, TOPIC, row, writer, brokers, group)
    consumer.start()
    try:
        yield consumer
    finally:
        consumer.close()
