from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from sqlite_utils import Database

from producer_agent.store import deliveries, runs
from producer_agent.store.database import open_database
from producer_agent.store.deliveries import OutcomeBatch
from producer_agent.store.queries import dead_letters as q
from producer_agent.store.queries.dead_letters import LetterFilter
from tests.dashboard import letter_seed, seed
from tests.dashboard.letter_seed import Foreign, failed_event

N = 24


@pytest.fixture
def db(tmp_path: Path) -> Iterator[Database]:
    """24 letters whose causes, topics and profiles take turns."""
    db = open_database(tmp_path / "ackboard.db")
    letter_seed.store(db, [failed_event(sequence) for sequence in range(N)])
    yield db
    db.close()


def listed(db: Database, wanted: LetterFilter) -> list[int]:
    """Ids of all that match; that the count agrees is checked on the way."""
    rows = q.page(db, wanted, limit=1000)
    assert len(rows) == q.count(db, wanted) == q.summary(db, wanted).total
    return [row.id for row in rows]


def cause_id(db: Database, name: str) -> int:
    return next(id_ for id_, title in q.filter_options(db).causes if title.startswith(name))


@pytest.mark.parametrize(
    ("wanted", "expected"),
    [
        (LetterFilter(), N),
        (LetterFilter(topic="task-events"), N // 3),
        (LetterFilter(topic="nowhere"), 0),
        (LetterFilter(profile="critical"), N // 3),
        (LetterFilter(side="producer"), N),
        (LetterFilter(side="consumer"), 0),
        (LetterFilter(statuses=("new",)), N),
        (LetterFilter(statuses=("replayed", "replaying")), 0),
        (LetterFilter(statuses=()), 0),
        (LetterFilter(key_contains="user-2"), 5),
        (LetterFilter(key_contains="USER-2"), 5),
        (LetterFilter(up_to_id=10), 10),
        (LetterFilter(topic="task-events", key_contains="1"), 4),
    ],
)
def test_each_filter_keeps_what_it_says_and_the_count_agrees(
    db: Database, wanted: LetterFilter, expected: int
) -> None:
    assert len(listed(db, wanted)) == expected


def test_a_cause_is_filtered_by_its_id(db: Database) -> None:
    wanted = LetterFilter(cause=cause_id(db, "MSG_SIZE_TOO_LARGE"))
    rows = q.page(db, wanted, limit=100)
    assert len(rows) == N // 4
    assert {row.error_class for row in rows} == {"MSG_SIZE_TOO_LARGE"}


@pytest.mark.parametrize("sign", ["%", "_", "\\"])
def test_signs_that_sql_reads_as_patterns_are_searched_for_as_they_are(
    db: Database, sign: str
) -> None:
    assert listed(db, LetterFilter(key_contains=sign)) == []
    letter_seed.store(
        db, [failed_event(99, letter_id="x", key=f"50{sign}off".encode())], first_offset=N
    )
    assert listed(db, LetterFilter(key_contains=f"0{sign}o")) == [N + 1]


def test_since_keeps_what_was_stored_at_or_after_it(db: Database) -> None:
    db.execute("UPDATE dead_letters SET stored_us = 1000 + id")
    assert listed(db, LetterFilter(since_us=1000 + N)) == [N]
    assert len(listed(db, LetterFilter(since_us=1001))) == N


@pytest.mark.parametrize("wanted", [LetterFilter(), LetterFilter(statuses=q.OPEN_STATUSES)])
def test_pages_hold_every_letter_once_the_latest_first(db: Database, wanted: LetterFilter) -> None:
    db.execute("UPDATE dead_letters SET stored_us = 5")  # stored in one transaction: a tie
    db.execute("UPDATE dead_letters SET status = 'acknowledged' WHERE id % 2")
    pages = [q.page(db, wanted, limit=10, offset=at) for at in (0, 10, 20)]
    assert [row.id for page in pages for row in page] == list(range(N, 0, -1))


def test_letters_that_come_in_later_are_counted_and_not_listed(db: Database) -> None:
    pin = q.newest_id(db)
    letter_seed.store(db, [failed_event(900), failed_event(901)], first_offset=N)
    wanted = LetterFilter(topic="task-events")
    assert q.count_newer(db, wanted, pin) == 1
    assert q.count_newer(db, LetterFilter(), pin) == 2
    assert len(listed(db, replace(wanted, up_to_id=pin))) == N // 3


def test_the_summary_names_causes_by_how_many_letters_they_have(db: Database) -> None:
    letter_seed.store(db, [failed_event(902), failed_event(906)], first_offset=N)
    found = q.summary(db, LetterFilter())
    assert found.causes[0].title.startswith("MSG_SIZE_TOO_LARGE")
    assert [cause.count for cause in found.causes] == [N // 4 + 2, *[N // 4] * 3]


def test_the_options_are_what_occurs(db: Database) -> None:
    options = q.filter_options(db)
    assert options.topics == ("activity-metrics", "task-analytics", "task-events")
    assert options.profiles == ("analytics", "critical", "metrics")
    assert len(options.causes) == 4


def test_a_letter_comes_back_with_its_bytes_and_what_was_read_from_them(db: Database) -> None:
    headers = (("h", b"\x00\xff"), ("h", None), ("", b""))
    letter_seed.store(db, [Foreign(b"\xff\x00", b"\xfe", headers)], first_offset=N)
    foreign = q.letter(db, N + 1)
    assert foreign is not None
    assert (foreign.value, foreign.key, foreign.headers) == (b"\xff\x00", b"\xfe", headers)
    assert (foreign.side, foreign.original_topic, foreign.may_be_stored) == ("unknown", None, False)
    ours = q.letter(db, 4)
    assert ours is not None
    assert (ours.original_topic, ours.original_partition, ours.sequence) == ("task-events", 3, 3)
    assert (ours.error_class, ours.may_be_stored, ours.profile) == (
        "_MSG_TIMED_OUT",
        True,
        "critical",
    )
    assert (ours.topic, ours.partition, ours.offset) == (letter_seed.QUEUE, 0, 3)
    assert (ours.cluster_kind, ours.cluster_id) == ("embedded", "seeded-cluster")
    assert (ours.status, ours.replay_id) == ("new", None)


def test_there_is_no_letter_of_an_unknown_id(db: Database) -> None:
    assert q.letter(db, 10**15) is None


def test_letters_asked_for_by_id_come_in_that_order_and_unknown_ones_are_left_out(
    db: Database,
) -> None:
    assert [row.id for row in q.by_ids(db, [7, 999, 3])] == [7, 3]
    assert q.by_ids(db, []) == ()


def test_a_letter_has_every_replay_with_who_made_its_plan(db: Database) -> None:
    first = letter_seed.replayed(db, 1, "failed", "too large")
    second = letter_seed.replayed(db, 1, "done")
    told = q.replays_of(db, [1, 2])
    assert [(row.plan, row.state, row.who) for row in told] == [
        (second, "done", "kim"),
        (first, "failed", "kim"),
    ]
    assert (told[0].partition, told[0].offset, told[1].reason) == (3, 1_881_204, "too large")
    assert [row.status for row in q.by_ids(db, [1, 2])] == ["replayed", "new"]


def test_a_value_too_large_for_its_letter_is_found_in_the_outbox(db: Database) -> None:
    cluster = runs.register_cluster(db, "seeded-cluster", "embedded", "127.0.0.1:1")
    known: dict[str, Any] = {"profile": "critical", "acks": "all", "body": "{}", "topic": "t"}
    row = runs.begin_run(db, uuid="cd" * 16, cluster=cluster, watermarks=None, **known)
    failure = seed.Failures("critical", "MSG_SIZE_TOO_LARGE", 1.0)
    event = replace(seed.undelivered_event(5, failure, "t", 1, 2), value=b"large")
    deliveries.record(
        db, OutcomeBatch(row.id, row.series, "delivered", accepted=6, undelivered=[event])
    )
    assert q.value_left_behind(db, "cd" * 16, 5) == b"large"
    assert q.value_left_behind(db, "cd" * 16, 6) is None
