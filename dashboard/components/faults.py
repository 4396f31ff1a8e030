"""The faults of the embedded cluster: one press to inject, one to undo."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import streamlit as st

from dashboard import context
from dashboard.formats import ago, code_span, count, escape_markdown
from producer_agent.commands import Command
from producer_agent.delivery.errors import BY_NAME


def show_faults(faults: Mapping[str, Any] | None, topics: Sequence[str], now_us: int) -> None:
    """Every fault of the catalogue with its effect, and whether it is in force.

    Args:
        faults: The fact ``faults``, or None before the agent wrote it.
        topics: Where a fault of one topic can be injected.
        now_us: Now, UTC microseconds.
    """
    if faults is None:
        st.caption("The agent has not told yet which faults it can inject.")
        return
    if faults["unavailable_because"]:
        st.info(escape_markdown(str(faults["unavailable_because"])), icon=":material/block:")
        return
    active = faults["active"]
    with st.container(horizontal=True, vertical_alignment="center"):
        if active:
            st.badge(f"{count(len(active))} in force", icon=":material/bolt:", color="orange")
        else:
            st.badge("none in force", icon=":material/check:", color="green")
        if st.button(
            "Undo all",
            icon=":material/undo:",
            type="primary" if active else "secondary",
            disabled=not active,
            key="faults-undo-all",
        ):
            _act(Command.FAULT_UNDO_ALL, {}, "Every fault is undone.")
    with st.grid(3, min_column_width=280):
        for fault in faults["available"]:
            _card(fault, [one for one in active if one["kind"] == fault["kind"]], topics, now_us)


def _card(
    fault: Mapping[str, Any],
    active: Sequence[Mapping[str, Any]],
    topics: Sequence[str],
    now_us: int,
) -> None:
    kind = str(fault["kind"])
    with st.container(border=True, key=f"fault-{kind}"):
        st.markdown(f"**{escape_markdown(str(fault['title']))}**")
        st.caption(escape_markdown(str(fault["effect"])))
        known = BY_NAME.get(str(fault["expected_code"]))
        meaning = f" {known.summary}" if known else ""
        st.caption(f"Ends in {code_span(str(fault['expected_code']))}{escape_markdown(meaning)}.")
        for one in active:
            _undo(kind, one, now_us)
        _inject(kind, bool(fault["needs_topic"]), active, topics, str(fault["title"]))


def _undo(kind: str, active: Mapping[str, Any], now_us: int) -> None:
    topic = active["topic"]
    place = f" on {code_span(topic)}" if topic else ""
    st.markdown(
        f":orange-badge[:material/bolt: in force] injected {ago(active['since_us'], now_us)}{place}"
    )
    if st.button(
        "Undo", icon=":material/undo:", type="primary", key=f"fault-{kind}-undo-{topic or ''}"
    ):
        _act(Command.FAULT_UNDO, _arguments(kind, topic), "The fault is undone.")


def _inject(
    kind: str,
    needs_topic: bool,
    active: Sequence[Mapping[str, Any]],
    topics: Sequence[str],
    title: str,
) -> None:
    taken = {one["topic"] for one in active}
    if not needs_topic:
        if not active and st.button("Inject", icon=":material/bolt:", key=f"fault-{kind}-inject"):
            _act(Command.FAULT_INJECT, _arguments(kind, None), f"In force: {title}.")
        return
    free = [topic for topic in topics if topic not in taken]
    if not free:
        if not active:
            st.caption("There is no topic yet to inject it on: start a profile first.")
        return
    with st.container(horizontal=True, vertical_alignment="bottom"):
        topic = st.selectbox("Topic", free, key=f"fault-{kind}-topic", width=180)
        if st.button("Inject", icon=":material/bolt:", key=f"fault-{kind}-inject"):
            _act(Command.FAULT_INJECT, _arguments(kind, topic), f"In force on {topic}: {title}.")


def _arguments(kind: str, topic: str | None) -> dict[str, Any]:
    return {"kind": kind} if topic is None else {"kind": kind, "topic": topic}


def _act(kind: Command, arguments: Mapping[str, Any], done: str) -> None:
    if context.act(kind, arguments) is not None:
        st.toast(escape_markdown(done), icon=":material/bolt:")
    st.rerun()
