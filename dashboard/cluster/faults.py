"""Fault injection: what to expect of each fault, one press to inject it, one to undo it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import streamlit as st

from dashboard.cluster import cluster_acts, cluster_nodes
from dashboard.cluster.topic_health import TopicHealth
from dashboard.formats import ago, code_span, count, escape_markdown, rate
from producer_agent.delivery.errors import BY_NAME

_LISTED_TOPICS = 500


def show_faults(
    faults: Mapping[str, Any] | None,
    topics: Sequence[TopicHealth],
    running: Sequence[Mapping[str, Any]],
    now_us: int,
) -> None:
    """Every fault of the catalogue with its effect, and whether it is in force.

    Args:
        faults: The fact ``faults``, or None before the agent wrote it.
        topics: Of the cluster, judged.
        running: The fact ``runs``: who sends where, and so what a fault touches.
        now_us: Now, UTC microseconds.
    """
    if faults is None:
        st.caption("The agent has not told yet which faults it can inject.")
        return
    if faults["unavailable_because"]:
        st.info(
            escape_markdown(str(faults["unavailable_because"]))
            + " `make run` starts the embedded cluster, `make lab` three real nodes that may be "
            "broken.",
            icon=":material/block:",
        )
        return
    _all(faults["active"])
    if faults.get("nodes"):
        cluster_nodes.draw(faults, topics, now_us)
    places = _places(topics, running)
    with st.grid(3, min_column_width=280):
        for fault in faults["available"]:
            if not fault.get("needs_node"):
                mine = [one for one in faults["active"] if one["kind"] == fault["kind"]]
                _card(fault, mine, places, running, now_us)
    st.caption("What is injected here is undone by itself when the agent ends.")


def _all(active: Sequence[Mapping[str, Any]]) -> None:
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
            cluster_acts.undo_all()


def _card(
    fault: Mapping[str, Any],
    active: Sequence[Mapping[str, Any]],
    places: Sequence[str],
    running: Sequence[Mapping[str, Any]],
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
            _undo(fault, one, now_us)
        if fault["needs_topic"]:
            _inject_on_a_topic(fault, active, places, running)
        elif not active:
            _inject(fault, running)


def _undo(fault: Mapping[str, Any], active: Mapping[str, Any], now_us: int) -> None:
    kind, topic = str(fault["kind"]), active["topic"]
    place = f" on {code_span(topic)}" if topic else ""
    st.markdown(
        f":orange-badge[:material/bolt: in force] injected {ago(active['since_us'], now_us)}{place}"
    )
    if st.button(
        str(fault.get("undo") or "Undo"),
        icon=":material/undo:",
        type="primary",
        key=f"fault-{kind}-undo-{topic or ''}",
    ):
        cluster_acts.undo(_arguments(kind, topic), "The fault is undone.")


def _inject(fault: Mapping[str, Any], running: Sequence[Mapping[str, Any]]) -> None:
    kind = str(fault["kind"])
    st.caption(_touched(running))
    if st.button("Inject", icon=":material/bolt:", key=f"fault-{kind}-inject"):
        cluster_acts.inject(_arguments(kind, None), f"In force: {fault['title']}.", "Injecting it")


def _inject_on_a_topic(
    fault: Mapping[str, Any],
    active: Sequence[Mapping[str, Any]],
    places: Sequence[str],
    running: Sequence[Mapping[str, Any]],
) -> None:
    kind = str(fault["kind"])
    taken = {one["topic"] for one in active}
    free = [topic for topic in places if topic not in taken]
    if not free:
        if not active:
            st.caption("There is no topic yet to inject it on: start a profile first.")
        return
    with st.container(horizontal=True, vertical_alignment="bottom"):
        topic = st.selectbox("Topic", free, key=f"fault-{kind}-topic", width=180)
        pressed = st.button("Inject", icon=":material/bolt:", key=f"fault-{kind}-inject")
    st.caption(_touched([run for run in running if run["topic"] == topic]))
    if pressed:
        done = f"In force on {topic}: {fault['title']}."
        cluster_acts.inject(_arguments(kind, topic), done, "Injecting it")


def _touched(runs: Sequence[Mapping[str, Any]]) -> str:
    """Who would feel it (Markdown)."""
    if not runs:
        return "Touches no run: nothing is sent there now."
    names = ", ".join(f"{escape_markdown(run['profile'])} ({rate(run['rate'])})" for run in runs)
    return f"Touches {names}."


def _places(topics: Sequence[TopicHealth], running: Sequence[Mapping[str, Any]]) -> list[str]:
    """Topics that something is sent to first, for there a fault is felt."""
    others = sorted(topic.name for topic in topics if not topic.internal)
    return list(dict.fromkeys((*(run["topic"] for run in running), *others)))[:_LISTED_TOPICS]


def _arguments(kind: str, topic: str | None) -> dict[str, Any]:
    return {"kind": kind} if topic is None else {"kind": kind, "topic": topic}
