"""What an audit remembers of each event: open blocks of columns, and sealed ones of a byte each.

An event needs 23 bytes while its claim and its records are still coming in. Most then turn out as
they should: claimed once, found once, where its report said. Sealing a block keeps one byte of each
of those, or one byte for all of them if they are alike, and all columns only of the others.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final, Self

import numpy as np
import numpy.typing as npt

from producer_agent.durability.verdicts import Claim

SIZE: Final = 1 << 16
"""Events of a block: consecutive sequences of one run."""

NOWHERE: Final = -1

GONE: Final = -2
"""An offset that lay below the low watermark before anything was read."""

_ROW: Final = np.dtype(
    [
        ("at", "<u2"),
        ("claim", "u1"),
        ("times", "u1"),
        ("flags", "u1"),
        ("place", "<i2"),
        ("offset", "<i8"),
        ("found_place", "<i2"),
        ("found_offset", "<i8"),
    ]
)
"""An event that is not as it should be, or not yet."""

_STATE: Final = 3
"""A sealed byte: the claim in its lowest three bits, and above them one of these."""
_ABSENT: Final = np.uint8(0 << _STATE)
_ONCE: Final = np.uint8(1 << _STATE)
_TRIMMED: Final = np.uint8(2 << _STATE)

COLUMNS: Final = tuple(name for name in _ROW.names or () if name != "at")


class Block:
    """The columns of :data:`SIZE` events. All are indexed by sequence less the block's first."""

    __slots__ = COLUMNS

    def __init__(self) -> None:
        self.claim: npt.NDArray[np.uint8] = np.zeros(SIZE, dtype=np.uint8)
        self.times: npt.NDArray[np.uint8] = np.zeros(SIZE, dtype=np.uint8)
        """How often it was found; stays at 255."""
        self.flags: npt.NDArray[np.uint8] = np.zeros(SIZE, dtype=np.uint8)
        self.place: npt.NDArray[np.int16] = np.full(SIZE, NOWHERE, dtype=np.int16)
        """Where its report says that it is: a number of the audit's places, or :data:`NOWHERE`."""
        self.offset: npt.NDArray[np.int64] = np.full(SIZE, NOWHERE, dtype=np.int64)
        self.found_place: npt.NDArray[np.int16] = np.full(SIZE, NOWHERE, dtype=np.int16)
        """Where it was found first; :data:`NOWHERE` also of one that was sealed since."""
        self.found_offset: npt.NDArray[np.int64] = np.full(SIZE, NOWHERE, dtype=np.int64)

    def misplaced(self) -> npt.NDArray[np.bool_]:
        """Found, and first at another place than was reported."""
        told = (self.offset != NOWHERE) & (self.found_offset >= 0)
        elsewhere = (self.offset != self.found_offset) | (self.place != self.found_place)
        differs: npt.NDArray[np.bool_] = told & elsewhere
        return differs


@dataclass(frozen=True, slots=True)
class SealedBlock:
    """What is kept of a block that nothing is expected for any more."""

    codes: npt.NDArray[np.uint8]
    """A byte an event, or one for all: claim, and whether it was found once."""
    rows: npt.NDArray[Any]
    """Events that need all their columns, by ``at``."""

    @classmethod
    def seal(cls, block: Block, lows: npt.NDArray[np.int64]) -> Self:
        """Keep what may still be asked for.

        Args:
            lows: The low watermark of each place before anything was read, and one more number.
        """
        once = (
            (block.times == 1)
            & (block.flags == 0)
            & (block.claim != Claim.NONE)
            & ~block.misplaced()
        )
        missing = (block.times == 0) & (block.flags == 0)
        # Without a place that was told, there is nothing about it but that it is absent.
        absent = missing & (block.offset == NOWHERE) & (block.place == NOWHERE)
        trimmed = missing & (
            (block.offset == GONE) | ((block.offset >= 0) & (block.offset < lows[block.place]))
        )
        codes = block.claim | np.select([once, trimmed], [_ONCE, _TRIMMED], default=_ABSENT)
        plain = once | absent | trimmed
        at = np.flatnonzero(~plain)
        rows = np.empty(len(at), dtype=_ROW)
        rows["at"] = at
        for column in COLUMNS:
            rows[column] = getattr(block, column)[at]
        kinds = np.unique(codes[plain])
        if len(kinds) <= 1:
            return cls(kinds if len(kinds) else np.zeros(1, dtype=np.uint8), rows)
        return cls(codes, rows)

    def open(self) -> Block:
        """The block again; events that were as they should be have forgotten their offsets."""
        block = Block()
        state = self.codes & ~np.uint8((1 << _STATE) - 1)
        block.claim[:] = self.codes & ((1 << _STATE) - 1)
        block.times[:] = state == _ONCE
        block.offset[:] = np.where(state == _TRIMMED, GONE, NOWHERE)
        at = self.rows["at"]
        for column in COLUMNS:
            getattr(block, column)[at] = self.rows[column]
        return block
