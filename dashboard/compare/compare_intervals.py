"""Differences with their intervals, each on a line of its own around zero: a pure figure."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

import plotly.graph_objects as go

from dashboard.chart_parts import GRID_COLOR, MUTED_COLOR, base_layout
from producer_agent.advice.compare.verdict import milliseconds

_ROW_PX: Final = 42
_MOST_TICKS: Final = 5

_TEXT_COLOR: Final = {False: "#1b2733", True: "#e3eaf0"}
"""As ``.streamlit/config.toml`` has it: a figure's own default is paler."""

EVEN_UP_TO: Final = 20.0
"""Times the narrowest that the widest may reach from zero for both to be read on an even scale."""


class Style(NamedTuple):
    """How a profile is drawn, everywhere in a comparison."""

    color: str
    dash: str
    symbol: str


@dataclass(frozen=True, slots=True)
class Span:
    """A difference with its interval, in microseconds, to be drawn on a line of its own."""

    label: str
    us: float
    low_us: float
    high_us: float
    told: bool
    style: Style


class Axis(NamedTuple):
    """Where on the axis a difference stands."""

    scale: Callable[[float], float]
    """From microseconds to the axis."""
    ticks: dict[str, float]
    """Label to place on the axis; zero is among them."""
    is_even: bool
    """Not logarithmic away from zero."""


def intervals(spans: Sequence[Span], *, dark: bool) -> go.Figure:
    """A dot and its interval for each; a hollow dot is no difference.

    Its words stand above each line and not beside it, so that it can be read on a telephone.
    """
    figure = go.Figure()
    layout = base_layout(dark=dark, right_px=8)
    layout["height"] = _ROW_PX * max(len(spans), 1) + 46
    layout["hovermode"] = "closest"
    figure.update_layout(**layout)
    scale, ticks, _ = axis_of(spans)
    for row, span in enumerate(spans):
        for place in ticks.values():
            figure.add_shape(
                type="line",
                x0=place,
                x1=place,
                y0=-row - 0.42,
                y1=-row + 0.02,
                layer="below",
                line={"color": MUTED_COLOR[dark], "width": 1.5}
                if place == 0
                else {"color": GRID_COLOR[dark], "width": 1},
            )
        _draw(figure, span, -row, scale, dark=dark)
    ends = [scale(v) for s in spans for v in (s.low_us, s.high_us)] + [0.0]
    pad = 0.06 * ((max(ends) - min(ends)) or 1.0)
    figure.update_yaxes(range=[-len(spans) + 0.5, 0.5], visible=False)
    figure.update_xaxes(
        range=[min(ends) - pad, max(ends) + pad],
        tickvals=list(ticks.values()),
        ticktext=list(ticks),
        tickangle=0,
    )
    return figure


def axis_of(spans: Sequence[Span]) -> Axis:
    """An even scale where all of them can be read on one; else one that is logarithmic away from
    zero (an inverse hyperbolic sine), for a median's tenths beside a tail's tens of milliseconds.
    """
    reach = [max(abs(span.low_us), abs(span.high_us)) for span in spans]
    low = min([0.0, *(span.low_us for span in spans)])
    high = max([0.0, *(span.high_us for span in spans)])
    largest = max(reach, default=0.0) or 1_000.0
    if largest <= EVEN_UP_TO * min(reach, default=largest):
        step = _step((high - low or largest) / _MOST_TICKS)
        first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
        return Axis(
            lambda us: us, {_signed(n * step): n * step for n in range(first, last + 1)}, True
        )
    top = 10.0 ** math.floor(math.log10(largest))
    unit = top / 100

    def scale(us: float) -> float:
        return math.asinh(us / unit)

    steps = [-top, -top / 10, 0.0, top / 10, top]
    return Axis(scale, {_signed(us): scale(us) for us in steps if low <= us <= high}, False)


def _draw(
    figure: go.Figure, span: Span, row: int, scale: Callable[[float], float], *, dark: bool
) -> None:
    color = span.style.color
    y = row - 0.2
    told = f"{milliseconds(span.us, sign=True)} ms" if span.told else "no difference told"
    words = f"{told} ({milliseconds(span.low_us)} to {milliseconds(span.high_us)})"
    figure.add_scatter(
        x=[scale(span.low_us), scale(span.high_us)],
        y=[y, y],
        mode="lines",
        line={"color": color, "width": 3 if span.told else 1.5},
        hoverinfo="skip",
    )
    figure.add_scatter(
        x=[scale(span.us)],
        y=[y],
        mode="markers",
        marker={
            "color": color,
            "size": 10,
            "symbol": span.style.symbol if span.told else f"{span.style.symbol}-open",
            "line": {"width": 2, "color": color},
        },
        hovertemplate=f"{span.label}<br>{words}<extra></extra>",
    )
    figure.add_annotation(
        x=0,
        xref="paper",
        y=row + 0.22,
        text=f"<b>{span.label}</b> {words}",
        showarrow=False,
        xanchor="left",
        # In the text's colour: the levels' are too light for words.
        font={"size": 12, "color": (_TEXT_COLOR if span.told else MUTED_COLOR)[dark]},
    )


def _step(least: float) -> float:
    """The smallest of 1, 2, 5, 10 … that is no less."""
    decade = 10.0 ** math.floor(math.log10(least))
    return next(decade * n for n in (1, 2, 5, 10) if decade * n >= least * (1 - 1e-9))


def _signed(us: float) -> str:
    if us == 0:
        return "0"
    if abs(us) < 1000:
        return f"{us:+g} µs"
    return f"{us / 1000:+g} ms" if abs(us) < 1_000_000 else f"{us / 1_000_000:+g} s"
