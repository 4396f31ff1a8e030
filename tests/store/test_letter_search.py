"""The search indexes hold what the letters hold: as they come, as they go, after an upgrade."""

from __future__ import annotations

import base64
import json
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlite_utils import Database, Migrations

from producer_agent.store import dead_letters, runs
from producer_agent.store.database import open_database
from producer_agent.store.headers import headers_to_json
from producer_agent.store.letter_text import SEARCHED_BYTES, text_query
from producer_agent.store.queries import dead_letters as q
from producer_agent.store.queries.letter_filter import LetterFilter
from producer_agent.store.schema import migrations
from tests.recording import letter

INDEXES = ("letter_text", "letter_keys", "letter_headers")


@pytest.fixture
def db(tmp_path: Path) -> Iterator[Database]:
    db = open_database(tmp_path / "ackboard.db")
    runs.register_cluster(db, "test", "real", "127.0.0.1:1")
    yield db
    db.close()


def store(db: Database, *letters: dead_letters.Letter) -> None:
    with db.atomic():
        assert dead_letters.insert(db, 1, letters) == len(letters)


def assert_sound(db: Database) -> None:
    """FTS5's own check: each index has exactly the words of its content."""
    for index in INDEXES:
        db.execute(f"INSERT INTO {index} ({index}, rank) VALUES ('integrity-check', 1)")


BINARY = bytes(range(256)) * 40


def test_what_is_deleted_or_changed_leaves_the_indexes_sound(db: Database) -> None:
    store(
        db,
        letter(0, value=b"alpha beta", original_key=b"key-one", headers=(("h", b"1"),)),
        letter(1, value=BINARY, original_key=BINARY, headers=(("b", BINARY),)),
        letter(2, value=b'{"original_value": "x"}', original_value=b"gamma", original_key=b""),
        letter(3, value=None, key=None),
        letter(4, value=b"alpha \0 delta"),
    )
    assert_sound(db)
    assert q.count(db, LetterFilter(text="delta")) == 1
    db.execute(
        "UPDATE dead_letter_records SET value = X'7a65746120', searched = NULL WHERE letter = 3"
    )
    db.execute("UPDATE dead_letters SET original_key_text = 'another' WHERE id IN (1, 4)")
    assert_sound(db)
    assert q.count(db, LetterFilter(text="gamma")) == 0
    assert q.count(db, LetterFilter(text="zeta")) == 1
    assert q.count(db, LetterFilter(key_contains="nothe")) == 2
    for id_ in (1, 2, 3, 4):
        db.execute("DELETE FROM dead_letters WHERE id = ?", [id_])
        assert_sound(db)
    assert q.count(db, LetterFilter(text="alpha")) == 1
    assert q.count(db, LetterFilter(header="h=1")) == 0
    assert db.execute("SELECT count(*) FROM letter_headers").fetchone() == (1,)


def test_an_index_that_lost_a_letter_is_told_from_a_sound_one(db: Database) -> None:
    store(db, letter(0, value=b"alpha"))
    db.execute("INSERT INTO letter_text (letter_text, rowid, value) VALUES ('delete', 1, 'alpha')")
    with pytest.raises(sqlite3.DatabaseError):
        assert_sound(db)


def test_a_payload_is_searched_up_to_the_cut(db: Database) -> None:
    filling = b"x " * (SEARCHED_BYTES // 2 - 5)
    store(db, letter(0, value=filling + b"inside     outside"))
    assert q.count(db, LetterFilter(text="inside")) == 1
    assert q.count(db, LetterFilter(text="outside")) == 0
    store(db, letter(1, value=b"{}", original_value=filling + b"within     without"))
    assert q.count(db, LetterFilter(text="within")) == 1
    assert q.count(db, LetterFilter(text="without")) == 0


def test_a_letter_that_could_not_be_stored_is_not_searched_either(db: Database) -> None:
    db.execute("BEGIN")
    dead_letters.insert(db, 1, [letter(0, value=b"ghost", original_key=b"ghost")])
    assert q.count(db, LetterFilter(text="ghost")) == 1
    db.execute("ROLLBACK")
    assert q.count(db, LetterFilter(text="ghost")) == 0
    assert q.count(db, LetterFilter(key_contains="ghost")) == 0
    assert_sound(db)


@pytest.mark.parametrize(
    ("text", "query"),
    [
        ("two words", '"two" AND "words"'),
        ('"one piece" more', '"one piece" AND "more"'),
        ("order-88*", '"order-88*" *'),
        ('"one pie"*', '"one pie" *'),
        ('un"closed', '"un""closed"'),
        ("-- ... !", None),
        ("", None),
    ],
)
def test_words_become_a_search_that_quotes_each(text: str, query: str | None) -> None:
    assert text_query(text) == query


ENVELOPE = json.dumps(
    {
        "original_topic": "orders",
        "original_value": base64.b64encode(b"wrapped order-5").decode(),
        "original_value_encoding": "base64",
        "original_headers": [["inner", base64.b64encode(b"yes").decode()]],
        "error": "boom",
    }
).encode()


def test_an_older_database_is_counted_and_searched_after_its_upgrade(tmp_path: Path) -> None:
    """As the first release left it: bytes beside the columns, no kinds, no indexes."""
    path = tmp_path / "old.db"
    old = Database(sqlite3.connect(path))
    old.execute("PRAGMA foreign_keys = ON")
    first_release = Migrations("ackboard")
    first_release._migrations = [each for each in migrations._migrations if each.name < "m0007"]
    first_release.apply(old)
    values = [
        (0, b"key-one", b"plain order-4", [("trace", b"abc")], "new"),
        (1, b"key-two", ENVELOPE, [("mark", b"1")], "replay_failed"),
        (2, None, None, [], "replayed"),
        (3, b"key-four", b"{not json", [], "new"),
    ]
    with old.atomic():
        old.execute(
            "INSERT INTO clusters (cluster_id, kind, bootstrap_servers, first_seen_us) "
            "VALUES ('c', 'real', 'x', 1)"
        )
        old.execute(
            "INSERT INTO causes (fingerprint, version, title, first_seen_us, last_seen_us) "
            "VALUES ('f', 1, 't', 1, 2)"
        )
        for offset, key, value, headers, status in values:
            old.execute(
                "INSERT INTO dead_letters (cluster, topic, topic_id, partition, offset, key, "
                "value, headers, size, convention, side, original_key_text, cause, status, "
                "stored_us) VALUES (1, 'dlq', '', 0, ?, ?, ?, ?, 1, 'x', 'unknown', ?, 1, ?, ?)",
                [
                    offset,
                    key,
                    value,
                    headers_to_json(headers),
                    None if key is None else key.decode(),
                    status,
                    offset * 3_600_000_000,
                ],
            )
    old.close()
    db = open_database(path)
    try:
        assert_sound(db)
        assert q.count(db, LetterFilter()) == len(values)
        assert q.count(db, LetterFilter(statuses=("new",))) == 3
        assert q.count(db, LetterFilter(since_us=3_600_000_000, until_us=7_200_000_001)) == 2
        for wanted, ids in (
            (LetterFilter(text="order-4"), [1]),
            (LetterFilter(text="wrapped"), [2]),
            (LetterFilter(header="inner=yes"), [2]),
            (LetterFilter(header="trace=abc"), [1]),
            (LetterFilter(header="mark"), [2]),
            (LetterFilter(key_contains="y-four"), [4]),
            (LetterFilter(text="json"), [4]),
        ):
            assert [row.id for row in q.page(db, wanted, limit=9)] == ids, wanted
        with db.atomic():
            assert dead_letters.insert(db, 1, [letter(9, topic="dlq")]) == 1
        assert q.newest_id(db) == len(values) + 1
        assert_sound(db)
    finally:
        db.close()
