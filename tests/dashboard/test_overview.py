from __future__ import annotations

from pathlib import Path

from tests.dashboard.conftest import OpenPage


def test_opens(seeded: Path, open_page: OpenPage) -> None:
    app = open_page()
    assert not app.exception
    assert app.title[0].value == "Overview"
