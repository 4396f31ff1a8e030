"""The recording producer: every event handed over has an outcome when it is closed."""

from __future__ import annotations

import time
from typing import Any

import pytest
from confluent_kafka import KafkaError

from producer_agent.delivery import producer as module
from producer_agent.delivery.events import ANY_PARTITION, Event
from producer_agent.delivery.producer import RecordingProducer
from producer_agent.delivery.recorder import Recorder
from producer_agent.kafka.embedded import ALL_BROKERS, EmbeddedCluster
from producer_agent.store.clock import now_us
from producer_agent.store.reader import Reader
from producer_agent.store.runs import RunRow
from producer_agent.store.writer import Writer
from tests.kafka.mock_clients import watermarks
from tests.recording import begin_run, rows
from tests.waiting import wait_until


@pytest.fixture
def run(writer: Writer) -> RunRow:
    return begin_run(writer)


@pytest.fixture
def cluster(own_cluster: EmbeddedCluster) -> EmbeddedCluster:
    own_cluster.create_topic("orders", partitions=1)
    return own_cluster


def make(
    cluster: EmbeddedCluster, writer: Writer, run: RunRow, **settings: Any
) -> RecordingProducer:
    return RecordingProducer(
        {
            **cluster.client_defaults,
            "linger.ms": 0,
            **{name.replace("_", "."): value for name, value in settings.items()},
        },
        lambda attempts: Recorder(writer, run.id, run.series, "all", attempts),
        "orders",
    )


def send(producer: RecordingProducer, first: int, n: int) -> None:
    for sequence in range(first, first + n):
        producer.send(sequence, Event("orders", ANY_PARTITION, None, b"x", []), now_us())


def counted(reader: Reader) -> dict[str, int]:
    return dict(rows(reader, "SELECT outcome, count(*) FROM deliveries GROUP BY outcome"))


def test_closing_sends_at_once_what_lingers(
    cluster: EmbeddedCluster, writer: Writer, reader: Reader, run: RunRow
) -> None:
    """A stop must not call unresolved what only waited for others to batch with."""
    producer = make(cluster, writer, run, linger_ms=120_000, acks="all")
    send(producer, 0, 50)
    began_s = time.monotonic()
    producer.close(8.0)
    producer.recorder.wait_recorded(10)

    assert counted(reader) == {"delivered": 50}
    assert time.monotonic() - began_s < 5
    assert watermarks(cluster, "orders") == (0, 50)


def test_what_is_unreported_after_the_limit_is_unresolved(
    cluster: EmbeddedCluster, writer: Writer, reader: Reader, run: RunRow
) -> None:
    producer = make(cluster, writer, run)
    send(producer, 0, 2)
    wait_until(lambda: producer.outstanding == 0, 5, "not delivered")
    cluster.broker_down(ALL_BROKERS)
    send(producer, 2, 5)
    producer.close(0.2)
    producer.recorder.wait_recorded(10)

    assert counted(reader) == {"delivered": 2, "unresolved": 5}


def test_a_late_poll_is_counted_each_time_and_the_thread_lives_on(
    cluster: EmbeddedCluster,
    writer: Writer,
    reader: Reader,
    run: RunRow,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    producer = make(cluster, writer, run)
    flush, slow = producer.recorder.flush, [True, True]

    def flush_slowly(*, force: bool = False) -> None:
        if slow and not force:
            slow.pop()
            time.sleep(module.LATE_POLL_S + 0.1)
        flush(force=force)

    monkeypatch.setattr(producer.recorder, "flush", flush_slowly)
    wait_until(lambda: not slow, 5, "the poll thread never flushed")
    send(producer, 0, 3)
    producer.close(8.0)
    producer.recorder.wait_recorded(10)

    assert counted(reader) == {"delivered": 3}
    assert rows(reader, "SELECT sum(late_polls) FROM rollups WHERE resolution = 3600")[0] >= 2


def test_a_flush_that_breaks_once_loses_nothing(
    cluster: EmbeddedCluster,
    writer: Writer,
    reader: Reader,
    run: RunRow,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    producer = make(cluster, writer, run)
    flush, broken = producer.recorder.flush, [True]

    def flush_once_broken(*, force: bool = False) -> None:
        if broken:
            broken.pop()
            raise RuntimeError("once")
        flush(force=force)

    monkeypatch.setattr(producer.recorder, "flush", flush_once_broken)
    send(producer, 0, 3)
    wait_until(lambda: not broken, 5, "the poll thread never flushed")
    producer.close(8.0)
    producer.recorder.wait_recorded(10)

    assert counted(reader) == {"delivered": 3}


def test_after_a_fatal_error_a_new_producer_goes_on(
    cluster: EmbeddedCluster, writer: Writer, reader: Reader, run: RunRow
) -> None:
    """OUT_OF_ORDER_SEQUENCE_NUMBER for the head of the queue is fatal to an idempotent producer."""
    producer = make(cluster, writer, run, enable_idempotence=True)
    cluster.push_produce_errors([KafkaError.OUT_OF_ORDER_SEQUENCE_NUMBER])
    send(producer, 0, 1)
    first = producer.client
    wait_until(lambda: producer.client is not first, 10, "it was not made anew")
    send(producer, 1, 3)
    producer.close(8.0)
    producer.recorder.wait_recorded(10)

    found = rows(reader, "SELECT sequence, outcome FROM deliveries ORDER BY sequence")
    assert found == [(0, "failed"), (1, "delivered"), (2, "delivered"), (3, "delivered")]
    assert rows(reader, "SELECT stored FROM undelivered") == ["maybe"]
    assert producer.last_error is not None


def test_a_low_log_level_of_the_users_does_not_silence_the_attempts(
    cluster: EmbeddedCluster, writer: Writer, reader: Reader, run: RunRow
) -> None:
    cluster.push_produce_errors([KafkaError.NOT_ENOUGH_REPLICAS] * 200)
    producer = RecordingProducer(
        {**cluster.client_defaults, "log_level": 3, "debug": "broker", "delivery.timeout.ms": 700},
        lambda attempts: Recorder(writer, run.id, run.series, "all", attempts),
        "orders",
    )
    send(producer, 0, 1)
    wait_until(lambda: producer.outstanding == 0, 8, "no report")
    producer.close(1.0)
    producer.recorder.wait_recorded(10)

    ((reason, stored),) = rows(reader, "SELECT reason, stored FROM undelivered")
    assert "NOT_ENOUGH_REPLICAS ×" in reason
    assert stored == "no"


def test_statistics_that_break_do_not_stop_the_polls(
    cluster: EmbeddedCluster,
    writer: Writer,
    reader: Reader,
    run: RunRow,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "STATISTICS_MS", 50)
    seen: list[bool] = []

    def broken(_statistics: dict[str, Any]) -> None:
        seen.append(True)
        raise RuntimeError("a bug of the listener")

    producer = RecordingProducer(
        {**cluster.client_defaults, "linger.ms": 0},
        lambda attempts: Recorder(writer, run.id, run.series, "all", attempts),
        "orders",
        broken,
    )
    wait_until(lambda: len(seen) >= 2, 5, "no statistics came, or only once")
    send(producer, 0, 2)
    producer.close(8.0)
    producer.recorder.wait_recorded(10)

    assert counted(reader) == {"delivered": 2}
