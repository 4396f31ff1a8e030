"""Latencies as counts in log-spaced bins, so that windows and hosts add up.

The mapping is DDSketch's (Masson, Rim, Lee: "DDSketch", VLDB 2019): bin ``i`` holds values in
``(gamma**(i-1), gamma**i]`` and any value read back from a bin is within 1 % of the true one.
Values are microseconds. Anything under one microsecond counts as one.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
import numpy.typing as npt
from ddsketch.mapping import LogarithmicMapping

RELATIVE_ACCURACY = 0.01
_MAPPING = LogarithmicMapping(RELATIVE_ACCURACY)
GAMMA: float = _MAPPING.gamma
_PER_LOG = 1.0 / np.log(GAMMA)

PERCENTILES = (0.5, 0.9, 0.95, 0.99, 0.999)


def bin_of(values_us: npt.NDArray[np.float64]) -> npt.NDArray[np.int64]:
    """The bin of each value: ``LogarithmicMapping.key`` for whole arrays (a test compares them)."""
    bins: npt.NDArray[np.int64] = np.ceil(np.log(np.maximum(values_us, 1.0)) * _PER_LOG).astype(
        np.int64
    )
    return bins


def value_of(bin_number: int) -> float:
    """The value, in microseconds, that stands for a bin: at most 1 % from any value in it."""
    return float(_MAPPING.value(bin_number))


def upper_bound_of(bin_number: int) -> float:
    """The largest value, in microseconds, that falls into a bin."""
    return float(GAMMA**bin_number)


def count(values_us: npt.NDArray[np.float64]) -> list[tuple[int, int]]:
    """``(bin, how many)`` of the values, ascending by bin."""
    if not len(values_us):
        return []
    bins, counts = np.unique(bin_of(values_us), return_counts=True)
    return list(zip(bins.tolist(), counts.tolist(), strict=True))


def quantiles(
    counted: Iterable[tuple[int, int]], wanted: Sequence[float] = PERCENTILES
) -> list[float | None]:
    """The wanted quantiles, in microseconds, of counted bins; None for each if there are none.

    The quantile ``q`` is the smallest bin that has at least ``q * n`` values at or below it
    (nearest rank).
    """
    pairs = sorted(counted)
    if not pairs:
        return [None] * len(wanted)
    bins = np.fromiter((b for b, _ in pairs), dtype=np.int64, count=len(pairs))
    reached = np.cumsum(np.fromiter((n for _, n in pairs), dtype=np.int64, count=len(pairs)))
    ranks = np.maximum(np.ceil(np.asarray(wanted) * reached[-1]), 1)
    return [value_of(int(bins[at])) for at in np.searchsorted(reached, ranks)]
