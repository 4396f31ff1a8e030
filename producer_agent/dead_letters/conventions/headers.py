"""Reading typed values from headers, each tied to the very header that told it.

Kafka lets a header repeat, be null, and hold any bytes. A value that does not fit the encoding its
convention writes is given as hex instead of being guessed at.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

from producer_agent.dead_letters.conventions.record import Headers

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Found:
    """One header of a record."""

    name: str
    occurrence: int
    """Which of the headers with this name, from 0."""
    value: bytes | None

    @property
    def place(self) -> str:
        """For people: the name and which of several it is."""
        return f"header {self.name} [{self.occurrence}]"


Block = Mapping[str, Found]
"""The headers that one hop wrote, by name: the last of those that share one."""


def found_in(headers: Headers, own: Callable[[str], bool]) -> list[Found]:
    """A convention's own headers, in the record's order."""
    seen: dict[str, int] = {}
    found: list[Found] = []
    for name, value in headers:
        if own(name):
            occurrence = seen.get(name, 0)
            found.append(Found(name, occurrence, value))
            seen[name] = occurrence + 1
    return found


def by_name(found: Iterable[Found]) -> dict[str, Found]:
    """Headers as one block."""
    return {header.name: header for header in found}


def without(headers: Headers, own: Callable[[str], bool]) -> Headers:
    """The headers that are not a convention's own, in order, bytes untouched."""
    return tuple((name, value) for name, value in headers if not own(name))


def blocks_of(found: Iterable[Found], word: Callable[[str], str] = str) -> list[dict[str, Found]]:
    """Split headers into hops: a new one begins where a name comes again.

    A hop may leave headers out, so the n-th of one name and the n-th of another need not belong
    together; but each hop writes its headers in one go, and each name once.

    Args:
        found: The headers in the record's order.
        word: What of a name tells two headers apart.
    """
    blocks: list[dict[str, Found]] = []
    words: set[str] = set()
    for header in found:
        its = word(header.name)
        if not blocks or its in words:
            blocks.append({})
            words = set()
        words.add(its)
        blocks[-1][header.name] = header
    return blocks


def pick(block: Block, *names: str) -> Found | None:
    """The header of a block with the first of these names that occurs there."""
    for name in names:
        if name in block:
            return block[name]
    return None


@dataclass(slots=True)
class Reading:
    """Values read from headers, with the place of each and the bytes of what does not fit."""

    fields: dict[str, str] = field(default_factory=dict)
    undecoded: dict[str, str] = field(default_factory=dict)

    def take(self, name: str, found: Found | None, read: Callable[[bytes], T | None]) -> T | None:
        """The header's value; None if there is no such header, it is null or does not fit."""
        if found is None or found.value is None:
            return None
        try:
            value = read(found.value)
        except ValueError:
            value = None
            self.undecoded[name] = found.value.hex()
        if value is not None or name in self.undecoded:
            self.fields[name] = found.place
        return value

    def prose(self, name: str, found: Found | None) -> str | None:
        """Text for people. What is no UTF-8 in it is replaced, and its bytes are kept as hex."""
        if found is None or found.value is None:
            return None
        self.fields[name] = found.place
        text = found.value.decode("utf-8", "replace")
        if "\ufffd" in text and not _is_utf8(found.value):
            self.undecoded[name] = found.value.hex()
        return text


def text(value: bytes) -> str:
    """A name in UTF-8. Raises ValueError if it is none, or empty."""
    if not value:
        raise ValueError("empty")
    return value.decode()


def topic(value: bytes) -> str:
    """A topic's name, as Kafka allows it. Raises ValueError for what cannot be one."""
    name = value.decode()
    if not _TOPIC.fullmatch(name) or name in (".", ".."):
        raise ValueError("no topic can have this name")
    return name


def decimal(value: bytes) -> int | None:
    """A number of Kafka's written as decimal text; None for -1, Kafka's word for none."""
    if not _DECIMAL.fullmatch(value):
        raise ValueError("not a decimal number")
    return _known(int(value))


def int32(value: bytes) -> int | None:
    """A big-endian number of 4 bytes; None for -1."""
    return _big_endian(value, (4,))


def int64(value: bytes) -> int | None:
    """A big-endian number of 8 bytes; None for -1."""
    return _big_endian(value, (8,))


def big_integer(value: bytes) -> int | None:
    """Java's ``BigInteger.toByteArray()``: big-endian, as few bytes as it takes; None for -1."""
    return _big_endian(value, range(1, 9))


def _big_endian(value: bytes, widths: Sequence[int]) -> int | None:
    if len(value) not in widths:
        raise ValueError(f"{len(value)} bytes")
    if len(value) > 1 and _DIGITS.fullmatch(value):
        # Applications that reuse the names write text. As a number, four digits and more are a
        # partition beyond 808 million and a time beyond the year 3600.
        raise ValueError("text rather than a number")
    return _known(int.from_bytes(value, "big", signed=True))


def _known(number: int) -> int | None:
    if number == -1:
        return None
    if not 0 <= number < 2**63:
        raise ValueError("no number of Kafka's")
    return number


def _is_utf8(value: bytes) -> bool:
    try:
        value.decode()
    except UnicodeDecodeError:
        return False
    return True


_TOPIC = re.compile(r"[a-zA-Z0-9._-]{1,249}")
_DECIMAL = re.compile(rb"-?[0-9]{1,19}")
_DIGITS = re.compile(rb"[0-9]+")
