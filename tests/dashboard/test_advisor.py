from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from streamlit.testing.v1 import AppTest

from dashboard.advisor.advisor_answers import FIELD, drafts_from
from producer_agent.advice.advisor import measurements as module
from producer_agent.advice.advisor.advice import Evidence
from producer_agent.advice.advisor.surroundings import ASSUMED
from producer_agent.delivery.profiles import Profile
from producer_agent.store import facts
from producer_agent.store.database import open_database
from tests.dashboard import seed
from tests.dashboard.answering import acknowledge, answering
from tests.dashboard.conftest import OpenPage, texts

PAGE = "views/advisor.py"
PASTED = 'conf = {"acks": "1", "linger_ms": 5, "sasl.password": "hunter2"}'


@pytest.fixture
def seeded(database: Path) -> Path:
    """A few seconds of sending is enough here."""
    seed.fill(database, seconds=5)
    return database


def change_cluster(path: Path, **changes: Any) -> None:
    db = open_database(path)
    with db.atomic():
        fact = facts.get(db, "cluster")
        assert fact is not None
        facts.put(db, "cluster", fact.body | changes)
    db.close()


def answer(app: AppTest, field: str, value: Any) -> AppTest:
    kinds = {"name": app.text_input, "if_lost": app.selectbox, "atomic": app.toggle}
    kinds |= dict.fromkeys(("tells_duplicates", "ordered_per_key"), app.toggle)
    kinds.get(field, app.number_input)(key=FIELD + field).set_value(value)
    return app.run()


def answers_in_url(app: AppTest) -> list[dict[str, Any]]:
    value = app.query_params["answers"]
    return list(json.loads(value[0] if isinstance(value, list) else value))


def test_the_first_line_answers_and_each_setting_has_reason_and_price(
    seeded: Path, open_page: OpenPage
) -> None:
    app = open_page(PAGE)
    assert not app.exception
    said = texts(app)
    assert "acks\\=all\\, idempotent" in app.success[0].value
    assert "`acks = all`" in said
    assert "survives the death of the leader" in said
    assert "round trip to the slowest in\\-sync replica" in said
    assert "KIP\\-679" in said
    assert "From the embedded cluster" in said
    assert any("Producer(" in code.value for code in app.code)
    assert any("\nacks=all\n" in code.value for code in app.code)


def test_answers_change_the_advice_and_stand_in_the_url(seeded: Path, open_page: OpenPage) -> None:
    app = open_page(PAGE)
    app = answer(app, "if_lost", "experience")
    app = answer(app, "tells_duplicates", True)
    app = answer(app, "tolerated_loss", 0.1)
    assert not app.exception
    assert "acks\\=1" in app.success[0].value
    (told,) = answers_in_url(app)
    assert (told["if_lost"], told["tolerated_loss"]) == ("experience", 0.001)
    again = open_page(PAGE, answers=json.dumps([told]))
    assert again.success[0].value == app.success[0].value
    assert again.number_input(key=FIELD + "tolerated_loss").value == 0.1


def test_the_worked_example_stands_side_by_side(seeded: Path, open_page: OpenPage) -> None:
    app = open_page(PAGE)
    app.button(key="advisor-example").click().run()
    assert not app.exception
    for words in ("acks\\=all", "acks\\=1", "acks\\=0"):
        assert words in app.success[0].value
    (table,) = (f.value for f in app.dataframe if "task-creation" in f.value.columns)
    row = table[table["Setting"] == "acks"].iloc[0]
    assert list(row[["task-creation", "task-analytics", "activity-metrics"]]) == ["all", "1", "0"]
    assert [told["name"] for told in answers_in_url(app)] == [
        "task-creation",
        "task-analytics",
        "activity-metrics",
    ]


def test_each_event_type_keeps_its_own_answers(seeded: Path, open_page: OpenPage) -> None:
    app = open_page(PAGE)
    app = answer(app, "rate_per_s", 7.0)
    app.button(key="advisor-add").click().run()
    assert app.text_input(key=FIELD + "name").value == "my-event-2"
    app = answer(app, "rate_per_s", 9.0)
    app.segmented_control(key="advisor-choice").set_value(0).run()
    assert app.number_input(key=FIELD + "rate_per_s").value == 7.0
    assert [told["rate_per_s"] for told in answers_in_url(app)] == [7.0, 9.0]
    app.button(key="advisor-remove").click().run()
    assert [told["rate_per_s"] for told in answers_in_url(app)] == [9.0]
    assert app.button(key="advisor-remove").disabled
    assert not app.exception


def test_what_is_impossible_and_contradictory_comes_first_with_its_mend(
    seeded: Path, open_page: OpenPage
) -> None:
    app = open_page(PAGE)
    app = answer(app, "replication_factor", 1)
    app = answer(app, "if_lost", "nothing")
    said = texts(app)
    assert "cannot be had" in app.error[0].value
    assert "Never lost\\, with a replication factor of 1" in said
    assert "Set the replication factor to 3" in said
    assert "paid for nothing" in app.warning[0].value
    assert not app.success


def test_an_answer_that_cannot_be_used_is_told_beside_it(seeded: Path, open_page: OpenPage) -> None:
    app = open_page(PAGE)
    app = answer(app, "name", "Not A Name")
    assert not app.exception
    assert "has to be mended" in app.error[0].value
    assert any("Use 1 to 63 of" in caption.value for caption in app.caption)
    app = answer(app, "name", "orders")
    app = answer(app, "peak_per_s", 1.0)
    assert any("Raise" in caption.value for caption in app.caption)
    app = answer(app, "peak_per_s", None)
    assert app.success


@pytest.mark.parametrize(
    "text",
    [
        "nonsense",
        "[]",
        "[3]",
        '[{"name": "x", "if_lost": "money"}]',
        "[" * 5000,
        '{"name": "x"}',
        json.dumps([{"name": f"n{n}", "if_lost": "business", "rate_per_s": 1} for n in range(9)]),
    ],
)
def test_a_url_that_says_nothing_usable_gives_no_answers(text: str) -> None:
    assert drafts_from(text, ASSUMED) == []


def test_a_url_of_nonsense_opens_the_page_as_new(seeded: Path, open_page: OpenPage) -> None:
    app = open_page(PAGE, answers="[[", event="nobody")
    assert not app.exception
    assert app.text_input(key=FIELD + "name").value == "my-event"


def test_answers_at_the_edges_do_not_break_the_form(seeded: Path, open_page: OpenPage) -> None:
    answers = {
        "name": "edge",
        "if_lost": "nothing",
        "tolerated_loss": 0.9999,
        "latency_p99_ms": 0.0001,
        "rate_per_s": 0.0001,
        "payload_bytes": 1_000_000,
        "brokers": 10_000,
    }
    app = open_page(PAGE, answers=json.dumps([answers]))
    assert not app.exception
    assert app.number_input(key=FIELD + "brokers").value == 10_000


def test_the_cluster_fills_in_brokers_and_can_be_taken_again(
    seeded: Path, open_page: OpenPage
) -> None:
    change_cluster(seeded, brokers=[{"id": 1, "host": "h", "port": 1}], reachable=False)
    app = open_page(PAGE)
    assert app.number_input(key=FIELD + "brokers").value == 1
    assert "before it could not be reached" in texts(app)
    app = answer(app, "brokers", 5)
    app.button(key="advisor-take-cluster").click().run()
    assert app.number_input(key=FIELD + "brokers").value == 1
    assert not app.exception


def test_its_profile_is_saved_under_the_name_that_was_given(
    seeded: Path, open_page: OpenPage
) -> None:
    app = open_page(PAGE)
    app = answer(app, "name", "orders")
    with answering(seeded, acknowledge) as taken:
        app.text_input(key="advisor-profile-name-orders").set_value("orders-safe").run()
        app.button(key="advisor-save").click().run()
        assert any("orders\\-safe" in said.value for said in app.success)
        app.text_input(key="advisor-profile-name-orders").set_value("Not A Name").run()
        app.button(key="advisor-save").click().run()
    assert [command.kind for command in taken] == ["profile.save"]
    profile = Profile.from_json(taken[0].arguments["body"])
    assert (profile.name, profile.workload.topic) == ("orders-safe", "orders")
    assert any("Use 1 to 63" in said.value for said in app.error)
    app.text_input(key="advisor-profile-name-orders").set_value("critical").run()
    assert app.button(key="advisor-save").label == "Replace the profile"


def test_what_was_measured_is_told_and_can_make_it_impossible(
    seeded: Path, open_page: OpenPage, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = Evidence("critical", "all", 100, 12.0, 11.0, 13.0, comparison=3)
    monkeypatch.setattr(module, "measurements", lambda _db: (found,))
    app = open_page(PAGE)
    assert "Measured here" in texts(app)
    assert "p99 12 ms \\(95\\%\\: 11 to 13\\)" in texts(app).replace("\u2060", "")
    app = answer(app, "latency_p99_ms", 5.0)
    assert "was measured here at a p99 of 12 ms" in texts(app)
    assert app.error


def test_nothing_measured_says_how_to_measure(seeded: Path, open_page: OpenPage) -> None:
    assert "Nothing was measured here yet" in texts(open_page(PAGE))


def test_an_empty_database_and_none_at_all_do_not_break_it(
    empty: Path, open_page: OpenPage
) -> None:
    app = open_page(PAGE)
    assert not app.exception
    assert "Assumed: 3 brokers" in texts(app).replace("\\", "").replace("\u2060", "")
    empty.unlink()
    gone = open_page(PAGE)
    assert not gone.exception
    assert "there is no database" in texts(gone)


def check_mine(open_page: OpenPage, text: str) -> AppTest:
    app = open_page(PAGE, mode="Check mine")
    app.text_area(key="advisor-check-text").set_value(text).run()
    return app


def test_a_pasted_configuration_is_judged_and_its_secret_never_shown(
    seeded: Path, open_page: OpenPage
) -> None:
    empty_page = open_page(PAGE, mode="Check mine")
    assert "Nothing is pasted yet" in texts(empty_page)
    app = check_mine(open_page, PASTED)
    assert not app.exception
    said = texts(app)
    assert "librdkafka refuses it" in said
    assert "a Python dict or program" in said
    (table,) = (f.value for f in app.dataframe if "Verdict" in f.value.columns)
    verdicts = dict(zip(table["Setting"], table["Verdict"], strict=True))
    assert verdicts["acks"] == "⚠ dangerous"
    assert verdicts["linger_ms"] == "? unknown"
    assert table["Setting"].iloc[0] == "linger_ms"
    shown = said + "".join(code.value for code in app.code) + "".join(map(str, table.values))
    assert "hunter2" not in shown
    assert "linger.ms" in "".join(code.value for code in app.code)
    effective = next(f.value for f in app.dataframe if "From" in f.value.columns)
    assert len(effective) > 80
    assert "answers" not in app.query_params
    assert "hunter2" not in str(dict(app.query_params))


def test_what_cannot_be_read_says_why(seeded: Path, open_page: OpenPage) -> None:
    app = check_mine(open_page, "{ this is nothing")
    assert not app.exception
    assert any("cannot be read" in str(e.proto.title) for e in app.error)


def test_a_configuration_without_danger_is_called_so(seeded: Path, open_page: OpenPage) -> None:
    app = check_mine(open_page, "acks=all\nenable.idempotence=true\n")
    assert "librdkafka takes it" in app.success[0].value
    assert "Nothing had to be changed" in texts(app)
