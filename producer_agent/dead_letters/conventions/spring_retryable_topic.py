"""Spring's ``@RetryableTopic``: ``kafka_original-*``, ``kafka_exception-*``, ``retry_topic-*``.

Where the record came from is written once, at its first failure. The exception is the last one's.
``retry_topic-*`` is appended at each failure: the attempts are the number of the *next* delivery,
so one more than there were, and the timestamps are as many bytes as they take.
Source: spring-kafka ``retrytopic/DeadLetterPublishingRecovererFactory.java``,
``retrytopic/RetryTopicHeaders.java``.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from producer_agent.dead_letters.conventions import spring
from producer_agent.dead_letters.conventions.consumer_side import ReadHop, decoded
from producer_agent.dead_letters.conventions.headers import (
    Block,
    Found,
    Reading,
    big_integer,
    blocks_of,
    by_name,
    found_in,
    int32,
    pick,
)
from producer_agent.dead_letters.conventions.record import Decoded, RawRecord

NAME = "spring-retryable-topic"

_GROUP = "kafka_dlt-original-consumer-group"
_RETRY = "retry_topic-"
_NAMES = spring.Names(
    original="kafka_original-",
    exception="kafka_exception-",
    key_exception="kafka_key-exception-",
    group=_GROUP,
)
_PREFIXES = (_NAMES.original, _NAMES.exception, _NAMES.key_exception, _RETRY)


def decode(record: RawRecord) -> Decoded | None:
    """Read the headers of a retry topic or its dead-letter topic; None if there are none."""
    if f"{_NAMES.original}topic" not in record.names:
        return None
    if sum(name.startswith(_PREFIXES) for name in record.names) < 2:
        return None
    found = found_in(record.headers, _own)
    first = _first_failure(found)
    rest = Reading()
    told = by_name(found)
    attempts = pick(told, f"{_RETRY}attempts")
    its = spring.hop({**first, **_last_exception(found)}, _NAMES)
    timestamp = pick(told, f"{_RETRY}original-timestamp")
    if "timestamp_ms" not in its.reading.fields:
        read = its.reading.take("timestamp_ms", timestamp, big_integer)
        its = ReadHop(replace(its.hop, timestamp_ms=read), its.reading)
    backoff = rest.take(
        "details.backoff_timestamp_ms", pick(told, f"{_RETRY}backoff-timestamp"), big_integer
    )
    return decoded(
        NAME,
        record,
        _own,
        [its],
        rest=rest,
        attempts_header=rest.take("attempts_header", attempts, int32),
        deliveries=rest.take("deliveries", attempts, _deliveries),
        details={
            **spring.timestamp_type(rest, first, _NAMES),
            "backoff_timestamp_ms": None if backoff is None else str(backoff),
        },
    )


def _first_failure(found: Iterable[Found]) -> Block:
    """Where the record came from: written once, or the first of several."""
    return by_name(
        header
        for header in found
        if header.occurrence == 0 and header.name.startswith((_NAMES.original, _GROUP))
    )


def _last_exception(found: Iterable[Found]) -> Block:
    """The exception's headers, which replace the earlier ones unless that is switched off."""
    of_exceptions = (_NAMES.exception, _NAMES.key_exception)
    blocks = blocks_of(header for header in found if header.name.startswith(of_exceptions))
    return blocks[-1] if blocks else {}


def _own(name: str) -> bool:
    return (
        name.startswith(_PREFIXES)
        or name in (_GROUP, spring.DELIVERY_ATTEMPT)
        or name in spring.LEFT_BEHIND
    )


def _deliveries(value: bytes) -> int | None:
    following = int32(value)
    if following == 0:
        raise ValueError("there is no delivery before the first")
    return None if following is None else following - 1
