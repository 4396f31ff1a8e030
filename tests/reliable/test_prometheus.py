"""A producer's counts are there for Prometheus to scrape."""

from __future__ import annotations

import gc

import pytest

from producer_agent.kafka.embedded import EmbeddedCluster
from producer_agent.reliable import ReliableProducer
from tests.reliable.conftest import QUIET, MakeProducer

pytest.importorskip("prometheus_client")

from prometheus_client import CollectorRegistry, generate_latest

from producer_agent.reliable.prometheus import register


def test_the_counts_and_latencies_of_every_producer_are_exported(
    make_producer: MakeProducer, own_cluster: EmbeddedCluster
) -> None:
    own_cluster.create_topic("t", 1)
    registry = CollectorRegistry()
    first, second = make_producer(name="orders"), make_producer(name="audit", config={"acks": 0})
    for producer in (first, second, first):
        register(producer, registry)
    for _ in range(5):
        first.produce("t", "v")
    first.produce("t", "v", partition=8)
    second.produce("t", "v")
    for producer in (first, second):
        producer.flush(10)

    def value(name: str, **labels: str) -> float | None:
        return registry.get_sample_value(f"ackboard_producer_{name}", labels)

    assert value("records_total", profile="orders", outcome="delivered") == 5
    assert value("records_total", profile="orders", outcome="failed") == 1
    assert value("records_total", profile="audit", outcome="unconfirmed") == 1
    assert value("accepted_total", profile="orders") == 6
    assert value("outstanding", profile="orders") == 0
    assert value("ack_latency_seconds_count", profile="orders") == 5
    assert value("ack_latency_seconds_bucket", profile="orders", le="30.0") == 5
    assert (value("ack_latency_seconds_sum", profile="orders") or 0) > 0
    assert b"ackboard_producer_dead_letters_total" in generate_latest(registry)


def test_a_producer_that_is_gone_is_exported_no_more(own_cluster: EmbeddedCluster) -> None:
    registry = CollectorRegistry()
    producer = ReliableProducer(
        {**own_cluster.client_defaults, **QUIET}, name="gone", database=None
    )
    register(producer, registry)
    assert b'profile="gone"' in generate_latest(registry)
    producer.close()
    del producer
    gc.collect()
    assert b'profile="gone"' not in generate_latest(registry)
