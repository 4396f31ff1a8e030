"""What failed: one event with its attempts, and what fails lately."""

from __future__ import annotations

import json
from functools import partial

import pytest
from sqlite_utils import Database

from producer_agent.store import runs
from producer_agent.store.deliveries import OutcomeBatch, UndeliveredEvent, record
from producer_agent.store.queries import failed_events as query
from producer_agent.store.reader import Reader
from producer_agent.store.writer import Writer

NOW_US = 1_764_000_000_000_000
UUID = "ab" * 16


def event(sequence: int, settled_us: int, code: str, cause: str | None = None) -> UndeliveredEvent:
    attempts = {"causes": [{"cause": cause, "count": 3}]} if cause else None
    return UndeliveredEvent(
        sequence=sequence,
        outcome="failed",
        topic="orders",
        partition=1,
        code=-192,
        code_name=code,
        reason="it failed",
        stored="maybe",
        cause=cause or code,
        sent_us=settled_us - 5_000_000,
        settled_us=settled_us,
        attempts=attempts,
        dead_letter=True,
        key=b"12",
        value=b"x" * 300,
        headers=[("h", b"12345")],
    )


@pytest.fixture
def reader(writer: Writer) -> Reader:
    def put(db: Database) -> None:
        cluster = runs.register_cluster(db, "c", "lab", "here:1")
        run = runs.begin_run(
            db,
            uuid=UUID,
            profile="critical",
            acks="all",
            body='{"name": "critical"}',
            cluster=cluster,
            topic="orders",
            watermarks=None,
        )
        batch = OutcomeBatch(run.id, run.series, "delivered", accepted=10)
        batch.undelivered = [
            event(1, NOW_US - 90_000_000, "_MSG_TIMED_OUT"),
            event(2, NOW_US - 3_000_000, "_MSG_TIMED_OUT", "NOT_ENOUGH_REPLICAS"),
            event(3, NOW_US - 2_000_000, "_MSG_TIMED_OUT", "NOT_ENOUGH_REPLICAS"),
            event(4, NOW_US - 1_000_000, "MSG_SIZE_TOO_LARGE"),
        ]
        batch.counters = [((NOW_US - 2_000_000) // 1_000_000, "queue_full", 7)]
        record(db, batch)

    writer.call(put)
    return Reader(writer.path)


def test_an_event_is_found_by_its_run_and_number_with_its_attempts(reader: Reader) -> None:
    found = reader(partial(query.failed_event, run_uuid=UUID, sequence=2))
    assert found is not None
    assert (found.code, found.partition, found.profile) == ("_MSG_TIMED_OUT", 1, "critical")
    assert found.attempts == {"causes": [{"cause": "NOT_ENOUGH_REPLICAS", "count": 3}]}
    assert json.loads(found.profile_body) == {"name": "critical"}
    assert reader(partial(query.failed_event, run_uuid=UUID, sequence=9)) is None


@pytest.mark.parametrize(
    ("cause", "sequence"), [(None, 4), ("_MSG_TIMED_OUT", 3), ("NOT_ENOUGH_REPLICAS", 3)]
)
def test_the_newest_failure_of_a_code_or_of_the_cause_behind_it_is_found(
    reader: Reader, cause: str | None, sequence: int
) -> None:
    found = reader(
        partial(query.last_failed_event, topic="orders", since_us=NOW_US - 10_000_000, cause=cause)
    )
    assert found is not None
    assert found.sequence == sequence


def test_failures_since_a_time_are_summed_by_cause_with_the_time_of_the_last(
    reader: Reader,
) -> None:
    found = reader(partial(query.recent_failures, since_us=NOW_US - 60_000_000))
    orders = found["orders"]
    assert list(orders.by_cause.items()) == [("NOT_ENOUGH_REPLICAS", 2), ("MSG_SIZE_TOO_LARGE", 1)]
    assert orders.total == 3
    assert orders.last_by_cause["NOT_ENOUGH_REPLICAS"] == NOW_US - 1_000_000
    assert orders.last_us == NOW_US


def test_traffic_of_a_time_is_that_of_its_seconds(reader: Reader) -> None:
    found = reader(
        partial(query.traffic, profiles=["critical"], since_us=NOW_US - 10_000_000, until_us=NOW_US)
    )
    assert (found.failed, found.queue_full, found.acknowledged, found.seconds) == (3, 7, 0, 10.0)
    nobody = reader(
        partial(query.traffic, profiles=["other"], since_us=NOW_US - 10_000_000, until_us=NOW_US)
    )
    assert nobody.failed == 0


def test_the_size_of_a_failed_event_is_that_of_its_bytes(reader: Reader) -> None:
    assert reader(partial(query.event_size, run_uuid=UUID, sequence=4)) == 2 + 300 + 1 + 6
    assert reader(partial(query.event_size, run_uuid=UUID, sequence=5)) is None
