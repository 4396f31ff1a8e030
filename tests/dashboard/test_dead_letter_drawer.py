"""The drawer on dead letters of every framework, its history, its way into a plan."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import pytest
from sqlite_utils import Database
from streamlit.testing.v1 import AppTest

from dashboard.letters.decoding import raw_of, value_of
from dashboard.letters.letter_history import words
from producer_agent.dead_letters.conventions import RawRecord
from producer_agent.dead_letters.stored import decoded_of
from producer_agent.store import letter_edits
from producer_agent.store.commands import CommandRow
from producer_agent.store.database import open_database
from producer_agent.store.headers import headers_from_json
from producer_agent.store.queries.dead_letters import letter
from producer_agent.store.queries.letter_history import HistoryEntry
from tests.dashboard import framework_letters, letter_seed, plan_seed, seed
from tests.dashboard.answering import acknowledge, answering
from tests.dashboard.conftest import texts


def drawer(letter: int) -> AppTest:
    """The drawer's content on a page of its own: AppTest cannot press a dialog's button."""

    def body(letter: int) -> None:
        from dashboard.letters import dead_letter_drawer

        dead_letter_drawer.draw(letter)

    return AppTest.from_function(body, args=(letter,), default_timeout=30).run()


@pytest.fixture
def frameworks(empty: Path) -> Path:
    db = open_database(empty)
    framework_letters.store(db, framework_letters.samples())
    db.close()
    return empty


@pytest.fixture
def letters(database: Path) -> Path:
    """Three of our own letters."""
    seed.fill(database, seconds=10)
    db = open_database(database)
    letter_seed.store(db, [letter_seed.failed_event(sequence) for sequence in range(3)])
    db.close()
    return database


def keys(app: AppTest) -> set[str]:
    return {str(button.key) for button in app.button}


def frame(app: AppTest, column: str) -> Any:
    return next(frame.value for frame in app.dataframe if column in frame.value.columns)


def test_the_drawer_shows_dead_letters_of_every_framework(frameworks: Path) -> None:
    db = open_database(frameworks)
    conventions: dict[str, int] = dict(
        db.execute("SELECT convention, min(id) FROM dead_letters GROUP BY 1").fetchall()
    )
    db.close()
    assert len(conventions) >= 7
    for id_ in conventions.values():
        app = drawer(id_)
        assert not app.exception
        assert "status: new" in texts(app)


def test_each_field_is_shown_with_the_raw_header_that_it_was_read_from(frameworks: Path) -> None:
    db = open_database(frameworks)
    (id_,) = db.execute(
        "SELECT id FROM dead_letters WHERE convention = 'spring-recoverer' LIMIT 1"
    ).fetchone()
    found = letter(db, id_)
    db.close()
    assert found is not None
    fields = frame(drawer(id_), "Raw bytes").set_index("Field")
    offset = fields.loc["original_offset"]
    assert offset["Read from"] == "header kafka_dlt-original-offset [0]"
    assert offset["Raw bytes"] == f"00 00 00 00 00 00 00 {int(offset['Value']):02x}"
    decoded = decoded_of(found)
    for name, place in decoded.fields.items():
        assert value_of(decoded, name) is not None, name
        if place.startswith("header "):
            assert raw_of(found, place) is not None, place
    stack = decoded.stack
    assert stack is not None
    assert any(code.value.startswith(stack[:60]) for code in drawer(id_).code)


def test_a_length_that_does_not_fit_is_shown_as_hex(empty: Path) -> None:
    record = RawRecord(
        "orders-dlt",
        0,
        1,
        1,
        b"k",
        b"v",
        (
            ("kafka_dlt-exception-fqcn", b"E"),
            ("kafka_dlt-original-topic", b"orders"),
            ("kafka_dlt-original-offset", b"\x01\x02\x03"),
        ),
    )
    db = open_database(empty)
    framework_letters.store(db, [record])
    db.close()
    undecoded = frame(drawer(1), "Bytes (hex)")
    assert "010203" in list(undecoded["Bytes (hex)"])


def test_a_pointer_is_no_tombstone_and_offers_no_replay(empty: Path) -> None:
    record = RawRecord(
        "__share-dlq",
        0,
        1,
        1,
        None,
        None,
        (
            ("__dlq.errors.topic", b"orders"),
            ("__dlq.errors.partition", b"3"),
            ("__dlq.errors.offset", b"42"),
            ("__dlq.errors.group", b"share-1"),
        ),
    )
    db = open_database(empty)
    framework_letters.store(db, [record])
    db.close()
    app = drawer(1)
    assert not app.exception
    said = "\n".join(info.value for info in app.info)
    assert "only points to its original" in said
    assert "tombstone" not in said.replace("is no tombstone", "")
    assert not [key for key in keys(app) if key.endswith(("-replay", "-plan", "-edit"))]


def test_confluents_wire_format_is_named_and_the_setting_that_decodes_it(empty: Path) -> None:
    value = b"\x00\x00\x00\x00\x2a" + b"\x02\x06abc"
    db = open_database(empty)
    framework_letters.store(db, [RawRecord("parked", 0, 1, 1, None, value, ())])
    db.close()
    said = texts(drawer(1))
    assert "schema id **42**" in said
    assert "ACKBOARD_SCHEMA_REGISTRY_URL" in said


def test_what_happened_is_told_with_who_and_why_and_links(letters: Path) -> None:
    db = open_database(letters)
    plan = plan_seed.made(db, [1], state="done", outcomes={1: "done"})
    db.close()
    app = drawer(1)
    assert not app.exception
    history = next(f.value for f in app.dataframe if {"What", "Who"} <= set(f.value.columns))
    assert history["What"].tolist() == [f"replay (plan {plan}): replayed", "stored here"]
    assert history["Who"].tolist() == ["kim", "Ackboard"]
    assert "**Replayed** to `task-events[0]@100`" in app.success[0].value


def test_each_kind_of_history_has_words() -> None:
    def entry(what: str, **more: Any) -> HistoryEntry:
        return HistoryEntry(1, what, "kim", None, **more)

    assert words(entry("status", before="new", after="archived")) == "new → archived"
    assert words(entry("came back", letter=9)) == "its replay came back as letter 9"
    assert words(entry("earlier life", letter=4)) == "it was letter 4 before"
    assert words(entry("cause note", before=None, after="x")) == "cause note: none → x"
    assert words(entry("edit withdrawn")) == "edit withdrawn"


def test_a_status_is_changed_from_the_drawer_with_a_reason(letters: Path) -> None:
    app = drawer(2)
    app.text_input(key="letter-2-why").set_value("a test event").run()
    with answering(letters, acknowledge) as taken:
        app.button(key="letter-2-archived").click().run()
    assert [(c.kind, c.arguments, c.why) for c in taken] == [
        ("letters.status", {"status": "archived", "ids": [2]}, "a test event")
    ]


@pytest.mark.parametrize(
    ("column", "value", "said"),
    [
        ("status", "archived", "It is archived"),
        ("original_topic", None, "does not tell which topic"),
        ("times_back", 3, "It came back 3 times"),
    ],
)
def test_what_one_click_cannot_send_says_why(
    letters: Path, column: str, value: object, said: str
) -> None:
    db = open_database(letters)
    with db.atomic():
        db.execute(f"UPDATE dead_letters SET {column} = ? WHERE id = 1", [value])
    db.close()
    app = drawer(1)
    assert not app.exception
    assert "letter-1-replay" not in keys(app)
    assert any(said in info.value for info in app.info)


def editing(db: Database, command: CommandRow) -> dict[str, Any]:
    """As the agent answers an editor."""
    asked = command.arguments
    with db.atomic():
        if command.kind == "letter.edit.begin":
            held = letter_edits.lock_of(db, asked["dead_letter"])
            if held is not None:
                letter_edits.unlock(db, asked["dead_letter"], held.token)
            return {"token": letter_edits.lock(db, asked["dead_letter"], command.who).token}
        if command.kind == "letter.edit.save":
            assert letter_edits.unlock(db, asked["dead_letter"], asked["token"])
            key, value = (
                None if asked[name] is None else base64.b64decode(asked[name])
                for name in ("key", "value")
            )
            headers = headers_from_json(json.dumps(asked["headers"]))
            letter_edits.save(db, asked["dead_letter"], command.who, key, value, headers)
        if command.kind == "letter.edit.withdraw":
            letter_edits.withdraw(db, asked["dead_letter"])
    return {}


def test_a_record_is_edited_with_its_difference_shown_saved_and_withdrawn(letters: Path) -> None:
    app = drawer(1)
    with answering(letters, editing) as taken:
        app.button(key="letter-1-edit").click().run()
        assert not app.exception
        value = app.text_area(key="letter-1-value-text")
        assert str(value.value).startswith('{"task_id": 0')
        value.set_value('{"task_id": 99}').run()
        assert any('+    "task_id": 99' in code.value for code in app.code)
        app.button(key="letter-1-save").click().run()
        assert not app.exception
        assert [command.kind for command in taken] == ["letter.edit.begin", "letter.edit.save"]
        assert [pair[0] for pair in taken[1].arguments["headers"]] == ["content-type", "trace"]
        assert "It is sent with the next replay" in "".join(info.value for info in app.info)
        again = drawer(1)
        assert any('+    "task_id": 99' in code.value for code in again.code)
        assert "Its edit is sent" in "".join(info.value for info in again.info)
        again.button(key="letter-1-withdraw").click().run()
        assert "Its edit is sent" not in "".join(info.value for info in again.info)


def test_two_people_do_not_edit_the_same_record(letters: Path) -> None:
    with answering(letters, editing):
        mine, theirs = drawer(1), drawer(1)
        mine.button(key="letter-1-edit").click().run()
        theirs.run()
        assert "is editing it" in "".join(warning.value for warning in theirs.warning)
        theirs.button(key="letter-1-take-over").click().run()
        mine.run()
        assert "no longer yours to edit" in "".join(warning.value for warning in mine.warning)
        assert mine.button(key="letter-1-save").disabled
        assert str(mine.text_area(key="letter-1-value-text").value).startswith('{"task_id": 0')


def test_bytes_are_written_anew_when_their_form_is_changed(letters: Path) -> None:
    app = drawer(1)
    with answering(letters, editing):
        app.button(key="letter-1-edit").click().run()
        app.segmented_control(key="letter-1-key-kind").set_value("base64").run()
        assert app.text_input(key="letter-1-key-text").value == "dXNlci0w"
        app.text_input(key="letter-1-key-text").set_value("/w==").run()
        app.segmented_control(key="letter-1-key-kind").set_value("text").run()
        # No text: it stays as it was.
        assert app.segmented_control(key="letter-1-key-kind").value == "base64"
        app.text_input(key="letter-1-key-text").set_value("!").run()
        assert "Key is not base64" in "".join(error.value for error in app.error).replace("\\", "")
        assert app.button(key="letter-1-save").disabled
