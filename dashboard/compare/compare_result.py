"""What a comparison found: the verdict, the two figures it rests on, the tables, the method."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Final

import streamlit as st

from dashboard import context, formats
from dashboard.compare import (
    compare_charts,
    compare_intervals,
    compare_loaded,
    compare_tables,
    compare_tools,
    compare_words,
)
from dashboard.components import notices, steady
from dashboard.formats import escape_markdown, rate
from producer_agent.advice.compare.analysis import Analysis, Kind, RateResult
from producer_agent.advice.compare.sweep import KNEE_RULE, sweep
from producer_agent.store.queries.comparisons import Comparison, Summary

KINDS: Final[dict[str, Kind]] = {"Acknowledgement": "ack", "End to end": "end_to_end"}


def draw(summary: Summary, others: Sequence[Summary]) -> None:
    """One that is over. ``others`` are those that it can be laid beside."""
    found = compare_loaded.whole(summary)
    if found is None:
        head(summary)
        compare_tools.draw(summary, None, others)
        return
    comparison, analysis = found
    with st.container(key="compare-answer"):
        notices.show(compare_words.found(analysis))
    head(summary)
    care = compare_words.care(analysis)
    if care is not None:
        notices.show(care)
    compare_tools.draw(summary, analysis.plan, others)
    if not analysis.rates:
        return
    at, kind = _controls(analysis)
    view = (summary.uuid, summary.state, at.rate, kind)
    _evidence(comparison, analysis, at, kind, view)
    _tables(at)
    if len(analysis.rates) > 1:
        _sweep(analysis, view)
    _rounds(comparison, analysis, at, kind, view)
    with st.expander("How it was measured", icon=":material/science:", key="compare-method"):
        st.markdown("\n".join(f"- {line}" for line in compare_words.method(analysis)))
        compare_tables.order(analysis, at.rate)
        for profile in analysis.plan.profiles:
            st.caption(f"{escape_markdown(profile.name)}, as it was when it was measured")
            st.code(formats.visible(profile.to_json()), language="json", height=160)


def head(summary: Summary) -> None:
    """Its number, title and state."""
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        st.markdown(
            f"**Comparison {summary.id}: {escape_markdown(summary.title)}**", width="content"
        )
        icon, colour = compare_words.STATES[summary.state]
        st.badge(summary.state, icon=icon, color=colour)
        st.caption(compare_words.about(summary, time.time_ns() // 1000), width="content")


def _controls(analysis: Analysis) -> tuple[RateResult, Kind]:
    """At which rate, and of which latency."""
    by_rate = {rate(each.rate): each for each in analysis.rates}
    base = analysis.base or analysis.rates[-1]
    told = any(kind == "ack" for found in base.profiles for kind, _ in found.differences)
    with st.container(horizontal=True, gap="small", vertical_alignment="center"):
        kind = st.segmented_control(
            "Latency of",
            list(KINDS),
            default="Acknowledgement" if told else "End to end",
            required=True,
            key="of",
            bind="query-params",
            label_visibility="collapsed",
        )
        chosen = rate(base.rate)
        if len(by_rate) > 1:
            with st.container(width=150):
                chosen = st.selectbox(
                    "At a rate of",
                    list(by_rate),
                    index=list(by_rate).index(chosen),
                    key="rate",
                    bind="query-params",
                    label_visibility="collapsed",
                )
    return by_rate.get(chosen or "", base), KINDS.get(kind or "", "ack")


def _evidence(
    comparison: Comparison,
    analysis: Analysis,
    at: RateResult,
    kind: Kind,
    view: tuple[object, ...],
) -> None:
    baseline = analysis.plan.baseline
    dark = context.is_dark()
    grid = st.grid(2, min_column_width=340, key="compare-charts")
    with grid.cell():
        st.subheader(f"Difference to {escape_markdown(baseline)}", anchor=False)
        spans = compare_charts.differences(at, analysis, kind, dark=dark)
        if spans:
            steady.still(
                "compare-differences",
                view,
                lambda: compare_intervals.intervals(spans, dark=dark),
                alt=f"How much later than {baseline}, by percentile, with 95 % intervals",
            )
        missing = compare_words.without_difference(at, kind, baseline)
        if missing is not None:
            st.caption(missing)
        if spans:
            st.caption(
                "Right of the line is later. A hollow mark: the interval covers 0, and that is no "
                "difference."
                + (
                    ""
                    if compare_intervals.axis_of(spans).is_even
                    else " The scale is logarithmic away from 0."
                )
            )
    with grid.cell():
        st.subheader("Share of events within a time", anchor=False)
        steady.still(
            "compare-shares",
            view,
            lambda: compare_charts.shares(comparison, analysis, at.rate, kind, dark=dark),
            alt="Cumulative distribution of latency, a line a profile, log time axis",
        )
        if kind == "ack" and any(not found.confirmed for found in at.profiles):
            st.caption(
                "Dashed: handed over to the network with acks=0. Nobody confirmed those events, "
                "so it is not beside the acknowledgements that this line can be read."
            )


def _tables(at: RateResult) -> None:
    with st.container(
        horizontal=True, horizontal_alignment="distribute", vertical_alignment="center"
    ):
        st.subheader(f"At {rate(at.rate)}", anchor=False, width="content")
        view = st.segmented_control(
            "Figures",
            compare_tables.VIEWS,
            default=compare_tables.LATENCY,
            required=True,
            key="figures",
            bind="query-params",
            label_visibility="collapsed",
        )
    compare_tables.draw(view or compare_tables.LATENCY, at)


def _sweep(analysis: Analysis, view: tuple[object, ...]) -> None:
    st.subheader("Latency against rate", anchor=False)
    dark = context.is_dark()
    steady.still(
        "compare-sweep",
        view[:2],
        lambda: compare_charts.against_rate(analysis, dark=dark),
        alt="p99 against the rate, a line a profile, with knees and objectives marked",
    )
    compare_tables.findings(sweep(analysis))
    st.caption(f"A ring marks a knee. {KNEE_RULE}")


def _rounds(
    comparison: Comparison,
    analysis: Analysis,
    at: RateResult,
    kind: Kind,
    view: tuple[object, ...],
) -> None:
    st.subheader("Round by round", anchor=False)
    dark = context.is_dark()
    steady.still(
        "compare-rounds",
        view,
        lambda: compare_charts.rounds(comparison, analysis, at, kind, dark=dark),
        alt="A percentile of each round, a line a profile",
    )
    st.caption(
        "Where all move together it is the machine or the cluster that drifted: each difference "
        f"is taken within its round. The order in each is shuffled with seed {analysis.plan.seed}."
    )
