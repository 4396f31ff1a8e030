"""A plan is refused where it could not be measured, with what to change; else it is kept whole."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from producer_agent.advice.compare.plan import PRACTICE, ComparisonPlan, PlanInvalid
from producer_agent.delivery.profiles import ProfileInvalid
from tests.advice.compare.builders import body, plan_of

SMALL = body("small", message_max_bytes=1_000)
ATOMIC = body("atomic", transactional_id="shop", workload={"transaction_ms": 2_000})


@pytest.mark.parametrize(
    ("profiles", "changes", "said"),
    [
        ([body("one")], {}, "1 profile cannot be compared. Give 2 to 5 profiles."),
        ([body(f"p{k}") for k in range(6)], {}, "6 profiles cannot be compared"),
        ([body("one"), body("one", acks=1)], {}, "Profile one is there twice. Save a copy"),
        ([], {"baseline": "three"}, "'three' is not among the profiles. Choose one of one, two."),
        ([], {"rounds": 4}, "4 rounds are too few .* Give at least 5 rounds."),
        ([], {"load": {"rate_per_s": 100_001}}, "load.rate_per_s: .* 100000"),
        ([], {"load": {"rate_per_s": 0}}, "load.rate_per_s: "),
        ([], {"load": {"rate_per_s": float("nan")}}, "load.rate_per_s: "),
        ([], {"load": {"rate": 5}}, "load.rate: .* Remove it; the fields here are rate_per_s"),
        ([], {"sweep": [100, 200_000]}, "sweep.1: "),
        ([], {"load": {"seconds": 700}}, "more than 2 h. Measure fewer seconds"),
        (
            [],
            {"load": {"rate_per_s": 100_000, "payload_bytes": 5_000, "seconds": 30}},
            "GB, more than 20 GB. Lower the rate",
        ),
        (
            [],
            {"layout": {"replication_factor": 1}},
            "min_insync_replicas of 2 is more than the copies. Lower it to 1",
        ),
        (
            [SMALL, body("two")],
            {"load": {"payload_bytes": 900}},
            "exceed small's message_max_bytes of 1,000. Send smaller payloads",
        ),
        (
            [ATOMIC, body("two")],
            {"load": {"seconds": 3}},
            "Profile atomic commits every 2 s, and 3 s .* Measure at least 4 seconds",
        ),
    ],
)
def test_what_cannot_be_measured_is_refused_with_the_mend(
    profiles: list[dict[str, Any]], changes: dict[str, Any], said: str
) -> None:
    with pytest.raises(PlanInvalid, match=said):
        plan_of(*profiles, **changes)


def test_what_is_wrong_within_a_profile_is_told_as_anywhere_else() -> None:
    with pytest.raises(ProfileInvalid, match="profile two, workload: "):
        plan_of(body("one"), {"name": "two"})


@pytest.mark.parametrize("text", ["", "[]", "{", "null", '{"profiles": 3}'])
def test_what_is_no_plan_is_refused(text: str) -> None:
    with pytest.raises(PlanInvalid):
        ComparisonPlan.from_json(text)


def test_the_first_profile_is_the_baseline_unless_another_is_named() -> None:
    assert plan_of().baseline == "one"
    assert plan_of(baseline="two").baseline_index == 1


@given(
    st.integers(2, 5),
    st.integers(5, 8),
    st.lists(st.sampled_from([10, 100, 500, 2_000]), max_size=4),
    st.integers(0, 2**63 - 1),
)
def test_a_plan_survives_json_and_each_round_has_each_profile_once(
    profiles: int, rounds: int, sweep: list[float], seed: int
) -> None:
    plan = plan_of(*(body(f"p{k}") for k in range(profiles)), rounds=rounds, sweep=sweep, seed=seed)
    assert ComparisonPlan.from_json(plan.to_json()) == plan
    turns = list(plan.schedule())
    assert len(turns) == plan.turns
    assert set(Counter((t.rate, t.round, t.profile) for t in turns).values()) == {1}
    assert set(Counter((t.rate, t.round, t.position) for t in turns).values()) == {1}
    assert [t.rate for t in turns] == sorted(t.rate for t in turns)
    assert [t.round for t in turns] == [
        number for _ in plan.rates for number in range(1, rounds + 1) for _ in range(profiles)
    ]
    assert [t.round for t in plan.practice()] == [PRACTICE] * profiles


def test_the_order_is_shuffled_in_each_round_and_the_seed_decides() -> None:
    plan = plan_of(*(body(f"p{k}") for k in range(4)), rounds=20)
    orders = [plan.order(500, number) for number in range(1, 21)]
    assert len(set(orders)) > 10
    assert orders == [plan.order(500, number) for number in range(1, 21)]
    other = plan.model_copy(update={"seed": 2})
    assert orders != [other.order(500, number) for number in range(1, 21)]
    first = Counter(order[0] for order in orders)
    assert max(first.values()) < 15
