"""The events of a round: the same for every profile, whatever it makes of them.

A round's keys, sizes and bytes come from the plan's seed, the rate and the round alone. Only the
identity header differs between profiles: which turn, which event, when it was handed over.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import Final, NamedTuple

import numpy as np

from producer_agent.advice.compare.plan import SIZE_SPREAD, Load

HEADER: Final = "ackboard-compare"

_IDENTITY = struct.Struct(">16sIQ")
"""Turn, sequence, when it was handed over in microseconds: 28 bytes in every event."""

_TEXT_BYTES: Final = 1 << 18
_BLOCK_BYTES: Final = 1 << 22
_WORDS: Final = (
    '"type":"task.created",',
    '"type":"task.completed",',
    '"priority":"normal",',
    '"priority":"high",',
    '"assignee":"user-',
    '"session":"',
    '"occurred_at_us":17',
    '"metric":"queue_depth",',
    '"duration_ms":',
    '"subject":"order ',
)


class Identity(NamedTuple):
    """Which event of which turn a record is."""

    turn: bytes
    sequence: int
    sent_us: int


def pack_identity(turn: bytes, sequence: int, sent_us: int) -> bytes:
    """The header's value."""
    return _IDENTITY.pack(turn, sequence, sent_us)


def identity_of(value: bytes | None) -> Identity | None:
    """Read a header's value; None if it is none of ours."""
    if value is None or len(value) != _IDENTITY.size:
        return None
    return Identity(*_IDENTITY.unpack(value))


class EventSequence:
    """A round's events, one after the other: draws them in blocks, to send 100,000 a second.

    Args:
        load: Sizes, keys and whether they compress.
        seed: The plan's.
        rate: Events a second of this round.
        round_number: From 1.
    """

    def __init__(self, load: Load, seed: int, rate: float, round_number: int) -> None:
        words = np.frombuffer(f"{seed}/{rate:g}/{round_number}".encode(), dtype=np.uint8)
        self._random = np.random.Generator(np.random.PCG64(words.tolist()))
        self._keys = load.keys
        self._smallest = max(1, round(load.payload_bytes * (1 - SIZE_SPREAD)))
        self._largest = max(self._smallest, round(load.payload_bytes * (1 + SIZE_SPREAD)))
        self._block = max(16, min(4_096, _BLOCK_BYTES // self._largest))
        self._text = self._make_text() if load.compressible else None
        self._events = self._draw()

    def next(self) -> tuple[bytes | None, bytes]:
        """Key and value of the next event."""
        return next(self._events)

    def _draw(self) -> Iterator[tuple[bytes | None, bytes]]:
        while True:
            n = self._block
            sizes = self._random.integers(self._smallest, self._largest, n, endpoint=True)
            keys: list[bytes | None] = [None] * n
            if self._keys:
                drawn = self._random.integers(0, self._keys, n).tolist()
                keys = [b"key-%d" % key for key in drawn]
            if self._text is None:
                text = self._random.bytes(int(sizes.sum()))
                starts = np.concatenate(([0], np.cumsum(sizes)[:-1]))
            else:
                text = self._text
                starts = self._random.integers(0, len(text) - self._largest, n)
            places = zip(keys, starts.tolist(), (starts + sizes).tolist(), strict=True)
            yield from ((key, text[start:end]) for key, start, end in places)

    def _make_text(self) -> bytes:
        """Words and numbers as JSON has them, long enough that two slices seldom meet."""
        wanted = max(_TEXT_BYTES, 3 * self._largest)
        n = wanted // 10
        words = self._random.integers(0, len(_WORDS), n).tolist()
        numbers = self._random.integers(0, 1 << 34, n).tolist()
        parts = [f"{_WORDS[word]}{number}," for word, number in zip(words, numbers, strict=True)]
        return "".join(parts)[:wanted].encode()
