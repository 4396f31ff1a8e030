"""Cluster: are the brokers able to keep the promise?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import streamlit as st
from sqlite_utils import Database

from dashboard import context, formats
from dashboard.components import faults, freshness
from dashboard.formats import NOTHING, code_span, count, escape_markdown, visible
from dashboard.topic_health import TopicHealth, judged
from producer_agent.store import facts
from producer_agent.store.clock import now_us
from producer_agent.store.facts import Fact
from producer_agent.store.queries.cluster import DatabaseState, JobRow, database_state, jobs

KINDS = {
    "embedded": "Embedded cluster",
    "lab": "Lab: real Kafka on this machine",
    "real": "Real cluster",
}


def draw() -> None:
    """Everything about the cluster, worst first."""
    cluster, known_faults, running = context.read(_facts)
    if cluster is not None:
        whole(cluster.body, known_faults, running)
    else:
        st.info(
            "No cluster was seen yet. The agent looks at it every few seconds once it runs: "
            "`make run`, or `python -m producer_agent serve`.",
            icon=":material/lan:",
        )
    housekeeping()


def whole(
    body: Mapping[str, Any], known_faults: Mapping[str, Any] | None, running: Sequence[str]
) -> None:
    """The cluster: the answer, then its evidence, then the faults."""
    topics = judged(body["topics"])
    answer(body, topics)
    connection(body)
    problems(body["problems"])
    topic_table(topics)
    if body["kind"] == "embedded" or known_faults is not None:
        st.subheader("Faults", anchor=False)
        faults.show_faults(known_faults, _fault_topics(topics, running), now_us())


def answer(body: Mapping[str, Any], topics: Sequence[TopicHealth]) -> None:
    """Whether a record sent now can be stored as its profile asks."""
    if not body["reachable"]:
        st.error(
            "**No broker answers, so nothing can be stored.** What is known of the topics comes "
            "back with the first broker.",
            icon=":material/cloud_off:",
        )
        return
    by_rank = [[topic for topic in topics if topic.rank == rank] for rank in range(4)]
    brokers = f"{count(len(body['brokers']))} broker{'s' if len(body['brokers']) != 1 else ''}"
    if by_rank[0]:
        st.error(
            f"**{_named(by_rank[0])} cannot be written:** partitions without a leader. "
            "Bring back a broker that holds a replica of them.",
            icon=":material/error:",
        )
    elif by_rank[1]:
        st.error(
            f"**acks=all fails on {_named(by_rank[1])}:** fewer replicas in sync than "
            "min.insync.replicas. Bring the missing brokers back.",
            icon=":material/error:",
        )
    elif by_rank[2]:
        st.warning(
            f"**{_named(by_rank[2])} can be written, with replicas missing:** the next broker "
            "that fails may stop acks=all.",
            icon=":material/warning:",
        )
    elif not topics:
        st.info(f"{brokers} answer, and there is no topic yet.", icon=":material/lan:")
    else:
        st.success(
            f"**{brokers} answer, and all {count(len(topics))} topics have a leader and their "
            "replicas in sync.**"
            if len(topics) > 1
            else f"**{brokers} answer, and {_named(topics)} has its replicas in sync.**",
            icon=":material/check_circle:",
        )
    if body["kind"] == "embedded":
        st.caption(
            ":material/memory: The embedded cluster keeps its records in memory and does not "
            "replicate: what it says of in-sync replicas is its configuration, nothing survives "
            "the agent, and its latencies compare nothing. `make lab` starts three real nodes; "
            "`KAFKA_BOOTSTRAP_SERVERS` names a cluster of your own."
        )


def connection(body: Mapping[str, Any]) -> None:
    """What is connected, and its brokers."""
    # librdkafka's own cluster names a controller that is none of its brokers.
    ids = [broker["id"] for broker in body["brokers"]]
    controller = body["controller_id"] if body["controller_id"] in ids else None
    lines = (
        f"**{KINDS.get(body['kind'], escape_markdown(body['kind']))}**",
        f":gray[address] {code_span(body['bootstrap_servers'])}",
        f":gray[cluster id] {code_span(body['cluster_id'] or 'not told')}",
        f":gray[controller] {'not told' if controller is None else f'broker {controller}'}",
    )
    st.markdown("  \n".join(lines))
    if body["brokers"]:
        st.dataframe(
            {
                "Broker": [str(broker["id"]) for broker in body["brokers"]],
                "Address": [visible(f"{b['host']}:{b['port']}") for b in body["brokers"]],
                "Leads": [str(_led_by(body["topics"], broker["id"])) for broker in body["brokers"]],
                "Role": [
                    "controller" if broker["id"] == controller else "" for broker in body["brokers"]
                ],
            },
            column_config={"Leads": st.column_config.TextColumn(help="Partitions it leads.")},
            hide_index=True,
            height="content",
            key="cluster-brokers",
        )


def problems(found: Sequence[Mapping[str, Any]]) -> None:
    """What keeps topics from being as their profiles ask, with the mend."""
    for problem in found:
        draw_as = st.error if problem["severity"] == "error" else st.warning
        draw_as(
            f"**{escape_markdown(problem['topic'])}:** {escape_markdown(problem['message'])} "
            f"{escape_markdown(problem['mend'])}",
            icon=":material/topic:",
        )


def topic_table(topics: Sequence[TopicHealth]) -> None:
    """A line a topic, and the partitions of those that are not whole."""
    if not topics:
        return
    st.subheader("Topics", anchor=False)
    st.dataframe(
        {
            "Topic": [visible(topic.name) for topic in topics],
            "State": [topic.words for topic in topics],
            "Partitions": [len(topic.partitions) for topic in topics],
            "Fewest in sync": [f"{t.fewest_isr} of {t.most_replicas}" for t in topics],
            "Min ISR": [_min_isr(topic) for topic in topics],
        },
        column_config={
            "Min ISR": st.column_config.TextColumn(
                help="min.insync.replicas: what acks=all needs. The embedded cluster has none."
            ),
            "Partitions": st.column_config.NumberColumn(width=90),
        },
        hide_index=True,
        height="content" if len(topics) <= 12 else 440,
        key="cluster-topics",
    )
    rows = [(topic, part) for topic in topics for part in topic.partitions]
    sick = [row for row in rows if row[1].rank < 3]
    with st.expander(
        f"{count(len(sick))} partitions that are not whole" if sick else "Partitions",
        icon=":material/account_tree:",
        key="cluster-partitions",
    ):
        st.dataframe(
            {
                "Topic": [visible(topic.name) for topic, _ in rows],
                "Partition": [part.id for _, part in rows],
                "State": [part.words for _, part in rows],
                "Leader": [NOTHING if p.leader is None else str(p.leader) for _, p in rows],
                "In sync": [_ids(part.isrs) for _, part in rows],
                "Replicas": [_ids(part.replicas) for _, part in rows],
                "Min ISR": [_min_isr(topic) for topic, _ in rows],
            },
            hide_index=True,
            height=min(440, 38 + 35 * len(rows)),
            key="cluster-partition-table",
        )


def housekeeping() -> None:
    """The jobs that run by the clock, and the database."""
    found, state = context.read(lambda db: (jobs(db), database_state(db)))
    st.subheader("Jobs", anchor=False)
    job_table(found)
    st.subheader("Database", anchor=False)
    database(state)


def job_table(found: Sequence[JobRow]) -> None:
    """How each job last went, those that failed first."""
    if not found:
        st.caption("No job has run yet: the agent starts them by the clock.")
        return
    st.dataframe(
        {
            "Job": [visible(job.name) for job in found],
            "Last run": [formats.ago(job.last_run_us, now_us()) for job in found],
            "Outcome": [
                job.last_state
                + (f", {job.failed_in_row} in a row" if job.failed_in_row > 1 else "")
                for job in found
            ],
            "Detail": [visible(job.detail or "") for job in found],
        },
        hide_index=True,
        height="content",
        key="cluster-jobs",
    )


def database(state: DatabaseState) -> None:
    """Size and contents, on a few lines."""
    free = f", {formats.size(state.free_bytes)} of it free" if state.free_bytes else ""
    since = formats.ago(state.first_run_us, now_us()) if state.first_run_us else NOTHING
    st.markdown(
        f"{code_span(str(context.settings().db.absolute()))}  \n"
        f":gray[size] **{formats.size(state.size_bytes)}**{free} · "
        f":gray[journal] {code_span(state.journal_mode)} · "
        f":gray[schema] {code_span(state.schema)}  \n"
        f":gray[runs] **{count(state.runs)}**, {count(state.open_runs)} open · "
        f":gray[dead letters] **{count(state.dead_letters)}** · "
        f":gray[waiting in the outbox] **{count(state.outbox_waiting)}** · "
        f":gray[first run] {since}"
    )


def _facts(db: Database) -> tuple[Fact | None, dict[str, Any] | None, list[str]]:
    known = facts.get(db, "faults")
    runs = facts.get(db, "runs")
    running = [run["topic"] for run in runs.body] if runs is not None else []
    return facts.get(db, "cluster"), known.body if known is not None else None, running


def _fault_topics(topics: Sequence[TopicHealth], running: Sequence[str]) -> list[str]:
    """Those that something is sent to first, for there a fault is felt."""
    others = [topic.name for topic in topics if not topic.internal]
    return list(dict.fromkeys((*running, *sorted(others))))


def _named(topics: Sequence[TopicHealth]) -> str:
    shown = ", ".join(code_span(topic.name) for topic in topics[:3])
    return f"{shown} and {count(len(topics) - 3)} more" if len(topics) > 3 else shown


def _led_by(topics: Sequence[Mapping[str, Any]], broker: int) -> int:
    return sum(part["leader"] == broker for topic in topics for part in topic["partitions"])


def _min_isr(topic: TopicHealth) -> str:
    return "not told" if topic.min_insync_replicas is None else str(topic.min_insync_replicas)


def _ids(brokers: Sequence[int]) -> str:
    return ", ".join(str(broker) for broker in brokers) or NOTHING


st.title("Cluster", anchor=False)
freshness.live(draw)
