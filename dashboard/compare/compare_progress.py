"""A comparison while it is measured: how far it is, what each turn came to, and Cancel."""

from __future__ import annotations

import time
from typing import Final

import streamlit as st

from dashboard import context
from dashboard.compare import compare_loaded, compare_start, compare_tables, compare_words
from dashboard.compare.compare_start import Surroundings
from dashboard.components import notices, press
from dashboard.formats import escape_markdown
from producer_agent.commands import Command
from producer_agent.store.queries.comparisons import Summary

CANCEL_TIMEOUT_S: Final = 60.0
"""The turn that is under way has to end, and its topic to be deleted."""


def draw(summary: Summary, around: Surroundings) -> None:
    """The one that is shown: all of it."""
    now_us = time.time_ns() // 1000
    silent = notices.is_silent(around.health, now_us)
    with st.container(key="compare-answer"):
        notices.show(compare_words.running(summary, now_us, silent=silent))
    st.progress(
        compare_words.share_done(summary, now_us),
        text=f"{escape_markdown(summary.title)} · {compare_words.about(summary, now_us)}",
    )
    with st.container(horizontal=True, gap="small"):
        cancel(summary)
    if around.embedded:
        notices.show(compare_words.EMBEDDED)
    found = compare_loaded.whole(summary)
    if found is None:
        return
    comparison, analysis = found
    st.subheader("Measured so far", anchor=False)
    compare_tables.live(comparison, analysis)
    st.caption(
        f"Each turn's own p99. The order in each round is shuffled with seed {analysis.plan.seed}."
    )


def strip(summary: Summary) -> None:
    """A line on it, where another one is shown."""
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        left = compare_words.left(summary, time.time_ns() // 1000)
        st.markdown(
            f":material/play_circle: **Comparison {summary.id} is running**: {left}.",
            width="content",
        )
        st.button(
            "Watch it",
            icon=":material/visibility:",
            type="tertiary",
            on_click=_watch,
            args=(summary.id,),
            key="compare-watch",
        )


def cancel(summary: Summary) -> None:
    """The button that ends it early."""
    with st.popover("Cancel…", icon=":material/cancel:", key="compare-cancel-popover"):
        st.markdown(
            f"It ends now. The **{summary.turns_done} of {summary.turns}** turns that are "
            "measured are kept, and judged as far as they go."
        )
        st.button(
            "Cancel it",
            icon=":material/cancel:",
            on_click=_cancel,
            args=(summary.id,),
            key="compare-cancel",
        )


def _cancel(number: int) -> None:
    press.once(
        f"compare-cancel-{number}",
        lambda: context.act(
            Command.COMPARE_CANCEL, {"comparison": number}, timeout_s=CANCEL_TIMEOUT_S
        ),
    )


def _watch(number: int) -> None:
    st.query_params[compare_start.PARAMETER] = str(number)
    st.query_params.pop(compare_start.BESIDE, None)
