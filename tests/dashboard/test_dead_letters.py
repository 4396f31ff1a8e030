from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from sqlite_utils import Database
from streamlit.testing.v1 import AppTest

from dashboard.formats import escape_markdown
from dashboard.replays import one_click_replay
from dashboard.replays.one_click_replay import Outcome
from producer_agent.store.commands import CommandRow
from producer_agent.store.database import open_database
from producer_agent.store.queries.dead_letters import LetterRow, ReplayRow
from tests.dashboard import letter_seed, seed
from tests.dashboard.answering import answering
from tests.dashboard.conftest import OpenPage, texts

PAGE = "views/dead_letters.py"


@pytest.fixture
def letters(database: Path) -> Path:
    """120 letters and three that somebody else wrote; letters 1 to 3 were replayed."""
    letter_seed.fill(database, 120)
    return database


def drawer(letter: int) -> AppTest:
    """The drawer's content on a page of its own: AppTest cannot press a dialog's button."""

    def body(letter: int) -> None:
        from dashboard.letters import dead_letter_drawer

        dead_letter_drawer.draw(letter)

    return AppTest.from_function(body, args=(letter,), default_timeout=30).run()


def table(app: AppTest) -> Any:
    """The list of letters."""
    return next(frame for frame in app.dataframe if "meaning" in frame.value.columns)


def select(app: AppTest, *rows: int) -> AppTest:
    """Tick these rows of the list."""
    ids = app.session_state["dead-letters-shown"]
    app.session_state[f"dead-letters-{hash(ids):x}"] = {
        "selection": {"rows": list(rows), "columns": [], "cells": []}
    }
    return app.run()


def replaying(db: Database, command: CommandRow) -> dict[str, Any]:
    """As the agent answers: each letter is replayed, unless the ledger has it already."""
    outcomes = []
    for letter in command.arguments["dead_letters"]:
        status = db.execute("SELECT status FROM dead_letters WHERE id = ?", [letter]).fetchone()[0]
        if status in ("replayed", "replaying"):
            told: dict[str, Any] = {"state": "refused", "reason": "It was replayed before."}
        else:
            letter_seed.replayed(db, letter, "done")
            told = {"state": "done", "topic": "task-events", "partition": 3, "offset": 1_881_204}
        outcomes.append({"dead_letter": letter, "reason": None} | told)
    return {"outcomes": outcomes}


def test_the_page_says_how_many_wait_why_and_what_is_on_its_way(
    letters: Path, open_page: OpenPage
) -> None:
    app = open_page(PAGE)
    assert not app.exception
    said = texts(app)
    # 123 letters, of which one is replayed and one may be.
    assert "121 dead letters wait for a decision, of 6 causes" in said
    assert "**6 are new**" in said
    assert "The most frequent cause, 30 times, is `_" in said
    assert "3 failures still wait in the outbox" in said
    assert "1–50 of 121" in said
    assert len(table(app).value) == 50


def test_filters_come_from_the_url_and_pages_follow(letters: Path, open_page: OpenPage) -> None:
    app = open_page(PAGE, status="any", topic="task-events", list_page="1")
    assert not app.exception
    assert "1–40 of 40" in texts(app)
    assert set(table(app).value["topic"]) == {"task-events"}
    app = open_page(PAGE, list_page="3")
    assert "101–121 of 121" in texts(app)
    app = open_page(PAGE, key="nobody-has-this")
    assert "No dead letter matches these filters" in texts(app)
    app.button(key="dead-letters-clear").click().run()
    assert "of 121" in texts(app)


def test_letters_that_come_in_wait_until_they_are_asked_for(
    letters: Path, open_page: OpenPage
) -> None:
    app = open_page(PAGE)
    before = list(table(app).value["key"])
    db = open_database(letters)
    letter_seed.store(db, [letter_seed.failed_event(777)], first_offset=5000)
    db.close()
    app.run()
    assert list(table(app).value["key"]) == before
    newer = app.button(key="dead-letters-show-newer")
    assert "Show 1" in newer.label
    newer.click().run()
    app.run()
    assert table(app).value["key"][0] == "user-777"


def test_selected_letters_are_replayed_and_each_outcome_is_shown(
    letters: Path, open_page: OpenPage
) -> None:
    app = open_page(PAGE)
    assert app.button(key="dead-letters-replay").disabled
    # Rows 0 to 2 are foreign; the third of them and the first two of ours have a topic.
    select(app, 1, 3, 4)
    button = app.button(key="dead-letters-replay")
    assert button.label == "Replay 2 now"
    assert "leaves 1 of the ticked as they are" in texts(app)
    assert "may already be on" in texts(app)
    assert "will be refused again" in texts(app)
    with answering(letters, replaying) as taken:
        button.click().run()
    assert not app.exception
    assert [command.arguments for command in taken] == [{"dead_letters": [120, 119]}]
    outcome = next(frame.value for frame in app.dataframe if "Outcome" in frame.value.columns)
    assert list(outcome["Letter"]) == ["120", "119"]
    assert list(outcome["Outcome"]) == ["replayed", "replayed"]
    assert list(outcome["Where"]) == ["task-events[3]@1881204"] * 2
    assert "2 replayed" in texts(app)
    # They are settled, so they left the list of open ones, and nothing is selected any more.
    assert "of 119" in texts(app)
    assert app.button(key="dead-letters-replay").disabled
    app.button(key="dead-letters-forget").click().run()
    app.run()
    assert not [frame for frame in app.dataframe if "Outcome" in frame.value.columns]


def test_an_agent_that_refuses_is_told_and_the_page_stands(
    letters: Path, open_page: OpenPage
) -> None:
    def refuse(_db: Database, _command: CommandRow) -> dict[str, Any]:
        raise ValueError("The cluster at 127.0.0.1:1 cannot be reached.")

    app = select(open_page(PAGE), 3)
    with answering(letters, refuse):
        app.button(key="dead-letters-replay").click().run()
    assert not app.exception
    assert "dead letters wait" in texts(app)


def test_the_url_opens_the_drawer_and_an_unknown_letter_is_explained(
    letters: Path, open_page: OpenPage
) -> None:
    app = open_page(PAGE, letter="4")
    assert not app.exception
    assert any("Replay to" in button.label for button in app.button)
    for unknown in ("99999", "x", "-1", "1" * 40):
        app = open_page(PAGE, letter=unknown)
        assert not app.exception
        assert "There is no dead letter" in texts(app)


def test_the_drawer_names_its_target_warns_and_shows_everything(letters: Path) -> None:
    app = drawer(4)  # timed out: it may be stored
    assert not app.exception
    assert app.button(key="letter-4-replay").label == f"Replay to {escape_markdown('task-events')}"
    said = texts(app)
    assert "may already be on its topic" in said
    assert "no acknowledgement within delivery" in said
    codes = [code.value for code in app.code]
    assert any('"task_id": 3' in code for code in codes)
    assert any(code.startswith("00000000  7b 22 74 61") for code in codes)
    frames = [frame.value for frame in app.dataframe]
    attempts = next(frame for frame in frames if "Times" in frame.columns)
    assert attempts.iloc[0][["Cause", "Times"]].tolist() == ["NOT_ENOUGH_REPLICAS", "38"]
    headers = next(frame for frame in frames if "Header" in frame.columns)
    assert list(headers["Header"]) == ["content-type", "trace"]
    assert list(headers["Value"]) == ["application/json", "null"]
    assert "will be refused again while" in texts(drawer(7))


def test_replaying_from_the_drawer_shows_where_it_landed_and_a_second_press_finds_it(
    letters: Path,
) -> None:
    app = drawer(5)
    with answering(letters, replaying) as taken:
        app.button(key="letter-5-replay").click().run()
        assert "**Replayed** to `task-events[3]@1881204`" in app.success[0].value
        again = drawer(5)
    assert len(taken) == 1
    assert not [button for button in again.button if "Replay to" in button.label]
    assert "**Replayed** to `task-events[3]@1881204`" in again.success[0].value
    assert "status: replayed" in texts(again)


def test_what_was_replayed_before_shows_how_it_went(letters: Path) -> None:
    assert "**Replayed**" in drawer(1).success[0].value
    failed = drawer(2)
    assert "The replay failed" in failed.error[0].value
    assert failed.button(key="letter-2-replay")
    assert "It is not known" in drawer(3).warning[0].value


def test_foreign_records_are_shown_as_data(letters: Path) -> None:
    raw, tombstone, hostile = (drawer(id_) for id_ in (121, 122, 123))
    for app in (raw, tombstone, hostile):
        assert not app.exception
    assert "does not tell which topic" in raw.info[0].value
    assert [button.label for button in raw.button if "Replay" in button.label] == ["Replay…"]
    assert any("is null" in info.value for info in tombstone.info)
    everything = "\n".join(
        [texts(hostile), *(code.value for code in hostile.code), *(b.label for b in hostile.button)]
    )
    assert "\u202e" not in everything
    assert "**boom**" in "".join(code.value for code in hostile.code)
    assert f"Replay to {escape_markdown('odd:material/home:_*topic*_')}" in everything
    assert "123456789012345678901" in everything


def test_without_letters_the_page_says_what_to_do(empty: Path, open_page: OpenPage) -> None:
    app = open_page(PAGE)
    assert not app.exception
    assert "No dead letter waits" in texts(app)
    assert "inject a fault" in texts(app)


def test_without_a_database_or_an_agent_or_a_cluster_the_page_stands(
    database: Path, open_page: OpenPage
) -> None:
    app = open_page(PAGE)
    assert not app.exception
    assert "there is no database" in texts(app)
    letter_seed.fill(database, 8)
    db = open_database(database)
    with db.atomic():
        seed.put_agent(db, silent_s=60)
        seed.put_cluster(db, reachable=False, error="Connection refused", topics=[])
    db.close()
    app = open_page(PAGE)
    assert not app.exception
    assert "agent is silent" in texts(app)
    assert "dead letters wait" in texts(app)


def ledger(state: str, reason: str | None = None) -> ReplayRow:
    return ReplayRow("r", 1, "orders", state, reason, 3, 42, 1, 2, None)


@pytest.mark.parametrize(
    ("told", "rows", "expected"),
    [
        (None, [], ("unknown", "The agent did not answer: look again here.")),
        (None, [ledger("intent")], ("intent", None)),
        (Outcome(1, "done", None, "orders", 3, 42), [ledger("done")], ("done", None)),
        # A second press: where the first landed stays, and the refusal says why nothing was sent.
        (None, [ledger("refused", "Before."), ledger("done")], ("done", "Before.")),
        (Outcome(1, "refused", "No value.", None, None, None), [], ("refused", "No value.")),
        (None, [ledger("refused", "No value."), ledger("failed", "old")], ("refused", "No value.")),
    ],
)
def test_a_refusal_does_not_hide_the_replay_that_it_came_after(
    told: Outcome | None, rows: list[ReplayRow], expected: tuple[str, str | None]
) -> None:
    (found,) = one_click_replay.merged({1: told}, rows)
    assert (found.state, found.reason) == expected


def letter_row(**changes: Any) -> LetterRow:
    known: dict[str, Any] = {
        "id": 1,
        "stored_us": 1,
        "status": "new",
        "side": "producer",
        "original_topic": "orders",
        "original_key_text": None,
        "cause": "c",
        "error_class": None,
        "error_code": None,
        "may_be_stored": False,
        "profile": None,
        "size": 1,
    }
    return LetterRow(**(known | changes))


@pytest.mark.parametrize(
    ("changes", "able"),
    [
        ({}, True),
        ({"status": "acknowledged"}, True),
        ({"status": "resolved"}, True),
        ({"status": "archived"}, False),
        ({"status": "replayed"}, False),
        ({"status": "replaying"}, False),
        ({"original_topic": None}, False),
    ],
)
def test_only_what_has_a_topic_and_no_live_replay_can_be_replayed(
    changes: dict[str, Any], able: bool
) -> None:
    assert one_click_replay.can_be_replayed(letter_row(**changes)) is able
