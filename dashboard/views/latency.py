"""Latency: how long does an acknowledgement take?"""

from __future__ import annotations

import time
from collections.abc import Sequence

import streamlit as st
from sqlite_utils import Database

from dashboard import charts, context
from dashboard.components import freshness, steady, time_range
from dashboard.formats import ACKS_LEVELS, count, escape_markdown, latency, visible
from dashboard.latency import by_broker, stage_split
from producer_agent.store.queries.latency import (
    By,
    Distribution,
    HeatMap,
    Metric,
    distributions,
    heat_map,
)
from producer_agent.store.queries.windows import Window, window_to

QUANTILE_NAMES = ("p50", "p90", "p95", "p99", "p99.9")
"""In the order of ``Distribution.quantiles_us``."""

_BY: dict[str, By] = {"acks level": "acks", "profile": "profile"}
_BROKER = "broker"
"""The third choice: it has figures of its own."""


def _controls() -> None:
    with st.container(horizontal=True, width="content", gap="small"):
        st.segmented_control(
            "By",
            [*_BY, _BROKER],
            default="acks level",
            required=True,
            key="by",
            bind="query-params",
            label_visibility="collapsed",
        )
        time_range.choose()


def _draw() -> None:
    chosen = time_range.selected()
    window = window_to(time.time_ns() // 1000, time_range.RANGES[chosen])
    if st.session_state.get("by") == _BROKER:
        by_broker.draw(window, chosen)
        return
    by = _BY.get(st.session_state.get("by", ""), "acks")

    def query(db: Database) -> tuple[list[Distribution], list[Distribution]]:
        return distributions(db, window, by), distributions(db, window, by, metric="schedule")

    found, delays = context.read(query)
    st.markdown(_answer(found, chosen, by))
    measured = [one for one in found if one.events]
    if not measured:
        st.info(
            "Start a profile on [Profiles](profiles), or choose a longer time range.",
            icon=":material/inbox:",
        )
        return
    grid = st.grid(2, min_column_width=340, key="charts")
    with grid.cell():
        st.subheader("Share acknowledged within a time", anchor=False)
        steady.chart(
            "ecdf",
            window,
            tuple(one.name for one in measured),
            lambda: charts.ecdf(_ordered(measured), dark=context.is_dark()),
            alt="Cumulative distribution of acknowledgement latency, log time axis",
        )
    with grid.cell():
        _heat(measured, window)
    stage_split.draw(window, chosen)
    _table("Acknowledgement", found, "ack")
    _table("Schedule delay", delays, "schedule")


def _answer(found: Sequence[Distribution], chosen: str, by: By) -> str:
    """The first line: p50 and p99 of each group, in words."""
    measured = [one for one in found if one.events]
    if not measured:
        return f"**No acknowledgement was measured in the last {chosen}.**"
    said = [
        f"**{_label(one, by)}** {latency(one.quantiles_us[0])} at the median, "
        f"{latency(one.quantiles_us[3])} at p99"
        for one in _ordered(measured)
    ]
    return f"In the last {chosen} an acknowledgement took: " + "; ".join(said) + "."


def _heat(measured: Sequence[Distribution], window: Window) -> None:
    present = [acks for acks in ACKS_LEVELS if any(one.acks == acks for one in measured)]
    with st.container(
        horizontal=True, horizontal_alignment="distribute", vertical_alignment="center"
    ):
        st.subheader("Over time", anchor=False, width="content")
        acks = st.segmented_control(
            "Acks level",
            list(ACKS_LEVELS),
            default=present[0],
            required=True,
            format_func=lambda level: f"acks={level}",
            key="heat",
            bind="query-params",
            label_visibility="collapsed",
        )
    acks = acks or present[0]

    def query(db: Database) -> HeatMap | None:
        return heat_map(db, window, acks)

    if acks not in present:
        st.caption(f"No acknowledgement under acks={acks} in this time.")
        return
    steady.chart(
        "heat-map",
        window,
        acks,
        lambda: charts.heat(
            context.read(query), acks, window, context.zone(), dark=context.is_dark()
        ),
        alt=f"How many events took how long over time, acks={acks}",
    )


def _table(title: str, found: Sequence[Distribution], metric: Metric) -> None:
    st.subheader(title, anchor=False)
    st.caption(
        "From produce() to the delivery report, of events that were acknowledged (acks=0: that "
        "left the client). Failed events have no acknowledgement: they are left out and counted "
        "beside. Within 1 %."
        if metric == "ack"
        else "How late an event was produced after it was due. It is not part of the "
        "acknowledgement latency: where it is large, this machine could not keep the rate."
    )
    rows = []
    for one in _ordered(found):
        figures = [latency(value) for value in (*one.quantiles_us, one.largest_us)]
        row: dict[str, object] = {"": visible(one.name if "acks=" in one.name else _acks(one))}
        row |= dict(zip((*QUANTILE_NAMES, "largest"), figures, strict=True))
        row |= {"events": count(one.events)}
        row |= {"failed": count(one.failed)} if metric == "ack" else {}
        rows.append(row)
    st.dataframe(
        rows,
        column_config={
            name: st.column_config.TextColumn(width=70, alignment="right")
            for name in (*QUANTILE_NAMES, "largest", "events", "failed")
        }
        | {"": st.column_config.TextColumn(width=135, pinned=True)},
        hide_index=True,
        key=f"table-{metric}",
        alt=f"{title}: percentiles",
    )


def _label(one: Distribution, by: By) -> str:
    return escape_markdown(one.name) if by == "profile" else _acks(one)


def _acks(one: Distribution) -> str:
    return f"acks={one.acks}"


def _ordered(found: Sequence[Distribution]) -> list[Distribution]:
    return sorted(found, key=lambda one: (ACKS_LEVELS.index(one.acks), one.name))


freshness.live(_draw, title="Latency", controls=_controls)
