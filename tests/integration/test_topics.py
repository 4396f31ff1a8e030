"""Topics on a real cluster: created, found, found different, and refused."""

from __future__ import annotations

import shlex
import uuid

import pytest
from confluent_kafka.admin import AdminClient
from confluent_kafka.admin._acl import AclOperation, AclPermissionType
from confluent_kafka.admin._resource import ResourceType

from producer_agent.kafka.lab import Lab
from producer_agent.kafka.topics import (
    TopicSpec,
    cluster_view,
    ensure_topics,
    topic_configs,
    topic_ids,
)
from tests.integration.support import acls, binding, client_config, deny
from tests.waiting import wait_until

pytestmark = pytest.mark.real_kafka


def name() -> str:
    return f"payments-{uuid.uuid4().hex[:8]}"


def test_a_missing_topic_is_created_as_specified_and_has_leaders(lab: Lab) -> None:
    spec = TopicSpec(name(), 3, 3, 1, {"retention.ms": "60000", "max.message.bytes": "2000"})

    assert ensure_topics(client_config(lab), [spec]) == []
    topic = cluster_view(client_config(lab)).topic(spec.name)
    assert topic is not None
    assert len(topic.partitions) == 3
    assert topic.has_leaders
    assert {len(p.replicas) for p in topic.partitions} == {3}
    assert topic_configs(client_config(lab), [spec.name]) == {
        spec.name: {
            "min.insync.replicas": "1",
            "retention.ms": "60000",
            "retention.bytes": "-1",
            "max.message.bytes": "2000",
            "cleanup.policy": "delete",
            "message.timestamp.type": "CreateTime",
        }
    }


def test_a_topic_that_is_there_as_specified_is_no_problem(lab: Lab) -> None:
    spec = TopicSpec(name(), 2, 3, 2)
    ensure_topics(client_config(lab), [spec])
    identity = topic_ids(client_config(lab), [spec.name])

    assert ensure_topics(client_config(lab), [spec]) == []
    assert topic_ids(client_config(lab), [spec.name]) == identity != {}


def test_a_topic_that_is_there_but_differs_is_noted_and_not_altered(lab: Lab) -> None:
    topic = name()
    ensure_topics(client_config(lab), [TopicSpec(topic, 1, 2, 1)])

    notes = ensure_topics(client_config(lab), [TopicSpec(topic, 6, 3, 2)])
    assert [(note.kind, note.blocking) for note in notes] == [
        ("fewer_partitions", False),
        ("fewer_replicas", False),
        ("min_insync_replicas", False),
    ]
    assert "has 1 partition, not 6" in notes[0].message
    assert notes[0].command is not None
    assert shlex.split(notes[0].command)[-5:] == ["--alter", "--topic", topic, "--partitions", "6"]
    assert "has min.insync.replicas 1, not 2" in notes[2].message
    assert ensure_topics(client_config(lab), [TopicSpec(topic, 1, 2, 1)]) == []


def test_a_replication_factor_above_the_number_of_brokers_names_both(lab: Lab) -> None:
    topic = name()
    (problem,) = ensure_topics(client_config(lab), [TopicSpec(topic, 1, 5, 2)])

    assert (problem.topic, problem.kind, problem.blocking) == (topic, "too_few_brokers", True)
    assert "replication factor 5 and 3 brokers are up" in problem.message
    assert cluster_view(client_config(lab)).topic(topic) is None


def test_one_bad_topic_does_not_keep_the_others_from_being_created(lab: Lab) -> None:
    good, bad = name(), name()
    (problem,) = ensure_topics(
        client_config(lab),
        [TopicSpec(bad, 1, 3, 2, {"no.such.setting": "1"}), TopicSpec(good, 1, 3, 2)],
    )

    assert (problem.topic, problem.kind) == (bad, "create_failed")
    assert "no.such.setting" in problem.message
    assert cluster_view(client_config(lab)).topic(good) is not None


def test_without_the_right_to_create_the_problem_has_the_command_to_give_to_an_admin(
    lab: Lab,
) -> None:
    topic = name()
    spec = TopicSpec(topic, 6, 3, 2, {"retention.ms": "60000"})
    with acls(
        lab,
        deny(ResourceType.TOPIC, topic, AclOperation.CREATE),
        deny(ResourceType.BROKER, "kafka-cluster", AclOperation.CREATE),
        binding(ResourceType.BROKER, "kafka-cluster", AclOperation.ALTER, AclPermissionType.ALLOW),
    ):
        problems = ensure_topics(client_config(lab), [spec])

    assert [(p.topic, p.kind, p.blocking) for p in problems] == [(topic, "not_authorized", True)]
    assert "TOPIC_AUTHORIZATION_FAILED" in problems[0].message
    assert "6 partitions, replication factor 3, min.insync.replicas=2" in problems[0].message
    assert problems[0].command is not None
    assert shlex.split(problems[0].command) == [
        *("kafka-topics.sh", "--bootstrap-server", lab.bootstrap_servers),
        *("--create", "--topic", topic, "--partitions", "6", "--replication-factor", "3"),
        *("--config", "min.insync.replicas=2", "--config", "retention.ms=60000"),
    ]


def test_a_topic_made_anew_has_another_id(lab: Lab) -> None:
    spec = TopicSpec(name(), 1, 3, 2)
    ensure_topics(client_config(lab), [spec])
    first = topic_ids(client_config(lab), [spec.name, "not-there"])
    assert set(first) == {spec.name}

    admin = AdminClient(client_config(lab))
    admin.delete_topics([spec.name])[spec.name].result(10)
    wait_until(
        lambda: cluster_view(client_config(lab)).topic(spec.name) is None, 10, "topic stayed"
    )
    ensure_topics(client_config(lab), [spec])
    assert topic_ids(client_config(lab), [spec.name])[spec.name] != first[spec.name]


def test_settings_of_a_topic_that_is_not_there_are_left_out(lab: Lab) -> None:
    assert topic_configs(client_config(lab), ["not-there"]) == {}
