"""The saved comparisons: the newest first, each opened with one press."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Final

import streamlit as st

from dashboard.compare.compare_start import BESIDE, PARAMETER
from dashboard.formats import visible
from producer_agent.store.queries.comparisons import Summary

PER_PAGE: Final = 25

_SHOWN: Final = "compare-shown"
_OPEN_CLICK: Final = "compare-open"


def draw(found: Sequence[Summary]) -> None:
    """The table; a press of its button makes the URL ask for that comparison."""
    ids = tuple(summary.id for summary in found)
    st.session_state[_SHOWN] = ids
    st.dataframe(
        {
            "open": [f":material/open_in_new: {id_}" for id_ in ids],
            "state": [summary.state for summary in found],
            "title": [visible(summary.title) for summary in found],
            "turns": [f"{summary.turns_done} of {summary.turns}" for summary in found],
            "cluster": [visible(str(s.environment["cluster_kind"])) for s in found],
            "who": [visible(summary.made_by) for summary in found],
            "when": [datetime.fromtimestamp(s.started_us / 1e6, UTC) for s in found],
        },
        column_config={
            "open": st.column_config.ButtonColumn(
                "", width=70, type="tertiary", on_click=_open_clicked, key=_OPEN_CLICK
            ),
            "state": st.column_config.TextColumn("State", width=90),
            "title": st.column_config.TextColumn("What", width=350),
            "turns": st.column_config.TextColumn("Turns", width=90),
            "cluster": st.column_config.TextColumn("Cluster", width=90),
            "who": st.column_config.TextColumn("By", width=90),
            "when": st.column_config.DatetimeColumn(
                "Begun", width=115, format="distance", help="Hover for the time."
            ),
        },
        hide_index=True,
        height="content",
        key=f"compare-list-{hash(ids):x}",
        alt="Saved comparisons, the newest first",
    )


def _open_clicked() -> None:
    ids = st.session_state.get(_SHOWN, ())
    row = st.session_state[_OPEN_CLICK]["row"]
    if row < len(ids):
        st.query_params[PARAMETER] = str(ids[row])
        st.query_params.pop(BESIDE, None)
