"""The commands that a diagnosis offers, with the cluster's own address, ready to copy.

They are those of Apache Kafka's ``bin/`` folder; some distributions name them without ``.sh``.
"""

from __future__ import annotations

import json
import shlex
from collections.abc import Mapping, Sequence

from producer_agent.advice.diagnosis.live_facts import BrokerFacts, LiveFacts


class KafkaCommands:
    """Writes commands for the cluster of these facts."""

    def __init__(self, facts: LiveFacts) -> None:
        self._facts = facts

    def _line(self, script: str, *words: str) -> str:
        reach = ["--bootstrap-server", self._facts.bootstrap_servers]
        if self._facts.secured:
            reach += ["--command-config", "client.properties"]
        return shlex.join([script, *reach, *words])

    def describe_topic(self) -> str:
        """Leaders and in-sync replicas of the topic."""
        return self._line("kafka-topics.sh", "--describe", "--topic", self._facts.topic)

    def list_topics(self) -> str:
        """The names of all topics."""
        return self._line("kafka-topics.sh", "--list")

    def create_topic(
        self, partitions: int, replication_factor: int, settings: Mapping[str, str]
    ) -> str:
        """The topic, made."""
        return self._line(
            "kafka-topics.sh",
            *("--create", "--topic", self._facts.topic),
            *("--partitions", str(partitions)),
            *("--replication-factor", str(replication_factor)),
            *(word for name, value in settings.items() for word in ("--config", f"{name}={value}")),
        )

    def add_partitions(self, partitions: int) -> str:
        """The topic with so many partitions in all."""
        return self._line(
            "kafka-topics.sh",
            *("--alter", "--topic", self._facts.topic, "--partitions", str(partitions)),
        )

    def set_topic(self, name: str, value: str) -> str:
        """A setting of the topic, changed."""
        return self._line(
            "kafka-configs.sh",
            *("--alter", "--entity-type", "topics", "--entity-name", self._facts.topic),
            *("--add-config", f"{name}={value}"),
        )

    def unset_topic(self, name: str) -> str:
        """A setting of the topic back to the cluster's own."""
        return self._line(
            "kafka-configs.sh",
            *("--alter", "--entity-type", "topics", "--entity-name", self._facts.topic),
            *("--delete-config", name),
        )

    def allow(self, principal: str, operation: str, *, cluster: bool = False) -> str:
        """An ACL that allows an operation on the topic, or on the cluster."""
        where = ["--cluster"] if cluster else ["--topic", self._facts.topic]
        return self._line(
            "kafka-acls.sh",
            *("--add", "--allow-principal", principal, "--operation", operation, *where),
        )

    def remove_denial(self, principal: str, host: str, operation: str, topic: str) -> str:
        """A DENY taken away again."""
        return self._line(
            "kafka-acls.sh",
            *("--remove", "--deny-principal", principal, "--deny-host", host),
            *("--operation", operation, "--topic", topic),
        )

    def list_acls(self) -> str:
        """The ACLs on the topic."""
        return self._line("kafka-acls.sh", "--list", "--topic", self._facts.topic)

    def quorum(self) -> str:
        """The controllers."""
        return self._line("kafka-metadata-quorum.sh", "describe", "--status")

    def elect(self, partition: int, *, unclean: bool) -> str:
        """A leader for a partition; an unclean one is taken from outside the in-sync replicas."""
        return self._line(
            "kafka-leader-election.sh",
            *("--election-type", "unclean" if unclean else "preferred"),
            *("--topic", self._facts.topic, "--partition", str(partition)),
        )

    def reassign(self, replicas: Mapping[int, Sequence[int]]) -> str:
        """Partitions on these brokers instead."""
        document = {
            "version": 1,
            "partitions": [
                {"topic": self._facts.topic, "partition": partition, "replicas": list(brokers)}
                for partition, brokers in sorted(replicas.items())
            ],
        }
        execute = self._line(
            "kafka-reassign-partitions.sh",
            *("--reassignment-json-file", "reassign.json", "--execute"),
        )
        return f"echo {shlex.quote(json.dumps(document))} > reassign.json && {execute}"

    def start(self, broker: BrokerFacts) -> str:
        """A broker that is down, started where it runs."""
        if self._facts.kind == "lab":
            return self._lab("start", broker)
        return "kafka-server-start.sh -daemon server.properties   # on " + self.place(broker)

    def resume(self, broker: BrokerFacts) -> str | None:
        """A broker that hangs, let go on (the lab) or looked at."""
        return self._lab("resume", broker) if self._facts.kind == "lab" else None

    def place(self, broker: BrokerFacts) -> str:
        """Where a broker runs, in words."""
        where = f"the host of broker {broker.id}"
        return f"{where} ({broker.address})" if broker.address else where

    def _lab(self, action: str, broker: BrokerFacts) -> str:
        words = ["python", "-m", "producer_agent", "lab", action, str(broker.id)]
        if self._facts.lab_home is not None:
            words += ["--home", self._facts.lab_home]
        return shlex.join(words)
