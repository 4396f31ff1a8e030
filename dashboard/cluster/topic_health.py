"""Whether the brokers can keep the promise: leaders and in-sync replicas of each topic.

Reads the topics of the fact ``cluster``. acks=all is refused by a partition whose in-sync
replicas are below min.insync.replicas, and nothing at all can be sent to one without a leader.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class PartitionHealth:
    """One partition, judged."""

    id: int
    leader: int | None
    replicas: tuple[int, ...]
    isrs: tuple[int, ...]
    is_under_min_isr: bool

    @property
    def rank(self) -> int:
        """0 has no leader, 1 is under min.insync.replicas, 2 lacks a replica, 3 is whole."""
        if self.leader is None:
            return 0
        if self.is_under_min_isr:
            return 1
        return 2 if len(self.isrs) < len(self.replicas) else 3

    @property
    def words(self) -> str:
        """Its rank in words."""
        return ("no leader", "under min ISR", "replica missing", "in sync")[self.rank]


@dataclass(frozen=True, slots=True)
class TopicHealth:
    """One topic, judged by its partitions."""

    name: str
    internal: bool
    min_insync_replicas: int | None
    """None: the cluster does not tell."""
    partitions: tuple[PartitionHealth, ...]
    """The worst first."""

    @property
    def rank(self) -> int:
        """That of its worst partition; a topic without partitions can take nothing."""
        return min((partition.rank for partition in self.partitions), default=0)

    def count(self, rank: int) -> int:
        """Partitions of this rank."""
        return sum(partition.rank == rank for partition in self.partitions)

    @property
    def words(self) -> str:
        """What is wrong, the worst first: ``2 of 6 without leader``."""
        if not self.partitions:
            return "no partitions"
        told = [
            f"{n} of {len(self.partitions)} {what}"
            for rank, what in enumerate(("without leader", "under min ISR", "miss a replica"))
            if (n := self.count(rank))
        ]
        return ", ".join(told) or "in sync"

    @property
    def fewest_isr(self) -> int:
        """In-sync replicas of the partition that has fewest."""
        return min((len(partition.isrs) for partition in self.partitions), default=0)

    @property
    def most_replicas(self) -> int:
        """The replication factor."""
        return max((len(partition.replicas) for partition in self.partitions), default=0)


def judged(topics: Iterable[Mapping[str, Any]]) -> list[TopicHealth]:
    """The topics of a cluster fact, the worst first, Kafka's own topics last among equals."""
    found = [_topic(topic) for topic in topics]
    return sorted(found, key=lambda topic: (topic.rank, topic.internal, topic.name))


def _topic(topic: Mapping[str, Any]) -> TopicHealth:
    least = topic["min_insync_replicas"]
    partitions = [
        PartitionHealth(
            partition["id"],
            partition["leader"],
            tuple(partition["replicas"]),
            tuple(partition["isrs"]),
            least is not None and len(partition["isrs"]) < least,
        )
        for partition in topic["partitions"]
    ]
    partitions.sort(key=lambda partition: (partition.rank, partition.id))
    return TopicHealth(topic["name"], topic["internal"], least, tuple(partitions))
