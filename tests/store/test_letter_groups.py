"""Groups by cause: counts, trends and marks within a filter."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlite_utils import Database

from producer_agent.store import dead_letters, runs
from producer_agent.store.database import open_database
from producer_agent.store.queries.letter_filter import LetterFilter
from producer_agent.store.queries.letter_groups import LetterGroup, groups
from tests.recording import letter

HOUR_US = 3_600_000_000
NOW_US = 500_000 * HOUR_US + 1_234


@pytest.fixture
def db(tmp_path: Path) -> Iterator[Database]:
    """Nine letters of cause 1 and three of cause 2."""
    db = open_database(tmp_path / "ackboard.db")
    with db.atomic():
        cluster = runs.register_cluster(db, "test", "real", "127.0.0.1:1")
        rows = [
            letter(
                at,
                fingerprint="one" if at % 4 else "two",
                cause_title="One" if at % 4 else "Two",
                original_topic="orders" if at % 2 else None,
                consumer_group="billing" if at % 4 else None,
                connector=None if at % 4 else "sink",
                profile="critical" if at == 1 else None,
                value=b"common" if at % 3 else b"rare",
            )
            for at in range(12)
        ]
        assert dead_letters.insert(db, cluster, rows) == 12
        for id_, hours_ago in enumerate((0, 0, 1, 5, 23, 24, 47, 100, 13 * 24, 335, 336, 1000), 1):
            db.execute(
                "UPDATE dead_letters SET stored_us = ? WHERE id = ?",
                [NOW_US - hours_ago * HOUR_US, id_],
            )
        db.execute("UPDATE dead_letters SET times_back = 2 WHERE id IN (2, 3)")
    yield db
    db.close()


def grouped(db: Database, **wanted: object) -> dict[str, LetterGroup]:
    found = groups(db, LetterFilter(**wanted), at_us=NOW_US)  # type: ignore[arg-type]
    assert [group.count for group in found] == sorted((g.count for g in found), reverse=True)
    return {group.title: group for group in found}


def test_a_group_tells_whose_its_letters_are(db: Database) -> None:
    told = grouped(db)
    one, two = told["One"], told["Two"]
    assert (one.count, two.count) == (9, 3)
    assert dict(one.topics) == {"orders": 6, None: 3}
    assert (dict(one.consumer_groups), dict(two.consumer_groups)) == ({"billing": 9}, {})
    assert (dict(one.connectors), dict(two.connectors)) == ({}, {"sink": 3})
    assert dict(one.profiles) == {"critical": 1}
    assert dict(one.dead_letter_topics) == {"dead": 9}
    assert (one.came_back, two.came_back) == (2, 0)
    assert (one.first_seen_us, one.last_seen_us) == (NOW_US - 1000 * HOUR_US, NOW_US)


@pytest.mark.parametrize("wanted", [{}, {"text": "common rare*"}, {"side": "unknown"}])
def test_trends_count_by_hour_and_by_day_up_to_now(db: Database, wanted: dict[str, object]) -> None:
    if wanted.get("text"):
        db.execute("UPDATE dead_letter_records SET value = 'common rare'")
    both = grouped(db, **wanted).values()
    hours = [sum(each) for each in zip(*(group.hours for group in both), strict=True)]
    days = [sum(each) for each in zip(*(group.days for group in both), strict=True)]
    assert (len(hours), len(days)) == (24, 14)
    assert {at: n for at, n in enumerate(hours) if n} == {23: 2, 22: 1, 18: 1, 0: 1}
    assert {at: n for at, n in enumerate(days) if n} == {13: 5, 12: 2, 9: 1, 0: 2}


def test_times_of_a_filter_cut_the_counts_and_leave_the_trend(db: Database) -> None:
    whole, cut = grouped(db), grouped(db, since_us=NOW_US - HOUR_US)
    assert {title: group.count for title, group in cut.items()} == {"One": 2, "Two": 1}
    assert cut["One"].hours == whole["One"].hours
    assert cut["One"].first_seen_us == NOW_US - HOUR_US


def test_a_text_filter_counts_its_own_letters_alone(db: Database) -> None:
    told = grouped(db, text="rare")
    assert {title: group.count for title, group in told.items()} == {"One": 3, "Two": 1}
    assert sum(sum(group.days) for group in told.values()) == 4
    assert grouped(db, text="nowhere") == {}


@pytest.mark.parametrize(
    ("state", "came_up_hours_ago", "is_new"),
    [("new", 1, True), ("new", 23, True), ("new", 24, False), ("acknowledged", 1, False)],
)
def test_a_cause_is_marked_new_for_a_day_until_somebody_looks(
    db: Database, state: str, came_up_hours_ago: int, is_new: bool
) -> None:
    db.execute(
        "UPDATE causes SET state = ?, came_up_us = ? WHERE title = 'One'",
        [state, NOW_US - came_up_hours_ago * HOUR_US],
    )
    assert grouped(db)["One"].is_new is is_new
