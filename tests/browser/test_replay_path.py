"""The way back: a cause, one of its letters, a plan, its ramp, a pause, and done; once each."""

from __future__ import annotations

import json
import re
from collections import Counter

import pytest
from confluent_kafka import OFFSET_BEGINNING, Consumer, Producer, TopicPartition
from playwright.sync_api import Page, expect

from producer_agent.commands import Command, ask_and_wait
from producer_agent.kafka.our_headers import REPLAY_HEADER
from tests.browser.conftest import Product, Screen
from tests.waiting import wait_until

pytestmark = pytest.mark.browser

LETTERS = 60
TARGET = "browser-orders"
GROUP = "browser-billing"

TICK, FIRST_ROW = 18, 52
"""Where a grid has the tick of its first row, from its upper left corner: it is a canvas."""


@pytest.mark.parametrize("screen", [(1280, "light")], indirect=True, ids=["1280-light"])
def test_a_cause_is_sent_back_exactly_once_through_a_pause(screen: Screen) -> None:
    _dead_letters(screen.product)
    page = screen.page
    screen.open(f"dead_letters?group={GROUP}")
    expect(page.get_by_text(f"1 cause of {LETTERS} dead letters")).to_be_visible()
    _tick_first_row(page)
    expect(page).to_have_url(re.compile(r"cause=\d+"))
    plan_it = page.get_by_role("button", name="Plan a replay of this cause…")
    expect(plan_it).to_be_visible()
    screen.settle()
    screen.picture("path-1-cause")

    cause = re.search(r"cause=(\d+)", page.url)
    assert cause is not None
    letter = screen.product.query(
        "SELECT max(d.id) AS id FROM dead_letters d WHERE d.cause = ?", int(cause[1])
    )[0]["id"]
    screen.open(f"dead_letters?group={GROUP}&cause={cause[1]}&letter={letter}")
    drawer = page.get_by_role("dialog")
    expect(drawer.get_by_text("com.acme.DeclinedException").first).to_be_visible()
    drawer.get_by_role("tab", name="Origin").click()
    expect(drawer.get_by_text("Each field, and the raw header")).to_be_visible()
    screen.picture("path-2-drawer")
    drawer.get_by_role("button", name="Close").click()
    expect(drawer).to_be_hidden()

    plan_it.click()
    dialog = page.get_by_role("dialog")
    expect(dialog.get_by_text(f"Plan a replay of {LETTERS} dead letters")).to_be_visible()
    _fill(screen, "Watch each step for (s)", "2")
    _fill(screen, "At most a second", "6")
    screen.picture("path-3-plan")
    dialog.get_by_role("button", name="Make the plan").click()

    expect(page.get_by_text(f"nothing was sent yet: {LETTERS} records would go")).to_be_visible()
    expect(page.get_by_text("First 1, then 10, then the rest")).to_be_visible()
    screen.picture("path-4-planned")
    page.get_by_role("button", name="Run").click()
    expect(page.get_by_text(re.compile("atching . s for records that come back"))).to_be_visible()
    screen.picture("path-5-ramp")

    plan = int(str(screen.product.query("SELECT max(id) AS id FROM replay_plans")[0]["id"]))
    # Past its ramp, which is 1 and 10, so that the pause falls into the rest.
    wait_until(lambda: _landed(screen.product, plan) > 11, 30, "the ramp does not end")
    page.get_by_role("button", name="Pause").click()
    expect(page.get_by_text(re.compile("It is paused: "))).to_be_visible()
    held = _landed(screen.product, plan)
    assert 11 < held < LETTERS
    screen.picture("path-6-paused")
    page.get_by_role("button", name="Resume").click()
    expect(page.get_by_text(f"It is done: {LETTERS} of {LETTERS} records landed")).to_be_visible(
        timeout=40_000
    )
    screen.picture("path-7-done")
    screen.check()

    arrived = _arrived(screen.product)
    assert len(arrived) == LETTERS
    assert set(arrived.values()) == {1}, "a record was sent back twice"
    statuses = screen.product.query(
        "SELECT DISTINCT status FROM dead_letters WHERE cause = ?", int(cause[1])
    )
    assert statuses == [{"status": "replayed"}]


def _dead_letters(product: Product) -> None:
    """Letters of one cause, as Spring writes them, on a topic that is read from now on."""
    ask_and_wait(
        product.db, Command.DEAD_LETTER_TOPICS_SAVE, {"topic": "^browser-.*-dlt$"}, who="test"
    )
    producer = Producer({"bootstrap.servers": _brokers(product)})
    producer.produce(TARGET, b"so that the topic is there", partition=0)
    for number in range(LETTERS):
        headers: list[tuple[str, str | bytes | None]] = [
            ("kafka_dlt-exception-fqcn", b"com.acme.DeclinedException"),
            ("kafka_dlt-exception-message", b"card declined"),
            ("kafka_dlt-original-topic", TARGET.encode()),
            ("kafka_dlt-original-partition", (0).to_bytes(4, "big")),
            ("kafka_dlt-original-offset", number.to_bytes(8, "big")),
            ("kafka_dlt-original-timestamp", (1_795_000_000_000).to_bytes(8, "big")),
            ("kafka_dlt-original-consumer-group", GROUP.encode()),
        ]
        value = json.dumps({"order_id": number}).encode()
        producer.produce("browser-orders-dlt", value, b"order-%d" % number, headers=headers)
    assert producer.flush(15) == 0
    wait_until(
        lambda: (
            product.query("SELECT count(*) AS n FROM dead_letters WHERE consumer_group = ?", GROUP)
            == [{"n": LETTERS}]
        ),
        30,
        "the letters were not read",
    )


def _brokers(product: Product) -> str:
    (fact,) = product.query("SELECT body FROM facts WHERE name = 'cluster'")
    return str(json.loads(str(fact["body"]))["bootstrap_servers"])


def _landed(product: Product, plan: int) -> int:
    (row,) = product.query(
        "SELECT count(*) AS n FROM replays WHERE plan = ? AND state = 'done'", plan
    )
    return int(str(row["n"]))


def _arrived(product: Product) -> Counter[bytes]:
    """How often each replay lies on the target, by its id."""
    consumer = Consumer(
        {
            "bootstrap.servers": _brokers(product),
            "group.id": "browser-test",
            "enable.auto.commit": False,
            "enable.partition.eof": True,
        }
    )
    found: Counter[bytes] = Counter()
    try:
        partitions = consumer.list_topics(TARGET, timeout=10).topics[TARGET].partitions
        consumer.assign([TopicPartition(TARGET, at, OFFSET_BEGINNING) for at in partitions])
        ended = 0
        while ended < len(partitions):
            message = consumer.poll(10)
            assert message is not None, "the target could not be read to its end"
            if message.error() is not None:
                ended += 1
                continue
            headers = dict(message.headers() or [])
            if REPLAY_HEADER in headers:
                value = headers[REPLAY_HEADER]
                assert isinstance(value, bytes)
                found[value] += 1
    finally:
        consumer.close()
    return found


def _tick_first_row(page: Page) -> None:
    grid = page.locator('[data-testid="stDataFrame"]').first
    grid.scroll_into_view_if_needed()
    box = grid.bounding_box()
    assert box is not None
    page.mouse.click(box["x"] + TICK, box["y"] + FIRST_ROW)


def _fill(screen: Screen, label: str, value: str) -> None:
    field = screen.page.get_by_label(label)
    field.fill(value)
    field.press("Tab")
    screen.settle()
