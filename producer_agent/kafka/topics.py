"""The topics we need: created where they are missing, never altered where they are there.

What a user of this module needs to see of the cluster is importable from here as well.
"""

from __future__ import annotations

import shlex
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Literal

from confluent_kafka import KafkaError, KafkaException
from confluent_kafka.cimpl import NewTopic

from producer_agent.kafka.admin import Admin, ClusterUnreachable
from producer_agent.kafka.cluster_view import (
    BrokerView,
    ClusterView,
    PartitionView,
    TopicView,
    cluster_view,
    topic_configs,
    topic_ids,
    view_of,
)

__all__ = [
    "BrokerView",
    "ClusterUnreachable",
    "ClusterView",
    "PartitionView",
    "TopicProblem",
    "TopicSpec",
    "TopicView",
    "cluster_view",
    "ensure_topics",
    "topic_configs",
    "topic_ids",
]

_MIN_ISR: Final = "min.insync.replicas"
_FORBIDDEN: Final = (
    KafkaError.TOPIC_AUTHORIZATION_FAILED,
    KafkaError.CLUSTER_AUTHORIZATION_FAILED,
)
_POLL_S = 0.05

ProblemKind = Literal[
    "not_authorized",
    "too_few_brokers",
    "create_failed",
    "fewer_partitions",
    "fewer_replicas",
    "min_insync_replicas",
    "broker_partitions",
]


@dataclass(frozen=True, slots=True)
class TopicSpec:
    """A topic we need. `config` holds further topic settings, as the broker names them.

    Raises:
        ValueError: it could not exist on any cluster.
    """

    name: str
    partitions: int
    replication_factor: int
    min_insync_replicas: int
    config: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.partitions < 1:
            raise ValueError(f"topic {self.name}: {self.partitions} partitions; give at least 1")
        if not 1 <= self.min_insync_replicas <= self.replication_factor:
            raise ValueError(
                f"topic {self.name}: min.insync.replicas {self.min_insync_replicas} must lie "
                f"between 1 and the replication factor, {self.replication_factor}"
            )
        if _MIN_ISR in self.config:
            raise ValueError(f"topic {self.name}: give {_MIN_ISR} as min_insync_replicas")

    @property
    def settings(self) -> dict[str, str]:
        """All topic settings, min.insync.replicas first."""
        return {_MIN_ISR: str(self.min_insync_replicas), **self.config}

    @property
    def shape(self) -> str:
        """Partitions, replication factor and settings in words."""
        settings = ", ".join(f"{name}={value}" for name, value in self.settings.items())
        return (
            f"{_count(self.partitions)}, replication factor {self.replication_factor}, {settings}"
        )


@dataclass(frozen=True, slots=True)
class TopicProblem:
    """What keeps a topic from being as specified.

    `blocking`: the topic is not there, so nothing can be sent to it; otherwise this is a note on
    a topic that works but differs. `command` is a `kafka-topics.sh` or `kafka-configs.sh` line
    for whoever may run it; None where no single command mends it.
    """

    topic: str
    kind: ProblemKind
    message: str
    blocking: bool
    command: str | None = None


def ensure_topics(
    client_config: Mapping[str, Any], specs: Sequence[TopicSpec], timeout_s: float = 10.0
) -> list[TopicProblem]:
    """Create the topics that are missing; returns what could not be had, and what differs.

    A topic that was created has a leader for each partition on return. One that exists is
    never altered. An empty list means that every topic is there, as specified, as far as we may
    see (without the right to describe its settings, min.insync.replicas is not compared).

    Raises:
        ClusterUnreachable: no broker answered.
    """
    deadline = time.monotonic() + timeout_s
    admin = Admin(client_config)
    view = view_of(admin.metadata(timeout_s))
    existing = [spec for spec in specs if view.topic(spec.name) is not None]
    missing = [spec for spec in specs if spec not in existing]
    say = _Problems(admin, client_config)
    if view.embedded:
        return [say.embedded(spec) for spec in missing]

    brokers = len(view.brokers)
    problems = [say.too_few_brokers(s, brokers) for s in missing if s.replication_factor > brokers]
    created: list[TopicSpec] = []
    creatable = [spec for spec in missing if spec.replication_factor <= brokers]
    for spec, error in _create(admin, creatable, timeout_s):
        if error is None:
            created.append(spec)
        elif error.code() == KafkaError.TOPIC_ALREADY_EXISTS:
            # Somebody was faster, or it was there all along and we may not see it.
            existing.append(spec)
        elif error.code() in _FORBIDDEN:
            problems.append(say.not_authorized(spec, error))
        elif error.code() == KafkaError.INVALID_REPLICATION_FACTOR:
            problems.append(say.too_few_brokers(spec, brokers))
        else:
            problems.append(say.create_failed(spec, error.str()))

    while True:
        found = {spec.name: view.topic(spec.name) for spec in specs}
        waiting = [s for s in created if not (t := found[s.name]) or not t.has_leaders]
        if not waiting or time.monotonic() >= deadline:
            break
        time.sleep(_POLL_S)
        view = view_of(admin.metadata(timeout_s))
    problems += [
        say.create_failed(spec, f"created, but without leaders after {timeout_s:g} s")
        for spec in waiting
    ]

    configs = topic_configs(client_config, [spec.name for spec in existing])
    for spec in existing:
        problems += say.differences(spec, found[spec.name], configs.get(spec.name, {}))
    return problems


def _create(
    admin: Admin, specs: Sequence[TopicSpec], timeout_s: float
) -> Iterator[tuple[TopicSpec, KafkaError | None]]:
    """Ask for these topics; each with the error that came back, None where it was made."""
    if not specs:
        return
    asked = [
        NewTopic(
            spec.name,
            num_partitions=spec.partitions,
            replication_factor=spec.replication_factor,
            config=spec.settings,
        )
        for spec in specs
    ]
    futures = admin.client.create_topics(
        asked, operation_timeout=timeout_s, request_timeout=timeout_s
    )
    for spec in specs:
        try:
            futures[spec.name].result()
        except KafkaException as error:
            yield spec, error.args[0]
        else:
            yield spec, None


class _Problems:
    """The words for each problem, with the command that mends it."""

    def __init__(self, admin: Admin, client_config: Mapping[str, Any]) -> None:
        self._clean = admin.clean
        self._connection = ["--bootstrap-server", admin.address]
        if str(client_config.get("security.protocol", "plaintext")).lower() != "plaintext":
            self._connection += ["--command-config", "client.properties"]

    def not_authorized(self, spec: TopicSpec, error: KafkaError) -> TopicProblem:
        return TopicProblem(
            spec.name,
            "not_authorized",
            f"topic {spec.name} is missing and we may not create it ({error.name()}): grant CREATE "
            f"on it, or have it created with {spec.shape}. If it exists already, grant DESCRIBE",
            blocking=True,
            command=self._create_command(spec),
        )

    def too_few_brokers(self, spec: TopicSpec, brokers: int) -> TopicProblem:
        count = f"{brokers} broker{'s are' if brokers != 1 else ' is'} up"
        return TopicProblem(
            spec.name,
            "too_few_brokers",
            f"topic {spec.name} asks for replication factor {spec.replication_factor} and {count}: "
            f"start the brokers that are down, or ask for replication factor {brokers} "
            "and min.insync.replicas at most that",
            blocking=True,
        )

    def create_failed(self, spec: TopicSpec, reason: str) -> TopicProblem:
        return TopicProblem(
            spec.name,
            "create_failed",
            f"topic {spec.name} could not be created: {self._clean(reason)}. It needs {spec.shape}",
            blocking=True,
            command=self._create_command(spec),
        )

    def embedded(self, spec: TopicSpec) -> TopicProblem:
        return TopicProblem(
            spec.name,
            "create_failed",
            f"topic {spec.name} is missing, and the embedded cluster creates topics for the "
            "process that owns it only: create it there, or use a real cluster",
            blocking=True,
        )

    def differences(
        self, spec: TopicSpec, topic: TopicView | None, config: Mapping[str, str]
    ) -> Iterator[TopicProblem]:
        if topic is not None and 0 < len(topic.partitions) < spec.partitions:
            yield TopicProblem(
                spec.name,
                "fewer_partitions",
                f"topic {spec.name} has {_count(len(topic.partitions))}, not "
                f"{spec.partitions}. Adding some moves keys to other partitions, so it is yours "
                "to decide",
                blocking=False,
                command=self._topics("--alter", spec, "--partitions", str(spec.partitions)),
            )
        replicas = min((len(p.replicas) for p in topic.partitions), default=0) if topic else 0
        if 0 < replicas < spec.replication_factor:
            yield TopicProblem(
                spec.name,
                "fewer_replicas",
                f"topic {spec.name} has replication factor {replicas}, not "
                f"{spec.replication_factor}: reassign its partitions with "
                "`kafka-reassign-partitions.sh` to have more copies",
                blocking=False,
            )
        have = config.get(_MIN_ISR)
        if have is not None and have != str(spec.min_insync_replicas):
            setting = f"{_MIN_ISR}={spec.min_insync_replicas}"
            words = ["kafka-configs.sh", *self._connection, "--alter", "--topic", spec.name]
            yield TopicProblem(
                spec.name,
                "min_insync_replicas",
                f"topic {spec.name} has {_MIN_ISR} {have}, not {spec.min_insync_replicas}: an "
                f"acks=all acknowledgement there means {have} in-sync "
                f"cop{'y' if have == '1' else 'ies'} at least",
                blocking=False,
                command=shlex.join([*words, "--add-config", setting]),
            )

    def _create_command(self, spec: TopicSpec) -> str:
        return self._topics(
            "--create",
            spec,
            *("--partitions", str(spec.partitions)),
            *("--replication-factor", str(spec.replication_factor)),
            *(w for name, value in spec.settings.items() for w in ("--config", f"{name}={value}")),
        )

    def _topics(self, action: str, spec: TopicSpec, *options: str) -> str:
        words = ["kafka-topics.sh", *self._connection, action, "--topic", spec.name, *options]
        return shlex.join(words)


def _count(partitions: int) -> str:
    return "1 partition" if partitions == 1 else f"{partitions} partitions"
