"""Karafka Pro: ``source_*`` (``original_*`` before 2.5), overwritten by each hop.

Messages that Karafka pipes from topic to topic have the same headers but ``source_attempts``: they
are no dead letters. Before 2.5 the dead letter's key was the source partition and the source's key
travelled in ``original_key``. The free edition writes no headers.
Source: karafka ``lib/karafka/pro/processing/strategies/dlq/default.rb``, ``Upgrades-2.5``.
"""

from __future__ import annotations

from dataclasses import replace

from producer_agent.dead_letters.conventions.consumer_side import ReadHop, decoded
from producer_agent.dead_letters.conventions.headers import (
    Reading,
    by_name,
    decimal,
    found_in,
    pick,
    text,
    topic,
)
from producer_agent.dead_letters.conventions.record import Decoded, Hop, RawRecord

NAME = "karafka"

_ALWAYS = ("topic", "partition", "offset", "consumer_group", "attempts")
_SINCE_2_5 = "source_"
_BEFORE_2_5 = "original_"
_SINCE_2_5_ALWAYS = {_SINCE_2_5 + word for word in _ALWAYS}
_OWN = {
    _SINCE_2_5: {_SINCE_2_5 + word for word in (*_ALWAYS, "trace_id")},
    _BEFORE_2_5: {_BEFORE_2_5 + word for word in (*_ALWAYS, "key")},
}


def decode(record: RawRecord) -> Decoded | None:
    """Read Karafka's headers; None if there are none, or not all."""
    if record.names >= _SINCE_2_5_ALWAYS:
        return _read(record, _SINCE_2_5)
    if _OWN[_BEFORE_2_5] <= record.names:
        return _with_key(record, _read(record, _BEFORE_2_5))
    return None


def _read(record: RawRecord, prefix: str) -> Decoded:
    own = _OWN[prefix].__contains__
    found = by_name(found_in(record.headers, own))
    reading, rest = Reading(), Reading()
    hop = Hop(
        topic=reading.take("topic", pick(found, f"{prefix}topic"), topic),
        partition=reading.take("partition", pick(found, f"{prefix}partition"), decimal),
        offset=reading.take("offset", pick(found, f"{prefix}offset"), decimal),
        consumer_group=reading.take("consumer_group", pick(found, f"{prefix}consumer_group"), text),
    )
    attempts = pick(found, f"{prefix}attempts")
    return decoded(
        NAME,
        record,
        own,
        [ReadHop(hop, reading)],
        rest=rest,
        attempts_header=rest.take("attempts_header", attempts, decimal),
        deliveries=rest.take("deliveries", attempts, decimal),
        details={"trace_id": rest.take("details.trace_id", pick(found, f"{prefix}trace_id"), text)},
    )


def _with_key(record: RawRecord, found: Decoded) -> Decoded:
    *_, header = found_in(record.headers, f"{_BEFORE_2_5}key".__eq__)  # decode looked for it
    # A null key was written as an empty one.
    return replace(
        found,
        original_key=header.value or None,
        fields={**found.fields, "original_key": header.place},
    )
