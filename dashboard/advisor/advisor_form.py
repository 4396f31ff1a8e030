"""The questions about one type of event, and the row that chooses among several."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import streamlit as st

from dashboard.advisor import advisor_answers
from dashboard.advisor.advisor_answers import FIELD, Asked
from dashboard.formats import escape_markdown
from producer_agent.advice.advisor.surroundings import Surroundings

_IF_LOST: Final = {
    "nothing": "Nothing",
    "experience": "A user's experience",
    "business": "Business",
}
_CHOICE: Final = "advisor-choice"


def choose(asked: Sequence[Asked], around: Surroundings) -> None:
    """Which type of event is shown; another one, one less, the worked example."""
    with st.container(horizontal=True, vertical_alignment="bottom", gap="small"):
        st.session_state[_CHOICE] = advisor_answers.selected()
        st.segmented_control(
            "Event type",
            range(len(asked)),
            format_func=lambda at: escape_markdown(asked[at].name),
            required=True,
            key=_CHOICE,
            on_change=lambda: advisor_answers.select(st.session_state[_CHOICE]),
            label_visibility="collapsed",
        )
        st.button(
            "Add event type",
            icon=":material/add:",
            on_click=advisor_answers.add,
            args=(around,),
            disabled=not advisor_answers.can_add(),
            key="advisor-add",
        )
        st.button(
            "Remove",
            icon=":material/remove:",
            type="tertiary",
            on_click=advisor_answers.remove,
            disabled=not advisor_answers.can_remove(),
            key="advisor-remove",
        )
        st.button(
            "Worked example",
            icon=":material/school:",
            type="tertiary",
            on_click=advisor_answers.take_example,
            args=(around,),
            help="Three types of event of one application, side by side. Replaces all answers.",
            key="advisor-example",
        )


def draw(one: Asked, around: Surroundings) -> None:
    """The answers of one type of event, with what is wrong beside each."""
    with st.container(border=True, key="advisor-form"):
        _what_breaks(one)
        _load(one)
        _consumers()
        _cluster(one, around)
        _problems(one, None)


def _what_breaks(one: Asked) -> None:
    grid = st.grid(4, min_column_width=210)
    with grid.cell():
        st.text_input(
            "Event type",
            key=_key("name"),
            help="Topic and profile are named after it: a-z, 0-9, dot, underscore, hyphen.",
        )
        _problems(one, "name")
    with grid.cell():
        st.selectbox(
            "If this message is lost, what breaks?",
            list(_IF_LOST),
            format_func=_IF_LOST.__getitem__,
            key=_key("if_lost"),
        )
    with grid.cell():
        st.number_input(
            "Loss that is tolerated, %",
            min_value=0.0,
            max_value=100.0,
            step=0.1,
            format="%.6g",
            key=_key("tolerated_loss"),
            help="0 is never; 0.1 % is one in a thousand.",
        )
        _problems(one, "tolerated_loss")
    with grid.cell():
        st.number_input(
            "Latency allowed at p99, ms",
            min_value=0.0,
            value=None,
            step=10.0,
            format="%.6g",
            placeholder="any",
            key=_key("latency_p99_ms"),
            help="From produce() to the acknowledgement. Empty: any.",
        )
        _problems(one, "latency_p99_ms")


def _load(one: Asked) -> None:
    grid = st.grid(4, min_column_width=210)
    with grid.cell():
        st.number_input(
            "Events a second now",
            min_value=0.0,
            max_value=100_000.0,
            value=None,
            step=10.0,
            format="%.6g",
            key=_key("rate_per_s"),
        )
        _problems(one, "rate_per_s")
    with grid.cell():
        st.number_input(
            "Events a second at peak",
            min_value=0.0,
            max_value=100_000.0,
            value=None,
            step=10.0,
            format="%.6g",
            placeholder="as now",
            key=_key("peak_per_s"),
        )
        _problems(one, "peak_per_s")
    with grid.cell():
        st.number_input(
            "Bytes of a usual event",
            min_value=1,
            max_value=1_000_000,
            step=100,
            key=_key("payload_bytes"),
        )
        _problems(one, "payload_bytes")


def _consumers() -> None:
    with st.container(horizontal=True, gap="medium"):
        st.toggle(
            "Consumers can tell duplicates",
            key=_key("tells_duplicates"),
            help="Each event has an id, and consumers drop one that they have seen.",
        )
        st.toggle(
            "Order per key",
            key=_key("ordered_per_key"),
            help="Events of one key have to be read in the order in which they were sent.",
        )
        st.toggle(
            "Atomic with other topics",
            key=_key("atomic"),
            help="Written together with events on other topics, or not at all.",
        )


def _cluster(one: Asked, around: Surroundings) -> None:
    grid = st.grid(4, min_column_width=210)
    for field, label in (
        ("brokers", "Brokers"),
        ("replication_factor", "Replication factor"),
        ("min_insync_replicas", "min.insync.replicas"),
    ):
        with grid.cell():
            st.number_input(label, min_value=1, max_value=10_000, step=1, key=_key(field))
            _problems(one, field)
    with grid.cell(), st.container(vertical_alignment="bottom", gap="small"):
        st.caption(escape_markdown(around.source))
        differs = any(one.draft.get(field) != value for field, value in around.answers().items())
        if around.is_known and differs:
            st.button(
                "Take the cluster's",
                icon=":material/lan:",
                type="tertiary",
                on_click=advisor_answers.take_surroundings,
                args=(around,),
                key="advisor-take-cluster",
            )


def _key(field: str) -> str:
    return FIELD + field


def _problems(one: Asked, field: str | None) -> None:
    """What is wrong with one answer; of None, with their whole."""
    for problem in one.problems:
        is_whole = problem.field not in advisor_answers.FIELDS
        if (problem.field == field) if field is not None else is_whole:
            words = escape_markdown(f"{problem.message} {problem.mend}")
            st.caption(f":red[:material/error: {words}]")
