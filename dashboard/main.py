"""The router: every page of Ackboard on one screen, and what surrounds each of them."""

from __future__ import annotations

from pathlib import Path

import streamlit as st

from dashboard.components import notices, sidebar

# Not a folder named pages: Streamlit takes that, beside its main script, for its old kind of app,
# and a deep link right after a start would be drawn without this router.
VIEWS = Path(__file__).parent / "views"

SECTIONS = {
    "Watch": [
        ("overview.py", "Overview", ":material/monitoring:"),
        ("latency.py", "Latency", ":material/timer:"),
        ("compare.py", "Compare", ":material/balance:"),
    ],
    "Triage": [
        ("dead_letters.py", "Dead letters", ":material/mark_email_unread:"),
        ("replays.py", "Replays", ":material/replay:"),
    ],
    "Set up": [
        ("profiles.py", "Profiles", ":material/tune:"),
        ("advisor.py", "Advisor", ":material/recommend:"),
        ("cluster.py", "Cluster", ":material/lan:"),
    ],
}

st.set_page_config(
    page_title="Ackboard",
    page_icon=str(Path(__file__).parent / "icon.svg"),
    layout="wide",
    initial_sidebar_state=220,
)
page = st.navigation(
    {
        section: [
            st.Page(VIEWS / file, title=title, icon=icon, default=file == "overview.py")
            for file, title, icon in pages
        ]
        for section, pages in SECTIONS.items()
    }
)
sidebar.draw()
if page.title != "Overview":  # whose first line says it already
    notices.draw()
page.run()
