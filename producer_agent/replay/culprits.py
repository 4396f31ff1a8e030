"""Which records of a batch the cluster refuses, when it only says that it refuses the batch."""

from __future__ import annotations

from collections.abc import Callable, Sequence


def culprits(suspects: Sequence[int], passes: Callable[[Sequence[int]], bool]) -> list[int]:
    """Those that do not pass by themselves, found by halving.

    Args:
        suspects: Positions in the batch.
        passes: Tries some of them, landing none.
    """
    if not suspects or passes(suspects):
        return []
    if len(suspects) == 1:
        return list(suspects)
    half = len(suspects) // 2
    return culprits(suspects[:half], passes) + culprits(suspects[half:], passes)
