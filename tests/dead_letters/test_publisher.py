"""The publisher empties the outbox, however long that takes, and doubles no dead letter."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from confluent_kafka import KafkaError

from producer_agent.dead_letters import consumer as consumer_module
from producer_agent.dead_letters import publisher as module
from producer_agent.dead_letters.publisher import Publisher
from producer_agent.kafka.embedded import ALL_BROKERS, EmbeddedCluster
from producer_agent.store import outbox
from producer_agent.store.database import StoreError
from producer_agent.store.reader import Reader
from producer_agent.store.writer import Writer
from tests.dead_letters.records import TOPIC, consuming, read
from tests.recording import begin_run, failure, record, register_cluster, rows
from tests.waiting import wait_until


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "IDLE_S", 0.05)
    monkeypatch.setattr(module, "FIRST_BACKOFF_S", 0.1)
    monkeypatch.setattr(consumer_module, "POLL_S", 0.05)


@pytest.fixture
def cluster(own_cluster: EmbeddedCluster) -> EmbeddedCluster:
    own_cluster.create_topic(TOPIC, partitions=1)
    return own_cluster


@contextmanager
def publishing(
    cluster: EmbeddedCluster, writer: Writer, delivery_timeout_ms: int = 3_000, **settings: int
) -> Iterator[Publisher]:
    publisher = Publisher(cluster.client_defaults, TOPIC, writer)
    publisher._config["delivery.timeout.ms"] = delivery_timeout_ms
    publisher._config["request.timeout.ms"] = 1_000
    publisher._config |= {name.replace("_", "."): value for name, value in settings.items()}
    publisher.start()
    try:
        yield publisher
    finally:
        publisher.close()


def wait_empty(reader: Reader) -> None:
    wait_until(lambda: reader(outbox.waiting).rows == 0, 20, "the outbox was not emptied")


def test_what_failed_becomes_a_dead_letter_with_all_that_is_known(
    cluster: EmbeddedCluster, writer: Writer, reader: Reader
) -> None:
    run = begin_run(writer, name="critical", run_uuid="ab" * 16)
    record(
        writer,
        run,
        failed=[
            failure(0, key=b"\xff", value=b"\0\xfe", stored="maybe", attempts={"causes": []}),
            failure(1, key=None, value=None, headers=()),
        ],
    )
    with publishing(cluster, writer), consuming(cluster, writer, register_cluster(writer)):
        wait_empty(reader)
        wait_until(
            lambda: rows(reader, "SELECT count(*) FROM dead_letters") == [2], 10, "not read back"
        )

    assert rows(
        reader,
        "SELECT convention, side, original_topic, error_class, error_code, may_be_stored, "
        "profile, run_uuid, letter_id FROM dead_letters WHERE sequence = 0",
    ) == [
        (
            "ackboard",
            "producer",
            "orders",
            "NOT_ENOUGH_REPLICAS",
            19,
            1,
            "critical",
            "ab" * 16,
            f"{'ab' * 16}:0",
        )
    ]
    places = rows(reader, "SELECT published_to FROM outbox ORDER BY id")
    assert places == ["dead[0]@0", "dead[0]@1"]
    first = read(cluster, TOPIC, 2)[0]
    assert first.key() == b"\xff", "the record keeps its key, and with it its partition"


def test_a_dead_cluster_is_waited_out_and_then_the_outbox_drains(
    cluster: EmbeddedCluster, writer: Writer, reader: Reader
) -> None:
    cluster.broker_down(ALL_BROKERS)
    record(writer, begin_run(writer), failed=range(700))
    with publishing(cluster, writer, delivery_timeout_ms=1_000) as publisher:
        wait_until(lambda: publisher.error, 20, "nobody is told why nothing goes")
        assert reader(outbox.waiting).rows == 700
        cluster.broker_up(ALL_BROKERS)
        wait_empty(reader)
        wait_until(lambda: publisher.error is None, 5, "the error stays although it is over")

    published = {message.key() for message in read(cluster, TOPIC, 700)}
    assert published == {b"k"}


def test_a_crash_between_acknowledgement_and_mark_doubles_no_dead_letter(
    cluster: EmbeddedCluster, writer: Writer, reader: Reader, monkeypatch: pytest.MonkeyPatch
) -> None:
    record(writer, begin_run(writer), failed=range(3))
    mark, crashes = outbox.published, [True]

    def crash_once(db: Any, places: Any) -> None:
        if crashes:
            crashes.pop()
            raise StoreError("the machine lost power")
        mark(db, places)

    monkeypatch.setattr(outbox, "published", crash_once)
    with publishing(cluster, writer), consuming(cluster, writer, register_cluster(writer)):
        wait_empty(reader)
        assert len(read(cluster, TOPIC, 6)) == 6, "each was published twice"
        wait_until(
            lambda: rows(reader, "SELECT next_offset FROM dead_letter_positions") == [6],
            15,
            "not all was read",
        )

    assert rows(reader, "SELECT sequence FROM dead_letters ORDER BY sequence") == [0, 1, 2]


def test_what_is_too_large_for_the_topic_goes_without_its_value_which_stays_here(
    cluster: EmbeddedCluster, writer: Writer, reader: Reader
) -> None:
    record(writer, begin_run(writer), failed=[failure(0, value=b"\xee" * 10_000)])
    cluster.push_produce_errors([KafkaError.MSG_SIZE_TOO_LARGE])
    with publishing(cluster, writer):
        wait_empty(reader)

    (message,) = read(cluster, TOPIC, 1)
    body = json.loads(message.value() or b"")
    assert body["original_value"] is None
    assert body["original_value_omitted"]["bytes"] == 10_000
    ((refusal, value),) = rows(reader, "SELECT refusal, value FROM outbox")
    assert refusal == "larger than the dead-letter topic takes"
    assert value == b"\xee" * 10_000


def test_what_is_too_large_even_without_its_value_leaves_its_key_behind_as_well(
    cluster: EmbeddedCluster, writer: Writer, reader: Reader
) -> None:
    """Nothing may hold up the outbox for good; key, value and headers stay in its row."""
    run = begin_run(writer)
    record(writer, run, failed=[failure(0, key=b"k" * 5_000)])
    record(writer, run, failed=range(1, 4))
    with publishing(cluster, writer, message_max_bytes=3_000):
        wait_until(lambda: reader(outbox.waiting).rows == 0, 30, "something is held up")
    refused = rows(reader, "SELECT sequence FROM outbox WHERE refusal IS NOT NULL")
    assert refused == [0]
    (uuid,) = rows(reader, "SELECT uuid FROM runs")
    kept = reader(lambda db: outbox.event_of(db, uuid, 0))
    assert kept is not None
    assert kept.key == b"k" * 5_000


def test_closing_leaves_what_was_not_acknowledged_in_the_outbox(
    cluster: EmbeddedCluster, writer: Writer, reader: Reader
) -> None:
    cluster.broker_down(ALL_BROKERS)
    record(writer, begin_run(writer), failed=range(5))
    with publishing(cluster, writer, delivery_timeout_ms=500):
        pass
    assert reader(outbox.waiting).rows == 5
