"""One shape for dead letters, whatever convention wrote them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

Headers = tuple[tuple[str, bytes | None], ...]


@dataclass(frozen=True, slots=True)
class RawRecord:
    """A record as it was read from a dead-letter topic: bytes as they came."""

    topic: str
    partition: int
    offset: int
    timestamp_ms: int | None
    key: bytes | None
    value: bytes | None
    headers: Headers


@dataclass(frozen=True, slots=True)
class Decoded:
    """What a convention could read from a record. None: it does not tell."""

    convention: str
    side: str = "unknown"
    """``producer`` (never acknowledged), ``consumer`` (delivered, not processed) or ``unknown``."""
    original_topic: str | None = None
    original_partition: int | None = None
    original_offset: int | None = None
    original_timestamp_ms: int | None = None
    original_key: bytes | None = None
    original_value: bytes | None = None
    original_headers: Headers = ()
    error_class: str | None = None
    """The root error: an exception's class, or the name of a Kafka error."""
    error_code: int | None = None
    error_message: str | None = None
    may_be_stored: bool | None = None
    """Whether the original may be on its topic after all."""
    profile: str | None = None
    run: str | None = None
    sequence: int | None = None
    letter_id: str | None = None
    """Our own publisher's mark: two records with one mark are one dead letter."""
    value_omitted: int | None = None
    """Size in bytes of an original value that was too large to travel along."""
    attempts: Mapping[str, Any] | None = None
    """See ``delivery.attempts.AttemptSummary.to_json``."""
    fields: Mapping[str, str] = field(default_factory=dict)
    """Name of each field above that was read, and where from: ``header X`` or ``value.x``."""
