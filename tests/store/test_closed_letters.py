"""Closed letters are deleted after the time that their topic's policy says, and nothing else is."""

from __future__ import annotations

import uuid
from functools import partial

import pytest

from producer_agent.store import dead_letter_policies, dead_letters
from producer_agent.store.closed_letters import CLOSED
from producer_agent.store.dead_letter_policies import Policy
from producer_agent.store.reader import Reader
from producer_agent.store.retention import Keep, trim
from producer_agent.store.writer import Writer
from tests.recording import letter, register_cluster, rows

NOW_S = 1_800_000_000
DAY_US = 86_400_000_000
NOW_US = NOW_S * 1_000_000


def store(writer: Writer, *statuses: str, topic: str = "a-dlt", age_days: float = 40) -> list[int]:
    """Letters of these statuses, stored so long ago; their ids."""
    cluster = register_cluster(writer)
    places = rows(Reader(writer.path), "SELECT count(*) FROM dead_letters")[0]
    letters = [letter(places + at, topic=topic) for at in range(len(statuses))]
    writer.call(partial(dead_letters.insert, cluster=cluster, letters=letters))
    ids = rows(Reader(writer.path), "SELECT id FROM dead_letters ORDER BY id")[-len(statuses) :]
    for id_, status in zip(ids, statuses, strict=True):
        run(
            writer,
            "UPDATE dead_letters SET status = ?, stored_us = ? WHERE id = ?",
            status,
            int(NOW_US - age_days * DAY_US),
            id_,
        )
    return ids


def run(writer: Writer, sql: str, *values: object) -> None:
    writer.call(lambda db: db.execute(sql, list(values)))


def save(writer: Writer, policy: Policy) -> None:
    writer.call(partial(dead_letter_policies.save, policy=policy))


def trim_all(writer: Writer) -> int:
    gone = 0
    while step := writer.call(partial(trim, now_s=float(NOW_S), keep=Keep(10**9, 1e9, 1e9))):
        gone += step
        assert gone < 100_000, "it never ends"
    return gone


def left(reader: Reader) -> list[int]:
    assert rows(reader, "PRAGMA foreign_key_check") == []
    assert rows(reader, "SELECT letter FROM dead_letter_records ORDER BY 1") == rows(
        reader, "SELECT id FROM dead_letters ORDER BY 1"
    )
    return rows(reader, "SELECT id FROM dead_letters ORDER BY id")


def replayed(writer: Writer, id_: int, plan_state: str, settled_days: float = 40) -> None:
    """A letter's row in the ledger of a plan."""
    name = uuid.uuid4().hex
    run(
        writer,
        "INSERT INTO replay_plans (uuid, title, selection, options, state, made_by, made_us) "
        "VALUES (?, 't', '{}', '{}', ?, 'me', 1)",
        name,
        plan_state,
    )
    run(
        writer,
        "INSERT INTO replays (plan, sequence, dead_letter, state, status_before, planned_us, "
        "settled_us) SELECT id, 0, ?, 'done', 'new', 1, ? FROM replay_plans WHERE uuid = ?",
        id_,
        int(NOW_US - settled_days * DAY_US),
        name,
    )


def test_without_a_policy_that_says_so_nothing_is_deleted(writer: Writer, reader: Reader) -> None:
    ids = store(writer, *CLOSED)
    save(writer, Policy("a-dlt"))
    save(writer, Policy("b-dlt", keep_closed_days=1.0))
    assert trim_all(writer) == 0
    assert left(reader) == ids


def test_closed_letters_go_after_their_time_and_open_ones_never(
    writer: Writer, reader: Reader
) -> None:
    store(writer, *CLOSED)
    young = store(writer, *CLOSED, age_days=20)
    open_ones = store(writer, "new", "acknowledged", "replaying", age_days=4_000)
    save(writer, Policy("^a-", keep_closed_days=30.0))
    assert trim_all(writer) == len(CLOSED)
    assert left(reader) == [*young, *open_ones]


def test_a_topics_own_policy_counts_and_not_a_pattern_that_covers_it_too(
    writer: Writer, reader: Reader
) -> None:
    kept = store(writer, "archived", topic="a-dlt")
    store(writer, "archived", topic="b-dlt")
    save(writer, Policy("^.*-dlt$", keep_closed_days=30.0))
    save(writer, Policy("a-dlt"))
    trim_all(writer)
    assert left(reader) == kept


def test_what_was_closed_or_replayed_only_lately_stays(writer: Writer, reader: Reader) -> None:
    resolved, sent, old = store(writer, "resolved", "replayed", "archived")
    run(
        writer,
        "INSERT INTO letter_actions (letter, command, before, after, at_us) "
        "VALUES (?, 1, 'new', 'resolved', ?)",
        resolved,
        NOW_US - DAY_US,
    )
    replayed(writer, sent, "done", settled_days=1)
    assert old
    save(writer, Policy("a-dlt", keep_closed_days=30.0))
    trim_all(writer)
    assert left(reader) == [resolved, sent]


@pytest.mark.parametrize("state", ["running", "paused", "stopped", "planned"])
def test_a_letter_that_a_plan_still_needs_stays(writer: Writer, reader: Reader, state: str) -> None:
    needed, over = store(writer, "replayed", "replayed")
    replayed(writer, needed, state)
    replayed(writer, over, "done")
    save(writer, Policy("a-dlt", keep_closed_days=30.0))
    trim_all(writer)
    assert left(reader) == [needed]
    assert rows(reader, "SELECT dead_letter FROM replays") == [needed]


def test_a_later_life_of_the_record_stays_and_forgets_the_earlier_one(
    writer: Writer, reader: Reader
) -> None:
    (earlier,) = store(writer, "replayed")
    (later,) = store(writer, "new", age_days=1)
    run(writer, "UPDATE dead_letters SET previous = ?, times_back = 1 WHERE id = ?", earlier, later)
    save(writer, Policy("a-dlt", keep_closed_days=30.0))
    trim_all(writer)
    assert left(reader) == [later]
    assert rows(reader, "SELECT previous, times_back FROM dead_letters") == [(None, 1)]


def test_edits_go_with_their_letter(writer: Writer, reader: Reader) -> None:
    (id_,) = store(writer, "resolved")
    run(
        writer,
        "INSERT INTO letter_edits (dead_letter, headers, who, made_us) VALUES (?, '[]', 'me', 1)",
        id_,
    )
    save(writer, Policy("a-dlt", keep_closed_days=30.0))
    trim_all(writer)
    assert left(reader) == []
    assert rows(reader, "SELECT count(*) FROM letter_edits") == [0]


def test_counts_agree_after_letters_went(writer: Writer, reader: Reader) -> None:
    store(writer, *(["archived"] * 1_200))
    store(writer, "new")
    save(writer, Policy("a-dlt", keep_closed_days=30.0))
    assert trim_all(writer) == 1_200
    assert rows(reader, "SELECT sum(n) FROM letter_counts") == [1]
