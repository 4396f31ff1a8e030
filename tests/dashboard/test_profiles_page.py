from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from sqlite_utils import Database
from streamlit.testing.v1 import AppTest

from dashboard.profiles import profile_form
from producer_agent.store import facts
from producer_agent.store.database import open_database
from tests.dashboard import seed
from tests.dashboard.answering import acknowledge, answering
from tests.dashboard.conftest import OpenPage, texts

PAGE = "views/profiles.py"


@pytest.fixture
def seeded(database: Path) -> Path:
    """Half a minute of sending is enough here."""
    seed.fill(database, seconds=30)
    return database


def change_facts(path: Path, change: Any) -> None:
    """Rewrite the fact ``runs``."""
    db = open_database(path)
    with db.atomic():
        fact = facts.get(db, "runs")
        assert fact is not None
        facts.put(db, "runs", change(fact.body))
    db.close()


def form(mode: str) -> AppTest:
    """The dialog's content on a page of its own: AppTest cannot press a dialog's button."""

    def body(mode: str) -> None:
        import streamlit as st

        from dashboard import context
        from dashboard.profiles import profile_form
        from producer_agent.delivery.profiles import Profile
        from producer_agent.store.queries.profiles import stored_profiles

        if "opened" not in st.session_state:
            stored = {row.name: row for row in context.read(stored_profiles)}
            critical = Profile.from_json(stored["critical"].body)
            if mode == "edit":
                profile_form.open_edit(stored["critical"], critical)
            elif mode == "duplicate":
                profile_form.open_duplicate(critical, list(stored))
            else:
                profile_form.open_new()
            st.session_state["opened"] = st.session_state[profile_form._OPENED]
        if profile_form._OPENED in st.session_state:
            profile_form.draw(st.session_state["opened"])

    return AppTest.from_function(body, args=(mode,), default_timeout=30).run()


def field(app: AppTest, path: str) -> Any:
    return app.text_input(key=profile_form._PREFIX + path)


def test_the_page_says_what_is_sent_and_shows_every_profile(
    seeded: Path, open_page: OpenPage
) -> None:
    app = open_page(PAGE)
    assert not app.exception
    said = texts(app)
    assert "3 of 6 profiles are running**, set to 60/s in all" in said
    for name in ("critical", "analytics", "metrics", "production", "transactional", "canary"):
        assert f"**{name}**" in said
    assert "acks=all" in said
    assert "never ran" in said
    keys = {button.key for button in app.button}
    assert {"profile-critical-stop", "profile-production-start"} <= keys
    assert "profile-critical-start" not in keys
    assert app.button(key="profile-critical-delete").disabled
    settings = next(f.value for f in app.dataframe if "Property" in f.value.columns)
    assert "enable.idempotence" in list(settings["Property"])


def test_starting_stopping_and_changing_the_rate_ask_the_agent(
    seeded: Path, open_page: OpenPage
) -> None:
    app = open_page(PAGE)
    assert app.button(key="profile-critical-apply").disabled
    with answering(seeded, acknowledge) as taken:
        app.button(key="profile-production-start").click().run()
        app.button(key="profile-critical-stop").click().run()
        app.number_input(key="profile-analytics-rate").set_value(75.0).run()
        app.button(key="profile-analytics-apply").click().run()
        app.number_input(key="profile-production-rate").set_value(5.0).run()
        app.button(key="profile-production-start").click().run()
    assert not app.exception
    assert [(command.kind, command.arguments) for command in taken] == [
        ("run.start", {"profile": "production"}),
        ("run.stop", {"profile": "critical"}),
        ("run.rate", {"profile": "analytics", "rate": 75.0}),
        ("run.start", {"profile": "production", "rate": 5.0}),
    ]


def test_a_pause_an_error_and_settings_that_wait_for_a_start_are_told(
    seeded: Path, open_page: OpenPage
) -> None:
    def trouble(runs: list[dict[str, Any]]) -> list[dict[str, Any]]:
        runs[0] |= {
            "paused_because": "100,000 failures wait in the outbox",
            "last_error": [runs[0]["started_us"], "*boom* :red[x]"],
        }
        return runs

    change_facts(seeded, trouble)
    db = open_database(seeded)
    with db.atomic():
        db.execute("UPDATE profiles SET body = body || ' '")
    db.close()
    app = open_page(PAGE)
    assert not app.exception
    said = texts(app)
    assert "Paused: critical" in said
    assert "failures wait in the outbox" in said.replace("\\", "")
    assert ":red[x]" not in said
    assert "at its next start" in said


def test_a_profile_that_cannot_be_read_is_shown_with_the_reason(
    seeded: Path, open_page: OpenPage
) -> None:
    db = open_database(seeded)
    with db.atomic():
        db.execute("UPDATE profiles SET body = '{\"name\": 3}' WHERE name = 'production'")
    db.close()
    app = open_page(PAGE)
    assert not app.exception
    assert "This version cannot use it" in texts(app)
    assert any('"name": 3' in code.value for code in app.code)


def test_deleting_asks_first_and_then_asks_the_agent(seeded: Path, open_page: OpenPage) -> None:
    app = open_page(PAGE)
    app.button(key="profile-production-delete").click().run()
    app.run()
    assert not app.exception
    assert "Its runs, their figures" in texts(app)
    with answering(seeded, acknowledge) as taken:
        app.button(key="profiles-delete-yes").click().run()
    assert [(command.kind, command.arguments) for command in taken] == [
        ("profile.delete", {"profile": "production"})
    ]


@pytest.mark.parametrize("button", ["profiles-new", "profile-critical-edit"])
def test_the_form_opens_from_the_page(seeded: Path, open_page: OpenPage, button: str) -> None:
    app = open_page(PAGE)
    app.button(key=button).click().run()
    app.run()
    assert not app.exception
    assert field(app, "producer.linger_ms").value == "5"
    assert not app.button(key="profile-form-save").disabled


def test_a_fault_is_told_beside_its_field_as_it_is_typed_and_keeps_it_from_being_saved(
    seeded: Path,
) -> None:
    app = form("edit")
    assert not app.exception
    assert field(app, "name").disabled
    field(app, "producer.linger_ms").set_value("64KB").run()
    assert "1 error keeps it from being saved" in texts(app)
    assert "is not a plain number" in texts(app)
    assert app.button(key="profile-form-save").disabled
    field(app, "producer.linger_ms").set_value("20").run()
    assert "nothing is wrong with it" in texts(app)
    assert not app.button(key="profile-form-save").disabled


def test_saving_sends_the_profile_and_closes_the_form(seeded: Path) -> None:
    app = form("edit")
    field(app, "producer.linger_ms").set_value("20").run()
    with answering(seeded, acknowledge) as taken:
        app.button(key="profile-form-save").click().run()
    assert not app.exception
    (command,) = taken
    assert command.kind == "profile.save"
    body = json.loads(command.arguments["body"])
    assert (body["name"], body["producer"]["linger_ms"]) == ("critical", 20)
    assert profile_form._OPENED not in app.session_state


def test_what_librdkafka_itself_refuses_is_told_in_its_words(seeded: Path) -> None:
    app = form("edit")
    app.text_area(key=profile_form._PREFIX + "producer.extra").set_value(
        "reconnect.backoff.ms=20000"  # longer than its longest, which is another setting
    ).run()
    with answering(seeded, acknowledge) as taken:
        app.button(key="profile-form-save").click().run()
    assert not app.exception
    assert taken == []
    assert "librdkafka refuses this configuration" in texts(app)


def test_somebody_elses_change_is_not_overwritten_unseen(seeded: Path) -> None:
    app = form("edit")
    db = open_database(seeded)
    with db.atomic():
        db.execute("UPDATE profiles SET body = body || ' ' WHERE name = 'critical'")
    db.close()
    with answering(seeded, acknowledge) as taken:
        app.button(key="profile-form-save").click().run()
        assert "Somebody changed this profile" in texts(app)
        assert taken == []
        app.button(key="profile-form-save").click().run()
        assert len(taken) == 1


def test_a_duplicate_is_inactive_and_has_a_free_name(seeded: Path) -> None:
    app = form("duplicate")
    assert field(app, "name").value == "critical-copy"
    assert app.toggle(key=profile_form._PREFIX + "active").value is False
    field(app, "name").set_value("metrics").run()
    assert "There is a profile metrics already" in texts(app)
    assert app.button(key="profile-form-save").disabled


def test_a_save_that_the_agent_refuses_leaves_the_form_open(seeded: Path) -> None:
    def refuse(_db: Database, _command: Any) -> dict[str, Any]:
        raise ValueError("No room to write the database.")

    app = form("edit")
    with answering(seeded, refuse):
        app.button(key="profile-form-save").click().run()
    assert not app.exception
    assert profile_form._OPENED in app.session_state


def test_without_profiles_runs_agent_or_database_the_page_stands(
    database: Path, open_page: OpenPage
) -> None:
    app = open_page(PAGE)
    assert not app.exception
    assert "there is no database" in texts(app)
    open_database(database).close()
    app = open_page(PAGE)
    assert not app.exception
    assert "There is no profile yet" in texts(app)
    seed.fill(database, seconds=30)
    change_facts(database, lambda _runs: [])
    db = open_database(database)
    with db.atomic():
        seed.put_agent(db, silent_s=60)
        seed.put_cluster(db, reachable=False, error="Connection refused", topics=[])
    db.close()
    app = open_page(PAGE)
    assert not app.exception
    assert "Nothing is being sent" in texts(app)
    assert "agent is silent" in texts(app)
