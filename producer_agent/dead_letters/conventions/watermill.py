"""Watermill's poison queue (Go): ``*_poisoned``, overwritten by each hop.

The headers are a map in Watermill: their order tells nothing, and the first origin of a message
that was poisoned twice is gone. Its Kafka marshaler adds the message's UUID, which is the
original's own where it is not empty: its consumers know a message by it.
Source: watermill ``message/router/middleware/poison.go``, watermill-kafka ``marshaler.go``.
"""

from __future__ import annotations

from dataclasses import replace

from producer_agent.dead_letters.conventions.consumer_side import ReadHop, decoded
from producer_agent.dead_letters.conventions.headers import (
    Reading,
    by_name,
    found_in,
    pick,
    text,
    topic,
)
from producer_agent.dead_letters.conventions.record import Decoded, Hop, RawRecord

NAME = "watermill"

_OWN = {"topic_poisoned", "reason_poisoned", "handler_poisoned", "subscriber_poisoned"}
_ALWAYS = {"topic_poisoned", "reason_poisoned"}
_UUID = "_watermill_message_uuid"


def decode(record: RawRecord) -> Decoded | None:
    """Read the poison queue's headers; None if there are none."""
    if not record.names >= _ALWAYS:
        return None
    found = by_name(found_in(record.headers, lambda name: name in _OWN or name == _UUID))
    reading, rest = Reading(), Reading()
    hop = Hop(
        topic=reading.take("topic", pick(found, "topic_poisoned"), topic),
        error_message=reading.prose("error_message", pick(found, "reason_poisoned")),
    )
    uuid = pick(found, _UUID)
    told = decoded(
        NAME,
        record,
        _OWN.__contains__,
        [ReadHop(hop, reading)],
        rest=rest,
        details={
            "handler": rest.take("details.handler", pick(found, "handler_poisoned"), text),
            "subscriber": rest.take("details.subscriber", pick(found, "subscriber_poisoned"), text),
            "message_uuid": rest.take("details.message_uuid", uuid, text) if uuid else None,
        },
    )
    # The marshaler writes an empty UUID for a message that came without one.
    kept = tuple(pair for pair in told.original_headers if pair != (_UUID, b""))
    return replace(told, original_headers=kept)
