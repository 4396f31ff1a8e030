"""What the cluster answers by itself: its brokers, and the copies of the topic if it is there."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

_USUAL_COPIES: Final = 3


@dataclass(frozen=True, slots=True)
class Surroundings:
    """Answers that hang on the cluster; `source` says in words where they come from."""

    brokers: int
    replication_factor: int
    min_insync_replicas: int
    source: str
    is_known: bool

    def answers(self) -> dict[str, int]:
        """By the names of a question's fields."""
        return {
            "brokers": self.brokers,
            "replication_factor": self.replication_factor,
            "min_insync_replicas": self.min_insync_replicas,
        }


ASSUMED: Final = Surroundings(
    3, 3, 2, "Assumed: 3 brokers, 3 copies of which 2 have to be in sync.", False
)


def surroundings(cluster: Mapping[str, Any] | None, topic: str | None = None) -> Surroundings:
    """The answers of a cluster as the agent last saw it; the usual ones where it saw none.

    Args:
        cluster: The body of the fact `cluster`.
        topic: Whose copies are looked up; for one that is not there, 3 as far as there are
            brokers, and one less in sync.
    """
    brokers = len(cluster["brokers"]) if cluster else 0
    if not cluster or not brokers:
        return ASSUMED
    kind = {"embedded": "the embedded cluster", "lab": "the lab"}.get(
        cluster["kind"], "the connected cluster"
    )
    if not cluster["reachable"]:
        kind += ", as it was before it could not be reached"
    found = next((known for known in cluster["topics"] if known["name"] == topic), None)
    if found is not None and found["partitions"]:
        copies = min(len(partition["replicas"]) for partition in found["partitions"])
        in_sync = found["min_insync_replicas"] or 1
        return Surroundings(
            brokers, max(copies, 1), in_sync, f"From {kind}: its topic {topic}.", True
        )
    copies = min(_USUAL_COPIES, brokers)
    return Surroundings(
        brokers,
        copies,
        max(copies - 1, 1),
        f"From {kind}: {brokers} broker{'s' if brokers > 1 else ''}.",
        True,
    )
