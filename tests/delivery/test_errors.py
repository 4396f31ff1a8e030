"""The error table agrees with what librdkafka reports on the embedded cluster."""

from __future__ import annotations

import pytest
from confluent_kafka import KafkaError, KafkaException, Message, Producer

from producer_agent.delivery.errors import BY_NAME, TABLE, ErrorFact, Retried, Stored, fact_of
from producer_agent.kafka.embedded import ALL_BROKERS, PRODUCE_API_KEY, EmbeddedCluster
from tests.kafka.mock_clients import read_partition, send_one, watermarks
from tests.waiting import wait_until

NOT_STORED = {
    KafkaError.NOT_ENOUGH_REPLICAS,
    KafkaError.MSG_SIZE_TOO_LARGE,
    KafkaError.TOPIC_AUTHORIZATION_FAILED,
}


@pytest.mark.parametrize("code", [19, 20, 10, 29])
def test_a_pushed_produce_error_is_reported_under_its_own_code_and_is_in_the_table(
    own_cluster: EmbeddedCluster, code: int
) -> None:
    own_cluster.create_topic("orders", partitions=1)
    own_cluster.push_produce_errors([code] * 5)

    assert send_one(own_cluster, "orders", retries=0).code == code
    fact = TABLE[code]
    assert fact.name == KafkaError(code).name()
    assert fact.stored is (Stored.NO if code in NOT_STORED else Stored.MAYBE)


@pytest.mark.parametrize("code", [19, 20])
def test_what_the_table_calls_retried_is_retried_inside_and_delivered_in_the_end(
    own_cluster: EmbeddedCluster, code: int
) -> None:
    own_cluster.create_topic("orders", partitions=1)
    own_cluster.push_produce_errors([code])

    assert TABLE[code].retried is Retried.YES
    assert send_one(own_cluster, "orders").code == 0


@pytest.mark.parametrize("code", [10, 29])
def test_what_the_table_calls_permanent_is_not_retried(
    own_cluster: EmbeddedCluster, code: int
) -> None:
    own_cluster.create_topic("orders", partitions=1)
    own_cluster.push_produce_errors([code])

    assert TABLE[code].retried is Retried.NO
    assert send_one(own_cluster, "orders").code == code
    assert watermarks(own_cluster, "orders") == (0, 0)


@pytest.mark.parametrize("code", [3, 29])
def test_an_error_of_the_topic_reaches_the_report(
    shared_cluster: EmbeddedCluster, code: int
) -> None:
    topic = f"errors-topic-{code}"
    shared_cluster.set_topic_error(topic, code)

    assert send_one(shared_cluster, topic).code == code
    assert TABLE[code].stored is Stored.NO


def test_with_all_brokers_down_the_delivery_times_out(own_cluster: EmbeddedCluster) -> None:
    own_cluster.create_topic("orders", partitions=1)
    own_cluster.broker_down(ALL_BROKERS)

    report = send_one(own_cluster, "orders", delivery_timeout_ms=600)

    assert report.code == KafkaError._MSG_TIMED_OUT
    assert TABLE[report.code].retried is Retried.ENDED
    assert TABLE[report.code].stored is Stored.MAYBE


def test_a_report_of_not_enough_replicas_does_not_call_itself_retriable(
    own_cluster: EmbeddedCluster,
) -> None:
    """Hence codes and not KafkaError.retriable(): librdkafka retries 19 itself, and the report
    says no all the same."""
    own_cluster.create_topic("orders", partitions=1)
    own_cluster.push_produce_errors([KafkaError.NOT_ENOUGH_REPLICAS])

    error = _error_of(Producer({**own_cluster.client_defaults, "retries": 0}))

    assert error.code() == KafkaError.NOT_ENOUGH_REPLICAS
    assert error.retriable() is False
    assert error.fatal() is False
    assert fact_of(error.code()).retried is Retried.YES


def test_a_partition_that_is_not_there_was_never_sent(shared_cluster: EmbeddedCluster) -> None:
    shared_cluster.create_topic("errors-partition", partitions=1)
    producer = Producer(shared_cluster.client_defaults)
    codes: list[int] = []
    try:
        producer.produce(
            "errors-partition",
            b"x",
            partition=7,
            on_delivery=lambda error, _message: codes.append(error.code()),  # type: ignore[union-attr]
        )
        producer.flush(10)
    except KafkaException as raised:
        codes.append(raised.args[0].code())

    assert codes == [KafkaError._UNKNOWN_PARTITION]
    assert TABLE[codes[0]].stored is Stored.NO


def test_a_full_queue_raises_buffer_error_and_has_a_row(shared_cluster: EmbeddedCluster) -> None:
    producer = Producer(
        {
            **shared_cluster.client_defaults,
            "queue.buffering.max.messages": 1,
            "linger.ms": 60_000,
        }
    )
    producer.produce("errors-full", b"x")
    with pytest.raises(BufferError, match="Queue full"):
        producer.produce("errors-full", b"x")

    assert TABLE[KafkaError._QUEUE_FULL].stored is Stored.NO
    producer.purge()
    producer.flush(5)


def test_a_purged_queue_was_not_sent_and_what_was_in_flight_is_stored_all_the_same(
    own_cluster: EmbeddedCluster,
) -> None:
    """The table's two rows of purge(): NO and MAYBE, and the second is no mere caution."""
    own_cluster.create_topic("orders", partitions=1)
    codes: list[int] = []

    def keep(error: KafkaError | None, _message: Message) -> None:
        codes.append(error.code() if error else 0)

    queued = Producer({**own_cluster.client_defaults, "linger.ms": 60_000})
    queued.produce("orders", b"queued", on_delivery=keep)
    queued.purge()
    queued.flush(5)
    assert codes == [KafkaError._PURGE_QUEUE]
    assert TABLE[codes[0]].stored is Stored.NO

    send_one(own_cluster, "orders")
    flying = Producer({**own_cluster.client_defaults, "linger.ms": 0, "acks": "all"})
    flying.produce("orders", b"first", on_delivery=keep)
    flying.flush(5)
    own_cluster.set_broker_rtt(ALL_BROKERS, 3000)
    own_cluster.start_request_tracking()
    flying.produce("orders", b"flying", on_delivery=keep)
    wait_until(
        lambda: own_cluster.take_request_counts()[PRODUCE_API_KEY], 5, "it never left the client"
    )
    flying.purge(in_queue=True, in_flight=True)
    flying.flush(2)
    own_cluster.set_broker_rtt(ALL_BROKERS, 0)
    assert read_partition(own_cluster, "orders", 3)[-1] == b"flying"
    assert codes[-1] == KafkaError._PURGE_INFLIGHT
    assert TABLE[codes[-1]].stored is Stored.MAYBE


@pytest.mark.parametrize("fact", TABLE.values(), ids=lambda fact: fact.name)
def test_every_row_bears_librdkafkas_own_name_and_a_mend(fact: ErrorFact) -> None:
    assert KafkaError(fact.code).name() == fact.name
    assert BY_NAME[fact.name] is fact
    assert fact.mend.endswith(".")
    assert fact.summary.startswith(fact.meaning)


def test_a_code_without_a_row_may_be_stored() -> None:
    assert 9_999 not in TABLE
    fact = fact_of(9_999)
    assert fact.stored is Stored.MAYBE
    assert "read the topic back" in fact.mend


def _error_of(producer: Producer) -> KafkaError:
    errors: list[KafkaError | None] = []
    producer.produce("orders", b"x", on_delivery=lambda error, _message: errors.append(error))
    producer.flush(10)
    assert errors[0] is not None
    return errors[0]
