"""What keeps the figures from being trusted: a silent agent, a cluster that is gone, failed jobs.

:func:`problems` judges and writes the words; the rest shows them.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import tzinfo
from typing import Literal

import streamlit as st

from dashboard import context
from dashboard.components.freshness import REFRESH_S
from dashboard.formats import ago, clock, code_span, count, duration, escape_markdown
from producer_agent.store.queries.health import FailedJob, Health, health

SILENT_AFTER_S = 5.0
"""The agent writes its heartbeat every second; missing five of them is no hiccup."""

BACKLOG_SHOWN_FROM = 50_000
"""Reports waiting to be committed at which the figures lag behind by seconds."""

Severity = Literal["error", "warning", "info", "success"]


@dataclass(frozen=True, slots=True)
class Notice:
    """One thing to know: a sentence, then the evidence and the mend (Markdown)."""

    severity: Severity
    title: str
    text: str
    icon: str


def problems(now: Health, now_us: int, zone: tzinfo) -> list[Notice]:
    """What is wrong with the agent, the cluster and the clockwork, worst first."""
    return [
        *_agent_problems(now, now_us),
        *_cluster_problems(now, now_us, zone),
        *_jobs(now, now_us),
    ]


def show(notice: Notice) -> None:
    """Draw one, as the alert of its severity."""
    draw_as = {"error": st.error, "warning": st.warning, "info": st.info, "success": st.success}
    draw_as[notice.severity](notice.text, title=notice.title, icon=notice.icon)


def draw() -> None:
    """Show what is wrong at the top of a page, and keep looking; nothing while all is well.

    It looks on when the page is paused: a pause must not hide that the agent died.
    """
    _watch()


@st.fragment(run_every=REFRESH_S)
def _watch() -> None:
    with st.container(gap="small"):
        for notice in problems(context.read(health), time.time_ns() // 1000, context.zone()):
            show(notice)


def is_silent(now: Health, now_us: int) -> bool:
    """Whether no agent is at work on this database."""
    return now.agent is None or now_us - now.agent.heartbeat_us > SILENT_AFTER_S * 1e6


def _agent_problems(now: Health, now_us: int) -> Iterator[Notice]:
    agent = now.agent
    if agent is None:
        yield Notice(
            "warning",
            "No agent has served this database yet",
            "Nothing is sent and nothing is recorded. Start one: `make run`, or "
            "`python -m producer_agent serve`.",
            ":material/robot_2:",
        )
        return
    if is_silent(now, now_us):
        yield Notice(
            "error",
            f"The agent is silent: its last heartbeat was {ago(agent.heartbeat_us, now_us)}",
            "What you see is from before, and nothing is sent. `make run` starts it again by "
            "itself within seconds; if it does not, `python -m producer_agent serve` says why.",
            ":material/heart_broken:",
        )
    elif agent.blocked is not None:
        yield Notice(
            "error",
            "The agent cannot write the database",
            f"{escape_markdown(agent.blocked)} Outcomes wait in memory "
            f"({count(agent.backlog)} so far) until it can.",
            ":material/database_off:",
        )
    elif agent.backlog >= BACKLOG_SHOWN_FROM:
        yield Notice(
            "warning",
            f"{count(agent.backlog)} delivery reports are not recorded yet",
            "The figures lag behind. Lower the rates on Profiles if this stays.",
            ":material/hourglass:",
        )
    for message in agent.messages:
        yield Notice("warning", "From the agent", escape_markdown(message), ":material/robot_2:")


def _cluster_problems(now: Health, now_us: int, zone: tzinfo) -> Iterator[Notice]:
    cluster = now.cluster
    # What a silent agent last saw of the cluster says nothing of now.
    if cluster is None or cluster.reachable or is_silent(now, now_us):
        return
    since = (
        ""
        if cluster.since_us is None
        else f" for {duration((now_us - cluster.since_us) / 1e6)}, "
        f"since {clock(cluster.since_us, zone)}"
    )
    error = "" if cluster.error is None else f"It says: {code_span(cluster.error)}. "
    mend = (
        "The cluster lives in the agent: bring its brokers back under Cluster, Faults."
        if cluster.kind == "embedded"
        else "`make lab` starts its nodes again."
        if cluster.kind == "lab"
        else "Check that the brokers run and that this host reaches them; "
        "`KAFKA_BOOTSTRAP_SERVERS` names them."
    )
    yield Notice(
        "error",
        f"The cluster cannot be reached{since}",
        f"Tried {code_span(cluster.bootstrap_servers)}. {error}{mend} What is due meanwhile waits "
        f"in the producers until its delivery time-out, then fails and is kept as a dead letter.",
        ":material/cloud_off:",
    )


def _jobs(now: Health, now_us: int) -> Iterator[Notice]:
    for job in now.failed_jobs:
        yield Notice("warning", _job_title(job), _job_text(job, now_us), ":material/alarm_off:")


def _job_title(job: FailedJob) -> str:
    row = f", {count(job.failed_in_row)} times in a row" if job.failed_in_row > 1 else ""
    return f"The scheduled job {code_span(job.name)} failed{row}"


def _job_text(job: FailedJob, now_us: int) -> str:
    reason = "" if job.detail is None else f"It says: {code_span(job.detail)}. "
    return (
        f"It last ran {ago(job.last_run_us, now_us)}. {reason}"
        f"It runs again by the clock; the agent's log has the whole error."
    )
