"""Pages on a database of their own: seeded through the real recording functions, or empty."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import streamlit as st
from streamlit.testing.v1 import AppTest

from producer_agent.store.database import open_database
from tests.dashboard import seed

MAIN = Path(__file__).parents[2] / "dashboard" / "main.py"

OpenPage = Callable[..., AppTest]


@pytest.fixture
def database(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Where the pages look for a database; nothing is there yet."""
    path = tmp_path / "ackboard.db"
    monkeypatch.setenv("ACKBOARD_DB", str(path))
    monkeypatch.delenv("KAFKA_BOOTSTRAP_SERVERS", raising=False)
    st.cache_resource.clear()  # settings and reader of the test before
    yield path
    st.cache_resource.clear()


@pytest.fixture
def empty(database: Path) -> Path:
    """A database that was just made: no profile, no run, no agent."""
    open_database(database).close()
    return database


@pytest.fixture
def seeded(database: Path) -> Path:
    """A quarter of an hour of healthy sending under the three shipped, active profiles."""
    seed.fill(database)
    return database


@pytest.fixture
def open_page() -> OpenPage:
    """Opens a page, ``views/x.py`` (None: the default one), with query parameters, and runs it
    through the router, as a server does.
    """

    def opened(page: str | None = None, **query: str) -> AppTest:
        app = AppTest.from_file(str(MAIN), default_timeout=30)
        if page is not None:
            app.run()
            [found] = MAIN.parent.glob(f"*/{Path(page).name}")
            app.switch_page(str(found.relative_to(MAIN.parent)))
        for name, value in query.items():
            app.query_params[name] = value
        return app.run()

    return opened


def texts(app: AppTest) -> str:
    """All that a page says in words, titles of notices included."""
    said: list[str] = []
    for kind in ("title", "header", "subheader", "markdown", "caption"):
        said += [str(getattr(element, "value", "")) for element in app.get(kind)]
    for kind in ("error", "warning", "info", "success"):
        for element in app.get(kind):
            said += [str(getattr(element.proto, "title", "")), str(getattr(element, "value", ""))]
    return "\n".join(said)
