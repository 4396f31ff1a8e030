"""The whole product as a user meets it: the server with its agent, and headless Chromium."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from playwright.sync_api import Browser, ConsoleMessage, Page, expect, sync_playwright

from producer_agent.store.database import open_database
from tests.chromium import chromium_path
from tests.waiting import wait_until

ROOT = Path(__file__).parents[2]
ARTIFACTS = ROOT / "test-artifacts"

expect.set_options(timeout=20_000)


@dataclass(frozen=True)
class Product:
    """A running dashboard."""

    url: str
    db: Path

    def query(self, sql: str, *values: object) -> list[dict[str, object]]:
        db = open_database(self.db, read_only=True)
        try:
            return list(db.query(sql, list(values)))
        finally:
            db.close()


@pytest.fixture(scope="session")
def product(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Product]:
    """``streamlit run app.py`` on the embedded cluster, with a dead letter to triage."""
    folder = tmp_path_factory.mktemp("product")
    db = folder / "ackboard.db"
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    url = f"http://127.0.0.1:{port}"
    environment = {
        name: value for name, value in os.environ.items() if not name.startswith(("KAFKA", "ACKB"))
    }
    with (folder / "server.log").open("wb") as log:
        server = subprocess.Popen(
            [sys.executable, "-m", "streamlit", "run", "app.py", "--server.port", str(port)],
            cwd=ROOT,
            env={**environment, "ACKBOARD_DB": str(db)},
            stdout=log,
            stderr=subprocess.STDOUT,
        )
        try:
            wait_until(lambda: _healthy(url), 60, "the server is not healthy")
            running = Product(url, db)
            wait_until(
                lambda: len(running.query("SELECT id FROM dead_letters")) >= 3,
                90,
                "there were no three dead letters within 90 s",
            )
            yield running
        finally:
            server.send_signal(signal.SIGINT)
            try:
                server.wait(40)
            finally:
                server.kill()
                print((folder / "server.log").read_text()[-4000:])
    pid = json.loads((db.parent / f"{db.name}.lock").read_text())["pid"]
    assert not Path(f"/proc/{pid}").exists(), "the agent outlived the dashboard"


@pytest.fixture(scope="session")
def chromium() -> Iterator[Browser]:
    """Headless Chromium from the system."""
    path = chromium_path()
    if path is None:
        if os.environ.get("ACKBOARD_TEST_EVERYTHING"):
            pytest.fail("no Chromium: run `python -m tests.setup`")
        pytest.skip("no Chromium: run `python -m tests.setup`")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=path,
            args=[
                "--no-sandbox",
                "--disable-background-networking",
                "--disable-component-update",
                "--disable-sync",
                "--no-first-run",
            ],
        )
        yield browser
        browser.close()


@dataclass
class Screen:
    """A browser window that notes what a user should never meet."""

    page: Page
    product: Product
    name: str
    complaints: list[str] = field(default_factory=list)

    def open(self, path: str) -> None:
        """Go to a page and wait until it is drawn."""
        self.page.goto(f"{self.product.url}/{path}")
        self.page.wait_for_selector('[data-testid="stMain"] h1', timeout=30_000)
        self.settle()

    def settle(self) -> None:
        """Wait until the script has run."""
        self.page.wait_for_selector(
            '[data-testid="stApp"][data-test-script-state="notRunning"]', timeout=30_000
        )

    def picture(self, of: str) -> None:
        """Keep a picture, for people."""
        ARTIFACTS.mkdir(exist_ok=True)
        self.page.screenshot(path=ARTIFACTS / f"{of}-{self.name}.png")

    def check(self) -> None:
        """No exception on the page, no error in the console, nothing wider than the window."""
        assert self.page.locator('[data-testid="stException"]').count() == 0
        assert "Traceback" not in self.page.locator("body").inner_text()
        wide = self.page.evaluate(
            "() => document.documentElement.scrollWidth - document.documentElement.clientWidth"
        )
        assert wide <= 0, f"the page is {wide} px wider than the window"
        assert not self.complaints, self.complaints


SCREENS = [(1280, "light"), (1280, "dark"), (400, "light"), (400, "dark")]


@pytest.fixture(params=SCREENS, ids=[f"{width}-{scheme}" for width, scheme in SCREENS])
def screen(request: pytest.FixtureRequest, chromium: Browser, product: Product) -> Iterator[Screen]:
    """A window of each width, in light and dark."""
    width, scheme = request.param
    context = chromium.new_context(
        viewport={"width": width, "height": 900},
        color_scheme=scheme,
        timezone_id="Europe/Berlin",
    )
    page = context.new_page()
    opened = Screen(page, product, f"{width}-{scheme}")

    def note(message: ConsoleMessage) -> None:
        # On a deep link Streamlit's client looks for its server below the page's path first.
        probing = "/_stcore/" in str(message.location) and "404" in message.text
        if message.type == "error" and not probing:
            opened.complaints.append(f"{message.text} ({message.location})")

    page.on("console", note)
    page.on("pageerror", lambda error: opened.complaints.append(str(error)))
    yield opened
    context.close()


def _healthy(url: str) -> bool:
    try:
        with urllib.request.urlopen(f"{url}/healthz", timeout=2) as answer:
            return bool(answer.status == 200)
    except (urllib.error.URLError, OSError):
        return False
