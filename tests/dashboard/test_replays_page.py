from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from sqlite_utils import Database
from streamlit.testing.v1 import AppTest

from producer_agent.store import replay_plans
from producer_agent.store.commands import CommandRow
from producer_agent.store.database import open_database
from tests.dashboard import letter_seed, plan_seed, seed
from tests.dashboard.answering import answering
from tests.dashboard.conftest import OpenPage, texts

PAGE = "views/replays.py"


@pytest.fixture
def letters(database: Path) -> Path:
    """Twelve letters and no plan."""
    seed.fill(database, seconds=10)
    db = open_database(database)
    letter_seed.store(db, [letter_seed.failed_event(sequence) for sequence in range(12)])
    db.close()
    return database


def plan(path: Path, *args: Any, **changes: Any) -> str:
    """The number of a plan that was made, as the URL has it."""
    db = open_database(path)
    try:
        return str(plan_seed.made(db, *args, **changes))
    finally:
        db.close()


def planning(db: Database, command: CommandRow) -> dict[str, Any]:
    """As the agent answers ``replay.plan``; anything else is done without a word."""
    if command.kind != "replay.plan":
        return {}
    made = plan_seed.made(db, command.arguments["dead_letters"], title="made anew")
    return {"plan": made}


def outcomes(app: AppTest) -> list[str]:
    """The outcomes that the table of records shows."""
    frame = next(frame for frame in app.dataframe if "outcome" in frame.value.columns)
    return list(frame.value["outcome"])


def test_without_plans_the_page_says_how_to_send_something_back(
    empty: Path, open_page: OpenPage
) -> None:
    app = open_page(PAGE)
    assert not app.exception
    assert "Nothing was ever sent back" in texts(app)


def test_without_a_database_or_a_cluster_the_page_stands(
    database: Path, open_page: OpenPage
) -> None:
    assert "there is no database" in texts(open_page(PAGE))
    seed.fill(database, seconds=10)
    db = open_database(database)
    with db.atomic():
        seed.put_agent(db, silent_s=60)
        seed.put_cluster(db, reachable=False, error="Connection refused", topics=[])
    letter_seed.store(db, [letter_seed.failed_event(0)])
    plan_seed.made(db, [1], state="running", progress="waits, and tries again: all brokers down")
    db.close()
    app = open_page(PAGE, plan="1")
    assert not app.exception
    assert "agent is silent" in texts(app)
    assert "Waits\\, and tries again" in texts(app)


def test_the_list_answers_first_and_names_each_plan(letters: Path, open_page: OpenPage) -> None:
    plan(letters, [1, 2], title="first", state="done", outcomes={1: "done", 2: "done"})
    plan(
        letters,
        [3, 4, 5],
        title="**second**",
        state="stopped",
        reason="1 of 1 came back",
        outcomes={3: "done"},
    )
    app = open_page(PAGE)
    assert not app.exception
    assert "Plan 2 stopped by itself" in texts(app)
    frame = app.dataframe[0].value
    assert list(frame["title"]) == ["**second**", "first"]
    assert list(frame["state"]) == ["stopped", "done"]
    assert list(frame["progress"]) == [pytest.approx(100 / 3), 100.0]
    assert list(frame["landed"]) == [1, 2]


def test_a_plan_says_what_it_will_do_before_anything_is_sent(
    letters: Path, open_page: OpenPage
) -> None:
    number = plan(
        letters,
        list(range(1, 9)),
        options={"ramp": [1, 10]},
        refused={6: "it is archived: restore it first", 7: "it is archived: restore it first"},
        already=[8],
    )
    app = open_page(PAGE, plan=number)
    assert not app.exception
    said = texts(app)
    assert "nothing was sent yet: 5 records would go" in said
    assert "**2 are refused**, see why below and **1 is on the target already**" in said
    targets = next(frame.value for frame in app.dataframe if "To topic" in frame.value.columns)
    assert list(targets["By partition"][0]) == [2, 0, 0, 3, 0, 0]
    assert "First 1, then 10, then the rest" in said
    assert "records of one key keep their order" in said
    assert "`billing`" in said
    assert "`kafka_dlt-exception-message`" in said
    assert "**1 record was edited**" in said
    assert "by the ledger" in said  # the seeded cluster is an embedded one
    assert "- **2**: it is archived" in said
    assert "dead_letters?letter=6" in said
    assert outcomes(app) == [*["waits"] * 5, "refused", "refused", "already there"]


@pytest.mark.parametrize(
    ("state", "button", "asked"),
    [
        ("planned", "plan-run", "replay.run"),
        ("running", "plan-pause", "replay.pause"),
        ("paused", "plan-resume", "replay.run"),
        ("stopped", "plan-resume", "replay.run"),
        ("stopped", "plan-cancel", "replay.cancel"),
    ],
)
def test_each_state_has_its_buttons_and_they_ask_the_agent(
    letters: Path, open_page: OpenPage, state: str, button: str, asked: str
) -> None:
    number = plan(letters, [1, 2, 3], state=state)
    app = open_page(PAGE, plan=number)
    with answering(letters, planning) as taken:
        app.button(key=button).click().run()
    assert not app.exception
    assert [(command.kind, command.arguments) for command in taken] == [
        (asked, {"plan": int(number)})
    ]


def test_a_plan_that_is_over_has_no_buttons_but_for_what_was_not_sent(
    letters: Path, open_page: OpenPage
) -> None:
    number = plan(
        letters,
        [1, 2, 3, 4],
        options={"rate_per_s": 5.0},
        state="done",
        outcomes={1: "done", 2: "failed", 3: "done", 4: "failed"},
    )
    app = open_page(PAGE, plan=number)
    assert "2 of 4 records landed" in texts(app)
    assert "**2 failed**" in texts(app)
    assert outcomes(app) == ["replayed", "failed", "replayed", "failed"]
    keys = {button.key for button in app.button}
    assert keys.isdisjoint({"plan-run", "plan-pause", "plan-resume", "plan-cancel"})
    with answering(letters, planning) as taken:
        app.button(key="plan-again").click().run()
    assert not app.exception
    assert taken[0].arguments == {
        "dead_letters": [2, 4],
        "options": {"rate_per_s": 5.0},
        "title": "Again: letters of a test",
    }
    assert "made anew" in texts(app)


def test_a_plan_is_made_anew_without_its_ramp_and_the_old_one_is_cancelled(
    letters: Path, open_page: OpenPage
) -> None:
    number = plan(letters, [1, 2], options={"ramp": [1], "partition": "key"})
    app = open_page(PAGE, plan=number)
    with answering(letters, planning) as taken:
        app.button(key="plan-no-ramp").click().run()
    assert [command.kind for command in taken] == ["replay.plan", "replay.cancel"]
    assert taken[0].arguments["options"] == {"partition": "key"}
    assert taken[1].arguments == {"plan": int(number)}
    assert "made anew" in texts(app)


def test_one_press_makes_one_plan_though_its_callback_is_called_twice(
    letters: Path, open_page: OpenPage
) -> None:
    """A part that refreshes itself takes the press along, then the press's own run comes."""
    number = plan(letters, [1, 2], state="done", outcomes={1: "failed", 2: "failed"})
    app = open_page(PAGE, plan=number)
    with answering(letters, planning) as taken:
        app.button(key="plan-again").click().run()
        app.query_params["plan"] = str(number)  # as the browser has it that has not heard
        app.run()
        app.button(key="plan-again").click().run()
    assert [command.kind for command in taken] == ["replay.plan"]
    assert "made anew" in texts(app)


def test_records_are_narrowed_to_an_outcome(letters: Path, open_page: OpenPage) -> None:
    number = plan(letters, [1, 2, 3], state="paused", outcomes={1: "done", 2: "failed"})
    app = open_page(PAGE, plan=number, outcome="failed")
    assert outcomes(app) == ["failed"]
    assert "1–1 of 1" in texts(app)
    # What this plan has none of is no choice, and a link to it shows all.
    assert outcomes(open_page(PAGE, plan=number, outcome="cancelled")) == [
        "replayed",
        "failed",
        "waits",
    ]


def test_a_plan_in_the_making_shows_how_far_it_is_and_nothing_else(
    letters: Path, open_page: OpenPage
) -> None:
    db = open_database(letters)
    with db.atomic():
        number = replay_plans.create(
            db, uuid="u", cluster=1, title="t", selection={}, options={}, made_by="kim"
        )
        replay_plans.set_progress(db, number, "500 of 40,000 records planned")
    db.close()
    app = open_page(PAGE, plan=str(number))
    assert not app.exception
    assert "500 of 40\\,000 records planned" in texts(app)
    assert not app.dataframe


@pytest.mark.parametrize("asked", ["99", "x", "-1", "9" * 30])
def test_an_unknown_plan_is_explained(letters: Path, open_page: OpenPage, asked: str) -> None:
    app = open_page(PAGE, plan=asked)
    assert not app.exception
    assert "There is no plan" in texts(app)
