"""Cluster: are the brokers able to keep the promise?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import streamlit as st

from dashboard import context
from dashboard.cluster import (
    cluster_changes,
    cluster_housekeeping,
    cluster_picture,
    cluster_topics,
    cluster_words,
    faults,
)
from dashboard.cluster.topic_health import judged
from dashboard.components import freshness, notices, time_range
from dashboard.diagnosis import diagnosis_list, diagnosis_words
from dashboard.latency import by_broker
from producer_agent.store.clock import now_us
from producer_agent.store.queries.cluster_now import ClusterNow, cluster_now, last_seen_topics
from producer_agent.store.queries.windows import window_to

_LAST_SEEN = "_cluster-last-seen"


def draw() -> None:
    """Everything about the cluster: the answer, what is the matter, the evidence, the faults."""
    now = context.read(cluster_now)
    if now.cluster is not None:
        _whole(now, now.cluster.body)
    else:
        st.info(
            "No cluster was seen yet. The agent looks at it every few seconds once it runs: "
            "`make run`, or `python -m producer_agent serve`.",
            icon=":material/lan:",
        )
    cluster_housekeeping.draw()


def _whole(now: ClusterNow, body: Mapping[str, Any]) -> None:
    at_us = now_us()
    topics = judged(_topics(body))
    nodes = (now.faults or {}).get("nodes", ())
    brokers = cluster_picture.brokers(body, topics, now.left, nodes)
    told = diagnosis_words.told(now.diagnosis)
    notices.show(
        cluster_words.answer(
            topics,
            brokers,
            () if told.is_stale(at_us) else told.diagnoses,
            reachable=body["reachable"],
            now_us=at_us,
            replicates=body["kind"] != "embedded",
        )
    )
    if body["kind"] == "embedded":
        st.caption(
            ":material/memory: The embedded cluster keeps its records in memory and does not "
            "replicate: what it says of in-sync replicas is its configuration, nothing survives "
            "the agent, and its latencies compare nothing. `make lab` starts three real nodes; "
            "`KAFKA_BOOTSTRAP_SERVERS` names a cluster of your own."
        )
    diagnosis_list.draw(told, cluster_changes.asked_topic(), at_us)
    st.subheader("Brokers", anchor=False)
    cluster_topics.brokers(body, brokers, at_us)
    cluster_topics.problems(body["problems"])
    cluster_topics.topics(topics)
    st.subheader("Faults", anchor=False)
    faults.show_faults(now.faults, topics, now.runs, at_us)
    by_broker.draw(window_to(at_us, time_range.RANGES[time_range.DEFAULT]), time_range.DEFAULT)
    cluster_changes.draw([topic.name for topic in topics], [broker.id for broker in brokers])


def _topics(body: Mapping[str, Any]) -> Sequence[Mapping[str, Any]]:
    """Of a cluster that nobody reaches its topics as they were last seen, read once."""
    if body["reachable"]:
        return list(body["topics"])
    kept = st.session_state.get(_LAST_SEEN)
    if kept is None or kept[0] != body["since_us"]:
        kept = (body["since_us"], context.read(last_seen_topics))
        st.session_state[_LAST_SEEN] = kept
    return list(kept[1])


freshness.live(draw, title="Cluster")
