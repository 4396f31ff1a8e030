"""A comparison in words."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from dashboard.compare import compare_words
from producer_agent.advice.compare.analysis import analyse
from producer_agent.advice.compare.side_by_side import side_by_side
from producer_agent.store.queries.comparisons import Summary
from tests.dashboard import compare_seed

NOW_US = 1_795_000_100_000_000


def summary(**changes: Any) -> Summary:
    kept = compare_seed.made(compare_seed.plan_of(), keep=lambda *_: False).summary
    running = {"state": "running", "started_us": NOW_US - 40_000_000, "ended_us": None}
    return replace(kept, **{**running, **changes})


@pytest.mark.parametrize(
    ("seconds", "told"),
    [
        (0.4, "0 s"),
        (59, "59 s"),
        (60, "1 min"),
        (130, "2 min 10 s"),
        (600, "10 min"),
        (4800, "1 h 20 min"),
    ],
)
def test_short_times_are_told_to_the_second(seconds: float, told: str) -> None:
    assert compare_words.time_of(seconds) == told


def test_progress_is_of_the_time_it_takes_and_never_full_before_its_end() -> None:
    assert compare_words.share_done(summary(), NOW_US) == 0.0
    half = summary(expected_end_us=NOW_US + 40_000_000)
    assert compare_words.share_done(half, NOW_US) == pytest.approx(0.5)
    assert compare_words.left(half, NOW_US) == "40 s left"
    late = summary(expected_end_us=NOW_US - 2_000_000)
    assert compare_words.share_done(late, NOW_US) == 0.99
    assert compare_words.left(late, NOW_US) == "about to end"
    overdue = summary(expected_end_us=NOW_US - 30_000_000)
    assert compare_words.left(overdue, NOW_US) == "it takes longer than expected"
    assert compare_words.left(summary(), NOW_US) == "time left not known yet"


def test_progress_from_the_agent_is_shown_as_text() -> None:
    told = compare_words.running(summary(progress="**now** <b>"), NOW_US, silent=False)
    assert "\\*\\*now\\*\\* \\<b\\>" in told.text


def test_embedded_figures_are_headed_by_what_they_compare() -> None:
    made = compare_seed.made(compare_seed.plan_of())
    environment = {**made.summary.environment, "cluster_kind": "embedded"}
    embedded = replace(
        made, summary=replace(made.summary, environment=environment, notes=("note",))
    )
    told = compare_words.care(analyse(embedded))
    assert told is not None
    assert told.title == compare_words.EMBEDDED.title
    assert "- note" in told.text
    two = compare_seed.made(compare_seed.plan_of(("critical", "analytics")))
    quiet = replace(two, summary=replace(two.summary, environment=environment))
    assert compare_words.care(analyse(quiet)) == compare_words.EMBEDDED
    plain = compare_words.care(analyse(made))
    assert plain is not None
    assert plain.title != told.title


def test_there_is_nothing_to_take_care_of_where_nothing_is() -> None:
    plan = compare_seed.plan_of(("critical", "analytics"))
    assert compare_words.care(analyse(compare_seed.made(plan))) is None


def test_where_no_difference_is_told_it_says_how_to_see_a_smaller_one() -> None:
    plan = compare_seed.plan_of(("critical", "analytics"))

    def alike(rate: float, number: int, _profile: int) -> Any:
        return compare_seed.latencies(plan, seed=number * 7 + _profile)(rate, number, 1)

    none = compare_words.found(analyse(compare_seed.made(plan, latencies=alike)))
    assert (none.severity, compare_words.NARROWER in none.text) == ("info", True)
    told = compare_words.found(analyse(compare_seed.made(plan)))
    assert (told.severity, compare_words.NARROWER in told.text) == ("success", False)


def test_why_a_difference_is_missing_is_told() -> None:
    analysis = analyse(compare_seed.made(compare_seed.plan_of()))
    told = compare_words.without_difference(analysis.rates[0], "ack", "analytics")
    assert told is not None
    assert told.startswith("metrics: nobody acknowledges with acks=0")
    assert compare_words.without_difference(analysis.rates[0], "end_to_end", "analytics") is None
    short = compare_seed.made(compare_seed.plan_of(), keep=lambda _r, number, _p: number == 1)
    few = compare_words.without_difference(analyse(short).rates[0], "end_to_end", "analytics")
    assert few is not None
    assert "too few rounds" in few
    zero = analyse(compare_seed.made(compare_seed.plan_of(baseline="metrics")))
    all_missing = compare_words.without_difference(zero.rates[0], "ack", "metrics")
    assert all_missing is not None
    assert all_missing.startswith("critical and analytics: nobody acknowledges")


def test_beside_tells_the_change_and_that_the_two_days_are_in_it() -> None:
    plan = compare_seed.plan_of()

    def later(rate: float, number: int, profile: int) -> Any:
        moved = 20_000 if profile == 0 else 0
        return compare_seed.latencies(plan)(rate, number, profile) + moved

    first = compare_seed.made(plan, id=3)
    second = compare_seed.made(plan, latencies=later, id=5)
    told = compare_words.beside(side_by_side(first, second))
    assert told.title.startswith("critical is ")
    assert " ms later at p99" in told.title
    assert "in comparison 5 than in 3, at 500/s" in told.title
    assert "not measured side by side" in told.text
    same = compare_words.beside(side_by_side(first, replace(first)))
    assert "No difference between comparisons 3 and 3" in same.title
    other = compare_seed.made(compare_seed.plan_of(load={"rate_per_s": 100}))
    assert "nothing in common" in compare_words.beside(side_by_side(first, other)).title
