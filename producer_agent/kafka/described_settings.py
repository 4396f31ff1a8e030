"""Settings as brokers tell them, each with where it was set; and which brokers answer at all.

Asking a broker for its settings goes to that very broker, so the same request tells whether it
answers: also one that may not tell us its settings does.
"""

from __future__ import annotations

import socket
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import Future
from concurrent.futures import TimeoutError as FutureTimeout
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Final

from confluent_kafka import KafkaError, KafkaException
from confluent_kafka.admin._config import ConfigResource
from confluent_kafka.admin._resource import ResourceType

from producer_agent.kafka.admin import Admin

_SOURCES: Final = MappingProxyType(
    {
        1: "set on the topic",
        2: "set on the broker",
        3: "set for all brokers",
        4: "in the broker's file",
        5: "Kafka's default",
    }
)
"""Kafka's ``ConfigSource``."""

_SILENT: Final = frozenset(
    {KafkaError._TIMED_OUT, KafkaError._TRANSPORT, KafkaError._ALL_BROKERS_DOWN}
)
_MARGIN_S = 0.5
"""What librdkafka may take longer than it was told."""


@dataclass(frozen=True, slots=True)
class Setting:
    """A setting in force: the broker's own text, and where it was set."""

    value: str
    source: str


@dataclass(frozen=True, slots=True)
class BrokerAnswer:
    """Whether one broker answers a request.

    ``settings`` is None where it may not or did not tell; ``error`` says why it did not answer.
    """

    broker: int
    answers: bool
    settings: Mapping[str, Setting] | None
    error: str | None


@dataclass(frozen=True, slots=True)
class TopicAnswer:
    """Settings of a topic; None where nobody told them, and ``error`` then says why."""

    settings: Mapping[str, Setting] | None
    error: str | None


@dataclass(frozen=True, slots=True)
class Described:
    """What was learnt of each topic and each broker that was asked for."""

    topics: Mapping[str, TopicAnswer]
    brokers: Mapping[int, BrokerAnswer]


def describe(
    admin: Admin, topics: Sequence[str], brokers: Sequence[int], timeout_s: float
) -> Described:
    """Ask for the settings of topics and of brokers, all at once.

    Args:
        admin: A client that has metadata of the cluster.
        topics: Names of topics that are there.
        brokers: Ids that the metadata lists.
        timeout_s: For all together.
    """
    deadline_s = time.monotonic() + timeout_s + _MARGIN_S
    of_topics = {topic: _ask(admin, ResourceType.TOPIC, topic, timeout_s) for topic in topics}
    of_brokers = {
        broker: _ask(admin, ResourceType.BROKER, str(broker), timeout_s) for broker in brokers
    }
    told = {}
    for topic, future in of_topics.items():
        found, error = _settings(future, deadline_s)
        told[topic] = TopicAnswer(found, _words(admin, error))
    answers = {}
    for broker, future in of_brokers.items():
        settings, refusal = _settings(future, deadline_s)
        silent = refusal is not None and (
            not isinstance(refusal, KafkaError) or refusal.code() in _SILENT
        )
        answers[broker] = BrokerAnswer(
            broker, not silent, settings, _words(admin, refusal) if silent else None
        )
    return Described(told, answers)


def port_state(address: str, timeout_s: float = 0.5) -> str:
    """What the port of a broker that the metadata no longer lists does: ``refuses connections``
    (no process listens there), ``accepts connections`` or ``does not answer``."""
    host, _, port = address.rpartition(":")
    try:
        with socket.create_connection((host.strip("[]"), int(port)), timeout_s):
            return "accepts connections"
    except ConnectionRefusedError:
        return "refuses connections"
    except (OSError, ValueError):
        return "does not answer"


def _ask(admin: Admin, kind: ResourceType, name: str, timeout_s: float) -> Future[Any]:
    (future,) = admin.client.describe_configs(
        [ConfigResource(kind, name)], request_timeout=timeout_s
    ).values()
    return future


def _settings(
    future: Future[Any], deadline_s: float
) -> tuple[Mapping[str, Setting] | None, KafkaError | str | None]:
    try:
        entries = future.result(max(deadline_s - time.monotonic(), 0.0))
    except KafkaException as error:
        return None, error.args[0]
    except FutureTimeout:
        return None, "no answer in time"
    return {
        name: Setting(str(entry.value), _SOURCES.get(int(entry.source), "not told"))
        for name, entry in entries.items()
        if not entry.is_sensitive and entry.value is not None
    }, None


def _words(admin: Admin, error: KafkaError | str | None) -> str | None:
    if error is None or isinstance(error, str):
        return error
    return admin.clean(f"{error.name()}: {error.str()}")
