"""The cluster as it is now: what the agent last wrote of it, and who left it since when."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sqlite_utils import Database

from producer_agent.store import cluster_changes, facts
from producer_agent.store.facts import Fact
from producer_agent.store.queries.cluster_changes import ChangeRow, departures


@dataclass(frozen=True, slots=True)
class ClusterNow:
    """Facts as ``store/facts.py`` tells of them, of one moment."""

    cluster: Fact | None
    faults: Mapping[str, Any] | None
    runs: tuple[Mapping[str, Any], ...]
    diagnosis: Fact | None
    heartbeat_us: int | None
    """When the agent last was at work; None: never."""
    left: Mapping[int, ChangeRow]
    """Departures of brokers that topics have replicas on, and that are not there now."""


def cluster_now(db: Database) -> ClusterNow:
    """All of it. Costs a query a broker that is missed, and the documents."""
    cluster, faults, runs, diagnosis, agent = (
        facts.get(db, name) for name in ("cluster", "faults", "runs", "diagnosis", "agent")
    )
    return ClusterNow(
        cluster,
        faults.body if faults is not None else None,
        tuple(runs.body) if runs is not None else (),
        diagnosis,
        agent.at_us if agent is not None else None,
        _left(db, cluster.body) if cluster is not None else {},
    )


def last_seen_topics(db: Database) -> list[dict[str, Any]]:
    """Topics in the shape of the fact ``cluster``, as their partitions were last seen.

    For when no broker answers: the fact has none then. Settings are not kept, so
    ``min_insync_replicas`` is None. Reads every state that is kept, so not at each redraw.
    """
    by_topic: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for (topic, number), (_, state) in sorted(cluster_changes.last_states(db).items()):
        by_topic[topic].append(
            {
                "id": number,
                "leader": state.leader,
                "replicas": list(state.replicas),
                "isrs": list(state.isrs),
            }
        )
    return [
        {
            "name": topic,
            "internal": topic.startswith("__"),
            "min_insync_replicas": None,
            "partitions": partitions,
        }
        for topic, partitions in by_topic.items()
    ]


def _left(db: Database, body: Mapping[str, Any]) -> dict[int, ChangeRow]:
    here = {broker["id"] for broker in body["brokers"]}
    wanted = {
        broker
        for topic in body["topics"]
        for partition in topic["partitions"]
        for broker in partition["replicas"]
    }
    return departures(db, sorted(wanted - here))
