"""A plan is made in the order of sending, and is frozen before anything is sent."""

from __future__ import annotations

import random
from functools import partial

import pytest

from producer_agent.replay.partitioners import java_partition
from producer_agent.replay.selection import Selection
from producer_agent.store import letter_edits
from producer_agent.store.queries.letter_filter import LetterFilter
from tests.recording import rows
from tests.replay.room import TOPIC, Board, FakeCluster, original


def test_records_are_sent_in_the_order_that_they_had_whatever_order_they_failed_in(
    board: Board,
) -> None:
    places = [(1, 5), (0, 9), (1, 2), (0, 3), (0, 30)]
    ids = board.store(*(original(offset, partition=part) for part, offset in places))
    random.Random(3).shuffle(ids)
    plan = board.make(ids)
    sent = rows(
        board.reader,
        "SELECT d.original_partition, d.original_offset FROM replays r "
        "JOIN dead_letters d ON d.id = r.dead_letter WHERE r.plan = ? ORDER BY r.sequence",
        plan,
    )
    assert sent == sorted(places)


def test_events_that_were_never_stored_go_in_the_order_of_their_run(board: Board) -> None:
    first = board.store(original(0, partition=None, offset=None), run_uuid="a", sequence=9)
    second = board.store(original(1, partition=None, offset=None), run_uuid="a", sequence=4)
    plan = board.make([*first, *second])
    assert [record.dead_letter for record in board.records(plan)] == [*second, *first]


def test_a_letter_given_twice_is_planned_once(board: Board) -> None:
    ids = board.store(original(0))
    assert len(board.records(board.make(ids * 501))) == 1


def test_a_plan_larger_than_a_chunk_is_planned_whole_and_in_order(
    board: Board, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("producer_agent.replay.planner.CHUNK", 3)
    ids = board.store(*(original(at) for at in range(10)))
    plan = board.make(ids)
    records = board.records(plan)
    assert [record.dead_letter for record in records] == ids
    assert [record.sequence for record in records] == list(range(10))


def test_an_edit_is_sent_in_place_of_the_original_and_shown_as_one(board: Board) -> None:
    ids = board.store(original(0), original(1))
    edit = board.writer.call(
        partial(
            letter_edits.save,
            letter=ids[0],
            who="kim",
            key=b"other key",
            value=None,
            headers=[("h", b"1")],
        )
    )
    plan = board.make(ids)
    assert [record.edited for record in board.records(plan)] == [True, False]
    assert board.plan(plan).row.findings["edited"] == 1
    assert rows(board.reader, "SELECT edit, own_bytes FROM replays ORDER BY sequence") == [
        (edit, 0), (None, 1),
    ]  # fmt: skip


def test_a_withdrawn_edit_is_not_sent(board: Board) -> None:
    ids = board.store(original(0))
    board.writer.call(
        partial(letter_edits.save, letter=ids[0], who="kim", key=None, value=b"x", headers=[])
    )
    board.writer.call(partial(letter_edits.withdraw, letter=ids[0]))
    assert [record.edited for record in board.records(board.make(ids))] == [False]


def test_an_edited_key_decides_the_partition_where_the_old_one_is_not_known(board: Board) -> None:
    ids = board.store(original(0, partition=None))
    board.writer.call(
        partial(letter_edits.save, letter=ids[0], who="kim", key=b"new", value=b"x", headers=[])
    )
    (record,) = board.records(board.make(ids))
    assert record.target_partition == java_partition(b"new", 3)


def test_what_arrives_after_the_plan_was_asked_for_stays_out(board: Board) -> None:
    board.store(original(0), original(1))
    frozen = board.reader(Selection(wanted=LetterFilter(topic=TOPIC)).frozen)
    again = Selection.from_json(frozen.to_json())
    late = board.store(original(2))
    assert len(board.reader(again.ids)) == 2
    assert late[0] not in board.reader(again.ids)
    assert len(board.reader(Selection(wanted=LetterFilter(topic=TOPIC)).ids)) == 3


def test_consumer_groups_that_will_see_the_records_again_are_named(
    board: Board, fake_cluster: FakeCluster
) -> None:
    fake_cluster.groups = {TOPIC: ["billing", "shipping"], "other": ["x"]}
    ids = board.store(original(0))
    assert board.plan(board.make(ids)).row.findings["groups"] == {TOPIC: ["billing", "shipping"]}
    assert board.plan(board.make(ids, ask_groups=False)).row.findings["groups"] is None


def test_what_may_lie_there_already_and_cannot_be_known_there_is_counted(board: Board) -> None:
    ids = board.store(original(0, identity=None), may_be_stored=True)
    findings = board.plan(board.make(ids)).row.findings
    assert (findings["not_looked_for"], findings["looked_for"]) == (1, 0)


def test_a_plan_whose_making_was_cut_off_is_made_again_from_the_start(board: Board) -> None:
    ids = board.store(original(0), original(1))
    plan = board.make(ids)
    board.change("UPDATE replay_plans SET state = 'planning'")
    board.make_again(plan, ids)
    assert board.states(plan) == ["planned"] * 2
    assert board.state(plan) == "planned"


@pytest.mark.parametrize("noticed", [True, False])
def test_a_plan_cancelled_while_it_is_made_stays_cancelled(board: Board, noticed: bool) -> None:
    ids = board.store(original(0))
    plan = board.make(ids)
    board.change("UPDATE replay_plans SET state = 'cancelled'")
    board.make_again(plan, ids, stopped=noticed)
    assert board.state(plan) == "cancelled"
    assert len(board.records(plan)) == (0 if noticed else 1)


def test_a_letter_that_somebody_edits_is_left_to_them(board: Board) -> None:
    """What they have not saved yet would be lost without a word."""
    edited, other = board.store(original(0), original(1))
    board.writer.call(partial(letter_edits.lock, letter=edited, who="kim"))
    first, second = board.records(board.make([edited, other]))
    assert (first.state, second.state) == ("refused", "planned")
    assert first.reason == "kim is editing it: save or discard that first"


def test_a_plan_that_can_send_nothing_waits_for_nobody(board: Board) -> None:
    plan = board.make(board.store(original(0, topic="missing")))
    row = board.plan(plan).row
    assert (row.state, row.reason) == ("done", "nothing of it can be sent")
