"""Advisor: if this message is lost, what breaks?"""

from __future__ import annotations

from pathlib import Path
from typing import Final

import streamlit as st
from sqlite_utils import Database

from dashboard import context
from dashboard.advisor import (
    advisor_answers,
    advisor_files,
    advisor_form,
    advisor_result,
    configuration_check,
)
from producer_agent.advice.advisor.advice import Evidence
from producer_agent.advice.advisor.advise import advise
from producer_agent.advice.advisor.measurements import measurements
from producer_agent.advice.advisor.surroundings import Surroundings, surroundings
from producer_agent.store import facts
from producer_agent.store.queries.comparisons import comparisons

ADVISE, CHECK = "Advise", "Check mine"
_COMPARE: Final = "views/compare.py"
_MEASURED: Final = "advisor-measured"


def advice_page() -> None:
    """The answer, what stands against it, the questions, and what follows from them."""
    around = _around()
    asked = advisor_answers.load(around)
    advisor_answers.write_url(asked)
    advices = [advise(one.question, _measured()) for one in asked if one.question is not None]
    with st.container(key="advisor-answer", gap="small"):
        advisor_result.answer(asked, advices)
        advisor_result.conflicts(advices)
    advisor_form.choose(asked, around)
    shown = asked[advisor_answers.selected()]
    advisor_form.draw(shown, around)
    if advices:
        advisor_result.side_by_side(advices)
    advice = next((a for a in advices if a.question == shown.question), None)
    if advice is not None:
        advisor_result.settings(advice)
        advisor_files.draw(advice)
    if advices:
        page = _COMPARE if (Path(__file__).parent / "compare.py").exists() else None
        advisor_result.evidence(advices, page)


def _around() -> Surroundings:
    """What the cluster says of itself, and of the topic of the type of event that is shown."""
    fact = context.read(lambda db: facts.get(db, "cluster"))
    topic = st.session_state.get(advisor_answers.FIELD + "name")
    return surroundings(None if fact is None else fact.body, topic)


def _measured() -> tuple[Evidence, ...]:
    """What comparisons found; worked out again when there is a newer one."""

    def newest(db: Database) -> tuple[object, ...]:
        return tuple((one.id, one.turns_done) for one in comparisons(db, limit=5))

    seen = context.read(newest)
    kept = st.session_state.get(_MEASURED)
    if kept is None or kept[0] != seen:
        kept = (seen, context.read(measurements))
        st.session_state[_MEASURED] = kept
    found: tuple[Evidence, ...] = kept[1]
    return found


with st.container(horizontal=True, horizontal_alignment="distribute", vertical_alignment="bottom"):
    st.title("Advisor", anchor=False, width="content")
    mode = st.segmented_control(
        "What to do",
        [ADVISE, CHECK],
        default=ADVISE,
        required=True,
        key="mode",
        bind="query-params",
        label_visibility="collapsed",
    )
if mode == CHECK:
    configuration_check.draw()
else:
    advice_page()
