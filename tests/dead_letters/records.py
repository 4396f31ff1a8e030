"""Producing to and reading from a dead-letter topic, past the code under test."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager

from confluent_kafka import Consumer, KafkaError, Message, Producer, TopicPartition

from producer_agent.dead_letters.consumer import DeadLetterConsumer
from producer_agent.kafka.embedded import EmbeddedCluster
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


@contextmanager
def consuming(
    cluster: EmbeddedCluster, writer: Writer, row: int, ids: TopicIds = no_ids
) -> Iterator[DeadLetterConsumer]:
    """A consumer that runs."""
    consumer = DeadLetterConsumer(cluster.client_defaults, [TOPIC], row, writer, ids)
    consumer.start()
    try:
        yield consumer
    finally:
        consumer.close()
