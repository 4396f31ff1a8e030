"""Plans are made, run, paused and cancelled only from where that makes sense."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from producer_agent.kafka.embedded import EmbeddedCluster
from producer_agent.replay.manager import PlanRefused, ReplayManager
from producer_agent.replay.options import PlanOptions
from producer_agent.replay.selection import Selection, SelectionInvalid
from producer_agent.store.queries.letter_filter import LetterFilter
from tests.replay.room import TOPIC, Board, on_topic, original

pytestmark = pytest.mark.usefixtures("quick")


@pytest.fixture
def manager(live: Board) -> Iterator[ReplayManager]:
    with live.manager() as made:
        yield made


def selected(*ids: int) -> Selection:
    return Selection(dead_letters=ids)


def test_a_plan_is_made_without_anything_being_sent(
    live: Board, embedded: EmbeddedCluster, manager: ReplayManager
) -> None:
    ids = live.store(original(0), original(1))
    plan = manager.plan(selected(*ids), PlanOptions(), "kim", title="after the fix")
    live.wait_for(plan, "planned")
    row = live.plan(plan).row
    assert (row.title, row.made_by, row.selection) == (
        "after the fix", "kim", {"dead_letters": ids},
    )  # fmt: skip
    assert live.states(plan) == ["planned"] * 2
    assert live.statuses() == ["new"] * 2
    assert on_topic(embedded) == []


def test_all_that_match_are_meant_as_they_were_when_it_was_asked_for(
    live: Board, manager: ReplayManager
) -> None:
    live.store(original(0), original(1), original(2, topic="elsewhere"))
    plan = manager.plan(Selection(wanted=LetterFilter(topic=TOPIC)), PlanOptions(), "kim")
    live.wait_for(plan, "planned")
    assert live.plan(plan).row.selection == {"filter": {"topic": TOPIC, "up_to_id": 3}}
    assert live.plan(plan).row.title == "2 dead letters: topic orders"
    assert len(live.records(plan)) == 2


def test_one_click_plans_and_sends(
    live: Board, embedded: EmbeddedCluster, manager: ReplayManager
) -> None:
    ids = live.store(original(0), original(1))
    plan, run = manager.replay_now(selected(*ids), PlanOptions(), "kim")
    assert run.result(20) == "done"
    assert live.states(plan) == ["done"] * 2
    assert len(on_topic(embedded)) == 2


def test_a_plan_of_nothing_is_refused(manager: ReplayManager) -> None:
    with pytest.raises(PlanRefused, match="nothing to send back"):
        manager.plan(Selection(wanted=LetterFilter(topic="none")), PlanOptions(), "kim")


def test_a_plan_that_is_not_there_is_named(manager: ReplayManager) -> None:
    for act in (manager.run, manager.pause, manager.cancel):
        with pytest.raises(PlanRefused, match="There is no replay plan 77"):
            act(77)


@pytest.mark.parametrize(
    ("act", "state"),
    [
        *(("run", state) for state in ("planning", "running", "pausing", "cancelling")),
        *(("run", state) for state in ("done", "cancelled", "failed")),
        *(("pause", state) for state in ("planning", "planned", "pausing", "paused", "stopped")),
        *(("pause", state) for state in ("cancelling", "done", "cancelled", "failed")),
        *(("cancel", state) for state in ("cancelling", "done", "cancelled", "failed")),
    ],
)
def test_what_a_state_does_not_allow_is_refused_and_changes_nothing(
    live: Board, manager: ReplayManager, act: str, state: str
) -> None:
    plan = live.make(live.store(original(0)))
    live.change("UPDATE replay_plans SET state = ?, reason = 'so it is'", state)
    with pytest.raises(PlanRefused, match=rf"Plan {plan} is {state} \(so it is\)\. Only"):
        getattr(manager, act)(plan)
    assert live.state(plan) == state
    assert live.states(plan) == ["planned"]


@pytest.mark.parametrize("state", ["planned", "planning", "paused", "stopped"])
def test_a_plan_that_does_not_run_can_be_cancelled(
    live: Board, embedded: EmbeddedCluster, manager: ReplayManager, state: str
) -> None:
    plan = live.make(live.store(original(0)))
    live.change("UPDATE replay_plans SET state = ?", state)
    manager.cancel(plan)
    live.wait_for(plan, "cancelled")
    assert live.states(plan) == ["cancelled"]
    assert on_topic(embedded) == []


def test_cancelling_learns_first_what_became_of_what_was_under_way(
    live: Board, manager: ReplayManager
) -> None:
    plan = live.make(live.store(original(0)))
    live.change("UPDATE replays SET state = 'intent', batch = 0")
    live.change("UPDATE replay_plans SET state = 'paused', method = 'ledger'")
    manager.cancel(plan)
    live.wait_for(plan, "cancelled")
    assert live.states(plan) == ["cancelled"], "it was not on its target"
    assert live.statuses() == ["new"]


def test_a_plan_whose_making_was_cut_off_is_made_by_the_next_agent(live: Board) -> None:
    ids = live.store(original(0), original(1))
    plan = live.make(ids)
    live.change("UPDATE replay_plans SET state = 'planning'")
    live.change("DELETE FROM replays WHERE sequence = 1")
    with live.manager():
        live.wait_for(plan, "planned")
    assert live.states(plan) == ["planned"] * 2


def test_a_plan_that_cannot_be_made_fails_and_says_why(
    live: Board, embedded: EmbeddedCluster, manager: ReplayManager
) -> None:
    ids = live.store(original(0))
    embedded.broker_down(-1)
    plan = manager.plan(selected(*ids), PlanOptions(), "kim")
    live.wait_for(plan, "failed")
    assert live.plan(plan).row.reason
    embedded.broker_up(-1)


def test_a_plan_of_another_cluster_is_not_run_on_this_one(live: Board) -> None:
    """Offsets, partitions and topics of the same name mean something else there."""
    plan = live.make(live.store(original(0)))
    running = live.make(live.store(original(1)))
    live.change("UPDATE replay_plans SET state = 'running' WHERE id = ?", running)
    live.cluster.keeps_transactions = True  # type: ignore[misc]
    live.connect_to("another", "real")
    with live.manager() as manager:
        assert live.state(running) == "paused"
        assert "another cluster" in (live.plan(running).row.reason or "")
        with pytest.raises(PlanRefused, match="another cluster"):
            manager.run(plan)
    assert live.states(running) == ["planned"]


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({}, "either"),
        ({"dead_letters": [1], "filter": {}}, "either"),
        ({"dead_letters": "1"}, "list of row ids"),
        ({"dead_letters": [True]}, "list of row ids"),
        ({"filter": {"colour": "red"}}, "colour"),
    ],
)
def test_a_selection_that_cannot_be_read_says_why(given: dict[str, object], words: str) -> None:
    with pytest.raises(SelectionInvalid, match=words):
        Selection.from_json(given)


@pytest.mark.parametrize(
    ("keeps", "wanted"), [(False, None), (False, "transactions"), (True, "ledger")]
)
def test_the_ledger_alone_keeps_it_exactly_once_where_transactions_cannot_or_shall_not(
    live: Board, keeps: bool, wanted: str | None
) -> None:
    live.cluster.keeps_transactions = keeps  # type: ignore[misc]
    plan = live.make(live.store(original(0)), exactly_once=wanted)
    with live.manager() as manager:
        manager.run(plan)
        live.wait_for(plan, "done")
    assert live.plan(plan).row.method == "ledger"
    assert live.states(plan) == ["done"]
