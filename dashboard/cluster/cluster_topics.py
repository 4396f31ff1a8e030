"""Brokers, topics and partitions: those that are not whole first, the healthy folded away."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from heapq import nsmallest
from typing import Any, Final

import streamlit as st

from dashboard.cluster.cluster_picture import Broker
from dashboard.cluster.cluster_words import state_of
from dashboard.cluster.topic_health import PartitionHealth, TopicHealth
from dashboard.formats import NOTHING, code_span, count, escape_markdown, visible

KINDS: Final = {
    "embedded": "Embedded cluster",
    "lab": "Lab: real Kafka on this machine",
    "real": "Real cluster",
}

SICK_SHOWN: Final = 100
HEALTHY_SHOWN: Final = 200
BROKERS_SHOWN: Final = 200


def brokers(body: Mapping[str, Any], found: Sequence[Broker], now_us: int) -> None:
    """What is connected, and its brokers, those that are missed first."""
    controller = next((broker.id for broker in found if broker.is_controller), None)
    lines = (
        f"**{KINDS.get(body['kind'], escape_markdown(body['kind']))}**",
        f":gray[address] {code_span(body['bootstrap_servers'])}",
        f":gray[cluster id] {code_span(body['cluster_id'] or 'not told')}",
        f":gray[controller] {'not told' if controller is None else f'broker {controller}'}",
    )
    st.markdown("  \n".join(lines))
    if not found:
        return
    shown = found[:BROKERS_SHOWN]
    st.dataframe(
        {
            "Broker": [str(broker.id) for broker in shown],
            "State": [state_of(broker, now_us) for broker in shown],
            "Leads": [broker.leads for broker in shown],
            "In sync": [f"{count(b.in_sync)} of {count(b.replicas)}" for b in shown],
            "Role": ["controller" if broker.is_controller else "" for broker in shown],
            "Address": [visible(broker.address or "not known") for broker in shown],
        },
        column_config={
            "Broker": st.column_config.TextColumn(width=60),
            "State": st.column_config.TextColumn(width=190),
            "Leads": st.column_config.NumberColumn(
                width=60, format="localized", help="Partitions it leads."
            ),
            "In sync": st.column_config.TextColumn(
                width=90, help="Of the partitions it holds a replica of."
            ),
        },
        hide_index=True,
        height="content" if len(shown) <= 9 else 352,
        key="cluster-brokers",
        alt="Brokers, those that are missed first",
    )
    _and_more(len(found) - len(shown), "brokers")


def problems(found: Sequence[Mapping[str, Any]]) -> None:
    """What keeps topics from being as their profiles ask, with the mend."""
    for problem in found[:20]:
        draw_as = st.error if problem["severity"] == "error" else st.warning
        draw_as(
            f"**{escape_markdown(problem['topic'])}:** {escape_markdown(problem['message'])} "
            f"{escape_markdown(problem['mend'])}",
            icon=":material/topic:",
        )
    _and_more(len(found) - 20, "topics that are not as their profiles ask")


def topics(found: Sequence[TopicHealth]) -> None:
    """Those that are not whole with their partitions, then the healthy behind a press.

    Args:
        found: The worst first.
    """
    if not found:
        return
    st.subheader("Topics", anchor=False)
    sick = [topic for topic in found if topic.rank < 3]
    healthy = [topic for topic in found if topic.rank == 3]
    if sick:
        _topic_table(sick[:SICK_SHOWN], "cluster-topics-sick")
        _and_more(len(sick) - SICK_SHOWN, "topics that are not whole")
        _partitions(sick)
    if healthy:
        with st.expander(
            f"{count(len(healthy))} healthy topic{'' if len(healthy) == 1 else 's'}",
            icon=":material/check_circle:",
            expanded=not sick and len(healthy) <= 12,
            key=f"cluster-healthy-{'folded' if sick else 'open'}",
        ):
            _topic_table(healthy[:HEALTHY_SHOWN], "cluster-topics")
            _and_more(len(healthy) - HEALTHY_SHOWN, "healthy topics")


def _topic_table(found: Sequence[TopicHealth], key: str) -> None:
    st.dataframe(
        {
            "Topic": [visible(topic.name) for topic in found],
            "State": [topic.words for topic in found],
            "Partitions": [len(topic.partitions) for topic in found],
            "Fewest in sync": [f"{t.fewest_isr} of {t.most_replicas}" for t in found],
            "Min ISR": [_min_isr(topic) for topic in found],
        },
        column_config={
            "Min ISR": st.column_config.TextColumn(
                help="min.insync.replicas: what acks=all needs. The embedded cluster has none."
            ),
            "Partitions": st.column_config.NumberColumn(width=90, format="localized"),
        },
        hide_index=True,
        height="content" if len(found) <= 12 else 440,
        key=key,
        alt="Topics, the worst first",
    )


def _partitions(sick: Sequence[TopicHealth]) -> None:
    """Partitions that are not whole, the worst first whatever topic they are of."""
    total = sum(part.rank < 3 for topic in sick for part in topic.partitions)
    if not total:
        return
    rows: list[tuple[TopicHealth, PartitionHealth]] = nsmallest(
        SICK_SHOWN,
        ((topic, part) for topic in sick for part in topic.partitions if part.rank < 3),
        key=lambda row: (row[1].rank, row[0].internal, row[0].name, row[1].id),
    )
    st.markdown(f"**{count(total)} partition{'' if total == 1 else 's'} not whole**")
    st.dataframe(
        {
            "Topic": [visible(topic.name) for topic, _ in rows],
            "Partition": [part.id for _, part in rows],
            "State": [part.words for _, part in rows],
            "Leader": [NOTHING if p.leader is None else str(p.leader) for _, p in rows],
            "In sync": [_ids(part.isrs) for _, part in rows],
            "Missing": [_ids(sorted(set(p.replicas) - set(p.isrs))) for _, p in rows],
            "Min ISR": [_min_isr(topic) for topic, _ in rows],
        },
        column_config={"Partition": st.column_config.NumberColumn(width=80)},
        hide_index=True,
        height="content" if len(rows) <= 7 else 282,
        key="cluster-partition-table",
        alt="Partitions that are not whole, the worst first",
    )
    _and_more(total - len(rows), "partitions that are not whole")


def _and_more(n: int, noun: str) -> None:
    if n > 0:
        st.caption(f"And {count(n)} more {noun}.")


def _min_isr(topic: TopicHealth) -> str:
    return "not told" if topic.min_insync_replicas is None else str(topic.min_insync_replicas)


def _ids(found: Sequence[int]) -> str:
    return ", ".join(str(broker) for broker in found) or NOTHING
