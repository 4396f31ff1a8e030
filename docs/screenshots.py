"""``python -m docs.screenshots``: the pictures in ``docs/images``, taken from the running product.

A dashboard is started on the embedded cluster and left alone until there is something to see; a
fault is injected and undone and what it left is sent back, so that the pages show what they show
in life.
"""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Mapping
from pathlib import Path

from playwright.sync_api import Browser, sync_playwright

from producer_agent.commands import Command, ask_and_wait
from producer_agent.store.database import open_database
from producer_agent.store.queries.comparisons import summary
from tests.chromium import chromium_path

ROOT = Path(__file__).parents[1]
IMAGES = ROOT / "docs" / "images"
WARM_UP_S = 150
FAULT_S = 25
COMPARISON_S = 300

PICTURES = (
    # name, path, width, height, colour scheme
    ("overview", "?range=5+min", 1280, 900, "light"),
    ("overview-dark", "?range=5+min", 1280, 900, "dark"),
    ("overview-400", "?range=5+min", 400, 900, "light"),
    ("latency", "latency?range=5+min", 1280, 900, "light"),
    ("compare", "compare?comparison={comparison}", 1280, 1400, "light"),
    ("compare-400-dark", "compare?comparison={comparison}", 400, 900, "dark"),
    ("dead-letters", "dead_letters?cause={cause}", 1280, 1100, "light"),
    ("dead-letter-drawer-dark", "dead_letters?letter={letter}", 1280, 800, "dark"),
    ("replays", "replays?plan={plan}", 1280, 1100, "light"),
    ("replays-400-dark", "replays?plan={plan}", 400, 900, "dark"),
    ("profiles", "profiles", 1280, 800, "light"),
    ("cluster", "cluster", 1280, 1100, "light"),
)


def main() -> None:
    IMAGES.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        db = Path(folder) / "ackboard.db"
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        server = subprocess.Popen(
            [sys.executable, "-m", "streamlit", "run", "app.py", "--server.port", str(port)],
            cwd=ROOT,
            env={**os.environ, "ACKBOARD_DB": str(db)},
        )
        try:
            url = f"http://127.0.0.1:{port}"
            wait_healthy(url)
            print(f"letting it run for {WARM_UP_S + FAULT_S} s", flush=True)
            time.sleep(WARM_UP_S - FAULT_S)
            fault = {"kind": "topic_authorization_failed", "topic": "task-analytics"}
            ask_and_wait(db, Command.FAULT_INJECT, fault, who="on-call")
            time.sleep(FAULT_S)
            ask_and_wait(db, Command.FAULT_UNDO_ALL, who="on-call")
            time.sleep(FAULT_S)
            names = {"letter": letter_of(db), "cause": cause_of(db)}
            names["plan"] = paused_plan(db, names["cause"])
            take(url, names | {"comparison": compared(db)})
        finally:
            server.send_signal(signal.SIGINT)
            server.wait(60)


def letter_of(db: Path) -> int:
    """A dead letter whose replay makes sense."""
    store = open_database(db, read_only=True)
    try:
        rows = list(
            store.query("SELECT id FROM dead_letters WHERE error_class = '_UNKNOWN_PARTITION'")
        )
        return int(rows[0]["id"])
    finally:
        store.close()


def cause_of(db: Path) -> int:
    """The most frequent cause among the dead letters: that of the fault."""
    store = open_database(db, read_only=True)
    try:
        rows = store.query(
            "SELECT cause FROM dead_letters GROUP BY cause ORDER BY count(*) DESC LIMIT 1"
        )
        return int(next(iter(rows))["cause"])
    finally:
        store.close()


def paused_plan(db: Path, cause: int) -> int:
    """A plan of a cause, held in the middle: its number."""
    wanted = {"cause": cause, "statuses": ["new"]}
    options = {"ramp": [1, 10], "ramp_wait_s": 2, "rate_per_s": 40}
    asked = {"filter": wanted, "options": options, "title": "The fault of this morning, mended"}
    plan = int(ask_and_wait(db, Command.REPLAY_PLAN, asked, who="on-call")["plan"])
    time.sleep(5)
    ask_and_wait(db, Command.REPLAY_RUN, {"plan": plan}, who="on-call")
    time.sleep(12)
    ask_and_wait(db, Command.REPLAY_PAUSE, {"plan": plan}, who="on-call")
    time.sleep(2)
    return plan


def compared(db: Path) -> int:
    """A comparison of the three acks levels that is done: its number."""
    plan = {
        "profiles": ["critical", "analytics", "metrics"],
        "baseline": "analytics",
        "load": {"seconds": 3},
    }
    asked = {"plan": plan, "pause_runs": True}
    begun = ask_and_wait(db, Command.COMPARE_START, asked, who="on-call", timeout_s=60)
    number = int(begun["comparison"])
    deadline = time.monotonic() + COMPARISON_S
    while state_of(db, number) == "running":
        if time.monotonic() > deadline:
            sys.exit(f"comparison {number} did not end within {COMPARISON_S} s")
        time.sleep(1)
    return number


def state_of(db: Path, comparison: int) -> str:
    """How a comparison stands."""
    store = open_database(db, read_only=True)
    try:
        found = summary(store, comparison)
        return "gone" if found is None else found.state
    finally:
        store.close()


def take(url: str, names: Mapping[str, int]) -> None:
    """Every picture."""
    path = chromium_path()
    if path is None:
        sys.exit("no Chromium: run `python -m tests.setup`")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        for name, page, width, height, scheme in PICTURES:
            take_one(browser, f"{url}/{page.format(**names)}", name, width, height, scheme)
        browser.close()


def take_one(browser: Browser, url: str, name: str, width: int, height: int, scheme: str) -> None:
    context = browser.new_context(
        viewport={"width": width, "height": height},
        color_scheme="dark" if scheme == "dark" else "light",
    )
    page = context.new_page()
    page.goto(url)
    page.wait_for_selector('[data-testid="stMain"] h1')
    # Charts draw after the script has run; a picture is no test, so give them a moment.
    page.wait_for_timeout(4_000)
    page.screenshot(path=IMAGES / f"{name}.png")
    context.close()
    print(f"docs/images/{name}.png", flush=True)


def wait_healthy(url: str) -> None:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        try:
            with urllib.request.urlopen(f"{url}/healthz", timeout=2):
                return
        except (urllib.error.URLError, OSError):
            time.sleep(0.3)
    sys.exit("the dashboard did not become healthy within 60 s")


if __name__ == "__main__":
    main()
