"""What the database knows about a topic: history, profiles, failures, and one record's life."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sqlite_utils import Database

from producer_agent.advice.diagnosis.live_facts import ClientFacts, RecordFacts
from producer_agent.delivery.profiles import Profile, ProfileInvalid
from producer_agent.kafka.cluster_view import ClusterView, PartitionView, TopicView
from producer_agent.store import facts, profiles
from producer_agent.store.queries import client_statistics, failed_events
from producer_agent.store.queries import cluster_changes as history
from producer_agent.store.queries.client_statistics import ClientSeen
from producer_agent.store.queries.cluster_changes import ChangeRow
from producer_agent.store.queries.failed_events import FailedEvent, TopicFailures, Traffic

LATELY_US = 60_000_000
"""How far back failures count as present ones."""

SAMPLE_US = 600_000_000
"""How far back the newest failure of a cause is looked for, to look at closely."""

BEFORE_US = 300_000_000
"""How far before a record's life its client's statistics are what is usual."""

CHANGES_US = 86_400_000_000
MOST_CHANGES = 100

_OF_ITS_LIFE = frozenset(
    {
        "broker_joined",
        "broker_left",
        "cluster_reachable",
        "cluster_unreachable",
        "controller_changed",
        "isr_grew",
        "isr_shrank",
        "leaders_changed",
        "setting_changed",
    }
)


@dataclass(frozen=True, slots=True)
class Recorded:
    """What is known without asking anybody."""

    addresses: Mapping[int, str]
    """``host:port`` of brokers as last seen, by id."""
    last_seen_us: Mapping[int, int]
    """When the agent's last look was, of each broker that it saw alive."""
    last_view: ClusterView | None
    """The topic as last seen, without brokers."""
    last_view_us: int | None
    changes: tuple[ChangeRow, ...]
    watched_since_us: int | None
    clients: tuple[ClientFacts, ...]
    failures: TopicFailures | None
    traffic: Traffic | None
    seen: Mapping[str, ClientSeen]
    """Statistics of those clients lately, by profile."""
    faults: tuple[Mapping[str, Any], ...]
    record: RecordFacts | None


def recorded_facts(
    db: Database, topic: str, at_us: int, cause: str | None, event: tuple[str, int] | None
) -> Recorded:
    """Read it, on one snapshot.

    Args:
        cause: The code asked about; its newest failure is the record, unless ``event`` says which.
    """
    cluster = facts.get(db, "cluster")
    body = cluster.body if cluster is not None else {}
    brokers = {broker["id"]: f"{broker['host']}:{broker['port']}" for broker in _brokers(body)}
    changes = history.changes(db, since_us=at_us - CHANGES_US, topic=topic, limit=MOST_CHANGES)
    alive_us = dict.fromkeys(brokers, cluster.at_us) if cluster is not None else {}
    for row in changes:
        if row.kind == "broker_left" and row.broker is not None and "address" in row.detail:
            brokers.setdefault(row.broker, str(row.detail["address"]))
    sending = _senders(db, topic)
    faults = facts.get(db, "faults")
    last_us, last_view = _last_view(db, topic, at_us)
    return Recorded(
        addresses=brokers,
        last_seen_us=alive_us,
        last_view=last_view,
        last_view_us=last_us,
        changes=changes,
        watched_since_us=history.watched_since(db),
        clients=tuple(sending),
        failures=failed_events.recent_failures(db, at_us - LATELY_US).get(topic),
        traffic=failed_events.traffic(
            db, [client.profile for client in sending], at_us - LATELY_US, at_us
        )
        if sending
        else None,
        seen=_seen_lately(db, sending, at_us),
        faults=tuple(faults.body["active"]) if faults is not None else (),
        record=_record(db, topic, at_us, cause, event),
    )


def client_of(body: str, rate: float | None = None) -> ClientFacts | None:
    """A profile's settings as far as they matter here; None: the text is no profile's."""
    try:
        profile = Profile.from_json(body)
    except ProfileInvalid:
        return None
    settings, workload = profile.producer, profile.workload
    user = settings.extra.get("sasl.username")
    return ClientFacts(
        profile=profile.name,
        acks=profile.acks_label,
        idempotence=settings.idempotence,
        delivery_timeout_ms=settings.delivery_timeout_ms,
        request_timeout_ms=settings.request_timeout_ms,
        retries=settings.retries,
        linger_ms=settings.linger_ms,
        message_max_bytes=settings.message_max_bytes,
        batch_size=settings.batch_size,
        queue_max_messages=settings.queue_max_messages,
        rate_per_s=rate if rate is not None else workload.rate_per_s,
        payload_bytes=workload.payload_bytes,
        partitions=workload.partitions,
        min_insync_replicas=workload.min_insync_replicas,
        replication_factor=workload.replication_factor,
        principal=f"User:{user}" if user else None,
    )


def _senders(db: Database, topic: str) -> list[ClientFacts]:
    found = []
    for row in profiles.all_profiles(db):
        client = client_of(row.body, row.rate)
        if client is not None and Profile.from_json(row.body).workload.topic == topic:
            found.append(client)
    return found


def _seen_lately(db: Database, sending: list[ClientFacts], at_us: int) -> dict[str, ClientSeen]:
    found = {
        client.profile: client_statistics.seen_of_profile(
            db, client.profile, at_us - LATELY_US, at_us
        )
        for client in sending
    }
    return {profile: seen for profile, seen in found.items() if seen is not None}


def _record(
    db: Database, topic: str, at_us: int, cause: str | None, event: tuple[str, int] | None
) -> RecordFacts | None:
    if event is not None:
        failed = failed_events.failed_event(db, *event)
    elif cause is not None:
        failed = failed_events.last_failed_event(db, topic, at_us - SAMPLE_US, cause)
    else:
        failed = None
    return None if failed is None else record_facts(db, failed)


def record_facts(db: Database, event: FailedEvent) -> RecordFacts:
    """A failed event with what was seen in its life."""
    sent_us = event.sent_us if event.sent_us is not None else event.settled_us
    states = (
        history.states_between(db, event.topic, event.partition, sent_us, event.settled_us)
        if event.partition is not None
        else ()
    )
    # What a look saw happened before it: one that came a little after the outcome counts as well.
    changes = [
        row
        for row in history.changes(
            db,
            since_us=sent_us,
            until_us=event.settled_us + LOOK_US,
            topic=event.topic,
            limit=MOST_CHANGES,
        )
        if row.kind in _OF_ITS_LIFE and (row.after_us is None or row.after_us <= event.settled_us)
    ]
    began_us = history.watch_began_before(db, event.settled_us)
    seen = client_statistics.seen_by_client(db, event.run_uuid, sent_us, event.settled_us)
    before_us = sent_us if seen is None else seen.since_us
    return RecordFacts(
        event=event,
        client=client_of(event.profile_body),
        size=failed_events.event_size(db, event.run_uuid, event.sequence),
        states=states,
        changes=tuple(reversed(changes)),
        watched=began_us is not None and began_us <= sent_us,
        traffic=failed_events.traffic(db, [event.profile], sent_us, event.settled_us),
        seen=seen,
        seen_before=client_statistics.seen_by_client(
            db, event.run_uuid, before_us - BEFORE_US, before_us - 1
        ),
    )


LOOK_US = 10_000_000
"""Two looks at the cluster are at most so far apart, also when brokers are down."""


def _last_view(db: Database, topic: str, at_us: int) -> tuple[int | None, ClusterView | None]:
    states = [then for then in history.topic_states(db, topic, at_us, at_us) if then.state.replicas]
    if not states:
        return None, None
    view = TopicView(
        topic,
        tuple(
            PartitionView(
                then.state.partition, then.state.leader, then.state.replicas, then.state.isrs
            )
            for then in states
        ),
        internal=False,
    )
    return max(then.at_us for then in states), ClusterView(None, None, (), (view,))


def _brokers(body: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    return list(body.get("brokers", ()))
