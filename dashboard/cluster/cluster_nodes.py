"""The lab's nodes: what each one's loss would touch, and a press to stop, kill or pause it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any, Final

import streamlit as st

from dashboard.cluster import cluster_acts
from dashboard.cluster.cluster_picture import impact_of
from dashboard.cluster.cluster_words import impact_words
from dashboard.cluster.topic_health import TopicHealth
from dashboard.formats import ago, code_span, escape_markdown
from producer_agent.delivery.errors import BY_NAME

_ICONS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "node_stopped": ":material/stop_circle:",
        "node_killed": ":material/dangerous:",
        "node_paused": ":material/pause_circle:",
    }
)


def draw(faults: Mapping[str, Any], topics: Sequence[TopicHealth], now_us: int) -> None:
    """A box a node, and what to expect of each thing that can be done to one.

    Args:
        faults: The fact ``faults`` of a lab.
        topics: Of the cluster, judged: what a node's loss would touch.
    """
    kinds = [fault for fault in faults["available"] if fault["needs_node"]]
    running = sum(node["state"] == "running" for node in faults["nodes"])
    # Every node is a controller too, and these decide by majority.
    half = len(faults["nodes"]) // 2
    majority_goes = running - 1 <= half < running
    if running <= half:
        st.warning(
            f"{running} of {len(faults['nodes'])} nodes run, so the controllers have no majority: "
            "no leader can be elected and no topic made until another is back.",
            icon=":material/how_to_vote:",
        )
    with st.grid(3, min_column_width=280):
        for node in faults["nodes"]:
            active = next((one for one in faults["active"] if one["node"] == node["id"]), None)
            with st.container(border=True, key=f"node-{node['id']}"):
                _head(node)
                if active is None:
                    if node["state"] == "running":
                        _touches(node, topics, majority_goes=majority_goes)
                        _inject(node, kinds)
                    else:
                        st.caption("It is on its way.")
                else:
                    _undo(node, active, kinds, now_us)
    with st.expander("What to expect of a node's loss", icon=":material/info:", key="node-effects"):
        for fault in kinds:
            known = BY_NAME.get(str(fault["expected_code"]))
            meaning = f" {known.summary}" if known else ""
            st.markdown(
                f"**{escape_markdown(fault['title'])}.** {escape_markdown(fault['effect'])} Ends "
                f"in {code_span(fault['expected_code'])}{escape_markdown(meaning)}."
            )


def _head(node: Mapping[str, Any]) -> None:
    state = str(node["state"])
    up = state == "running"
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        st.markdown(f"**Node {node['id']}**", width="content")
        st.badge(
            escape_markdown(state),
            icon=":material/check_circle:" if up else ":material/error:",
            color="green" if up else "red",
        )
        pid = f", pid {node['pid']}" if node["pid"] else ""
        st.caption(f"127.0.0.1:{node['port']}{pid}", width="content")


def _touches(
    node: Mapping[str, Any], topics: Sequence[TopicHealth], *, majority_goes: bool
) -> None:
    st.caption(impact_words(impact_of(node["id"], topics), majority_goes=majority_goes))


def _inject(node: Mapping[str, Any], kinds: Sequence[Mapping[str, Any]]) -> None:
    number = node["id"]
    with st.container(horizontal=True, gap="small"):
        for fault in kinds:
            kind = str(fault["kind"])
            verb = str(fault["title"]).partition(" ")[0]
            if st.button(
                verb,
                icon=_ICONS.get(kind),
                help=escape_markdown(str(fault["effect"])),
                key=f"fault-{kind}-inject-{number}",
            ):
                cluster_acts.inject(
                    {"kind": kind, "node": number},
                    f"{fault['title']}: node {number}.",
                    f"{verb}: node {number}",
                )


def _undo(
    node: Mapping[str, Any],
    active: Mapping[str, Any],
    kinds: Sequence[Mapping[str, Any]],
    now_us: int,
) -> None:
    kind, number = str(active["kind"]), node["id"]
    fault = next((fault for fault in kinds if fault["kind"] == kind), None)
    whose = "from here" if active["injected"] else "by other hands, or found so"
    word = kind.removeprefix("node_").replace("_", " ")
    st.markdown(f":orange-badge[:material/bolt: {word}] {ago(active['since_us'], now_us)}, {whose}")
    label = str(fault["undo"]) if fault is not None else "Undo"
    if st.button(
        label,
        icon=":material/play_circle:",
        type="primary",
        key=f"fault-{kind}-undo-{number}",
    ):
        cluster_acts.undo(
            {"kind": kind, "node": number}, f"Node {number} is back.", f"{label}: node {number}"
        )
