"""The chart of brokers: one line each, grey but for those that stand out."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import tzinfo
from typing import Final

import plotly.graph_objects as go

from dashboard.chart_parts import (
    HEIGHT_PX,
    MUTED_COLOR,
    bucket_times,
    exponent,
    last_value,
    log_axis,
    spread,
    timeline,
)
from dashboard.formats import count, latency
from dashboard.latency import broker_words
from producer_agent.store.queries.broker_rollups import BrokerSummary
from producer_agent.store.queries.windows import Window

LABELLED: Final = 8
"""Lines with a label at their end; of more brokers only those that stand out have one."""

_LABEL_PX: Final = 74
_LINE_PX: Final = 15
_STANDS_OUT: Final = {False: "#C0392B", True: "#FF7B6B"}
_DASHES: Final = ("solid", "dash", "dot", "dashdot", "longdash")


def by_broker(
    found: Sequence[BrokerSummary],
    outliers: Collection[int],
    window: Window,
    zone: tzinfo,
    *,
    dark: bool,
) -> go.Figure:
    """p99 over time, a line a broker; a square below where events of it failed.

    Args:
        found: Whoever is no broker is left out.
        outliers: Brokers whose line is drawn in red and above the others.
    """
    figure = timeline(window, zone, dark=dark, right_px=_LABEL_PX)
    brokers = sorted(
        (one for one in found if one.broker >= 0), key=lambda one: one.broker in outliers
    )
    at = bucket_times(window, zone)
    values = [v for one in brokers for v in one.p99_history_us if v is not None]
    low, high = log_axis(figure.update_yaxes, values)
    floor = low + (high - low) * 0.02
    for number, one in enumerate(brokers):
        stands_out = one.broker in outliers
        color = _STANDS_OUT[dark] if stands_out else MUTED_COLOR[dark]
        figure.add_scatter(
            x=at,
            y=list(one.p99_history_us),
            name=broker_words.name(one.broker),
            mode="lines+markers",
            marker={"size": 3},
            line={
                "color": color,
                "width": 2.5 if stands_out else 1.5,
                "dash": "solid" if stands_out else _DASHES[number % len(_DASHES)],
            },
            text=[latency(value) for value in one.p99_history_us],
            hovertemplate="p99 %{text}",
        )
        hit = [i for i, n in enumerate(one.failed_history) if n]
        figure.add_scatter(
            x=[at[i] for i in hit],
            y=[10**floor] * len(hit),
            name=broker_words.name(one.broker),
            mode="markers",
            marker={"color": color, "size": 6, "symbol": "square"},
            text=[count(one.failed_history[i]) for i in hit],
            hovertemplate="%{text} failed",
        )
    _label_ends(figure, brokers, outliers, low, high, dark=dark)
    return figure


def _label_ends(
    figure: go.Figure,
    brokers: Sequence[BrokerSummary],
    outliers: Collection[int],
    low: float,
    high: float,
    *,
    dark: bool,
) -> None:
    ends = [
        ((end - low) / (high - low), one.broker)
        for one in brokers
        if (end := exponent(last_value(one.p99_history_us))) is not None
        and (len(brokers) <= LABELLED or one.broker in outliers)
    ]
    heights = spread([height for height, _ in ends], _LINE_PX / (HEIGHT_PX - 50))
    for height, (_, broker) in zip(heights, ends, strict=True):
        figure.add_annotation(
            x=1.0,
            y=height,
            xref="paper",
            yref="paper",
            text=broker_words.name(broker),
            showarrow=False,
            xanchor="left",
            yanchor="middle",
            xshift=5,
            font={
                "color": (_STANDS_OUT if broker in outliers else MUTED_COLOR)[dark],
                "size": 12,
            },
        )
