"""What runs by the clock is noted each time, and a failure most of all."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from functools import partial
from typing import Any

import pytest
from apscheduler.events import EVENT_JOB_MAX_INSTANCES, JobEvent

from producer_agent.jobs import Jobs
from producer_agent.settings import Settings
from producer_agent.store import applications, retention
from producer_agent.store.reader import Reader
from producer_agent.store.writer import Writer
from tests.recording import rows
from tests.waiting import wait_until


@pytest.fixture
def jobs(writer: Writer) -> Iterator[Jobs]:
    made = Jobs(writer, Settings())
    made.start()
    yield made
    made.close()


def run_now(jobs: Jobs, name: str) -> None:
    jobs._scheduler.modify_job(name, next_run_time=datetime.now(UTC))


def noted(reader: Reader, name: str) -> Any:
    found = rows(reader, "SELECT last_state, detail, failed_in_row FROM jobs WHERE name = ?", name)
    return found[0] if found else None


def is_noted(reader: Reader, expected: tuple[Any, ...]) -> bool:
    return bool(noted(reader, "retention") == expected)


@pytest.mark.parametrize("name", ["retention", "optimize"])
def test_a_job_that_was_done_is_noted(jobs: Jobs, reader: Reader, name: str) -> None:
    run_now(jobs, name)
    wait_until(lambda: noted(reader, name) == ("done", None, 0), 10, "it was never noted")


def test_a_job_that_fails_is_noted_with_its_reason_until_it_succeeds(
    jobs: Jobs, reader: Reader, monkeypatch: pytest.MonkeyPatch
) -> None:
    trim, broken = retention.trim, [True]

    def trim_or_break(*arguments: Any, **named: Any) -> int:
        if broken:
            raise RuntimeError("the disk is gone")
        return trim(*arguments, **named)

    monkeypatch.setattr(retention, "trim", trim_or_break)
    for times in (1, 2):
        run_now(jobs, "retention")
        expected = ("failed", "RuntimeError: the disk is gone", times)
        wait_until(partial(is_noted, reader, expected), 10, "the failure was not noted")
    broken.clear()
    run_now(jobs, "retention")
    wait_until(lambda: noted(reader, "retention") == ("done", None, 0), 10, "it stays failed")


def test_a_job_that_was_left_out_is_noted_as_missed(jobs: Jobs, reader: Reader) -> None:
    jobs._note(JobEvent(EVENT_JOB_MAX_INSTANCES, "retention", "default"))
    wait_until(
        lambda: (noted(reader, "retention") or (None,))[0] == "missed", 5, "it was not noted"
    )


def test_noting_after_the_writer_is_closed_harms_nobody(writer: Writer) -> None:
    jobs = Jobs(writer, Settings())
    writer.close()
    jobs._note(JobEvent(EVENT_JOB_MAX_INSTANCES, "retention", "default"))
    jobs.close()


def test_a_service_that_was_not_heard_of_for_too_long_is_ended(
    jobs: Jobs, writer: Writer, reader: Reader
) -> None:
    me = applications.Application("checkout", "web-1", 1, "0.1.0")
    silent = writer.call(partial(applications.enrol, application=me))
    living = writer.call(partial(applications.enrol, application=me))
    writer.call(
        lambda db: db.execute(
            "UPDATE applications SET heartbeat_us = heartbeat_us - 60000000 WHERE id = ?", [silent]
        )
    )
    run_now(jobs, "applications")
    wait_until(
        lambda: rows(reader, "SELECT id FROM applications WHERE ended_us IS NULL") == [living],
        10,
        "the silent one was not ended",
    )
    assert rows(reader, "SELECT end_reason FROM applications WHERE id = ?", silent) == [
        applications.DIED
    ]
