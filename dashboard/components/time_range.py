"""The time range of a page, kept in the URL, so that a view can be sent to a colleague."""

from __future__ import annotations

import streamlit as st

RANGES = {
    "5 min": 300,
    "15 min": 900,
    "1 h": 3600,
    "6 h": 6 * 3600,
    "24 h": 24 * 3600,
    "7 d": 7 * 24 * 3600,
}
"""What is shown, and its seconds."""

DEFAULT = "15 min"


_KEY = "range"


def choose() -> None:
    """Draw the choice. It is the query parameter ``range``."""
    st.segmented_control(
        "Time range",
        list(RANGES),
        default=DEFAULT,
        required=True,
        key=_KEY,
        bind="query-params",
        label_visibility="collapsed",
    )


def selected() -> str:
    """What was chosen: one of :data:`RANGES`."""
    chosen = st.session_state.get(_KEY)
    return chosen if chosen in RANGES else DEFAULT
