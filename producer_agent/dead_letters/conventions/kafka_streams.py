"""Kafka Streams since KIP-1034: ``__streams.errors.*``, appended by each hop.

A punctuator's failure has no source: its topic is null, its partition and offset are "-1". Behind a
repartition the internal topic is named as the source.
Source: apache/kafka ``streams/.../errors/internals/ExceptionHandlerUtils.java``.
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

NAME = "kafka-streams"

_PREFIX = "__streams.errors."
_ALWAYS = {f"{_PREFIX}{word}" for word in ("exception", "topic", "partition", "offset")}

_INTERNAL = re.compile(
    r".+-repartition|.+-KTABLE-FK-JOIN-SUBSCRIPTION-(?:REGISTRATION|RESPONSE)-\d+-topic"
)
"""Topics that Streams makes and reads back itself: what it writes there is its own format. A
changelog is not among them: it is never the source of a processed record, but many applications
read a topic of theirs with such a name."""

_TO_STRING = re.compile(r"([\w.$]+): .*", re.DOTALL)
"""The first version wrote ``e.toString()`` where the class name belongs."""


def decode(record: RawRecord) -> Decoded | None:
    """Read the headers of Streams' exception handlers; None if there are none."""
    if not record.names >= _ALWAYS:
        return None
    hops = [_hop(block) for block in blocks_of(found_in(record.headers, _own))]
    found = decoded(NAME, record, _own, hops)
    source = found.original_topic
    if source is None or not _INTERNAL.fullmatch(source):
        return found
    places = dict(found.fields)
    places["internal_topic"] = places.pop("original_topic")
    return replace(found, original_topic=None, internal_topic=source, fields=places)


def _own(name: str) -> bool:
    return name.startswith(_PREFIX)


def _hop(block: Block) -> ReadHop:
    reading = Reading()
    hop = Hop(
        topic=reading.take("topic", pick(block, f"{_PREFIX}topic"), topic),
        partition=reading.take("partition", pick(block, f"{_PREFIX}partition"), decimal),
        offset=reading.take("offset", pick(block, f"{_PREFIX}offset"), decimal),
        error_class=reading.take("error_class", pick(block, f"{_PREFIX}exception"), _class),
        error_message=reading.prose("error_message", pick(block, f"{_PREFIX}message")),
        stack=reading.prose("stack", pick(block, f"{_PREFIX}stacktrace")),
    )
    return ReadHop(hop, reading)


def _class(value: bytes) -> str:
    written = text(value)
    told = _TO_STRING.fullmatch(written)
    return told[1] if told else written
