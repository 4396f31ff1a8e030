"""What is read: the policies of dead-letter topics, on the page."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from streamlit.testing.v1 import AppTest

from producer_agent.store import dead_letter_policies, facts
from producer_agent.store.database import open_database
from producer_agent.store.dead_letter_policies import Policy
from tests.dashboard import seed
from tests.dashboard.answering import acknowledge, answering


def panel() -> AppTest:
    """The popover's content on a page of its own."""

    def body() -> None:
        from dashboard.letters import dead_letter_topics

        dead_letter_topics.panel()

    return AppTest.from_function(body, default_timeout=30).run()


@pytest.fixture
def policies(database: Path) -> Path:
    """A pattern that was saved, and two topics that are read."""
    seed.fill(database, seconds=10)
    db = open_database(database)
    topic = {
        "topic": "orders-dlt",
        "behind": 12,
        "next_deletion_us": 1_795_517_452_000_000,
        "deleted_unread": 0,
        "warnings": [{"message": "it is **compacted**", "mend": "m"}],
    }
    with db.atomic():
        dead_letter_policies.save(db, Policy("^.*-dlt$", keep_closed_days=30.0))
        facts.put(db, "letters", {"topics": [topic, topic | {"topic": "x-dlt", "warnings": []}]})
    db.close()
    return database


def frame(app: AppTest, column: str) -> Any:
    return next(frame.value for frame in app.dataframe if column in frame.value.columns)


def test_policies_and_what_is_read_by_them_are_listed(policies: Path) -> None:
    app = panel()
    assert not app.exception
    assert list(frame(app, "Topic or pattern")["Topic or pattern"]) == [
        "dead-letter-queue",
        "^.*-dlt$",
    ]
    assert list(frame(app, "Closed ones kept")["Closed ones kept"]) == ["for good", "30 d"]
    read = frame(app, "Not stored yet")
    assert list(read["By"]) == ["^.*-dlt$"] * 2
    assert list(read["Not stored yet"]) == [12, 12]
    assert any("it is \\*\\*compacted" in caption.value for caption in app.caption)


def test_a_policy_is_added_with_all_that_it_says(policies: Path) -> None:
    app = panel()
    app.text_input(key="dead-letter-topic-name").set_value("payments-dlq")
    next(box for box in app.selectbox if box.label == "Convention").set_value("kafka-connect")
    next(box for box in app.selectbox if box.label == "Read from").set_value("now")
    next(box for box in app.text_input if box.label == "Default target").set_value("payments")
    next(box for box in app.number_input if box.label.startswith("Keep")).set_value(7.0)
    with answering(policies, acknowledge) as taken:
        next(button for button in app.button if button.label == "Save").click().run()
    assert not app.exception
    assert [(c.kind, c.arguments) for c in taken] == [
        (
            "dead-letter-topics.save",
            {
                "topic": "payments-dlq",
                "convention": "kafka-connect",
                "default_target": "payments",
                "start_from": "now",
                "keep_closed_days": 7.0,
            },
        )
    ]


def test_what_is_wrong_with_a_policy_is_told(policies: Path) -> None:
    def refuse(*_: Any) -> dict[str, Any]:
        raise ValueError("'' is no name of a topic.")

    app = panel()
    with answering(policies, refuse):
        next(button for button in app.button if button.label == "Save").click().run()
    assert not app.exception
    assert any("is no name of a topic" in toast.value for toast in app.toast)


def test_a_policy_is_removed(policies: Path) -> None:
    app = panel()
    assert app.button(key="dead-letter-topic-remove").disabled
    app.selectbox(key="dead-letter-topic-delete").set_value("^.*-dlt$").run()
    with answering(policies, acknowledge) as taken:
        app.button(key="dead-letter-topic-remove").click().run()
    assert [(c.kind, c.arguments) for c in taken] == [
        ("dead-letter-topics.delete", {"topic": "^.*-dlt$"})
    ]


def test_without_policies_the_boards_own_topic_is_read(empty: Path) -> None:
    app = panel()
    assert not app.exception
    assert list(frame(app, "Topic or pattern")["Topic or pattern"]) == ["dead-letter-queue"]
