"""Gathers the live facts of topics: the one place where the diagnosis speaks to Kafka.

Brokers are down or hang while it is asked, so each question has a short time-out, all that can be
asked at once is, and what was not answered is left open. Never longer than
:data:`VIEW_S` + :data:`ASK_S` and a little, however many topics.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from producer_agent.advice.diagnosis.live_facts import BrokerFacts, LiveFacts
from producer_agent.advice.diagnosis.recorded_facts import Recorded, recorded_facts
from producer_agent.kafka.admin import ClusterUnreachable
from producer_agent.kafka.cluster_view import ClusterView
from producer_agent.kafka.described_settings import Described, describe, port_state
from producer_agent.kafka.first_view import first_view
from producer_agent.kafka.permissions import Permissions, permissions, principal_of
from producer_agent.store.clock import now_us
from producer_agent.store.queries import cluster_changes as history
from producer_agent.store.queries.cluster_changes import ChangeRow
from producer_agent.store.reader import Reader

VIEW_S = 1.5
ASK_S = 1.5
MOST_BROKERS = 12
"""Brokers that are asked; topics of more are judged by the metadata."""


@dataclass(frozen=True, slots=True)
class Question:
    """What is asked about."""

    topic: str
    cause: str | None = None
    """The code that is asked about: the newest failure of it is looked at closely."""
    event: tuple[str, int] | None = None
    """``(run, sequence)`` of the failure to look at instead."""


@dataclass(frozen=True, slots=True)
class _Answers:
    view: ClusterView | None = None
    unreachable: str | None = None
    described: Described = field(default_factory=lambda: Described({}, {}))
    permissions: Mapping[str, Permissions] = field(default_factory=dict)
    ports: Mapping[int, str] = field(default_factory=dict)


class FactsGatherer:
    """Asks brokers and reads the database.

    Args:
        connection: librdkafka properties that reach the cluster; may hold secrets.
        kind: ``embedded``, ``lab`` or ``real``.
        reader: The database.
        lab_home: The lab's folder where the cluster is one.
    """

    def __init__(
        self,
        connection: Mapping[str, Any],
        kind: str,
        reader: Reader,
        lab_home: str | None = None,
    ) -> None:
        self._connection = connection
        self._kind = kind
        self._reader = reader
        self._lab_home = lab_home

    def gather(self, questions: Sequence[Question]) -> list[LiveFacts]:
        """Everything about these topics now, in their order; the brokers are asked once for all.

        Raises:
            StoreError: the database cannot be read.
        """
        at_us = now_us()
        recorded = [
            self._reader(
                partial(
                    recorded_facts,
                    topic=asked.topic,
                    at_us=at_us,
                    cause=asked.cause,
                    event=asked.event,
                )
            )
            for asked in questions
        ]
        addresses = {broker: at for known in recorded for broker, at in known.addresses.items()}
        answers = self._ask([asked.topic for asked in questions], addresses)
        return [
            self._facts(asked.topic, at_us, answers, known)
            for asked, known in zip(questions, recorded, strict=True)
        ]

    def _facts(self, topic: str, at_us: int, answers: _Answers, recorded: Recorded) -> LiveFacts:
        view, view_us = answers.view, at_us
        if view is None:
            view, view_us = recorded.last_view, recorded.last_view_us or at_us
        told = answers.described.topics.get(topic)
        protocol = str(self._connection.get("security.protocol", "plaintext")).lower()
        return LiveFacts(
            topic=topic,
            at_us=at_us,
            kind=self._kind,
            bootstrap_servers=str(self._connection["bootstrap.servers"]),
            secured=protocol != "plaintext",
            principal=principal_of(self._connection),
            view=view,
            view_us=view_us if view is not None else None,
            unreachable=answers.unreachable,
            brokers=self._brokers(topic, view, answers, recorded),
            settings=told.settings if told is not None else None,
            settings_error=told.error if told is not None else None,
            permissions=answers.permissions.get(topic),
            changes=recorded.changes,
            watched_since_us=recorded.watched_since_us,
            clients=recorded.clients,
            failures=recorded.failures,
            traffic=recorded.traffic,
            seen=recorded.seen,
            faults=recorded.faults,
            record=recorded.record,
            lab_home=self._lab_home,
        )

    def _ask(self, topics: Sequence[str], addresses: Mapping[int, str]) -> _Answers:
        bootstrap = str(self._connection["bootstrap.servers"]).split(",")
        try:
            admin, view = first_view(self._connection, [*addresses.values(), *bootstrap], VIEW_S)
        except ClusterUnreachable as error:
            known = dict(list(addresses.items())[:MOST_BROKERS])
            with ThreadPoolExecutor(MOST_BROKERS, "diagnosis") as pool:
                ports = dict(zip(known, pool.map(port_state, known.values()), strict=True))
            return _Answers(unreachable=str(error), ports=ports)
        if view.embedded:
            # It serves no more than metadata: every other request would wait for its time-out.
            return _Answers(view)
        listed = {broker.id for broker in view.brokers}
        needed = sorted({broker for topic in topics for broker in _replicas(view, topic)})
        absent = {b: addresses[b] for b in needed if b not in listed and b in addresses}
        there = [t for t in topics if (found := view.topic(t)) is not None and not found.error]
        asked = [broker for broker in (needed or sorted(listed)) if broker in listed]
        with ThreadPoolExecutor(len(topics) + len(absent), "diagnosis") as pool:
            ports_found = pool.map(port_state, absent.values())
            allowed = {topic: pool.submit(permissions, admin, topic, ASK_S) for topic in topics}
            described = describe(admin, there, asked[:MOST_BROKERS], ASK_S)
            return _Answers(
                view,
                None,
                described,
                {topic: future.result() for topic, future in allowed.items()},
                dict(zip(absent, ports_found, strict=True)),
            )

    def _brokers(
        self, topic: str, view: ClusterView | None, answers: _Answers, recorded: Recorded
    ) -> tuple[BrokerFacts, ...]:
        now = answers.view
        live = {b.id: f"{b.host}:{b.port}" for b in now.brokers} if now is not None else {}
        needed = _replicas(view, topic) if view is not None else []
        wanted = needed or sorted(live or recorded.addresses)[:MOST_BROKERS]
        gone = [broker for broker in wanted if broker not in live]
        left: Mapping[int, ChangeRow] = (
            self._reader(lambda db: history.departures(db, gone)) if gone else {}
        )
        found = []
        for broker in wanted:
            said = answers.described.brokers.get(broker)
            found.append(
                BrokerFacts(
                    id=broker,
                    address=live.get(broker) or recorded.addresses.get(broker),
                    listed=broker in live,
                    answers=said.answers if said is not None else None,
                    error=said.error if said is not None else None,
                    port=answers.ports.get(broker),
                    left=left.get(broker),
                    last_seen_us=recorded.last_seen_us.get(broker),
                    settings=said.settings if said is not None else None,
                )
            )
        return tuple(found)


def _replicas(view: ClusterView, name: str) -> list[int]:
    """Brokers that hold a replica of the topic."""
    topic = view.topic(name)
    if topic is None:
        return []
    return sorted({broker for partition in topic.partitions for broker in partition.replicas})
