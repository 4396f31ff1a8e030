"""A database of the first release is upgraded in place, with what it knew of replays."""

from __future__ import annotations

import sqlite3
import uuid
from functools import partial
from pathlib import Path

import pytest
from sqlite_utils import Database

from producer_agent.store import replay_plans, replays
from producer_agent.store.database import open_database
from producer_agent.store.queries import dead_letters as letters
from producer_agent.store.queries import replays as plans
from producer_agent.store.queries.letter_filter import LetterFilter
from producer_agent.store.reader import Reader
from producer_agent.store.schema import migrations
from tests.recording import rows

LETTERS = [
    ("new", None),
    ("replayed", "done"),
    ("replay_failed", "failed"),
    ("replay_unknown", "unknown"),
    ("replaying", "intent"),
]
"""Status of a letter, and state of its replay, in the words of the first release."""

UUIDS = [uuid.UUID(int=n).hex for n in range(1, 6)]


@pytest.fixture
def upgraded(tmp_path: Path) -> Reader:
    path = tmp_path / "old.db"
    opened = sqlite3.connect(path)
    db = Database(opened)
    migrations.apply(db, stop_before="m0007_dead_letter_records")
    with db.atomic():
        _fill(db)
    opened.close()
    open_database(path).close()
    return Reader(path)


def _fill(db: Database) -> None:
    db.execute(
        "INSERT INTO clusters (id, cluster_id, kind, bootstrap_servers, first_seen_us) "
        "VALUES (1, 'c', 'real', 'kafka:9092', 0)"
    )
    db.execute(
        "INSERT INTO causes (id, fingerprint, version, title, first_seen_us, last_seen_us) "
        "VALUES (1, 'v1:0', 1, 'timed out', 5, 9)"
    )
    db.execute(
        "INSERT INTO commands (id, kind, arguments, who, asked_us) VALUES (3, 'replay', '{}', "
        "'kim', 0)"
    )
    for at, (status, state) in enumerate(LETTERS, 1):
        db.execute(
            'INSERT INTO dead_letters (id, cluster, topic, topic_id, partition, "offset", key, '
            "value, headers, size, convention, side, original_topic, original_key_text, cause, "
            "status, stored_us) VALUES (?, 1, 'dead', '', 0, ?, ?, ?, ?, 10, 'unknown', 'consumer',"
            " 'orders', 'k', 1, ?, ?)",
            [at, at, b"k\xff", b"value %d" % at, '[["h", "/w=="], ["n", null]]', status, at],
        )
        if state is not None:
            db.execute(
                "INSERT INTO replays (id, replay_id, dead_letter, command, target_topic, state, "
                'reason, partition, "offset", planned_us, settled_us) '
                "VALUES (?, ?, ?, ?, 'orders', ?, 'why', 2, 70, 100, 200)",
                [at + 10, UUIDS[at - 1], at, 3 if at == 2 else None, state],
            )


def test_each_replay_becomes_a_plan_of_one_record_that_stands_as_it_did(upgraded: Reader) -> None:
    found = rows(
        upgraded,
        'SELECT plan, sequence, dead_letter, state, target_topic, partition, "offset", '
        "planned_us, settled_us FROM replays ORDER BY plan",
    )
    assert found == [
        (plan, 0, letter, state, "orders", 2, 70, 100, 200)
        for plan, letter, state in (
            (12, 2, "done"), (13, 3, "failed"), (14, 4, "unknown"), (15, 5, "intent"),
        )
    ]  # fmt: skip
    plan = upgraded(partial(plans.plan, plan_id=12))
    assert plan is not None
    assert (plan.row.state, plan.row.made_by, plan.row.method) == ("done", "kim", "ledger")
    assert plan.row.selection == {"dead_letters": [2]}
    assert plan.counts.done == 1


def test_what_may_have_arrived_waits_for_somebody_to_resume_it(upgraded: Reader) -> None:
    """Then its target is read back: nothing of it is sent blindly."""
    for number in (14, 15):
        row = upgraded(partial(replay_plans.get, plan=number))
        assert row is not None
        assert row.state == "stopped"
        assert "resume it" in (row.reason or "")
        assert upgraded(partial(replays.open_rows, plan=number)) == [(0, "orders", None)]
    assert upgraded(replay_plans.under_way) == []


def test_a_record_that_comes_back_from_an_old_replay_is_still_known(upgraded: Reader) -> None:
    """Its header holds a uuid alone, as there were no plans."""
    assert upgraded(partial(replays.plan_and_sequence, told=UUIDS[1])) == (12, 0)


def test_statuses_are_those_of_today(upgraded: Reader) -> None:
    assert rows(upgraded, "SELECT status FROM dead_letters ORDER BY id") == [
        "new", "replayed", "new", "replaying", "replaying",
    ]  # fmt: skip
    summary = upgraded(partial(letters.summary, wanted=LetterFilter()))
    assert summary.total == len(LETTERS)


def test_letters_keep_their_bytes_and_can_be_searched(upgraded: Reader) -> None:
    found = upgraded(lambda db: letters.letter(db, 4))
    assert found is not None
    assert (found.key, found.value) == (b"k\xff", b"value 4")
    assert list(found.headers) == [("h", b"\xff"), ("n", None)]
    page = upgraded(partial(letters.page, wanted=LetterFilter(text="value"), limit=10))
    assert len(page) == len(LETTERS)


def test_no_letter_can_have_two_live_replays_after_it(upgraded: Reader) -> None:
    db = open_database(upgraded.path)
    with pytest.raises(sqlite3.IntegrityError, match=r"replays\.dead_letter"):
        db.execute("UPDATE replays SET state = 'done', dead_letter = 2")
    db.close()


def test_lots_from_before_applications_keep_their_runs_topic(tmp_path: Path) -> None:
    """The view ``deliveries`` was made anew for lots with a topic of their own."""
    path = tmp_path / "old.db"
    opened = sqlite3.connect(path)
    db = Database(opened)
    migrations.apply(db, stop_before="m0015_applications")
    with db.atomic():
        db.execute(
            "INSERT INTO clusters (id, cluster_id, kind, bootstrap_servers, first_seen_us) "
            "VALUES (1, 'c', 'real', 'kafka:9092', 0)"
        )
        db.execute(
            "INSERT INTO runs (id, uuid, profile, acks, body, cluster, topic, started_us, "
            "accepted, settled) VALUES (1, 'u', 'p', 'all', '{}', 1, 'orders', 0, 1, 1)"
        )
        db.execute(
            "INSERT INTO delivery_lots (run, outcome, n, first_sequence, last_sequence, "
            "first_sent_us, last_reported_us, sequences, sent, partitions, offsets, latencies) "
            "VALUES (1, 'delivered', 1, 0, 0, 5, 9, zeroblob(4), zeroblob(4), zeroblob(4), "
            "zeroblob(8), zeroblob(4))"
        )
    opened.close()
    open_database(path).close()
    reader = Reader(path)
    assert rows(reader, "SELECT run, topic, sequence, sent_us FROM deliveries") == [
        ("u", "orders", 0, 5)
    ]
    assert rows(reader, "SELECT application, left_unresolved, commits, aborts FROM runs") == [
        (None, 0, 0, 0)
    ]
