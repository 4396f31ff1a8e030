"""``deliveries summary``: exact counts, whatever retention did, and where the window begins."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from producer_agent.cli.deliveries import _percent
from producer_agent.store import retention
from producer_agent.store.clock import now_us
from producer_agent.store.database import open_database
from producer_agent.store.retention import Keep
from producer_agent.store.writer import Writer
from tests.cli.conftest import Invoke, document
from tests.cli.test_docs import example, keys_of
from tests.recording import begin_run, failure, record, report

OUTCOMES = ("delivered", "unconfirmed", "failed", "rejected", "unresolved")
DAY_US = 86_400_000_000


def row(result: Any, name: str) -> dict[str, Any]:
    """The row of an acks level or profile."""
    found = document(result)
    rows: list[dict[str, Any]] = found["rows"]
    return next(one for one in rows if one[found["by"]] == name)


@pytest.fixture
def recorded(writer: Writer) -> Writer:
    """90 delivered, 6 failed, 4 rejected; under acks=0 50 unconfirmed, 1 failed; 10 delivered."""
    orders = begin_run(writer, "orders", "all")
    record(
        writer,
        orders,
        delivered=range(90),
        failed=[*range(90, 96), *(failure(n, outcome="rejected") for n in range(96, 100))],
    )
    record(
        writer,
        begin_run(writer, "clicks", "0"),
        delivered=range(50),
        failed=[50],
        outcome="unconfirmed",
    )
    record(writer, begin_run(writer, "carts", "all"), delivered=range(10))
    return writer


def test_it_counts_each_outcome_by_acks_level(invoke: Invoke, recorded: Writer) -> None:
    result = invoke("deliveries", "summary", "--json")
    told = row(result, "all")
    assert [told[name] for name in OUTCOMES] == [100, 0, 6, 4, 0]
    assert told["total"] == 110
    assert told["success_ratio"] == 100 / 106
    assert [entry["acks"] for entry in document(result)["rows"]] == ["all", "0"]


def test_acks_0_has_no_success_ratio(invoke: Invoke, recorded: Writer) -> None:
    told = row(invoke("deliveries", "summary", "--json"), "0")
    assert (told["unconfirmed"], told["failed"], told["total"]) == (50, 1, 51)
    assert told["success_ratio"] is None


def test_it_counts_by_profile(invoke: Invoke, recorded: Writer) -> None:
    result = invoke("deliveries", "summary", "--by", "profile", "--json")
    assert [entry["profile"] for entry in document(result)["rows"]] == ["carts", "clicks", "orders"]
    assert row(result, "orders")["success_ratio"] == 90 / 96
    assert row(result, "carts")["success_ratio"] == 1.0


@pytest.mark.parametrize("since", ["1h", "all"])
def test_latencies_are_within_one_percent(invoke: Invoke, recorded: Writer, since: str) -> None:
    told = row(invoke("deliveries", "summary", "--since", since, "--json"), "all")["latency_ms"]
    assert list(told) == ["p50", "p90", "p95", "p99", "p999"]
    assert all(value == pytest.approx(5.0, rel=0.01) for value in told.values())


def test_all_stays_exact_after_retention_took_the_events_and_the_fine_buckets(
    invoke: Invoke, writer: Writer
) -> None:
    run = begin_run(writer)
    long_ago_us = now_us() - 100 * DAY_US
    record(
        writer,
        run,
        reports=[n for at in range(20_000) for n in report(at, sent_us=long_ago_us + at)],
        failed=[failure(20_000, settled_us=long_ago_us, dead_letter=False)],
        accepted=20_001,
    )
    record(writer, run, delivered=range(20_001, 30_100))
    keep = Keep(deliveries=10_000, undelivered_s=1.0, published_s=1.0)
    while writer.call(lambda db: retention.trim(db, now_us() / 1e6, keep)):
        pass
    left = writer.call(lambda db: db.execute("SELECT count(*) FROM deliveries").fetchone()[0])
    assert left < 30_099, "retention was to take some"
    result = invoke("deliveries", "summary", "--since", "all", "--json")
    assert (row(result, "all")["delivered"], row(result, "all")["failed"]) == (30_099, 1)
    assert document(result)["since_us"] == long_ago_us // 3_600_000_000 * 3_600_000_000
    assert row(invoke("deliveries", "summary", "--json"), "all")["total"] == 10_099


@pytest.mark.parametrize(
    ("since", "width_s"),
    [("5m", 1), ("1h", 10), ("6h", 60), ("2d", 600), ("30d", 3600)],
)
def test_the_window_begins_at_the_asked_time_rounded_down_to_a_bucket(
    invoke: Invoke, recorded: Writer, since: str, width_s: int
) -> None:
    asked_s = {"5m": 300, "1h": 3600, "6h": 21_600, "2d": 172_800, "30d": 2_592_000}[since]
    told = document(invoke("deliveries", "summary", "--since", since, "--json"))
    assert told["since_us"] % (width_s * 1_000_000) == 0
    window_us = told["until_us"] - told["since_us"]
    assert asked_s * 1_000_000 <= window_us < (asked_s + width_s) * 1_000_000


def test_events_before_the_window_are_not_counted(invoke: Invoke, writer: Writer) -> None:
    run = begin_run(writer)
    record(writer, run, reports=report(0, sent_us=now_us() - 30 * 60_000_000))
    record(writer, run, delivered=[1])
    assert row(invoke("deliveries", "summary", "--since", "20m", "--json"), "all")["total"] == 1
    assert row(invoke("deliveries", "summary", "--since", "40m", "--json"), "all")["total"] == 2


def test_nothing_recorded_is_no_row_and_no_beginning(invoke: Invoke, db_path: Path) -> None:
    open_database(db_path).close()
    told = document(invoke("deliveries", "summary", "--since", "all", "--json"))
    assert told["rows"] == []
    assert told["since_us"] is None
    assert "Try a longer one" in invoke("deliveries", "summary").stdout


def test_the_keys_are_those_of_the_documentation(invoke: Invoke, recorded: Writer) -> None:
    told = document(invoke("deliveries", "summary", "--json"))
    assert keys_of(told) == keys_of(example("deliveries", "summary"))


@pytest.mark.parametrize(
    ("share", "told"),
    [
        (1.0, "100 %"),
        (9_999_999 / 10_000_000, "99.9999 %"),
        (0.9999, "99.9900 %"),
        (0.0, "0.0000 %"),
    ],
)
def test_the_table_never_rounds_a_failure_away(share: float, told: str) -> None:
    assert _percent(share) == told
