"""Open, see data, open a dead letter, replay it, see it settled; at every width and theme."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import Screen
from tests.waiting import wait_until

pytestmark = pytest.mark.browser

PAGES = {
    "": "Overview",
    "latency": "Latency",
    "dead_letters": "Dead letters",
    "replays": "Replays",
    "profiles": "Profiles",
    "cluster": "Cluster",
}


def test_overview_shows_live_deliveries_of_every_acks_level(screen: Screen) -> None:
    """Figures are there, and move by themselves."""
    screen.open("")
    main = screen.page.locator('[data-testid="stMain"]')
    for acks in ("acks=all", "acks=1", "acks=0"):
        expect(main.get_by_text(acks).first).to_be_visible()
    expect(main.locator(".js-plotly-plot").first).to_be_visible()
    stamp = main.get_by_text(re.compile(r"as of \d\d:\d\d:\d\d")).first
    before = stamp.inner_text()
    wait_until(lambda: stamp.inner_text() != before, 20, "the page does not refresh itself")
    screen.picture("overview")
    screen.check()


@pytest.mark.parametrize("path", PAGES, ids=list(PAGES.values()))
def test_every_page_draws_without_complaint(screen: Screen, path: str) -> None:
    """No exception, no console error, nothing wider than the window."""
    screen.open(path)
    expect(
        screen.page.get_by_role("heading", name=PAGES[path], exact=True, level=1)
    ).to_be_visible()
    screen.picture(f"page-{PAGES[path].lower().replace(' ', '-')}")
    screen.check()


def test_a_dead_letter_is_opened_replayed_and_settled(screen: Screen) -> None:
    """The on-call engineer's path: row, drawer, one click, outcome."""
    wait_until(lambda: bool(_replayable(screen)), 120, "no dead letter that can be replayed")
    identity = _replayable(screen)[0]["id"]
    screen.open(f"dead_letters?letter={identity}")
    drawer = screen.page.get_by_role("dialog")
    expect(drawer).to_be_visible()
    screen.picture("drawer")
    drawer.get_by_role("button", name=re.compile("^.*Replay to ")).click()
    expect(drawer.get_by_text(re.compile("[Rr]eplayed|[Aa]rrived")).first).to_be_visible(
        timeout=30_000
    )
    screen.picture("drawer-replayed")
    assert screen.product.query("SELECT status FROM dead_letters WHERE id = ?", identity) == [
        {"status": "replayed"}
    ]
    rows = screen.product.query("SELECT state FROM replays WHERE dead_letter = ?", identity)
    assert rows == [{"state": "done"}]
    screen.check()


def test_a_row_of_the_list_opens_its_drawer(screen: Screen) -> None:
    """The first column's button opens the record, and the URL says which."""
    screen.open("dead_letters")
    # Of the page's two tables the first is of causes.
    grid = screen.page.locator('[data-testid="stDataFrame"]').nth(1)
    grid.scroll_into_view_if_needed()
    box = grid.bounding_box()
    assert box is not None
    # The grid is a canvas: the tick column, then the button, below one row of headings.
    screen.page.mouse.click(box["x"] + 75, box["y"] + 52)
    expect(screen.page.get_by_role("dialog")).to_be_visible()
    assert "letter=" in screen.page.url
    screen.check()


def _replayable(screen: Screen) -> list[dict[str, object]]:
    return screen.product.query(
        "SELECT id FROM dead_letters WHERE status = 'new' AND error_class = '_UNKNOWN_PARTITION' "
        "LIMIT 1"
    )
