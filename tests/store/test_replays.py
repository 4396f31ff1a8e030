"""The ledger lets a dead letter be replayed once, and says what came of it."""

from __future__ import annotations

from functools import partial

import pytest

from producer_agent.store import dead_letters, replays
from producer_agent.store.reader import Reader
from producer_agent.store.replays import ReplayOutcome
from producer_agent.store.writer import Writer
from tests.recording import letter, register_cluster, rows


@pytest.fixture
def letters(writer: Writer, reader: Reader) -> list[int]:
    cluster = register_cluster(writer)
    sent = [letter(at, headers=(("h", b"\xff"), ("n", None))) for at in range(3)]
    writer.call(partial(dead_letters.insert, cluster=cluster, letters=sent))
    return rows(reader, "SELECT id FROM dead_letters ORDER BY id")


def intend(writer: Writer, dead_letter: int, replay_id: str) -> int | None:
    return writer.call(
        partial(
            replays.intend,
            dead_letter=dead_letter,
            replay_id=replay_id,
            target_topic="orders",
            command=7,
        )
    )


def settle(writer: Writer, row: int | None, dead_letter: int, state: str) -> None:
    assert row is not None
    outcome = ReplayOutcome(row, dead_letter, state, "why", 1, 2)
    writer.call(partial(replays.settle, outcomes=[outcome]))


@pytest.mark.parametrize(
    ("state", "status", "again"),
    [
        ("done", "replayed", False),
        ("unknown", "replay_unknown", False),
        ("failed", "replay_failed", True),
    ],
)
def test_only_what_surely_failed_may_be_tried_again(
    writer: Writer, reader: Reader, letters: list[int], state: str, status: str, again: bool
) -> None:
    row = intend(writer, letters[0], "a")
    assert intend(writer, letters[0], "b") is None, "a second press found no first"
    assert rows(reader, "SELECT status FROM dead_letters WHERE id = ?", letters[0]) == ["replaying"]
    settle(writer, row, letters[0], state)

    assert rows(reader, "SELECT status FROM dead_letters WHERE id = ?", letters[0]) == [status]
    live = reader(partial(replays.live, dead_letter=letters[0]))
    assert (live is None) is again
    assert (intend(writer, letters[0], "c") is not None) is again


def test_an_intent_left_by_a_crash_is_unknown_and_the_settled_stay(
    writer: Writer, reader: Reader, letters: list[int]
) -> None:
    settle(writer, intend(writer, letters[0], "a"), letters[0], "done")
    intend(writer, letters[1], "b")

    assert writer.call(partial(replays.settle_interrupted, reason="the agent died")) == 1
    assert writer.call(partial(replays.settle_interrupted, reason="the agent died")) == 0
    assert rows(reader, "SELECT state, reason FROM replays ORDER BY id") == [
        ("done", "why"),
        ("unknown", "the agent died"),
    ]
    assert rows(reader, "SELECT status FROM dead_letters ORDER BY id") == [
        "replayed",
        "replay_unknown",
        "new",
    ]


def test_a_replay_id_is_never_given_twice(
    writer: Writer, reader: Reader, letters: list[int]
) -> None:
    intend(writer, letters[0], "a")
    with pytest.raises(Exception, match=r"replays\.replay_id"):
        intend(writer, letters[1], "a")
    assert rows(reader, "SELECT status FROM dead_letters WHERE id = ?", letters[1]) == ["new"]


def test_a_letter_is_read_with_its_bytes(
    writer: Writer, reader: Reader, letters: list[int]
) -> None:
    found = reader(partial(replays.letter, dead_letter=letters[2]))
    assert found is not None
    assert (found.offset, found.key, found.value) == (2, b"k", b"v")
    assert list(found.headers) == [("h", b"\xff"), ("n", None)]
    assert reader(partial(replays.letter, dead_letter=999)) is None
