from __future__ import annotations

from array import array
from pathlib import Path

import numpy as np
import pytest
from sqlite_utils import Database

from producer_agent.delivery.shipped_profiles import shipped_profiles
from producer_agent.store import deliveries, jobs, latency_bins, runs
from producer_agent.store.database import open_database
from producer_agent.store.deliveries import OutcomeBatch
from producer_agent.store.queries import latency, watch
from producer_agent.store.queries.health import health, unresolved_in_open_runs
from producer_agent.store.queries.windows import POINTS, Window, window_to
from producer_agent.store.reader import Reader
from producer_agent.store.runs import RunRow
from tests.dashboard import seed

NOW_US = 1_800_000_003_000_000
"""Three seconds into a bucket of ten."""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "ackboard.db"
    open_database(path).close()
    return path


@pytest.fixture
def db(path: Path) -> Database:
    return open_database(path)


def begin(db: Database, profile: str, acks: str, body: str | None = None) -> RunRow:
    cluster = runs.register_cluster(db, "c", "embedded", "127.0.0.1:1")
    n = db.execute("SELECT count(*) FROM runs").fetchone()[0]
    shipped = {one.name: one.to_json() for one in shipped_profiles()}
    return runs.begin_run(
        db,
        uuid=f"{n:032x}",
        profile=profile,
        acks=acks,
        body=body or shipped.get(profile) or shipped["critical"],
        cluster=cluster,
        topic="orders",
        watermarks=None,
    )


def record(
    db: Database,
    row: RunRow,
    *,
    acks: str = "all",
    good: int = 0,
    bad: int = 0,
    code: str = "NOT_ENOUGH_REPLICAS",
    latency_us: float = 10_000.0,
    ago_s: float = 5.0,
    first: int = 0,
    outcome: str = "failed",
    counters: tuple[tuple[int, str, int], ...] = (),
) -> None:
    """Outcomes of one moment: ``good`` reports and then ``bad`` failures."""
    at_us = int(NOW_US - ago_s * 1e6)
    flat: array[float] = array("d")
    for sequence in range(first, first + good):
        flat.extend((sequence, at_us - latency_us, 0, sequence, latency_us / 1e6))
    failure = seed.Failures("-", code, 1.0, outcome=outcome)
    undelivered = [
        seed.undelivered_event(sequence, failure, "orders", at_us - 1000, at_us)
        for sequence in range(first + good, first + good + bad)
    ]
    deliveries.record(
        db,
        OutcomeBatch(
            row.id,
            row.series,
            "unconfirmed" if acks == "0" else "delivered",
            first + good + bad,
            reports=flat,
            undelivered=undelivered,
            counters=list(counters),
        ),
    )


def quarter() -> Window:
    return window_to(NOW_US, 900)


def only_profile(db: Database) -> watch.ProfileSummary:
    [level] = watch.levels(db, quarter(), NOW_US)
    [profile] = level.profiles
    return profile


@pytest.mark.parametrize("seconds", [300, 900, 3600, 21_600, 86_400, 604_800])
def test_a_window_is_whole_buckets_that_cover_its_length_and_end_with_the_one_that_fills(
    seconds: int,
) -> None:
    window = window_to(NOW_US, seconds)
    assert window.end_s - window.resolution_s <= NOW_US // 1_000_000 < window.end_s
    assert seconds <= window.end_s - window.start_s < seconds + window.resolution_s
    assert window.start_s % window.resolution_s == 0
    assert window.buckets == len(window.bucket_starts) <= POINTS


def test_an_empty_database_has_no_levels_and_no_causes(db: Database) -> None:
    assert watch.levels(db, quarter(), NOW_US) == []
    assert watch.causes(db, quarter()) == []
    assert latency.distributions(db, quarter(), "acks") == []
    assert latency.heat_map(db, quarter(), "all") is None
    found = health(db)
    assert (found.agent, found.cluster, found.runs, found.failed_jobs) == (None, None, (), ())


def test_success_counts_delivered_and_failed_and_leaves_rejected_apart(db: Database) -> None:
    row = begin(db, "critical", "all")
    record(db, row, good=90, bad=10)
    record(db, row, first=100, bad=5, code="MSG_SIZE_TOO_LARGE", outcome="rejected")
    [level] = watch.levels(db, quarter(), NOW_US)
    assert (level.counts.delivered, level.counts.failed, level.counts.rejected) == (90, 10, 5)
    assert level.counts.reported == 100
    shares = [share for share in level.success_history if share is not None]
    assert shares == [0.9]
    assert sum(level.failed_history) == 15


def test_acks_0_has_no_success_ratio_and_no_burn_rate_even_with_failures(db: Database) -> None:
    row = begin(db, "promised", "0")  # with an objective that acks=0 cannot be held to
    record(db, row, acks="0", good=10, bad=10)
    [level] = watch.levels(db, quarter(), NOW_US)
    assert level.counts.unconfirmed == 10
    assert set(level.success_history) == {None}
    assert level.profiles[0].success_objective == 0.9999
    assert level.profiles[0].burn_rate is None
    assert not level.profiles[0].burns


def test_profiles_of_one_acks_level_share_it_and_levels_come_strongest_first(
    db: Database,
) -> None:
    record(db, begin(db, "metrics", "0"), acks="0", good=1)
    record(db, begin(db, "critical", "all"), good=3)
    record(db, begin(db, "orders", "all"), good=4)
    record(db, begin(db, "analytics", "1"), good=2)
    found = watch.levels(db, quarter(), NOW_US)
    assert [level.acks for level in found] == ["all", "1", "0"]
    assert [profile.profile for profile in found[0].profiles] == ["critical", "orders"]
    assert found[0].counts.delivered == 7


def test_a_profile_whose_acks_was_changed_is_judged_by_the_newest_run_of_each_level(
    db: Database,
) -> None:
    loose = (
        shipped_profiles()[0].to_json().replace('"success_ratio": 0.9999', '"success_ratio": 0.5')
    )
    record(db, begin(db, "critical", "all"), good=1)
    record(db, begin(db, "critical", "all", body=loose), good=1)
    assert only_profile(db).success_objective == 0.5
    assert only_profile(db).p99_objective_ms == 100


def test_the_burn_rate_is_the_failed_share_over_the_allowed_share(db: Database) -> None:
    record(db, begin(db, "critical", "all"), good=9_980, bad=20)
    profile = only_profile(db)
    assert profile.burn_rate == pytest.approx(0.002 / 0.0001)
    assert profile.burns


def test_one_failure_in_a_quiet_minute_is_over_budget_and_yet_no_alarm(db: Database) -> None:
    record(db, begin(db, "critical", "all"), good=3_000, bad=1)
    profile = only_profile(db)
    assert profile.burn_rate is not None
    assert profile.burn_rate > 1
    assert not profile.burns


def test_outcomes_outside_the_window_do_not_count(db: Database) -> None:
    row = begin(db, "critical", "all")
    record(db, row, good=5, bad=2, ago_s=1_000)
    record(db, row, first=7, good=3, bad=1, ago_s=10)
    assert only_profile(db).counts.delivered == 3
    assert [cause.events for cause in watch.causes(db, quarter())] == [1]


def test_the_rate_now_is_that_of_the_last_seconds_and_not_of_the_window(db: Database) -> None:
    row = begin(db, "critical", "all")
    record(db, row, good=500, ago_s=600)
    assert only_profile(db).rate_now == 0
    record(db, row, first=500, good=70, ago_s=5)
    assert only_profile(db).rate_now == pytest.approx(7.0)


def test_a_bucket_that_still_fills_has_no_rate_so_no_sparkline_drops_at_its_end(
    db: Database,
) -> None:
    record(db, begin(db, "critical", "all"), good=5, ago_s=0)
    [level] = watch.levels(db, quarter(), NOW_US)
    assert level.rate_history[-1] is None
    assert level.rate_history[-2] == 0


def test_a_level_is_slow_only_when_p99_exceeds_the_objective_with_events_enough(
    db: Database,
) -> None:
    row = begin(db, "critical", "all")
    record(db, row, good=99, latency_us=500_000)
    assert not only_profile(db).is_slow
    record(db, row, first=99, good=1, latency_us=500_000)
    assert only_profile(db).is_slow


def test_percentiles_of_a_level_are_those_of_all_its_events_together(db: Database) -> None:
    record(db, begin(db, "critical", "all"), good=900, latency_us=1_000)
    record(db, begin(db, "orders", "all"), good=100, latency_us=100_000, ago_s=200)
    [level] = watch.levels(db, quarter(), NOW_US)
    assert level.p50_us == pytest.approx(1_000, rel=0.011)
    assert level.p99_us == pytest.approx(100_000, rel=0.011)
    points = [value for value in level.p99_history_us if value is not None]
    assert points == [pytest.approx(100_000, rel=0.011), pytest.approx(1_000, rel=0.011)]


def test_quantiles_of_many_groups_at_once_are_those_of_each_group_alone() -> None:
    random = np.random.default_rng(7)
    groups = random.integers(0, 9, 3_000)
    bins = random.integers(300, 420, 3_000)
    counts = random.integers(1, 40, 3_000)
    wanted = (0.0, 0.5, 0.99, 1.0)
    found = latency.grouped_quantiles(groups, bins, counts, wanted)
    assert set(found) == set(groups.tolist())
    for group in found:
        mine = groups == group
        summed: dict[int, int] = {}
        for at, n in zip(bins[mine].tolist(), counts[mine].tolist(), strict=True):
            summed[at] = summed.get(at, 0) + n
        assert list(found[group]) == latency_bins.quantiles(summed.items(), wanted)


def test_causes_come_by_their_events_with_trend_topic_and_last_second(db: Database) -> None:
    row = begin(db, "critical", "all")
    record(db, row, bad=2, ago_s=800)
    record(db, row, first=2, bad=1, ago_s=4)
    record(db, row, first=3, bad=9, code="_MSG_TIMED_OUT", ago_s=60)
    first, second = watch.causes(db, quarter())
    assert (first.cause, first.events, first.profiles) == ("_MSG_TIMED_OUT", 9, ("critical",))
    assert (second.cause, second.topic, second.events) == ("NOT_ENOUGH_REPLICAS", "orders", 3)
    assert second.last_seen_us == NOW_US - 4_000_000
    assert (sum(second.trend[:10]), sum(second.trend[10:])) == (2, 1)


def test_a_cause_names_its_dead_letters_group_only_where_there_is_just_one(db: Database) -> None:
    record(db, begin(db, "critical", "all"), bad=1)
    insert = (
        "INSERT INTO causes (fingerprint, version, title, first_seen_us, last_seen_us) "
        "VALUES (?, 1, ?, 1, 1)"
    )
    db.execute(insert, ["a", "NOT_ENOUGH_REPLICAS: too few"])
    assert watch.causes(db, quarter())[0].letters_title == "NOT_ENOUGH_REPLICAS: too few"
    db.execute(insert, ["b", "NOT_ENOUGH_REPLICAS: other words"])
    assert watch.causes(db, quarter())[0].letters_title is None


def test_a_distribution_leaves_failures_out_and_counts_them_beside(db: Database) -> None:
    row = begin(db, "critical", "all")
    record(db, row, good=99, bad=7, latency_us=2_000)
    record(db, row, first=106, good=1, latency_us=50_000)
    [one] = latency.distributions(db, quarter(), "acks")
    assert (one.name, one.events, one.failed) == ("all", 100, 7)
    p50, *_, p999 = one.quantiles_us
    assert p50 == pytest.approx(2_000, rel=0.011)
    assert p999 == pytest.approx(50_000, rel=0.011)
    assert one.largest_us is not None
    assert 50_000 <= one.largest_us <= 50_000 * 1.021
    assert one.shares == pytest.approx((0.99, 1.0))


def test_by_profile_each_profile_and_acks_level_has_its_own_distribution(db: Database) -> None:
    record(db, begin(db, "critical", "all"), good=3)
    record(db, begin(db, "orders", "all"), good=4)
    found = latency.distributions(db, quarter(), "profile")
    assert [(one.name, one.events) for one in found] == [
        ("critical · acks=all", 3),
        ("orders · acks=all", 4),
    ]


def test_a_heat_map_holds_every_event_within_its_row_and_column(db: Database) -> None:
    row = begin(db, "critical", "all")
    record(db, row, good=30, latency_us=2_000, ago_s=700)
    record(db, row, first=30, good=5, latency_us=90_000, ago_s=5)
    window = quarter()
    found = latency.heat_map(db, window, "all")
    assert found is not None
    assert found.counts.shape == (len(found.edges_us) - 1, window.buckets)
    assert found.counts.sum() == 35
    for latency_us, ago_s, n in ((2_000, 700, 30), (90_000, 5, 5)):
        at = int(np.searchsorted(found.edges_us, latency_us)) - 1
        column = (NOW_US // 1_000_000 - ago_s - window.start_s) // window.resolution_s
        assert found.counts[at, column] == n


def test_health_tells_failed_jobs_and_what_open_runs_left_unresolved(db: Database) -> None:
    row = begin(db, "critical", "all")
    record(db, row, good=3)
    db.execute("UPDATE runs SET accepted = 8 WHERE id = ?", [row.id])
    jobs.note(db, "retention", "failed", "disk full")
    jobs.note(db, "retention", "failed", "disk full")
    jobs.note(db, "audit", "done", None)
    assert unresolved_in_open_runs(db) == {"all": 5}
    [job] = health(db).failed_jobs
    assert (job.name, job.detail, job.failed_in_row) == ("retention", "disk full", 2)


def test_a_seeded_quarter_of_an_hour_is_read_through_the_reader(tmp_path: Path) -> None:
    path = tmp_path / "seeded.db"
    seed.fill(path, end_us=NOW_US, rate=5.0)
    found = Reader(path)(lambda db: watch.levels(db, quarter(), NOW_US))
    assert [level.acks for level in found] == ["all", "1", "0"]
    assert all(level.counts.sent >= 890 * 5 for level in found)
