"""Each fault provokes its code in a real producer, and undoing it leaves no trace."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Iterator

import pytest
from confluent_kafka import KafkaError

from producer_agent.kafka.embedded import EmbeddedCluster, EmbeddedClusterClosed
from producer_agent.kafka.faults import FAULTS, FaultInjector, FaultKind, _ProduceRefusal
from tests.kafka.mock_clients import RecordingProducer, Report, send_one, watermarks
from tests.waiting import wait_until

TIMED_OUT = KafkaError._MSG_TIMED_OUT


@pytest.fixture
def cluster() -> Iterator[EmbeddedCluster]:
    with EmbeddedCluster() as running:
        running.create_topic("orders", partitions=1)
        running.create_topic("payments", partitions=1)
        yield running


@pytest.fixture
def injector(cluster: EmbeddedCluster) -> Iterator[FaultInjector]:
    with FaultInjector(cluster) as of_cluster:
        yield of_cluster


def topic_of(kind: FaultKind) -> str | None:
    return "orders" if kind.fault.needs_topic else None


def refusal_threads() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name == "produce-refusal"]


@pytest.mark.parametrize("kind", FaultKind)
def test_the_catalogue_tells_of_every_kind_what_a_user_will_see(kind: FaultKind) -> None:
    fault = kind.fault
    assert fault.title
    assert fault.effect.endswith(".")
    assert fault.effect.count(". ") == 0, "one sentence"
    named = KafkaError(fault.expected_code).name()
    assert named.lstrip("_") in fault.effect


@pytest.mark.parametrize("kind", [kind for kind in FaultKind if kind != "message_too_large"])
def test_with_default_retries_it_ends_in_its_code_and_undone_a_new_producer_delivers(
    cluster: EmbeddedCluster, injector: FaultInjector, kind: FaultKind
) -> None:
    fault = injector.inject(kind, topic=topic_of(kind))

    report = send_one(cluster, "orders", delivery_timeout_ms=1500, request_timeout_ms=500)
    assert report.code == FAULTS[kind].expected_code
    assert not report.raised

    assert injector.undo(kind, topic=topic_of(kind)) == (fault,)
    assert send_one(cluster, "orders", retries=0).code == 0


def test_brokers_down_fails_unconfirmed_sends_too(
    cluster: EmbeddedCluster, injector: FaultInjector
) -> None:
    injector.inject(FaultKind.BROKERS_DOWN)
    assert send_one(cluster, "orders", acks=0, delivery_timeout_ms=800).code == TIMED_OUT


def test_slow_brokers_store_what_they_fail_to_acknowledge(
    cluster: EmbeddedCluster, injector: FaultInjector
) -> None:
    producer = RecordingProducer(cluster, delivery_timeout_ms=1000, request_timeout_ms=1000)
    producer.send("orders")
    assert producer.settle() == [Report(0, 0)]

    injector.inject(FaultKind.SLOW_BROKERS)
    producer.send("orders")
    assert producer.settle()[-1].code == TIMED_OUT

    injector.undo(FaultKind.SLOW_BROKERS)
    assert watermarks(cluster, "orders")[1] > 1


@pytest.mark.parametrize("retries", [0, 2])
def test_with_finite_retries_not_enough_replicas_shows_itself(
    cluster: EmbeddedCluster, injector: FaultInjector, retries: int
) -> None:
    injector.inject(FaultKind.NOT_ENOUGH_REPLICAS)

    code = send_one(cluster, "orders", retries=retries, retry_backoff_ms=20).code

    assert code == KafkaError.NOT_ENOUGH_REPLICAS
    assert code in FAULTS[FaultKind.NOT_ENOUGH_REPLICAS].other_codes
    assert watermarks(cluster, "orders") == (0, 0)


def test_not_enough_replicas_outlasts_many_times_its_supply_of_errors(
    cluster: EmbeddedCluster, injector: FaultInjector
) -> None:
    injector.inject(FaultKind.NOT_ENOUGH_REPLICAS)
    producer = RecordingProducer(cluster, retries=0, batch_num_messages=1)
    sends = 3 * _ProduceRefusal.SUPPLY
    for _ in range(sends):
        producer.send("orders")

    codes = Counter(report.code for report in producer.settle(60))

    assert codes == {KafkaError.NOT_ENOUGH_REPLICAS: sends}
    injector.undo(FaultKind.NOT_ENOUGH_REPLICAS)
    assert send_one(cluster, "orders", retries=0) == Report(0, 0)


def test_undoing_not_enough_replicas_ends_its_thread(injector: FaultInjector) -> None:
    injector.inject(FaultKind.NOT_ENOUGH_REPLICAS)
    assert len(refusal_threads()) == 1
    injector.undo(FaultKind.NOT_ENOUGH_REPLICAS)
    assert refusal_threads() == []


def test_not_enough_replicas_can_be_injected_again_after_it_was_undone(
    cluster: EmbeddedCluster, injector: FaultInjector
) -> None:
    for _ in range(3):
        injector.inject(FaultKind.NOT_ENOUGH_REPLICAS)
        assert send_one(cluster, "orders", retries=0).code == KafkaError.NOT_ENOUGH_REPLICAS
        injector.undo(FaultKind.NOT_ENOUGH_REPLICAS)
        assert send_one(cluster, "orders", retries=0).code == 0


@pytest.mark.parametrize(
    ("kind", "raises"),
    [
        (FaultKind.TOPIC_AUTHORIZATION_FAILED, KafkaError.TOPIC_AUTHORIZATION_FAILED),
        (FaultKind.UNKNOWN_TOPIC, KafkaError._UNKNOWN_TOPIC),
    ],
)
def test_a_running_producer_with_the_client_defaults_feels_a_topic_fault_and_its_end(
    cluster: EmbeddedCluster, injector: FaultInjector, kind: FaultKind, raises: int
) -> None:
    producer = RecordingProducer(cluster)

    def last_send() -> Report | None:
        producer.send("orders")
        return producer.reports[-1] if producer.reports else None

    def delivers() -> bool:
        report = last_send()
        return report is not None and report.code == 0

    wait_until(delivers, 5, "the producer never delivered")
    injector.inject(kind, topic="orders")
    wait_until(lambda: last_send() == Report(raises, raised=True), 5, "the fault was never felt")
    injector.undo(kind, topic="orders")
    wait_until(delivers, 5, "the end of the fault was never felt")

    allowed = {0, FAULTS[kind].expected_code, *FAULTS[kind].other_codes}
    assert {report.code for report in producer.reports} <= allowed


def test_a_topic_fault_leaves_other_topics_alone(
    cluster: EmbeddedCluster, injector: FaultInjector
) -> None:
    injector.inject(FaultKind.TOPIC_AUTHORIZATION_FAILED, topic="payments")
    assert send_one(cluster, "orders").code == 0
    assert send_one(cluster, "payments").code == KafkaError.TOPIC_AUTHORIZATION_FAILED


def test_too_large_events_are_the_generators_part_and_the_cluster_goes_on(
    cluster: EmbeddedCluster, injector: FaultInjector
) -> None:
    injector.inject(FaultKind.MESSAGE_TOO_LARGE, topic="orders")
    assert [(fault.kind, fault.topic) for fault in injector.active()] == [
        (FaultKind.MESSAGE_TOO_LARGE, "orders")
    ]
    assert send_one(cluster, "orders").code == 0

    producer = RecordingProducer(cluster)
    producer.send("orders", b"x" * 1_100_000)
    expected = FAULTS[FaultKind.MESSAGE_TOO_LARGE].expected_code
    assert producer.settle() == [Report(expected, raised=True)]


def test_injecting_a_fault_twice_changes_nothing(
    cluster: EmbeddedCluster, injector: FaultInjector
) -> None:
    first = injector.inject(FaultKind.NOT_ENOUGH_REPLICAS)
    assert injector.inject(FaultKind.NOT_ENOUGH_REPLICAS) is first
    assert injector.active() == (first,)
    assert len(refusal_threads()) == 1

    injector.undo(FaultKind.NOT_ENOUGH_REPLICAS)
    assert send_one(cluster, "orders", retries=0).code == 0


def test_undoing_a_fault_that_is_not_in_force_is_no_error(
    cluster: EmbeddedCluster, injector: FaultInjector
) -> None:
    for kind in FaultKind:
        assert injector.undo(kind, topic=topic_of(kind)) == ()
    assert send_one(cluster, "orders").code == 0


@pytest.mark.parametrize(
    ("undone", "left"),
    [
        (FaultKind.BROKERS_DOWN, FaultKind.SLOW_BROKERS),
        (FaultKind.SLOW_BROKERS, FaultKind.BROKERS_DOWN),
    ],
)
def test_of_two_overlapping_faults_undoing_one_leaves_the_other(
    cluster: EmbeddedCluster, injector: FaultInjector, undone: FaultKind, left: FaultKind
) -> None:
    injector.inject(FaultKind.BROKERS_DOWN)
    injector.inject(FaultKind.SLOW_BROKERS)

    injector.undo(undone)

    assert [fault.kind for fault in injector.active()] == [left]
    assert send_one(cluster, "orders", delivery_timeout_ms=800).code == TIMED_OUT
    injector.undo(left)
    assert send_one(cluster, "orders").code == 0


def test_of_two_errors_on_one_topic_the_later_shows_and_then_the_earlier_again(
    cluster: EmbeddedCluster, injector: FaultInjector
) -> None:
    injector.inject(FaultKind.UNKNOWN_TOPIC, topic="orders")
    injector.inject(FaultKind.TOPIC_AUTHORIZATION_FAILED, topic="orders")
    assert send_one(cluster, "orders").code == KafkaError.TOPIC_AUTHORIZATION_FAILED
    injector.undo(FaultKind.TOPIC_AUTHORIZATION_FAILED, topic="orders")
    assert send_one(cluster, "orders").code == KafkaError.UNKNOWN_TOPIC_OR_PART


def test_undo_without_a_topic_ends_the_fault_on_every_topic(
    cluster: EmbeddedCluster, injector: FaultInjector
) -> None:
    for topic in ("orders", "payments"):
        injector.inject(FaultKind.TOPIC_AUTHORIZATION_FAILED, topic=topic)
    ended = injector.undo(FaultKind.TOPIC_AUTHORIZATION_FAILED)

    assert [fault.topic for fault in ended] == ["orders", "payments"]
    assert [send_one(cluster, topic).code for topic in ("orders", "payments")] == [0, 0]


def test_undo_all_mends_everything(cluster: EmbeddedCluster, injector: FaultInjector) -> None:
    faults = tuple(injector.inject(kind, topic=topic_of(kind)) for kind in FaultKind)
    assert injector.active() == faults
    assert send_one(cluster, "orders", delivery_timeout_ms=800).code == TIMED_OUT

    assert injector.undo_all() == faults

    assert injector.active() == ()
    assert refusal_threads() == []
    started = time.monotonic()
    assert send_one(cluster, "orders", retries=0).code == 0
    assert time.monotonic() - started < 2


def test_a_fault_carries_the_time_at_which_it_began(injector: FaultInjector) -> None:
    before_us = time.time_ns() // 1000
    fault = injector.inject(FaultKind.BROKERS_DOWN)
    assert before_us <= fault.since_us <= time.time_ns() // 1000


def test_a_missing_or_needless_topic_is_refused_and_nothing_is_injected(
    injector: FaultInjector,
) -> None:
    for kind in FaultKind:
        if kind.fault.needs_topic:
            with pytest.raises(ValueError, match="say which"):
                injector.inject(kind)
        else:
            with pytest.raises(ValueError, match="leave the topic out"):
                injector.inject(kind, topic="orders")
    assert injector.active() == ()


def test_a_cluster_closed_beneath_its_faults_ends_them_quietly(cluster: EmbeddedCluster) -> None:
    injector = FaultInjector(cluster)
    injector.inject(FaultKind.NOT_ENOUGH_REPLICAS)
    cluster.close()
    wait_until(lambda: refusal_threads() == [], 5, "the refusing thread outlives its cluster")
    with pytest.raises(EmbeddedClusterClosed):
        injector.inject(FaultKind.BROKERS_DOWN)

    injector.close()

    assert injector.active() == ()
