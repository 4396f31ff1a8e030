"""Outcomes are added to the buckets of the broker that led their partition, once each."""

from __future__ import annotations

import itertools
from functools import partial
from typing import Any

import pytest

from producer_agent.store import cluster_changes, facts, retention
from producer_agent.store.broker_rollups import WAIT_US, BrokerRollups
from producer_agent.store.clock import now_us
from producer_agent.store.cluster_changes import Change, PartitionState
from producer_agent.store.leader_timeline import CHANGED, NO_PARTITION, NOT_KNOWN
from producer_agent.store.queries import broker_rollups as query
from producer_agent.store.queries.broker_rollups import BrokerSummary, StandsOut
from producer_agent.store.queries.windows import Window
from producer_agent.store.reader import Reader
from producer_agent.store.retention import Keep
from producer_agent.store.runs import RunRow
from producer_agent.store.writer import Writer
from tests.recording import begin_run, failure, record, rows

S = 1_000_000
NOW_US = now_us() // (10 * S) * 10 * S
"""The end of a whole bucket of ten seconds."""

WINDOW = Window(NOW_US // S - 60, NOW_US // S + 10, 10)


@pytest.fixture
def run(writer: Writer) -> RunRow:
    """A run on ``orders``, whose partition n was led by broker n + 1 for ten minutes."""
    made = begin_run(writer)
    lead(writer, NOW_US - 600 * S, "watch_began", 1, 2, 3)
    look(writer, NOW_US)
    return made


@pytest.fixture
def rollups(reader: Reader, writer: Writer) -> BrokerRollups:
    return BrokerRollups(reader, writer)


def lead(writer: Writer, at_us: int, kind: str, *leaders: int) -> None:
    states = [
        PartitionState("orders", number, leader, (1, 2, 3), (1, 2, 3))
        for number, leader in enumerate(leaders)
    ]
    writer.call(partial(cluster_changes.add_states, cluster=1, at_us=at_us, states=states))
    after_us = None if kind == "watch_began" else at_us - 2 * S
    writer.call(
        partial(
            cluster_changes.add_changes,
            cluster=1,
            at_us=at_us,
            after_us=after_us,
            changes=[Change(kind)],
        )
    )


def look(writer: Writer, at_us: int) -> None:
    """The last look at the cluster was then."""

    def put(db: Any) -> None:
        facts.put(db, "cluster", {"reachable": True})
        db.execute("UPDATE facts SET at_us = ? WHERE name = 'cluster'", [at_us])

    writer.call(put)


_sequences = itertools.count()


def acknowledged(partition: int, n: int, latency_ms: float, before_s: float = 20) -> list[float]:
    """Reports of ``n`` events of a partition, all settled so long before now."""
    settled_us = NOW_US - int(before_s * S)
    flat: list[float] = []
    for _ in range(n):
        sent_us = settled_us - int(latency_ms * 1000)
        flat += [next(_sequences), sent_us, partition, -1, latency_ms / 1e3]
    return flat


def failed(partition: int | None, n: int, before_s: float = 20) -> list[Any]:
    settled_us = NOW_US - int(before_s * S)
    return [
        failure(
            next(_sequences), partition=partition, sent_us=settled_us - S, settled_us=settled_us
        )
        for _ in range(n)
    ]


def summaries(reader: Reader, acks: str = "all") -> dict[int, BrokerSummary]:
    found = reader(lambda db: query.by_broker(db, WINDOW, acks))
    return {one.broker: one for one in found}


def outliers(reader: Reader) -> list[tuple[int, str]]:
    found: tuple[StandsOut, ...] = reader(lambda db: query.standing_out(db, WINDOW, "all"))
    return [(one.broker, one.what) for one in found]


def test_each_outcome_is_counted_under_the_leader_of_its_partition(
    run: RunRow, rollups: BrokerRollups, reader: Reader, writer: Writer
) -> None:
    reports = acknowledged(0, 30, 4) + acknowledged(1, 20, 8) + acknowledged(1, 10, 8, before_s=40)
    record(writer, run, reports=reports, failed=[*failed(2, 4), *failed(None, 3), *failed(99, 1)])
    assert rollups.roll(NOW_US) == 68
    found = summaries(reader)
    assert list(found) == [1, 2, 3, NO_PARTITION]
    assert [(one.delivered, one.failed) for one in found.values()] == [
        (30, 0), (30, 0), (0, 4), (0, 4),
    ]  # fmt: skip
    assert found[1].quantiles_us[0] == pytest.approx(4_000, rel=0.011)
    assert [value is not None for value in found[2].p99_history_us] == [
        False, False, True, False, True, False, False,
    ]  # fmt: skip
    assert sum(found[3].failed_history) == 4
    assert (found[2].success, found[3].success) == (1.0, 0.0)
    for resolution in (10, 60, 600, 3600):
        assert rows(
            reader,
            "SELECT sum(delivered), sum(failed), (SELECT sum(n) FROM broker_latency_bins "
            "WHERE resolution = ?) FROM broker_rollups WHERE resolution = ?",
            resolution,
            resolution,
        ) == [(60, 8, 60)]


def test_events_that_acks_0_lets_go_are_unconfirmed_and_have_no_success(
    run: RunRow, rollups: BrokerRollups, reader: Reader, writer: Writer
) -> None:
    loose = begin_run(writer, "metrics", acks="0")
    record(writer, loose, reports=acknowledged(0, 5, 1), outcome="unconfirmed")
    rollups.roll(NOW_US)
    [only] = summaries(reader, "0").values()
    assert (only.broker, only.delivered, only.unconfirmed, only.success) == (1, 0, 5, None)
    assert reader(lambda db: query.acks_levels(db, WINDOW)) == ("0",)


def test_nothing_is_counted_twice_or_left_out_whatever_is_added_when(
    run: RunRow, rollups: BrokerRollups, reader: Reader, writer: Writer
) -> None:
    total = 0
    for n in (1, 700, 3):
        record(writer, run, reports=acknowledged(0, n, 2), failed=failed(1, n))
        assert rollups.roll(NOW_US) == 2 * n
        assert rollups.roll(NOW_US) == 0
        total += n
        another = BrokerRollups(reader, writer)  # an agent started again
        assert another.roll(NOW_US) == 0
    found = summaries(reader)
    assert (found[1].delivered, found[2].failed) == (total, total)


def test_an_outcome_waits_for_the_look_that_tells_who_led_until_then(
    run: RunRow, rollups: BrokerRollups, reader: Reader, writer: Writer
) -> None:
    record(writer, run, reports=acknowledged(0, 2, 2), failed=failed(1, 2))
    look(writer, NOW_US - 20 * S)
    assert rollups.roll(NOW_US - 19 * S) == 0
    lead(writer, NOW_US - 19 * S, "leaders_changed", 3)
    look(writer, NOW_US - 18 * S)
    assert rollups.roll(NOW_US - 18 * S) == 4
    assert {broker: one.delivered for broker, one in summaries(reader).items()} == {
        2: 0,
        CHANGED: 2,
    }


def test_a_failure_is_put_down_to_the_broker_it_was_sent_to_first_and_a_late_success_to_nobody(
    run: RunRow, rollups: BrokerRollups, reader: Reader, writer: Writer
) -> None:
    lead(writer, NOW_US - 24 * S, "leaders_changed", 3)
    hung = failure(next(_sequences), sent_us=NOW_US - 30 * S, settled_us=NOW_US - 20 * S)
    unclear = failure(next(_sequences), sent_us=NOW_US - 25 * S, settled_us=NOW_US - 20 * S)
    record(writer, run, reports=acknowledged(0, 1, 10_000), failed=[hung, unclear])
    rollups.roll(NOW_US)
    found = summaries(reader)
    assert {broker: (one.delivered, one.failed) for broker, one in found.items()} == {
        1: (0, 1),
        CHANGED: (1, 1),
    }


def test_where_no_look_comes_an_outcome_is_counted_as_not_known_in_the_end(
    run: RunRow, rollups: BrokerRollups, reader: Reader, writer: Writer
) -> None:
    record(writer, run, reports=acknowledged(0, 2, 2), failed=failed(1, 2))
    look(writer, NOW_US - 600 * S)
    assert rollups.roll(NOW_US - 20 * S + WAIT_US - 1) == 0
    assert rollups.roll(NOW_US - 20 * S + WAIT_US) == 4
    assert list(summaries(reader)) == [NOT_KNOWN]


def test_a_clock_that_is_ahead_does_not_hold_up_the_rest(
    run: RunRow, rollups: BrokerRollups, reader: Reader, writer: Writer
) -> None:
    record(writer, run, reports=acknowledged(0, 1, 2, before_s=-3_600))
    record(writer, run, reports=acknowledged(0, 1, 2))
    assert rollups.roll(NOW_US) == 2


def test_unresolved_events_are_passed_over(
    run: RunRow, rollups: BrokerRollups, reader: Reader, writer: Writer
) -> None:
    left = [failure(n, outcome="unresolved", settled_us=NOW_US - 20 * S) for n in range(3)]
    record(writer, run, failed=left)
    assert rollups.roll(NOW_US) == 0
    assert rows(reader, "SELECT undelivered FROM broker_rollups_done") == [3]


def test_rows_that_take_the_ids_of_deleted_ones_are_counted(
    run: RunRow, rollups: BrokerRollups, reader: Reader, writer: Writer
) -> None:
    record(writer, run, failed=failed(1, 3))
    rollups.roll(NOW_US)
    keep = Keep(deliveries=10**9, undelivered_s=0, published_s=0)
    writer.call(lambda db: db.execute("DELETE FROM outbox"))
    writer.call(partial(retention.trim, now_s=NOW_US / S, keep=keep))
    assert rows(reader, "SELECT count(*) FROM undelivered") == [0]
    record(writer, run, failed=failed(1, 2))
    rollups.roll(NOW_US)
    assert summaries(reader)[2].failed == 5


def test_old_buckets_go_and_hours_stay(
    run: RunRow, rollups: BrokerRollups, reader: Reader, writer: Writer
) -> None:
    record(writer, run, reports=acknowledged(0, 1, 2))
    rollups.roll(NOW_US)
    keep = Keep(deliveries=10**9, undelivered_s=1e9, published_s=1e9)
    writer.call(partial(retention.trim, now_s=NOW_US / S + 15 * 86_400, keep=keep))
    for table in ("broker_rollups", "broker_latency_bins"):
        assert rows(reader, f"SELECT DISTINCT resolution FROM {table}") == [3600]


SLOW_AND_FAILING = [
    # (name, acknowledged ms and failed by broker, what stands out)
    ("alike", [(200, 5.0, 0), (200, 5.2, 0), (200, 4.9, 0)], []),
    ("one twice as slow", [(200, 5.0, 0), (200, 11.0, 0), (200, 4.9, 0)], [(2, "median")]),
    ("twice, yet by 4 ms only", [(200, 2.0, 0), (200, 6.0, 0), (200, 2.0, 0)], []),
    ("20 ms more, yet less than twice", [(200, 50.0, 0), (200, 70.0, 0), (200, 50.0, 0)], []),
    ("slow, of too few", [(200, 5.0, 0), (99, 50.0, 0), (200, 5.0, 0)], []),
    ("one failing", [(200, 5.0, 0), (190, 5.0, 10), (200, 5.0, 1)], [(2, "failed")]),
    ("failing too few times", [(200, 5.0, 0), (190, 5.0, 9), (200, 5.0, 0)], []),
    ("all failing alike", [(100, 5.0, 100), (90, 5.0, 110), (100, 5.0, 100)], []),
    (
        "failing and slow",
        [(200, 5.0, 0), (150, 50.0, 50), (200, 5.0, 0)],
        [(2, "failed"), (2, "median")],
    ),
    ("alone", [(500, 50.0, 50)], []),
]


@pytest.mark.parametrize(
    ("brokers", "expected"),
    [(case[1], case[2]) for case in SLOW_AND_FAILING],
    ids=[case[0] for case in SLOW_AND_FAILING],
)
def test_a_broker_stands_out_by_the_rule_alone(
    run: RunRow,
    rollups: BrokerRollups,
    reader: Reader,
    writer: Writer,
    brokers: list[tuple[int, float, int]],
    expected: list[tuple[int, str]],
) -> None:
    for partition, (n, latency_ms, bad) in enumerate(brokers):
        reports = acknowledged(partition, n, latency_ms)
        record(writer, run, reports=reports, failed=failed(partition, bad))
    rollups.roll(NOW_US)
    assert outliers(reader) == expected


def test_a_long_tail_stands_out_by_its_p99(
    run: RunRow, rollups: BrokerRollups, reader: Reader, writer: Writer
) -> None:
    for partition, tail_ms in enumerate((6.0, 40.0, 6.0)):
        reports = acknowledged(partition, 1_000, 5) + acknowledged(partition, 20, tail_ms)
        record(writer, run, reports=reports)
    rollups.roll(NOW_US)
    [found] = reader(lambda db: query.standing_out(db, WINDOW, "all"))
    assert (found.broker, found.what, found.profile) == (2, "p99", "orders")
    assert found.times == pytest.approx(40 / 6, rel=0.25)


def test_profiles_of_unlike_load_do_not_make_a_broker_stand_out(
    run: RunRow, rollups: BrokerRollups, reader: Reader, writer: Writer
) -> None:
    record(writer, run, reports=acknowledged(0, 300, 60) + acknowledged(1, 10, 60))
    quick = begin_run(writer, "quick")
    record(writer, quick, reports=acknowledged(1, 300, 3) + acknowledged(0, 10, 3))
    rollups.roll(NOW_US)
    assert outliers(reader) == []


def test_brokers_with_large_ids_and_latencies_far_apart_are_counted_as_well(
    run: RunRow, rollups: BrokerRollups, reader: Reader, writer: Writer
) -> None:
    lead(writer, NOW_US - 500 * S, "leaders_changed", 2**31 - 1, 1_001)
    reports = acknowledged(0, 3, 0.001) + acknowledged(1, 2, 100_000)
    reports += acknowledged(1, 1, 1, before_s=45)
    record(writer, run, reports=reports)
    rollups.roll(NOW_US)
    found = summaries(reader)
    assert {broker: one.delivered for broker, one in found.items()} == {2**31 - 1: 3, 1_001: 3}
    assert found[1_001].quantiles_us[0] == pytest.approx(100_000_000, rel=0.011)
