"""The list of replay plans: the newest first, each opened with one press."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Final

import streamlit as st

from dashboard.formats import NOTHING, rate, visible
from dashboard.replays import plan_words
from producer_agent.store.queries.replays import Plan

PARAMETER: Final = "plan"
"""In the URL: the number of the plan that is open."""

PLANS_PER_PAGE: Final = 25

_SHOWN = "plans-shown"
_OPEN_CLICK = "plans-open"


def draw(plans: Sequence[Plan]) -> None:
    """The table; a press of its button makes the URL ask for the plan."""
    ids = tuple(plan.row.id for plan in plans)
    st.session_state[_SHOWN] = ids
    st.dataframe(
        {
            "open": [f":material/open_in_new: Plan {id_}" for id_ in ids],
            "state": [plan.row.state for plan in plans],
            "title": [visible(plan.row.title) for plan in plans],
            "progress": [100 * plan_words.share(plan.counts) for plan in plans],
            "landed": [plan.counts.done for plan in plans],
            "to_send": [plan.counts.to_send for plan in plans],
            "back": [plan.counts.came_back for plan in plans],
            "rate": [_rate(plan) for plan in plans],
            "who": [visible(plan.row.made_by) for plan in plans],
            "when": [datetime.fromtimestamp(plan.row.made_us / 1e6, UTC) for plan in plans],
        },
        column_config={
            "open": st.column_config.ButtonColumn(
                "", width=90, type="tertiary", on_click=_open_clicked, key=_OPEN_CLICK
            ),
            "state": st.column_config.TextColumn("State", width=75),
            "title": st.column_config.TextColumn("What", width=236),
            "progress": st.column_config.ProgressColumn(
                "Progress", width=110, min_value=0, max_value=100, format="%.0f %%"
            ),
            "landed": st.column_config.NumberColumn("Landed", width=68, format="localized"),
            "to_send": st.column_config.NumberColumn("Of", width=68, format="localized"),
            "back": st.column_config.NumberColumn(
                "Back", width=55, format="localized", help="Came back as dead letters."
            ),
            "rate": st.column_config.TextColumn("Rate", width=65),
            "who": st.column_config.TextColumn("By", width=65),
            "when": st.column_config.DatetimeColumn(
                "Made", width=106, format="distance", help="Hover for the time."
            ),
        },
        hide_index=True,
        height="content",
        key=f"plans-{hash(ids):x}",
        alt="Replay plans, the newest first",
    )


def _rate(plan: Plan) -> str:
    if plan.row.state != "running" or not plan.counts.rate_per_s:
        return NOTHING
    return rate(plan.counts.rate_per_s)


def _open_clicked() -> None:
    ids = st.session_state.get(_SHOWN, ())
    row = st.session_state[_OPEN_CLICK]["row"]
    if row < len(ids):
        st.query_params[PARAMETER] = str(ids[row])
