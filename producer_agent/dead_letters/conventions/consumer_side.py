"""From the hops that failure headers tell to one decoded dead letter of a consumer's."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields

from producer_agent.dead_letters.conventions.headers import Found, Reading, text, without
from producer_agent.dead_letters.conventions.record import Decoded, Hop, RawRecord

_OF_FIRST = {
    "topic": "original_topic",
    "partition": "original_partition",
    "offset": "original_offset",
    "timestamp_ms": "original_timestamp_ms",
}
"""What the first hop tells: where the record comes from, so where a replay goes."""

_OF_LAST = {
    name: name
    for name in (
        "consumer_group",
        "connector",
        "stage",
        "error_class",
        "error_wrapper_class",
        "error_message",
        "cause_message",
        "stack",
    )
}
"""What the last hop tells: why it is here."""


@dataclass(frozen=True, slots=True)
class ReadHop:
    """A hop and where each of its fields was read."""

    hop: Hop
    reading: Reading


def error_classes(
    reading: Reading, outer: Found | None, cause: Found | None
) -> tuple[str | None, str | None]:
    """Error class and wrapper class, from the headers of an exception's class and its cause's."""
    if cause is None or cause.value is None:
        return reading.take("error_class", outer, text), None
    error_class = reading.take("error_class", cause, text)
    if outer is None or outer.value == cause.value:
        return error_class, None
    return error_class, reading.take("error_wrapper_class", outer, text)


def decoded(
    convention: str,
    record: RawRecord,
    own: Callable[[str], bool],
    hops: Sequence[ReadHop],
    *,
    rest: Reading | None = None,
    attempts_header: int | None = None,
    deliveries: int | None = None,
    details: Mapping[str, str | None] | None = None,
) -> Decoded:
    """One decoded dead letter.

    Args:
        convention: Its name.
        record: The dead letter.
        own: Whether a header of this name is the convention's, so none of the original's.
        hops: The hops, at least one, the oldest first.
        rest: Where ``attempts_header``, ``deliveries`` and the details were read.
        attempts_header: The attempts as they are written.
        deliveries: What the attempts come to.
        details: What else is told; None is left out.
    """
    first, last = hops[0], hops[-1]
    rest = rest or Reading()
    places = {"original_key": "key", "original_value": "value"}
    undecoded: dict[str, str] = {}
    for reading, named in ((first.reading, _OF_FIRST), (last.reading, _OF_LAST)):
        _put(places, reading.fields, named)
        _put(undecoded, reading.undecoded, named)
    places |= rest.fields
    undecoded |= rest.undecoded
    if len(hops) > 1:
        for number, each in enumerate(hops):
            named = {part.name: f"hops[{number}].{part.name}" for part in fields(Hop)}
            _put(places, each.reading.fields, named)
            _put(undecoded, each.reading.undecoded, named)
    return Decoded(
        convention=convention,
        side="consumer",
        original_topic=first.hop.topic,
        original_partition=first.hop.partition,
        original_offset=first.hop.offset,
        original_timestamp_ms=first.hop.timestamp_ms,
        original_key=record.key,
        original_value=record.value,
        original_headers=without(record.headers, own),
        error_class=last.hop.error_class,
        error_wrapper_class=last.hop.error_wrapper_class,
        error_message=last.hop.error_message,
        cause_message=last.hop.cause_message,
        stack=last.hop.stack,
        stage=last.hop.stage,
        connector=last.hop.connector,
        consumer_group=last.hop.consumer_group,
        attempts_header=attempts_header,
        deliveries=deliveries,
        hops=tuple(each.hop for each in hops),
        details={name: value for name, value in (details or {}).items() if value is not None},
        fields=places,
        undecoded=undecoded,
    )


def _put(into: dict[str, str], read: Mapping[str, str], named: Mapping[str, str]) -> None:
    if read:
        into.update({new: read[old] for old, new in named.items() if old in read})
