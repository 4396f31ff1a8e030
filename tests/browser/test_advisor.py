"""The Advisor as a person uses it: the worked example, a profile saved and run, Check mine."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import Screen
from tests.waiting import wait_until

pytestmark = pytest.mark.browser

PASTED = """\
conf = {
    "bootstrap.servers": "kafka:9092",
    "acks": "1",
    "linger_ms": 20,
    "buffer.memory": 33554432,
    "sasl.password": "hunter2",
}
"""


def test_the_worked_example_and_a_check_fit_every_screen(screen: Screen) -> None:
    page = screen.page
    screen.open("advisor")
    page.get_by_role("button", name="Worked example").click()
    expect(page.get_by_role("heading", name="Side by side")).to_be_visible(timeout=20_000)
    expect(page).to_have_url(re.compile("answers=.*activity-metrics"))
    screen.settle()
    screen.picture("advisor")
    screen.check()

    # The address alone brings a colleague to the same answers.
    screen.open(page.url.removeprefix(screen.product.url).lstrip("/"))
    expect(page.get_by_text("acks=0: nobody confirms")).to_be_visible(timeout=20_000)

    page.get_by_text("Check mine").click()
    field = page.get_by_label("Configuration", exact=True)
    field.fill(PASTED)
    field.press("Control+Enter")
    expect(page.get_by_role("heading", name="Every setting")).to_be_visible(timeout=20_000)
    expect(page.get_by_text("librdkafka refuses it:")).to_be_visible()
    screen.settle()
    screen.picture("advisor-check")
    screen.check()
    assert "hunter2" not in page.url
    # What was typed stands in its field, and nowhere else.
    assert "hunter2" not in page.locator("body").inner_text()


@pytest.mark.parametrize("screen", [(1280, "light")], indirect=True, ids=["1280-light"])
def test_an_impossible_wish_is_mended_and_its_profile_saved_and_started(screen: Screen) -> None:
    page = screen.page
    screen.open("advisor")
    name = page.get_by_label("Event type", exact=True).last
    name.fill("browser-advised")
    name.press("Tab")
    screen.settle()
    copies = page.get_by_label("Replication factor")
    copies.fill("1")
    copies.press("Tab")
    expect(page.get_by_text("what was asked cannot be had").first).to_be_visible(timeout=20_000)
    screen.settle()
    screen.picture("advisor-impossible")
    copies.fill("3")
    copies.press("Tab")
    expect(page.get_by_text("on at least 2 brokers")).to_be_visible(timeout=20_000)
    page.get_by_role("tab", name="Profile").click()
    page.get_by_role("button", name="Save as profile").click()
    expect(page.get_by_text("is saved. It is not started")).to_be_visible(timeout=20_000)

    expect(
        page.get_by_test_id("stPageLink").get_by_role("link", name="Profiles", exact=True)
    ).to_be_visible()
    screen.open("profiles")
    page.wait_for_selector(".st-key-profile-browser-advised-start", timeout=20_000)
    page.locator(".st-key-profile-browser-advised-start button").click()
    wait_until(
        lambda: bool(
            screen.product.query(
                "SELECT 1 FROM runs WHERE profile = ? AND settled > 0", "browser-advised"
            )
        ),
        30,
        "the advised profile delivered nothing",
    )
    page.locator(".st-key-profile-browser-advised-stop button").click()
    expect(page.locator(".st-key-profile-browser-advised-start")).to_be_visible(timeout=20_000)
    screen.check()
