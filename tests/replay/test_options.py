"""What a person may choose for a plan is checked before anything is sent."""

from __future__ import annotations

from typing import Any

import pytest

from producer_agent.replay.options import OptionsInvalid, PlanOptions


@pytest.mark.parametrize(
    ("given", "named"),
    [
        ({"topic": "orders"}, "topic"),
        ({"to": "x" * 250}, "to"),
        ({"rules": [{"topic": "a"}]}, "rules.0.to"),
        ({"rules": [{"topic": "a", "to": ""}]}, "rules.0.to"),
        ({"partition": "round-robin"}, "partition"),
        ({"rate_per_s": 0}, "rate_per_s"),
        ({"ramp": [1, 0]}, "ramp"),
        ({"ramp": list(range(1, 12))}, "ramp"),
        ({"ramp_wait_s": -1}, "ramp_wait_s"),
        ({"ramp_wait_s": 3601}, "ramp_wait_s"),
        ({"stop_share": 0}, "stop_share"),
        ({"stop_share": 1.01}, "stop_share"),
        ({"most_times_back": 0}, "most_times_back"),
        ({"force": ""}, "force"),
        ({"exactly_once": "maybe"}, "exactly_once"),
    ],
)
def test_a_wrong_option_is_named_with_what_it_is(given: dict[str, Any], named: str) -> None:
    with pytest.raises(OptionsInvalid) as raised:
        PlanOptions.read(given)
    (line,) = str(raised.value).splitlines()
    assert line.startswith(f"Replay option {named}: ")
    assert "(it is " in line or "Field required" in line


def test_every_wrong_option_is_named_at_once() -> None:
    with pytest.raises(OptionsInvalid) as raised:
        PlanOptions.read({"rate_per_s": -1, "stop_share": 2, "nonsense": 1})
    assert len(str(raised.value).splitlines()) == 3


@pytest.mark.parametrize("given", [[], "to=orders", 3, None])
def test_what_is_no_object_is_refused(given: object) -> None:
    with pytest.raises(OptionsInvalid):
        PlanOptions.read(given)


def test_options_survive_the_database_unchanged() -> None:
    options = PlanOptions.read(
        {
            "to": "orders-2",
            "rules": [{"topic": "a", "to": "b"}],
            "ramp": [1, 10],
            "rate_per_s": 12.5,
            "stop_share": None,
            "force": "the consumer is mended",
        }
    )
    kept = options.model_dump(mode="json", exclude_defaults=True)
    assert PlanOptions.read(kept) == options


def test_a_rule_goes_before_the_one_target_and_that_before_the_original_topic() -> None:
    rules = [{"topic": "a", "to": "b"}, {"topic": "a", "to": "c"}]
    both = PlanOptions.read({"to": "all", "rules": rules})
    assert [both.target_of(topic) for topic in ("a", "z", None)] == ["b", "all", "all"]
    neither = PlanOptions()
    assert [neither.target_of(topic) for topic in ("a", None)] == ["a", None]
