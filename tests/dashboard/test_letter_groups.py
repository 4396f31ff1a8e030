"""Dead letters by cause, and what is done with many at once."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path
from typing import Any

import pytest
import streamlit as st
from sqlite_utils import Database
from streamlit.testing.v1 import AppTest

from dashboard.letters import letter_export, letter_queue
from dashboard.letters.letter_groups import in_order
from producer_agent.store import causes, facts
from producer_agent.store.commands import CommandRow
from producer_agent.store.database import open_database
from producer_agent.store.queries.dead_letters import LetterFilter
from producer_agent.store.queries.letter_groups import LetterGroup
from producer_agent.store.reader import Reader
from tests.dashboard import letter_seed, seed
from tests.dashboard.answering import acknowledge, answering
from tests.dashboard.conftest import OpenPage, texts

PAGE = "views/dead_letters.py"


@pytest.fixture
def letters(database: Path) -> Path:
    """80 letters of four causes, each of 20, under a live agent."""
    seed.fill(database, seconds=10)
    db = open_database(database)
    letter_seed.store(db, [letter_seed.failed_event(sequence) for sequence in range(80)])
    db.close()
    return database


def groups_table(app: AppTest) -> Any:
    return next(frame.value for frame in app.dataframe if "trend" in frame.value.columns)


def list_table(app: AppTest) -> Any:
    return next(frame.value for frame in app.dataframe if "meaning" in frame.value.columns)


def cause_of(path: Path, title: str) -> str:
    """The row id of a cause, by the beginning of its title."""
    db = open_database(path)
    try:
        return str(
            db.execute("SELECT id FROM causes WHERE title LIKE ?", [f"{title}%"]).fetchone()[0]
        )
    finally:
        db.close()


def test_causes_are_counted_within_the_filter_and_not_the_page(
    letters: Path, open_page: OpenPage
) -> None:
    app = open_page(PAGE)
    assert not app.exception
    assert "4 causes of 80 dead letters" in texts(app)
    assert list(groups_table(app)["letters"]) == [20] * 4
    assert set(groups_table(app)["state"]) == {"● new cause"}
    app = open_page(PAGE, topic="task-events")
    assert "4 causes of 27 dead letters" in texts(app)
    assert sum(groups_table(app)["letters"]) == 27
    assert sum(map(sum, groups_table(app)["trend"])) == 27


def test_a_cause_in_the_url_narrows_the_list_by_its_number_and_by_its_title(
    letters: Path, open_page: OpenPage
) -> None:
    number = cause_of(letters, "_MSG_TIMED_OUT")
    app = open_page(PAGE, cause=number)
    assert "1–20 of 20" in texts(app)
    assert set(list_table(app)["cause"]) == {"_MSG_TIMED_OUT"}
    assert "4 causes of 80" in texts(app)  # the others stay in sight
    db = open_database(letters)
    title = db.execute("SELECT title FROM causes WHERE id = ?", [number]).fetchone()[0]
    db.close()
    assert "1–20 of 20" in texts(open_page(PAGE, cause=title))
    nothing = open_page(PAGE, cause=number, topic="task-events", key="no-such-key")
    assert "No letter of cause" in texts(nothing)
    nothing.button(key="dead-letters-all-causes").click().run()
    assert "No letter of cause" not in texts(nothing)


@pytest.mark.parametrize("state", ["acknowledged", "resolved", "archived"])
def test_a_whole_cause_is_moved_with_a_reason(
    letters: Path, open_page: OpenPage, state: str
) -> None:
    number = cause_of(letters, "_MSG_TIMED_OUT")
    app = open_page(PAGE, cause=number)
    app.text_input(key="cause-why").set_value("INC-7").run()
    with answering(letters, acknowledge) as taken:
        app.button(key=f"cause-{state}").click().run()
    assert not app.exception
    assert [(c.kind, c.arguments, c.why) for c in taken] == [
        ("cause.state", {"cause": int(number), "state": state}, "INC-7")
    ]


def test_owner_and_note_are_saved_and_shown_as_data(letters: Path, open_page: OpenPage) -> None:
    number = cause_of(letters, "_MSG_TIMED_OUT")
    app = open_page(PAGE, cause=number)
    owner = next(field for field in app.text_input if field.label == "Owner")
    note = next(field for field in app.text_area if field.label == "Note")
    save = next(button for button in app.button if button.label == "Save")
    owner.set_value("team-payments")
    note.set_value("**see** runbook")

    def keep(db: Database, command: CommandRow) -> dict[str, Any]:
        write = causes.set_owner if command.kind == "cause.owner" else causes.set_note
        word = command.arguments.get("owner") or command.arguments["note"]
        with db.atomic():
            write(db, command.arguments["cause"], word, command=command.id)
        return {}

    with answering(letters, keep) as taken:
        save.click().run()
    assert [command.kind for command in taken] == ["cause.owner", "cause.note"]
    assert "team\\-payments" in texts(app)
    assert "**see** runbook" in [text.value for text in app.text]


def test_all_that_match_are_moved_by_the_filter_and_not_by_the_page(
    letters: Path, open_page: OpenPage
) -> None:
    app = open_page(PAGE, topic="task-events")
    app.segmented_control(key="dead-letters-scope").set_value("all").run()
    with answering(letters, lambda *_: {"changed": 25, "skipped": {"replayed": 2}}) as taken:
        app.button(key="dead-letters-archived").click().run()
    assert not app.exception
    (command,) = taken
    assert command.kind == "letters.status"
    assert command.arguments == {
        "status": "archived",
        "filter": {"topic": "task-events", "statuses": ["new", "acknowledged"], "up_to_id": 80},
    }
    assert "25 archived; 2 stayed as they are (2 replayed)" in [toast.value for toast in app.toast]


def test_a_thousand_are_one_click_and_more_ask_for_a_plan(
    letters: Path, open_page: OpenPage, monkeypatch: pytest.MonkeyPatch
) -> None:
    app = open_page(PAGE)
    app.segmented_control(key="dead-letters-scope").set_value("all").run()
    with answering(letters, lambda *_: {"plan": 1, "outcomes": []}) as taken:
        app.button(key="dead-letters-replay").click().run()
    assert taken[0].arguments["filter"]["up_to_id"] == 80
    monkeypatch.setattr("dashboard.letters.letter_actions.MOST_AT_ONE_CLICK", 79)
    app.run()
    assert app.button(key="dead-letters-replay").disabled
    assert not app.button(key="dead-letters-plan").disabled


def test_every_filter_comes_from_the_url(letters: Path, open_page: OpenPage) -> None:
    app = open_page(
        PAGE,
        status="any",
        since="1 h",
        text="resize",
        error="MSG_SIZE",
        side="producer",
        convention="ackboard",
        profile="critical",
        queue="dead-letter-queue",
        key="user-6",
        header="content-type=application/json",
        sort="first stored first",
    )
    assert not app.exception
    # MSG_SIZE_TOO_LARGE is every fourth, critical every third: 6, 18, …, of them user-6 and 66.
    assert list(list_table(app)["key"]) == ["user-6", "user-66"]
    assert "No dead letter matches" in texts(open_page(PAGE, back="true"))
    assert "No dead letter matches" in texts(open_page(PAGE, until="2020-01-01T00:00"))
    assert "1–50 of 80" in texts(open_page(PAGE, **{"from": "2020-01-01T00:00"}))


def test_what_regressed_is_listed_first_and_then_what_is_new() -> None:
    groups = [
        LetterGroup(1, "a", "known", "producer", count=90),
        LetterGroup(2, "b", "new", "producer", count=50, is_new=True),
        LetterGroup(3, "c", "regressed", "producer", count=5, is_regressed=True),
    ]
    assert [group.title for group in in_order(groups)] == ["regressed", "new", "known"]


def test_the_answer_counts_what_is_new_regressed_and_came_back(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    said: list[str] = []
    monkeypatch.setattr(st, "info", lambda text, **_: said.append(text))
    groups = [
        LetterGroup(1, "a", "_MSG_TIMED_OUT: x", "producer", count=90, last_seen_us=1),
        LetterGroup(2, "b", "new", "consumer", count=5, last_seen_us=2, is_new=True, came_back=3),
        LetterGroup(3, "c", "again", "consumer", count=5, last_seen_us=2, is_regressed=True),
    ]
    letter_queue.answer(groups, 3_000_000)
    assert said[0].startswith(
        "**100 dead letters wait for a decision, of 3 causes.** Most, 90, are"
    )
    assert "**1 regressed** (came back after it was resolved) and **1 is new**" in said[0]
    assert "**3 came back** from replays" in said[0]


def test_an_export_holds_every_letter_that_was_promised_in_both_formats(
    letters: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(letter_export, "PAGE", 10)
    reader = Reader(letters)
    wanted = LetterFilter(topic="task-events")
    portion = reader(lambda db: letter_export.fitting(db, wanted, ()))
    assert len(portion.ids) == 27
    lines = letter_export.written(reader, portion, "jsonl").splitlines()
    assert [json.loads(line)["id"] for line in lines] == list(portion.ids)
    rows = list(csv.DictReader(io.StringIO(letter_export.written(reader, portion, "csv").decode())))
    assert {row["original_topic"] for row in rows} == {"task-events"}
    assert len(rows) == 27


def test_an_export_is_bounded_by_number_and_by_bytes(
    letters: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    reader = Reader(letters)
    some = reader(lambda db: letter_export.fitting(db, None, [9, 3, 5]))
    assert some.ids == (3, 5, 9)
    monkeypatch.setattr(letter_export, "MOST_LETTERS", 10)
    assert reader(lambda db: letter_export.fitting(db, LetterFilter(), ())).ids == tuple(
        range(1, 11)
    )
    monkeypatch.setattr(letter_export, "MOST_BYTES", some.bytes)
    assert len(reader(lambda db: letter_export.fitting(db, LetterFilter(), ())).ids) in (2, 3)


def test_retention_warnings_stand_on_the_page_with_their_mend(
    letters: Path, open_page: OpenPage
) -> None:
    db = open_database(letters)
    warning = {"message": "12 records of **x** may go", "mend": "kafka-configs.sh --alter"}
    with db.atomic():
        facts.put(
            db,
            "letters",
            {"topic": "dead-letter-queue", "topics": [{"topic": "x", "warnings": [warning] * 5}]},
        )
    db.close()
    app = open_page(PAGE)
    assert not app.exception
    said = texts(app)
    assert "12 records of \\*\\*x\\*\\* may go" in said
    assert "`kafka-configs.sh --alter`" in said
    assert "2 more such warnings" in said
