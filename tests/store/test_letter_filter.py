"""What a filter keeps, and how it travels as JSON."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import fields
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlite_utils import Database

from producer_agent.store import dead_letters, runs
from producer_agent.store.database import open_database
from producer_agent.store.queries import dead_letters as q
from producer_agent.store.queries import letter_order
from producer_agent.store.queries.letter_filter import (
    STATUSES,
    FilterInvalid,
    LetterFilter,
    filter_from_json,
    filter_to_json,
)
from tests.recording import letter

LETTERS = (
    {
        "topic": "orders-dlt",
        "original_topic": "orders",
        "original_key": b"Customer-17",
        "side": "consumer",
        "convention": "spring-recoverer",
        "consumer_group": "billing",
        "error_class": "java.sql.SQLException",
        "fingerprint": "a",
        "value": b'{"order": "order-8812", "mail": "kim@example.com", "n": "caf\xc3\xa9 au lait"}',
        "headers": (("trace", b"abc=1"), ("empty", b""), ("none", None), ("bin", b"\xff\x00")),
        "original_timestamp_ms": 300,
    },
    {
        "topic": "dead-letter-queue",
        "original_topic": "payments",
        "original_key": b"customer-18",
        "side": "producer",
        "convention": "ackboard",
        "profile": "critical",
        "error_class": "NOT_ENOUGH_REPLICAS",
        "error_code": 19,
        "fingerprint": "b",
        "value": b'{"original_value": "aGlkZGVu", "original_value_encoding": "base64"}',
        "original_value": b"hidden order-8813",
        "original_headers": (("inner", b"yes"),),
        "original_timestamp_ms": 100,
    },
    {
        "topic": "connect-dlq",
        "original_topic": "orders",
        "side": "consumer",
        "convention": "kafka-connect",
        "connector": "sink",
        "error_class": "org.apache.kafka.connect.errors.DataException",
        "fingerprint": "c",
        "value": b"\x00\x00\x00\x00\x2a\x10avro\xff9914" + b" x" * 5_000 + b" lastword",
    },
    {"topic": "parking", "fingerprint": "d", "value": None, "key": None},
)


@pytest.fixture(scope="module")
def stored(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Database]:
    """Four letters, 1 to 4, of four makers."""
    db = open_database(tmp_path_factory.mktemp("letters") / "ackboard.db")
    with db.atomic():
        cluster = runs.register_cluster(db, "test", "real", "127.0.0.1:1")
        rows = [letter(at, **values) for at, values in enumerate(LETTERS)]  # type: ignore[arg-type]
        assert dead_letters.insert(db, cluster, rows) == len(LETTERS)
    yield db
    db.close()


@pytest.fixture
def db(stored: Database) -> Iterator[Database]:
    """The same for each test: what one changes is undone."""
    stored.execute("BEGIN")
    yield stored
    stored.execute("ROLLBACK")


def kept(db: Database, **wanted: Any) -> list[int]:
    """Ids, by way of the list, the count, the summary and the export, which have to agree."""
    chosen = LetterFilter(**wanted)
    ids = sorted(row.id for row in q.page(db, chosen, limit=100))
    assert q.count(db, chosen) == q.summary(db, chosen).total == len(ids)
    assert [place.id for place in letter_order.places(db, chosen, limit=100)] == ids
    assert letter_order.ids(db, chosen) == ids
    assert filter_from_json(json.loads(json.dumps(filter_to_json(chosen)))) == chosen
    return ids


@pytest.mark.parametrize(
    ("wanted", "ids"),
    [
        ({"dead_letter_topic": "parking"}, [4]),
        ({"topic": "orders"}, [1, 3]),
        ({"topic": "orders", "side": "producer"}, []),
        ({"convention": "kafka-connect"}, [3]),
        ({"consumer_group": "billing"}, [1]),
        ({"profile": "critical"}, [2]),
        ({"error": "19"}, [2]),
        ({"error": "-19"}, []),
        ({"error": "sqlexception"}, [1]),
        ({"error": "Exception"}, [1, 3]),
        ({"error": "%"}, []),
        ({"error": "NOT_ENOUGH"}, [2]),
        ({"statuses": ("archived",)}, []),
        ({"statuses": ("new",), "cause": 3}, [3]),
        ({"came_back": True}, []),
        ({"plan": 1}, []),
        ({"up_to_id": 2}, [1, 2]),
        ({"up_to_id": 0}, []),
    ],
)
def test_each_filter_keeps_its_own_and_survives_json(
    db: Database, wanted: dict[str, Any], ids: list[int]
) -> None:
    assert kept(db, **wanted) == ids


@pytest.mark.parametrize(
    ("text", "ids"),
    [
        ("order-8812", [1]),
        ("ORDER-8812", [1]),
        ("8812", [1]),
        ("order-881*", [1, 2]),
        ("881*", [1, 2]),
        ("order-88", []),
        ("kim@example.com", [1]),
        ("example", [1]),
        ("cafe", [1]),
        ("lait café", [1]),
        ('"lait cafe"', []),
        ('"au lait"', [1]),
        ("hidden", [2]),
        ("aGlkZGVu", []),
        ("order", [1, 2]),
        ("avro", [3]),
        ("9914", [3]),
        ("lastword", []),
        ("---", []),
        ("x", [3]),
    ],
)
def test_words_are_found_whole_or_by_their_beginning_wherever_they_stand(
    db: Database, text: str, ids: list[int]
) -> None:
    assert kept(db, text=text) == ids


@pytest.mark.parametrize(
    "text",
    [
        '"',
        'a" OR "b',
        "NEAR(order, 5)",
        "value: order",
        "NOT order",
        "(",
        "order OR",
        "^order",
        "*",
        "a\0b",
        "{order}",
        "order AND (",
        "-",
        '""""',
        "\ud800 order",
        "' OR 1=1 --",
    ],
)
def test_nothing_a_person_types_is_read_as_the_language_of_the_search(
    db: Database, text: str
) -> None:
    assert kept(db, text=text, statuses=("new",)) in ([], [1, 2])


def test_words_that_are_operators_elsewhere_are_words_here(db: Database) -> None:
    assert kept(db, text="order OR nowhere") == []
    assert kept(db, text="order NOT hidden") == []


@pytest.mark.parametrize(
    ("header", "ids"),
    [
        ("trace", [1]),
        ("TRACE", []),
        ("trace=abc=1", [1]),
        ("trace=abc", []),
        ("empty=", [1]),
        ("none=", []),
        ("none", [1]),
        ("inner=yes", [2]),
        ("abc", []),
        ("", []),
        ("=", []),
    ],
)
def test_a_header_is_found_by_its_name_and_by_its_exact_value(
    db: Database, header: str, ids: list[int]
) -> None:
    assert kept(db, header=header) == ids


@pytest.mark.parametrize(
    ("part", "ids"),
    [
        ("omer-1", [1, 2]),
        ("CUSTOMER-17", [1]),
        ("17", [1]),
        ("1", [1, 2]),
        ('"', []),
        ('er-"1', []),
        ("nowhere", []),
        ("r-17", [1]),
        ("\0\0\0", []),
    ],
)
def test_a_key_is_found_by_any_part_of_it(db: Database, part: str, ids: list[int]) -> None:
    assert kept(db, key_contains=part) == ids


def test_time_keeps_from_and_before_to_the_microsecond(db: Database) -> None:
    hour_us = 3_600_000_000
    for id_, at_us in ((1, hour_us - 1), (2, hour_us), (3, 3 * hour_us), (4, 5 * hour_us + 7)):
        db.execute("UPDATE dead_letters SET stored_us = ? WHERE id = ?", [at_us, id_])
    for since_us in (0, 1, hour_us - 1, hour_us, hour_us + 1, 3 * hour_us, 6 * hour_us):
        for until_us in (hour_us, hour_us + 1, 3 * hour_us + 5, 5 * hour_us + 7, 9 * hour_us):
            stored = db.execute(
                "SELECT id FROM dead_letters WHERE stored_us >= ? AND stored_us < ? ORDER BY id",
                [since_us, until_us],
            ).fetchall()
            assert kept(db, since_us=since_us, until_us=until_us) == [row[0] for row in stored]


@pytest.mark.parametrize(
    ("sort", "descending", "ids"),
    [
        ("stored", True, [4, 3, 2, 1]),
        ("stored", False, [1, 2, 3, 4]),
        ("size", True, [3, 1, 2, 4]),
        ("size", False, [4, 2, 1, 3]),
        ("original_time", True, [1, 2, 4, 3]),
        ("original_time", False, [2, 1, 3, 4]),
        ("times_back", True, [2, 4, 3, 1]),
    ],
)
def test_a_list_is_sorted_and_what_is_alike_stands_by_its_number(
    db: Database, sort: Any, descending: bool, ids: list[int]
) -> None:
    db.execute("UPDATE dead_letters SET times_back = 1 WHERE id = 2")
    for wanted in (LetterFilter(), LetterFilter(statuses=("new",))):
        rows = q.page(db, wanted, limit=10, sort=sort, descending=descending)
        assert [row.id for row in rows] == ids
        second = q.page(db, wanted, limit=1, offset=1, sort=sort, descending=descending)
        assert [row.id for row in second] == ids[1:2]


@pytest.mark.parametrize(
    ("told", "words"),
    [
        ({"topik": "orders"}, "has no 'topik'"),
        ([], "not list"),
        ("{}", "not str"),
        ({"topic": 7}, "topic is text"),
        ({"cause": "7"}, "cause is a whole number"),
        ({"cause": True}, "cause is a whole number"),
        ({"cause": 2**63}, "no number of this database"),
        ({"statuses": "new"}, "statuses is a list"),
        ({"statuses": ["new", "open"]}, "no status 'open'"),
        ({"side": "left"}, "no side 'left'"),
        ({"text": None}, "text is text"),
        ({"came_back": 1}, "came_back is true or false"),
    ],
)
def test_json_that_is_no_filter_is_refused_by_name(told: object, words: str) -> None:
    with pytest.raises(FilterInvalid, match=words):
        filter_from_json(told)


TEXT = st.text(st.characters(codec="utf-8"), max_size=20)
ANY_FILTER = st.builds(
    LetterFilter,
    topic=st.none() | TEXT,
    cause=st.none() | st.integers(-(2**63), 2**63 - 1),
    side=st.sampled_from([None, "producer", "consumer", "unknown"]),
    statuses=st.none() | st.lists(st.sampled_from(STATUSES)).map(tuple),
    since_us=st.none() | st.integers(0, 2**62),
    key_contains=TEXT,
    header=st.none() | TEXT,
    text=TEXT,
    came_back=st.booleans(),
)


@given(ANY_FILTER)
def test_any_filter_comes_back_from_json_as_it_was(wanted: LetterFilter) -> None:
    told = filter_to_json(wanted)
    assert filter_from_json(json.loads(json.dumps(told))) == wanted
    assert all(
        told[name] != field.default for field in fields(wanted) if (name := field.name) in told
    )


@pytest.mark.parametrize("field", ["topic", "error", "key_contains", "header", "text", "profile"])
def test_what_is_no_utf_8_on_a_command_line_finds_nothing_and_breaks_nothing(
    db: Database, field: str
) -> None:
    wanted: dict[str, Any] = {field: "\udcff\udcfe\udcff"}
    assert q.count(db, LetterFilter(**wanted)) == 0


@given(text=st.text(max_size=30), header=st.text(max_size=30), key=st.text(max_size=30))
def test_any_text_can_be_asked_for(stored: Database, text: str, header: str, key: str) -> None:
    for wanted in (
        LetterFilter(text=text),
        LetterFilter(header=header),
        LetterFilter(key_contains=key),
    ):
        assert q.count(stored, wanted) == len(q.page(stored, wanted, limit=5))
