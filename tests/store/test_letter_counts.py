"""The kept counts say what the letters say, whatever is done to them."""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlite_utils import Database

from producer_agent.store import dead_letters, runs
from producer_agent.store.clock import now_us
from producer_agent.store.database import open_database
from producer_agent.store.queries import dead_letters as q
from producer_agent.store.queries import letter_counts
from producer_agent.store.queries.letter_filter import STATUSES, LetterFilter
from tests.recording import letter

HOUR_US = 3_600_000_000
N = 60


@pytest.fixture
def db(tmp_path: Path) -> Iterator[Database]:
    """Sixty letters of a few kinds, over some hours."""
    db = open_database(tmp_path / "ackboard.db")
    with db.atomic():
        cluster = runs.register_cluster(db, "test", "real", "127.0.0.1:1")
        rows = [
            letter(
                at,
                fingerprint=f"cause-{at % 4}",
                original_topic=("orders", None, "")[at % 3],
                error_code=(None, 7)[at % 2],
                value=f"word-{at % 5}".encode(),
            )
            for at in range(N)
        ]
        assert dead_letters.insert(db, cluster, rows) == N
        db.execute(f"UPDATE dead_letters SET stored_us = id * {HOUR_US // 7}")
    yield db
    db.close()


def assert_kept(db: Database) -> None:
    """The counts are those of the letters, by kind, status and hour."""
    for kept, letters in (
        (
            "SELECT kind, status, n FROM letter_counts WHERE n <> 0 ORDER BY 1, 2",
            "SELECT kind, status, count(*) FROM dead_letters GROUP BY 1, 2 ORDER BY 1, 2",
        ),
        (
            "SELECT kind, status, hour, n FROM letter_hours WHERE n <> 0 ORDER BY 1, 2, 3",
            f"SELECT kind, status, stored_us / {HOUR_US}, count(*) FROM dead_letters "
            "GROUP BY 1, 2, 3 ORDER BY 1, 2, 3",
        ),
    ):
        assert db.execute(kept).fetchall() == db.execute(letters).fetchall()
    strangers = db.execute(
        "SELECT count(*) FROM dead_letters d JOIN letter_kinds k ON k.id = d.kind WHERE NOT "
        "(k.cause = d.cause AND k.topic = d.topic AND k.original_topic IS d.original_topic "
        "AND k.side = d.side AND k.error_code IS d.error_code)"
    ).fetchone()
    assert strangers == (0,)
    assert db.execute("SELECT count(*) FROM dead_letters WHERE kind IS NULL").fetchone() == (0,)


def test_counts_follow_every_change_however_it_is_made(db: Database) -> None:
    assert_kept(db)
    chosen = random.Random(5)
    for _ in range(60):
        id_ = chosen.randint(1, N)
        change = chosen.choice(
            [
                f"UPDATE dead_letters SET status = '{chosen.choice(STATUSES)}' WHERE id % 7 = 1",
                f"UPDATE dead_letters SET stored_us = {chosen.randrange(10**12)} WHERE id = {id_}",
                f"UPDATE dead_letters SET original_topic = 'moved' WHERE id = {id_}",
                f"UPDATE dead_letters SET cause = {chosen.randint(1, 4)} WHERE id = {id_}",
                f"DELETE FROM dead_letters WHERE id = {id_}",
            ]
        )
        db.execute(change)
        assert_kept(db)


def test_a_letter_that_is_written_without_a_kind_gets_one(db: Database) -> None:
    db.execute(
        "INSERT INTO dead_letters (cluster, topic, topic_id, partition, offset, size, convention, "
        "side, cause, stored_us) VALUES (1, 'other', '', 0, 1, 0, 'unknown', 'unknown', 1, 5)"
    )
    assert_kept(db)
    assert q.count(db, LetterFilter(dead_letter_topic="other")) == 1


def test_a_letter_that_is_rolled_back_was_never_counted(db: Database) -> None:
    before = q.count(db, LetterFilter())
    db.execute("BEGIN")
    dead_letters.insert(db, 1, [letter(1_000, fingerprint="only here")])
    assert q.count(db, LetterFilter()) == before + 1
    db.execute("ROLLBACK")
    assert q.count(db, LetterFilter()) == before
    assert_kept(db)
    with db.atomic():
        assert dead_letters.insert(db, 1, [letter(1_000, fingerprint="only here")]) == 1
    assert_kept(db)


def test_the_number_of_a_deleted_letter_is_never_given_again(db: Database) -> None:
    db.execute("DELETE FROM dead_letters")
    with db.atomic():
        dead_letters.insert(db, 1, [letter(5_000)])
    assert q.newest_id(db) == N + 1


def test_letters_are_stored_in_the_order_of_their_numbers_though_the_clock_went_back(
    db: Database,
) -> None:
    future_us = now_us() + 10**12
    db.execute("UPDATE dead_letters SET stored_us = ? WHERE id = 1", [future_us])
    with db.atomic():
        dead_letters.insert(db, 1, [letter(5_000)])
    (row,) = q.by_ids(db, [N + 1])
    assert row.stored_us == future_us


@pytest.mark.parametrize("pin", [0, 1, N // 2, N, N + 5])
def test_what_came_after_a_list_was_made_is_not_counted_in_it(db: Database, pin: int) -> None:
    wanted = LetterFilter(topic="orders", up_to_id=pin)
    (n,) = db.execute(
        "SELECT count(*) FROM dead_letters WHERE original_topic = 'orders' AND id <= ?", [pin]
    ).fetchone()
    assert q.count(db, wanted) == n == len(q.page(db, wanted, limit=N))


def test_spans_are_the_first_and_the_last_within_the_filter(db: Database) -> None:
    for wanted in (
        LetterFilter(),
        LetterFilter(since_us=HOUR_US, until_us=4 * HOUR_US, up_to_id=20),
        LetterFilter(text="word-3"),
    ):
        tallies = letter_counts.tally(db, wanted)
        spans = letter_counts.span_of(db, wanted, tallies)
        found = q.page(db, wanted, limit=N)
        kinds = dict(db.execute("SELECT id, kind FROM dead_letters").fetchall())
        for part in tallies:
            times = [row.stored_us for row in found if kinds[row.id] == part.kind]
            assert spans[part.kind, part.status] == (min(times), max(times))
            assert part.n == len(times)


def test_options_leave_out_what_no_letter_has_any_more(db: Database) -> None:
    assert q.filter_options(db).topics == ("", "orders")
    db.execute("DELETE FROM dead_letters WHERE original_topic = 'orders'")
    options = q.filter_options(db)
    assert options.topics == ("",)
    assert options.errors == ("7",)
    assert options.statuses == (("new", N * 2 // 3),)
