"""Latency bins are DDSketch's, and no quantile is off by more than one percent."""

from __future__ import annotations

import numpy as np
import pytest
from ddsketch.mapping import LogarithmicMapping
from hypothesis import given
from hypothesis import strategies as st

from producer_agent.store.latency_bins import (
    RELATIVE_ACCURACY,
    bin_of,
    count,
    quantiles,
    upper_bound_of,
    value_of,
)

MAPPING = LogarithmicMapping(RELATIVE_ACCURACY)
microseconds = st.integers(1, 2**32 - 1)


@given(st.lists(microseconds, min_size=1, max_size=50))
def test_each_value_falls_into_ddsketchs_own_bin(values: list[int]) -> None:
    ours = bin_of(np.asarray(values, dtype=np.float64)).tolist()
    assert ours == [MAPPING.key(float(value)) for value in values]


@given(microseconds)
def test_the_value_of_a_bin_is_within_one_percent_of_all_that_is_in_it(value: int) -> None:
    at = int(bin_of(np.asarray([value], dtype=np.float64))[0])
    assert abs(value_of(at) - value) <= RELATIVE_ACCURACY * value * (1 + 1e-9)
    assert value <= upper_bound_of(at) * (1 + 1e-9)
    assert value > upper_bound_of(at - 1) * (1 - 1e-9)


@given(
    st.lists(microseconds, min_size=1, max_size=300), st.sampled_from([0.5, 0.9, 0.95, 0.99, 0.999])
)
def test_a_quantile_is_within_one_percent_of_the_nearest_rank(values: list[int], q: float) -> None:
    exact = sorted(values)[max(int(np.ceil(q * len(values))), 1) - 1]
    (found,) = quantiles(count(np.asarray(values, dtype=np.float64)), [q])
    assert found == pytest.approx(exact, rel=RELATIVE_ACCURACY * (1 + 1e-9))


@given(st.lists(microseconds, max_size=80), st.lists(microseconds, max_size=80))
def test_counts_of_two_windows_add_up_to_those_of_both(a: list[int], b: list[int]) -> None:
    both = dict(count(np.asarray(a + b, dtype=np.float64)))
    for part in (a, b):
        for at, n in count(np.asarray(part, dtype=np.float64)):
            both[at] -= n
    assert set(both.values()) <= {0}


def test_what_is_below_a_microsecond_counts_as_one() -> None:
    assert bin_of(np.asarray([0.0, -3.0, 0.5, 1.0])).tolist() == [0, 0, 0, 0]


def test_nothing_has_no_quantiles() -> None:
    assert quantiles([], [0.5, 0.99]) == [None, None]
    assert count(np.asarray([])) == []
