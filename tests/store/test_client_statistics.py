"""Samples of a client's statistics are kept for a day, and their sums for two weeks."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

from producer_agent.store import client_statistics
from producer_agent.store.client_statistics import COARSE, SAMPLES_KEPT_S
from producer_agent.store.reader import Reader
from producer_agent.store.retention import Keep, trim
from producer_agent.store.writer import Writer
from tests.client_samples import broker, sample, spread
from tests.recording import begin_run, rows

NOW_US = 1_800_000_000 * 1_000_000 + 5_000_000


def test_a_sample_is_a_row_of_the_run_and_one_of_each_broker(
    writer: Writer, reader: Reader
) -> None:
    run = begin_run(writer)
    told = sample(
        NOW_US,
        broker(1, queue=spread(10, 7_000), state="UP"),
        broker(2, state="TRY_CONNECT", timeouts=3, unanswered=2),
        queued=90,
        produced=10,
        transmitted=13,
    )
    writer.call(partial(client_statistics.record, run=run.id, series=run.series, sample=told))
    assert reader(lambda db: db.execute("SELECT * FROM client_samples").fetchall()) == [
        (NOW_US, run.id, NOW_US - 5_000_000, 90, 100, 0, 1_000, 10, 13)
    ]
    assert reader(
        lambda db: db.execute(
            "SELECT broker, state, unanswered, timeouts, queue_n, queue_us "
            "FROM client_broker_samples"
        ).fetchall()
    ) == [(1, "UP", 0, 0, 10, 70_000), (2, "TRY_CONNECT", 2, 3, 0, 0)]


def test_sums_add_up_and_keep_the_highest_percentile(writer: Writer, reader: Reader) -> None:
    run = begin_run(writer)
    for at, p99 in enumerate((9_000, 4_000)):
        told = sample(
            NOW_US + at * 5_000_000,
            broker(1, requests=4, trip=replace(spread(4, 2_000), p99=p99)),
            broker(2),
        )
        writer.call(partial(client_statistics.record, run=run.id, series=run.series, sample=told))
    found = reader(
        lambda db: db.execute(
            "SELECT bucket, series, broker, requests, trip_n, trip_us, trip_p99_us "
            "FROM client_stage_rollups"
        ).fetchall()
    )
    assert found == [(1_800_000_000, run.series, 1, 8, 8, 16_000, 9_000)], "or an idle broker too"


def test_each_is_deleted_after_its_time(writer: Writer, reader: Reader) -> None:
    run = begin_run(writer)
    assert COARSE.kept_s is not None
    ages_s = (60, SAMPLES_KEPT_S - 60, SAMPLES_KEPT_S + 60, COARSE.kept_s + 1_200)
    for age in ages_s:
        told = sample(NOW_US - age * 1_000_000, broker(1, requests=1), broker(2, requests=1))
        writer.call(partial(client_statistics.record, run=run.id, series=run.series, sample=told))
    keep = Keep(10**9, 1e9, 1e9)
    while writer.call(partial(trim, now_s=NOW_US / 1e6, keep=keep)):
        pass
    assert rows(reader, "SELECT count(*) FROM client_samples") == [2]
    assert rows(reader, "SELECT count(*) FROM client_broker_samples") == [4]
    assert rows(reader, "SELECT count(*) FROM client_stage_rollups") == [6]


def test_a_day_of_a_run_on_three_brokers_takes_less_than_six_megabytes(
    writer: Writer, reader: Reader
) -> None:
    run = begin_run(writer)

    def fill(db: object, n: int) -> None:
        for at in range(n):
            told = sample(
                NOW_US + at * 5_000_000,
                *(
                    broker(
                        number,
                        requests=900,
                        queue=spread(3_000, 5_300),
                        send=spread(900, 90),
                        trip=spread(900, 2_500),
                        throttle=spread(900, 0),
                    )
                    for number in (1, 2, 3)
                ),
                produced=9_000,
                transmitted=9_000,
            )
            client_statistics.record(db, run.id, run.series, told)  # type: ignore[arg-type]

    pages = "SELECT page_count * page_size FROM pragma_page_count(), pragma_page_size()"
    before = rows(reader, pages)[0]
    writer.call(partial(fill, n=2_000))
    taken = (rows(reader, pages)[0] - before) / 2_000
    assert taken * 86_400 / 5 < 6_000_000, f"{taken:.0f} bytes a sample"
