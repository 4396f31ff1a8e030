"""Dead-letter conventions: one small module each, with ``NAME`` and ``decode(record)``.

A convention's ``decode`` returns None for what is not its own, and claims a record by what its
framework always writes, never by a single header that anyone might use. Adding one is one file and
one line here.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from types import MappingProxyType

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

__all__ = ["CONVENTIONS", "Decoded", "Hop", "RawRecord", "decode", "decode_under"]

_MODULES = (
    ackboard,
    kafka_connect,
    kafka_streams,
    share_group,
    spring_retryable_topic,
    spring_recoverer,
    spring_cloud_stream,
    smallrye,
    karafka,
    watermill,
)

CONVENTIONS: Mapping[str, Callable[[RawRecord], Decoded | None]] = MappingProxyType(
    {module.NAME: module.decode for module in _MODULES}
)
"""How to read each convention, by its name."""


def decode(record: RawRecord) -> Decoded:
    """Read a dead letter by the convention that knows it. Never raises on any bytes.

    Where a framework dead-lettered another's dead letter, see ``chain.joined``. An envelope in the
    value is the innermost of all, as it holds the original: it is read before any header.
    """
    claims: list[Decoded] = []
    for convention in CONVENTIONS.values():
        decoded = convention(record)
        if decoded is not None:
            if decoded.side == "producer":
                return decoded
            claims.append(decoded)
    if not claims:
        return unknown.decode(record)
    return claims[0] if len(claims) == 1 else chain.joined(record, claims)


def decode_under(
    record: RawRecord, fixed_convention: str | None, default_target: str | None
) -> Decoded:
    """Read a dead letter as its topic's policy says. Never raises on any bytes.

    Args:
        record: The dead letter.
        fixed_convention: Name of the one convention to read it by; None: whichever knows it.
        default_target: The original topic of what does not tell its own. It does not stand in for
            an internal topic that the record names, whose records are not those of another topic.
    """
    decoded = decode(record) if fixed_convention is None else _by(fixed_convention, record)
    if default_target is None or decoded.original_topic or decoded.internal_topic:
        return decoded
    return replace(
        decoded,
        original_topic=default_target,
        fields={**decoded.fields, "original_topic": f"policy of {record.topic}"},
    )


def _by(name: str, record: RawRecord) -> Decoded:
    read = CONVENTIONS.get(name)
    decoded = None if read is None else read(record)
    if decoded is not None:
        return decoded
    why = (
        f"the policy of {record.topic} says {name}, and this record is none"
        if read is not None
        else f"the policy of {record.topic} says {name}, which this version does not know"
    )
    return replace(unknown.decode(record), details={"policy": why})
