"""From turns to percentiles, differences and sums."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest

from producer_agent.advice.compare.analysis import analyse, ecdf, turns_of
from producer_agent.store.comparisons import TurnMeasures
from tests.advice.compare.builders import body, comparison_of, measured, noisy, plan_of


def constant(*ms: float, n: int = 1_500) -> object:
    def make(_rate: float, _round: int, profile: int) -> npt.NDArray[np.float64]:
        return np.full(n, ms[profile] * 1000.0)

    return make


@pytest.mark.parametrize("profiles", [2, 5])
def test_twins_are_found_to_differ_in_at_most_one_comparison_of_twenty(profiles: int) -> None:
    """A/A, simulated: with several profiles too, a false alarm anywhere counts."""
    plan = plan_of(*(body(f"p{k}") for k in range(profiles)))
    alarms, n = 0, 300 if profiles == 2 else 100
    for seed in range(n):
        found = analyse(comparison_of(plan, noisy(seed, [0.0] * profiles, n=220)))
        assert found.base is not None
        alarms += any(p.differences["ack", "p90"].told for p in found.base.profiles[1:])
    assert alarms / n <= 0.07


def test_a_shift_is_found_and_covered() -> None:
    """A/B, simulated: 6 ms more at every event."""
    plan, told, covered, n = plan_of(), 0, 0, 100
    for seed in range(n):
        found = analyse(comparison_of(plan, noisy(seed, [0.0, 6_000.0], n=220)))
        assert found.base is not None
        difference = found.base.profiles[1].differences["ack", "p50"]
        told += difference.told
        covered += difference.low_us <= 6_000 <= difference.high_us
    assert told / n > 0.95
    assert covered / n > 0.93


def test_rounds_are_paired_so_that_the_weather_of_a_round_is_no_difference() -> None:
    """Each round is up to ten times slower than another, for both alike, and 3 ms still show."""
    plan = plan_of()

    def make(_rate: float, number: int, profile: int) -> npt.NDArray[np.float64]:
        return np.full(1_500, 2_000.0 * number**1.4 + 3_000 * profile)

    found = analyse(comparison_of(plan, make))
    assert found.base is not None
    difference = found.base.profiles[1].differences["ack", "p50"]
    assert difference.told
    assert difference.us == pytest.approx(3_000, rel=0.15)


def test_a_percentile_with_too_few_events_beyond_it_is_not_told() -> None:
    """5 rounds of 30: 15 beyond p90, 1 beyond p99."""
    found = analyse(comparison_of(plan_of(), constant(5, 5, n=30)))  # type: ignore[arg-type]
    assert found.base is not None
    assert set(found.base.profiles[0].ack) == {"p50", "p90", "max"}
    assert found.base.profiles[0].ack["p90"].beyond == 15
    assert {p for _, p in found.base.profiles[1].differences} == {"p50", "p90"}
    assert found.base.profiles[0].ack["max"].low_us is None


@pytest.mark.parametrize("ahead", [0, 1])
def test_only_rounds_that_both_have_are_paired(ahead: int) -> None:
    """The comparison ended in its third round, before the second turn of it."""
    found = analyse(
        comparison_of(
            plan_of(),
            constant(5, 9),  # type: ignore[arg-type]
            keep=lambda _rate, number, profile: number < 3 or (number == 3 and profile == ahead),
        )
    )
    assert found.base is not None
    one, two = found.base.profiles
    assert {one.rounds, two.rounds} == {3, 2}
    assert two.differences["ack", "p50"].rounds == 2


def test_one_round_makes_no_difference() -> None:
    found = analyse(
        comparison_of(plan_of(), constant(5, 9), keep=lambda _r, number, _p: number == 1)  # type: ignore[arg-type]
    )
    assert found.base is not None
    assert found.base.profiles[1].differences == {}
    assert found.base.profiles[1].ack["p50"].low_us is None


def test_no_acknowledgement_is_compared_with_one_that_never_comes() -> None:
    plan = plan_of(body("sure"), body("unsure", acks=0))
    found = analyse(comparison_of(plan, constant(5, 1)))  # type: ignore[arg-type]
    assert found.base is not None
    unsure = found.base.profiles[1]
    assert {kind for kind, _ in unsure.differences} == {"end_to_end"}
    assert unsure.success_ratio is None
    assert not unsure.confirmed


def test_sums_are_of_all_rounds_and_means_by_their_weight() -> None:
    def measures(_rate: float, number: int, profile: int, n: int) -> TurnMeasures:
        return measured(
            n,
            acknowledged=n - 2,
            failed={"_MSG_TIMED_OUT": 1, "MSG_SIZE_TOO_LARGE": 1},
            rejected={"_QUEUE_FULL": number},
            lost=None if number == 2 and profile == 1 else 1,
            batches=number,
            batch_bytes=100.0,
            requests=number,
            broker_us=1_000.0 * number,
            rate_reached=400.0,
        )

    found = analyse(comparison_of(plan_of(), constant(5, 5), measures=measures))  # type: ignore[arg-type]
    assert found.base is not None
    one, two = found.base.profiles
    assert one.failed == {"_MSG_TIMED_OUT": 5, "MSG_SIZE_TOO_LARGE": 5}
    assert one.rejected == {"_QUEUE_FULL": 15}
    assert one.success_ratio == pytest.approx(1498 / 1500)
    assert (one.lost, two.lost) == (5, None)
    assert one.broker_us == pytest.approx(1_000 * (1 + 4 + 9 + 16 + 25) / 15)
    assert one.compression_ratio == 2.0
    assert one.overloaded  # 400 of 500 events/s


def test_the_ecdf_ends_at_one_and_never_falls() -> None:
    found = comparison_of(plan_of(), noisy(1, [0, 0]))
    xs, shares = ecdf(turns_of(found, 500.0, 0), "ack")
    assert xs == sorted(xs)
    assert shares == sorted(shares)
    assert shares[-1] == 1.0
    at_10_ms = max(share for x, share in zip(xs, shares, strict=True) if x <= 10)
    assert 0.3 < at_10_ms < 0.7
    assert ecdf((), "ack") == ([], [])
