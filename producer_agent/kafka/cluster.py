"""The cluster that is worked with: the embedded one, or a real one at an address."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict
from typing import Any

from confluent_kafka import Consumer, KafkaError, KafkaException, TopicPartition

from producer_agent.kafka.admin import Admin, ClusterUnreachable
from producer_agent.kafka.broker_partitions import BrokerPartitions
from producer_agent.kafka.cluster_view import ClusterView, cluster_view, topic_configs, topic_ids
from producer_agent.kafka.consumer_groups import groups_reading
from producer_agent.kafka.embedded import EmbeddedCluster
from producer_agent.kafka.faults import FAULTS, FaultInjector
from producer_agent.kafka.first_view import first_view
from producer_agent.kafka.lab import Lab, LabError
from producer_agent.kafka.lab_faults import LabFaultInjector
from producer_agent.kafka.quorum import describe_quorum
from producer_agent.kafka.topic_offsets import offset_bounds
from producer_agent.kafka.topic_restraint import TopicRestraint
from producer_agent.kafka.topics import TopicProblem, TopicSpec, ensure_topics
from producer_agent.settings import Settings

log = logging.getLogger(__name__)

EMBEDDED_BROKERS = 3
WATERMARK_ATTEMPTS = 3
SETTINGS_EVERY_S = 30.0
CONTROLLER_ASKED = 2
CONTROLLER_TIMEOUT_S = 0.5
"""Brokers that are asked for the controller at each look, and how long each may take."""


class Cluster:
    """A cluster and how to reach it. An embedded one lives until the process ends.

    Raises:
        EmbeddedClusterUnavailable: no real cluster was named, and this platform's librdkafka
            lacks the embedded one.
    """

    def __init__(self, settings: Settings) -> None:
        self._embedded = EmbeddedCluster(EMBEDDED_BROKERS) if settings.is_embedded else None
        self.faults = FaultInjector(self._embedded) if self._embedded else None
        """Injects faults into the embedded cluster; None on any other."""
        self.lab_faults, self._no_faults = _lab_faults(settings)
        """Injects faults into the lab's nodes; None on any other cluster."""
        self.kind = "embedded" if self._embedded else settings.cluster_kind
        self.connection: dict[str, Any] = {
            **settings.connection(),
            **(self._embedded.client_defaults if self._embedded else {}),
        }
        """librdkafka properties that reach it; may hold secrets."""
        self.bootstrap_servers = str(self.connection["bootstrap.servers"])
        self._metadata_consumer: Consumer | None = None
        self._admin: Admin | None = None
        self._known_brokers: tuple[str, ...] = ()
        self._settings_read: tuple[float, frozenset[str]] | None = None
        self._settings_seen: dict[str, dict[str, str]] = {}
        self._lock = threading.Lock()

    def close(self) -> None:
        """Let go of it."""
        with self._lock:
            if self._metadata_consumer is not None:
                self._metadata_consumer.close()
                self._metadata_consumer = None
        self._admin = None
        if self.faults is not None:
            self.faults.close()
        if self.lab_faults is not None:
            self.lab_faults.close()
        if self._embedded is not None:
            self._embedded.leave_to_exit()

    def view(self, timeout_s: float = 3.0) -> ClusterView:
        """Brokers and topics now.

        Raises:
            ClusterUnreachable: no broker answered.
        """
        try:
            view = cluster_view(self._client(), timeout_s / 2)
        except ClusterUnreachable:
            # It asked one broker, which may hang; and a new client finds brokers that came back.
            self._admin = None
            if self._embedded is not None:
                raise
            addresses = [*self._known_brokers, *self.bootstrap_servers.split(",")]
            _, view = first_view(self.connection, addresses, timeout_s / 2)
        self._known_brokers = tuple(f"{broker.host}:{broker.port}" for broker in view.brokers)
        return view

    def ensure_topics(self, specs: Sequence[TopicSpec]) -> list[TopicProblem]:
        """Create what is missing; returns what could not be had and what differs.

        Raises:
            ClusterUnreachable: no broker answered.
        """
        if self._embedded is None:
            return ensure_topics(self.connection, specs)
        for spec in specs:
            self._embedded.create_topic(
                spec.name, spec.partitions, min(spec.replication_factor, EMBEDDED_BROKERS)
            )
        return []

    def broker_partitions(
        self, topic: str, replication_factor: int, min_insync_replicas: int
    ) -> BrokerPartitions | None:
        """Keeps a topic with one partition led by every broker; None: the embedded cluster, where
        the topic is made at once and led so, and no broker ever comes."""
        if self._embedded is None:
            return BrokerPartitions(self.connection, topic, replication_factor, min_insync_replicas)
        brokers = self._embedded.broker_ids
        self._embedded.create_topic(topic, len(brokers), min(replication_factor, len(brokers)))
        for partition, broker in enumerate(brokers):
            self._embedded.set_partition_leader(topic, partition, broker)
        return None

    def forbid_topic(self, name: str) -> None:
        """Make sure that an embedded cluster, which creates any topic, does not have this one."""
        if self._embedded is not None:
            self._embedded.set_topic_error(name, KafkaError.UNKNOWN_TOPIC_OR_PART)

    def topic_ids(self, names: Sequence[str]) -> Mapping[str, str]:
        """Ids of topics; empty where the cluster does not tell them."""
        return {} if self._embedded else topic_ids(self._client(), names)

    def offset_bounds(
        self, partitions: Collection[tuple[str, int]]
    ) -> dict[tuple[str, int], tuple[int, int]]:
        """First offset and the one behind the last of partitions, as far as they are told."""
        return offset_bounds(self._client(), partitions)

    def topic_settings(self, names: Sequence[str]) -> dict[str, dict[str, str]]:
        """Size, retention and durability settings by topic; empty where they are not told."""
        return {} if self._embedded else topic_configs(self._client(), names)

    def settings_seen(self, names: Sequence[str]) -> dict[str, dict[str, str]]:
        """Like :meth:`topic_settings`, up to 30 s old, or as old as the last answer there was."""
        if self._embedded is not None:
            return {}
        now_s, wanted = time.monotonic(), frozenset(names)
        if self._settings_read is None or not (
            now_s - self._settings_read[0] < SETTINGS_EVERY_S and self._settings_read[1] == wanted
        ):
            found = topic_configs(self._client(), names)
            # Where nobody answers just now, what was told last is worth more than nothing.
            self._settings_seen = {
                name: found.get(name) or self._settings_seen[name]
                for name in names
                if name in found or name in self._settings_seen
            }
            self._settings_read = (now_s, wanted)
        return self._settings_seen

    def min_insync_replicas(self, names: Sequence[str]) -> dict[str, int]:
        """``min.insync.replicas`` of topics, as far as the cluster tells it; up to 30 s old."""
        return {
            name: int(settings["min.insync.replicas"])
            for name, settings in self.settings_seen(names).items()
            if settings.get("min.insync.replicas", "").isdigit()
        }

    def controller(self, view: ClusterView) -> int | None:
        """The active controller where it can be learnt; a KRaft broker's metadata names any."""
        protocol = str(self.connection.get("security.protocol", "plaintext")).lower()
        if self._embedded is not None or protocol != "plaintext":
            return None
        addresses = [(broker.host, broker.port) for broker in view.brokers]
        quorum = describe_quorum(addresses[:CONTROLLER_ASKED], CONTROLLER_TIMEOUT_S)
        return None if quorum is None else quorum.leader

    @property
    def keeps_transactions(self) -> bool:
        """Whether it keeps offsets that were committed in a transaction: the embedded one accepts
        transactions and forgets them."""
        return self._embedded is None

    def topic_sizes(self, names: Sequence[str]) -> dict[str, tuple[int, int | None]]:
        """``{topic: (partitions, max.message.bytes or None where that is not told)}`` of those of
        these topics that are there.

        Raises:
            ClusterUnreachable: no broker answered.
        """
        view = self.view()
        topics = [found for name in names if (found := view.topic(name)) and not found.error]
        limits = (
            {}
            if self._embedded is not None
            else topic_configs(self._client(), [topic.name for topic in topics])
        )
        return {
            topic.name: (
                len(topic.partitions),
                int(limits[topic.name]["max.message.bytes"])
                if "max.message.bytes" in limits.get(topic.name, {})
                else None,
            )
            for topic in topics
        }

    def groups_reading(self, names: Sequence[str]) -> dict[str, list[str]] | None:
        """Consumer groups that have committed offsets on these topics; None: it does not tell."""
        return None if self._embedded is not None else groups_reading(self._client(), names)

    def _client(self) -> Admin:
        """The one admin client: a cluster is looked at every other second."""
        if self._admin is None:
            self._admin = Admin(self.connection)
        return self._admin

    def watermarks(self, topic: str) -> dict[int, tuple[int, int]] | None:
        """``{partition: (low, high)}`` of a topic, or None if it cannot be learnt now."""
        for attempt in range(WATERMARK_ATTEMPTS):
            try:
                return self._watermarks(topic)
            except (KafkaException, KeyError, TypeError) as error:
                # A topic made a moment ago is not known to every broker yet. TypeError:
                # confluent-kafka answers None when the broker does not in time.
                log.info("watermarks of %s are not to be had: %s", topic, error)
                if attempt + 1 < WATERMARK_ATTEMPTS:
                    time.sleep(0.5)
        return None

    def _watermarks(self, topic: str) -> dict[int, tuple[int, int]]:
        with self._lock:
            if self._metadata_consumer is None:
                self._metadata_consumer = Consumer(
                    {
                        **self.connection,
                        "group.id": "ackboard-watermarks",
                        "enable.auto.commit": False,
                        "error_cb": lambda error: log.debug("watermarks: %s", error),
                    }
                )
            consumer = self._metadata_consumer
            found = consumer.list_topics(topic, timeout=3.0).topics[topic]
            if found.error is not None:
                raise KafkaException(found.error)
            marks: dict[int, tuple[int, int]] = {}
            for partition in found.partitions:
                low, high = consumer.get_watermark_offsets(
                    TopicPartition(topic, partition), timeout=3.0
                )
                marks[partition] = (low, high)
            return marks

    def describe_faults(self) -> dict[str, Any]:
        """The fault catalogue and what is in force, as the fact ``faults``."""
        if self.lab_faults is not None:
            return self.lab_faults.describe()
        if self.faults is None:
            return {"available": [], "active": [], "unavailable_because": self._no_faults}
        return {
            "available": [
                {
                    "kind": kind.value,
                    "title": fault.title,
                    "effect": fault.effect,
                    "expected_code": KafkaError(fault.expected_code).name(),
                    "needs_topic": fault.needs_topic,
                    "needs_node": False,
                }
                for kind, fault in FAULTS.items()
            ],
            "active": [asdict(active) for active in self.faults.active()],
            "unavailable_because": None,
        }


def _lab_faults(settings: Settings) -> tuple[LabFaultInjector | None, str]:
    """What injects faults into the lab, or why nothing does."""
    if settings.is_embedded or settings.cluster_kind != "lab":
        return None, "Faults are injected into the embedded cluster and the lab only."
    folder = settings.lab_folder
    try:
        lab = Lab(folder)
        theirs = set(lab.status().bootstrap_servers.split(","))
    except LabError as error:
        return None, f"Faults cannot be injected: {error}"
    if theirs != {address.strip() for address in str(settings.bootstrap_servers).split(",")}:
        return None, (
            f"Faults cannot be injected: the nodes in {folder} are not those at "
            f"{settings.bootstrap_servers}. Set ACKBOARD_LAB_HOME to the lab's folder."
        )
    return LabFaultInjector(lab, TopicRestraint(settings.connection())), ""
