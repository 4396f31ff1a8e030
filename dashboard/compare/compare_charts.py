"""The figures of a comparison: pure functions from an analysis to plotly.

A profile has its acks level's colour, as everywhere; profiles of one level are told apart by dash
and marker. Nothing here is an acknowledgement of acks=0: that line is the hand-over, dashed.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Any, Final

import plotly.graph_objects as go

from dashboard.chart_parts import COLORS, MUTED_COLOR, base_layout, log_axis
from dashboard.compare.compare_intervals import Span, Style
from dashboard.formats import latency, rate
from producer_agent.advice.compare.analysis import (
    PERCENTILES,
    Analysis,
    Kind,
    ProfileResult,
    RateResult,
    bins_of,
    ecdf,
    turns_of,
)
from producer_agent.advice.compare.plan import ComparisonPlan
from producer_agent.advice.compare.side_by_side import SideBySide
from producer_agent.advice.compare.sweep import latency_of, sweep
from producer_agent.store.latency_bins import quantiles
from producer_agent.store.queries.comparisons import Comparison

HANDED_OVER: Final = "handed over, unconfirmed"

_HANDED_OVER_DASH: Final = "dash"
_DASHES: Final = ("solid", "dot", "dashdot", "longdash", "longdashdot")
_SYMBOLS: Final = ("circle", "diamond", "square", "triangle-up", "cross")

_LONGEST_NAME: Final = 24


def styles(plan: ComparisonPlan, *, dark: bool) -> tuple[Style, ...]:
    """One for each profile of the plan."""
    seen: dict[str, int] = {}
    found = []
    for profile in plan.profiles:
        acks = profile.acks_label
        nth = seen[acks] = seen.get(acks, -1) + 1
        found.append(Style(COLORS[dark][acks], _DASHES[nth], _SYMBOLS[nth]))
    return tuple(found)


def shares(
    comparison: Comparison, analysis: Analysis, at_rate: float, kind: Kind, *, dark: bool
) -> go.Figure:
    """Share of events within a time, a line a profile, of all rounds together; log time axis."""
    figure = go.Figure()
    figure.update_layout(**base_layout(dark=dark, right_px=12, legend=True))
    values: list[float] = []
    for place, style in enumerate(styles(analysis.plan, dark=dark)):
        profile = analysis.plan.profiles[place]
        ms, reached = ecdf(turns_of(comparison, at_rate, place), kind)
        if not ms:
            continue
        unconfirmed = kind == "ack" and profile.acks_label == "0"
        at_us = [value * 1000 for value in ms]
        values += at_us
        figure.add_scatter(
            x=[at_us[0] / 1.02, *at_us],
            y=[0.0, *reached],
            name=f"{shortened(profile.name)}: {HANDED_OVER}"
            if unconfirmed
            else shortened(profile.name),
            mode="lines",
            line={
                "color": style.color,
                "width": 2,
                "shape": "hv",
                "dash": _HANDED_OVER_DASH if unconfirmed else style.dash,
            },
            text=["", *(latency(value) for value in at_us)],
            hovertemplate="%{y:.2%} within %{text}",
        )
    log_axis(figure.update_xaxes, values)
    figure.update_yaxes(range=[0, 1.02], tickformat=".0%", dtick=0.25)
    return figure


def differences(at: RateResult, analysis: Analysis, kind: Kind, *, dark: bool) -> list[Span]:
    """Each profile's difference to the baseline, percentile by percentile."""
    drawn = styles(analysis.plan, dark=dark)
    return [
        Span(
            f"{percentile} {shortened(result.name)}",
            found.us,
            found.low_us,
            found.high_us,
            found.told,
            drawn[result.profile],
        )
        for percentile in PERCENTILES
        for result in at.profiles
        if (found := result.differences.get((kind, percentile))) is not None
    ]


def changes(
    laid: SideBySide, at_rate: float, kind: Kind, percentiles: Iterable[str], *, dark: bool
) -> list[Span]:
    """Each profile's change from the first comparison to the second."""
    drawn = styles(laid.second.plan, dark=dark)
    wanted = tuple(percentiles)
    return [
        Span(
            f"{change.percentile} {shortened(change.name)}",
            change.difference.us,
            change.difference.low_us,
            change.difference.high_us,
            change.difference.told,
            drawn[laid.second.plan.names.index(change.name)],
        )
        for change in sorted(laid.changes, key=lambda one: list(PERCENTILES).index(one.percentile))
        if change.rate == at_rate and change.kind == kind and change.percentile in wanted
    ]


def rounds(
    comparison: Comparison, analysis: Analysis, at: RateResult, kind: Kind, *, dark: bool
) -> go.Figure:
    """Each round's own percentile, a line a profile, so that one sees the machine drift."""
    figure = go.Figure()
    figure.update_layout(**base_layout(dark=dark, right_px=12, legend=True))
    drawn = styles(analysis.plan, dark=dark)
    values: list[float] = []
    for result in at.profiles:
        percentile = highest(result, kind)
        turns = turns_of(comparison, at.rate, result.profile)
        points = [
            (turn, us)
            for turn in turns
            if (us := quantiles(bins_of(turn, kind), [PERCENTILES[percentile]])[0]) is not None
        ]
        values += [us for _, us in points]
        style = drawn[result.profile]
        told = HANDED_OVER if kind == "ack" and not result.confirmed else percentile
        figure.add_scatter(
            x=[turn.round for turn, _ in points],
            y=[us for _, us in points],
            name=f"{shortened(result.name)}, {told}",
            mode="lines+markers",
            marker={"size": 8, "symbol": style.symbol, "color": style.color},
            line={"color": style.color, "width": 1, "dash": style.dash},
            text=[f"{latency(us)}, turn {turn.position} of its round" for turn, us in points],
            hovertemplate="%{text}",
        )
    log_axis(figure.update_yaxes, values)
    last = analysis.plan.rounds
    figure.update_xaxes(
        range=[0.7, last + 0.3],
        dtick=max(1, round(last / 10)),
        tick0=1,
        tickprefix="round ",
        tickangle=0,
    )
    return figure


def highest(result: ProfileResult, kind: Kind) -> str:
    """The highest percentile up to p99 that enough events back."""
    figures: Mapping[str, object] = result.ack if kind == "ack" else result.end_to_end
    return next((name for name in ("p99", "p90") if name in figures), "p50")


def against_rate(analysis: Analysis, *, dark: bool) -> go.Figure:
    """p99 against the rate with its interval; knees ringed, objectives as dotted lines.

    Of acknowledgements, and end to end where none come.
    """
    figure = go.Figure()
    figure.update_layout(**base_layout(dark=dark, right_px=12, legend=True))
    drawn = styles(analysis.plan, dark=dark)
    knees = {finding.profile: finding.knee_at for finding in sweep(analysis)}
    values: list[float] = []
    for place, profile in enumerate(analysis.plan.profiles):
        points = [
            (at.rate, figures)
            for at in analysis.rates
            if (found := at.of(place)) is not None
            and (figures := latency_of(found).get("p99")) is not None
        ]
        if not points:
            continue
        style = drawn[place]
        values += [end for _, f in points for end in (f.us, f.low_us, f.high_us) if end]
        confirmed = profile.acks_label != "0"
        figure.add_scatter(
            x=[asked for asked, _ in points],
            y=[f.us for _, f in points],
            error_y={
                "type": "data",
                "array": [(f.high_us or f.us) - f.us for _, f in points],
                "arrayminus": [f.us - (f.low_us or f.us) for _, f in points],
                "width": 3,
                "thickness": 1,
            },
            name=shortened(profile.name) if confirmed else f"{shortened(profile.name)}, end to end",
            mode="lines+markers",
            marker={"size": 7, "symbol": style.symbol, "color": style.color},
            line={"color": style.color, "width": 2, "dash": style.dash},
            text=[f"{latency(f.us)} at {rate(asked)}" for asked, f in points],
            hovertemplate="%{text}",
        )
        wanted_ms = profile.objective.latency_p99_ms
        if wanted_ms is not None and confirmed:
            values.append(wanted_ms * 1500)  # with room for its label above it
            _objective(figure, profile.name, wanted_ms * 1000, style, dark=dark)
        for asked, f in points:
            if asked == knees.get(place):
                _ring(figure, asked, f.us, style)
    log_axis(figure.update_yaxes, values)
    asked_at = [at.rate for at in analysis.rates]
    figure.update_xaxes(
        type="log",
        tickvals=asked_at,
        ticktext=[rate(each) for each in asked_at],
        range=[math.log10(asked_at[0]) - 0.1, math.log10(asked_at[-1]) + 0.1],
        tickangle=0,
    )
    return figure


def shortened(name: str) -> str:
    """A profile's name as a figure has room for it."""
    return name if len(name) <= _LONGEST_NAME else f"{name[: _LONGEST_NAME - 1]}…"


def _objective(figure: go.Figure, name: str, us: float, style: Style, *, dark: bool) -> None:
    figure.add_hline(y=us, line={"color": style.color, "width": 1.2, "dash": "dot"})
    figure.add_annotation(
        x=0.01,
        y=math.log10(us),
        xref="paper",
        text=f"objective of {shortened(name)}: {latency(us)}",
        showarrow=False,
        xanchor="left",
        yanchor="bottom",
        font={"size": 11, "color": MUTED_COLOR[dark]},
    )


def _ring(figure: go.Figure, asked: float, us: float, style: Style) -> None:
    marker: dict[str, Any] = {
        "size": 18,
        "symbol": "circle-open",
        "color": style.color,
        "line": {"width": 2.5},
    }
    figure.add_scatter(
        x=[asked],
        y=[us],
        name="knee",
        mode="markers",
        marker=marker,
        showlegend=False,
        hoverinfo="skip",
    )
