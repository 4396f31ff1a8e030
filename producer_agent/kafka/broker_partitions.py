"""A topic with one partition led by every broker, and what keeps it so.

Kafka's admin protocol, as far as librdkafka speaks it, can make partitions on replicas of our
choice and have the preferred replica (the first) elected leader again. It cannot move a partition
that is there: where a broker is gone for good, its partition stays on the others, and the command
that moves it is told.
"""

from __future__ import annotations

import shlex
import time
from collections.abc import Collection, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any, Final

from confluent_kafka import ElectionType, KafkaError, KafkaException, TopicPartition
from confluent_kafka.cimpl import NewPartitions, NewTopic

from producer_agent.kafka.admin import Admin
from producer_agent.kafka.cluster_view import ClusterView, PartitionView
from producer_agent.kafka.topics import TopicProblem

TIMEOUT_S: Final = 10.0
ELECT_EVERY_S: Final = 5.0

_TOPIC_THERE: Final = (KafkaError.TOPIC_ALREADY_EXISTS,)
_LED_ALREADY: Final = (KafkaError.NO_ERROR, KafkaError.ELECTION_NOT_NEEDED)


@dataclass(frozen=True, slots=True)
class Steps:
    """What is to be done so that every broker leads a partition, and what cannot be."""

    add: tuple[tuple[int, ...], ...]
    """Replicas of partitions to add, the leader first."""
    elect: tuple[int, ...]
    """Partitions whose preferred replica is in sync again, and does not lead."""
    without: tuple[tuple[int, int], ...]
    """``(partition, broker)``: the broker that is to lead it is not there."""


class NotDone(Exception):
    """The cluster refused a step; the text has its reason."""


class BrokerPartitions:
    """One topic that is kept so, look by look. Used by one thread.

    Args:
        client_config: librdkafka properties that reach the cluster.
        topic: Its name. Partitions are added to one that is there already.
        replication_factor: At most so many replicas.
        min_insync_replicas: Of the topic, if it is made here.
    """

    def __init__(
        self,
        client_config: Mapping[str, Any],
        topic: str,
        replication_factor: int,
        min_insync_replicas: int,
    ) -> None:
        self._admin = Admin(client_config)
        self._topic = topic
        self._factor = replication_factor
        self._min_isr = min_insync_replicas
        self._elected_s = float("-inf")

    def keep(self, view: ClusterView) -> list[TopicProblem]:
        """Do what is to be done; returns what cannot be.

        Args:
            view: The cluster as it was just seen. What is done here shows in the next.
        """
        brokers = [broker.id for broker in view.brokers]
        topic = view.topic(self._topic)
        if topic is None or not topic.partitions:
            return self._create(brokers)
        steps = steps_for(topic.partitions, brokers, self._factor)
        problems = []
        try:
            if steps.add:
                add(self._admin, self._topic, len(topic.partitions), steps.add)
            if steps.elect and time.monotonic() - self._elected_s >= ELECT_EVERY_S:
                self._elected_s = time.monotonic()
                elect(self._admin, self._topic, steps.elect)
        except NotDone as refused:
            problems.append(self._problem(f"{refused}. Grant ALTER on the topic and the cluster"))
        leaders = {partition.id: partition.leader for partition in topic.partitions}
        return [
            *problems,
            *(
                self._gone(number, broker, leaders[number], brokers)
                for number, broker in steps.without
            ),
        ]

    def _create(self, brokers: Sequence[int]) -> list[TopicProblem]:
        factor = min(self._factor, len(brokers))
        replicas = [replicas_from(broker, brokers, factor) for broker in sorted(brokers)]
        settings = {"min.insync.replicas": str(min(self._min_isr, factor))}
        try:
            create(self._admin, self._topic, replicas, settings)
        except NotDone as refused:
            return [self._problem(f"{refused}. Grant CREATE on it", blocking=True)]
        return []

    def _gone(
        self, partition: int, broker: int, leader: int | None, brokers: Sequence[int]
    ) -> TopicProblem:
        led = "nobody leads it" if leader is None else f"broker {leader} leads it meanwhile"
        command = None
        if brokers:
            others = replicas_from(min(brokers), brokers, self._factor)
            where = ["--bootstrap-server", self._admin.address]
            command = move_command(where, self._topic, partition, others)
        return self._problem(
            f"partition {partition} of {self._topic} is there for broker {broker}, which is not "
            f"up: {led}. It follows by itself when the broker comes back; if that is gone for "
            "good, move the partition, which no client library can",
            command=command,
        )

    def _problem(
        self, message: str, *, blocking: bool = False, command: str | None = None
    ) -> TopicProblem:
        return TopicProblem(self._topic, "broker_partitions", message, blocking, command)


def steps_for(
    partitions: Sequence[PartitionView], brokers: Collection[int], replication_factor: int
) -> Steps:
    """Compare a topic with the brokers that are up.

    Args:
        partitions: As they are; the first replica of each is the broker it is there for.
        brokers: Ids of those that are up.
        replication_factor: Of partitions to add; cut to the number of brokers.
    """
    homes = {partition.replicas[0] for partition in partitions if partition.replicas}
    return Steps(
        add=tuple(
            replicas_from(broker, brokers, replication_factor)
            for broker in sorted(set(brokers) - homes)
        ),
        elect=tuple(
            partition.id
            for partition in partitions
            if partition.replicas
            and partition.replicas[0] in brokers
            and partition.replicas[0] in partition.isrs
            and partition.leader != partition.replicas[0]
        ),
        without=tuple(
            (partition.id, partition.replicas[0])
            for partition in partitions
            if partition.replicas and partition.replicas[0] not in brokers
        ),
    )


def replicas_from(broker: int, brokers: Collection[int], factor: int) -> tuple[int, ...]:
    """A broker and those after it by id, around the ring: ``factor`` in all, if there are."""
    ring = sorted(brokers)
    at = ring.index(broker)
    return tuple((ring[at:] + ring[:at])[:factor])


def create(
    admin: Admin, topic: str, replicas: Sequence[Sequence[int]], settings: dict[str, str]
) -> None:
    """Make the topic, a partition for each of ``replicas``; fine if it is there already.

    Raises:
        NotDone: the cluster refused.
    """
    assignment = [list(each) for each in replicas]
    new = NewTopic(topic, len(assignment), replica_assignment=assignment, config=settings)
    futures = admin.client.create_topics(
        [new], operation_timeout=TIMEOUT_S, request_timeout=TIMEOUT_S
    )
    _done(admin, futures[topic], f"topic {topic} could not be made", _TOPIC_THERE)


def add(admin: Admin, topic: str, before: int, replicas: Sequence[Sequence[int]]) -> None:
    """Add a partition for each of ``replicas`` to a topic that has ``before``.

    Raises:
        NotDone: the cluster refused.
    """
    new = NewPartitions(topic, before + len(replicas), [list(each) for each in replicas])
    futures = admin.client.create_partitions(
        [new], operation_timeout=TIMEOUT_S, request_timeout=TIMEOUT_S
    )
    _done(admin, futures[topic], f"partitions could not be added to {topic}")


def elect(admin: Admin, topic: str, partitions: Sequence[int]) -> None:
    """Have the preferred replica of these partitions elected leader.

    Raises:
        NotDone: the cluster refused one of them.
    """
    wanted = [TopicPartition(topic, partition) for partition in partitions]
    # confluent-kafka 2.16 takes neither of the time-outs that it documents here: its argument
    # list is one short, and a SystemError or TypeError follows. So the wait is bounded below.
    future = admin.client.elect_leaders(ElectionType.PREFERRED, wanted)
    what = f"the preferred leaders of {topic} could not be elected"
    results = _done(admin, future, what) or {}
    for partition, error in results.items():
        refused = getattr(error, "args", [error])[0]
        if refused is not None and refused.code() not in _LED_ALREADY:
            reason = admin.clean(refused.str())
            raise NotDone(f"{what} (partition {partition.partition}): {reason}")


def move_command(connection: Sequence[str], topic: str, partition: int, new: Sequence[int]) -> str:
    """The ``kafka-reassign-partitions.sh`` line that moves a partition to these brokers.

    Args:
        connection: Its first words: ``--bootstrap-server`` and the address.
    """
    replicas = ", ".join(map(str, new))
    document = (
        f'{{"version":1,"partitions":[{{"topic":"{topic}","partition":{partition},'
        f'"replicas":[{replicas}]}}]}}'
    )
    return (
        f"echo {shlex.quote(document)} > move.json; kafka-reassign-partitions.sh "
        f"{shlex.join(connection)} --reassignment-json-file move.json --execute"
    )


def _done(
    admin: Admin, future: Future[Any], what: str, fine: Collection[int] = ()
) -> dict[TopicPartition, Any] | None:
    try:
        result: dict[TopicPartition, Any] | None = future.result(2 * TIMEOUT_S)
        return result
    except TimeoutError:
        raise NotDone(f"{what}: no answer within {2 * TIMEOUT_S:g} s") from None
    except KafkaException as error:
        if error.args[0].code() in fine:
            return None
        raise NotDone(f"{what}: {admin.clean(error.args[0].str())}") from None
