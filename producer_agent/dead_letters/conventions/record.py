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
    names: frozenset[str] = field(init=False, repr=False, compare=False)
    """Of the headers: by these a convention tells at once that a record is not its own."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "names", frozenset(dict(self.headers)))


@dataclass(frozen=True, slots=True)
class Hop:
    """One failure on a record's way: where it was read, and why it was not processed there."""

    topic: str | None = None
    partition: int | None = None
    offset: int | None = None
    timestamp_ms: int | None = None
    consumer_group: str | None = None
    connector: str | None = None
    stage: str | None = None
    error_class: str | None = None
    error_wrapper_class: str | None = None
    error_message: str | None = None
    cause_message: str | None = None
    stack: str | None = None


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
    """The error: the cause's class where a header names it, else the exception's, or the name of
    a Kafka error."""
    error_wrapper_class: str | None = None
    """The class around ``error_class``, where a header names both and they differ."""
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
    """See ``kafka.attempts.AttemptSummary.to_json``."""
    cause_message: str | None = None
    """The message of ``error_class`` itself, where ``error_message`` is of the class around it."""
    stack: str | None = None
    """The last failure's stack trace, as it was written."""
    stage: str | None = None
    """Kafka Connect's stage: ``VALUE_CONVERTER``, ``TASK_PUT`` and the like."""
    connector: str | None = None
    consumer_group: str | None = None
    """The group in which it failed last."""
    attempts_header: int | None = None
    """The attempts as the framework wrote them; what they count differs, see ``deliveries``."""
    deliveries: int | None = None
    """How many times it was handed to the consumer that gave up on it."""
    hops: tuple[Hop, ...] = ()
    """Every failure that is still told, the oldest first. ``original_*`` is of the first one, the
    error, its stack and the group of the last one."""
    is_pointer: bool = False
    """Key and value were not copied: the original lies at its topic, partition and offset only.
    Its null value is no tombstone, and nothing is to be replayed from it."""
    internal_topic: str | None = None
    """A topic of Kafka Streams' own that is named as the origin: no target for a replay, so
    ``original_topic`` stays unknown."""
    details: Mapping[str, str] = field(default_factory=dict)
    """What else the failure headers tell, by name."""
    fields: Mapping[str, str] = field(default_factory=dict)
    """Name of each field that was read, and where from: ``header X [0]`` (of several headers with
    one name the first), ``value.x``, or the record's ``key`` or ``value``."""
    undecoded: Mapping[str, str] = field(default_factory=dict)
    """Fields whose bytes do not fit the convention's encoding: their bytes in hex, not a guess."""
