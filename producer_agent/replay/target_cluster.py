"""What planning and sending ask of a cluster."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol


class TargetCluster(Protocol):
    """``kafka.cluster.Cluster``, as far as the replay needs it."""

    @property
    def connection(self) -> Mapping[str, Any]:
        """librdkafka properties that reach it."""

    @property
    def keeps_transactions(self) -> bool:
        """Whether transactions, their offsets and their fencing are real there."""

    def topic_sizes(self, names: Sequence[str]) -> Mapping[str, tuple[int, int | None]]:
        """``{topic: (partitions, max.message.bytes or None)}`` of those that are there.

        Raises:
            ClusterUnreachable: no broker answered.
        """

    def groups_reading(self, names: Sequence[str]) -> Mapping[str, list[str]] | None:
        """Consumer groups by topic; None where the cluster does not tell."""
