"""Overview: is it being delivered, now?"""

from __future__ import annotations

import streamlit as st

st.title("Overview", anchor=False)
