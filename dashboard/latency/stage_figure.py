"""The picture of where an acknowledgement's time goes: a bar a profile, a colour a stage."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Final

import plotly.graph_objects as go

from dashboard.chart_parts import GRID_COLOR, base_layout
from dashboard.formats import latency
from dashboard.latency import stage_words
from producer_agent.store.queries.client_statistics import StageSplit

STAGE_COLORS: Final = {
    False: {
        stage_words.QUEUE: "#AA5B8F",
        stage_words.SEND: "#8A8F94",
        stage_words.TRIP: "#4B4E9E",
    },
    True: {
        stage_words.QUEUE: "#E39AC7",
        stage_words.SEND: "#A9B1B8",
        stage_words.TRIP: "#9EA2EE",
    },
}
"""By dark ground or not; none is an acks level's."""

MOST_BARS: Final = 40
_BAR_PX: Final = 30
_KEY_PX: Final = 28
_FRAME_PX: Final = 40 + _KEY_PX
_LONGEST_NAME: Final = 26
_LABEL_PX: Final = 58
_MOST_TICKS: Final = 5


def stage_split(splits: Sequence[StageSplit], *, dark: bool) -> go.Figure:
    """Means of the stages after each other, one bar for each split, the first at the top."""
    shown = splits[:MOST_BARS]
    figure = go.Figure()
    figure.update_layout(**base_layout(dark=dark, right_px=_LABEL_PX))
    rows = list(range(len(shown)))
    for stage, color in STAGE_COLORS[dark].items():
        means = [dict(stage_words.stages(split)).get(stage) for split in shown]
        values = [None if found is None else found.mean for found in means]
        figure.add_bar(
            orientation="h",
            y=rows,
            x=values,
            name=stage,
            marker={"color": color},
            width=0.62,
            text=[latency(value) for value in values],
            textposition="none",
            hovertemplate=f"{stage} %{{text}}<extra></extra>",
        )
    for row, split in enumerate(shown):
        figure.add_annotation(
            x=split.total_us,
            y=row,
            text=latency(split.total_us),
            showarrow=False,
            xanchor="left",
            xshift=4,
            font={"size": 12},
        )
    # No legend of plotly's: beside long names it takes three lines of a phone, or half the plot.
    figure.add_annotation(
        x=1.0,
        y=1.0,
        xref="paper",
        yref="paper",
        text="   ".join(
            f'<span style="color:{color}">■</span> {stage}'
            for stage, color in STAGE_COLORS[dark].items()
        ),
        showarrow=False,
        xanchor="right",
        yanchor="bottom",
        xshift=_LABEL_PX - 10,
        font={"size": 12},
    )
    longest = max((split.total_us for split in shown), default=0.0) or 1.0
    ticks = _round_ticks(longest)
    figure.update_layout(
        barmode="stack",
        height=_FRAME_PX + _BAR_PX * len(shown),
        hovermode="closest",
        margin_t=_KEY_PX,
    )
    figure.update_xaxes(
        showgrid=True,
        gridcolor=GRID_COLOR[dark],
        range=[0, longest],
        tickvals=ticks,
        ticktext=[f"{tick / 1e3:g} ms" for tick in ticks],
    )
    figure.update_yaxes(
        autorange="reversed",
        showgrid=False,
        tickvals=rows,
        ticktext=[_short(stage_words.name(split)) for split in shown],
    )
    return figure


def _round_ticks(longest_us: float) -> list[float]:
    """From 0 on, 1, 2 or 5 times a power of ten apart."""
    finest = longest_us / _MOST_TICKS
    power = 10.0 ** math.floor(math.log10(finest))
    step = next(power * times for times in (1, 2, 5, 10) if power * times >= finest)
    return [step * at for at in range(int(longest_us / step) + 1)]


def _short(name: str) -> str:
    return name if len(name) <= _LONGEST_NAME else name[: _LONGEST_NAME - 1] + "…"
