"""The verdict on each event of a block: its cell of the matrix, and what it is listed as."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from producer_agent.durability.blocks import GONE, NOWHERE, SIZE, Block
from producer_agent.durability.verdicts import (
    PHANTOMS,
    Claim,
    Flag,
    Found,
    Kind,
    Matrix,
    Place,
)

Bits = npt.NDArray[np.bool_]

_ROWS: Final = 8
"""More than there are columns in the matrix."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One event that is listed."""

    kind: Kind
    sequence: int
    claim: Claim
    place: int
    """Where its report said that it is, or :data:`NOWHERE`."""
    offset: int
    found: tuple[tuple[int, int], ...]
    """Places and offsets where it was found, as far as they are remembered."""


class Judge:
    """Takes the blocks of a run one by one.

    Args:
        places: How far each was read.
        first: Sequences below it are not judged.
        accepted: Sequences below it were given to the client.
        end: Sequences from here on are not judged. None: all of them are.
        further: Where events were found beyond their first place, by sequence.
        list_at_most: Findings of each kind.
    """

    def __init__(
        self,
        places: Sequence[Place],
        first: int,
        accepted: int,
        end: int | None,
        further: Mapping[int, Sequence[tuple[int, int]]],
        list_at_most: int,
    ) -> None:
        self.matrix = Matrix()
        self.findings: list[Finding] = []
        self._places = places
        self._first = first
        self._accepted = accepted
        self._end = end
        self._further = further
        self._left = dict.fromkeys(Kind, list_at_most)

    def take(self, number: int, block: Block) -> None:
        """Judge block ``number``."""
        base = number * SIZE
        sequences = np.arange(base, base + SIZE)
        there = block.times > 0
        # A record, or an outcome, beyond what was said to be accepted: its process died before it
        # could say more.
        known = (sequences < self._accepted) | there | (block.claim != Claim.NONE)
        counted = known & (sequences >= self._first)
        if self._end is not None:
            counted &= sequences < self._end
        found = found_of(block, self._places)
        self._count(block.claim[counted], found[counted])
        flagged = {
            flag: counted & ((block.flags & flag) != 0)
            for flag in (Flag.CORRUPT, Flag.REORDERED, Flag.REPLAYED)
        }
        flagged[Flag.OFFSET_DIFFERS] = counted & self._differs(base, block)
        for flag, which in flagged.items():
            if n := int(which.sum()):
                self.matrix.flagged[flag] = self.matrix.flagged.get(flag, 0) + n
        kinds = {
            Kind.LOST: counted & (block.claim == Claim.DELIVERED) & (found == Found.ABSENT),
            Kind.DUPLICATE: counted & (block.times > 1),
            Kind.PHANTOM: counted & there & np.isin(block.claim, PHANTOMS),
            Kind.REORDERED: flagged[Flag.REORDERED],
            Kind.OFFSET_DIFFERS: flagged[Flag.OFFSET_DIFFERS],
            Kind.CORRUPT: flagged[Flag.CORRUPT],
        }
        for kind, which in kinds.items():
            for at in np.flatnonzero(which)[: self._left[kind]].tolist():
                self._left[kind] -= 1
                self.findings.append(self._finding(kind, block, base, at))

    def _count(self, claims: npt.NDArray[np.uint8], found: npt.NDArray[np.uint8]) -> None:
        cells, sizes = np.unique(claims.astype(np.int64) * _ROWS + found, return_counts=True)
        for cell, size in zip(cells.tolist(), sizes.tolist(), strict=True):
            self.matrix.add(Claim(cell // _ROWS), Found(cell % _ROWS), size)

    def _differs(self, base: int, block: Block) -> Bits:
        """Events that are nowhere where their report said."""
        differs = block.misplaced()
        for at in np.flatnonzero(differs & (block.times > 1)).tolist():
            told = (int(block.place[at]), int(block.offset[at]))
            differs[at] = told not in self._further.get(base + at, ())
        return differs

    def _finding(self, kind: Kind, block: Block, base: int, at: int) -> Finding:
        first = (int(block.found_place[at]), int(block.found_offset[at]))
        return Finding(
            kind,
            base + at,
            Claim(int(block.claim[at])),
            int(block.place[at]),
            max(int(block.offset[at]), NOWHERE),
            (*(() if first[1] < 0 else (first,)), *self._further.get(base + at, ())),
        )


def found_of(block: Block, places: Sequence[Place]) -> npt.NDArray[np.uint8]:
    """What reading found of each event of a block, as :class:`Found`."""
    # One more at the end, for index -1: what is true of an event that may be on any of them.
    lows = np.asarray([*(place.low for place in places), 0])
    reads = np.asarray([*(place.read_to for place in places), 0])
    whole = [place.whole for place in places]
    all_read = np.asarray([*whole, all(whole)])
    trimmed = [place.low > place.start for place in places]
    any_trimmed = np.asarray([*trimmed, any(trimmed)])
    compacted = [place.compacted for place in places]
    any_compacted = np.asarray([*compacted, any(compacted)])
    at = block.place
    told = block.offset >= 0
    below = np.where(told, block.offset < lows[at], any_trimmed[at]) | (block.offset == GONE)
    unseen = ~all_read[at] & ~(told & (block.offset < reads[at]))
    return np.select(
        [
            block.times == 1,
            block.times > 1,
            block.claim == Claim.REJECTED,
            below,
            any_compacted[at],
            unseen,
        ],
        [Found.ONCE, Found.MORE, Found.ABSENT, Found.TRIMMED, Found.COMPACTED, Found.UNSEEN],
        default=Found.ABSENT,
    ).astype(np.uint8)
