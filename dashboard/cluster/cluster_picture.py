"""The cluster as a page tells of it: who is there, who is gone since when, what would be touched.

Pure: it judges the documents that the agent wrote (``store/facts.py``) and its history.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from dashboard.cluster.topic_health import TopicHealth
from producer_agent.store.queries.cluster_changes import ChangeRow


@dataclass(frozen=True, slots=True)
class Broker:
    """One broker, as it matters to the topics."""

    id: int
    address: str | None
    """``host:port``; None: never seen."""
    is_here: bool
    """Whether the cluster's metadata counts it as alive."""
    gone_since_us: int | None
    """Of one that is gone: when that was seen; None: it was gone when watching began."""
    node_state: str | None
    """Of a node of the lab what its process does: ``running``, ``paused``, ``stopped``."""
    is_controller: bool
    leads: int
    """Partitions it leads."""
    replicas: int
    """Partitions it holds a replica of."""
    in_sync: int
    """Of those, with how many it is in sync."""

    @property
    def lags(self) -> int:
        """Partitions that wait for its replica."""
        return self.replicas - self.in_sync


@dataclass(frozen=True, slots=True)
class Impact:
    """What one broker's loss would do, as the replicas are now."""

    leads: int
    replicas: int
    leaderless: tuple[str, ...]
    """Topics with partitions that would have no leader: it is the last in sync."""
    refused: tuple[str, ...]
    """Topics with partitions that acks=all would be refused on."""


def brokers(
    body: Mapping[str, Any],
    topics: Sequence[TopicHealth],
    left: Mapping[int, ChangeRow],
    nodes: Sequence[Mapping[str, Any]] = (),
) -> list[Broker]:
    """Every broker that is there or is missed, those that are missed first.

    Args:
        body: The fact ``cluster``.
        topics: Its topics, judged; as last seen where no broker answers.
        left: Departures, of brokers that did not come back.
        nodes: Of the lab, as the fact ``faults`` lists them.
    """
    here = {broker["id"]: f"{broker['host']}:{broker['port']}" for broker in body["brokers"]}
    states = {node["id"]: node for node in nodes}
    tallies: dict[int, list[int]] = {}
    for partition in (partition for topic in topics for partition in topic.partitions):
        for broker in partition.replicas:
            tally = tallies.setdefault(broker, [0, 0, 0])
            tally[0] += partition.leader == broker
            tally[1] += 1
            tally[2] += broker in partition.isrs
    found = []
    for number in {*here, *tallies, *left, *states}:
        leads, replicas, in_sync = tallies.get(number, (0, 0, 0))
        row, node = left.get(number), states.get(number)
        found.append(
            Broker(
                id=number,
                address=here.get(number)
                or (str(row.detail["address"]) if row and row.detail.get("address") else None)
                or (f"127.0.0.1:{node['port']}" if node else None),
                is_here=number in here,
                gone_since_us=row.at_us if row is not None and number not in here else None,
                node_state=None if node is None else str(node["state"]),
                # librdkafka's own cluster names a controller that is none of its brokers.
                is_controller=number in here and body["controller_id"] == number,
                leads=leads,
                replicas=replicas,
                in_sync=in_sync,
            )
        )
    return sorted(found, key=lambda broker: (broker.is_here, -broker.lags, broker.id))


def impact_of(broker: int, topics: Iterable[TopicHealth]) -> Impact:
    """What goes if this broker is lost now, Kafka's own topics left out of the names."""
    leads = replicas = 0
    leaderless: dict[str, None] = {}
    refused: dict[str, None] = {}
    for topic in topics:
        for partition in topic.partitions:
            if broker not in partition.replicas:
                continue
            replicas += 1
            leads += partition.leader == broker
            rest = set(partition.isrs) - {broker}
            least = topic.min_insync_replicas
            if topic.internal or broker not in partition.isrs:
                continue
            if not rest:
                leaderless[topic.name] = None
            elif least is not None and len(rest) < least:
                refused[topic.name] = None
    return Impact(leads, replicas, tuple(leaderless), tuple(refused))
