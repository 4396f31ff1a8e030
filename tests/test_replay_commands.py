"""What the agent does for the commands of replays and edits."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from functools import partial
from typing import Any

import pytest

from producer_agent import replay_commands as module
from producer_agent.commands import Command
from producer_agent.kafka.embedded import EmbeddedCluster
from producer_agent.replay.manager import PlanRefused, ReplayManager
from producer_agent.replay.options import OptionsInvalid
from producer_agent.replay.selection import SelectionInvalid
from producer_agent.replay_commands import ReplayCommands
from producer_agent.store import commands, letter_edits, replay_rules
from producer_agent.store.commands import CommandRow
from producer_agent.store.reader import Reader
from producer_agent.store.writer import Writer
from tests.recording import rows
from tests.replay.room import TOPIC, Board, EmbeddedTarget, FakeCluster, original


@pytest.fixture
def board(writer: Writer, reader: Reader) -> Board:
    """Three letters whose topic is there in name only."""
    made = Board(writer, reader, FakeCluster())
    made.store(*(original(at) for at in range(3)))
    return made


@pytest.fixture
def manager(board: Board) -> Iterator[ReplayManager]:
    with board.manager() as made:
        yield made


@pytest.fixture
def asked(board: Board, manager: ReplayManager) -> ReplayCommands:
    return ReplayCommands(board.writer, board.reader, lambda: manager)


def command(board: Board, kind: Command, who: str = "kim", **arguments: Any) -> CommandRow:
    return board.writer.call(
        partial(commands.insert_taken, kind=kind.value, arguments=arguments, who=who, why=None)
    )


def text(value: bytes | None) -> str | None:
    return None if value is None else base64.b64encode(value).decode()


# -- plans --------------------------------------------------------------------------------------


def test_a_plan_is_made_as_it_was_asked_for(board: Board, asked: ReplayCommands) -> None:
    told = asked.plan(
        command(
            board, Command.REPLAY_PLAN, dead_letters=[1, 3], options={"rate_per_s": 5}, title="t"
        )
    )
    board.wait_for(told["plan"], "planned")
    row = board.plan(told["plan"]).row
    assert (row.title, row.made_by, row.options) == ("t", "kim", {"rate_per_s": 5.0})
    assert [record.dead_letter for record in board.records(told["plan"])] == [1, 3]


@pytest.mark.parametrize(
    ("arguments", "error", "words"),
    [
        ({}, SelectionInvalid, "either"),
        ({"dead_letters": []}, PlanRefused, "nothing to send back"),
        ({"dead_letters": ["1"]}, SelectionInvalid, "row ids"),
        ({"dead_letters": [1], "options": {"rate_per_s": 0}}, OptionsInvalid, "rate_per_s"),
        ({"dead_letters": [1], "options": {"speed": 1}}, OptionsInvalid, "speed"),
    ],
)
def test_what_cannot_be_planned_is_refused_and_leaves_no_plan(
    board: Board,
    asked: ReplayCommands,
    arguments: dict[str, Any],
    error: type[Exception],
    words: str,
) -> None:
    for act, kind in ((asked.plan, Command.REPLAY_PLAN), (asked.replay, Command.REPLAY)):
        with pytest.raises(error, match=words):
            act(command(board, kind, **arguments))
    assert rows(board.reader, "SELECT count(*) FROM replay_plans") == [0]


def test_one_click_may_not_send_thousands_unseen(
    board: Board, asked: ReplayCommands, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "MOST_ONE_CLICK", 2)
    with pytest.raises(PlanRefused, match=r"3 dead letters are more than one click may send \(2\)"):
        asked.replay(command(board, Command.REPLAY, filter={}))
    assert rows(board.reader, "SELECT count(*) FROM replay_plans") == [0]


def test_one_click_that_takes_long_tells_where_it_stands_and_goes_on(
    writer: Writer, reader: Reader, own_cluster: EmbeddedCluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "ONE_CLICK_S", 0.5)
    own_cluster.create_topic(TOPIC, 3)
    live = Board(writer, reader, EmbeddedTarget(own_cluster))
    live.store(*(original(at) for at in range(4)))
    live.change("UPDATE dead_letters SET status = 'archived' WHERE id = 2")
    row = command(live, Command.REPLAY, filter={}, options={"rate_per_s": 0.5})
    with live.manager() as manager:
        told = ReplayCommands(writer, reader, lambda: manager).replay(row)
        live.wait_for(told["plan"], "running")
        manager.cancel(told["plan"])
        live.wait_for(told["plan"], "cancelled")
    assert [outcome["dead_letter"] for outcome in told["outcomes"]] == [1, 2, 3, 4]
    assert told["outcomes"][3]["state"] == "planned"
    assert told["outcomes"][1]["state"] == "refused"
    assert "archived" in told["outcomes"][1]["reason"]


@pytest.mark.parametrize("plan", ["1", None, 1.0, True])
def test_a_plan_is_named_by_its_number(board: Board, asked: ReplayCommands, plan: object) -> None:
    for act in (asked.run, asked.pause, asked.cancel):
        with pytest.raises(PlanRefused, match="give a plan's number"):
            act(command(board, Command.REPLAY_RUN, plan=plan))


# -- rules --------------------------------------------------------------------------------------

RULE: dict[str, Any] = {"cause": "v1:0", "enabled": True, "delay_s": 60, "cap_per_hour": 5}


def test_a_rule_is_made_changed_and_dropped(board: Board, asked: ReplayCommands) -> None:
    made = asked.save_rule(command(board, Command.REPLAY_RULE_SAVE, **RULE))
    again = {**RULE, "cap_per_hour": 9, "options": {"to": "x"}}
    assert asked.save_rule(command(board, Command.REPLAY_RULE_SAVE, "lee", **again)) == made
    (rule,) = board.reader(replay_rules.all_rules)
    assert (rule.cap_per_hour, rule.options, rule.made_by) == (9, {"to": "x"}, "lee")
    asked.delete_rule(command(board, Command.REPLAY_RULE_DELETE, **made))
    assert board.reader(replay_rules.all_rules) == []
    with pytest.raises(PlanRefused, match=f"no replay rule {made['rule']}"):
        asked.delete_rule(command(board, Command.REPLAY_RULE_DELETE, **made))


@pytest.mark.parametrize(
    ("changes", "error", "words"),
    [
        ({"delay_s": -1}, PlanRefused, "delay_s"),
        ({"delay_s": True}, PlanRefused, "delay_s"),
        ({"delay_s": 31 * 86_400}, PlanRefused, "delay_s"),
        ({"cap_per_hour": 0}, PlanRefused, "cap_per_hour"),
        ({"cap_per_hour": 1.5}, PlanRefused, "cap_per_hour"),
        ({"options": {"force": "it always passes"}}, PlanRefused, "may not force"),
        ({"options": {"rate_per_s": -1}}, OptionsInvalid, "rate_per_s"),
    ],
)
def test_a_rule_that_makes_no_sense_is_refused(
    board: Board,
    asked: ReplayCommands,
    changes: dict[str, Any],
    error: type[Exception],
    words: str,
) -> None:
    with pytest.raises(error, match=words):
        asked.save_rule(command(board, Command.REPLAY_RULE_SAVE, **{**RULE, **changes}))
    assert board.reader(replay_rules.all_rules) == []


# -- edits --------------------------------------------------------------------------------------


def begin(board: Board, asked: ReplayCommands, who: str = "kim", **more: Any) -> str:
    row = command(board, Command.LETTER_EDIT_BEGIN, who, dead_letter=1, **more)
    return str(asked.begin_edit(row)["token"])


def save(
    board: Board, asked: ReplayCommands, token: str, who: str = "kim", **changes: Any
) -> dict[str, Any]:
    written = {"key": text(b"k"), "value": text(b"\xff"), "headers": [["h", None]], **changes}
    row = command(board, Command.LETTER_EDIT_SAVE, who, dead_letter=1, token=token, **written)
    return asked.save_edit(row)


def pending(board: Board) -> letter_edits.Edit | None:
    return board.reader(partial(letter_edits.pending, letters=[1])).get(1)


def test_an_edit_is_kept_byte_for_byte_and_frees_the_letter(
    board: Board, asked: ReplayCommands
) -> None:
    save(board, asked, begin(board, asked), key=None, value=text(b"\0\xff"))
    edit = pending(board)
    assert edit is not None
    assert (edit.key, edit.value, edit.headers, edit.who) == (
        None, b"\0\xff", [("h", None)], "kim",
    )  # fmt: skip
    begin(board, asked, "lee")


def test_two_people_cannot_edit_one_letter_at_once(board: Board, asked: ReplayCommands) -> None:
    begin(board, asked)
    with pytest.raises(PlanRefused, match="kim is editing dead letter 1"):
        begin(board, asked, "lee")


def test_who_was_taken_over_cannot_save_over_the_other(board: Board, asked: ReplayCommands) -> None:
    mine = begin(board, asked)
    theirs = begin(board, asked, "lee", take_over=True)
    with pytest.raises(PlanRefused, match="no longer yours to edit"):
        save(board, asked, mine)
    assert pending(board) is None
    save(board, asked, theirs, "lee")
    with pytest.raises(PlanRefused, match="no longer yours"):
        save(board, asked, theirs, "lee")


def test_an_editor_who_is_away_too_long_keeps_nobody_out(
    board: Board, asked: ReplayCommands
) -> None:
    mine = begin(board, asked)
    board.change("UPDATE letter_edit_locks SET until_us = until_us - ?", letter_edits.LOCK_US + 1)
    theirs = begin(board, asked, "lee")
    assert theirs != mine
    with pytest.raises(PlanRefused, match="no longer yours"):
        save(board, asked, mine)


def test_discarding_frees_the_letter_and_keeps_nothing(board: Board, asked: ReplayCommands) -> None:
    token = begin(board, asked)
    discard = partial(command, board, Command.LETTER_EDIT_DISCARD, dead_letter=1)
    assert asked.discard_edit(discard(token="another")) == {"freed": False}
    assert asked.discard_edit(discard(token=token)) == {"freed": True}
    assert pending(board) is None
    begin(board, asked, "lee")


def test_a_withdrawn_edit_is_spent_and_one_before_it_does_not_return(
    board: Board, asked: ReplayCommands
) -> None:
    for value in (b"first", b"second"):
        save(board, asked, begin(board, asked), value=text(value))
    row = command(board, Command.LETTER_EDIT_WITHDRAW, dead_letter=1)
    assert asked.withdraw_edit(row) == {"withdrawn": True}
    assert pending(board) is None
    assert asked.withdraw_edit(row) == {"withdrawn": False}


@pytest.mark.parametrize("state", ["intent", "done", "unknown"])
def test_what_was_sent_or_is_under_way_can_no_longer_be_edited(
    board: Board, asked: ReplayCommands, state: str
) -> None:
    token = begin(board, asked)
    board.make([1])
    board.change("UPDATE replays SET state = ?", state)
    with pytest.raises(PlanRefused, match="too late"):
        save(board, asked, token)
    with pytest.raises(PlanRefused, match="too late"):
        begin(board, asked, take_over=True)
    assert pending(board) is None


def test_a_letter_that_is_not_there_cannot_be_edited(board: Board, asked: ReplayCommands) -> None:
    with pytest.raises(PlanRefused, match="no dead letter 99"):
        asked.begin_edit(command(board, Command.LETTER_EDIT_BEGIN, dead_letter=99))


@pytest.mark.parametrize(
    "changes",
    [
        {"value": "no base64!"},
        {"key": 7},
        {"headers": [["h", "no base64!"]]},
        {"headers": [["h"]]},
        {"headers": "h"},
        {"headers": [["half\0cut", None]]},
        {"headers": [["\ud800", None]]},
    ],
)
def test_an_edit_that_cannot_be_read_or_sent_is_refused_and_the_editor_goes_on(
    board: Board, asked: ReplayCommands, changes: dict[str, Any]
) -> None:
    token = begin(board, asked)
    with pytest.raises(PlanRefused):
        save(board, asked, token, **changes)
    assert pending(board) is None
    save(board, asked, token)
