"""Retention deletes what is past its time, and never what is still owed to somebody."""

from __future__ import annotations

from functools import partial

from producer_agent.store import dead_letters, outbox, rollups
from producer_agent.store.reader import Reader
from producer_agent.store.retention import Keep, trim
from producer_agent.store.rollups import RESOLUTIONS
from producer_agent.store.writer import Writer
from tests.recording import begin_run, failure, letter, record, register_cluster, rows

NOW_S = 1_800_000_000
OLD_US = (NOW_S - 40 * 86_400) * 1_000_000


def trim_all(writer: Writer, deliveries: int = 10**9, seconds: float = 86_400.0) -> int:
    keep = Keep(deliveries, seconds, seconds)
    steps = 0
    while writer.call(partial(trim, now_s=float(NOW_S), keep=keep)):
        steps += 1
        assert steps < 100, "retention never ends"
    return steps


def test_the_newest_deliveries_stay(writer: Writer, reader: Reader) -> None:
    run = begin_run(writer)
    for start in range(0, 20_000, 100):
        record(writer, run, delivered=range(start, start + 100))
    trim_all(writer, deliveries=1_000)

    kept = rows(reader, "SELECT sequence FROM deliveries ORDER BY sequence")
    assert kept == list(range(20_000 - len(kept), 20_000))
    assert 1_000 <= len(kept) < 1_100
    assert rows(reader, "SELECT trimmed_below FROM runs") == [20_000 - len(kept)]
    assert rows(reader, "SELECT sum(delivered) FROM rollups WHERE resolution = 3600") == [20_000]


def test_nothing_goes_while_there_are_fewer_than_are_kept(writer: Writer, reader: Reader) -> None:
    run = begin_run(writer)
    record(writer, run, delivered=range(1_000))
    trim_all(writer, deliveries=1_000)
    assert rows(reader, "SELECT sum(n) FROM delivery_lots") == [1_000]


def test_what_is_not_published_or_was_refused_is_never_deleted(
    writer: Writer, reader: Reader
) -> None:
    run = begin_run(writer)
    record(writer, run, failed=[failure(at, settled_us=OLD_US) for at in range(4)])
    published, refused, _waiting, _also = rows(reader, "SELECT id FROM outbox ORDER BY id")
    writer.call(
        partial(
            outbox.published,
            places=[(published, "dead[0]@0", None), (refused, "dead[0]@1", "too large")],
        )
    )
    writer.call(
        lambda db: db.execute(
            "UPDATE outbox SET published_us = ? WHERE published_us IS NOT NULL", [OLD_US]
        )
    )
    trim_all(writer)

    assert rows(reader, "SELECT sequence FROM outbox ORDER BY id") == [1, 2, 3]
    # What the publisher still has to tell of them stays as well.
    assert rows(reader, "SELECT sequence FROM undelivered ORDER BY sequence") == [1, 2, 3]
    waiting = reader(partial(outbox.next_rows, after=0, limit=9))
    assert [row.sequence for row in waiting] == [2, 3]


def test_undelivered_rows_go_after_their_time(writer: Writer, reader: Reader) -> None:
    run = begin_run(writer)
    young_us = NOW_S * 1_000_000
    record(
        writer,
        run,
        failed=[
            failure(0, settled_us=OLD_US, dead_letter=False),
            failure(1, settled_us=young_us, dead_letter=False),
        ],
    )
    trim_all(writer)
    assert rows(reader, "SELECT sequence FROM undelivered") == [1]


def test_a_dead_letter_is_never_deleted(writer: Writer, reader: Reader) -> None:
    cluster = register_cluster(writer)
    writer.call(partial(dead_letters.insert, cluster=cluster, letters=[letter(0), letter(1)]))
    writer.call(lambda db: db.execute("UPDATE dead_letters SET stored_us = 1"))
    trim_all(writer, deliveries=0, seconds=1.0)
    assert rows(reader, "SELECT count(*) FROM dead_letters") == [2]


def test_each_bucket_width_is_kept_for_its_time(writer: Writer, reader: Reader) -> None:
    series = begin_run(writer).series
    ages_s = [60, 5_000, 10 * 3_600, 5 * 86_400, 90 * 86_400]
    for age in ages_s:
        at = NOW_S - age
        writer.call(partial(rollups.add_count, series=series, at_s=at, counter="delivered", n=1))
        writer.call(
            partial(rollups.add_failures, series=series, failures=[(at, "orders", "failed", "X")])
        )
    trim_all(writer)

    for table in ("rollups", "failure_rollups"):
        for position, resolution in enumerate(RESOLUTIONS):
            (left,) = rows(
                reader, f"SELECT count(*) FROM {table} WHERE resolution = ?", resolution.seconds
            )
            assert left == position + 1, f"{table} of {resolution.seconds} s"
