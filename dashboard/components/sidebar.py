"""The foot of the sidebar: what is connected, whether the agent lives, and the pause switch."""

from __future__ import annotations

import time

import streamlit as st

from dashboard import context
from dashboard.components import freshness
from dashboard.components.notices import is_silent
from dashboard.formats import ago, code_span, duration
from producer_agent.store.database import StoreError
from producer_agent.store.queries.health import ClusterHealth, Health, health

EMBEDDED_CAVEAT = "in memory, does not replicate; its latencies compare nothing"


def draw() -> None:
    """Draw it under the navigation, and keep it fresh."""
    with st.sidebar:
        _vitals()
        freshness.toggle()


@st.fragment(run_every=freshness.REFRESH_S)
def _vitals() -> None:
    try:
        now = context.reader()(health)
    except StoreError:
        # The page says what is wrong with the database, and what mends it.
        st.caption(":material/database_off: no database")
        return
    st.caption(_cluster_line(now.cluster))
    st.caption(_agent_line(now, time.time_ns() // 1000))


def _cluster_line(cluster: ClusterHealth | None) -> str:
    if cluster is None:
        return ":material/lan: no cluster seen yet"
    brokers = f"{cluster.brokers} broker{'' if cluster.brokers == 1 else 's'}"
    if cluster.kind == "embedded":
        line = f":material/lan: **embedded cluster** · {brokers}  \n{EMBEDDED_CAVEAT}"
    else:
        kind = "lab (real Kafka on this machine)" if cluster.kind == "lab" else "real cluster"
        line = (
            f":material/lan: **{kind}** · {brokers}  \n"
            f"{code_span(_shortened(cluster.bootstrap_servers))}"
        )
    return line if cluster.reachable else f"{line}  \n:red[:material/cloud_off: not reachable]"


def _agent_line(now: Health, now_us: int) -> str:
    if now.agent is None:
        return ":red[:material/robot_2: no agent yet]"
    beat = ago(now.agent.heartbeat_us, now_us)
    if is_silent(now, now_us):
        return f":red[:material/heart_broken: **agent silent** · heartbeat {beat}]"
    up = duration((now_us - now.agent.started_us) / 1e6)
    state = "up" if now.agent.state == "running" else now.agent.state
    return f":material/robot_2: agent {state} {up} · heartbeat {beat}"


def _shortened(servers: str) -> str:
    first, *others = servers.split(",")
    return f"{first} and {len(others)} more" if others else first
