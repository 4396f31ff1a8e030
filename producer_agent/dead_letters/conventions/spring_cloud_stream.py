"""Spring Cloud Stream's Kafka binder: ``x-original-*`` and ``x-exception-*``.

Applications of other makes reuse these names with other encodings (numbers as text, say); what does
not fit the binder's is given as hex.
Source: spring-cloud-stream ``KafkaMessageChannelBinder.java``.
"""

from __future__ import annotations

from producer_agent.dead_letters.conventions import spring
from producer_agent.dead_letters.conventions.consumer_side import decoded
from producer_agent.dead_letters.conventions.headers import (
    Reading,
    blocks_of,
    found_in,
)
from producer_agent.dead_letters.conventions.record import Decoded, RawRecord

NAME = "spring-cloud-stream"

_NAMES = spring.Names(
    original="x-original-", exception="x-exception-", key_exception="x-key-exception-", group=""
)
_ORIGINAL = {
    _NAMES.original + word
    for word in ("topic", "partition", "offset", "timestamp", "timestamp-type")
}
_EXCEPTION = {_NAMES.exception + word for word in ("message", "fqcn", "stacktrace")}


def decode(record: RawRecord) -> Decoded | None:
    """Read the binder's headers; None if there are none."""
    if f"{_NAMES.original}topic" not in record.names or not record.names & _EXCEPTION:
        return None
    blocks = blocks_of(found_in(record.headers, _own))
    rest = Reading()
    return decoded(
        NAME,
        record,
        _own,
        [spring.hop(block, _NAMES) for block in blocks],
        rest=rest,
        details=spring.timestamp_type(rest, blocks[0], _NAMES),
    )


def _own(name: str) -> bool:
    return name in _ORIGINAL or name in _EXCEPTION
