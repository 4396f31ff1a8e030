"""Replays: what is being sent back, and did it arrive?"""

from __future__ import annotations

import streamlit as st

st.title("Replays", anchor=False)
