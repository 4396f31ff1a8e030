"""A team's own services stand on Profiles, and their transactions on Overview."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from pathlib import Path

from dashboard.profiles import applications as component
from producer_agent.delivery.shipped_profiles import shipped_profiles
from producer_agent.store import applications, runs
from producer_agent.store.clock import now_us
from producer_agent.store.database import open_database
from producer_agent.store.deliveries import OutcomeBatch, record
from producer_agent.store.queries.applications import ApplicationRow, transactions
from producer_agent.store.reader import Reader
from tests.dashboard.conftest import OpenPage, texts

NOW_US = 1_800_000_000_000_000


def row(**values: object) -> ApplicationRow:
    told = ApplicationRow(
        id=1,
        name="checkout",
        host="web-1",
        pid=42,
        version="0.1.0",
        started_us=NOW_US - 3_600_000_000,
        heartbeat_us=NOW_US,
        ended_us=None,
        end_reason=None,
        not_kept=0,
        letters_lost=0,
        run_uuid="0" * 32,
        acks="all",
        topic="orders",
        accepted=1_200,
        settled=1_195,
        commits=0,
        aborts=0,
    )
    return replace(told, **values)  # type: ignore[arg-type]


def test_a_living_service_says_where_it_runs_and_what_it_waits_for() -> None:
    said = component.words(row(), NOW_US)
    assert "pid 42 on web" in said
    assert "accepted **1,200**" in said
    assert "waiting for an answer **5**" in said
    assert "transactions" not in said
    assert "7 committed, 2 aborted" in component.words(row(commits=7, aborts=2), NOW_US)
    assert "has sent nothing yet" in component.words(row(topic=None, run_uuid=None), NOW_US)


def test_an_ended_service_says_when_and_why() -> None:
    said = component.words(row(ended_us=NOW_US - 60_000_000, end_reason="closed"), NOW_US)
    assert "ended 1 min ago: closed" in said
    assert "waiting" not in said


def test_a_service_is_silent_only_once_its_heartbeat_is_old_and_it_did_not_end() -> None:
    late_us = NOW_US - int((applications.SILENT_AFTER_S + 1) * 1e6)
    assert component.is_silent(row(heartbeat_us=late_us), NOW_US)
    assert not component.is_silent(row(), NOW_US)
    assert not component.is_silent(row(heartbeat_us=late_us, ended_us=NOW_US), NOW_US)


def test_services_and_their_transactions_are_on_the_pages(
    seeded: Path, open_page: OpenPage
) -> None:
    db = open_database(seeded)
    with db.atomic():
        me = applications.Application("checkout", "web-1", 42, "0.1.0")
        application = applications.enrol(db, me)
        run = runs.begin_run(
            db,
            uuid="f" * 32,
            profile="checkout",
            acks="all",
            body="{}",
            cluster=applications.cluster_row(db, "seeded-cluster", "127.0.0.1:1"),
            topic="orders",
            watermarks=None,
            application=application,
        )
        second = now_us() // 1_000_000
        counters = [(second, "commits", 8), (second, "aborts", 3)]
        batch = OutcomeBatch(run.id, run.series, "delivered", accepted=1_234, counters=counters)
        record(db, batch)
        applications.beat(db, application, letters_lost=2)
    db.close()

    said = texts(open_page("views/profiles.py"))
    assert "In your own services" in said
    assert "**checkout**" in said
    assert "8 committed, 3 aborted" in said
    assert "2 failed records found no way to the dead-letter queue" in said
    assert f"3 of {len(shipped_profiles())} profiles are running" in said, (
        "a service is no profile of the agent's"
    )
    overview = texts(open_page())
    assert ":gray[committed]\u00a0**8**" in overview
    assert ":gray[aborted]\u00a0**3**" in overview
    assert ":gray[unresolved]\u00a0**1,234**" in overview, "what a living service waits for"
    (found,) = Reader(seeded)(
        partial(transactions, resolution_s=3600, start_s=0, end_s=second + 3600)
    )
    assert (found.profile, found.commits, found.aborts) == ("checkout", 8, 3)


def test_without_services_there_is_no_section(seeded: Path, open_page: OpenPage) -> None:
    assert "In your own services" not in texts(open_page("views/profiles.py"))
