"""Topics and views against librdkafka's mock cluster, which serves metadata and no admin calls."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest
from confluent_kafka import Producer

from producer_agent.kafka.topics import (
    ClusterUnreachable,
    TopicSpec,
    cluster_view,
    ensure_topics,
    topic_configs,
    topic_ids,
)

QUICK_S = 1.0  # each admin call that the mock does not serve would take the 3 s of its time-out


@pytest.fixture(scope="module")
def mock() -> Iterator[str]:
    """Addresses of a mock cluster of three brokers that has the topic `orders`."""
    producer = Producer(
        {"bootstrap.servers": "ignored", "test.mock.num.brokers": 3, "log_level": 0}
    )
    producer.produce("orders", b"x")
    assert producer.flush(10) == 0
    brokers = producer.list_topics(timeout=5).brokers.values()
    yield ",".join(f"{broker.host}:{broker.port}" for broker in brokers)
    del producer


def test_the_embedded_cluster_is_seen_whole_and_known_as_such(mock: str) -> None:
    view = cluster_view({"bootstrap.servers": mock})

    assert view.embedded
    assert [broker.id for broker in view.brokers] == [1, 2, 3]
    assert ",".join(f"{b.host}:{b.port}" for b in view.brokers) == mock
    orders = view.topic("orders")
    assert orders is not None
    assert [p.id for p in orders.partitions] == [0, 1, 2, 3]
    assert orders.has_leaders
    assert all(p.isrs == p.replicas for p in orders.partitions)
    assert not orders.internal
    assert orders.error is None
    assert view.topic("nothing") is None


def test_what_the_embedded_cluster_does_not_serve_is_left_out_at_once(mock: str) -> None:
    began = time.monotonic()

    assert topic_ids({"bootstrap.servers": mock}, ["orders"]) == {}
    assert topic_configs({"bootstrap.servers": mock}, ["orders"]) == {}
    assert time.monotonic() - began < QUICK_S


def test_a_topic_missing_from_the_embedded_cluster_is_a_problem_told_at_once(mock: str) -> None:
    began = time.monotonic()
    problems = ensure_topics(
        {"bootstrap.servers": mock},
        [TopicSpec("orders", 3, 3, 2), TopicSpec("payments", 3, 3, 2)],
    )

    assert [(p.topic, p.kind, p.blocking) for p in problems] == [
        ("payments", "create_failed", True)
    ]
    assert "the process that owns it" in problems[0].message
    assert time.monotonic() - began < QUICK_S


def test_a_cluster_that_is_not_there_is_named_with_the_reason() -> None:
    with pytest.raises(ClusterUnreachable) as caught:
        cluster_view({"bootstrap.servers": "127.0.0.1:1"}, timeout_s=0.3)

    assert "no broker of 127.0.0.1:1 answered within 0.3 s" in str(caught.value)
    assert "Connection refused" in str(caught.value)
    assert str(caught.value).count("Connection refused") == 1


def test_a_cluster_that_is_not_there_tells_no_ids_and_no_settings() -> None:
    config = {"bootstrap.servers": "127.0.0.1:1"}

    assert topic_ids(config, ["orders"], timeout_s=0.2) == {}
    assert topic_configs(config, ["orders"], timeout_s=0.2) == {}
    with pytest.raises(ClusterUnreachable):
        ensure_topics(config, [TopicSpec("orders", 1, 1, 1)], timeout_s=0.2)


def test_settings_that_make_no_client_are_named_without_the_secret() -> None:
    config = {
        "bootstrap.servers": "127.0.0.1:1",
        "sasl.password": "hunter2",
        "sasl.mechanism": "hunter2",  # pasted into the wrong field
        "security.protocol": "SASL_PLAINTEXT",
    }
    with pytest.raises(ClusterUnreachable) as caught:
        cluster_view(config, timeout_s=0.3)

    assert "correct the one named here" in str(caught.value)
    assert "***" in str(caught.value)
    assert "hunter2" not in str(caught.value)
    assert caught.value.__cause__ is None


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ((0, 3, 2), "0 partitions; give at least 1"),
        ((1, 2, 3), "min.insync.replicas 3 must lie between 1 and the replication factor, 2"),
        ((1, 2, 0), "min.insync.replicas 0 must lie"),
        ((1, 3, 2, {"min.insync.replicas": "1"}), "as min_insync_replicas"),
    ],
)
def test_a_topic_that_could_exist_nowhere_is_refused(
    arguments: tuple[int, int, int], words: str
) -> None:
    with pytest.raises(ValueError, match=words):
        TopicSpec("orders", *arguments)
