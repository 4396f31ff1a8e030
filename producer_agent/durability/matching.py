"""Matching the events of one run with the records of its topics, whichever comes first.

Claims (outcomes, from the database) and sightings (records, from the topics) are taken in lots, in
any interleaving; :meth:`Matcher.judge` then tells the verdict. Memory does not grow with the run
but with what is wrong in it, see :mod:`producer_agent.durability.blocks`: besides the open blocks
there is a byte an event at most, and 25 bytes for each of :data:`MOST_UNSETTLED` at most.
"""

from __future__ import annotations

import io
from collections import OrderedDict
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from producer_agent.durability.blocks import NOWHERE, SIZE, Block, SealedBlock
from producer_agent.durability.judging import Finding, Judge
from producer_agent.durability.verdicts import Claim, Flag, Matrix, Place

Numbers = npt.NDArray[np.int64]
Bits = npt.NDArray[np.bool_]

MOST_OPEN: Final = 64
"""Blocks with all their columns in memory: 96 MB. How far apart the claims and the records of one
moment may be before it costs time, in events: 4 million."""

MOST_UNSETTLED: Final = 4_000_000
"""Events of sealed blocks that are not as they should be: 100 MB."""

MOST_FURTHER: Final = 500_000
"""Records beyond an event's first whose places are remembered."""


class TooMuchAmiss(Exception):
    """More is wrong than can be told apart in the memory that an audit allows itself."""


class Matcher:
    """One audit's knowledge of one run.

    Args:
        lows: The low watermark of each place before anything is read. Places are known by their
            number: the index here.
        first: Sequences below it are those whose outcomes are no longer kept.
        end: Sequences from here on are left for a later audit. None: there is no such limit.
    """

    def __init__(self, lows: Sequence[int], *, first: int = 0, end: int | None = None) -> None:
        # One more, for whatever has no place: it has no offset to compare it with either.
        self._lows = np.asarray([*lows, 0], dtype=np.int64)
        self._first = first
        self._end = end
        self._open: OrderedDict[int, Block] = OrderedDict()
        self._sealed: dict[int, SealedBlock] = {}
        self._unsettled = 0
        self._further: dict[int, list[tuple[int, int]]] = {}
        self._further_n = 0
        self._tops = [-1] * len(lows)
        """The highest sequence seen on each place."""
        self._excess = 0
        self._replayed = 0
        self._before = 0

    def claim(
        self,
        sequences: Numbers,
        claims: Claim | npt.NDArray[np.uint8],
        places: Numbers | int = NOWHERE,
        offsets: Numbers | int = NOWHERE,
    ) -> None:
        """Take outcomes in. Each event has one; a later one for the same event replaces it."""
        columns = [np.broadcast_to(column, sequences.shape) for column in (claims, places, offsets)]
        for block, at, chosen in self._by_block(sequences):
            its_claims, its_places, its_offsets = (column[chosen] for column in columns)
            block.claim[at] = its_claims
            block.place[at] = its_places
            block.offset[at] = its_offsets
        self._seal()

    def sight(
        self,
        place: int,
        offsets: Numbers,
        sequences: Numbers,
        corrupt: Bits,
        replayed: Bits,
    ) -> None:
        """Take records of the run in: those of one place, by ascending offset, each once.

        Args:
            place: Its number.
            corrupt: Whether the value is another one than was sent.
            replayed: Whether a replay put the record there: it is counted apart.
        """
        self._replayed += int(replayed.sum())
        before = sequences < self._first
        self._before += int((before & ~replayed).sum())
        ours = ~before if self._end is None else ~before & (sequences < self._end)
        if (copies := sequences[ours & replayed]).size:
            self._flag(copies, Flag.REPLAYED)
        chosen = ours & ~replayed
        sequences, offsets, corrupt = sequences[chosen], offsets[chosen], corrupt[chosen]
        if not len(sequences):
            return
        first, late = self._firsts(sequences)
        for block, at, which in self._by_block(sequences[first]):
            which = first[which]
            block.times[at] = 1
            block.found_place[at] = place
            block.found_offset[at] = offsets[which]
        for position in late.tolist():
            self._again(place, int(sequences[position]), int(offsets[position]))
        if corrupt.any():
            self._flag(sequences[corrupt], Flag.CORRUPT)
        self._order(place, sequences[first])
        self._seal()

    def judge(
        self,
        places: Sequence[Place],
        end: int,
        list_at_most: int = 100_000,
        progress: Callable[[float], None] = lambda _share: None,
    ) -> tuple[Matrix, list[Finding]]:
        """The verdict on sequences below ``end``, and what is to be listed, in their order.

        Args:
            places: How far each was read.
            end: The number of events that the run accepted; records beyond it count as well.
            list_at_most: Findings of each kind; the counts are whole whatever it is.
            progress: Told how much is judged, up to 1.
        """
        judge = Judge(places, self._first, end, self._end, self._further, list_at_most)
        numbers = sorted({*range(self._first // SIZE, -(-end // SIZE)), *self._open, *self._sealed})
        for n, number in enumerate(numbers):
            block = self._open.get(number)
            if block is None:
                sealed = self._sealed.get(number)
                block = Block() if sealed is None else sealed.open()
            judge.take(number, block)
            progress((n + 1) / len(numbers))
        judge.matrix.excess = self._excess
        judge.matrix.replayed = self._replayed
        judge.matrix.before = self._before
        return judge.matrix, judge.findings

    def dump(self) -> bytes:
        """All it knows, for :meth:`load`. It goes on unchanged."""
        arrays: dict[str, npt.NDArray[Any]] = {}
        sealed = {n: SealedBlock.seal(block, self._lows) for n, block in self._open.items()}
        for number, block in (self._sealed | sealed).items():
            arrays[f"codes {number}"] = block.codes
            arrays[f"rows {number}"] = block.rows
        further = [(sequence, *at) for sequence, found in self._further.items() for at in found]
        arrays["further"] = np.asarray(further, dtype=np.int64).reshape(-1, 3)
        arrays["tops"] = np.asarray(self._tops, dtype=np.int64)
        arrays["counts"] = np.asarray([self._excess, self._replayed, self._before], dtype=np.int64)
        packed = io.BytesIO()
        np.savez_compressed(packed, allow_pickle=False, **arrays)
        return packed.getvalue()

    def load(self, dumped: bytes) -> None:
        """Take up what :meth:`dump` of another one, made with the same arguments, told."""
        with np.load(io.BytesIO(dumped), allow_pickle=False) as arrays:
            for name in arrays.files:
                kind, _, number = name.partition(" ")
                if kind == "codes":
                    self._sealed[int(number)] = SealedBlock(arrays[name], arrays[f"rows {number}"])
            for sequence, place, offset in arrays["further"].tolist():
                self._further.setdefault(sequence, []).append((place, offset))
            self._tops = arrays["tops"].tolist()
            self._excess, self._replayed, self._before = arrays["counts"].tolist()
        self._further_n = sum(map(len, self._further.values()))
        self._unsettled = sum(len(block.rows) for block in self._sealed.values())

    def _by_block(self, sequences: Numbers) -> Iterator[tuple[Block, Numbers, Numbers]]:
        """``(block, where in it, which of the sequences)``, block by block."""
        numbers = sequences // SIZE
        if len(sequences) and numbers[0] == numbers[-1] and (numbers == numbers[0]).all():
            yield self._block(int(numbers[0])), sequences % SIZE, np.arange(len(sequences))
            return
        for number in np.unique(numbers).tolist():
            which = np.flatnonzero(numbers == number)
            yield self._block(number), sequences[which] % SIZE, which

    def _block(self, number: int) -> Block:
        block = self._open.get(number)
        if block is None:
            sealed = self._sealed.pop(number, None)
            if sealed is None:
                block = Block()
            else:
                block = sealed.open()
                self._unsettled -= len(sealed.rows)
            self._open[number] = block
        else:
            self._open.move_to_end(number)
        return block

    def _seal(self) -> None:
        while len(self._open) > MOST_OPEN:
            number, block = self._open.popitem(last=False)
            sealed = SealedBlock.seal(block, self._lows)
            self._sealed[number] = sealed
            self._unsettled += len(sealed.rows)
        if self._unsettled > MOST_UNSETTLED:
            raise TooMuchAmiss(
                f"over {MOST_UNSETTLED:,} events are lost, doubled, out of order or not found yet: "
                f"they cannot be told apart in the memory that an audit may use"
            )

    def _firsts(self, sequences: Numbers) -> tuple[Numbers, Numbers]:
        """Positions of records whose events were not seen before, and of all others."""
        times = np.empty(len(sequences), dtype=np.uint8)
        for block, at, which in self._by_block(sequences):
            times[which] = block.times[at]
        first_of_lot = np.zeros(len(sequences), dtype=bool)
        first_of_lot[np.unique(sequences, return_index=True)[1]] = True
        first = first_of_lot & (times == 0)
        return np.flatnonzero(first), np.flatnonzero(~first)

    def _again(self, place: int, sequence: int, offset: int) -> None:
        block = self._block(sequence // SIZE)
        at = sequence % SIZE
        block.times[at] = min(int(block.times[at]) + 1, 255)
        self._excess += 1
        if self._further_n < MOST_FURTHER:
            self._further.setdefault(sequence, []).append((place, offset))
            self._further_n += 1

    def _flag(self, sequences: Numbers, flag: Flag) -> None:
        for block, at, _which in self._by_block(sequences):
            block.flags[at] |= np.uint8(flag)

    def _order(self, place: int, sequences: Numbers) -> None:
        """Flag what lies behind a record that was sent later. First occurrences only: a copy
        that a retry made is a duplicate already."""
        if not len(sequences):
            return
        tops = np.maximum.accumulate(np.concatenate(([self._tops[place]], sequences)))
        if (behind := sequences < tops[:-1]).any():
            self._flag(sequences[behind], Flag.REORDERED)
        self._tops[place] = int(tops[-1])
