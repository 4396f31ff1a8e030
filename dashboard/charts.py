"""The figures: pure functions from query results to plotly, for a light or a dark ground.

One colour an acks level everywhere (Okabe and Ito's palette, which colour-blind eyes can tell
apart; lighter on the dark ground), and its word at the end of its line instead of a legend.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from datetime import UTC, datetime, tzinfo
from typing import Any, Final

import plotly.graph_objects as go

from dashboard.formats import latency, percent
from producer_agent.store.queries.latency import Distribution, HeatMap
from producer_agent.store.queries.watch import LevelSummary
from producer_agent.store.queries.windows import Window

COLORS: Final = {
    False: {"all": "#009E73", "1": "#0072B2", "0": "#E69F00"},
    True: {"all": "#2BC79A", "1": "#56B4E9", "0": "#F5B942"},
}
"""By dark ground or not, then by acks level."""

_FAILED: Final = {False: "#C0392B", True: "#FF7B6B"}
_MUTED: Final = {False: "#6b7884", True: "#93a1ae"}
_GRID: Final = {False: "#e6ebef", True: "#22303c"}

CONFIG: Final[dict[str, Any]] = {"displayModeBar": False, "scrollZoom": False}
"""For ``st.plotly_chart``: no tool bar, and the page scrolls where one would zoom."""

STILL: Final[dict[str, Any]] = {"staticPlot": True}

HEIGHT_PX: Final = 260
_LABEL_PX: Final = 66
_LINE_PX: Final = 15
_DASHES: Final = ("solid", "dash", "dot", "dashdot", "longdash")


def success(
    levels: Sequence[LevelSummary], window: Window, zone: tzinfo, *, dark: bool
) -> go.Figure:
    """Share delivered over time, per acks level, with each objective as a dotted line.

    The scale reaches at least five error budgets below the loosest objective, so that one
    failure in a quiet minute does not look like a collapse.
    """
    figure = _figure(window, zone, dark=dark)
    confirmed = [level for level in levels if level.acks != "0"]
    objectives = sorted(
        {
            (profile.success_objective, level.acks)
            for level in confirmed
            for profile in level.profiles
            if profile.success_objective is not None
        }
    )
    shares = [share for level in confirmed for share in level.success_history if share is not None]
    budgets = [1 - 5 * (1 - objective) for objective, _ in objectives]
    low = min([*shares, *budgets, 0.999])
    pad = (1 - low) * 0.08
    for objective, acks in objectives:
        figure.add_hline(
            y=objective, line={"color": COLORS[dark][acks], "width": 1.2, "dash": "dot"}
        )
    if objectives:
        # One label for all: at this scale their lines often touch.
        figure.add_annotation(
            x=0.01,
            y=objectives[0][0],
            xref="paper",
            text="objective " + ", ".join(f"{percent(o)} (acks={a})" for o, a in objectives),
            showarrow=False,
            xanchor="left",
            yanchor="top",
            yshift=-4,
            font={"size": 11, "color": _MUTED[dark]},
        )
    for level in confirmed:
        _line(figure, level.acks, level.success_history, window, zone, dark=dark, hover="%{y:.4%}")
    figure.update_yaxes(range=[low - pad, 1 + pad], tickformat=".6~%", nticks=6)
    ends = [(f"acks={level.acks}", level.acks, _last(level.success_history)) for level in confirmed]
    _label_ends(figure, ends, low - pad, 1 + pad, dark=dark)
    return figure


def ack_latency(
    levels: Sequence[LevelSummary], window: Window, zone: tzinfo, *, dark: bool
) -> go.Figure:
    """p99 over time as a line and p50 as a thin dotted one, per acks level; log axis."""
    figure = _figure(window, zone, dark=dark)
    for level in levels:
        for history, name, thin in (
            (level.p50_history_us, "p50", True),
            (level.p99_history_us, "p99", False),
        ):
            _line(
                figure,
                f"acks={level.acks} {name}",
                history,
                window,
                zone,
                dark=dark,
                acks=level.acks,
                thin=thin,
                texts=[latency(value) for value in history],
            )
    values = [
        value
        for level in levels
        for value in (*level.p50_history_us, *level.p99_history_us)
        if value is not None
    ]
    low, high = _log_axis(figure.update_yaxes, values)
    ends = [
        (f"acks={level.acks}", level.acks, _log10(_last(level.p99_history_us))) for level in levels
    ]
    _label_ends(figure, ends, low, high, dark=dark)
    return figure


def traffic(level: LevelSummary, window: Window, zone: tzinfo, *, dark: bool) -> go.Figure:
    """A card's sparkline: events a second from zero up; buckets with failures are marked."""
    color = COLORS[dark][level.acks]
    at = _times(window, zone)
    top = max([rate for rate in level.rate_history if rate is not None], default=0.0) or 1.0
    figure = go.Figure(
        go.Scatter(
            x=at,
            y=level.rate_history,
            mode="lines",
            line={"color": color, "width": 1.5, "shape": "hv"},
            fill="tozeroy",
            fillcolor=_faint(color),
        )
    )
    hit = [i for i, failed in enumerate(level.failed_history) if failed]
    figure.add_scatter(
        x=[at[i] for i in hit],
        y=[-top * 0.09] * len(hit),
        mode="markers",
        marker={"color": _FAILED[dark], "size": 4, "symbol": "square"},
    )
    figure.update_layout(
        height=56,
        margin={"l": 0, "r": 0, "t": 2, "b": 2},
        showlegend=False,
        paper_bgcolor="rgba(0,0,0,0)",
        plot_bgcolor="rgba(0,0,0,0)",
        xaxis={"visible": False, "range": [at[0], _time(window.end_s, zone)]},
        yaxis={"visible": False, "range": [-top * 0.2, top * 1.1]},
    )
    return figure


def ecdf(found: Sequence[Distribution], *, dark: bool) -> go.Figure:
    """Share of events acknowledged within a time, per distribution; log time axis."""
    figure = go.Figure()
    figure.update_layout(**_layout(dark=dark, right_px=12, legend=True))
    seen: dict[str, int] = {}
    for one in found:
        if not one.events:
            continue
        seen[one.acks] = seen.get(one.acks, -1) + 1
        figure.add_scatter(
            x=[one.values_us[0] / 1.02, *one.values_us],
            y=[0.0, *one.shares],
            name=one.name if "acks" in one.name else f"acks={one.name}",
            mode="lines",
            line={
                "color": COLORS[dark][one.acks],
                "width": 2,
                "shape": "hv",
                "dash": _DASHES[seen[one.acks] % len(_DASHES)],
            },
            text=["", *(latency(value) for value in one.values_us)],
            hovertemplate="%{y:.2%} within %{text}",
        )
    _log_axis(figure.update_xaxes, [value for one in found for value in one.values_us])
    figure.update_yaxes(range=[0, 1.02], tickformat=".0%", dtick=0.25)
    return figure


def heat(found: HeatMap, acks: str, window: Window, zone: tzinfo, *, dark: bool) -> go.Figure:
    """Events by time and latency: the darker (on dark ground: the lighter), the more of them.

    Counts are shown by their square root, or the few slow ones would not be seen.
    """
    figure = _figure(window, zone, dark=dark, right_px=12)
    color = COLORS[dark][acks]
    middles = [math.sqrt(a * b) for a, b in zip(found.edges_us, found.edges_us[1:], strict=False)]
    spans = [
        f"{latency(a)} to {latency(b)}"
        for a, b in zip(found.edges_us, found.edges_us[1:], strict=False)
    ]
    shown = [[None if n == 0 else math.sqrt(n) for n in row] for row in found.counts.tolist()]
    figure.add_heatmap(
        x=[_time(at + found.step_s / 2, zone) for at in found.at_s],
        y=middles,
        z=shown,
        customdata=found.counts.tolist(),
        text=[[span] * len(found.at_s) for span in spans],
        hovertemplate="%{customdata:,} events<br>%{text}<extra></extra>",
        colorscale=[(0, _faint(color)), (1, color)],
        showscale=False,
        hoverongaps=False,
    )
    _log_axis(figure.update_yaxes, [found.edges_us[0], found.edges_us[-1]])
    figure.update_layout(hovermode="closest")
    return figure


def _figure(window: Window, zone: tzinfo, *, dark: bool, right_px: int = _LABEL_PX) -> go.Figure:
    figure = go.Figure()
    figure.update_layout(**_layout(dark=dark, right_px=right_px))
    figure.update_xaxes(
        range=[_time(window.start_s, zone), _time(window.end_s, zone)], nticks=6, tickangle=0
    )
    return figure


def _layout(*, dark: bool, right_px: int, legend: bool = False) -> dict[str, Any]:
    axis = {
        "gridcolor": _GRID[dark],
        "linecolor": _GRID[dark],
        "zeroline": False,
        "fixedrange": True,
        "tickfont": {"size": 11, "color": _MUTED[dark]},
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


def _line(
    figure: go.Figure,
    name: str,
    values: Sequence[float | None],
    window: Window,
    zone: tzinfo,
    *,
    dark: bool,
    acks: str | None = None,
    thin: bool = False,
    texts: Sequence[str] | None = None,
    hover: str = "%{text}",
) -> None:
    level = acks or name
    figure.add_scatter(
        x=_times(window, zone),
        y=list(values),
        name=name if acks else f"acks={name}",
        text=texts,
        # A bucket without neighbours has no line to be seen by.
        mode="lines+markers" if _has_lonely(values) else "lines",
        marker={"size": 3},
        line={
            "color": COLORS[dark][level],
            "width": 1.2 if thin else 2,
            "dash": "dot" if thin else "solid",
        },
        hovertemplate=hover,
        connectgaps=False,
    )


def _label_ends(
    figure: go.Figure,
    ends: Sequence[tuple[str, str, float | None]],
    low: float,
    high: float,
    *,
    dark: bool,
) -> None:
    """Each line's name right of the plot at its last value, moved apart where they would touch.

    Values, ``low`` and ``high`` are in the axis's own scale (a log axis: exponents of ten).
    """
    places = [
        ((value - low) / (high - low), text, acks)
        for text, acks, value in ends
        if value is not None
    ]
    heights = spread([height for height, _, _ in places], _LINE_PX / (HEIGHT_PX - 50))
    for height, (_, text, acks) in zip(heights, places, strict=True):
        figure.add_annotation(
            x=1.0,
            y=height,
            xref="paper",
            yref="paper",
            text=text,
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


def _log_axis(update: Any, values_us: Sequence[float]) -> tuple[float, float]:
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


def _last(values: Sequence[float | None]) -> float | None:
    return next((value for value in reversed(values) if value is not None), None)


def _log10(value: float | None) -> float | None:
    return None if value is None else math.log10(value)


def _times(window: Window, zone: tzinfo) -> list[datetime]:
    return [_time(at, zone) for at in window.bucket_starts]


def _time(at_s: float, zone: tzinfo) -> datetime:
    """Without its zone: plotly would turn it back to UTC."""
    return datetime.fromtimestamp(at_s, UTC).astimezone(zone).replace(tzinfo=None)


def _faint(color: str) -> str:
    red, green, blue = (int(color[at : at + 2], 16) for at in (1, 3, 5))
    return f"rgba({red},{green},{blue},0.16)"
