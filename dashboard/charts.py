"""The figures: pure functions from query results to plotly, for a light or a dark ground.

One colour an acks level everywhere (Okabe and Ito's palette, which colour-blind eyes can tell
apart; lighter on the dark ground), and its word at the end of its line instead of a legend.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from datetime import tzinfo
from typing import Any, Final

import plotly.graph_objects as go

from dashboard.chart_parts import (
    COLORS,
    MUTED_COLOR,
    add_line,
    base_layout,
    bucket_times,
    exponent,
    faint_color,
    label_ends,
    last_value,
    local_time,
    log_axis,
    timeline,
)
from dashboard.formats import latency, percent
from producer_agent.store.queries.latency import Distribution, HeatMap
from producer_agent.store.queries.watch import LevelSummary
from producer_agent.store.queries.windows import Window

CONFIG: Final[dict[str, Any]] = {"displayModeBar": False, "scrollZoom": False}
"""For ``st.plotly_chart``: no tool bar, and the page scrolls where one would zoom."""

STILL: Final[dict[str, Any]] = {"staticPlot": True}

_FAILED: Final = {False: "#C0392B", True: "#FF7B6B"}
_DASHES: Final = ("solid", "dash", "dot", "dashdot", "longdash")


def success(
    levels: Sequence[LevelSummary], window: Window, zone: tzinfo, *, dark: bool
) -> go.Figure:
    """Share delivered over time, per acks level, with each objective as a dotted line.

    The scale reaches at least five error budgets below the loosest objective, so that one
    failure in a quiet minute does not look like a collapse.
    """
    figure = timeline(window, zone, dark=dark)
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
            font={"size": 11, "color": MUTED_COLOR[dark]},
        )
    for level in confirmed:
        add_line(
            figure,
            f"acks={level.acks}",
            level.acks,
            bucket_times(window, zone),
            level.success_history,
            dark=dark,
            hover="%{y:.4%}",
        )
    figure.update_yaxes(range=[low - pad, 1 + pad], tickformat=".6~%", nticks=6)
    ends = [(level.acks, last_value(level.success_history)) for level in confirmed]
    label_ends(figure, ends, low - pad, 1 + pad, dark=dark)
    return figure


def ack_latency(
    levels: Sequence[LevelSummary], window: Window, zone: tzinfo, *, dark: bool
) -> go.Figure:
    """p99 over time as a line and p50 as a thin dotted one, per acks level; log axis."""
    figure = timeline(window, zone, dark=dark)
    for level in levels:
        for history, name, thin in (
            (level.p50_history_us, "p50", True),
            (level.p99_history_us, "p99", False),
        ):
            add_line(
                figure,
                f"acks={level.acks} {name}",
                level.acks,
                bucket_times(window, zone),
                history,
                dark=dark,
                thin=thin,
                texts=[latency(value) for value in history],
            )
    values = [
        value
        for level in levels
        for value in (*level.p50_history_us, *level.p99_history_us)
        if value is not None
    ]
    low, high = log_axis(figure.update_yaxes, values)
    ends = [(level.acks, exponent(last_value(level.p99_history_us))) for level in levels]
    label_ends(figure, ends, low, high, dark=dark)
    return figure


def traffic(level: LevelSummary, window: Window, zone: tzinfo, *, dark: bool) -> go.Figure:
    """A card's sparkline: events a second from zero up; buckets with failures are marked."""
    color = COLORS[dark][level.acks]
    at = bucket_times(window, zone)
    top = max([rate for rate in level.rate_history if rate is not None], default=0.0) or 1.0
    figure = go.Figure(
        go.Scatter(
            x=at,
            y=level.rate_history,
            mode="lines",
            line={"color": color, "width": 1.5, "shape": "hv"},
            fill="tozeroy",
            fillcolor=faint_color(color),
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
        xaxis={"visible": False, "range": [at[0], local_time(window.end_s, zone)]},
        yaxis={"visible": False, "range": [-top * 0.2, top * 1.1]},
    )
    return figure


def ecdf(found: Sequence[Distribution], *, dark: bool) -> go.Figure:
    """Share of events acknowledged within a time, per distribution; log time axis."""
    figure = go.Figure()
    figure.update_layout(**base_layout(dark=dark, right_px=12, legend=True))
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
    log_axis(figure.update_xaxes, [value for one in found for value in one.values_us])
    figure.update_yaxes(range=[0, 1.02], tickformat=".0%", dtick=0.25)
    return figure


def heat(
    found: HeatMap | None, acks: str, window: Window, zone: tzinfo, *, dark: bool
) -> go.Figure:
    """Events by time and latency: the darker (on dark ground: the lighter), the more of them.

    Counts are shown by their square root, or the few slow ones would not be seen.
    """
    figure = timeline(window, zone, dark=dark, right_px=12)
    if found is None:
        return figure
    color = COLORS[dark][acks]
    middles = [math.sqrt(a * b) for a, b in zip(found.edges_us, found.edges_us[1:], strict=False)]
    spans = [
        f"{latency(a)} to {latency(b)}"
        for a, b in zip(found.edges_us, found.edges_us[1:], strict=False)
    ]
    shown = [[None if n == 0 else math.sqrt(n) for n in row] for row in found.counts.tolist()]
    figure.add_heatmap(
        x=[local_time(at + found.step_s / 2, zone) for at in found.at_s],
        y=middles,
        z=shown,
        customdata=found.counts.tolist(),
        text=[[span] * len(found.at_s) for span in spans],
        hovertemplate="%{customdata:,} events<br>%{text}<extra></extra>",
        colorscale=[(0, faint_color(color)), (1, color)],
        showscale=False,
        hoverongaps=False,
    )
    log_axis(figure.update_yaxes, [found.edges_us[0], found.edges_us[-1]])
    figure.update_layout(hovermode="closest")
    return figure
