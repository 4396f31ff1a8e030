"""The three example services run under an agent, show as their own profiles, and end in order."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import pytest

from producer_agent.store import facts
from producer_agent.store.clock import now_us
from producer_agent.store.database import StoreError
from producer_agent.store.queries import applications as queries
from producer_agent.store.queries.watch import levels
from producer_agent.store.queries.windows import window_to
from producer_agent.store.reader import Reader
from tests.recording import assert_one_outcome_each
from tests.waiting import wait_until

ROOT = Path(__file__).parents[2]

SERVICES = {"shop-tasks": "all", "shop-analytics": "1", "shop-metrics": "0"}
"""Name and acks level."""


@contextmanager
def running(*command: str, environment: Mapping[str, str]) -> Iterator[subprocess.Popen[bytes]]:
    process = subprocess.Popen(
        [sys.executable, "-m", *command], cwd=ROOT, env={**os.environ, **environment}
    )
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def stop(process: subprocess.Popen[bytes]) -> int:
    process.send_signal(signal.SIGTERM)
    return process.wait(40)


def knows_its_cluster(read: Reader) -> bool:
    try:
        fact = read(lambda db: facts.get(db, "cluster"))
    except StoreError:
        return False  # the file is being made
    return fact is not None and fact.body["reachable"]


@pytest.mark.timeout(240)
def test_all_three_show_as_profiles_and_stop_in_order(db_path: Path) -> None:
    environment = {"ACKBOARD_DB": str(db_path), "ACKBOARD_AUTOSTART": "false"}
    read = Reader(db_path)
    with running("producer_agent", "serve", environment=environment) as agent:
        wait_until(lambda: knows_its_cluster(read), 60, "the agent never told its cluster")
        with (
            running("examples.tasks", environment=environment) as tasks,
            running("examples.analytics", environment=environment) as analytics,
            running("examples.metrics", environment=environment) as metrics,
        ):
            wait_until(
                lambda: (
                    {
                        row.name
                        for row in read(partial(queries.applications, ended_since_us=0))
                        if row.settled >= 30
                    }
                    == set(SERVICES)
                ),
                90,
                "not every service was recorded",
            )
            assert [stop(service) for service in (tasks, analytics, metrics)] == [0, 0, 0]
        now = now_us()
        found = read(partial(levels, window=window_to(now, 3600), now_us=now))
        assert {
            profile.profile: level.acks for level in found for profile in level.profiles
        } == SERVICES
        by_acks = {level.acks: level.counts for level in found}
        assert by_acks["all"].delivered >= 30
        assert by_acks["1"].delivered >= 30
        assert by_acks["0"].unconfirmed >= 30
        assert sum(counts.failed + counts.unresolved for counts in by_acks.values()) == 0
        for row in read(partial(queries.applications, ended_since_us=0)):
            assert row.end_reason == "closed"
            assert row.run_uuid is not None
            assert_one_outcome_each(read, row.run_uuid)
        assert stop(agent) == 0


def test_a_service_that_finds_no_cluster_says_how_to_name_one(tmp_path: Path) -> None:
    environment = {name: value for name, value in os.environ.items() if "KAFKA" not in name}
    done = subprocess.run(
        [sys.executable, "-m", "examples.tasks", "--db", str(tmp_path / "none.db")],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 2
    assert "KAFKA_BOOTSTRAP_SERVERS" in done.stderr
    assert "Traceback" not in done.stderr
