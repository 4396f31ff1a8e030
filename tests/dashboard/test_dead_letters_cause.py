"""A cause that was chosen is shown, whatever the browser knew when it asked for the run."""

from __future__ import annotations

import json
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from streamlit.proto.WidgetStates_pb2 import WidgetStates
from streamlit.runtime.scriptrunner import RerunData
from streamlit.testing.v1 import AppTest, local_script_runner

from dashboard.letters import dead_letter_filters as filters
from producer_agent.store.database import open_database
from tests.dashboard import letter_seed, seed
from tests.dashboard.conftest import OpenPage, texts

PAGE = "views/dead_letters.py"
ALL, ONE = "of 240, as of", "of 60, as of"


@pytest.fixture
def letters(database: Path) -> Path:
    """240 letters of four causes, each of 60, under a live agent."""
    seed.fill(database, seconds=10)
    db = open_database(database)
    letter_seed.store(db, [letter_seed.failed_event(sequence) for sequence in range(240)])
    db.close()
    return database


class Browser:
    """Runs the page as a browser asks for it: with its own URL and its own widgets' states."""

    def __init__(self, app: AppTest, monkeypatch: pytest.MonkeyPatch) -> None:
        self.app = app
        self.monkeypatch = monkeypatch
        self.widgets: WidgetStates = app._tree.get_widget_states()
        self.grid = next(f.proto.id for f in app.dataframe if "trend" in f.value.columns)

    def tick(self, *rows: int) -> None:
        """Tick in the causes' table; nothing is sent yet."""
        kept = [state for state in self.widgets.widgets if state.id != self.grid]
        del self.widgets.widgets[:]
        self.widgets.widgets.extend(kept)
        chosen = {"selection": {"rows": list(rows), "columns": [], "cells": []}}
        self.widgets.widgets.add(id=self.grid, string_value=json.dumps(chosen))

    def refresh(self, **url: str) -> None:
        """The page's parts refresh themselves: that is a run too, with all that was ticked."""
        parts = sorted(self.app._fragment_storage._fragments)
        assert parts
        self._run(url, fragment_id_queue=parts, is_auto_rerun=True)

    def run(self, **url: str) -> str:
        """Run the page; returns what it says."""
        self._run(url)
        return texts(self.app)

    def go_back(self, **url: str) -> str:
        """Run the page after the browser's back button; returns what it says."""
        self._run(url, is_history_navigation=True)
        return texts(self.app)

    def _run(self, url: dict[str, str], **kind: Any) -> None:
        self.app.query_params.clear()
        self.app.query_params.update(url)
        with self.monkeypatch.context() as patched:
            patched.setattr(local_script_runner, "RerunData", partial(RerunData, **kind))
            self.app._run(self.widgets)
        assert not self.app.exception

    @property
    def url(self) -> dict[str, list[str]]:
        """The query that the last run left."""
        return dict(self.app.query_params)


@pytest.fixture
def browser(letters: Path, open_page: OpenPage, monkeypatch: pytest.MonkeyPatch) -> Browser:
    return Browser(open_page(PAGE), monkeypatch)


def test_a_tick_that_a_refreshing_part_brought_along_is_shown(browser: Browser) -> None:
    browser.tick(0)
    browser.refresh()
    assert ONE in browser.run()
    assert "cause" in browser.url


def test_an_untick_that_a_refreshing_part_brought_along_is_shown(browser: Browser) -> None:
    browser.tick(0)
    browser.run()
    cause = browser.url["cause"][0]
    assert ONE in browser.run(cause=cause)
    browser.tick()
    browser.refresh(cause=cause)
    assert ALL in browser.run(cause=cause)
    assert "cause" not in browser.url


def test_a_cause_outlasts_a_run_asked_for_before_the_browser_heard_of_it(browser: Browser) -> None:
    browser.tick(0)
    assert ONE in browser.run()
    assert ONE in browser.run()
    assert "cause" in browser.url


def test_of_two_ticks_in_quick_succession_the_second_holds(browser: Browser) -> None:
    browser.tick(0)
    browser.run()
    first = browser.url["cause"]
    browser.tick(1)
    browser.run()
    second = browser.url["cause"]
    assert first != second
    browser.run(cause=first[0])
    assert browser.url["cause"] == second


def test_the_way_back_leaves_the_cause_at_once(browser: Browser) -> None:
    browser.tick(0)
    assert ONE in browser.run()
    assert ALL in browser.go_back()
    assert "cause" not in browser.url


def test_a_url_without_the_cause_is_meant_once_the_browser_must_have_heard(
    browser: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    browser.tick(0)
    assert ONE in browser.run()
    monkeypatch.setattr(filters, "HEARD_WITHIN_S", 0.0)
    assert ALL in browser.run()


def test_the_list_of_a_ticked_cause_begins_with_its_first_page(browser: Browser) -> None:
    browser.app.session_state[filters.PAGE] = 2
    assert "51–100 of 240" in texts(browser.app.run())
    browser.widgets = browser.app._tree.get_widget_states()
    browser.tick(0)
    browser.refresh(list_page="2")
    assert "1–50 of 60" in browser.run(list_page="2")


def test_who_leaves_the_page_and_comes_again_by_its_plain_link_sees_every_cause(
    browser: Browser,
) -> None:
    browser.tick(0)
    assert ONE in browser.run()
    browser.app.query_params.clear()
    browser.app.switch_page("views/overview.py").run()
    browser.app.query_params.clear()
    browser.app.switch_page(PAGE).run()
    assert ALL in texts(browser.app)
