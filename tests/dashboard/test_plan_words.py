from __future__ import annotations

from typing import Any

import pytest

from dashboard.replays import plan_review, plan_words
from producer_agent.store.queries.replays import Plan, PlanCounts
from producer_agent.store.replay_plans import PlanRow
from tests.dashboard.plan_seed import FINDINGS


def plan(
    state: str,
    counts: dict[str, int] | None = None,
    *,
    back: int = 0,
    rate: float | None = None,
    kind: str = "real",
    **changes: Any,
) -> Plan:
    known: dict[str, Any] = {
        "id": 7,
        "uuid": "u",
        "cluster": 1,
        "title": "t",
        "selection": {},
        "options": {},
        "findings": {},
        "method": None,
        "state": state,
        "reason": None,
        "progress": None,
        "rule": None,
        "records": 0,
        "landed": 0,
        "made_by": "kim",
        "made_us": 1,
        "started_us": None,
        "ended_us": None,
    }
    return Plan(PlanRow(**(known | changes)), PlanCounts(counts or {}, back, rate), kind)


@pytest.mark.parametrize(
    ("given", "severity", "words"),
    [
        (plan("planning", progress="500 of 900 records planned"), "info", "500 of 900 records"),
        (plan("planned", {"planned": 5}), "info", "5 records would go"),
        (plan("planned", {"planned": 1, "refused": 2}), "info", "**2 are refused**"),
        (plan("planned", {"already": 3}), "info", "nothing to send"),
        (plan("running", {"done": 3, "planned": 7}), "info", "3 of 10 records landed"),
        (plan("running", {"done": 1}, progress="1 sent; watching 9 s"), "info", "watching 9 s"),
        (plan("pausing", {"done": 1}), "info", "batch under way is finished"),
        (plan("paused", {"done": 1, "planned": 1}), "warning", "**Resume** goes on"),
        (plan("stopped", reason="2 of 3 came back"), "error", "2 of 3 came back"),
        (plan("failed", reason="no right"), "error", "No right."),
        (plan("cancelled", {"done": 1, "cancelled": 4}), "info", "4 were not sent"),
        (plan("done", {"done": 4}), "success", "None of them came back"),
        (plan("done", {"done": 4}, back=2), "warning", "**2 came back**"),
        (plan("done", {"done": 4, "failed": 1}), "warning", "**1 failed**"),
    ],
)
def test_each_state_says_how_it_stands_and_how_bad_that_is(
    given: Plan, severity: str, words: str
) -> None:
    said = plan_words.verdict(given)
    assert said.severity == severity
    assert words in f"{said.title} {said.text}"


def test_how_many_were_sent_is_left_to_the_progress_bar() -> None:
    running = plan("running", {"done": 50, "planned": 50}, rate=10.0, progress="50 sent")
    assert "50 sent" not in plan_words.verdict(running).text
    assert plan_words.progress(running) == "50 of 100 landed · 10/s, about 5 s left"


def test_progress_is_of_what_was_to_be_sent_alone() -> None:
    counts = PlanCounts(
        {"done": 3, "failed": 1, "planned": 4, "refused": 90, "already": 2}, 0, None
    )
    assert plan_words.share(counts) == 0.5
    assert plan_words.share(PlanCounts({"refused": 3}, 0, None)) == 1.0


def test_the_answer_names_what_stopped_before_what_runs_before_what_waits() -> None:
    stopped = plan("stopped", reason="9 of 9 came back", id=3)
    running = plan("running", {"done": 2, "planned": 3}, id=4)
    planned = plan("planned", {"planned": 3}, id=5)
    everything = plan_words.answer([planned, running, stopped], 3)
    assert everything.severity == "warning"
    assert "Plan 3 stopped by itself" in everything.title
    assert "Plan 4 is under way: 2 of 5 records landed" in everything.text
    assert "Plan 5 is planned" in everything.text
    assert plan_words.answer([planned, running], 2).title.startswith("Plan 4 is under way")
    assert "Plan 5 is planned" in plan_words.answer([planned], 1).text
    assert plan_words.answer([], 4).severity == "success"
    assert "Nothing was ever sent" in plan_words.answer([], 0).title


def test_what_keeps_it_exactly_once_is_said_before_the_first_run() -> None:
    assert "by transactions" in plan_review.method(plan("planned"))
    assert "by the ledger" in plan_review.method(plan("planned", kind="embedded"))
    chosen = plan("planned", options={"exactly_once": "ledger"})
    assert "by the ledger" in plan_review.method(chosen)
    assert "by transactions" in plan_review.method(plan("running", method="transactions"))


def test_keys_that_another_partitioner_placed_are_told() -> None:
    assert "every one where it was" in (plan_review.keys(FINDINGS) or "")
    other = FINDINGS | {"partitioner": "crc32 (librdkafka's default)"}
    assert "puts 7 where they were: **their producer used another" in (
        plan_review.keys(other) or ""
    )
    assert "a guess" in (plan_review.keys(FINDINGS | {"keys_checked": 0}) or "")
    nobody = {"targets": {"t": {"by_key": 0}}, "partitioner": "x"}
    assert plan_review.keys(nobody) is None


def test_foreign_names_are_data() -> None:
    said = plan_review.groups(FINDINGS)
    assert "``" in said
    assert "`billing`" in said
    assert "does not tell" in plan_review.groups({})
    assert "no group" in plan_review.groups({"groups": {"t": []}})


def test_what_may_be_stored_already_is_told_apart_by_whether_it_was_looked_for() -> None:
    said = plan_review.doubt(FINDINGS, 1) or ""
    assert "3 may be stored already" in said
    assert "**1 is already there**" in said
    assert "**2 may be stored already and could not be looked for**" in said
    assert plan_review.doubt({}, 0) is None


def test_the_pace_is_said_with_its_ramp_and_its_stop() -> None:
    said = plan_review.pace(
        {"ramp": [1, 10], "ramp_wait_s": 4, "rate_per_s": 60, "stop_share": 0.5}
    )
    assert said.startswith("First 1, then 10, then the rest; after each step it watches 4 s")
    assert "At most 60/s." in said
    assert "50% of what was sent" in said
    assert "does not stop by itself" in plan_review.pace({"stop_share": None})
