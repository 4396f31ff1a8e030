"""Two saved comparisons side by side."""

from __future__ import annotations

from functools import partial

import streamlit as st

from dashboard import context
from dashboard.compare import (
    compare_charts,
    compare_intervals,
    compare_loaded,
    compare_result,
    compare_tables,
    compare_words,
)
from dashboard.compare.compare_start import BESIDE
from dashboard.components import notices, steady
from dashboard.formats import escape_markdown, rate
from producer_agent.advice.compare.analysis import Analysis, Kind
from producer_agent.advice.compare.side_by_side import SideBySide, side_by_side
from producer_agent.advice.compare.verdict import verdict
from producer_agent.store.queries.comparisons import Summary


def draw(first: Summary, second: Summary) -> None:
    """The second laid beside the first, which is the earlier one."""
    found = [compare_loaded.whole(summary) for summary in (first, second)]
    if found[0] is None or found[1] is None:
        _close()
        return
    laid = side_by_side(found[0][0], found[1][0])
    with st.container(key="compare-answer"):
        notices.show(compare_words.beside(laid))
    _close()
    columns = st.grid(2, min_column_width=340, key="compare-beside")
    for summary, analysis in ((first, laid.first), (second, laid.second)):
        with columns.cell(), st.container(border=True, height="stretch", gap="small"):
            compare_result.head(summary)
            _verdict(analysis)
    if laid.changes:
        _changes(laid)
    st.subheader("What is not the same", anchor=False)
    if laid.differing:
        compare_tables.differing(laid)
    else:
        st.caption("Nothing: plan, profiles, cluster and versions are.")


def _verdict(analysis: Analysis) -> None:
    words = verdict(analysis)
    st.markdown(f"**{escape_markdown(words.headline)}**")
    for line in words.lines:
        st.markdown(escape_markdown(line))


def _changes(laid: SideBySide) -> None:
    rates = sorted({change.rate for change in laid.changes})
    kinds = {change.kind for change in laid.changes}
    with st.container(
        horizontal=True, horizontal_alignment="distribute", vertical_alignment="center"
    ):
        st.subheader(
            f"From {laid.first.summary.id} to {laid.second.summary.id}",
            anchor=False,
            width="content",
        )
        kind = st.segmented_control(
            "Latency of",
            list(compare_result.KINDS),
            default="Acknowledgement" if "ack" in kinds else "End to end",
            required=True,
            key="of",
            bind="query-params",
            label_visibility="collapsed",
        )
    chosen: Kind = compare_result.KINDS.get(kind or "", "ack")
    dark = context.is_dark()
    for number, at in enumerate(rates):
        spans = compare_charts.changes(laid, at, chosen, ("p50", "p99"), dark=dark)
        if not spans:
            continue
        st.caption(f"At {rate(at)}; right of the line is later in {laid.second.summary.id}.")
        steady.still(
            f"compare-changes-{number}",
            (laid.first.summary.uuid, laid.second.summary.uuid, at, chosen),
            partial(compare_intervals.intervals, spans, dark=dark),
            alt="Changes from the first comparison to the second, with 95 % intervals",
        )
    compare_tables.changes(laid)


def _close() -> None:
    st.button(
        "Back to one",
        icon=":material/arrow_back:",
        type="tertiary",
        on_click=_closed,
        key="compare-beside-close",
    )


def _closed() -> None:
    st.query_params.pop(BESIDE, None)
