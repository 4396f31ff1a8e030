"""The dialog in which a replay is planned."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import streamlit as st
from streamlit.testing.v1 import AppTest

from dashboard.replays import plan_dialog
from tests.dashboard import seed
from tests.dashboard.answering import answering


def dialog(count: int, topics: tuple[str, ...] = ("orders", "*odd*")) -> AppTest:
    """Its content on a page of its own."""

    def body(count: int, topics: tuple[str, ...]) -> None:
        from dashboard.replays import plan_dialog

        selected = plan_dialog.Selected(
            {"filter": {"cause": 7}}, count, f"{count} dead letters of a cause", topics
        )
        plan_dialog.form(selected)

    return AppTest.from_function(body, args=(count, topics), default_timeout=30).run()


@pytest.fixture
def made(database: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Path, list[Any]]:
    """A database under a live agent, and the pages that were gone to."""
    seed.fill(database, seconds=10)
    gone: list[Any] = []
    monkeypatch.setattr(
        st, "switch_page", lambda page, query_params: gone.append((page, query_params))
    )
    return database, gone


def test_many_are_ramped_unless_told_otherwise_and_few_are_not(
    made: tuple[Path, list[Any]],
) -> None:
    path, gone = made
    with answering(path, lambda *_: {"plan": 5}) as taken:
        app = dialog(500)
        assert not app.exception
        app.button(key="plan-make").click().run()
        dialog(3).button(key="plan-make").click().run()
    assert not app.exception
    assert taken[0].kind == "replay.plan"
    assert taken[0].arguments == {
        "filter": {"cause": 7},
        "options": {"ramp": [1, 10], "ramp_wait_s": 10.0, "stop_share": 0.2, "most_times_back": 3},
    }
    assert "ramp" not in taken[1].arguments["options"]
    assert gone == [(plan_dialog.REPLAYS_PAGE, {"plan": "5"})] * 2


def test_every_choice_travels_with_the_plan(made: tuple[Path, list[Any]]) -> None:
    path, _ = made
    app = dialog(500)
    app.segmented_control(key="plan-target").set_value(plan_dialog.ONE).run()
    assert app.button(key="plan-make").disabled
    app.selectbox(key="plan-to").set_value("task-events").run()
    app.segmented_control(key="plan-partition").set_value("key")
    app.text_input(key="plan-ramp").set_value("2 20")
    app.number_input(key="plan-wait").set_value(3.0)
    app.number_input(key="plan-rate").set_value(50.0)
    app.toggle(key="plan-stops").set_value(False)
    app.number_input(key="plan-times").set_value(9)
    app.text_input(key="plan-force").set_value("mended")
    app.checkbox(key="plan-keep-headers").check()
    app.selectbox(key="plan-method").set_value("ledger")
    app.text_input(key="plan-title").set_value("INC-7")
    app.run()
    assert not app.exception
    with answering(path, lambda *_: {"plan": 5}) as taken:
        app.button(key="plan-make").click().run()
    assert taken[0].arguments == {
        "filter": {"cause": 7},
        "title": "INC-7",
        "options": {
            "to": "task-events",
            "partition": "key",
            "ramp": [2, 20],
            "ramp_wait_s": 3.0,
            "rate_per_s": 50.0,
            "stop_share": None,
            "most_times_back": 9,
            "force": "mended",
            "keep_failure_headers": True,
            "exactly_once": "ledger",
        },
    }


def test_what_cannot_be_is_told_before_it_is_asked(made: tuple[Path, list[Any]]) -> None:
    path, gone = made
    app = dialog(500)
    app.text_input(key="plan-ramp").set_value("one, ten").run()
    assert "The ramp is numbers" in app.error[0].value
    assert app.button(key="plan-make").disabled
    app.text_input(key="plan-ramp").set_value("0").run()
    with answering(path, lambda *_: {"plan": 5}) as taken:
        app.button(key="plan-make").click().run()
    assert "at least 1 record" in app.error[0].value
    app.segmented_control(key="plan-target").set_value(plan_dialog.RULES).run()
    assert any("at least one rule" in error.value for error in app.error)
    assert not taken
    assert not gone


def test_an_agent_that_refuses_leaves_the_dialog_open(made: tuple[Path, list[Any]]) -> None:
    path, gone = made

    def refuse(*_: Any) -> dict[str, Any]:
        raise ValueError("No dead letter is selected.")

    app = dialog(5)
    with answering(path, refuse):
        app.button(key="plan-make").click().run()
    assert not gone
    assert any("No dead letter is selected" in toast.value for toast in app.toast)


def test_rules_without_a_target_say_nothing() -> None:
    rows: list[dict[str, Any]] = [
        {"topic": "orders", "to": "orders-retry"},
        {"topic": "x", "to": " "},
        {"topic": None},
    ]
    assert plan_dialog.rules_of(rows) == [{"topic": "orders", "to": "orders-retry"}]


def test_foreign_topics_are_shown_as_data(made: tuple[Path, list[Any]]) -> None:
    said = "".join(caption.value for caption in dialog(5).caption)
    assert "`*odd*`" in said
