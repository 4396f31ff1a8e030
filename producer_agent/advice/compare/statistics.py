"""Intervals over rounds: what a handful of rounds can tell, and no more.

Events within a round share its weather (a pause, a busy disk), so rounds are what is independent,
and there are few of them. Two methods, each for what it is honest at:

- *Differences* are taken round by round, which cancels the weather that both profiles had, and
  get Student's t interval (A. Georges, D. Buytaert, L. Eeckhout, "Statistically Rigorous Java
  Performance Evaluation", OOPSLA 2007, 3.2: below 30 samples). A percentile bootstrap of five
  values covers far less than it says; a test simulates both.
- *Percentiles* of one profile are of all its rounds pooled, and get a bootstrap interval of whole
  rounds with expanded tails (T. Hesterberg, "What Teachers Should Know About the Bootstrap", The
  American Statistician 69(4), 2015, 3.3), which gives a small sample the width of its t interval.
  Up to seven rounds every possible resample is taken with its probability, so nothing is random.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from functools import lru_cache
from itertools import combinations_with_replacement
from typing import Any, Final, NamedTuple

import numpy as np
import numpy.typing as npt

from producer_agent.store.latency_bins import RELATIVE_ACCURACY, value_of

CONFIDENCE: Final = 0.95

RESAMPLES: Final = 2_000
MOST_EXACT_ROUNDS: Final = 7
"""With seven rounds there are 1,716 resamples; each further round doubles them, about."""

Counts = npt.NDArray[np.float64]
"""Events by round (rows) and bin (columns)."""


class Interval(NamedTuple):
    """From low to high."""

    low: float
    high: float

    @property
    def covers_zero(self) -> bool:
        """Whether no difference is among what it allows."""
        return self.low <= 0.0 <= self.high


def t_quantile(p: float, degrees: int) -> float:
    """The value that a Student's t of ``degrees`` degrees of freedom stays below with ``p``.

    From the distribution's closed form for whole degrees (M. Abramowitz, I. Stegun, "Handbook of
    Mathematical Functions", 26.7.3 and 26.7.4), by bisection.

    Raises:
        ValueError: ``p`` is not in [0.5, 1), or there is no degree of freedom.
    """
    if not 0.5 <= p < 1 or degrees < 1:
        raise ValueError(f"t_quantile({p}, {degrees})")
    low, high = 0.0, 1.0
    while _t_cdf(high, degrees) < p:
        low, high = high, 2 * high
    for _ in range(80):
        middle = (low + high) / 2
        if _t_cdf(middle, degrees) < p:
            low = middle
        else:
            high = middle
    return (low + high) / 2


def _t_cdf(t: float, degrees: int) -> float:
    angle = math.atan(t / math.sqrt(degrees))
    sine, squared = math.sin(angle), math.cos(angle) ** 2
    odd = degrees % 2
    total, term = 0.0, math.cos(angle) if odd else 1.0
    for k in range((degrees - odd) // 2):
        if k:
            term *= squared * (2 * k / (2 * k + 1) if odd else (2 * k - 1) / (2 * k))
        total += term
    inside = 2 / math.pi * (angle + sine * total) if odd else sine * total
    return (1 + inside) / 2


def paired_interval(
    one: Sequence[float], other: Sequence[float], confidence: float = CONFIDENCE
) -> tuple[float, Interval]:
    """The mean of ``one - other``, round by round, and its interval.

    It is widened by what the bins hide: a latency read from them is within 1 % of the true one,
    and in rounds that agree the same error repeats instead of averaging out.

    Raises:
        ValueError: fewer than two rounds, or not the same number of each.
    """
    first, second = np.asarray(one, dtype=float), np.asarray(other, dtype=float)
    if len(first) != len(second) or len(first) < 2:
        raise ValueError(f"{len(first)} and {len(second)} rounds cannot be paired")
    differences = first - second
    mean, n = float(differences.mean()), len(differences)
    half = t_quantile((1 + confidence) / 2, n - 1) * float(differences.std(ddof=1)) / math.sqrt(n)
    half += RELATIVE_ACCURACY * float(first.mean() + second.mean())
    return mean, Interval(mean - half, mean + half)


def welch_interval(
    one: Sequence[float], other: Sequence[float], confidence: float = CONFIDENCE
) -> tuple[float, Interval]:
    """The difference of the means of rounds that were not run side by side, and its interval.

    B. L. Welch's (Biometrika 34, 1947), with its degrees of freedom rounded down; widened as
    :func:`paired_interval` is.

    Raises:
        ValueError: fewer than two rounds of either.
    """
    first, second = np.asarray(one, dtype=float), np.asarray(other, dtype=float)
    if min(len(first), len(second)) < 2:
        raise ValueError(f"{len(first)} and {len(second)} rounds are too few")
    mean = float(first.mean() - second.mean())
    parts = [float(rounds.var(ddof=1)) / len(rounds) for rounds in (first, second)]
    half = RELATIVE_ACCURACY * float(first.mean() + second.mean())
    if sum(parts) > 0:
        spread = sum(
            part**2 / (len(rounds) - 1) for part, rounds in zip(parts, (first, second), strict=True)
        )
        degrees = max(1, math.floor(sum(parts) ** 2 / spread))
        half += t_quantile((1 + confidence) / 2, degrees) * math.sqrt(sum(parts))
    return mean, Interval(mean - half, mean + half)


def quantile(counts: Counts, bins: Sequence[int], q: float) -> float:
    """The quantile, in microseconds, of all rounds pooled (nearest rank).

    Raises:
        ValueError: there is no event.
    """
    pooled = counts.sum(axis=0)
    if pooled.sum() <= 0:
        raise ValueError("a quantile of no events")
    return value_of(bins[int(_places(pooled[np.newaxis, :], q)[0])])


def bootstrap_interval(
    counts: Counts, bins: Sequence[int], q: float, seed: int, confidence: float = CONFIDENCE
) -> Interval | None:
    """The interval of a pooled quantile over resampled rounds; None for fewer than two."""
    rounds = counts.shape[0]
    if rounds < 2:
        return None
    weights, chances = _resamples(rounds, seed)
    places = _places(weights @ counts, q)
    order = np.argsort(places, kind="stable")
    reached = np.cumsum(chances[order])
    tail = _expanded_tail(rounds, confidence)
    low = places[order[int(np.searchsorted(reached, tail))]]
    high = places[order[min(int(np.searchsorted(reached, 1 - tail)), len(order) - 1)]]
    return Interval(value_of(bins[int(low)]), value_of(bins[int(high)]))


def _places(counts: Counts, q: float) -> npt.NDArray[np.int64]:
    """In each row, the column that the quantile falls into."""
    reached = np.cumsum(counts, axis=1)
    # Weights make the counts whole numbers only up to rounding.
    ranks = np.maximum(np.ceil(q * reached[:, -1] - 1e-6), 1)
    places: npt.NDArray[np.int64] = (reached < ranks[:, np.newaxis] - 1e-6).sum(axis=1)
    return places


def _expanded_tail(rounds: int, confidence: float) -> float:
    """The share to cut at each end so that the width is that of a t interval."""
    t = t_quantile((1 + confidence) / 2, rounds - 1) * math.sqrt(rounds / (rounds - 1))
    return 0.5 * math.erfc(t / math.sqrt(2))


@lru_cache(maxsize=64)
def _resamples(rounds: int, seed: int) -> tuple[Counts, npt.NDArray[np.float64]]:
    """How often each round is drawn in each resample, and how likely that resample is."""
    if rounds <= MOST_EXACT_ROUNDS:
        weights = np.array(list(_multisets(rounds)), dtype=float)
        factorials = np.array([math.factorial(k) for k in range(rounds + 1)], dtype=float)
        ways = factorials[rounds] / factorials[weights.astype(int)].prod(axis=1)
        return weights, ways / float(rounds) ** rounds
    generator: Any = np.random.Generator(np.random.PCG64(seed))
    weights = generator.multinomial(rounds, [1 / rounds] * rounds, size=RESAMPLES).astype(float)
    return weights, np.full(RESAMPLES, 1 / RESAMPLES)


def _multisets(rounds: int) -> Iterator[list[int]]:
    for drawn in combinations_with_replacement(range(rounds), rounds):
        yield [drawn.count(number) for number in range(rounds)]
