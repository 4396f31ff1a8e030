"""What importing it costs, and what happens to it when the process forks, exits or is killed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from producer_agent.kafka.embedded import EmbeddedCluster
from producer_agent.store import applications
from producer_agent.store.clock import now_us
from producer_agent.store.database import open_database
from producer_agent.store.reader import Reader
from tests.recording import assert_one_outcome_each, rows
from tests.waiting import wait_until

ROOT = Path(__file__).parents[2]


def python(code: str, *arguments: str, timeout_s: float = 60) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code), *arguments],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=timeout_s,
        check=False,
    )


@pytest.fixture
def address(own_cluster: EmbeddedCluster) -> str:
    own_cluster.create_topic("t", 1)
    return own_cluster.bootstrap_servers


def test_importing_it_loads_nothing_heavy_and_starts_nothing() -> None:
    done = python(
        """
        import sys, threading, logging, signal
        before = (threading.active_count(), list(logging.root.handlers))
        from producer_agent import ReliableProducer
        assert (threading.active_count(), list(logging.root.handlers)) == before
        heavy = "pandas numpy sqlite_utils pydantic streamlit plotly apscheduler typer rich"
        print([name for name in heavy.split() if name in sys.modules])
        """
    )
    assert done.stdout.strip() == "[]", done.stderr


def test_making_one_with_a_plain_configuration_loads_nothing_heavy_either(address: str) -> None:
    done = python(
        """
        import sys
        from producer_agent import ReliableProducer
        with ReliableProducer({"bootstrap.servers": sys.argv[1]}, database=None) as producer:
            producer.produce("t", "v")
            producer.flush(10)
        heavy = "pandas numpy sqlite_utils pydantic streamlit"
        print([name for name in heavy.split() if name in sys.modules], producer.counts().delivered)
        """,
        address,
    )
    assert done.stdout.strip() == "[] 1", done.stderr


def test_a_forked_child_is_told_to_make_its_own_and_ends_in_peace(address: str) -> None:
    done = python(
        """
        import os, sys
        from producer_agent import ReliableProducer
        producer = ReliableProducer({"bootstrap.servers": sys.argv[1]}, database=None)
        producer.produce("t", "parent")
        # librdkafka's threads at rest: a lock that one held in the fork would be held for ever.
        producer.flush(10)
        child = os.fork()
        if child == 0:
            for call in (lambda: producer.produce("t", "child"), lambda: producer.poll(0)):
                try:
                    call()
                except RuntimeError as error:
                    print("child:", error, flush=True)
            producer.close()
            own = ReliableProducer({"bootstrap.servers": sys.argv[1]}, database=None)
            own.produce("t", "own")
            own.close()
            print("child sent", own.counts().delivered, flush=True)
            sys.exit(0)
        _, status = os.waitpid(child, 0)
        producer.close()
        print("parent sent", producer.counts().delivered, "child ended with", status)
        """,
        address,
    )
    assert done.stdout.count("child: this producer was made before the process forked") == 2
    assert "child sent 1" in done.stdout
    assert "parent sent 1 child ended with 0" in done.stdout, done.stderr


def test_an_exit_without_flush_is_told_and_recorded(
    own_cluster: EmbeddedCluster, address: str, db_path: Path
) -> None:
    open_database(db_path).close()
    done = python(
        """
        import sys
        from producer_agent import ReliableProducer
        config = {"bootstrap.servers": sys.argv[1], "linger.ms": 60000}
        producer = ReliableProducer(config, database=sys.argv[2], name="hasty")
        for _ in range(5):
            producer.produce("t", "v")
        """,
        address,
        str(db_path),
    )
    assert done.returncode == 0, done.stderr
    assert "hasty: 5 records were accepted and have no report" in done.stderr
    read = Reader(db_path)
    (run,) = rows(read, "SELECT uuid FROM runs")
    assert assert_one_outcome_each(read, run) == {"unresolved": 5}
    assert rows(read, "SELECT end_reason FROM applications") == ["left without close()"]


def test_a_service_that_is_killed_is_ended_once_its_heartbeat_is_old(
    address: str, db_path: Path
) -> None:
    open_database(db_path).close()
    code = """
        import sys, time
        from producer_agent import ReliableProducer
        config = {"bootstrap.servers": sys.argv[1], "linger.ms": 0}
        producer = ReliableProducer(config, database=sys.argv[2], name="mortal")
        for _ in range(5):
            producer.produce("t", "v")
        producer.flush(10)
        producer.produce("t", "v", on_delivery=None)
        time.sleep(60)
    """
    process = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(code), address, str(db_path)],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    read = Reader(db_path)
    try:
        wait_until(
            lambda: rows(read, "SELECT accepted, settled FROM runs") == [(6, 5)], 30, "not recorded"
        )
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait()
    db = open_database(db_path)
    with db.atomic():
        assert applications.end_silent(db, now_us()) == {}
        late_us = now_us() + int(applications.SILENT_AFTER_S * 1e6)
        assert applications.end_silent(db, late_us) == {"mortal": 1}
        assert applications.end_silent(db, late_us) == {}
    db.close()
    (run,) = rows(read, "SELECT uuid FROM runs")
    assert assert_one_outcome_each(read, run) == {"delivered": 5, "unresolved": 1}
    assert rows(read, "SELECT end_reason FROM applications") == [applications.DIED]
