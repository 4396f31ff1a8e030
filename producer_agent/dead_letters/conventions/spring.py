"""What the three conventions of the Spring family share: one hop, under different names.

Partition is a big-endian int32, offset and timestamp are big-endian int64, the rest is UTF-8.
Source: spring-kafka ``listener/DeadLetterRecordManager.java``, ``support/KafkaHeaders.java``.
"""

from __future__ import annotations

from dataclasses import dataclass

from producer_agent.dead_letters.conventions.consumer_side import ReadHop, error_classes
from producer_agent.dead_letters.conventions.headers import (
    Block,
    Reading,
    int32,
    int64,
    pick,
    text,
    topic,
)
from producer_agent.dead_letters.conventions.record import Hop

DELIVERY_ATTEMPT = "kafka_deliveryAttempt"
"""Set by the listener container, not the recoverer: the delivery that failed last, from 1."""

LEFT_BEHIND = ("springDeserializerExceptionKey", "springDeserializerExceptionValue")
"""A failed deserialization's Java-serialized exception, on its way to the recoverer."""


@dataclass(frozen=True, slots=True)
class Names:
    """Under which names a convention writes."""

    original: str
    exception: str
    key_exception: str
    group: str


def hop(block: Block, names: Names) -> ReadHop:
    """The hop that these headers tell.

    If only the key could not be deserialized, the exception's headers are those of the key, but its
    cause has no name of its own.
    """
    reading = Reading()
    original, of_value, of_key = names.original, names.exception, names.key_exception
    error_class, wrapper = error_classes(
        reading,
        pick(block, f"{of_value}fqcn", f"{of_key}fqcn"),
        pick(block, f"{of_value}cause-fqcn"),
    )
    its = Hop(
        topic=reading.take("topic", pick(block, f"{original}topic"), topic),
        partition=reading.take("partition", pick(block, f"{original}partition"), int32),
        offset=reading.take("offset", pick(block, f"{original}offset"), int64),
        timestamp_ms=reading.take("timestamp_ms", pick(block, f"{original}timestamp"), int64),
        consumer_group=reading.take("consumer_group", pick(block, names.group), text),
        error_class=error_class,
        error_wrapper_class=wrapper,
        error_message=reading.prose(
            "error_message", pick(block, f"{of_value}message", f"{of_key}message")
        ),
        stack=reading.prose("stack", pick(block, f"{of_value}stacktrace", f"{of_key}stacktrace")),
    )
    return ReadHop(its, reading)


def timestamp_type(reading: Reading, block: Block, names: Names) -> dict[str, str | None]:
    """``CreateTime`` or ``LogAppendTime``, as a detail."""
    found = pick(block, f"{names.original}timestamp-type")
    return {"timestamp_type": reading.take("details.timestamp_type", found, text)}
