"""What the figures are made of: colours, axes, lines and the labels at their ends."""

from __future__ import annotations

import math
from collections.abc import Sequence
from datetime import UTC, datetime, tzinfo
from typing import Any, Final

import plotly.graph_objects as go

from producer_agent.store.queries.windows import Window

COLORS: Final = {
    False: {"all": "#009E73", "1": "#0072B2", "0": "#E69F00"},
    True: {"all": "#2BC79A", "1": "#56B4E9", "0": "#F5B942"},
}
"""By dark ground or not, then by acks level."""

MUTED_COLOR: Final = {False: "#6b7884", True: "#93a1ae"}
GRID_COLOR: Final = {False: "#e6ebef", True: "#22303c"}

HEIGHT_PX: Final = 260
_LABEL_PX: Final = 66
_LINE_PX: Final = 15


def timeline(window: Window, zone: tzinfo, *, dark: bool, right_px: int = _LABEL_PX) -> go.Figure:
    """An empty figure over a window, with room for labels at the right of its lines."""
    figure = go.Figure()
    figure.update_layout(**base_layout(dark=dark, right_px=right_px))
    figure.update_xaxes(
        range=[local_time(window.start_s, zone), local_time(window.end_s, zone)],
        nticks=6,
        tickangle=0,
    )
    return figure


def base_layout(*, dark: bool, right_px: int, legend: bool = False) -> dict[str, Any]:
    """What all figures have in common; no axis can be dragged, so that a page scrolls."""
    axis = {
        "gridcolor": GRID_COLOR[dark],
        "linecolor": GRID_COLOR[dark],
        "zeroline": False,
        "fixedrange": True,
        "tickfont": {"size": 11, "color": MUTED_COLOR[dark]},
        "title": {"text": ""},
    }
    return {
        "height": HEIGHT_PX,
        "margin": {"l": 8, "r": right_px, "t": 10, "b": 8},
        "paper_bgcolor": "rgba(0,0,0,0)",
        "plot_bgcolor": "rgba(0,0,0,0)",
        "showlegend": legend,
        "legend": {"orientation": "h", "x": 0, "y": 1.02, "yanchor": "bottom"},
        "hovermode": "x unified",
        "xaxis": {**axis, "showgrid": False, "automargin": True},
        "yaxis": {**axis, "automargin": True},
        # Keeps hover state and any zoom while new data come in.
        "uirevision": "same",
    }


def add_line(
    figure: go.Figure,
    name: str,
    acks: str,
    at: Sequence[datetime],
    values: Sequence[float | None],
    *,
    dark: bool,
    thin: bool = False,
    texts: Sequence[str] | None = None,
    hover: str = "%{text}",
) -> None:
    """A line in its acks level's colour, broken where there is no value.

    Args:
        at: A time for each of ``values``.
        thin: Draw it thin and dotted, as the lesser of two.
        texts: What ``hover`` shows for each value.
    """
    figure.add_scatter(
        x=list(at),
        y=list(values),
        name=name,
        text=texts,
        # A bucket without neighbours has no line to be seen by.
        mode="lines+markers" if _has_lonely(values) else "lines",
        marker={"size": 3},
        line={
            "color": COLORS[dark][acks],
            "width": 1.2 if thin else 2,
            "dash": "dot" if thin else "solid",
        },
        hovertemplate=hover,
        connectgaps=False,
    )


def label_ends(
    figure: go.Figure,
    ends: Sequence[tuple[str, float | None]],
    low: float,
    high: float,
    *,
    dark: bool,
) -> None:
    """``acks=…`` right of the plot at each line's last value, moved apart where they would touch.

    Args:
        ends: Acks level and last value; a line without one has no label.
        low: The axis's lower end. It, ``high`` and the values are in the axis's own scale (of a
            log axis: exponents of ten).
        high: Its upper end.
    """
    places = [((value - low) / (high - low), acks) for acks, value in ends if value is not None]
    heights = spread([height for height, _ in places], _LINE_PX / (HEIGHT_PX - 50))
    for height, (_, acks) in zip(heights, places, strict=True):
        figure.add_annotation(
            x=1.0,
            y=height,
            xref="paper",
            yref="paper",
            text=f"acks={acks}",
            showarrow=False,
            xanchor="left",
            yanchor="middle",
            xshift=5,
            font={"color": COLORS[dark][acks], "size": 12},
        )


def spread(heights: Sequence[float], gap: float) -> list[float]:
    """The heights (0 to 1), moved as little as needed to be ``gap`` apart and within 0 to 1."""
    order = sorted(range(len(heights)), key=heights.__getitem__)
    placed = [0.0] * len(heights)
    floor = 0.0
    for at in order:
        placed[at] = max(heights[at], floor)
        floor = placed[at] + gap
    ceiling = 1.0
    for at in reversed(order):
        placed[at] = min(placed[at], ceiling)
        ceiling = placed[at] - gap
    return placed


def log_axis(update: Any, values_us: Sequence[float]) -> tuple[float, float]:
    """A log axis around ``values_us`` with ticks at 1, 2, 5, 10 …; its ends as exponents."""
    low, high = (min(values_us), max(values_us)) if values_us else (1_000.0, 100_000.0)
    low, high = math.log10(low) - 0.08, math.log10(high) + 0.08
    if high - low < 0.7:
        middle = (low + high) / 2
        low, high = middle - 0.35, middle + 0.35
    ticks = log_ticks(low, high)
    update(
        type="log",
        range=[low, high],
        tickvals=ticks,
        ticktext=[_tick(value) for value in ticks],
        minor={"showgrid": False, "ticks": ""},
    )
    return low, high


def log_ticks(low: float, high: float) -> list[float]:
    """1, 2 and 5 times the powers of ten within ``10**low`` to ``10**high``; over three decades
    only the powers themselves.
    """
    steps = (1, 2, 5) if high - low <= 3 else (1,)
    decades = range(math.floor(low), math.ceil(high) + 1)
    ticks = [step * 10.0**decade for decade in decades for step in steps]
    return [tick for tick in ticks if 10**low <= tick <= 10**high]


def _tick(us: float) -> str:
    if us < 1000:
        return f"{us:g} µs"
    return f"{us / 1000:g} ms" if us < 1_000_000 else f"{us / 1_000_000:g} s"


def _has_lonely(values: Sequence[float | None]) -> bool:
    padded = [None, *values, None]
    return any(
        here is not None and before is None and after is None
        for before, here, after in zip(padded, padded[1:], padded[2:], strict=False)
    )


def last_value(values: Sequence[float | None]) -> float | None:
    """The newest value that there is."""
    return next((value for value in reversed(values) if value is not None), None)


def exponent(value: float | None) -> float | None:
    """A value in the scale of a log axis."""
    return None if value is None else math.log10(value)


def bucket_times(window: Window, zone: tzinfo) -> list[datetime]:
    """When each bucket begins, as :func:`local_time` gives it."""
    return [local_time(at, zone) for at in window.bucket_starts]


def local_time(at_s: float, zone: tzinfo) -> datetime:
    """In the viewer's zone, yet without naming it: plotly would turn it back to UTC."""
    return datetime.fromtimestamp(at_s, UTC).astimezone(zone).replace(tzinfo=None)


def faint_color(color: str) -> str:
    """A ``#rrggbb`` colour as a tint for areas."""
    red, green, blue = (int(color[at : at + 2], 16) for at in (1, 3, 5))
    return f"rgba({red},{green},{blue},0.16)"
