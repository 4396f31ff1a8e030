"""Three real nodes: what status says, what the cluster says, and what ACLs do."""

from __future__ import annotations

import uuid
from collections.abc import Callable

import pytest
from confluent_kafka import KafkaError, KafkaException, Producer
from confluent_kafka.admin._acl import AclOperation, AclPermissionType
from confluent_kafka.admin._resource import ResourceType

from producer_agent.kafka.lab import Lab, LabError
from producer_agent.kafka.lab.processes import identify
from producer_agent.kafka.topics import ClusterUnreachable, TopicSpec, cluster_view, ensure_topics
from tests.integration.support import acls, binding, client_config, deny
from tests.waiting import wait_until

pytestmark = pytest.mark.real_kafka


def states(lab: Lab) -> list[str]:
    return [node.state for node in lab.status().nodes]


def brokers(lab: Lab) -> set[int]:
    return {broker.id for broker in cluster_view(client_config(lab)).brokers}


def new_topic(lab: Lab) -> str:
    name = f"orders-{uuid.uuid4().hex[:8]}"
    assert ensure_topics(client_config(lab), [TopicSpec(name, 1, 3, 2)]) == []
    return name


def test_up_gives_three_registered_nodes_at_the_advertised_ports(lab: Lab) -> None:
    view = cluster_view(client_config(lab))

    assert [(b.id, b.host, b.port) for b in view.brokers] == [
        (node.id, "127.0.0.1", node.port) for node in lab.status().nodes
    ]
    assert states(lab) == ["running"] * 3
    assert view.controller_id in {1, 2, 3}
    assert not view.embedded


def test_up_on_a_running_lab_changes_nothing(lab: Lab) -> None:
    before = lab.status()
    lab.up()
    assert lab.status() == before


def test_a_second_object_on_the_same_home_is_the_same_lab(breakable_lab: Lab) -> None:
    other = Lab(breakable_lab.home)

    assert other.status() == breakable_lab.status()
    other.kill(3)
    assert states(breakable_lab) == ["running", "running", "stopped"]
    assert other.status() == breakable_lab.status()


def test_a_killed_node_leaves_the_metadata_and_comes_back_into_the_isr(breakable_lab: Lab) -> None:
    lab, topic = breakable_lab, new_topic(breakable_lab)

    lab.kill(2)
    assert states(lab) == ["running", "stopped", "running"]
    assert lab.status().nodes[1].pid is None
    wait_until(lambda: brokers(lab) == {1, 3}, 20, "the killed node stayed in the metadata")

    lab.start(2)
    assert states(lab) == ["running"] * 3
    assert brokers(lab) == {1, 2, 3}
    wait_until(lambda: isrs(lab, topic) == {1, 2, 3}, 20, "the node did not rejoin the ISR")


def isrs(lab: Lab, topic: str) -> set[int]:
    view = cluster_view(client_config(lab)).topic(topic)
    assert view is not None
    return set(view.partitions[0].isrs)


def test_a_stopped_node_hands_over_and_leaves_at_once(breakable_lab: Lab) -> None:
    lab, topic = breakable_lab, new_topic(breakable_lab)
    leader = leader_of(lab, topic)
    assert leader is not None

    lab.stop(leader)
    # In order means before the session of a crashed node would have run out (4 s).
    wait_until(
        lambda: leader_of(lab, topic) not in (None, leader), 3, "leadership was not handed over"
    )
    assert states(lab)[leader - 1] == "stopped"


def leader_of(lab: Lab, topic: str) -> int | None:
    view = cluster_view(client_config(lab)).topic(topic)
    assert view is not None
    return view.partitions[0].leader


def test_a_paused_node_answers_nothing_until_it_is_resumed(breakable_lab: Lab) -> None:
    lab = breakable_lab
    node = lab.status().nodes[0]
    alone = {"bootstrap.servers": f"127.0.0.1:{node.port}"}

    lab.pause(1)
    assert states(lab) == ["paused", "running", "running"]
    assert lab.status().nodes[0].pid == node.pid
    with pytest.raises(ClusterUnreachable):
        cluster_view(alone, timeout_s=0.5)
    wait_until(lambda: brokers(lab) == {2, 3}, 20, "the paused node was not fenced")
    with pytest.raises(LabError, match="node 1 is paused, not stopped: resume it"):
        lab.start(1)

    lab.resume(1)
    assert states(lab) == ["running"] * 3
    wait_until(lambda: brokers(lab) == {1, 2, 3}, 20, "the resumed node did not come back")
    assert 1 in {broker.id for broker in cluster_view(alone).brokers}


def test_restore_mends_a_lab_with_one_node_paused_and_two_dead(breakable_lab: Lab) -> None:
    lab = breakable_lab
    lab.pause(1)
    lab.kill(2)
    lab.kill(3)

    lab.restore()
    assert states(lab) == ["running"] * 3
    assert brokers(lab) == {1, 2, 3}


def test_a_node_started_without_a_quorum_runs_and_registers_with_the_next(
    breakable_lab: Lab,
) -> None:
    lab = breakable_lab
    for number in (1, 2, 3):
        lab.kill(number)

    lab.start(1)
    assert states(lab) == ["running", "stopped", "stopped"]
    lab.start(2)
    wait_until(lambda: brokers(lab) == {1, 2}, 20, "two nodes did not form a quorum")


def test_down_leaves_no_process_even_of_a_paused_node_and_keeps_the_data(
    breakable_lab: Lab,
) -> None:
    lab, topic = breakable_lab, new_topic(breakable_lab)
    pids = [node.pid for node in lab.status().nodes]
    lab.pause(3)

    lab.down()
    assert states(lab) == ["stopped"] * 3
    assert [identify(pid) for pid in pids if pid is not None] == [None] * 3
    lab.down()  # again does no harm

    address = lab.bootstrap_servers
    lab.up()
    assert lab.bootstrap_servers == address
    assert cluster_view(client_config(lab)).topic(topic) is not None


# ---------------------------------------------------------------- ACLs


def delivery_error(producer: Producer, topic: str) -> str:
    """The name of the error that one message meets, `none` if it is delivered."""
    reports: list[KafkaError | None] = []

    def report(error: KafkaError | None, _: object) -> None:
        reports.append(error)

    try:
        producer.produce(topic, b"x", on_delivery=report)
    except KafkaException as error:
        raised: KafkaError = error.args[0]
        return raised.name()
    assert producer.flush(10) == 0
    return "none" if reports[0] is None else reports[0].name()


def test_a_denied_write_fails_to_produce_until_the_acl_is_deleted(lab: Lab) -> None:
    topic = new_topic(lab)
    producer = Producer({**client_config(lab), "topic.metadata.refresh.interval.ms": 500})
    assert delivery_error(producer, topic) == "none"

    def meets(name: str) -> Callable[[], bool]:
        return lambda: delivery_error(producer, topic) == name

    with acls(lab, deny(ResourceType.TOPIC, topic, AclOperation.WRITE)):
        wait_until(meets("TOPIC_AUTHORIZATION_FAILED"), 10, "the DENY did not take effect")
    wait_until(meets("none"), 10, "the deleted DENY still holds")


def test_acls_on_the_cluster_do_not_stop_replication_between_the_nodes(lab: Lab) -> None:
    topic = new_topic(lab)
    # The nodes replicate by CLUSTER_ACTION. Whoever has an ACL on the cluster at all needs one
    # for each operation, so the admin keeps ALTER, to delete them again.
    with acls(
        lab,
        deny(ResourceType.BROKER, "kafka-cluster", AclOperation.CLUSTER_ACTION),
        binding(ResourceType.BROKER, "kafka-cluster", AclOperation.ALTER, AclPermissionType.ALLOW),
    ):
        producer = Producer({**client_config(lab), "acks": "all"})
        assert delivery_error(producer, topic) == "none"
        assert isrs(lab, topic) == {1, 2, 3}
