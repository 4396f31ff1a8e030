"""A record on which several frameworks left their headers: it failed in one after the other."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import fields, replace

from producer_agent.dead_letters.conventions import (
    kafka_connect,
    kafka_streams,
    spring_cloud_stream,
    spring_recoverer,
    spring_retryable_topic,
)
from producer_agent.dead_letters.conventions.record import Decoded, Hop, RawRecord

_APPEND = {
    kafka_connect.NAME,
    kafka_streams.NAME,
    spring_cloud_stream.NAME,
    spring_recoverer.NAME,
    spring_retryable_topic.NAME,
}
"""Conventions that append to what they find, so that the headers' order is the order in time."""

_OF_FIRST = re.compile(r"(?:original_(?:topic|partition|offset|timestamp_ms)|internal_topic)$")
_HOP_FIELDS = {part.name for part in fields(Hop)}
_OF_HOP = re.compile(r"hops\[(\d+)\]\.(\w+)$")


def joined(record: RawRecord, claims: Sequence[Decoded]) -> Decoded:
    """One dead letter of what several conventions read from it.

    The origin is the first framework's, everything else the last one's. Where the order cannot be
    told, neither can the origin: one framework's origin is the other's dead-letter topic.
    """
    known = all(claim.convention in _APPEND for claim in claims)
    ordered = sorted(claims, key=lambda claim: _wrote_from(record, claim)) if known else claims
    first, last = ordered[0], ordered[-1]
    own = [set(record.headers) - set(claim.original_headers) for claim in claims]
    kept = tuple(pair for pair in record.headers if not any(pair in theirs for theirs in own))
    among = ", ".join(sorted(claim.convention for claim in claims))
    details = {**last.details, "conventions": among}
    if not known:
        return replace(
            last,
            original_topic=None,
            original_partition=None,
            original_offset=None,
            original_timestamp_ms=None,
            internal_topic=None,
            original_headers=kept,
            details=details,
            fields=_without_origin(last.fields),
            undecoded=_without_origin(last.undecoded),
        )
    return replace(
        last,
        original_topic=first.original_topic,
        original_partition=first.original_partition,
        original_offset=first.original_offset,
        original_timestamp_ms=first.original_timestamp_ms,
        original_headers=kept,
        internal_topic=first.internal_topic,
        hops=tuple(hop for claim in ordered for hop in claim.hops),
        details=details,
        fields=_joined(ordered, [claim.fields for claim in ordered]),
        undecoded=_joined(ordered, [claim.undecoded for claim in ordered]),
    )


def _wrote_from(record: RawRecord, claim: Decoded) -> int:
    """Position of a claim's first own header."""
    kept = claim.original_headers
    for position, pair in enumerate(record.headers):
        if position >= len(kept) or kept[position] != pair:
            return position
    return len(record.headers)


def _without_origin(told: Mapping[str, str]) -> dict[str, str]:
    return {name: value for name, value in told.items() if not _OF_FIRST.match(name)}


def _joined(claims: Sequence[Decoded], told: Sequence[Mapping[str, str]]) -> dict[str, str]:
    first, last = told[0], told[-1]
    both = {name: value for name, value in first.items() if _OF_FIRST.match(name)}
    both |= {
        name: value for name, value in _without_origin(last).items() if not _OF_HOP.match(name)
    }
    number = 0
    for claim, its in zip(claims, told, strict=True):
        for name, value in its.items():
            of_hop = _OF_HOP.match(name)
            if of_hop:
                both[f"hops[{number + int(of_hop[1])}].{of_hop[2]}"] = value
            elif len(claim.hops) == 1 and name.removeprefix("original_") in _HOP_FIELDS:
                both[f"hops[{number}].{name.removeprefix('original_')}"] = value
        number += len(claim.hops)
    return both
