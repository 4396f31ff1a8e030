"""Live facts for tests: a whole topic on three brokers, changed where a case says so."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from producer_agent.advice.diagnosis.live_facts import (
    BrokerFacts,
    ClientFacts,
    LiveFacts,
    RecordFacts,
)
from producer_agent.kafka.cluster_view import BrokerView, ClusterView, PartitionView, TopicView
from producer_agent.kafka.described_settings import Setting
from producer_agent.kafka.permissions import Acl, Permissions
from producer_agent.store.cluster_changes import PartitionState
from producer_agent.store.queries.client_statistics import BrokerSeen, ClientSeen, Stage
from producer_agent.store.queries.cluster_changes import ChangeRow, StateThen
from producer_agent.store.queries.failed_events import FailedEvent, TopicFailures, Traffic

NOW_US = 1_764_000_000_000_000
"""2025-11-24 16:00:00 UTC."""

ADDRESS = "10.0.0.1:9092,10.0.0.2:9092"
ALL = (1, 2, 3)
EVERYTHING = frozenset({"WRITE", "READ", "DESCRIBE"})

Partition = tuple[int | None, tuple[int, ...]]


def ago(seconds: float) -> int:
    return NOW_US - round(seconds * 1e6)


def view(
    *partitions: Partition,
    brokers: tuple[int, ...] = ALL,
    error: str | None = None,
    others: tuple[str, ...] = (),
    replicas: tuple[int, ...] = ALL,
) -> ClusterView:
    topic = TopicView(
        "orders",
        tuple(
            PartitionView(i, leader, replicas, isrs) for i, (leader, isrs) in enumerate(partitions)
        ),
        False,
        error,
    )
    rest = tuple(TopicView(name, (), False) for name in others)
    found = (topic, *rest) if partitions or error else rest
    return ClusterView("c", None, tuple(BrokerView(b, f"10.0.0.{b}", 9092) for b in brokers), found)


def brokers(*listed: int, silent: tuple[int, ...] = (), **of: Mapping[int, Any]) -> Any:
    """All three brokers; ``of`` gives further fields by broker, such as ``left={2: change}``."""
    settings = {
        "message.max.bytes": Setting("1048588", "Kafka's default"),
        "replica.fetch.max.bytes": Setting("1048576", "Kafka's default"),
        "auto.create.topics.enable": Setting("false", "in the broker's file"),
    }
    return tuple(
        BrokerFacts(
            id=b,
            address=f"10.0.0.{b}:9092",
            listed=b in listed,
            answers=None if b not in listed else b not in silent,
            settings=settings if b in listed and b not in silent else None,
            **{name: values[b] for name, values in of.items() if b in values},
        )
        for b in ALL
    )


def change(kind: str, at_us: int, **fields: Any) -> ChangeRow:
    return ChangeRow(
        1,
        at_us,
        at_us - 2_000_000,
        kind,
        fields.get("broker"),
        fields.get("topic"),
        fields.get("partitions"),
        fields.get("detail", {}),
    )


def client(**changes: Any) -> ClientFacts:
    settings: dict[str, Any] = {
        "profile": "critical",
        "acks": "all",
        "idempotence": True,
        "delivery_timeout_ms": 30_000,
        "request_timeout_ms": 10_000,
        "retries": 2_147_483_647,
        "linger_ms": 5.0,
        "message_max_bytes": 8_192,
        "batch_size": 8_192,
        "queue_max_messages": 100_000,
        "rate_per_s": 60.0,
        "payload_bytes": 400,
        "partitions": 6,
        "min_insync_replicas": 2,
        "replication_factor": 3,
    }
    return ClientFacts(**{**settings, **changes})


def permitted(
    allowed: frozenset[str] | None = EVERYTHING, acls: tuple[Acl, ...] | None = ()
) -> Permissions:
    return Permissions(allowed, allowed, acls, None if acls is not None else "not allowed")


def live(**changes: Any) -> LiveFacts:
    """A healthy topic ``orders`` with three partitions, min.insync.replicas 2."""
    facts: dict[str, Any] = {
        "topic": "orders",
        "at_us": NOW_US,
        "kind": "real",
        "bootstrap_servers": ADDRESS,
        "secured": False,
        "principal": "User:ANONYMOUS",
        "view": view((1, ALL), (2, ALL), (3, ALL)),
        "view_us": NOW_US,
        "unreachable": None,
        "brokers": brokers(1, 2, 3),
        "settings": topic_settings(),
        "permissions": permitted(),
        "watched_since_us": ago(3600),
        "clients": (client(),),
    }
    return LiveFacts(**{**facts, **changes})


def topic_settings(least: int = 2, limit: int = 1_048_588, source: str = "Kafka's default") -> Any:
    return {
        "min.insync.replicas": Setting(str(least), "set on the topic"),
        "max.message.bytes": Setting(str(limit), source),
        "segment.bytes": Setting("1073741824", "Kafka's default"),
    }


def cause(name: str, count: int, stored: str = "no") -> dict[str, Any]:
    return {
        "cause": name,
        "count": count,
        "first_us": ago(29),
        "last_us": ago(1),
        "stored": stored,
    }


def record(
    *causes: dict[str, Any],
    states: tuple[tuple[float, Partition], ...] = ((3000, (1, ALL)),),
    changes: tuple[ChangeRow, ...] = (),
    traffic: tuple[int, int, int, int] = (1_000, 0, 0, 0),
    of: ClientFacts | None = None,
    size: int | None = 400,
    watched: bool = True,
    waited_s: float = 30.0,
    seen: ClientSeen | None = None,
    seen_before: ClientSeen | None = None,
    **event: Any,
) -> RecordFacts:
    """A record that timed out after 30 s; ``states`` are ``(seconds ago, (leader, in sync))`` and
    ``traffic`` acknowledged, failed, queue full and late polls in its time."""
    attempts = {
        "causes": list(causes),
        "never_sent": not causes,
        "connection": event.pop("connection", None),
        "exact": True,
    }
    fields: dict[str, Any] = {
        "run_uuid": "ab" * 16,
        "sequence": 7,
        "profile": "critical",
        "profile_body": "{}",
        "outcome": "failed",
        "topic": "orders",
        "partition": 0,
        "code": "_MSG_TIMED_OUT",
        "reason": "Local: Message timed out",
        "stored": "maybe",
        "sent_us": ago(waited_s),
        "settled_us": NOW_US,
        "attempts": attempts,
    }
    acknowledged, failed, full, late = traffic
    return RecordFacts(
        event=FailedEvent(**{**fields, **event}),
        client=of if of is not None else client(),
        size=size,
        states=tuple(
            StateThen(ago(seconds), PartitionState("orders", 0, leader, isrs, ALL))
            for seconds, (leader, isrs) in states
        ),
        changes=changes,
        watched=watched,
        traffic=Traffic(ago(waited_s), NOW_US, acknowledged, 0, failed, 0, full, 0, late),
        seen=seen,
        seen_before=seen_before,
    )


def stage(n: int, each: int) -> Stage:
    """``n`` durations of which each took so long."""
    return Stage(n, n * each, each)


def broker_seen(number: int, **changes: Any) -> BrokerSeen:
    """A broker that answered 100 requests of 1,000 events in 10 ms each."""
    fields: dict[str, Any] = {
        "broker": number,
        "states": ("UP",),
        "queue": stage(1_000, 6_000),
        "send": stage(100, 90),
        "trip": stage(100, 10_000),
        "throttle": stage(100, 0),
        "requests": 100,
        "unanswered": 0,
        "timeouts": 0,
        "errors": 0,
        "disconnects": 0,
    }
    return BrokerSeen(**{**fields, **changes})


def seen_by_client(
    *brokers: BrokerSeen, fill: float = 0.01, produced: int = 1_000, transmitted: int = 1_000
) -> ClientSeen:
    """A client's statistics over the last half minute."""
    return ClientSeen(ago(32), NOW_US, 7, 900, fill, produced, transmitted, brokers)


def failures(code: str, n: int, last_ago_s: float) -> TopicFailures:
    last_us = ago(last_ago_s)
    return TopicFailures("orders", ago(60), {code: n}, last_us, {code: last_us})


def deny(principal: str = "User:ANONYMOUS") -> Acl:
    return Acl("DENY", "WRITE", principal, "*", "TOPIC", "orders", "LITERAL")
