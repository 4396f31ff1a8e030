"""The verdict says what differs and by how much, and never calls chance a difference."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from producer_agent.advice.compare.analysis import analyse
from producer_agent.advice.compare.sweep import sweep
from producer_agent.advice.compare.verdict import milliseconds, verdict
from producer_agent.store.comparisons import TurnMeasures
from tests.advice.compare.builders import Latencies, body, comparison_of, measured, plan_of


def spread(*ms: float, jitter: float = 0.3) -> Latencies:
    """Each profile about as slow as told, with rounds that differ a little."""

    def make(_rate: float, number: int, profile: int) -> npt.NDArray[np.float64]:
        random = np.random.Generator(np.random.PCG64(number * 10 + profile))
        return (ms[profile] + random.normal(0, jitter) + np.linspace(0, 1, 1_500)) * 1000

    return make


def test_a_cost_is_told_with_its_interval_over_the_baseline() -> None:
    plan = plan_of(body("analytics", acks=1), body("critical"))
    found = verdict(analyse(comparison_of(plan, spread(5, 11))))
    assert found.headline.startswith("critical costs +")
    assert " ms at p99 (95%: " in found.headline
    assert found.headline.endswith(" over analytics at 500/s.")
    cost = float(found.headline.split("+")[1].split(" ")[0])
    assert cost == pytest.approx(6, abs=0.5)
    low, high = found.headline.split("95%: ")[1].split(")")[0].split(" to ")
    assert float(low) < 6.2
    assert float(high) > 5.8
    assert float(low) < cost < float(high)


def test_a_saving_is_told_as_one() -> None:
    found = verdict(analyse(comparison_of(plan_of(), spread(11, 5))))
    assert found.headline.startswith("two saves ")
    low, high = found.headline.split("95%: ")[1].split(")")[0].split(" to ")
    assert 0 < float(low) < float(high)


def test_an_interval_that_covers_zero_is_no_difference() -> None:
    found = verdict(analyse(comparison_of(plan_of(), spread(5, 5.1))))
    assert "no difference at p99 that this measurement can tell at 500/s" in found.headline
    assert "costs" not in found.headline
    assert "saves" not in found.headline


def test_the_largest_difference_comes_first() -> None:
    plan = plan_of(body("one"), body("near"), body("far"))
    found = verdict(analyse(comparison_of(plan, spread(5, 8, 30))))
    assert found.headline.startswith("far costs +")
    assert found.lines[0].startswith("near costs +")


def test_acks_0_is_compared_end_to_end_and_said_to_claim_nothing() -> None:
    plan = plan_of(body("sure"), body("unsure", acks=0))
    found = verdict(analyse(comparison_of(plan, spread(11, 5))))
    assert "at p99 end to end" in found.headline
    assert any("nobody acknowledges with acks=0" in caveat for caveat in found.caveats)


def test_a_transactions_latency_is_said_to_be_until_its_commit() -> None:
    plan = plan_of(body("one"), body("atomic", transactional_id="shop"))
    found = verdict(analyse(comparison_of(plan, spread(5, 500))))
    assert any("latency is until the commit" in caveat for caveat in found.caveats)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"rate_reached": 300.0}, "overloaded client, which reached 300 of 500 events/s"),
        ({"failed": {"_MSG_TIMED_OUT": 3}}, "events failed, and are in no latency (_MSG_TIMED_OUT"),
        ({"rejected": {"_QUEUE_FULL": 2}}, "_QUEUE_FULL ×10"),
        ({"unresolved": 1}, "5 events had no report"),
        ({"lost": 2}, "10 acknowledged events were not there to read"),
        ({"duplicated": 1}, "5 records were there twice"),
    ],
)
def test_what_went_wrong_is_a_caveat(change: dict[str, Any], said: str) -> None:
    def measures(_rate: float, _number: int, profile: int, n: int) -> TurnMeasures:
        return measured(n, **{"rate_reached": 500.0, **(change if profile else {})})

    found = verdict(analyse(comparison_of(plan_of(), spread(5, 5), measures=measures)))
    said_of_two = [caveat for caveat in found.caveats if said in caveat]
    assert len(said_of_two) == 1
    assert said_of_two[0].startswith("two at 500/s")


def test_an_incomplete_one_says_so_first_and_keeps_its_notes() -> None:
    found = verdict(
        analyse(
            comparison_of(
                plan_of(),
                spread(5, 9),
                keep=lambda _r, number, _p: number < 3,
                state="incomplete",
                reason="The cluster went away.",
                notes=("It is embedded.",),
            )
        )
    )
    assert found.caveats[0] == (
        "It is incomplete, with 4 of 10 turns measured: The cluster went away."
    )
    assert "It is embedded." in found.caveats


def test_before_the_first_round_nothing_is_told() -> None:
    empty = comparison_of(plan_of(), spread(5, 5), keep=lambda *_: False)
    assert verdict(analyse(empty)).headline == "Nothing is measured yet."
    one = comparison_of(plan_of(), spread(5, 5), keep=lambda _r, number, p: (number, p) == (1, 0))
    assert "No round of two profiles" in verdict(analyse(one)).headline


@pytest.mark.parametrize(
    ("us", "told"), [(420, "0.42"), (6_100, "6.1"), (123_456, "123"), (-6_149, "-6.1")]
)
def test_figures_have_no_more_digits_than_the_bins_can_tell(us: float, told: str) -> None:
    assert milliseconds(us) == told
    assert milliseconds(abs(us), sign=True)[0] == "+"


def by_rate(slower: dict[float, float]) -> Latencies:
    """5 ms for the first; for the second as told by the rate."""

    def make(rate: float, number: int, profile: int) -> npt.NDArray[np.float64]:
        level = slower[rate] if profile else 5.0
        random = np.random.Generator(np.random.PCG64(number * 10 + profile))
        return (level + random.normal(0, 0.05) + np.linspace(0, 0.1, 1_500)) * 1000

    return make


def test_a_sweep_tells_up_to_where_nobody_notices_and_where_it_bends() -> None:
    plan = plan_of(
        body("one"), body("two", objective={"latency_p99_ms": 30}), sweep=[100, 2_000, 5_000]
    )
    analysis = analyse(comparison_of(plan, by_rate({100.0: 5, 500.0: 5, 2_000.0: 9, 5_000.0: 40})))
    one, two = sweep(analysis)
    assert (two.same_as_baseline_to, two.differs_from) == (500, 2_000)
    assert (two.leaves_objective_at, two.certain) == (5_000, True)
    assert two.knee_at == 5_000
    assert (one.knee_at, one.leaves_objective_at) == (None, None)
    words = " ".join([*verdict(analysis).lines, verdict(analysis).headline])
    assert "Up to 500/s you will not notice whether it is two or one" in words
    assert "told from 2,000/s on" in words
    assert "two leaves its objective at 5,000/s: p99 is 39.7 ms, its objective 30 ms." in words
    assert "two has its knee at 5,000/s." in words


def test_a_client_that_cannot_keep_up_is_at_its_knee() -> None:
    plan = plan_of(sweep=[2_000])

    def measures(rate: float, _number: int, profile: int, n: int) -> TurnMeasures:
        return measured(n, rate_reached=rate * (0.9 if profile and rate > 500 else 1))

    one, two = sweep(analyse(comparison_of(plan, spread(5, 5), measures=measures)))
    assert (one.knee_at, two.knee_at) == (None, 2_000)


def test_an_objective_of_success_is_left_where_events_fail() -> None:
    plan = plan_of(body("one"), body("two", objective={"success_ratio": 0.999}), sweep=[2_000])

    def measures(rate: float, _number: int, profile: int, n: int) -> TurnMeasures:
        bad = 3 if profile and rate > 500 else 0
        return measured(n, acknowledged=n - bad, failed={"_MSG_TIMED_OUT": bad}, rate_reached=rate)

    two = sweep(analyse(comparison_of(plan, spread(5, 5), measures=measures)))[1]
    assert two.leaves_objective_at == 2_000
    assert two.why == "99.8000% succeed, its objective 99.9000%"


def test_one_rate_is_no_sweep() -> None:
    assert sweep(analyse(comparison_of(plan_of(), spread(5, 5)))) == ()
