"""What pages and the terminal are told of plans and their records."""

from __future__ import annotations

from functools import partial

import pytest

from producer_agent.replay.original import Refused
from producer_agent.store import replay_plans, replays
from producer_agent.store.queries import replays as queries
from producer_agent.store.reader import Reader
from producer_agent.store.replays import Settled
from producer_agent.store.writer import Writer
from tests.replay.room import Board, FakeCluster, original

N = 6


@pytest.fixture
def board(writer: Writer, reader: Reader) -> Board:
    return Board(writer, reader, FakeCluster())


def send(board: Board, plan: int, *outcomes: Settled) -> None:
    """Take all of a plan's records, and settle some."""
    intend = partial(
        replays.intend, plan=plan, batch=0, most=len(outcomes), most_bytes=10**9, tell=True
    )
    board.writer.call(intend)
    board.writer.call(partial(replays.settle, plan=plan, outcomes=outcomes))


def test_a_plan_is_counted_with_its_rate(board: Board) -> None:
    plan = board.make(board.store(*(original(at) for at in range(N))))
    assert board.plan(plan).counts.rate_per_s is None
    board.writer.call(partial(replay_plans.set_state, plan=plan, state="running"))
    landed = [Settled(at, "done", None, 0, at) for at in range(3)]
    send(board, plan, *landed, Settled(3, "failed", "too large"))
    board.change(
        "UPDATE replays SET settled_us = (SELECT started_us FROM replay_plans) "
        "+ 1000000 * (sequence + 1)"
    )
    counts = board.plan(plan).counts
    assert counts.by_state == {"done": 3, "failed": 1, "planned": 2}
    assert (counts.total, counts.to_send, counts.done, counts.left) == (N, N, 3, 2)
    assert counts.rate_per_s == pytest.approx(1.0)


def test_refusals_are_told_by_reason_the_most_frequent_first(board: Board) -> None:
    """Reasons that differ in the number of a letter only are one."""
    board.make(board.store(Refused("of another plan")))
    empty = board.store(*(Refused("it holds nothing") for _ in range(4)))
    first = board.store(*(original(at) for at in range(3)))
    twins = board.store(*(original(at) for at in range(3)), topic="dead-2", first=0)
    plan = board.make([*empty, *first, *twins])
    told = board.reader(partial(queries.refusals, plan_id=plan))
    assert [(n, letter) for _, n, letter in told] == [(4, empty[0]), (3, twins[0])]
    assert told[0][0] == "it holds nothing"
    assert "dead-lettered twice" in told[1][0]


def test_records_are_told_by_state_and_in_pages(board: Board) -> None:
    ids = board.store(*(original(at) for at in range(N)))
    plan = board.make(ids)
    send(board, plan, Settled(0, "done", None, 0, 40), Settled(1, "failed", "too large"))
    ask = partial(queries.records, plan_id=plan)
    (failed,) = board.reader(partial(ask, states=["failed"]))
    assert (failed.sequence, failed.dead_letter, failed.reason) == (1, ids[1], "too large")
    assert failed.key_text == "key-1"
    paged = board.reader(partial(ask, states=["planned", "done"], limit=2, offset=1))
    assert [record.sequence for record in paged] == [2, 3]
    assert board.reader(partial(ask, came_back=True)) == ()
    board.come_back(plan, 0)
    assert [record.sequence for record in board.reader(partial(ask, came_back=True))] == [0]
    assert board.plan(plan).counts.came_back == 1


def test_plans_come_newest_first_and_those_that_are_over_are_not_open(board: Board) -> None:
    ids = board.store(original(0))
    made = [board.make(ids) for _ in range(4)]
    for plan, state in zip(made, ("done", "stopped", "cancelled", "paused"), strict=True):
        board.writer.call(partial(replay_plans.set_state, plan=plan, state=state))
    told = board.reader(partial(queries.plans, limit=2, offset=1))
    assert [plan.row.id for plan in told] == [made[2], made[1]]
    assert [plan.row.id for plan in board.reader(queries.open_plans)] == [made[3], made[1]]
    assert board.reader(queries.count_plans) == 4
    assert board.reader(partial(queries.plan, plan_id=99)) is None
