"""All that a diagnosis is made from: what brokers said just now, and what was recorded before.

Everything that could not be learnt is None, and the diagnosis says so.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from producer_agent.kafka.cluster_view import ClusterView, PartitionView, TopicView
from producer_agent.kafka.described_settings import Setting
from producer_agent.kafka.permissions import Permissions
from producer_agent.store.queries.client_statistics import ClientSeen
from producer_agent.store.queries.cluster_changes import ChangeRow, StateThen
from producer_agent.store.queries.failed_events import FailedEvent, TopicFailures, Traffic


@dataclass(frozen=True, slots=True)
class BrokerFacts:
    """One broker that matters to the topic."""

    id: int
    address: str | None
    """``host:port`` it advertises, or did when it was last seen."""
    listed: bool
    """Whether the cluster's metadata counts it as alive."""
    answers: bool | None
    """Whether it answered a request just now; None: it was not asked."""
    error: str | None = None
    """Why it did not."""
    port: str | None = None
    """Of one that is not listed: what its port does, see ``described_settings.port_state``."""
    left: ChangeRow | None = None
    """Its departure, where the history has it."""
    last_seen_us: int | None = None
    """When the agent's last look still saw it, where that is not in the history yet."""
    settings: Mapping[str, Setting] | None = None


@dataclass(frozen=True, slots=True)
class ClientFacts:
    """A profile that sends to the topic, as it runs."""

    profile: str
    acks: str
    """``0``, ``1`` or ``all``."""
    idempotence: bool
    delivery_timeout_ms: int
    request_timeout_ms: int
    retries: int
    linger_ms: float
    message_max_bytes: int
    batch_size: int
    queue_max_messages: int
    rate_per_s: float
    payload_bytes: int
    partitions: int
    min_insync_replicas: int
    """What its workload asks of the topic."""
    replication_factor: int
    principal: str | None = None
    """Of its own settings, where they name one."""


@dataclass(frozen=True, slots=True)
class RecordFacts:
    """One failed record, and what was seen during its life."""

    event: FailedEvent
    client: ClientFacts | None
    """Of its run's frozen profile."""
    size: int | None
    """Bytes of key, value and headers, where the record is still kept."""
    states: tuple[StateThen, ...]
    """Of its partition, that at its beginning first; empty: no partition, or not watched then."""
    changes: tuple[ChangeRow, ...]
    """Of the cluster, its brokers and its topic between sending and outcome; the oldest first."""
    watched: bool
    """Whether the cluster was watched all that time."""
    traffic: Traffic | None
    """Of its profile in that time."""
    seen: ClientSeen | None = None
    """Its client's statistics of that time; None: none are kept, or not yet told."""
    seen_before: ClientSeen | None = None
    """Those of the minutes before, for comparison."""

    @property
    def event_acks(self) -> str | None:
        """``0``, ``1`` or ``all``; None: its profile is not known."""
        return None if self.client is None else self.client.acks

    @property
    def late_polls(self) -> int:
        """In its life, as far as counted."""
        return 0 if self.traffic is None else self.traffic.late_polls


@dataclass(frozen=True, slots=True)
class LiveFacts:
    """What is known of one topic at one moment."""

    topic: str
    at_us: int
    kind: str
    """``embedded``, ``lab`` or ``real``."""
    bootstrap_servers: str
    secured: bool
    """Whether its clients need more than the address, so that commands do too."""
    principal: str | None
    """Who we are to the brokers, see ``permissions.principal_of``."""
    view: ClusterView | None
    """Metadata; None: no broker answered and none was seen before."""
    view_us: int | None
    """When that was so: ``at_us``, or earlier where no broker answers now."""
    unreachable: str | None
    """Why no broker answered; None: one did."""
    brokers: tuple[BrokerFacts, ...] = ()
    settings: Mapping[str, Setting] | None = None
    """Of the topic; None: not told."""
    settings_error: str | None = None
    permissions: Permissions | None = None
    """None: not asked for."""
    changes: tuple[ChangeRow, ...] = ()
    """That concern the topic, the newest first."""
    watched_since_us: int | None = None
    clients: tuple[ClientFacts, ...] = ()
    """Profiles that send to it."""
    failures: TopicFailures | None = None
    """Lately, by cause; None: none."""
    traffic: Traffic | None = None
    """Of those profiles in the same time."""
    seen: Mapping[str, ClientSeen] = field(default_factory=dict)
    """Statistics of their clients in the same time, by profile, where there are any."""
    faults: tuple[Mapping[str, Any], ...] = ()
    """Injected ones in force, as in the fact ``faults``."""
    record: RecordFacts | None = None
    lab_home: str | None = None
    """Folder of the lab whose nodes these are; None: it is no lab, or not known."""

    @property
    def topic_view(self) -> TopicView | None:
        """The topic's metadata; None: the cluster has none that we may see."""
        return None if self.view is None else self.view.topic(self.topic)

    @property
    def partitions(self) -> tuple[PartitionView, ...]:
        """Of the topic; none where it is not there or answered for with an error."""
        found = self.topic_view
        return () if found is None else found.partitions

    @property
    def min_insync_replicas(self) -> int | None:
        """In force on the topic; None: not told."""
        setting = (self.settings or {}).get("min.insync.replicas")
        return int(setting.value) if setting is not None and setting.value.isdigit() else None

    def broker(self, number: int) -> BrokerFacts | None:
        """What is known of one broker."""
        return next((broker for broker in self.brokers if broker.id == number), None)
