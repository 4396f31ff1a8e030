"""The foot of the sidebar: what is connected, whether the agent lives, and the pause switch."""

from __future__ import annotations

import streamlit as st

from dashboard.components import freshness


def draw() -> None:
    """Draw it under the navigation."""
    with st.sidebar:
        freshness.toggle()
