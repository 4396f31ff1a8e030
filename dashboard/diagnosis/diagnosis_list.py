"""What is the matter now, topic by topic: appears with the matter, and goes with it."""

from __future__ import annotations

import streamlit as st

from dashboard.diagnosis import diagnosis_card
from dashboard.diagnosis.diagnosis_words import Told, about
from dashboard.formats import ago, code_span, count


def draw(told: Told, topic: str | None, now_us: int) -> None:
    """A box a topic, the worst opened; one that is asked about first.

    Args:
        told: The agent's fact.
        topic: The topic that the page is asked about; None: none in particular.
    """
    if told.at_us is None:
        return
    if not told.diagnoses and topic is None:
        return
    st.subheader("What is the matter", anchor=False)
    if told.is_stale(now_us):
        st.caption(f":material/history: As of {ago(told.at_us, now_us)}: nobody has looked since.")
    if topic is not None and not told.of([topic]):
        _nothing(told, topic)
    for place, found in enumerate(about(told.diagnoses, topic)):
        diagnosis_card.draw(found, now_us, opened=place == 0, key=f"diagnosis-{found.topic}")
    if told.left_out:
        st.caption(
            f"And {count(told.left_out)} more topics with which something is the matter; "
            "`python -m producer_agent diagnose TOPIC` looks at any."
        )


def _nothing(told: Told, topic: str) -> None:
    if told.left_out:
        st.info(
            f"{code_span(topic)} is not among the topics that are looked at closely now; "
            "`python -m producer_agent diagnose TOPIC` looks at it.",
            icon=":material/help:",
        )
    else:
        st.success(
            f"Nothing is the matter with {code_span(topic)} now. What failed before may be "
            f"sent again: see [Dead letters](dead_letters).",
            icon=":material/check_circle:",
        )
