"""SmallRye Reactive Messaging (Quarkus): ``dead-letter-*``, or ``delayed-retry-*`` of its retry
topics, which go to the dead-letter topic with the last retry's headers and no ``dead-letter-*``.

Each hop puts its headers before those it found, so the newest come first.
Source: smallrye-reactive-messaging ``fault/KafkaDeadLetterQueue.java``,
``fault/KafkaDelayedRetryTopic.java``.
"""

from __future__ import annotations

from producer_agent.dead_letters.conventions.consumer_side import ReadHop, decoded, error_classes
from producer_agent.dead_letters.conventions.headers import (
    Block,
    Found,
    Reading,
    blocks_of,
    by_name,
    decimal,
    found_in,
    pick,
    text,
    topic,
)
from producer_agent.dead_letters.conventions.record import Decoded, Hop, RawRecord

NAME = "smallrye"

_DEAD = "dead-letter-"
_RETRY = "delayed-retry-"
_PER_HOP = (
    "exception-class-name",
    "cause-class-name",
    "reason",
    "cause",
    "topic",
    "partition",
    "offset",
)
_PER_RECORD = ("count", "original-timestamp", "first-processing-timestamp")
_HOP_NAMES = {prefix + word for prefix in (_DEAD, _RETRY) for word in _PER_HOP}
_NAMES = _HOP_NAMES | {_RETRY + word for word in _PER_RECORD}
_ALWAYS = tuple(
    {prefix + word for word in ("topic", "partition", "offset", "reason")}
    for prefix in (_DEAD, _RETRY)
)
"""Class names came in a later version."""


def decode(record: RawRecord) -> Decoded | None:
    """Read SmallRye's failure headers; None if there are none."""
    if not any(always <= record.names for always in _ALWAYS):
        return None
    found = found_in(record.headers, _own)
    per_hop = [header for header in found if header.name in _HOP_NAMES]
    blocks = blocks_of(per_hop, lambda name: name.removeprefix(_DEAD).removeprefix(_RETRY))
    told = by_name(found)
    rest = Reading()
    details = {
        "first_processing_timestamp": rest.take(
            "details.first_processing_timestamp",
            pick(told, f"{_RETRY}first-processing-timestamp"),
            text,
        ),
    }
    attempts_header = deliveries = None
    if _of_a_retry(blocks[0]):
        count = pick(told, f"{_RETRY}count")
        attempts_header = rest.take("attempts_header", count, decimal)
        deliveries = rest.take("deliveries", count, _deliveries)
    *later, oldest = blocks
    timestamp = None
    if _of_a_retry(oldest):
        timestamp = pick(told, f"{_RETRY}original-timestamp")
    hops = [_hop(oldest, timestamp), *(_hop(block, None) for block in reversed(later))]
    return decoded(
        NAME,
        record,
        _own,
        hops,
        rest=rest,
        attempts_header=attempts_header,
        deliveries=deliveries,
        details=details,
    )


def _own(name: str) -> bool:
    return name in _NAMES or name.startswith("deserialization-failure-")


def _of_a_retry(block: Block) -> bool:
    return next(iter(block)).startswith(_RETRY)


def _pick(block: Block, word: str) -> Found | None:
    return pick(block, _DEAD + word, _RETRY + word)


def _hop(block: Block, timestamp: Found | None) -> ReadHop:
    reading = Reading()
    error_class, wrapper = error_classes(
        reading, _pick(block, "exception-class-name"), _pick(block, "cause-class-name")
    )
    hop = Hop(
        topic=reading.take("topic", _pick(block, "topic"), topic),
        partition=reading.take("partition", _pick(block, "partition"), decimal),
        offset=reading.take("offset", _pick(block, "offset"), decimal),
        timestamp_ms=reading.take("timestamp_ms", timestamp, decimal),
        error_class=error_class,
        error_wrapper_class=wrapper,
        error_message=reading.prose("error_message", _pick(block, "reason")),
        cause_message=reading.prose("cause_message", _pick(block, "cause")),
    )
    return ReadHop(hop, reading)


def _deliveries(value: bytes) -> int | None:
    retries = decimal(value)
    if retries is not None and retries >= 2**31 - 1:
        raise ValueError("SmallRye counts in an int")
    return None if retries is None else retries + 1
