"""A batch of outcomes is recorded whole or not at all, and counted as it is recorded."""

from __future__ import annotations

import sqlite3
from functools import partial

import pytest

from producer_agent.store import deliveries, outbox
from producer_agent.store.deliveries import OutcomeBatch
from producer_agent.store.reader import Reader
from producer_agent.store.writer import Writer
from tests.recording import begin_run, failure, record, report, rows


def test_rows_rollups_and_outbox_tell_the_same(writer: Writer, reader: Reader) -> None:
    run = begin_run(writer)
    record(
        writer,
        run,
        delivered=range(1_200),
        failed=[1_200, failure(1_201, outcome="rejected", code_name="X", dead_letter=False)],
    )

    assert dict(rows(reader, "SELECT outcome, count(*) FROM deliveries GROUP BY 1")) == {
        "delivered": 1_200,
        "failed": 1,
        "rejected": 1,
    }
    assert rows(
        reader,
        "SELECT DISTINCT a, b, c FROM (SELECT sum(delivered) a, sum(failed) b, sum(rejected) c "
        "FROM rollups GROUP BY resolution)",
    ) == [(1_200, 1, 1)]
    assert rows(reader, "SELECT accepted, settled FROM runs") == [(1_202, 1_202)]
    assert rows(reader, "SELECT sequence FROM outbox") == [1_200]
    assert rows(
        reader, "SELECT DISTINCT n FROM (SELECT sum(n) n FROM latency_bins GROUP BY resolution)"
    ) == [1_200]


def test_a_batch_with_one_row_that_cannot_be_written_leaves_nothing_behind(
    writer: Writer, reader: Reader
) -> None:
    run = begin_run(writer)
    with pytest.raises(OverflowError):
        record(writer, run, delivered=range(10), failed=[failure(10, partition=2**70)])

    for table in ("delivery_lots", "undelivered", "outbox", "rollups", "latency_bins"):
        assert rows(reader, f"SELECT count(*) FROM {table}") == [0]
    assert rows(reader, "SELECT accepted, settled FROM runs") == [(0, 0)]


def test_a_second_failure_of_one_event_is_refused(writer: Writer, reader: Reader) -> None:
    run = begin_run(writer)
    record(writer, run, failed=[0])
    with pytest.raises(sqlite3.IntegrityError):
        record(writer, run, failed=[0])
    assert rows(reader, "SELECT settled FROM runs") == [1]


def test_key_value_and_headers_of_a_dead_letter_are_kept_byte_for_byte(
    writer: Writer, reader: Reader
) -> None:
    run = begin_run(writer)
    odd = (("h", b"\xff\0"), ("h", None), ("h", b""), ("", b"x"))
    record(
        writer,
        run,
        failed=[
            failure(0, key=None, value=b"", headers=odd),
            failure(1, key=b"", value=None, headers=()),
        ],
    )
    first, second = reader(partial(outbox.next_rows, after=0, limit=9))
    assert (first.key, first.value, tuple(first.headers)) == (None, b"", odd)
    assert (second.key, second.value, tuple(second.headers)) == (b"", None, ())


def test_accepted_never_goes_back(writer: Writer, reader: Reader) -> None:
    run = begin_run(writer)
    record(writer, run, delivered=[0], accepted=50)
    record(writer, run, delivered=[1], accepted=2)
    assert rows(reader, "SELECT accepted, settled FROM runs") == [(50, 2)]


def test_an_acknowledgement_counts_in_the_second_in_which_it_came(
    writer: Writer, reader: Reader
) -> None:
    run = begin_run(writer)
    sent_us = 1_700_000_000_900_000
    record(writer, run, reports=report(0, sent_us=sent_us, latency_s=0.2), accepted=1)
    assert rows(reader, "SELECT bucket FROM rollups WHERE resolution = 1") == [1_700_000_001]


def test_counters_reach_the_rollups_and_the_run(writer: Writer, reader: Reader) -> None:
    run = begin_run(writer)
    at = 1_700_000_000
    batch = OutcomeBatch(
        run=run.id,
        series=run.series,
        outcome="delivered",
        accepted=0,
        counters=[(at, "queue_full", 3), (at, "not_sent", 4), (at, "late_polls", 5)],
        schedule_delays=[(at, 1_500.0, 7)],
    )
    writer.call(partial(deliveries.record, batch=batch))

    assert rows(reader, "SELECT queue_full, not_sent FROM runs") == [(3, 4)]
    assert rows(reader, "SELECT DISTINCT queue_full, not_sent, late_polls FROM rollups") == [
        (3, 4, 5)
    ]
    assert rows(reader, "SELECT DISTINCT metric, n FROM latency_bins") == [("schedule", 7)]
