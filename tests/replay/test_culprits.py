"""Halving finds the records that a cluster refuses, and none else."""

from __future__ import annotations

from collections.abc import Sequence

from hypothesis import given
from hypothesis import strategies as st

from producer_agent.replay.culprits import culprits


@given(st.integers(0, 200), st.data())
def test_exactly_the_guilty_are_found_whoever_they_are(count: int, data: st.DataObject) -> None:
    suspects = list(range(0, count * 3, 3))
    guilty = data.draw(st.sets(st.sampled_from(suspects))) if suspects else set()
    tried: list[Sequence[int]] = []

    def passes(some: Sequence[int]) -> bool:
        tried.append(some)
        return guilty.isdisjoint(some)

    assert culprits(suspects, passes) == sorted(guilty)
    assert all(tried), "an empty batch was tried"


@given(st.integers(1, 4_096), st.data())
def test_one_in_thousands_takes_a_few_trials(count: int, data: st.DataObject) -> None:
    """Each trial is a transaction that is given up: 5,000 of them would take minutes."""
    guilty = data.draw(st.integers(0, count - 1))
    trials = 0

    def passes(some: Sequence[int]) -> bool:
        nonlocal trials
        trials += 1
        return guilty not in some

    assert culprits(range(count), passes) == [guilty]
    assert trials <= 2 * count.bit_length() + 1


def test_records_that_pass_by_themselves_are_not_blamed() -> None:
    """They are too large together only."""
    assert culprits(range(4), lambda some: len(some) < 3) == []
