"""The profiles that come with Ackboard: one for each acks level, one for production, one that
writes to two topics at once, and one that watches every broker.

The three active ones send at once on any cluster, and make about a dozen events a minute fail in
three different ways, so that triage has something to show from the first minute. The failing
shares stay within each objective's error budget, and small enough that a week of dead letters
stays under 300 MB: hence the low message.max.bytes, which an oversized payload has to exceed.
"""

from __future__ import annotations

from typing import Final

from producer_agent.delivery.profiles import (
    FaultMix,
    Objective,
    ProducerSettings,
    Profile,
    Workload,
)

_SMALL_BYTES: Final = 8_192

_CRITICAL: Final = Profile(
    name="critical",
    description="Work that must not be lost: every in-sync replica confirms, retries are "
    "deduplicated, and the order is kept.",
    active=True,
    producer=ProducerSettings(
        acks="all",
        idempotence=True,
        delivery_timeout_ms=30_000,
        request_timeout_ms=10_000,
        batch_size=_SMALL_BYTES,
        message_max_bytes=_SMALL_BYTES,
    ),
    workload=Workload(
        topic="task-events",
        partitions=6,
        replication_factor=3,
        min_insync_replicas=2,
        rate_per_s=60,
        payload_bytes=400,
        keys=1_000,
        event="task",
        faults=FaultMix(oversized=0.00002, unknown_partition=0.00003, unknown_topic=0.00003),
    ),
    objective=Objective(success_ratio=0.9999, latency_p99_ms=100),
)

_ANALYTICS: Final = Profile(
    name="analytics",
    description="Events that are counted, where a few may be lost when a leader dies: the "
    "leader alone confirms.",
    active=True,
    producer=ProducerSettings(
        acks=1,
        batch_size=_SMALL_BYTES,
        message_max_bytes=_SMALL_BYTES,
    ),
    workload=Workload(
        topic="task-analytics",
        partitions=6,
        replication_factor=3,
        rate_per_s=150,
        payload_bytes=300,
        keys=5_000,
        event="analytics",
        faults=FaultMix(oversized=0.00004, unknown_partition=0.0003, unknown_topic=0.0003),
    ),
    objective=Objective(success_ratio=0.999, latency_p99_ms=50),
)

_METRICS: Final = Profile(
    name="metrics",
    description="Samples that the next sample replaces: nobody confirms, and so nothing proves "
    "that they arrived.",
    active=True,
    producer=ProducerSettings(
        acks=0,
        batch_size=_SMALL_BYTES,
        message_max_bytes=_SMALL_BYTES,
    ),
    workload=Workload(
        topic="activity-metrics",
        partitions=6,
        replication_factor=3,
        rate_per_s=300,
        payload_bytes=200,
        event="activity",
        faults=FaultMix(oversized=0.00002, unknown_partition=0.00015, unknown_topic=0.00015),
    ),
    objective=Objective(latency_p99_ms=50),
)

_PRODUCTION: Final = Profile(
    name="production",
    description="A start for a service of your own: nothing lost, nothing twice, order kept, "
    "two minutes to ride out a failing broker. Sends no faulty events.",
    producer=ProducerSettings(
        acks="all",
        idempotence=True,
        max_in_flight=5,
        retries=2_147_483_647,
        retry_backoff_ms=100,
        delivery_timeout_ms=120_000,
        request_timeout_ms=30_000,
        linger_ms=5,
        batch_size=16_384,
        compression="lz4",
    ),
    workload=Workload(
        topic="production-events",
        partitions=6,
        replication_factor=3,
        min_insync_replicas=2,
        rate_per_s=100,
        payload_bytes=500,
        keys=1_000,
        event="task",
    ),
    objective=Objective(success_ratio=0.9999, latency_p99_ms=200),
)


_TRANSACTIONAL: Final = Profile(
    name="transactional",
    description="Changes that go to two topics together or not at all: what is acknowledged counts "
    "once its transaction is committed, ten times a second.",
    producer=ProducerSettings(
        acks="all",
        # One process at a time: a second one with this id fences the first.
        transactional_id="ackboard-transactional",
        transaction_timeout_ms=30_000,
        delivery_timeout_ms=30_000,
        request_timeout_ms=10_000,
        message_max_bytes=_SMALL_BYTES,
        batch_size=_SMALL_BYTES,
    ),
    workload=Workload(
        topic="task-changes",
        second_topic="task-changes-audit",
        partitions=3,
        replication_factor=3,
        min_insync_replicas=2,
        rate_per_s=60,
        payload_bytes=400,
        keys=1_000,
        event="task",
        transaction_ms=100,
    ),
    objective=Objective(success_ratio=0.9999, latency_p99_ms=100),
)


_CANARY: Final = Profile(
    name="canary",
    description="Watches a cluster that has no other traffic of ours: a few small events a second "
    "to one partition of every broker, each confirmed by every in-sync replica.",
    producer=ProducerSettings(
        acks="all",
        idempotence=True,
        # Short, so that a broker that does not answer shows within seconds: before the controller
        # takes its partitions away (broker.session.timeout.ms, 9 s) and hides it.
        delivery_timeout_ms=5_000,
        request_timeout_ms=2_000,
        batch_size=_SMALL_BYTES,
        message_max_bytes=_SMALL_BYTES,
    ),
    workload=Workload(
        topic="ackboard-canary",
        per_broker=True,
        replication_factor=3,
        min_insync_replicas=2,
        rate_per_s=6,
        payload_bytes=100,
        event="activity",
    ),
    objective=Objective(success_ratio=0.9999, latency_p99_ms=200),
)


def shipped_profiles() -> tuple[Profile, ...]:
    """Critical, analytics, metrics (all active), production, transactional and canary, in that
    order."""
    return (_CRITICAL, _ANALYTICS, _METRICS, _PRODUCTION, _TRANSACTIONAL, _CANARY)
