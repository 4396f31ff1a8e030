"""Without the database, what failed for good goes straight to the dead-letter topic."""

from __future__ import annotations

import json
from typing import Any

import pytest
from confluent_kafka import Consumer, KafkaException, Message, TopicPartition

from producer_agent.kafka.embedded import ALL_BROKERS, EmbeddedCluster
from producer_agent.reliable import letters as module
from producer_agent.reliable.ending import Ending
from producer_agent.reliable.letters import connection_of
from tests.reliable.conftest import MakeProducer
from tests.waiting import wait_until


def letters(cluster: EmbeddedCluster, n: int) -> list[Message]:
    consumer = Consumer({**cluster.client_defaults, "group.id": "letters", "log_level": 0})
    found: list[Message] = []

    def enough() -> bool:
        found.extend(m for m in consumer.consume(500, 0.2) if m.error() is None)
        return len(found) >= n

    try:
        consumer.assign([TopicPartition("dead-letter-queue", 0, 0)])
        wait_until(enough, 20, f"{n} letters never arrived")
    finally:
        consumer.close()
    return found


def body(message: Message) -> dict[str, Any]:
    told: dict[str, Any] = json.loads(message.value() or b"")
    return told


@pytest.fixture(autouse=True)
def _topics(own_cluster: EmbeddedCluster) -> None:
    own_cluster.create_topic("t", 1)
    own_cluster.create_topic("dead-letter-queue", 1)


def test_reported_and_raised_failures_both_become_letters_of_ackboards_own_shape(
    make_producer: MakeProducer, own_cluster: EmbeddedCluster
) -> None:
    producer = make_producer()
    producer.produce("t", "bad", "key", partition=5, headers={"trace": "7"})
    producer.flush(10)
    with pytest.raises(KafkaException):
        producer.produce("t", b"x" * 1_100_000)
    first, second = letters(own_cluster, 2)
    told = body(first)
    assert (told["original_topic"], told["original_value"], told["original_key"]) == (
        "t",
        "bad",
        "key",
    )
    assert told["error_name"] == "_UNKNOWN_PARTITION"
    assert told["profile"] == "checkout"
    assert told["original_headers"][0][0] == "trace"
    assert (told["run"], told["sequence"]) == (producer.run, 0)
    assert dict(first.headers() or [])["ackboard-dead-letter"] == f"{producer.run}:0".encode()
    assert body(second)["outcome"] == "rejected"
    assert body(second)["error_name"] == "MSG_SIZE_TOO_LARGE"
    assert producer.counts().dead_letters == 2


def test_a_dead_cluster_is_waited_out(
    make_producer: MakeProducer, own_cluster: EmbeddedCluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "RETRY_S", 0.1)
    producer = make_producer(config={"message.timeout.ms": 300})
    producer.list_topics("t", timeout=10)
    own_cluster.broker_down(ALL_BROKERS)
    for n in range(3):
        producer.produce("t", f"{n}")
    assert producer.flush(10) == 0
    assert producer.counts().failed == 3
    own_cluster.broker_up(ALL_BROKERS)
    found = letters(own_cluster, 3)
    assert sorted(body(letter)["original_value"] for letter in found) == ["0", "1", "2"]
    assert {body(letter)["error_name"] for letter in found} == {"_MSG_TIMED_OUT"}


def test_letters_that_cannot_be_sent_before_the_end_are_counted_and_told(
    make_producer: MakeProducer,
    own_cluster: EmbeddedCluster,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    soon = Ending("closed", recorded_s=1.0, letters_s=0.3)
    monkeypatch.setattr("producer_agent.reliable.producer.CLOSED", soon)
    producer = make_producer(config={"message.timeout.ms": 300})
    producer.list_topics("t", timeout=10)
    own_cluster.broker_down(ALL_BROKERS)
    for _ in range(3):
        producer.produce("t", "v")
    producer.flush(10)
    producer.close()
    own_cluster.broker_up(ALL_BROKERS)
    assert "3 failed records were not dead-lettered" in caplog.text
    wait_until(lambda: producer.counts().letters_lost == 3, 10, "the lost were not counted")
    assert producer.counts().dead_letters == 0


def test_more_letters_than_may_wait_are_given_up_and_told(
    make_producer: MakeProducer,
    own_cluster: EmbeddedCluster,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setattr(module, "MOST_WAITING", 5)
    producer = make_producer(config={"message.timeout.ms": 300})
    producer.list_topics("t", timeout=10)
    own_cluster.broker_down(ALL_BROKERS)
    for _ in range(8):
        producer.produce("t", "v")
    producer.flush(10)
    own_cluster.broker_up(ALL_BROKERS)
    counts = producer.counts()
    assert (counts.dead_letters, counts.letters_lost) == (5, 3)
    assert "too many wait for the dead-letter topic" in caplog.text
    letters(own_cluster, 5)


def test_the_dead_letter_producer_takes_the_connection_and_nothing_else() -> None:
    assert connection_of(
        {
            "bootstrap.servers": "k:9092",
            "security.protocol": "sasl_ssl",
            "sasl.password": "hush",
            "ssl.ca.location": "/ca.pem",
            "acks": 0,
            "linger.ms": 500,
            "transactional.id": "one",
            "on_delivery": print,
        }
    ) == {
        "bootstrap.servers": "k:9092",
        "security.protocol": "sasl_ssl",
        "sasl.password": "hush",
        "ssl.ca.location": "/ca.pem",
    }
