"""A cluster as its metadata shows it: brokers, topics, partitions.

`cluster_view` asks for metadata only, which every cluster serves, the embedded one too. What
needs more of the admin protocol (`topic_ids`, `topic_configs`) answers with what could be learnt
and leaves out the rest.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from confluent_kafka import KafkaException, TopicCollection
from confluent_kafka.admin._config import ConfigResource
from confluent_kafka.admin._metadata import ClusterMetadata
from confluent_kafka.admin._resource import ResourceType

from producer_agent.kafka.admin import Admin, ClusterUnreachable

log = logging.getLogger(__name__)

_READ_CONFIGS: Final = (
    "min.insync.replicas",
    "max.message.bytes",
    "retention.ms",
    "retention.bytes",
    "cleanup.policy",
    "message.timestamp.type",
)
_EMBEDDED_CLUSTER_ID: Final = "mockCluster"  # how librdkafka's mock begins its cluster ids
_INTERNAL_PREFIX: Final = "__"  # metadata does not tell, so by the name, as Kafka's own are named


@dataclass(frozen=True, slots=True)
class PartitionView:
    """One partition: its leader (None while there is none), replicas and in-sync replicas."""

    id: int
    leader: int | None
    replicas: tuple[int, ...]
    isrs: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class TopicView:
    """One topic. `error` is the code's name where the cluster answers with an error for it."""

    name: str
    partitions: tuple[PartitionView, ...]
    internal: bool
    error: str | None = None

    @property
    def has_leaders(self) -> bool:
        """Whether every partition can be produced to."""
        return bool(self.partitions) and all(p.leader is not None for p in self.partitions)


@dataclass(frozen=True, slots=True)
class BrokerView:
    """One live broker and the address it advertises."""

    id: int
    host: str
    port: int


@dataclass(frozen=True, slots=True)
class ClusterView:
    """A cluster at one moment; brokers by id, topics by name, partitions by id."""

    cluster_id: str | None
    controller_id: int | None
    brokers: tuple[BrokerView, ...]
    topics: tuple[TopicView, ...]

    @property
    def embedded(self) -> bool:
        """Whether this is librdkafka's mock cluster, which serves only part of the protocol."""
        return (self.cluster_id or "").startswith(_EMBEDDED_CLUSTER_ID)

    def topic(self, name: str) -> TopicView | None:
        """The topic of this name, None where there is none (or none that we may see)."""
        return next((topic for topic in self.topics if topic.name == name), None)


def cluster_view(client: Mapping[str, Any] | Admin, timeout_s: float = 3.0) -> ClusterView:
    """The cluster's brokers and topics, from metadata alone.

    Raises:
        ClusterUnreachable: no broker answered within `timeout_s`, or the settings make no client.
    """
    return view_of(Admin.of(client).metadata(timeout_s))


def topic_ids(
    client: Mapping[str, Any] | Admin, names: Iterable[str], timeout_s: float = 3.0
) -> dict[str, str]:
    """The id of each topic, by name: it changes when a topic is deleted and made anew.

    Best effort: a topic that is not there, that we may not describe, or whose cluster does not
    serve this (the embedded one, brokers before 2.8) or does not answer is left out.
    """
    wanted = sorted(set(names))
    admin = _full_admin(client, timeout_s) if wanted else None
    if admin is None:
        return {}
    futures = admin.client.describe_topics(TopicCollection(wanted), request_timeout=timeout_s)
    ids: dict[str, str] = {}
    for name, future in futures.items():
        try:
            ids[name] = str(future.result().topic_id)
        except KafkaException as error:
            log.debug("no topic id of %s: %s", name, error)
    return ids


def topic_configs(
    client: Mapping[str, Any] | Admin, names: Iterable[str], timeout_s: float = 3.0
) -> dict[str, dict[str, str]]:
    """Size, retention and durability settings of each topic, by name.

    Values are the broker's own text, those in force whether set on the topic or inherited.
    Best effort, as `topic_ids`.
    """
    wanted = sorted(set(names))
    admin = _full_admin(client, timeout_s) if wanted else None
    if admin is None:
        return {}
    resources = [ConfigResource(ResourceType.TOPIC, name) for name in wanted]
    futures = admin.client.describe_configs(resources, request_timeout=timeout_s)
    configs: dict[str, dict[str, str]] = {}
    for resource, future in futures.items():
        try:
            entries = future.result()
        except KafkaException as error:
            log.debug("no settings of %s: %s", resource.name, error)
            continue
        configs[resource.name] = {
            name: str(entries[name].value) for name in _READ_CONFIGS if name in entries
        }
    return configs


def view_of(metadata: ClusterMetadata) -> ClusterView:
    """`confluent_kafka`'s metadata as a frozen view."""
    return ClusterView(
        cluster_id=metadata.cluster_id,
        controller_id=_none_if_negative(metadata.controller_id),
        brokers=tuple(
            BrokerView(id=broker.id, host=str(broker.host), port=int(broker.port))
            for _, broker in sorted(metadata.brokers.items())
        ),
        topics=tuple(
            TopicView(
                name=name,
                partitions=tuple(
                    PartitionView(
                        id=partition.id,
                        leader=_none_if_negative(partition.leader),
                        replicas=tuple(partition.replicas),
                        isrs=tuple(partition.isrs),
                    )
                    for _, partition in sorted(topic.partitions.items())
                ),
                internal=name.startswith(_INTERNAL_PREFIX),
                error=None if topic.error is None else topic.error.name(),
            )
            for name, topic in sorted(metadata.topics.items())
        ),
    )


def _none_if_negative(broker: int) -> int | None:
    return None if broker < 0 else broker


def _full_admin(client: Mapping[str, Any] | Admin, timeout_s: float) -> Admin | None:
    """A client of a cluster that answers and serves the whole admin protocol, else None.

    The embedded cluster would let each further request run into its time-out.
    """
    try:
        admin = Admin.of(client)
        embedded = view_of(admin.metadata(timeout_s)).embedded
    except ClusterUnreachable as error:
        log.debug("%s", error)
        return None
    return None if embedded else admin
