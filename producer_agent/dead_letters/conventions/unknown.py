"""What no convention claims: kept whole, as its own original."""

from __future__ import annotations

from producer_agent.dead_letters.conventions.record import Decoded, RawRecord

NAME = "unknown"


def decode(record: RawRecord) -> Decoded:
    """The record as its own original; nothing is known of the failure."""
    return Decoded(
        convention=NAME,
        original_key=record.key,
        original_value=record.value,
        original_headers=record.headers,
        original_timestamp_ms=record.timestamp_ms,
    )
