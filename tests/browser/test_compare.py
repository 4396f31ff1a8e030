"""A comparison from its form to its verdict and its files, as a user makes one."""

from __future__ import annotations

import csv
import json
import re
from pathlib import Path

import pytest
from playwright.sync_api import Locator, expect

from dashboard.compare.compare_tools import FORMATS
from producer_agent.advice.compare.analysis import analyse
from producer_agent.advice.compare.export import from_json
from producer_agent.advice.compare.verdict import verdict
from producer_agent.commands import Command, ask_and_wait
from tests.browser.conftest import Product, Screen
from tests.waiting import wait_until

pytestmark = pytest.mark.browser

PROFILES = ["critical", "analytics", "metrics"]
ROUNDS = 5
DONE_S = 240


@pytest.mark.parametrize("screen", [(1280, "light")], indirect=True, ids=["1280-light"])
def test_a_comparison_is_begun_watched_and_its_files_say_what_its_verdict_says(
    screen: Screen,
) -> None:
    """The form, progress with the time left, the verdict, and the exports parsed."""
    page = screen.page
    screen.open("compare")
    page.get_by_role("button", name=re.compile("New comparison")).click()
    dialog = page.get_by_role("dialog")
    expect(dialog.get_by_text(re.compile("It takes about"))).to_be_visible()
    expect(dialog.get_by_text(re.compile("does not replicate"))).to_be_visible()
    fill(dialog, "Rounds", "4")
    expect(dialog.get_by_text(re.compile("4 rounds are too few"))).to_be_visible()
    screen.picture("compare-form-problem")
    fill(dialog, "Rounds", str(ROUNDS))
    fill(dialog, "Measured, s a turn", "0.6")
    fill(dialog, "Warm-up, s a turn", "0.2")
    expect(dialog.get_by_text(re.compile("; 2 s a turn"))).to_be_visible()
    screen.picture("compare-form")
    dialog.get_by_role("button", name=re.compile("Start$")).click()
    expect(page.get_by_text(re.compile(r"Comparison \d+ is running")).first).to_be_visible(
        timeout=60_000
    )
    assert "comparison=" in page.url
    wait_until(lambda: turns(screen.product) > len(PROFILES), DONE_S, "no turn was measured")
    screen.picture("compare-running")
    screen.check()
    saved = page.get_by_text(re.compile("at p99|at p90|at p50")).first
    expect(saved).to_be_visible(timeout=DONE_S * 1000)
    screen.settle()
    whole = json.loads(export(screen, "json").read_text())
    assert whole["state"] == "done"
    assert whole["turns_planned"] == len(whole["turns"]) == ROUNDS * len(PROFILES)
    told = verdict(analyse(from_json(json.dumps(whole))))
    assert whole["verdict"]["headline"] == told.headline
    for line in (told.headline, *told.lines):
        expect(page.get_by_text(line).first).to_be_visible()
    rows = list(csv.DictReader(export(screen, "csv").read_text().splitlines()))
    assert {row["profile"] for row in rows} == set(PROFILES)
    assert len(rows) == ROUNDS * len(PROFILES)
    assert sum(int(row["acknowledged"]) for row in rows if row["profile"] == "metrics") == 0
    report = export(screen, "html").read_text()
    assert told.headline in report
    assert "<script" not in report
    screen.check()


def test_a_verdict_is_read_at_every_width_and_theme(screen: Screen) -> None:
    """Verdict, figures and tables of a comparison that is over; nothing wider than the window."""
    number = compared(screen.product)
    screen.open(f"compare?comparison={number}")
    main = screen.page.locator('[data-testid="stMain"]')
    expect(main.locator(".js-plotly-plot").first).to_be_visible()
    expect(main.get_by_text(re.compile("client settings")).first).to_be_visible()
    assert main.locator(".js-plotly-plot").count() == 3
    screen.picture("compare")
    main.get_by_text("Delivery", exact=True).click()
    screen.settle()
    assert "figures=Delivery" in screen.page.url
    screen.check()


def compared(product: Product) -> int:
    """The number of a comparison that is done; one is made where there is none."""
    done = "SELECT id FROM comparisons WHERE state = 'done' ORDER BY id DESC LIMIT 1"
    if not product.query(done):
        load = {"seconds": 0.5, "warm_up_s": 0.1, "rate_per_s": 200}
        asked = {"profiles": PROFILES[:2], "load": load, "rounds": ROUNDS}
        ask_and_wait(
            product.db,
            Command.COMPARE_START,
            {"plan": asked, "pause_runs": False},
            who="test",
            timeout_s=60,
        )
        wait_until(lambda: bool(product.query(done)), DONE_S, "the comparison did not end")
    return int(str(product.query(done)[0]["id"]))


def turns(product: Product) -> int:
    """How many are measured in all."""
    return int(str(product.query("SELECT count(*) AS n FROM comparison_turns")[0]["n"]))


def fill(dialog: Locator, label: str, text: str) -> None:
    dialog.get_by_role("textbox", name=label).fill(text)


def export(screen: Screen, suffix: str) -> Path:
    """Press the button of a format; the file that came."""
    button = screen.page.get_by_role("button", name=FORMATS[suffix].label)
    if not button.is_visible():
        screen.page.get_by_role("button", name=re.compile("Export")).click()
        expect(button).to_be_visible()
    with screen.page.expect_download() as download:
        button.click()
    assert download.value.suggested_filename.endswith(f".{suffix}")
    return download.value.path()
