"""Kafka Connect's sink connectors: ``__connect.errors.*``, appended by each hop.

Only with ``errors.deadletterqueue.context.headers.enable``; without it (the default) nothing tells
such a record from any other. Source connectors have no dead-letter topic.
Source: apache/kafka ``connect/runtime/.../errors/DeadLetterQueueReporter.java``.
"""

from __future__ import annotations

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

NAME = "kafka-connect"

_PREFIX = "__connect.errors."
_ALWAYS = {f"{_PREFIX}connector.name", f"{_PREFIX}stage"}


def decode(record: RawRecord) -> Decoded | None:
    """Read Connect's context headers; None if there are none."""
    if not record.names >= _ALWAYS:
        return None
    blocks = blocks_of(found_in(record.headers, _own))
    rest = Reading()
    last = blocks[-1]
    details = {
        "task": rest.take("details.task", pick(last, f"{_PREFIX}task.id"), text),
        "executing_class": rest.take(
            "details.executing_class", pick(last, f"{_PREFIX}class.name"), text
        ),
    }
    hops = [_hop(block) for block in blocks]
    return decoded(NAME, record, _own, hops, rest=rest, details=details)


def _own(name: str) -> bool:
    return name.startswith(_PREFIX)


def _hop(block: Block) -> ReadHop:
    reading = Reading()
    hop = Hop(
        topic=reading.take("topic", pick(block, f"{_PREFIX}topic"), topic),
        partition=reading.take("partition", pick(block, f"{_PREFIX}partition"), decimal),
        offset=reading.take("offset", pick(block, f"{_PREFIX}offset"), decimal),
        connector=reading.take("connector", pick(block, f"{_PREFIX}connector.name"), text),
        stage=reading.take("stage", pick(block, f"{_PREFIX}stage"), text),
        error_class=reading.take(
            "error_class", pick(block, f"{_PREFIX}exception.class.name"), text
        ),
        error_message=reading.prose("error_message", pick(block, f"{_PREFIX}exception.message")),
        stack=reading.prose("stack", pick(block, f"{_PREFIX}exception.stacktrace")),
    )
    return ReadHop(hop, reading)
