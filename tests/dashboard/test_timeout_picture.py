"""The time-out picture of one record, and the attempts behind a cause."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from streamlit.testing.v1 import AppTest

from producer_agent.kafka.attempt_summary import TOLD_EACH
from producer_agent.store.database import open_database
from tests.dashboard import timeout_seed
from tests.dashboard.conftest import OpenPage, texts


@pytest.fixture
def letters(database: Path) -> list[int]:
    """One letter for each of ``timeout_seed.RECORDS``."""
    return timeout_seed.fill(database)


def drawer(letter: int) -> AppTest:
    def body(letter: int) -> None:
        from dashboard.letters import dead_letter_drawer

        dead_letter_drawer.draw(letter)

    return AppTest.from_function(body, args=(letter,), default_timeout=30).run()


def picture(app: AppTest) -> dict[str, Any]:
    [element] = app.get("plotly_chart")
    figure: dict[str, Any] = json.loads(element.proto.spec)
    return figure


def marks(figure: dict[str, Any], name: str) -> list[float]:
    found = [trace["x"] for trace in figure["data"] if trace.get("name") == name]
    return [round(at, 2) for trace in found for at in trace]


def test_attempts_are_drawn_within_the_time_out_with_the_leader_meanwhile(
    letters: list[int],
) -> None:
    app = drawer(letters[1])
    assert not app.exception
    said = texts(app)
    assert "**9 attempts** in the 30.1 s from produce() to its outcome: " in said
    assert "`NOT_ENOUGH_REPLICAS` ×8, `_TIMED_OUT` ×1. The first was over after 10.0 s." in said
    assert "**1 of a cause that may have stored it.**" in said
    assert "what changed is drawn where it was seen" in said
    figure = picture(app)
    assert marks(figure, "may be stored") == [10.02]
    assert marks(figure, "not stored") == [14.04 + 2 * n for n in range(8)]
    led = [trace for trace in figure["data"] if trace.get("text") and trace["y"][0] == 0]
    assert [(trace["text"], [round(at) for at in trace["base"]]) for trace in led] == [
        (["broker 1", "broker 2"], [0, 14]),
        (["nobody"], [11]),
    ]
    [seen] = [trace for trace in figure["data"] if trace.get("name") == "seen on the cluster"]
    assert seen["customdata"] == ["broker 1 left"]
    [limit] = figure["layout"]["shapes"]
    assert limit["x0"] == 30


def test_of_many_attempts_the_first_and_last_are_drawn_and_the_rest_counted(
    letters: list[int],
) -> None:
    figure = picture(drawer(letters[2]))
    assert len(marks(figure, "not stored")) == TOLD_EACH
    drawn = [note["text"] for note in figure["layout"]["annotations"]]
    assert "249 more" in drawn


def test_what_is_not_known_is_said(database: Path, letters: list[int]) -> None:
    never, of_partition = drawer(letters[3]), drawer(letters[4])
    assert "**No request held it** in the 30.1 s" in texts(never)
    assert "**43 attempts on its partition** in" in texts(of_partition)
    assert "Which of them held this record is not known" in texts(of_partition)
    db = open_database(database)
    db.execute("DELETE FROM cluster_changes")
    db.execute("UPDATE undelivered SET attempts = json_remove(attempts, '$.each')")
    db.close()
    older = texts(drawer(letters[0]))
    assert "Attempts were not told one by one by the release that recorded this" in older
    assert "nobody watched the cluster all that time" in older
    db = open_database(database)
    db.execute("DELETE FROM undelivered")
    db.close()
    elsewhere = drawer(letters[0])
    assert "Its event is not (or no longer) in this database" in texts(elsewhere)
    assert len(marks(picture(elsewhere), "not stored")) == 22


def test_a_letter_that_tells_no_attempts_has_no_picture(database: Path, letters: list[int]) -> None:
    db = open_database(database)
    db.execute("UPDATE undelivered SET attempts = NULL")
    db.close()
    app = drawer(letters[0])
    assert not app.exception
    assert not app.get("plotly_chart")


def test_the_attempts_of_a_cause_are_summed_in_its_box(
    database: Path, letters: list[int], open_page: OpenPage
) -> None:
    db = open_database(database, read_only=True)
    [(cause,)] = db.execute("SELECT DISTINCT cause FROM dead_letters").fetchall()
    db.close()
    app = open_page("views/dead_letters.py", cause=str(cause))
    assert not app.exception
    assert "Attempts behind 5 failures of this cause" in [box.label for box in app.expander]
    said = texts(app)
    assert "**32 attempts** each at the median, the first over **40.0 ms** after produce()." in said
    assert "1 (20.00 %) never left the client's queue. **1 of 5 may be stored.**" in said
    assert "Of 1 failure these are the attempts on their partition" in said
    [table] = [f.value for f in app.dataframe if "Attempts ended in" in f.value.columns]
    assert list(table["Attempts ended in"]) == ["NOT_ENOUGH_REPLICAS", "_TIMED_OUT"]
    assert list(table["Failures"]) == ["4 (100 %)", "1 (25.00 %)"]
    assert list(table["May be stored"]) == ["0", "1"]
