"""A stored dead letter, decoded anew from its bytes as its topic's policy said when it came."""

from __future__ import annotations

from typing import Protocol

from producer_agent.dead_letters.conventions import Decoded, RawRecord, decode_under, unknown
from producer_agent.dead_letters.conventions.record import Headers
from producer_agent.store.headers import Headers as AnyHeaders
from producer_agent.store.headers import as_bytes


class StoredLetter(Protocol):
    """What every shape of a dead letter from the database has."""

    @property
    def topic(self) -> str:
        """The dead-letter topic."""

    @property
    def partition(self) -> int:
        """Likewise."""

    @property
    def offset(self) -> int:
        """Likewise."""

    @property
    def timestamp_ms(self) -> int | None:
        """UTC."""

    @property
    def key(self) -> bytes | None:
        """As it came."""

    @property
    def value(self) -> bytes | None:
        """As it came."""

    @property
    def headers(self) -> AnyHeaders:
        """As they came."""

    @property
    def fixed_convention(self) -> str | None:
        """What the policy of its topic said when it was read."""

    @property
    def default_target(self) -> str | None:
        """Likewise."""


def raw_record(letter: StoredLetter) -> RawRecord:
    """The record as it lay on its dead-letter topic."""
    return RawRecord(
        letter.topic,
        letter.partition,
        letter.offset,
        letter.timestamp_ms,
        letter.key,
        letter.value,
        tuple((name, as_bytes(value)) for name, value in letter.headers),
    )


def decoded_of(letter: StoredLetter) -> Decoded:
    """What its convention reads from it."""
    return decode_under(raw_record(letter), letter.fixed_convention, letter.default_target)


def original_parts(
    letter: StoredLetter, decoded: Decoded
) -> tuple[bytes | None, bytes | None, Headers]:
    """Key, value and headers of the original, without the failure headers."""
    if decoded.convention == unknown.NAME:
        # Nothing was understood, so nothing may be left out: it goes as it lies there.
        return letter.key, letter.value, raw_record(letter).headers
    return decoded.original_key, decoded.original_value, decoded.original_headers
