"""The dialog in which a replay is planned: where to, how fast, and when it stops by itself."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import streamlit as st

from dashboard import context
from dashboard.formats import code_span, count, escape_markdown
from producer_agent.commands import Command
from producer_agent.replay.options import CAUTIOUS_RAMP, OptionsInvalid, PlanOptions
from producer_agent.store import facts

REPLAYS_PAGE: Final = "views/replays.py"

_ASKED: Final = "plan-dialog"

RAMPED_FROM: Final = 10
"""Records above which a ramp is offered: fewer are a first step by themselves."""

LONGEST_TITLE: Final = 200

ORIGINAL, ONE, RULES = "the topic each came from", "one topic", "by rules"


@dataclass(frozen=True, slots=True)
class Selected:
    """The letters that a plan is to be made of."""

    selection: Mapping[str, Any]
    """``{"dead_letters": [...]}`` or ``{"filter": {...}}``."""
    count: int
    words: str
    """What they are, for people; plain text."""
    topics: tuple[str, ...] = ()
    """Topics they were meant for, as far as known."""
    title: str | None = None
    """Of the plan, unless a person writes one; None: the agent makes one of the selection."""


def ask_for(selected: Selected) -> None:
    """Open the dialog at the page's next run, which begins at once."""
    st.session_state[_ASKED] = selected
    st.rerun()


def is_asked_for() -> bool:
    """Whether the dialog is to be open."""
    return _ASKED in st.session_state


def draw() -> None:
    """Open the dialog."""
    selected: Selected = st.session_state[_ASKED]
    st.dialog(
        f"Plan a replay of {count(selected.count)} dead letter{'' if selected.count == 1 else 's'}",
        width="medium",
        icon=":material/replay:",
        on_dismiss=_close,
    )(form)(selected)


def form(selected: Selected) -> None:
    """The dialog's content."""
    st.caption(
        f"{escape_markdown(selected.words)}. They are frozen now: what comes in later is not "
        "among them. Nothing is sent before you have seen the plan and run it."
    )
    options: dict[str, Any] = {}
    complaints: list[str] = []
    _target(selected, options, complaints)
    _pace(selected, options, complaints)
    with st.expander("More", icon=":material/tune:", key="plan-more"):
        _more(options)
    title = st.text_input(
        "Title",
        key="plan-title",
        max_chars=LONGEST_TITLE,
        placeholder=selected.title or "One is made of the selection.",
    )
    for complaint in complaints:
        st.error(complaint, icon=":material/error:")
    with st.container(horizontal=True, gap="small"):
        pressed = st.button(
            "Make the plan",
            type="primary",
            icon=":material/list_alt:",
            disabled=bool(complaints),
            key="plan-make",
        )
        if st.button("Not now", type="tertiary", on_click=_close, key="plan-not-now"):
            st.rerun()
    if pressed:
        _make(selected, options, title)


def ramp_of(text: str) -> list[int]:
    """``1, 10`` as numbers.

    Raises:
        ValueError: something in it is no whole number.
    """
    return [int(part) for part in text.replace(",", " ").split()]


def rules_of(rows: Sequence[Mapping[str, Any]]) -> list[dict[str, str]]:
    """The rules that were written; rows without a target say nothing."""
    rules = []
    for row in rows:
        topic, to = str(row.get("topic") or "").strip(), str(row.get("to") or "").strip()
        if topic and to:
            rules.append({"topic": topic, "to": to})
    return rules


def make(selection: Mapping[str, Any], options: Mapping[str, Any], title: str | None) -> int | None:
    """Ask the agent for a plan; its number, or None where a toast told what is wrong."""
    asked: dict[str, Any] = {**selection, "options": dict(options)}
    if title:
        asked["title"] = title
    result = context.act(Command.REPLAY_PLAN, asked)
    return None if result is None else int(result["plan"])


def _close() -> None:
    st.session_state.pop(_ASKED, None)


def _make(selected: Selected, options: Mapping[str, Any], title: str | None) -> None:
    try:
        PlanOptions.read(options)
    except OptionsInvalid as error:
        st.error(escape_markdown(str(error)), icon=":material/error:")
        return
    own = (title or "").strip() or (selected.title or "")[:LONGEST_TITLE]
    plan = make(selected.selection, options, own or None)
    if plan is not None:
        _close()
        st.switch_page(REPLAYS_PAGE, query_params={"plan": str(plan)})


def _target(selected: Selected, options: dict[str, Any], complaints: list[str]) -> None:
    where = st.segmented_control(
        "Send to",
        [ORIGINAL, ONE, RULES],
        default=ORIGINAL,
        required=True,
        key="plan-target",
        help="Rules send the records of one topic elsewhere: to a retry topic, say.",
    )
    known = context.read(_topics)
    if where == ONE:
        to = st.selectbox(
            "Topic",
            known,
            index=None,
            accept_new_options=True,
            placeholder="orders-retry",
            key="plan-to",
        )
        if to:
            options["to"] = to
        else:
            complaints.append("Choose the topic that all of them are sent to.")
    elif where == RULES:
        rows = st.data_editor(
            {"topic": list(selected.topics) or [""], "to": [""] * max(len(selected.topics), 1)},
            column_config={
                "topic": st.column_config.TextColumn("Came from", required=True),
                "to": st.column_config.TextColumn("Goes to (empty: where it came from)"),
            },
            num_rows="dynamic",
            hide_index=True,
            key="plan-rules",
        )
        rules = rules_of(_rows(rows))
        if rules:
            options["rules"] = rules
        else:
            complaints.append("Write at least one rule, or choose another way.")
    elif selected.topics:
        st.caption(f"To {', '.join(code_span(topic) for topic in selected.topics)}.")
    partition = st.segmented_control(
        "Partition",
        ["same", "key"],
        default="same",
        required=True,
        format_func={"same": "the number it had", "key": "by its key"}.__getitem__,
        key="plan-partition",
        help="The number it had keeps a key's order, where the number is known and still there. "
        "By its key is for a target with another number of partitions.",
    )
    if partition != "same":
        options["partition"] = partition


def _pace(selected: Selected, options: dict[str, Any], complaints: list[str]) -> None:
    ramped = selected.count > RAMPED_FROM
    grid = st.grid(3, min_column_width=150)
    with grid.cell():
        written = st.text_input(
            "Ramp: send first",
            ", ".join(map(str, CAUTIOUS_RAMP)) if ramped else "",
            placeholder="no ramp",
            key="plan-ramp",
            help="So many, then so many, then the rest; after each step it is watched whether "
            "they come back. Empty: all at once.",
        )
    with grid.cell():
        wait_s = st.number_input(
            "Watch each step for (s)", 0.0, 3600.0, 10.0, step=5.0, format="%g", key="plan-wait"
        )
    with grid.cell():
        rate = st.number_input(
            "At most a second",
            min_value=0.1,
            value=None,
            step=100.0,
            format="%g",
            placeholder="no limit",
            key="plan-rate",
        )
    try:
        ramp = ramp_of(written or "")
    except ValueError:
        complaints.append("The ramp is numbers with commas between them: `1, 10`.")
        ramp = []
    if ramp:
        options["ramp"] = ramp
    options["ramp_wait_s"] = wait_s
    if rate is not None:
        options["rate_per_s"] = rate
    with st.container(horizontal=True, vertical_alignment="bottom", gap="small"):
        stops = st.toggle("Stop by itself when too many come back", value=True, key="plan-stops")
        with st.container(width=150):
            share = st.number_input("From (%)", 1, 100, 20, disabled=not stops, key="plan-share")
    options["stop_share"] = share / 100 if stops else None


def _more(options: dict[str, Any]) -> None:
    options["most_times_back"] = int(
        st.number_input(
            "Refuse what came back so often",
            min_value=1,
            value=3,
            key="plan-times",
            help="What is sent back in vain again and again is no candidate for once more.",
        )
    )
    force = st.text_input(
        "Send those all the same, because",
        key="plan-force",
        placeholder="the consumer was mended in 2.3.1",
        help="Kept with the plan. Empty: they are refused.",
    )
    if (force or "").strip():
        options["force"] = (force or "").strip()
    if st.checkbox(
        "Keep the failure headers",
        key="plan-keep-headers",
        help="Otherwise they are dropped: the record is sent as it was before it failed.",
    ):
        options["keep_failure_headers"] = True
    method = st.selectbox(
        "Exactly once by",
        [None, "transactions", "ledger"],
        format_func=lambda name: METHODS.get(name, "what the cluster allows"),
        key="plan-method",
    )
    if method is not None:
        options["exactly_once"] = method


METHODS: Final[Mapping[str | None, str]] = {
    "transactions": "transactions",
    "ledger": "the ledger and a look at the target",
}


def _rows(edited: Any) -> list[dict[str, Any]]:
    """What a data editor returns for a dict of columns, as rows."""
    return [dict(zip(edited, row, strict=True)) for row in zip(*edited.values(), strict=True)]


def _topics(db: Any) -> list[str]:
    """Topics of the cluster that a person may send to."""
    fact = facts.get(db, "cluster")
    topics = [] if fact is None else fact.body.get("topics", [])
    return sorted(topic["name"] for topic in topics if not topic.get("internal"))
