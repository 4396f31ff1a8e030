"""What was decoded from a dead letter, looked at part by part."""

from __future__ import annotations

import re
from typing import Any, Final

from dashboard.letters.edit_draft import Record, record_of
from producer_agent.dead_letters.conventions import Decoded
from producer_agent.dead_letters.stored import original_parts
from producer_agent.kafka.our_headers import REPLAY_HEADERS
from producer_agent.store.queries.dead_letters import Letter

_PLACE: Final = re.compile(r"header (.*) \[(\d+)\]", re.DOTALL)
_PART: Final = re.compile(r"([^.\[\]]+)(?:\[(\d+)\])?")


def sent_as(letter: Letter, decoded: Decoded) -> Record:
    """The record that a replay sends unless it is edited: the original without failure headers."""
    key, value, headers = original_parts(letter, decoded)
    return record_of(key, value, [pair for pair in headers if pair[0] not in REPLAY_HEADERS])


def raw_of(letter: Letter, place: str) -> bytes | None:
    """The bytes of the header that a field was read from (``header X [0]``), else None."""
    found = _PLACE.fullmatch(place)
    if found is None:
        return None
    values = [value for name, value in letter.headers if name == found[1]]
    at = int(found[2])
    return values[at] if at < len(values) else None


def value_of(decoded: Decoded, field: str) -> Any:
    """A decoded field by its name in ``Decoded.fields``, such as ``hops[0].topic``; None where
    there is none."""
    value: Any = decoded
    for name, at in _PART.findall(field):
        value = value.get(name) if hasattr(value, "get") else getattr(value, name, None)
        if at and value is not None:
            value = value[int(at)] if int(at) < len(value) else None
    return value
