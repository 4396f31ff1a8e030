"""Which profile should this topic use? The page answers from what was stored."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path
from typing import Any

import pytest
from sqlite_utils import Database
from streamlit.testing.v1 import AppTest

from dashboard.compare.compare_tools import FORMATS
from producer_agent.advice.compare.analysis import analyse
from producer_agent.advice.compare.export import from_json
from producer_agent.advice.compare.verdict import verdict
from producer_agent.store.commands import CommandRow
from producer_agent.store.database import open_database
from producer_agent.store.queries import comparisons as queries
from tests.dashboard import compare_seed, seed
from tests.dashboard.answering import answering
from tests.dashboard.conftest import OpenPage, texts

PAGE = "views/compare.py"


@pytest.fixture
def ready(database: Path) -> Path:
    """The shipped profiles, an agent and a cluster; nothing was compared yet."""
    compare_seed.surroundings(database)
    return database


def stored(path: Path, *args: Any, **changes: Any) -> str:
    """The number of a comparison that was stored, as the URL has it."""
    plan = changes.pop("plan", None) or compare_seed.plan_of()
    keep = changes.pop("keep", None)
    made = compare_seed.made(plan, **({"keep": keep} if keep else {}))
    db = open_database(path)
    try:
        return str(compare_seed.store(db, made, *args, **changes))
    finally:
        db.close()


def frame(app: AppTest, column: str) -> Any:
    """The table that has this column."""
    return next(found.value for found in app.dataframe if column in found.value.columns)


def plain(app: AppTest) -> str:
    """What the page says, without the escapes of Markdown."""
    return texts(app).replace("\\", "")


def test_the_empty_page_says_what_one_click_does_and_how_long_it_takes(
    ready: Path, open_page: OpenPage
) -> None:
    app = open_page(PAGE)
    assert not app.exception
    said = plain(app)
    assert "Nothing has been compared yet" in said
    assert "does not replicate" in said
    assert "about **2 min 10 s**" in said
    assert "are paused until it ends" in said
    assert not app.button(key="compare-now").disabled


def test_one_click_asks_for_the_preset_and_shows_what_was_begun(
    ready: Path, open_page: OpenPage
) -> None:
    def begin(db: Database, _command: CommandRow) -> dict[str, Any]:
        plan = compare_seed.plan_of()
        made = compare_seed.made(plan, keep=lambda *_: False)
        return {"comparison": compare_seed.store(db, made, state="running")}

    app = open_page(PAGE)
    with answering(ready, begin) as taken:
        app.button(key="compare-now").click().run()
    [command] = taken
    assert command.kind == "compare.start"
    plan = command.arguments["plan"]
    assert plan["profiles"] == ["critical", "analytics", "metrics"]
    assert plan["baseline"] == "analytics"
    assert plan["rounds"] == 5
    assert command.arguments["pause_runs"] is True
    assert app.query_params["comparison"] in ("1", ["1"])
    assert "Comparison 1 is running" in plain(app)


def test_one_press_begins_one_though_its_callback_is_called_twice(
    ready: Path, open_page: OpenPage
) -> None:
    """A part that refreshes itself takes the press along, then the press's own run comes."""
    app = open_page(PAGE)
    with answering(ready, lambda _db, _command: {"comparison": 1}) as taken:
        app.button(key="compare-now").click().run()
        app.button(key="compare-now").click().run()
    assert len(taken) == 1


def test_a_switch_leaves_running_profiles_alone(ready: Path, open_page: OpenPage) -> None:
    app = open_page(PAGE)
    app.toggle(key="compare-pause").set_value(False).run()
    assert "go on sending beside it" in plain(app)
    with answering(ready, lambda _db, _command: {"comparison": 1}) as taken:
        app.button(key="compare-now").click().run()
    assert taken[0].arguments["pause_runs"] is False


def test_a_refusal_is_told_and_leaves_the_page_as_it_was(ready: Path, open_page: OpenPage) -> None:
    def refuse(_db: Database, _command: CommandRow) -> dict[str, Any]:
        raise ValueError("Its topic cannot be had: *why*")

    app = open_page(PAGE)
    with answering(ready, refuse):
        app.button(key="compare-now").click().run()
    assert not app.exception
    assert [toast.value for toast in app.toast] == ["Its topic cannot be had\\: \\*why\\*"]
    assert "comparison" not in app.query_params


def test_what_stands_in_the_way_disables_the_click_and_is_said(
    database: Path, open_page: OpenPage
) -> None:
    assert "there is no database" in texts(open_page(PAGE))
    compare_seed.surroundings(database)
    db = open_database(database)
    with db.atomic():
        seed.put_cluster(db, reachable=False, error="Connection refused")
    app = open_page(PAGE)
    assert app.button(key="compare-now").disabled
    assert "The cluster cannot be reached: bring it back first." in plain(app)
    with db.atomic():
        seed.put_agent(db, silent_s=60)
    app = open_page(PAGE)
    assert app.button(key="compare-now").disabled
    assert "No agent is at work" in plain(app)
    db.close()


def test_without_two_profiles_the_page_says_where_to_make_one(
    empty: Path, open_page: OpenPage
) -> None:
    db = open_database(empty)
    with db.atomic():
        seed.put_agent(db)
        seed.put_cluster(db)
    db.close()
    app = open_page(PAGE)
    assert not app.exception
    assert "make one more under [Profiles](profiles)" in texts(app)
    assert not [button for button in app.button if button.key == "compare-now"]


def test_the_first_line_is_the_verdict_of_the_stored_rounds(
    ready: Path, open_page: OpenPage
) -> None:
    number = stored(ready)
    app = open_page(PAGE)
    assert not app.exception
    db = open_database(ready)
    kept = queries.comparison(db, int(number))
    db.close()
    assert kept is not None
    words = verdict(analyse(kept))
    said = plain(app)
    assert "critical costs +" in words.headline
    assert words.headline in said
    assert all(line in said for line in (*words.lines, *words.caveats))
    assert app.button(key="compare-again")


def test_acks_0_shows_no_acknowledgement_and_no_success_ratio(
    ready: Path, open_page: OpenPage
) -> None:
    stored(ready)
    app = open_page(PAGE)
    latency = frame(app, "p99.9")
    assert list(latency["of"]) == [
        "ack",
        "end to end",
        "ack",
        "end to end",
        "hand-over, no ack",
        "end to end",
    ]
    app.segmented_control(key="figures").set_value("Delivery").run()
    delivery = frame(app, "unconfirmed").set_index("profile")
    assert delivery.loc["metrics", "success"] == "unconfirmed"
    assert delivery.loc["metrics", "unconfirmed"] == "12,500"
    assert delivery.loc["critical", "success"] == "100 %"
    assert delivery.loc["critical", "unconfirmed"] == "–"
    app.segmented_control(key="figures").set_value("Batching and cost").run()
    assert frame(app, "cpu").set_index("profile").loc["critical", "cpu"] == "200 µs"
    assert not app.exception


def test_a_running_one_shows_its_turns_its_time_left_and_can_be_cancelled(
    ready: Path, open_page: OpenPage
) -> None:
    number = stored(
        ready, state="running", keep=lambda _rate, round_, place: round_ == 1 or place == 0
    )
    app = open_page(PAGE)
    assert not app.exception
    said = plain(app)
    assert f"Comparison {number} is running: " in said
    assert " left" in said
    assert "round 2 of 5: critical" in said
    assert "critical costs" not in said, "no verdict before its end"
    live = frame(app, "round 5").set_index("profile")
    assert live.loc["analytics", "round 2"] == "·"
    assert float(live.loc["analytics", "round 1"]) > 5
    assert app.button(key="compare-cancel")
    with answering(ready, lambda _db, _command: {}) as taken:
        app.button(key="compare-cancel").click().run()
    assert [(c.kind, c.arguments) for c in taken] == [("compare.cancel", {"comparison": 1})]


def test_a_running_one_is_told_of_beside_another_that_is_shown(
    ready: Path, open_page: OpenPage
) -> None:
    done = stored(ready)
    stored(ready, state="running", keep=lambda *_: False)
    app = open_page(PAGE, comparison=done)
    assert "**Comparison 2 is running**" in plain(app)
    assert "critical costs +" in plain(app)
    app.button(key="compare-watch").click().run()
    assert app.query_params["comparison"] in ("2", ["2"])
    assert "Comparison 2 is running: " in plain(app)


def test_an_agent_that_falls_silent_while_it_measures_is_not_called_running(
    ready: Path, open_page: OpenPage
) -> None:
    stored(ready, state="running", keep=lambda *_: False)
    db = open_database(ready)
    with db.atomic():
        seed.put_agent(db, silent_s=60)
    db.close()
    app = open_page(PAGE)
    assert "was running when the agent fell silent" in plain(app)


@pytest.mark.parametrize(
    ("state", "reason", "keep", "said"),
    [
        (
            "incomplete",
            "The cluster went away.",
            lambda _rate, round_, _place: round_ <= 3,
            "It is incomplete, with 9 of 15 turns measured: The cluster went away.",
        ),
        ("cancelled", None, lambda *_: False, "It is cancelled, with 0 of 15 turns measured."),
    ],
)
def test_one_that_ended_early_says_so_and_how_to_have_the_whole(
    ready: Path, open_page: OpenPage, state: Any, reason: str | None, keep: Any, said: str
) -> None:
    stored(ready, state=state, reason=reason, keep=keep)
    app = open_page(PAGE)
    assert not app.exception
    assert plain(app).count(said) == 1
    assert "**Again** measures the whole of it." in plain(app)


def test_a_sweep_marks_knees_and_offers_its_rates(ready: Path, open_page: OpenPage) -> None:
    stored(ready, plan=compare_seed.plan_of(sweep=[100, 2_000]))
    app = open_page(PAGE)
    assert not app.exception
    assert list(frame(app, "knee")["knee"]) == ["–", "2,000/s", "2,000/s"]
    assert app.selectbox(key="rate").options == ["100/s", "500/s", "2,000/s"]
    assert "At 500/s" in plain(app)
    app.selectbox(key="rate").set_value("2,000/s").run()
    assert "At 2,000/s" in plain(app)
    assert not app.exception


def test_exports_hold_what_the_page_says(ready: Path, open_page: OpenPage) -> None:
    number = stored(ready)
    db = open_database(ready)
    kept = queries.comparison(db, int(number))
    db.close()
    assert kept is not None
    headline = verdict(analyse(kept)).headline
    whole = FORMATS["json"].write(kept)
    assert json.loads(whole)["verdict"]["headline"] == headline
    assert verdict(analyse(from_json(whole))).headline == headline
    assert len(list(csv.DictReader(io.StringIO(FORMATS["csv"].write(kept))))) == 15
    assert "critical costs +" in FORMATS["html"].write(kept)


def test_deleting_asks_first_and_goes_back_to_those_that_are_left(
    ready: Path, open_page: OpenPage
) -> None:
    stored(ready, title="first")
    second = stored(ready, title="second")

    def delete(db: Database, command: CommandRow) -> dict[str, Any]:
        db.execute("DELETE FROM comparisons WHERE id = ?", [command.arguments["comparison"]])
        return {}

    app = open_page(PAGE, comparison=second)
    assert "It cannot be undone" in plain(app)
    with answering(ready, delete) as taken:
        app.button(key="compare-delete").click().run()
    assert taken[0].arguments == {"comparison": 2}
    assert "comparison" not in app.query_params
    assert "**Comparison 1: first**" in plain(app)


def test_two_are_laid_side_by_side_the_earlier_first(ready: Path, open_page: OpenPage) -> None:
    stored(ready)
    stored(ready, plan=compare_seed.plan_of(seed=2), kind="real")
    app = open_page(PAGE, comparison="2", **{"with": "1"})
    assert not app.exception
    said = plain(app)
    assert "comparisons 1 and 2" in said or "in comparison 2 than in 1" in said
    differing = frame(app, "what").set_index("what")
    assert list(differing.loc["seed"]) == ["1", "2"]
    assert list(differing.loc["cluster_kind"]) == ["lab", "real"]
    assert {"critical", "analytics", "metrics"} == set(frame(app, "change")["profile"])
    app.button(key="compare-beside-close").click().run()
    assert "with" not in app.query_params
    assert "Comparison 2:" in plain(app)


def test_a_number_that_is_not_there_is_told(ready: Path, open_page: OpenPage) -> None:
    stored(ready)
    for asked in ("99", "x", "²", "9" * 30):
        app = open_page(PAGE, comparison=asked)
        assert not app.exception
        assert "There is no comparison" in plain(app)
        assert list(frame(app, "turns")["turns"]) == ["15 of 15"]


def test_a_plan_of_another_version_is_told_and_can_be_deleted(
    ready: Path, open_page: OpenPage
) -> None:
    number = stored(ready)
    db = open_database(ready)
    with db.atomic():
        db.execute("UPDATE comparisons SET plan = '{\"older\": 1}' WHERE id = ?", [number])
    db.close()
    app = open_page(PAGE)
    assert not app.exception
    assert "was written by another version" in plain(app)
    assert app.button(key="compare-delete")


def test_titles_are_shown_as_text(ready: Path, open_page: OpenPage) -> None:
    stored(ready, title="# <b>x</b> [y](http://z) \u202e")
    app = open_page(PAGE)
    assert "**Comparison 1: \\# \\<b\\>x\\<\\/b\\>" in texts(app)
    assert "\u202e" not in texts(app)
