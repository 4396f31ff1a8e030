"""The embedded cluster behaves as a Kafka cluster towards real clients, and ends cleanly."""

from __future__ import annotations

import gc
import platform
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path

import psutil
import pytest
from confluent_kafka import Consumer, KafkaError
from confluent_kafka.admin import AdminClient

from producer_agent.kafka import embedded, mock_library
from producer_agent.kafka.embedded import (
    PARTITION_LOG_BYTES,
    PRODUCE_API_KEY,
    EmbeddedCluster,
    EmbeddedClusterClosed,
    EmbeddedClusterError,
    EmbeddedClusterUnavailable,
)
from tests.kafka.mock_clients import (
    RecordingProducer,
    Report,
    read_partition,
    send_one,
    watermarks,
)
from tests.waiting import wait_until


@pytest.fixture
def cluster() -> Iterator[EmbeddedCluster]:
    with EmbeddedCluster() as running:
        running.create_topic("orders", partitions=1, replication_factor=3)
        yield running


def native_threads() -> int:
    return int(psutil.Process().num_threads())


def test_what_is_produced_can_be_consumed(cluster: EmbeddedCluster) -> None:
    producer = RecordingProducer(cluster, acks="all")
    for value in (b"one", b"two", b"three"):
        producer.send("orders", value)

    assert producer.settle() == [Report(0, 0), Report(0, 1), Report(0, 2)]
    assert read_partition(cluster, "orders", 3) == [b"one", b"two", b"three"]


def test_it_serves_idempotent_producers(cluster: EmbeddedCluster) -> None:
    assert send_one(cluster, "orders", enable_idempotence=True) == Report(0, 0)


def test_its_brokers_and_topics_show_in_metadata(cluster: EmbeddedCluster) -> None:
    cluster.create_topic("wide", partitions=6, replication_factor=2)
    metadata = AdminClient({"bootstrap.servers": cluster.bootstrap_servers}).list_topics(timeout=5)

    assert cluster.broker_ids == (1, 2, 3)
    assert set(metadata.brokers) == set(cluster.broker_ids)
    assert {f"{b.host}:{b.port}" for b in metadata.brokers.values()} == set(
        cluster.bootstrap_servers.split(",")
    )
    partitions = metadata.topics["wide"].partitions
    assert len(partitions) == 6
    assert all(len(partition.replicas) == 2 for partition in partitions.values())


def test_a_topic_is_created_once(cluster: EmbeddedCluster) -> None:
    assert cluster.create_topic("new", partitions=2, replication_factor=1) is True
    assert cluster.create_topic("new", partitions=2, replication_factor=1) is False


def test_a_consumer_group_is_joined_without_the_three_seconds_of_the_mock(
    cluster: EmbeddedCluster,
) -> None:
    send_one(cluster, "orders")
    consumer = Consumer(
        {**cluster.client_defaults, "group.id": "triage", "auto.offset.reset": "earliest"}
    )
    consumer.subscribe(["orders"])
    started = time.monotonic()
    try:
        wait_until(lambda: consumer.poll(0.1), 10, "the group never received the record")
        assert time.monotonic() - started < 2.5
    finally:
        consumer.close()


def test_a_partition_keeps_its_newest_five_mebibytes_and_tells_the_rest_by_its_low_watermark(
    cluster: EmbeddedCluster,
) -> None:
    producer = RecordingProducer(cluster, acks="all", batch_num_messages=1)
    value = b"x" * 100_000
    for _ in range(80):
        producer.send("orders", value)
    assert {report.code for report in producer.settle()} == {0}

    low, high = watermarks(cluster, "orders")
    assert high == 80
    assert low > 0
    # The newest batch is added after the trimming, so the log may exceed its limit by one.
    assert PARTITION_LOG_BYTES * 0.9 < (high - low) * len(value) < PARTITION_LOG_BYTES + 2 * 100_000


def test_delete_records_moves_the_low_watermark(cluster: EmbeddedCluster) -> None:
    producer = RecordingProducer(cluster, batch_num_messages=1)
    for _ in range(5):
        producer.send("orders")
    producer.settle()

    cluster.delete_records("orders", 0, before_offset=3)

    assert watermarks(cluster, "orders") == (3, 5)


def test_a_deleted_topic_has_lost_its_records(cluster: EmbeddedCluster) -> None:
    send_one(cluster, "orders")
    cluster.delete_topic("orders")
    cluster.create_topic("orders", partitions=1)

    assert watermarks(cluster, "orders") == (0, 0)


def test_a_leader_can_be_moved_and_the_new_one_is_produced_to(cluster: EmbeddedCluster) -> None:
    for broker_id in cluster.broker_ids:
        cluster.set_partition_leader("orders", 0, broker_id)
        metadata = AdminClient({"bootstrap.servers": cluster.bootstrap_servers}).list_topics(
            "orders", timeout=5
        )
        assert metadata.topics["orders"].partitions[0].leader == broker_id
        assert send_one(cluster, "orders").code == 0


def test_pushed_produce_errors_meet_the_next_requests_in_order(cluster: EmbeddedCluster) -> None:
    cluster.push_produce_errors([KafkaError.NOT_ENOUGH_REPLICAS, KafkaError.INVALID_RECORD])

    codes = [send_one(cluster, "orders", retries=0).code for _ in range(3)]

    assert codes == [KafkaError.NOT_ENOUGH_REPLICAS, KafkaError.INVALID_RECORD, 0]


def test_cleared_produce_errors_meet_nobody(cluster: EmbeddedCluster) -> None:
    cluster.push_produce_errors([KafkaError.INVALID_RECORD] * 10)
    cluster.clear_produce_errors()

    assert send_one(cluster, "orders", retries=0).code == 0


def test_requests_are_counted_by_kind_and_once(cluster: EmbeddedCluster) -> None:
    cluster.start_request_tracking()
    producer = RecordingProducer(cluster, batch_num_messages=1)
    for _ in range(7):
        producer.send("orders")
    producer.settle()

    assert cluster.take_request_counts()[PRODUCE_API_KEY] == 7
    assert cluster.take_request_counts()[PRODUCE_API_KEY] == 0


def test_no_request_goes_uncounted_while_other_threads_hold_the_gil(
    cluster: EmbeddedCluster,
) -> None:
    sends = 20_000
    counts: Counter[int] = Counter()
    settled = threading.Event()

    def hold_the_gil() -> None:
        while not settled.is_set():
            sum(range(1000))

    def count() -> None:
        while not settled.wait(0.005):
            counts.update(cluster.take_request_counts())

    threads = [threading.Thread(target=target) for target in (hold_the_gil, hold_the_gil, count)]
    cluster.start_request_tracking()
    for thread in threads:
        thread.start()
    try:
        producer = RecordingProducer(cluster, batch_num_messages=1)
        for _ in range(sends):
            producer.send("orders")
        producer.settle(30)
    finally:
        settled.set()
        for thread in threads:
            thread.join()
    counts.update(cluster.take_request_counts())

    # Requests can still fall between the two steps, where the operating system stops the thread:
    # hence the spare errors of the fault that counts by this.
    assert sends * 0.8 <= counts[PRODUCE_API_KEY] <= sends


def test_one_slow_broker_delays_the_acknowledgements_of_its_partitions_only(
    cluster: EmbeddedCluster,
) -> None:
    cluster.create_topic("elsewhere", partitions=1)
    cluster.set_partition_leader("orders", 0, 1)
    cluster.set_partition_leader("elsewhere", 0, 2)
    producer = RecordingProducer(cluster, acks="all")
    producer.send("orders")
    producer.send("elsewhere")
    producer.settle()
    cluster.set_broker_rtt(1, 700)

    def seconds(topic: str) -> float:
        started = time.monotonic()
        producer.send(topic)
        producer.settle()
        return time.monotonic() - started

    assert seconds("orders") >= 0.7
    assert seconds("elsewhere") < 0.5


@pytest.mark.parametrize(
    "mistake",
    [
        lambda cluster: cluster.create_topic("", partitions=1),
        lambda cluster: cluster.create_topic("a\0b", partitions=1),
        lambda cluster: cluster.create_topic("t", partitions=0),
        lambda cluster: cluster.create_topic("t", partitions=1, replication_factor=4),
        lambda cluster: cluster.set_partition_leader("t", -1, 1),
        lambda cluster: cluster.set_partition_leader("t", 0, 9),
        lambda cluster: cluster.delete_records("t", -1, 0),
        lambda cluster: cluster.broker_down(0),
        lambda cluster: cluster.broker_up(4),
        lambda cluster: cluster.set_broker_rtt(1, -1),
        lambda cluster: EmbeddedCluster(brokers=0),
    ],
)
def test_an_argument_that_the_mock_would_misread_never_reaches_it(
    cluster: EmbeddedCluster, mistake: object
) -> None:
    assert callable(mistake)
    with pytest.raises(ValueError, match=r"."):
        mistake(cluster)


def test_a_refused_command_is_an_error_with_kafkas_code(cluster: EmbeddedCluster) -> None:
    with pytest.raises(EmbeddedClusterError, match="Unknown topic") as refused:
        cluster.delete_topic("nothing")
    assert refused.value.code == KafkaError.UNKNOWN_TOPIC_OR_PART


def test_the_installed_librdkafka_has_every_symbol() -> None:
    assert embedded.probe_symbols() == []


def test_a_missing_symbol_is_named_with_the_versions_and_the_mend(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    signature = mock_library._REQUIRED["rd_kafka_mock_broker_set_up"]
    monkeypatch.setattr(
        mock_library, "_REQUIRED", {**mock_library._REQUIRED, "rd_kafka_mock_gone": signature}
    )

    assert embedded.probe_symbols() == ["rd_kafka_mock_gone"]
    with pytest.raises(EmbeddedClusterUnavailable) as unavailable:
        EmbeddedCluster()
    message = str(unavailable.value)
    for part in (
        "rd_kafka_mock_gone",
        platform.platform(),
        version("confluent-kafka"),
        "KAFKA_BOOTSTRAP_SERVERS",
        "make lab",
    ):
        assert part in message


def test_a_library_without_the_younger_functions_still_runs_a_cluster(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(mock_library, "_OPTIONAL", {})
    with EmbeddedCluster(brokers=1) as cluster:
        assert cluster.create_topic("orders", partitions=1)
        assert send_one(cluster, "orders").code == 0
        with pytest.raises(EmbeddedClusterUnavailable, match="rd_kafka_mock_topic_delete"):
            cluster.delete_topic("orders")


def test_closing_ends_every_thread_and_may_be_repeated() -> None:
    before = native_threads()
    cluster = EmbeddedCluster()
    producer = RecordingProducer(cluster)
    producer.send("orders")
    producer.settle()
    del producer
    assert native_threads() > before

    cluster.close()
    cluster.close()

    assert cluster.closed
    wait_until(lambda: native_threads() <= before, 5, "threads of the mock are left")


def test_a_forgotten_cluster_is_closed_when_it_is_collected() -> None:
    before = native_threads()
    cluster = EmbeddedCluster()
    assert native_threads() > before
    del cluster
    gc.collect()
    wait_until(lambda: native_threads() <= before, 5, "threads of the mock are left")


def test_a_closed_cluster_says_so_instead_of_touching_freed_memory(
    cluster: EmbeddedCluster,
) -> None:
    cluster.close()
    for use in (
        lambda: cluster.create_topic("late"),
        lambda: cluster.push_produce_errors([19]),
        cluster.take_request_counts,
        lambda: cluster.broker_down(1),
    ):
        with pytest.raises(EmbeddedClusterClosed):
            use()


def test_closing_while_other_threads_use_it_stops_them_with_an_error() -> None:
    cluster = EmbeddedCluster()
    started = threading.Barrier(4)
    ends: list[type[Exception]] = []

    def use() -> None:
        started.wait()
        try:
            while True:
                cluster.set_broker_rtt(1, 0)
                cluster.push_produce_errors([0])
                cluster.clear_produce_errors()
        except EmbeddedClusterClosed as end:
            ends.append(type(end))

    threads = [threading.Thread(target=use) for _ in range(3)]
    for thread in threads:
        thread.start()
    started.wait()
    cluster.close()
    for thread in threads:
        thread.join(timeout=5)

    assert ends == [EmbeddedClusterClosed] * 3


def test_a_process_that_never_closes_it_exits_cleanly_and_so_does_its_forked_child() -> None:
    program = (
        "import os\n"
        "from producer_agent.kafka.embedded import EmbeddedCluster\n"
        "cluster = EmbeddedCluster()\n"
        "child = os.fork()\n"
        "if child:\n"
        "    print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program],
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        timeout=20,
        check=False,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "0\n", "")
