"""A stored dead letter, decoded anew from its bytes as its topic's policy said when it came."""

from __future__ import annotations

from producer_agent.dead_letters.conventions import Decoded, RawRecord, decode_under
from producer_agent.store.queries.dead_letters import Letter


def raw_record(letter: Letter) -> RawRecord:
    """The record as it lay on its dead-letter topic."""
    return RawRecord(
        letter.topic,
        letter.partition,
        letter.offset,
        letter.timestamp_ms,
        letter.key,
        letter.value,
        letter.headers,
    )


def decoded_of(letter: Letter) -> Decoded:
    """What its convention reads from it."""
    return decode_under(raw_record(letter), letter.fixed_convention, letter.default_target)
