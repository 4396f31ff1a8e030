"""Intervals over a handful of rounds hold what they promise, by table, by force and by chance."""

from __future__ import annotations

import itertools
import math
from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from producer_agent.advice.compare.analysis import pooled
from producer_agent.advice.compare.statistics import (
    Interval,
    bootstrap_interval,
    paired_interval,
    quantile,
    t_quantile,
    welch_interval,
)
from producer_agent.store.latency_bins import RELATIVE_ACCURACY, count, quantiles, value_of


@pytest.mark.parametrize(
    ("p", "degrees", "t"),
    [
        (0.975, 1, 12.7062),
        (0.975, 2, 4.3027),
        (0.975, 3, 3.1824),
        (0.975, 4, 2.7764),
        (0.95, 4, 2.1318),
        (0.995, 4, 4.6041),
        (0.99375, 4, 4.3147),
        (0.975, 9, 2.2622),
        (0.975, 30, 2.0423),
        (0.975, 1000, 1.9623),
        (0.5, 7, 0.0),
    ],
)
def test_t_is_that_of_the_tables(p: float, degrees: int, t: float) -> None:
    assert t_quantile(p, degrees) == pytest.approx(t, abs=6e-5)


@pytest.mark.parametrize(("p", "degrees"), [(0.4, 3), (1.0, 3), (0.9, 0)])
def test_t_of_nonsense_is_refused(p: float, degrees: int) -> None:
    with pytest.raises(ValueError, match="t_quantile"):
        t_quantile(p, degrees)


def test_a_paired_interval_is_by_hand() -> None:
    """Differences 4, 6, 5, 7, 3: mean 5, s 1.5811, t 2.7764; and 1 % of what the bins hide."""
    one, other = [14.0, 16.0, 15.0, 17.0, 13.0], [10.0] * 5
    mean, interval = paired_interval(one, other)
    half = 2.7764 * 1.58114 / math.sqrt(5) + 0.01 * (15 + 10)
    assert mean == 5.0
    assert interval == pytest.approx((5 - half, 5 + half), abs=1e-3)


def test_rounds_that_agree_to_the_bin_do_not_make_a_difference_of_one_bin() -> None:
    """Two neighbouring bins in each of five rounds: the values behind them may be the same."""
    mean, interval = paired_interval([value_of(460)] * 5, [value_of(459)] * 5)
    assert mean > 0
    assert interval.covers_zero
    assert not paired_interval([value_of(465)] * 5, [value_of(459)] * 5)[1].covers_zero


def test_rounds_that_cannot_be_paired_are_refused() -> None:
    with pytest.raises(ValueError, match="paired"):
        paired_interval([1.0, 2.0], [1.0])
    with pytest.raises(ValueError, match="paired"):
        paired_interval([1.0], [1.0])
    with pytest.raises(ValueError, match="few"):
        welch_interval([1.0], [1.0, 2.0])


def test_welch_is_by_hand() -> None:
    """Variances 2.5 and 10 of 5 rounds each: 5.88 degrees of freedom, taken as 5."""
    one, other = [1.0, 2.0, 3.0, 4.0, 5.0], [2.0, 4.0, 6.0, 8.0, 10.0]
    mean, interval = welch_interval(one, other)
    half = 2.5706 * math.sqrt(2.5 / 5 + 10 / 5) + 0.01 * (3 + 6)
    assert mean == -3.0
    assert interval == pytest.approx((-3 - half, -3 + half), abs=1e-3)


def test_every_resample_of_few_rounds_is_taken_with_its_chance() -> None:
    """Against brute force over all 4^4 draws of four rounds."""
    rounds = [tuple(count(np.array(values) * 1000.0)) for values in ([1, 1], [2], [3, 3], [9])]
    counts, bins = pooled(rounds)
    found = bootstrap_interval(counts, bins, 0.5, seed=1, confidence=0.6)
    drawn: Counter[float] = Counter()
    for picked in itertools.product(range(4), repeat=4):
        drawn[quantile(counts[list(picked)], bins, 0.5)] += 1
    tail = 0.5 * math.erfc(t_quantile(0.8, 3) * math.sqrt(4 / 3) / math.sqrt(2))
    reached, low, high = 0.0, None, None
    for value, n in sorted(drawn.items()):
        reached += n / 4**4
        low = value if low is None and reached >= tail else low
        high = value if high is None and reached >= 1 - tail else high
    assert found == Interval(low or 0.0, high or 0.0)


def test_beyond_seven_rounds_resamples_are_drawn_and_the_seed_decides_which() -> None:
    random = np.random.Generator(np.random.PCG64(3))
    rounds = [tuple(count(random.lognormal(9 + k / 10, 0.3, 200))) for k in range(10)]
    counts, bins = pooled(rounds)
    one = bootstrap_interval(counts, bins, 0.9, seed=1)
    assert one == bootstrap_interval(counts, bins, 0.9, seed=1)
    assert one is not None
    assert one.low < quantile(counts, bins, 0.9) < one.high


def test_one_round_has_no_interval() -> None:
    counts, bins = pooled([((3, 5),)])
    assert bootstrap_interval(counts, bins, 0.5, seed=1) is None


@given(
    st.lists(st.lists(st.floats(1, 1e6), min_size=1, max_size=40), min_size=2, max_size=6),
    st.sampled_from([0.5, 0.9, 0.99]),
)
def test_a_pooled_quantile_is_that_of_all_events_and_lies_in_its_interval(
    rounds: list[list[float]], q: float
) -> None:
    counted = [tuple(count(np.array(values))) for values in rounds]
    counts, bins = pooled(counted)
    together = count(np.array([value for values in rounds for value in values]))
    found = quantile(counts, bins, q)
    assert found == quantiles(together, [q])[0]
    interval = bootstrap_interval(counts, bins, q, seed=1)
    assert interval is not None
    assert interval.low <= found * (1 + 1e-9)
    assert interval.high >= found * (1 - 1e-9)


def test_nothing_is_found_where_nothing_is_in_nineteen_of_twenty() -> None:
    """5 rounds whose differences are skewed and heavy-tailed: too many false alarms would show,
    and a percentile bootstrap, for comparison, raises more than twice as many as it may."""
    random = np.random.Generator(np.random.PCG64(11))
    alarms = bootstrapped = 0
    n = 2_000
    draws = random.integers(0, 5, (1_000, 5))
    for _ in range(n):
        one = 10_000 * np.exp(random.standard_t(5, 5) * 0.1)
        other = 10_000 * np.exp(random.standard_t(5, 5) * 0.1)
        alarms += not paired_interval(one.tolist(), other.tolist())[1].covers_zero
        low, high = np.quantile((one - other)[draws].mean(axis=1), [0.025, 0.975])
        bootstrapped += not low <= 0 <= high
    assert alarms / n <= 0.06
    assert bootstrapped / n > 0.1


def test_a_pooled_percentile_is_covered_in_most_of_its_intervals() -> None:
    """The true median of all rounds there could be, in the interval of five of them."""
    random = np.random.Generator(np.random.PCG64(5))
    hits, n = 0, 600
    for _ in range(n):
        levels = 10_000 * np.exp(random.normal(0, 0.2, 5))
        rounds = [tuple(count(level * np.exp(random.normal(0, 0.2, 200)))) for level in levels]
        counts, bins = pooled(rounds)
        found = bootstrap_interval(counts, bins, 0.5, seed=1)
        assert found is not None
        slack = 1 + RELATIVE_ACCURACY
        hits += found.low / slack <= 10_000 <= found.high * slack
    assert hits / n >= 0.9
