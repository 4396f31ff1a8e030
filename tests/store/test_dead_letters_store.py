"""Each dead letter is stored once, with how far its topic was read."""

from __future__ import annotations

from functools import partial

import pytest

from producer_agent.store import dead_letter_positions, dead_letters
from producer_agent.store.dead_letter_positions import Position
from producer_agent.store.dead_letters import Letter
from producer_agent.store.reader import Reader
from producer_agent.store.writer import Writer
from tests.recording import letter, register_cluster, rows


@pytest.fixture
def cluster(writer: Writer) -> int:
    return register_cluster(writer)


def insert(writer: Writer, cluster: int, *letters: Letter) -> int:
    return writer.call(partial(dead_letters.insert, cluster=cluster, letters=letters))


def stored(reader: Reader) -> list[tuple[str, int]]:
    return rows(reader, 'SELECT topic_id, "offset" FROM dead_letters ORDER BY id')


def test_a_record_read_twice_is_stored_once(writer: Writer, reader: Reader, cluster: int) -> None:
    assert insert(writer, cluster, letter(0), letter(1)) == 2
    assert insert(writer, cluster, letter(1), letter(2)) == 1
    assert stored(reader) == [("", 0), ("", 1), ("", 2)]


def test_positions_move_on_with_the_records_and_never_back(
    writer: Writer, reader: Reader, cluster: int
) -> None:
    insert(writer, cluster, letter(5), letter(6), letter(2, partition=1))
    insert(writer, cluster, letter(3))
    read = partial(dead_letter_positions.positions, cluster=cluster, topic="dead", topic_id="")
    assert reader(read) == {0: Position(7), 1: Position(3)}
    assert reader(partial(read.func, cluster=cluster, topic="dead", topic_id="x")) == {}


def test_one_offset_of_another_cluster_or_incarnation_is_another_record(
    writer: Writer, reader: Reader, cluster: int
) -> None:
    other = register_cluster(writer, "another")
    assert insert(writer, cluster, letter(0)) == 1
    assert insert(writer, other, letter(0)) == 1
    assert insert(writer, cluster, letter(0, topic_id="B")) == 1
    assert len(stored(reader)) == 3


def test_a_letter_that_was_published_twice_is_one_and_its_offset_is_passed(
    writer: Writer, reader: Reader, cluster: int
) -> None:
    assert insert(writer, cluster, letter(0, letter_id="r:1"), letter(1, letter_id="r:1")) == 1
    read = partial(dead_letter_positions.positions, cluster=cluster, topic="dead", topic_id="")
    assert reader(read) == {0: Position(2)}


@pytest.mark.parametrize(
    "other", [{"value": b"different"}, {"key": None}, {"letter_id": "r:2"}, {"topic": "dead2"}]
)
def test_a_record_that_only_claims_to_be_a_known_letter_is_kept(
    writer: Writer, reader: Reader, cluster: int, other: dict[str, object]
) -> None:
    insert(writer, cluster, letter(0, letter_id="r:1"))
    assert insert(writer, cluster, letter(1, **{"letter_id": "r:1", **other})) == 1


TEXTS = (
    "topic_id",
    "original_topic",
    "error_class",
    "error_message",
    "profile",
    "run_uuid",
    "letter_id",
    "replay_id",
    "cause_title",
    "convention",
)


@pytest.mark.parametrize("field", TEXTS)
def test_no_text_of_a_record_can_keep_it_from_being_stored(
    writer: Writer, reader: Reader, cluster: int, field: str
) -> None:
    """A lone surrogate, NUL, control characters and HTML: JSON can carry them all."""
    text = "\ud800 \0 \x1b <script>\u202e"
    assert insert(writer, cluster, letter(0, **{field: text, "original_key": b"\xff\0"})) == 1
    if field not in ("cause_title",):
        (kept,) = rows(reader, f"SELECT {field} FROM dead_letters")
        assert kept == "? \0 \x1b <script>\u202e"


def test_a_cause_is_one_row_with_its_first_and_last_sight(
    writer: Writer, reader: Reader, cluster: int
) -> None:
    insert(writer, cluster, letter(0))
    insert(writer, cluster, letter(1))
    ((n, ordered),) = rows(reader, "SELECT count(*), min(first_seen_us < last_seen_us) FROM causes")
    assert (n, ordered) == (1, 1)


def test_a_long_key_is_cut_for_the_list_and_kept_whole_in_the_record(
    writer: Writer, reader: Reader, cluster: int
) -> None:
    insert(writer, cluster, letter(0, key=b"k" * 5_000, original_key=b"o" * 5_000))
    assert rows(
        reader,
        "SELECT length(r.key), length(d.original_key_text), d.size "
        "FROM dead_letters d JOIN dead_letter_records r ON r.letter = d.id",
    ) == [(5_000, 200, 5_001)]


def test_the_id_of_a_topic_is_adopted_for_what_was_read_before_it_was_told(
    writer: Writer, reader: Reader, cluster: int
) -> None:
    insert(writer, cluster, letter(0), letter(1))
    latest = partial(dead_letter_positions.latest_topic_id, cluster=cluster, topic="dead")
    assert reader(latest) == ""
    adopt = dead_letter_positions.adopt_topic_id
    writer.call(partial(adopt, cluster=cluster, topic="dead", topic_id="A"))

    assert stored(reader) == [("A", 0), ("A", 1)]
    assert reader(latest) == "A"
    read = partial(dead_letter_positions.positions, cluster=cluster, topic="dead", topic_id="A")
    assert reader(read) == {0: Position(2)}
