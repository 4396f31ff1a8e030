"""Which dead-letter partitions are read, from which offset, and under which policy.

A partition that was read before goes on where it was left. One that is new begins at its first
record, unless its topic was there already when a policy with ``start_from = now`` took effect:
then at its end of that moment, which is stored at once, so that a restart skips nothing.
"""

from __future__ import annotations

import logging
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Protocol

from sqlite_utils import Database

from producer_agent.store import dead_letter_policies as policies_table
from producer_agent.store import dead_letter_positions as positions_table
from producer_agent.store.dead_letter_policies import Policy, policy_of, with_own
from producer_agent.store.dead_letter_positions import Place, Position
from producer_agent.store.writer import Writer

log = logging.getLogger(__name__)

Bounds = Mapping[tuple[str, int], tuple[int, int]]
"""``{(topic, partition): (first offset there is, the one behind the last)}``."""


class Brokers(Protocol):
    """What is asked of the cluster. Each answers as far as it can, and leaves out the rest."""

    def topic_ids(self, names: Sequence[str]) -> Mapping[str, str]:
        """Id by topic."""

    def offset_bounds(self, partitions: Collection[tuple[str, int]]) -> Bounds:
        """See :data:`Bounds`."""

    def topic_settings(self, names: Sequence[str]) -> Mapping[str, Mapping[str, str]]:
        """The broker's settings by topic, in its own text."""


@dataclass(frozen=True, slots=True)
class Assigned:
    """A partition that is to be read."""

    topic: str
    topic_id: str
    partition: int
    policy: Policy
    position: Position | None
    """Where reading goes on; None: at the first record, whichever that is."""

    @property
    def place(self) -> Place:
        """What its position is stored under."""
        return self.topic, self.topic_id, self.partition


class Assigner:
    """Compares the policies with the topics that there are.

    Args:
        cluster: Row id of the cluster.
        own_topic: The board's own dead-letter topic, read whatever the policies are.
        writer: The database.
        brokers: The cluster.
    """

    def __init__(self, cluster: int, own_topic: str, writer: Writer, brokers: Brokers) -> None:
        self._cluster = cluster
        self._own_topic = own_topic
        self._writer = writer
        self._brokers = brokers
        self._ids: dict[str, str] = {}
        self.missing: tuple[str, ...] = ()
        """Topics that policies name, and that were not among those last assigned."""

    def assign(self, topics: Mapping[str, Sequence[int]]) -> list[Assigned]:
        """What is to be read of these topics.

        Args:
            topics: The partitions of each topic that can be read now.
        """
        policies, begun = self._writer.call(self._policies)
        covered = {topic: found for topic in topics if (found := policy_of(policies, topic))}
        self.missing = tuple(
            policy.topic
            for policy in policies
            if not policy.is_pattern and policy.topic not in topics
        )
        told = self._brokers.topic_ids(sorted(covered))
        self._ids = {topic: self._id_of(topic, told.get(topic)) for topic in covered}
        stored = {
            topic: self._writer.call(
                partial(
                    positions_table.positions,
                    cluster=self._cluster,
                    topic=topic,
                    topic_id=topic_id,
                )
            )
            for topic, topic_id in self._ids.items()
        }
        waiting = self._begin(policies, begun, covered, topics, stored)
        return [
            Assigned(topic, self._ids[topic], at, policy, stored[topic].get(at))
            for topic, policy in sorted(covered.items())
            if policy.id is None or policy.id not in waiting or stored[topic]
            for at in topics[topic]
        ]

    def skip_deleted(self, assigned: Sequence[Assigned]) -> dict[Place, int]:
        """Move positions on that lie before the partition's first record; returns where to."""
        bounds = self._brokers.offset_bounds([(at.topic, at.partition) for at in assigned])
        moved: dict[Place, int] = {}
        for at in assigned:
            found = bounds.get((at.topic, at.partition))
            if found is None:
                continue
            low = found[0]
            lost = self._writer.call(
                partial(
                    positions_table.skip_deleted, cluster=self._cluster, place=at.place, low=low
                )
            )
            if lost:
                moved[at.place] = low
                log.error(
                    "%s[%d]: %d offsets were deleted before they were read; reading goes on at %d",
                    at.topic,
                    at.partition,
                    lost,
                    low,
                )
        return moved

    def _policies(self, db: Database) -> tuple[list[Policy], frozenset[int]]:
        policies = with_own(policies_table.all_policies(db), self._own_topic)
        return policies, policies_table.begun(db, self._cluster)

    def _begin(
        self,
        policies: Sequence[Policy],
        begun: frozenset[int],
        covered: Mapping[str, Policy],
        topics: Mapping[str, Sequence[int]],
        stored: dict[str, dict[int, Position]],
    ) -> frozenset[int]:
        """Let policies from now take effect; returns those whose "now" could not be learnt."""
        due = {
            policy.id: policy
            for policy in policies
            if policy.id is not None and policy.start_from == "now" and policy.id not in begun
        }
        if not due:
            return frozenset()
        starting = [
            topic for topic, policy in covered.items() if policy.id in due and not stored[topic]
        ]
        bounds = self._brokers.offset_bounds(
            [(topic, at) for topic in starting for at in topics[topic]]
        )
        waiting = frozenset(
            policy_id
            for topic in starting
            if (policy_id := covered[topic].id) is not None
            and any((topic, at) not in bounds for at in topics[topic])
        )
        starts: dict[Place, int] = {
            (topic, self._ids[topic], at): bounds[topic, at][1]
            for topic in starting
            if covered[topic].id not in waiting
            for at in topics[topic]
        }

        def begin(db: Database) -> None:
            positions_table.advance(db, self._cluster, starts)
            policies_table.begin(db, self._cluster, due.keys() - waiting)

        self._writer.call(begin)
        for (topic, _, at), offset in starts.items():
            stored[topic][at] = Position(offset)
        return waiting

    def _id_of(self, topic: str, told: str | None) -> str:
        """The topic's id. A cluster that does not tell it just now has not made another topic:
        taken for one, all its records would be stored a second time."""
        known = self._ids.get(topic)
        if known is None:
            known = self._writer.call(
                partial(positions_table.latest_topic_id, cluster=self._cluster, topic=topic)
            )
        if told is None:
            return known
        if not known:
            self._writer.call(
                partial(
                    positions_table.adopt_topic_id,
                    cluster=self._cluster,
                    topic=topic,
                    topic_id=told,
                )
            )
        return told
