"""Dead-letter conventions: one small module each, with ``NAME`` and ``decode(record)``.

A convention's ``decode`` returns None for what is not its own, and claims a record by what its
framework always writes, never by a single header that anyone might use. Adding one is one file and
one line here.
"""

from __future__ import annotations

from collections.abc import Callable

from producer_agent.dead_letters.conventions import (
    ackboard,
    chain,
    kafka_connect,
    kafka_streams,
    karafka,
    share_group,
    smallrye,
    spring_cloud_stream,
    spring_recoverer,
    spring_retryable_topic,
    unknown,
    watermill,
)
from producer_agent.dead_letters.conventions.record import Decoded, Hop, RawRecord

__all__ = ["CONVENTIONS", "Decoded", "Hop", "RawRecord", "decode"]

CONVENTIONS: tuple[Callable[[RawRecord], Decoded | None], ...] = (
    ackboard.decode,
    kafka_connect.decode,
    kafka_streams.decode,
    share_group.decode,
    spring_retryable_topic.decode,
    spring_recoverer.decode,
    spring_cloud_stream.decode,
    smallrye.decode,
    karafka.decode,
    watermill.decode,
)


def decode(record: RawRecord) -> Decoded:
    """Read a dead letter by the convention that knows it. Never raises on any bytes.

    Where a framework dead-lettered another's dead letter, see ``chain.joined``. An envelope in the
    value is the innermost of all, as it holds the original: it is read before any header.
    """
    claims: list[Decoded] = []
    for convention in CONVENTIONS:
        decoded = convention(record)
        if decoded is not None:
            if decoded.side == "producer":
                return decoded
            claims.append(decoded)
    if not claims:
        return unknown.decode(record)
    return claims[0] if len(claims) == 1 else chain.joined(record, claims)
