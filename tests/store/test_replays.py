"""The ledger lets a dead letter be replayed once, and says what came of it."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import pytest
from sqlite_utils import Database

from producer_agent.store import dead_letters, letter_edits, replay_plans, replays
from producer_agent.store.queries import replays as queries
from producer_agent.store.reader import Reader
from producer_agent.store.replays import PlannedRecord, Settled
from producer_agent.store.writer import Writer
from tests.recording import letter, register_cluster, rows

N = 6

Make = Callable[..., int]


@pytest.fixture
def letters(writer: Writer, reader: Reader) -> list[int]:
    """Six letters of a kilobyte each."""
    cluster = register_cluster(writer)
    sent = [
        letter(at, value=b"%d" % at * 1_000, headers=(("h", b"\xff"), ("n", None)))
        for at in range(N)
    ]
    writer.call(partial(dead_letters.insert, cluster=cluster, letters=sent))
    return rows(reader, "SELECT id FROM dead_letters ORDER BY id")


@pytest.fixture
def make(writer: Writer, letters: list[int]) -> Make:
    """Makes a plan of letters, its id is returned."""

    def made(of: Sequence[int] | None = None, **changes: Any) -> int:
        def write(db: Database) -> int:
            plan = replay_plans.create(
                db,
                uuid=uuid.uuid4().hex,
                cluster=1,
                title="test",
                selection={},
                options={},
                made_by="kim",
            )
            replays.write_planned(
                db, plan, [planned(at, row, **changes) for at, row in enumerate(of or letters)]
            )
            return plan

        return writer.call(write)

    return made


def planned(sequence: int, dead_letter: int, **changes: Any) -> PlannedRecord:
    fields: dict[str, Any] = {
        "status_before": "new",
        "edit": None,
        "headers": [("h", b"\xff"), ("n", None)],
        "own_bytes": True,
        "target_topic": "orders",
        "target_partition": 0,
        "state": "planned",
        "reason": None,
    }
    return PlannedRecord(sequence=sequence, dead_letter=dead_letter, **{**fields, **changes})


def intend(
    writer: Writer, plan: int, most: int = N, *, batch: int = 0, most_bytes: int = 10**9
) -> tuple[int, int] | None:
    return writer.call(
        partial(replays.intend, plan=plan, batch=batch, most=most, most_bytes=most_bytes, tell=True)
    )


def settle(writer: Writer, plan: int, *outcomes: Settled, tell: bool = True) -> None:
    writer.call(partial(replays.settle, plan=plan, outcomes=outcomes, tell=tell))


def states(reader: Reader, plan: int) -> list[str]:
    return rows(reader, "SELECT state FROM replays WHERE plan = ? ORDER BY sequence", plan)


def statuses(reader: Reader) -> list[str]:
    return rows(reader, "SELECT status FROM dead_letters ORDER BY id")


def counted(reader: Reader) -> dict[str, int]:
    """Letters by status, as the kept counts tell."""
    told = rows(reader, "SELECT status, sum(n) FROM letter_counts GROUP BY status")
    by_hour = rows(reader, "SELECT status, sum(n) FROM letter_hours GROUP BY status")
    assert sorted(told) == sorted(by_hour)
    return {status: n for status, n in told if n}


def test_a_batch_is_the_next_records_as_far_as_they_fit(
    writer: Writer, reader: Reader, make: Make
) -> None:
    plan = make()
    assert intend(writer, plan, 2) == (0, 1)
    assert intend(writer, plan, most_bytes=2_100) == (2, 3)
    assert intend(writer, plan, most_bytes=10) == (4, 4), "one that is too large goes alone"
    assert intend(writer, plan) == (5, 5)
    assert intend(writer, plan) is None
    assert states(reader, plan) == ["intent"] * N
    assert statuses(reader) == ["replaying"] * N
    assert counted(reader) == {"replaying": N}


def test_of_two_plans_of_one_letter_the_first_to_begin_sends_it(
    writer: Writer, reader: Reader, make: Make, letters: list[int]
) -> None:
    first, second = make(letters[:3]), make(letters)
    assert intend(writer, first) == (0, 2)
    assert intend(writer, second, 4) == (0, 3)
    assert states(reader, second) == ["refused"] * 3 + ["intent"] + ["planned"] * 2
    sending = reader(partial(replays.to_send, plan=second, first=0, last=3))
    assert [record.sequence for record in sending] == [3]
    third = make(letters[:4])
    assert intend(writer, third) is None, "a batch of which all is taken is none"
    (reason, *_) = rows(reader, "SELECT reason FROM replays WHERE plan = ?", second)
    assert reason == f"plan {first} sends or sent it"


@pytest.mark.parametrize("state", replays.LIVE)
def test_the_database_itself_allows_no_second_live_replay_of_a_letter(
    writer: Writer, make: Make, letters: list[int], state: str
) -> None:
    for _ in range(2):
        make(letters[:1])

    def both(db: Database) -> None:
        db.execute("UPDATE replays SET state = ?", [state])

    with pytest.raises(Exception, match=r"UNIQUE constraint failed: replays\.dead_letter"):
        writer.call(both)


def test_a_letter_archived_after_the_plan_was_made_is_not_sent(
    writer: Writer, reader: Reader, make: Make, letters: list[int]
) -> None:
    plan = make(letters[:2])
    writer.call(lambda db: db.execute("UPDATE dead_letters SET status = 'archived' WHERE id = 1"))
    assert intend(writer, plan) == (0, 1)
    assert states(reader, plan) == ["refused", "intent"]
    assert statuses(reader)[0] == "archived"
    sending = reader(partial(replays.to_send, plan=plan, first=0, last=1))
    assert [record.sequence for record in sending] == [1]


def test_records_are_read_with_the_bytes_to_send_in_the_order_of_the_plan(
    writer: Writer, reader: Reader, make: Make
) -> None:
    plan = make()
    intend(writer, plan)
    found = reader(partial(replays.to_send, plan=plan, first=1, last=3))
    assert [record.sequence for record in found] == [1, 2, 3]
    assert (found[0].key, found[0].value) == (b"k", b"1" * 1_000)
    assert found[0].headers == [("h", b"\xff"), ("n", None)]
    other = make(own_bytes=False, headers=None, state="planned")
    writer.call(lambda db: db.execute("UPDATE replays SET state = 'failed' WHERE plan = ?", [plan]))
    intend(writer, other)
    (read, *_) = reader(partial(replays.to_send, plan=other, first=0, last=0))
    assert (read.key, read.value, read.headers) == (None, None, None), "read from the original"


def test_what_landed_is_done_with_its_place_and_its_letter_replayed(
    writer: Writer, reader: Reader, make: Make
) -> None:
    plan = make()
    intend(writer, plan, 3)
    settle(writer, plan, *(Settled(at, "done", None, 7, 40 + at) for at in (2, 0, 1)))
    assert rows(
        reader, 'SELECT state, partition, "offset" FROM replays WHERE partition IS NOT NULL'
    ) == [("done", 7, 40), ("done", 7, 41), ("done", 7, 42)]
    assert statuses(reader) == ["replayed"] * 3 + ["new"] * 3
    assert counted(reader) == {"replayed": 3, "new": 3}
    assert reader(partial(replays.reached, plan=plan)) == {("orders", 7): 43}


@pytest.mark.parametrize("state", ["planned", "failed"])
def test_what_was_not_sent_gives_its_letter_the_status_back_that_it_had(
    writer: Writer, reader: Reader, make: Make, letters: list[int], state: str
) -> None:
    plan = make(letters[:2], status_before="acknowledged")
    intend(writer, plan)
    settle(writer, plan, Settled(0, state, "why"), Settled(1, "done", None, 0, 1))
    assert statuses(reader)[:2] == ["acknowledged", "replayed"]
    assert counted(reader) == {"acknowledged": 1, "replayed": 1, "new": N - 2}
    again = make(letters[:1])
    assert intend(writer, again) is not None, "what was not sent may be tried again"


def test_what_nobody_can_tell_stays_under_way_and_closed_to_others(
    writer: Writer, reader: Reader, make: Make, letters: list[int]
) -> None:
    plan = make(letters[:1])
    intend(writer, plan)
    settle(writer, plan, Settled(0, "unknown", "the broker went away"))
    assert statuses(reader)[0] == "replaying"
    assert intend(writer, make(letters[:1])) is None
    assert reader(partial(replays.open_rows, plan=plan)) == [(0, "orders", 0)]


def test_a_letter_that_a_person_moved_meanwhile_keeps_what_they_said(
    writer: Writer, reader: Reader, make: Make, letters: list[int]
) -> None:
    plan = make(letters[:2])
    intend(writer, plan)
    writer.call(lambda db: db.execute("UPDATE dead_letters SET status = 'archived' WHERE id < 3"))
    settle(writer, plan, Settled(0, "planned"), Settled(1, "done", None, 0, 0))
    assert statuses(reader)[:2] == ["archived", "archived"]


def test_statuses_that_were_put_off_follow_in_steps(
    writer: Writer, reader: Reader, make: Make
) -> None:
    plan = make()
    intend(writer, plan)
    done = [Settled(at, "done", None, 0, at) for at in range(N)]
    settle(writer, plan, *done, tell=False)
    assert "replayed" not in statuses(reader)
    after: int | None = -1
    reached = []
    while after is not None:
        after = writer.call(partial(replays.tell_done, plan=plan, after=after, most=4))
        reached.append(after)
    assert reached == [3, 5, None]
    assert statuses(reader) == ["replayed"] * N
    assert counted(reader) == {"replayed": N}


def test_what_was_found_on_its_target_is_not_sent_and_its_letter_is_resolved_when_the_plan_runs(
    writer: Writer, reader: Reader, make: Make
) -> None:
    plan = make()
    writer.call(partial(replays.find_already, plan=plan, found=[(1, 0, 77)]))
    assert statuses(reader) == ["new"] * N, "a plan that is only looked at changes nothing"
    writer.call(partial(replays.begin, plan=plan))
    assert statuses(reader)[1] == "resolved"
    assert intend(writer, plan) == (0, N - 1)
    assert states(reader, plan)[1] == "already"
    assert reader(partial(replays.targets, plan=plan)) == ["orders"]


def test_cancelling_leaves_what_was_sent(writer: Writer, reader: Reader, make: Make) -> None:
    plan = make()
    intend(writer, plan, 2)
    settle(writer, plan, Settled(0, "done", None, 0, 0))
    assert writer.call(partial(replays.cancel_planned, plan=plan)) == N - 2
    assert states(reader, plan) == ["done", "intent"] + ["cancelled"] * (N - 2)


def test_a_replay_id_is_found_again_and_nonsense_is_not(reader: Reader, make: Make) -> None:
    plan = make()
    (told,) = rows(reader, "SELECT uuid FROM replay_plans WHERE id = ?", plan)
    assert reader(partial(replays.plan_and_sequence, told=f"{told}-12")) == (
        plan,
        12,
    )
    assert reader(partial(replays.plan_and_sequence, told=told)) == (plan, 0), "from before plans"
    for nonsense in ("", "-", "x-1", f"{uuid.uuid4().hex}-1"):
        assert reader(partial(replays.plan_and_sequence, told=nonsense)) is None


@pytest.mark.parametrize("number", ["9" * 30, "²", "-1", "1e3", ""])
def test_a_foreign_header_with_a_number_that_is_none_breaks_nothing(
    reader: Reader, make: Make, number: str
) -> None:
    plan = make()
    (told,) = rows(reader, "SELECT uuid FROM replay_plans WHERE id = ?", plan)
    assert reader(partial(replays.plan_and_sequence, told=f"{told}-{number}")) == (plan, 0)


def test_a_letter_that_came_back_is_counted_once_and_knows_its_earlier_life(
    writer: Writer, reader: Reader, make: Make, letters: list[int]
) -> None:
    plan = make()
    intend(writer, plan)
    settle(writer, plan, *(Settled(at, "done", None, 0, at) for at in range(N)))
    (told,) = rows(reader, "SELECT uuid FROM replay_plans WHERE id = ?", plan)
    back = [letter(100 + at, replay_id=f"{told}-2") for at in range(2)]
    writer.call(partial(dead_letters.insert, cluster=1, letters=back))
    assert rows(reader, "SELECT previous, times_back FROM dead_letters WHERE id > ?", N) == [
        (letters[2], 1), (letters[2], 1),
    ]  # fmt: skip
    assert reader(partial(replays.sent_and_back, plan=plan)) == (N, 1)
    found = reader(partial(queries.records, plan_id=plan, came_back=True))
    assert [record.sequence for record in found] == [2]


def test_a_plan_moves_only_from_where_it_may(writer: Writer, reader: Reader, make: Make) -> None:
    plan = make()
    move = partial(replay_plans.set_state, plan=plan)
    assert not writer.call(partial(move, state="running", only_from=("paused",)))
    assert writer.call(partial(move, state="running", only_from=("planning",)))
    began = reader(partial(replay_plans.get, plan=plan))
    assert began is not None
    writer.call(partial(move, state="paused", reason="by kim"))
    writer.call(partial(move, state="running"))
    again = reader(partial(replay_plans.get, plan=plan))
    assert again is not None
    assert again.started_us == began.started_us, "it began once"
    assert again.reason is None
    assert [row.id for row in reader(replay_plans.under_way)] == [plan]
    writer.call(partial(move, state="done"))
    ended = reader(partial(replay_plans.get, plan=plan))
    assert ended is not None
    assert ended.ended_us is not None
    assert reader(replay_plans.under_way) == []


def test_a_letter_that_somebody_began_to_edit_is_not_sent_under_them(
    writer: Writer, reader: Reader, make: Make, letters: list[int]
) -> None:
    plan = make()
    writer.call(partial(letter_edits.lock, letter=letters[2], who="kim"))
    assert intend(writer, plan) == (0, N - 1)
    states = rows(reader, "SELECT state FROM replays WHERE plan = ? ORDER BY sequence", plan)
    assert states == ["intent"] * 2 + ["refused"] + ["intent"] * (N - 3)
