"""What the summary of a run says, also when retention has taken some of it."""

from __future__ import annotations

from functools import partial

import pytest

from producer_agent.store import dead_letters, retention, runs
from producer_agent.store.clock import now_us
from producer_agent.store.queries.summary import (
    RunSummary,
    letters_of_run,
    newest_run,
    run_progress,
    run_summary,
)
from producer_agent.store.retention import Keep
from producer_agent.store.writer import Writer
from tests.recording import begin_run, failure, letter, record, register_cluster, report

UUID = "ab" * 16


def found(writer: Writer) -> RunSummary:
    """The summary of the test's run."""
    summary = writer.call(partial(run_summary, uuid=UUID))
    assert summary is not None
    return summary


def test_outcomes_add_up_and_latencies_are_exact(writer: Writer) -> None:
    run = begin_run(writer, run_uuid=UUID)
    start_us = now_us()
    flat = [
        n
        for at in range(100)
        for n in report(at, sent_us=start_us + at * 10_000, latency_s=(at + 1) / 1000)
    ]
    record(
        writer,
        run,
        reports=flat,
        failed=[failure(100, sent_us=start_us + 1_000_000)],
        accepted=102,
    )
    writer.call(partial(runs.end_run, run=run.id, reason="complete", watermarks=None))
    told = found(writer)
    assert told.outcomes == {
        "delivered": 100,
        "unconfirmed": 0,
        "failed": 1,
        "rejected": 0,
        "unresolved": 1,
    }
    assert sum(told.outcomes.values()) == told.accepted == 102
    assert told.quantiles_us == (50_000, 90_000, 95_000, 99_000, 100_000)
    assert told.rate_reached == pytest.approx(101.0)
    assert (told.end_reason, told.topic) == ("complete", "orders")


@pytest.mark.parametrize(("acks", "outcome"), [("all", "delivered"), ("0", "unconfirmed")])
def test_what_retention_took_of_a_run_is_still_counted(
    writer: Writer, acks: str, outcome: str
) -> None:
    run = begin_run(writer, acks=acks, run_uuid=UUID)
    record(writer, run, delivered=range(20_000), outcome=outcome, failed=[20_000])
    record(writer, run, delivered=range(20_001, 30_500), outcome=outcome)
    keep = Keep(deliveries=10_000, undelivered_s=1e6, published_s=1e6)
    while writer.call(lambda db: retention.trim(db, now_us() / 1e6, keep)):
        pass
    told = found(writer)
    assert (told.outcomes[outcome], told.outcomes["failed"]) == (30_499, 1)


def test_letters_are_settled_when_all_that_are_due_were_read_back(writer: Writer) -> None:
    run = begin_run(writer, run_uuid=UUID)
    other = begin_run(writer)
    record(writer, run, failed=[0, 1, failure(2, dead_letter=False)])
    record(writer, other, failed=[0])
    letters = writer.call(partial(letters_of_run, uuid=UUID))
    assert (letters.due, letters.published, letters.stored) == (2, 0, 0)
    cluster = register_cluster(writer)

    def store(*sequences: int) -> None:
        rows = [letter(at, letter_id=f"{UUID}:{at}") for at in sequences]
        writer.call(partial(dead_letters.insert, cluster=cluster, letters=rows))

    store(0)
    assert not writer.call(partial(letters_of_run, uuid=UUID)).settled
    store(1)
    assert writer.call(partial(letters_of_run, uuid=UUID)).settled


def test_a_run_without_a_failure_or_an_event_is_settled_and_empty(writer: Writer) -> None:
    begin_run(writer, run_uuid=UUID)
    told = found(writer)
    assert told.letters.settled
    assert (told.rate_reached, told.quantiles_us) == (None, None)


def test_progress_is_of_the_newest_run_of_a_profile(writer: Writer) -> None:
    begin_run(writer, "orders", run_uuid="cd" * 16)
    record(writer, begin_run(writer, "orders", run_uuid=UUID), delivered=range(5), accepted=7)
    begin_run(writer, "others")
    now = writer.call(partial(newest_run, profile="orders"))
    assert now == writer.call(partial(run_progress, uuid=UUID))
    assert now is not None
    assert (now.uuid, now.accepted, now.settled, now.ended_us) == (UUID, 7, 5, None)
    assert writer.call(partial(newest_run, profile="none")) is None
    assert writer.call(partial(run_summary, uuid="none")) is None
