"""A dead letter as it is stored."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from operator import attrgetter
from typing import Any

from producer_agent.store.headers import Headers


@dataclass(frozen=True, slots=True)
class Letter:
    """A dead letter as it is stored: the record's bytes and what was read from them."""

    topic: str
    topic_id: str
    partition: int
    offset: int
    timestamp_ms: int | None
    key: bytes | None
    value: bytes | None
    headers: Headers
    convention: str
    side: str
    original_topic: str | None
    original_partition: int | None
    original_offset: int | None
    original_timestamp_ms: int | None
    original_key: bytes | None
    error_class: str | None
    error_code: int | None
    error_message: str | None
    may_be_stored: bool | None
    profile: str | None
    run_uuid: str | None
    sequence: int | None
    letter_id: str | None
    consumer_group: str | None
    connector: str | None
    replay_id: str | None
    """Of the replay that it came back from."""
    times_replayed: int
    """As the record tells; a board that knows the replay counts itself."""
    fingerprint: str
    fingerprint_version: int
    cause_title: str
    original_value: bytes | None = None
    """What the record wraps, where that is not its own value: it is what is searched."""
    original_headers: Headers = ()
    fixed_convention: str | None = None
    """The convention that its topic's policy said; None: detected."""
    default_target: str | None = None
    """Where its topic's policy sends what does not tell its origin."""


_TEXTS = tuple(field.name for field in fields(Letter) if "str" in str(field.type))
_texts_of = attrgetter(*_TEXTS)


def storable(letter: Letter) -> Letter:
    """The letter with text that can be written as UTF-8: JSON can smuggle lone surrogates in."""
    broken: dict[str, Any] = {
        name: value.encode("utf-8", "replace").decode("utf-8")
        for name, value in zip(_TEXTS, _texts_of(letter), strict=True)
        if value is not None and not value.isascii() and not _is_utf8(value)
    }
    return replace(letter, **broken) if broken else letter


def _is_utf8(text: str) -> bool:
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True
