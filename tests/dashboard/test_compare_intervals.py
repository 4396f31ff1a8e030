"""Differences are drawn around zero so that each can be read, and none is claimed that is none."""

from __future__ import annotations

import pytest

from dashboard.compare.compare_intervals import Span, Style, axis_of, intervals

STYLE = Style("#009E73", "solid", "circle")


def span(us: float, low_us: float, high_us: float) -> Span:
    return Span(f"{us:g}", us, low_us, high_us, low_us > 0 or high_us < 0, STYLE)


def test_a_difference_that_its_interval_covers_is_a_hollow_mark_without_a_figure() -> None:
    none, told = span(100, -200, 400), span(6_100, 4_900, 7_400)
    figure = intervals([none, told], dark=False)
    marks = [trace for trace in figure.data if trace.mode == "markers"]
    assert [trace.marker.symbol for trace in marks] == ["circle-open", "circle"]
    assert [note.text for note in figure.layout.annotations] == [
        "<b>100</b> no difference told (-0.20 to 0.40)",
        "<b>6100</b> +6.1 ms (4.9 to 7.4)",
    ]


@pytest.mark.parametrize("dark", [False, True])
@pytest.mark.parametrize(
    "spans",
    [
        [],
        [span(0, 0, 0)],
        [span(6_000, 5_000, 7_000)],
        [span(-50, -90, -10), span(200_000, -1, 900_000)],
        [span(2_500_000, 2_000_000, 3_000_000)],
    ],
)
def test_zero_and_every_end_lie_within_the_axis(spans: list[Span], dark: bool) -> None:
    figure = intervals(spans, dark=dark)
    axis = axis_of(spans)
    low, high = figure.layout.xaxis.range
    ends = [x for trace in figure.data for x in trace.x]
    assert low < min(0, *ends, 0)
    assert high > max(0, *ends, 0)
    assert axis.ticks["0"] == 0
    assert len(axis.ticks) <= 7
    assert len(figure.layout.annotations) == len(spans)


def test_alike_differences_stand_on_an_even_scale_with_round_ticks() -> None:
    axis = axis_of([span(5_900, 5_600, 6_300), span(6_000, 1_300, 10_800)])
    assert axis.is_even
    assert list(axis.ticks) == ["0", "+5 ms", "+10 ms"]
    assert axis.scale(10_000) == axis.ticks["+10 ms"] == 2 * axis.ticks["+5 ms"]


def test_tenths_beside_tens_of_milliseconds_stand_on_a_logarithmic_one() -> None:
    axis = axis_of([span(50, -100, 300), span(40_000, -80_000, 120_000)])
    assert not axis.is_even
    placed = [axis.scale(us) for us in (-80_000.0, -300.0, 0.0, 50.0, 6_100.0, 120_000.0)]
    assert placed == sorted(placed)
    assert placed[2] == 0
    assert list(axis.ticks) == ["-10 ms", "0", "+10 ms", "+100 ms"]
    assert axis.ticks["-10 ms"] == -axis.ticks["+10 ms"]
