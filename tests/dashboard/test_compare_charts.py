"""The figures of a comparison show what was measured, and claim no more."""

from __future__ import annotations

import math
from typing import Any

import pytest

from dashboard.chart_parts import COLORS
from dashboard.compare import compare_charts
from producer_agent.advice.compare.analysis import Analysis, analyse
from producer_agent.advice.compare.side_by_side import side_by_side
from producer_agent.store.queries.comparisons import Comparison
from tests.dashboard import compare_seed


def measured(**plan: Any) -> tuple[Comparison, Analysis]:
    made = compare_seed.made(compare_seed.plan_of(**plan))
    return made, analyse(made)


def by_name(figure: Any) -> dict[str, Any]:
    return {trace.name: trace for trace in figure.data if trace.name}


def test_each_profile_has_its_acks_levels_colour_and_acks_0_is_dashed_and_named() -> None:
    made, analysis = measured()
    lines = by_name(compare_charts.shares(made, analysis, 500.0, "ack", dark=False))
    assert set(lines) == {"critical", "analytics", "metrics: handed over, unconfirmed"}
    assert lines["critical"].line.color == COLORS[False]["all"]
    assert lines["critical"].line.dash == "solid"
    assert lines["metrics: handed over, unconfirmed"].line.dash == "dash"
    read_back = by_name(compare_charts.shares(made, analysis, 500.0, "end_to_end", dark=False))
    assert read_back["metrics"].line.dash == "solid"
    assert all(line.y[-1] == pytest.approx(1.0) for line in lines.values())


def test_profiles_of_one_level_are_told_apart_by_dash_and_marker() -> None:
    plan = compare_seed.plan_of(("critical", "production", "analytics"))
    critical, production, analytics = compare_charts.styles(plan, dark=True)
    assert critical.color == production.color == COLORS[True]["all"]
    assert critical.dash != production.dash
    assert critical.symbol != production.symbol
    assert analytics.dash == critical.dash


def test_differences_are_those_of_the_analysis() -> None:
    _, analysis = measured()
    at = analysis.rates[0]
    acks = compare_charts.differences(at, analysis, "ack", dark=False)
    assert {span.label.split()[1] for span in acks} == {"critical"}, "acks=0 has none"
    both = compare_charts.differences(at, analysis, "end_to_end", dark=False)
    assert {span.label.split()[1] for span in both} == {"critical", "metrics"}
    found = at.profiles[0].differences["ack", "p99"]
    assert (found.us, found.told) in [(span.us, span.told) for span in acks]


def test_rounds_show_each_rounds_own_percentile_and_its_place_in_the_order() -> None:
    made, analysis = measured()
    figure = compare_charts.rounds(made, analysis, analysis.rates[0], "ack", dark=False)
    lines = by_name(figure)
    assert set(lines) == {
        "critical, p99",
        "analytics, p99",
        f"metrics, {compare_charts.HANDED_OVER}",
    }
    critical = lines["critical, p99"]
    assert list(critical.x) == [1, 2, 3, 4, 5]
    order = [analysis.plan.order(500.0, n).index(0) + 1 for n in range(1, 6)]
    told = [text.split(", ")[1] for text in critical.text]
    assert told == [f"turn {place} of its round" for place in order]


def test_a_sweep_rings_the_knee_and_draws_the_objective() -> None:
    _, analysis = measured(sweep=[100, 2_000])
    figure = compare_charts.against_rate(analysis, dark=False)
    rings = [trace for trace in figure.data if trace.name == "knee"]
    assert [(trace.x[0], trace.marker.color) for trace in rings] == [
        (2_000.0, COLORS[False]["1"]),
        (2_000.0, COLORS[False]["0"]),
    ]
    assert list(figure.layout.xaxis.tickvals) == [100.0, 500.0, 2_000.0]
    told = [note.text for note in figure.layout.annotations]
    assert any("objective of critical" in text for text in told)
    assert not any("objective of metrics" in text for text in told)
    assert "metrics, end to end" in by_name(figure)
    low, high = (10**end for end in figure.layout.yaxis.range)
    wanted = analysis.plan.profiles[0].objective.latency_p99_ms
    assert wanted is not None
    assert low < wanted * 1000 < high
    assert math.isfinite(low)


def test_changes_are_second_less_first_of_one_rate_and_kind() -> None:
    first, _ = measured()
    plan = compare_seed.plan_of()

    def later(rate: float, number: int, profile: int) -> Any:
        return compare_seed.latencies(plan)(rate, number, profile) + 20_000

    second = compare_seed.made(plan, latencies=later)
    laid = side_by_side(first, second)
    spans = compare_charts.changes(laid, 500.0, "end_to_end", ("p50", "p99"), dark=False)
    assert [span.label.split()[0] for span in spans] == ["p50"] * 3 + ["p99"] * 3
    assert all(span.told and span.us > 10_000 for span in spans)
    assert not compare_charts.changes(laid, 100.0, "ack", ("p50",), dark=False)


def test_long_names_are_cut_for_a_figure() -> None:
    assert compare_charts.shortened("a" * 24) == "a" * 24
    assert compare_charts.shortened("a" * 63) == "a" * 23 + "…"
