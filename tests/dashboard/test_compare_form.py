"""The form of a comparison: filled with what one click measures, checked as one types."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from streamlit.testing.v1 import AppTest

from dashboard.compare import compare_draft
from dashboard.compare.compare_draft import (
    check_draft,
    preset,
    preset_baseline,
    preset_texts,
    texts_of,
)
from producer_agent.delivery.profiles import Profile
from producer_agent.delivery.shipped_profiles import shipped_profiles
from tests.dashboard import compare_seed
from tests.dashboard.answering import answering
from tests.dashboard.conftest import texts

BODIES = {profile.name: profile.to_json() for profile in shipped_profiles()}
TWO = ("critical", "analytics")


def problems(**typed: Any) -> list[str]:
    """``field: message`` of every problem of the preset with these fields typed over."""
    chosen = typed.pop("chosen", TWO)
    brokers = typed.pop("brokers", None)
    changed = {path.replace("__", "."): text for path, text in typed.items()}
    checked = check_draft(chosen, chosen[0], {**preset_texts(None), **changed}, BODIES, brokers)
    assert (checked.plan is None) == bool(checked.problems)
    assert all(problem.mend for problem in checked.problems)
    return [f"{problem.field}: {problem.message}" for problem in checked.problems]


def test_the_preset_is_usable_and_holds_no_more_copies_than_there_are_brokers() -> None:
    assert problems() == []
    checked = check_draft(TWO, "analytics", preset_texts(1), BODIES, 1)
    assert checked.plan is not None
    assert checked.plan.layout.replication_factor == 1
    assert checked.plan.layout.min_insync_replicas == 1
    assert checked.plan.baseline == "analytics"


@pytest.mark.parametrize(
    ("typed", "field"),
    [
        ({"load__rate_per_s": "many"}, "load.rate_per_s"),
        ({"load__rate_per_s": "1_000"}, "load.rate_per_s"),
        ({"load__payload_bytes": "0"}, "load.payload_bytes"),
        ({"load__seconds": ""}, "load.seconds"),
        ({"rounds": "5.5"}, "rounds"),
        ({"seed": "-1"}, "seed"),
        ({"sweep": "100, x"}, "sweep"),
        ({"layout__partitions": "0"}, "layout.partitions"),
    ],
)
def test_what_is_typed_wrongly_is_told_at_its_field(typed: dict[str, str], field: str) -> None:
    [found] = problems(**typed)
    assert found.startswith(field)
    checked = check_draft(
        TWO,
        "critical",
        {**preset_texts(None), **{path.replace("__", "."): text for path, text in typed.items()}},
        BODIES,
    )
    assert checked.of(field) == list(checked.problems)
    assert not checked.elsewhere()


def test_what_the_parts_demand_of_each_other_is_told_for_the_whole() -> None:
    assert "1 profile cannot be compared" in problems(chosen=("critical",))[0]
    assert "6 rounds" not in str(problems(rounds="6"))
    assert "too few" in problems(rounds="4")[0]
    assert "message_max_bytes" in problems(load__payload_bytes="20000")[0]
    assert "3 copies need 3 brokers, and there are 2." in problems(brokers=2)[0]


def test_a_sweep_is_read_with_commas_or_blanks() -> None:
    for text in ("2000,100", "100 2000", " 100 , 2000, "):
        checked = check_draft(TWO, "critical", {**preset_texts(None), "sweep": text}, BODIES)
        assert checked.plan is not None
        assert checked.plan.rates == (100.0, 500.0, 2_000.0)


def test_a_plan_typed_again_is_the_same_plan() -> None:
    plan = compare_seed.plan_of(
        sweep=[0.5, 123456.5 / 10, 100_000], rounds=7, seed=9, load={"warm_up_s": 0.25, "keys": 0}
    )
    checked = check_draft(plan.names, plan.baseline, texts_of(plan), BODIES)
    assert checked.plan == plan
    assert compare_draft.asked(plan)["profiles"] == list(plan.names)


def test_one_click_takes_the_shipped_profiles_else_one_an_acks_level() -> None:
    shipped = shipped_profiles()
    assert preset(shipped) == ("critical", "analytics", "metrics")
    assert preset_baseline(preset(shipped), shipped) == "analytics"
    own = [
        Profile.from_mapping({"name": name, "producer": {"acks": acks}, "workload": {"topic": "t"}})
        for name, acks in (("a", 0), ("b", "all"), ("c", "all"))
    ]
    assert preset(own) == ("b", "a")
    assert preset(own[1:]) == ("b", "c")
    assert preset_baseline(("b", "a"), own) == "b"
    assert len(preset(own[:1])) < 2


def draw_form(db: str) -> None:
    """The dialog's body, as a page of its own: AppTest cannot press a button in a dialog."""
    import os

    import streamlit as st

    from dashboard.compare import compare_form

    os.environ["ACKBOARD_DB"] = db
    if "compare-form-opened" not in st.session_state:
        if st.session_state.get("was-open"):
            st.write("closed")
            st.stop()
        compare_form.open_new()
        st.session_state["was-open"] = True
    compare_form.draw(st.session_state["compare-form-opened"])


@pytest.fixture
def form(database: Path) -> AppTest:
    compare_seed.surroundings(database)
    return AppTest.from_function(draw_form, args=(str(database),), default_timeout=30).run()


def test_the_form_tells_its_time_checks_and_starts(form: AppTest, database: Path) -> None:
    assert not form.exception
    assert "about **2 min 10 s**" in texts(form)
    form.text_input(key="compare-form:rounds").set_value("4").run()
    assert form.button(key="compare-form-start").disabled
    assert "4 rounds are too few" in texts(form)
    form.text_input(key="compare-form:rounds").set_value("10").run()
    assert "about **3 min 58 s**" in texts(form)
    form.multiselect(key="compare-form:profiles").set_value(["metrics", "critical"]).run()
    assert form.selectbox(key="compare-form:baseline").value == "metrics"
    form.text_input(key="compare-form:title").set_value("mine").run()
    assert not form.button(key="compare-form-start").disabled
    with answering(database, lambda _db, _command: {"comparison": 3}) as taken:
        form.button(key="compare-form-start").click().run()
    [command] = taken
    assert command.arguments["title"] == "mine"
    assert command.arguments["plan"]["profiles"] == ["metrics", "critical"]
    assert command.arguments["plan"]["baseline"] == "metrics"
    assert command.arguments["plan"]["rounds"] == 10
    assert "closed" in texts(form)
    assert form.query_params["comparison"] in ("3", ["3"])


def test_fewer_than_two_profiles_are_told_and_keep_it_from_starting(form: AppTest) -> None:
    form.multiselect(key="compare-form:profiles").set_value(["critical"]).run()
    assert not form.exception
    assert "1 profile cannot be compared" in texts(form)
    assert form.button(key="compare-form-start").disabled
    form.multiselect(key="compare-form:profiles").set_value([]).run()
    assert not form.exception
    assert form.button(key="compare-form-start").disabled
