"""An automatic rule sends what is due, no more than it may, and stops when it does harm."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Any

import pytest

from producer_agent.kafka.embedded import EmbeddedCluster
from producer_agent.replay.manager import ReplayManager
from producer_agent.replay.rules import follow_rules
from producer_agent.store import letter_edits, replay_rules
from producer_agent.store.replay_rules import Rule
from tests.recording import rows
from tests.replay.room import Board, on_topic, original

pytestmark = pytest.mark.usefixtures("quick")

CAUSE, OTHER = "v1:0123456789abcdef", "v1:other"


@pytest.fixture
def manager(live: Board) -> Iterator[ReplayManager]:
    with live.manager() as made:
        yield made


def save(board: Board, **changes: Any) -> int:
    fields: dict[str, Any] = {
        "cause": CAUSE,
        "enabled": True,
        "delay_s": 0.0,
        "cap_per_hour": 100,
        "options": {},
        "made_by": "kim",
    }
    return board.writer.call(partial(replay_rules.save, **{**fields, **changes}))


def follow(board: Board, manager: ReplayManager) -> int:
    """What the clock calls; waits for what it began. Returns how many plans there are."""
    follow_rules(manager, board.reader, board.writer)
    plans = rows(board.reader, "SELECT id FROM replay_plans WHERE rule IS NOT NULL ORDER BY id")
    for plan in plans:
        board.wait_for(plan, "done", "stopped", "failed", "paused")
    return len(plans)


def the_rule(board: Board) -> Rule:
    found = board.reader(partial(replay_rules.of_cause, cause=CAUSE))
    assert found is not None
    return found


def test_the_letters_of_its_cause_and_no_others_are_sent_once(
    live: Board, embedded: EmbeddedCluster, manager: ReplayManager
) -> None:
    live.store(original(0), original(1))
    live.store(original(2), fingerprint=OTHER)
    save(live)
    assert follow(live, manager) == 1
    assert live.statuses() == ["replayed", "replayed", "new"]
    assert follow(live, manager) == 1, "nothing is due"
    assert len(on_topic(embedded)) == 2
    (plan,) = rows(live.reader, "SELECT made_by FROM replay_plans")
    assert plan == "rule 1"


def test_a_letter_waits_until_it_is_old_enough(live: Board, manager: ReplayManager) -> None:
    live.store(original(0), original(1))
    live.change("UPDATE dead_letters SET stored_us = stored_us - 60000000 WHERE id = 1")
    save(live, delay_s=30.0)
    assert follow(live, manager) == 1
    assert live.statuses() == ["replayed", "new"]


def test_no_more_than_the_cap_goes_in_an_hour(
    live: Board, embedded: EmbeddedCluster, manager: ReplayManager
) -> None:
    live.store(*(original(at) for at in range(5)))
    save(live, cap_per_hour=3)
    assert [follow(live, manager) for _ in range(3)] == [1, 1, 1]
    assert live.statuses() == ["replayed"] * 3 + ["new"] * 2, "the oldest go first"
    hour_us = replay_rules.HOUR_US
    live.change("UPDATE replay_rules SET made_us = made_us - ?", 2 * hour_us)
    live.change("UPDATE replay_plans SET made_us = made_us - ?", hour_us + 1)
    assert follow(live, manager) == 2
    assert len(on_topic(embedded)) == 5


def test_a_rule_that_is_off_sends_nothing(live: Board, manager: ReplayManager) -> None:
    live.store(original(0))
    save(live, enabled=False)
    assert follow(live, manager) == 0


@pytest.mark.parametrize("status", ["archived", "resolved", "replaying"])
def test_what_a_person_put_away_is_not_sent(
    live: Board, manager: ReplayManager, status: str
) -> None:
    live.store(original(0))
    live.change("UPDATE dead_letters SET status = ?", status)
    save(live)
    assert follow(live, manager) == 0


@pytest.mark.parametrize("state", ["failed", "refused"])
def test_what_failed_or_was_refused_once_is_left_to_a_person(
    live: Board, manager: ReplayManager, state: str
) -> None:
    """Else it would try in vain every half minute, for ever."""
    plan = live.make(live.store(original(0)))
    live.change("UPDATE replays SET state = ? WHERE plan = ?", state, plan)
    save(live)
    assert follow(live, manager) == 0


def test_what_came_back_is_left_to_a_person(
    live: Board, embedded: EmbeddedCluster, manager: ReplayManager
) -> None:
    """One of many is no reason to stop, and none to send that one in a circle."""
    live.store(*(original(at) for at in range(10)))
    save(live)
    follow(live, manager)
    live.come_back(1, 0)
    assert follow(live, manager) == 1
    assert the_rule(live).enabled
    assert len(on_topic(embedded)) == 10


def test_when_too_many_come_back_it_switches_itself_off_and_says_why(
    live: Board, manager: ReplayManager
) -> None:
    live.store(*(original(at) for at in range(10)))
    save(live, options={"stop_share": 0.2})
    follow(live, manager)
    live.come_back(1, 0)
    follow(live, manager)
    assert the_rule(live).enabled, "one of ten is not too many"
    live.come_back(1, 1)
    follow(live, manager)
    found = the_rule(live)
    assert not found.enabled
    assert (found.stopped_reason or "").startswith("2 of 10 records that it sent")


def test_saved_again_it_is_on_again_and_judged_from_then_on(
    live: Board, manager: ReplayManager
) -> None:
    live.store(original(0))
    save(live)
    follow(live, manager)
    live.come_back(1, 0)
    follow(live, manager)
    assert not the_rule(live).enabled
    save(live)
    live.store(original(1))
    assert follow(live, manager) == 2
    found = the_rule(live)
    assert (found.enabled, found.stopped_reason) == (True, None)


def test_a_plan_of_it_that_stopped_by_itself_switches_it_off(
    live: Board, manager: ReplayManager
) -> None:
    live.store(original(0))
    save(live)
    follow(live, manager)
    live.change("UPDATE replay_plans SET state = 'stopped', reason = 'no right to write'")
    live.store(original(1))
    assert follow(live, manager) == 1
    assert the_rule(live).stopped_reason == "no right to write"


def test_while_a_plan_of_it_is_not_over_it_begins_no_other(
    live: Board, manager: ReplayManager
) -> None:
    live.store(original(0))
    save(live)
    follow(live, manager)
    live.change("UPDATE replay_plans SET state = 'paused'")
    live.store(original(1))
    assert follow(live, manager) == 1


def test_a_rule_whose_options_can_no_longer_be_read_does_not_keep_the_others_from_working(
    live: Board, manager: ReplayManager
) -> None:
    save(live, cause=OTHER, options={"an option of": "a later version"})
    save(live)
    live.store(original(0))
    assert follow(live, manager) == 1
    assert live.statuses() == ["replayed"]


def test_a_rule_that_can_send_nothing_switches_itself_off_and_says_why(
    live: Board, manager: ReplayManager
) -> None:
    """Else each letter that comes makes a plan that sends nothing."""
    live.store(original(0, topic="missing"))
    save(live)
    assert follow(live, manager) == 1
    live.store(original(1, topic="missing"))
    assert follow(live, manager) == 1
    rule = the_rule(live)
    assert not rule.enabled
    assert "the topic missing is not on this cluster" in (rule.stopped_reason or "")


def test_a_rule_leaves_a_letter_to_who_is_editing_it(live: Board, manager: ReplayManager) -> None:
    (edited,) = live.store(original(0))
    live.writer.call(partial(letter_edits.lock, letter=edited, who="kim"))
    save(live)
    assert follow(live, manager) == 0
