"""The report's two drawings, as SVG that needs nothing else."""

from __future__ import annotations

import math
from collections.abc import Sequence
from html import escape
from itertools import pairwise
from typing import Final, NamedTuple

from producer_agent.advice.compare.analysis import Analysis, Kind, ecdf, turns_of
from producer_agent.advice.compare.sweep import latency_of, sweep
from producer_agent.store.queries.comparisons import Comparison

COLOURS: Final = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00")
"""Okabe and Ito's, told apart by colour-blind eyes; lines are dashed differently as well."""

_DASHES: Final = ("", "6 3", "2 3", "8 3 2 3", "12 4")

_WIDTH, _HEIGHT = 640, 260
_LEFT, _RIGHT, _TOP, _BOTTOM = 56, 130, 12, 40

Points = list[tuple[float, float]]


class _Line(NamedTuple):
    name: str
    place: int
    points: Points
    steps: bool


def ecdf_chart(comparison: Comparison, analysis: Analysis, rate: float, kind: Kind) -> str:
    """The share of events at or below a latency, a line a profile; empty without events."""
    lines = []
    for place, name in enumerate(analysis.plan.names):
        if kind == "ack" and analysis.plan.profiles[place].acks_label == "0":
            continue  # nobody acknowledged
        xs, shares = ecdf(turns_of(comparison, rate, place), kind)
        if xs:
            lines.append(_Line(name, place, list(zip(xs, shares, strict=True)), steps=True))
    what = "acknowledged" if kind == "ack" else "read back"
    return _chart(lines, f"share {what}", "ms", low_y=0.0, high_y=1.0)


def rate_chart(analysis: Analysis) -> str:
    """p99 against the rate, a line a profile; the knee is a ring."""
    lines = []
    for place, name in enumerate(analysis.plan.names):
        points = [
            (at.rate, figure.us / 1000)
            for at in analysis.rates
            if (found := at.of(place)) is not None
            and (figure := latency_of(found).get("p99")) is not None
        ]
        if points:
            lines.append(_Line(name, place, points, steps=False))
    highest = max((y for line in lines for _, y in line.points), default=1.0)
    knees = {finding.profile: finding.knee_at for finding in sweep(analysis)}
    rings = [
        (line.place, point)
        for line in lines
        for point in line.points
        if point[0] == knees[line.place]
    ]
    return _chart(lines, "p99, ms", "events/s", low_y=0.0, high_y=highest * 1.05, rings=rings)


def _chart(
    lines: Sequence[_Line],
    y_title: str,
    x_title: str,
    *,
    low_y: float,
    high_y: float,
    rings: Sequence[tuple[int, tuple[float, float]]] = (),
) -> str:
    """Lines over a logarithmic x."""
    xs = [x for line in lines for x, _ in line.points if x > 0]
    if not xs:
        return ""
    low, high = math.log10(min(xs)), math.log10(max(xs))
    span = max(high - low, 0.05)

    def place_x(x: float) -> float:
        return _LEFT + (math.log10(x) - low) / span * (_WIDTH - _LEFT - _RIGHT)

    def place_y(y: float) -> float:
        return _TOP + (high_y - y) / (high_y - low_y) * (_HEIGHT - _TOP - _BOTTOM)

    parts = [
        f'<text x="{place_x(x):.1f}" y="{_HEIGHT - _BOTTOM + 16}" text-anchor="middle">{x:g}</text>'
        for x in _ticks(low, low + span)
    ]
    for quarter in range(5):
        y = low_y + (high_y - low_y) * quarter / 4
        at = place_y(y)
        parts.append(
            f'<line x1="{_LEFT}" x2="{_WIDTH - _RIGHT}" y1="{at:.1f}" y2="{at:.1f}" '
            f'stroke="currentColor" stroke-opacity=".2"/>'
            f'<text x="{_LEFT - 6}" y="{at + 4:.1f}" text-anchor="end">{y:.3g}</text>'
        )
    for number, line in enumerate(lines):
        parts.append(_path(line, [(place_x(x), place_y(y)) for x, y in line.points]))
        at = _TOP + 14 + 18 * number
        colour, dash = COLOURS[line.place], _DASHES[line.place]
        parts.append(
            f'<line x1="{_WIDTH - _RIGHT + 10}" x2="{_WIDTH - _RIGHT + 34}" y1="{at - 4}" '
            f'y2="{at - 4}" stroke="{colour}" stroke-width="2" stroke-dasharray="{dash}"/>'
            f'<text x="{_WIDTH - _RIGHT + 40}" y="{at}">{escape(line.name)}</text>'
        )
    parts += [
        f'<circle cx="{place_x(x):.1f}" cy="{place_y(y):.1f}" r="7" fill="none" '
        f'stroke="{COLOURS[place]}" stroke-width="2"><title>knee</title></circle>'
        for place, (x, y) in rings
    ]
    middle = (_LEFT + _WIDTH - _RIGHT) / 2
    title = escape(f"{y_title} by {x_title}")
    return (
        f'<svg viewBox="0 0 {_WIDTH} {_HEIGHT}" width="{_WIDTH}" role="img" aria-label="{title}">'
        f'{"".join(parts)}<text x="{middle}" y="{_HEIGHT - 6}" text-anchor="middle">'
        f'{escape(x_title)}</text><text transform="rotate(-90)" x="{-_HEIGHT / 2:.0f}" y="14" '
        f'text-anchor="middle">{escape(y_title)}</text></svg>'
    )


def _path(line: _Line, points: Points) -> str:
    words = [f"M{points[0][0]:.1f} {points[0][1]:.1f}"]
    for (_, before), (x, y) in pairwise(points):
        words.append(
            f"L{x:.1f} {before:.1f}L{x:.1f} {y:.1f}" if line.steps else f"L{x:.1f} {y:.1f}"
        )
    return (
        f'<path d="{"".join(words)}" fill="none" stroke="{COLOURS[line.place]}" stroke-width="2" '
        f'stroke-dasharray="{_DASHES[line.place]}"><title>{escape(line.name)}</title></path>'
    )


def _ticks(low: float, high: float) -> list[float]:
    """1, 2 and 5 of each decade within the axis."""
    found = [
        step * 10.0**decade
        for decade in range(math.floor(low), math.ceil(high) + 1)
        for step in (1, 2, 5)
    ]
    return [x for x in found if low - 1e-9 <= math.log10(x) <= high + 1e-9]
