from __future__ import annotations

from pathlib import Path

from tests.dashboard.conftest import MAIN, OpenPage


def test_no_folder_named_pages_lies_beside_the_router() -> None:
    """Streamlit would take it for its old kind of app: the first visit after a start, if it is a
    link into a page, would be shown that page without router, sidebar and notices.
    """
    assert not (MAIN.parent / "pages").exists()


def test_every_page_opens_through_the_router(seeded: Path, open_page: OpenPage) -> None:
    pages = sorted(path.name for path in MAIN.parent.glob("views/*.py"))
    assert {"overview.py", "latency.py"} <= set(pages)
    for page in pages:
        app = open_page(None if page == "overview.py" else f"views/{page}")
        assert not app.exception, page
        assert [title.value for title in app.title], page
        assert any("heartbeat" in caption.value for caption in app.sidebar.caption), page
