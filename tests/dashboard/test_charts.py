from __future__ import annotations

import math
from datetime import UTC
from itertools import pairwise
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dashboard import charts
from dashboard.chart_parts import COLORS, log_ticks, spread
from producer_agent.store.queries.latency import Distribution, HeatMap
from producer_agent.store.queries.watch import Counts, LevelSummary, ProfileSummary
from producer_agent.store.queries.windows import Window

WINDOW = Window(1_800_000_000, 1_800_000_040, 10)


def level(
    acks: str = "all",
    success: tuple[float | None, ...] = (1.0, 1.0, 1.0, 1.0),
    p99: tuple[float | None, ...] = (30_000.0,) * 4,
    objective: float | None = 0.999,
) -> LevelSummary:
    profile = ProfileSummary("p", acks, Counts(), 1.0, 30_000.0, objective, 100)
    return LevelSummary(
        acks=acks,
        profiles=(profile,),
        counts=Counts(),
        rate_now=1.0,
        p50_us=10_000.0,
        p99_us=30_000.0,
        success_history=success,
        rate_history=(5.0, 5.0, 5.0, None),
        failed_history=(0, 2, 0, 0),
        p50_history_us=(10_000.0,) * 4,
        p99_history_us=p99,
    )


def test_one_colour_an_acks_level_in_every_figure() -> None:
    found = [level("all"), level("1")]
    for dark in (False, True):
        for figure in (
            charts.success(found, WINDOW, UTC, dark=dark),
            charts.ack_latency(found, WINDOW, UTC, dark=dark),
        ):
            for trace in figure.data:
                acks = trace.name.removeprefix("acks=").split()[0]
                assert trace.line.color == COLORS[dark][acks]
        sparkline = charts.traffic(level("1"), WINDOW, UTC, dark=dark)
        assert sparkline.data[0].line.color == COLORS[dark]["1"]


def test_acks_0_is_not_in_the_chart_of_shares_delivered() -> None:
    figure = charts.success([level("all"), level("0")], WINDOW, UTC, dark=False)
    assert [trace.name for trace in figure.data] == ["acks=all"]


def test_the_scale_of_shares_is_anchored_at_the_objective_and_shows_every_dip() -> None:
    calm = charts.success([level(success=(1.0, 0.9995, 1.0, 1.0))], WINDOW, UTC, dark=False)
    low, high = calm.layout.yaxis.range
    assert low <= 1 - 5 * 0.001 < 0.999 < 1 <= high
    dip = charts.success([level(success=(1.0, 0.4, 1.0, 1.0))], WINDOW, UTC, dark=False)
    assert dip.layout.yaxis.range[0] < 0.4


def test_every_objective_is_drawn_and_told_once() -> None:
    figure = charts.success(
        [level(objective=0.9999), level("1", objective=0.999)], WINDOW, UTC, dark=False
    )
    assert sorted(shape.y0 for shape in figure.layout.shapes) == [0.999, 0.9999]
    told = [note.text for note in figure.layout.annotations if "objective" in note.text]
    assert told == ["objective 99.9 % (acks=1), 99.99 % (acks=all)"]


def test_a_lonely_bucket_is_a_marker_since_it_has_no_line() -> None:
    alone = charts.success([level(success=(None, 1.0, None, None))], WINDOW, UTC, dark=False)
    joined = charts.success([level(success=(None, 1.0, 1.0, None))], WINDOW, UTC, dark=False)
    assert alone.data[0].mode == "lines+markers"
    assert joined.data[0].mode == "lines"


def test_a_line_is_labelled_at_its_last_value_beside_the_plot() -> None:
    figure = charts.ack_latency([level("all"), level("0")], WINDOW, UTC, dark=False)
    labels = {note.text: note for note in figure.layout.annotations}
    assert set(labels) == {"acks=all", "acks=0"}
    assert all(note.x == 1.0 and note.xanchor == "left" for note in labels.values())
    assert figure.layout.margin.r >= 60


@given(st.lists(st.floats(-0.5, 1.5), min_size=1, max_size=6))
def test_labels_are_moved_apart_and_never_above_the_plot(heights: list[float]) -> None:
    placed = spread(heights, 0.1)
    assert max(placed) <= 1.0
    ordered = sorted(placed)
    assert all(b - a >= 0.1 - 1e-9 for a, b in pairwise(ordered))
    by_height = sorted(range(len(heights)), key=heights.__getitem__)
    assert [placed[at] for at in by_height] == ordered


@given(st.floats(1, 6), st.floats(0.7, 6))
def test_log_ticks_are_only_1_2_and_5_within_the_axis(low: float, length: float) -> None:
    ticks = log_ticks(low, low + length)
    assert len(ticks) >= 2 or length < 1
    for tick in ticks:
        leading = tick / 10 ** math.floor(math.log10(tick * 1.0000001))
        assert min(abs(leading - step) for step in (1, 2, 5)) < 1e-6
        assert 10**low <= tick <= 10 ** (low + length)


def test_a_log_axis_tells_its_units_in_words() -> None:
    figure = charts.ack_latency([level(p99=(900.0, 2e6, 5e4, 5e4))], WINDOW, UTC, dark=False)
    assert {"1 ms", "10 ms", "100 ms", "1 s"} <= set(figure.layout.yaxis.ticktext)


def test_a_level_without_any_latency_still_has_a_chart() -> None:
    none = (None,) * 4
    empty = level(p99=none, success=none)
    charts.ack_latency([], WINDOW, UTC, dark=False)
    charts.success([], WINDOW, UTC, dark=False)
    assert charts.success([empty], WINDOW, UTC, dark=False).data[0].mode == "lines"


def test_the_sparkline_starts_at_zero_and_marks_buckets_with_failures() -> None:
    figure = charts.traffic(level(), WINDOW, UTC, dark=False)
    rate, failed = figure.data
    assert figure.layout.yaxis.range[0] < 0 < 5.0 < figure.layout.yaxis.range[1]
    assert list(failed.x) == [rate.x[1]]


def test_times_are_drawn_in_the_viewers_zone() -> None:
    utc = charts.success([level()], WINDOW, UTC, dark=False).data[0].x[0]
    tokyo = charts.success([level()], WINDOW, ZoneInfo("Asia/Tokyo"), dark=False).data[0].x[0]
    assert (tokyo - utc).total_seconds() == 9 * 3600


def test_the_ecdf_rises_from_zero_to_one_and_tells_profiles_of_a_level_by_their_dash() -> None:
    def one(name: str) -> Distribution:
        return Distribution(name, "all", 4, 0, (None,) * 5, 9e3, (1e3, 2e3, 9e3), (0.5, 0.75, 1.0))

    nothing = Distribution("idle · acks=1", "1", 0, 3, (None,) * 5, None, (), ())
    figure = charts.ecdf([one("a · acks=all"), nothing, one("b · acks=all")], dark=False)
    assert [trace.name for trace in figure.data] == ["a · acks=all", "b · acks=all"]
    for trace in figure.data:
        assert (trace.y[0], trace.y[-1]) == (0.0, 1.0)
    assert len({trace.line.dash for trace in figure.data}) == 2
    assert len({trace.line.color for trace in figure.data}) == 1


def test_the_heat_map_leaves_empty_cells_empty_and_tells_true_counts() -> None:
    counts = np.array([[0, 4, 0, 0], [9, 0, 0, 1]])
    found = HeatMap(WINDOW.bucket_starts, 10, (1e3, 2e3, 4e3), counts)
    [trace] = charts.heat(found, "1", WINDOW, UTC, dark=True).data
    assert trace.z[0][0] is None
    assert trace.z[1][0] == pytest.approx(3.0)
    assert trace.customdata[1][0] == 9
