"""Kafka's share groups since KIP-1191: ``__dlq.errors.*``, written by the broker.

Unless the group has ``errors.deadletterqueue.copy.record.enable``, key and value are null: the
record only points to the original. The original's headers are never copied.
Source: apache/kafka ``server/.../share/dlq/ShareGroupDLQRecordHelper.java``.
"""

from __future__ import annotations

import re
from dataclasses import replace

from producer_agent.dead_letters.conventions.consumer_side import ReadHop, decoded
from producer_agent.dead_letters.conventions.headers import (
    Block,
    Reading,
    blocks_of,
    decimal,
    found_in,
    pick,
    text,
    topic,
)
from producer_agent.dead_letters.conventions.record import Decoded, Hop, RawRecord

NAME = "share-group"

_PREFIX = "__dlq.errors."
_ALWAYS = {f"{_PREFIX}topic", f"{_PREFIX}group"}

_TOPIC_ID = re.compile(r"(?=.*[A-Z])(?=.*[a-z])[A-Za-z0-9_-]{21}[AQgw]")
"""A topic id as Kafka prints it (128 bits in base64 leave two of the last digit's six bits). The
broker writes it where it does not know the topic's name; a replay to a topic of that name would
create one."""


def decode(record: RawRecord) -> Decoded | None:
    """Read the broker's headers; None if there are none."""
    if not record.names >= _ALWAYS:
        return None
    blocks = blocks_of(found_in(record.headers, _own))
    rest = Reading()
    count = pick(blocks[-1], f"{_PREFIX}delivery.count")
    deliveries = rest.take("deliveries", count, decimal)
    attempts_header = rest.take("attempts_header", count, decimal)
    topic_id = rest.take("details.topic_id", pick(blocks[0], f"{_PREFIX}topic"), _topic_id)
    found = decoded(
        NAME,
        record,
        _own,
        [_hop(block) for block in blocks],
        rest=rest,
        attempts_header=attempts_header,
        deliveries=deliveries,
        details={"topic_id": topic_id},
    )
    return replace(found, is_pointer=record.key is None and record.value is None)


def _own(name: str) -> bool:
    return name.startswith(_PREFIX)


def _hop(block: Block) -> ReadHop:
    reading = Reading()
    hop = Hop(
        topic=reading.take("topic", pick(block, f"{_PREFIX}topic"), _topic_name),
        partition=reading.take("partition", pick(block, f"{_PREFIX}partition"), decimal),
        offset=reading.take("offset", pick(block, f"{_PREFIX}offset"), decimal),
        consumer_group=reading.take("consumer_group", pick(block, f"{_PREFIX}group"), text),
        error_message=reading.prose("error_message", pick(block, f"{_PREFIX}message")),
    )
    return ReadHop(hop, reading)


def _topic_name(value: bytes) -> str | None:
    name = topic(value)
    return None if _TOPIC_ID.fullmatch(name) else name


def _topic_id(value: bytes) -> str | None:
    name = value.decode("utf-8", "replace")
    return name if _TOPIC_ID.fullmatch(name) else None
