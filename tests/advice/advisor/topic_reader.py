"""Reads what lies on a topic of the embedded cluster."""

from __future__ import annotations

from confluent_kafka import Consumer, KafkaError, Message, TopicPartition

from tests.waiting import wait_until


def read_all(bootstrap: str, topic: str, *, at_least: int = 1) -> list[Message]:
    """All records of a topic, once there are so many; fails after 20 s."""
    consumer = Consumer(
        {
            "bootstrap.servers": bootstrap,
            "group.id": "reader",
            "enable.auto.commit": False,
            "enable.partition.eof": True,
            "topic.metadata.refresh.interval.ms": 500,
            "log_level": 0,
        }
    )
    found: list[Message] = []
    try:

        def enough() -> bool:
            found.clear()
            found.extend(_read_once(consumer, topic))
            return len(found) >= at_least

        wait_until(enough, 20, f"{topic} does not hold {at_least} records")
    finally:
        consumer.close()
    return found


def _read_once(consumer: Consumer, topic: str) -> list[Message]:
    partitions = consumer.list_topics(topic, timeout=10).topics[topic].partitions
    consumer.assign([TopicPartition(topic, at, 0) for at in partitions])
    found: list[Message] = []
    left = len(partitions)
    while left:
        message = consumer.poll(5)
        if message is None:
            return []
        error = message.error()
        if error is None:
            found.append(message)
        elif error.code() == KafkaError._PARTITION_EOF:
            left -= 1
        else:
            return []
    consumer.unassign()
    return found
