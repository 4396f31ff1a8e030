"""What keeps the figures from being trusted: a silent agent, a cluster that is gone."""

from __future__ import annotations

import streamlit as st


def draw() -> None:
    """Show what is wrong, at the top of a page; nothing while all is well."""
    st.container()
