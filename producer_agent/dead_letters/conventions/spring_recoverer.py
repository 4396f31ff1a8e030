"""Spring's ``DeadLetterPublishingRecoverer``: ``kafka_dlt-*``.

Each hop appends where the record was; by default it replaces the exception's headers, so that only
the last hop's are there. The group is left out where the exception does not know it.
Source: spring-kafka ``listener/DeadLetterRecordManager.java``.
"""

from __future__ import annotations

from collections.abc import Iterable

from producer_agent.dead_letters.conventions import spring
from producer_agent.dead_letters.conventions.consumer_side import decoded
from producer_agent.dead_letters.conventions.headers import (
    Found,
    Reading,
    found_in,
    int32,
    pick,
)
from producer_agent.dead_letters.conventions.record import Decoded, RawRecord

NAME = "spring-recoverer"

_PREFIX = "kafka_dlt-"
_GROUP = f"{_PREFIX}original-consumer-group"
_NAMES = spring.Names(
    original=f"{_PREFIX}original-",
    exception=f"{_PREFIX}exception-",
    key_exception=f"{_PREFIX}key-exception-",
    group=_GROUP,
)


def decode(record: RawRecord) -> Decoded | None:
    """Read the recoverer's headers; None if there are none."""
    names = {name for name in record.names if name.startswith(_PREFIX)}
    # The group alone is written for @RetryableTopic too. Which of the others are there can be
    # configured, so two of them will do.
    if len(names - {_GROUP}) < 2:
        return None
    blocks = _blocks(found_in(record.headers, _own))
    last = blocks[-1]
    rest = Reading()
    attempt = pick(last, spring.DELIVERY_ATTEMPT)
    return decoded(
        NAME,
        record,
        _own,
        [spring.hop(block, _NAMES) for block in blocks],
        rest=rest,
        attempts_header=rest.take("attempts_header", attempt, int32),
        deliveries=rest.take("deliveries", attempt, int32),
        details=spring.timestamp_type(rest, blocks[0], _NAMES),
    )


def _own(name: str) -> bool:
    return name.startswith(_PREFIX) or name == spring.DELIVERY_ATTEMPT or name in spring.LEFT_BEHIND


def _blocks(found: Iterable[Found]) -> list[dict[str, Found]]:
    """Hops: each writes the exception and where the record was, each part in one go.

    Today the exception comes first, so the last header tells where the record was; up to Spring
    2.6 it came last. Either part may be missing: a hop strips the exceptions of those before it.
    """
    headers = list(found)
    told = [header for header in headers if _tells(header.name)]
    exception_last = not told[-1].name.startswith(_NAMES.original)
    blocks: list[dict[str, Found]] = [{}]
    in_second_part = False
    for header in headers:
        block = blocks[-1]
        if _tells(header.name):
            second = header.name.startswith(_NAMES.original) is not exception_last
            if (in_second_part and not second) or header.name in block:
                blocks.append(block := {})
            in_second_part = second
        elif in_second_part and not header.name.startswith(_PREFIX):
            # The container's, which the recoverer finds on the record that it is handed.
            blocks.append(block := {})
            in_second_part = False
        block[header.name] = header
    return [block for block in blocks if any(_tells(name) for name in block)]


def _tells(name: str) -> bool:
    return name.startswith(_PREFIX) and name != _GROUP
