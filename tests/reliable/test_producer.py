"""The drop-in behaves as the bare client does, and accounts for every record."""

from __future__ import annotations

import gc
import inspect
import logging
import threading
import uuid
import zlib
from typing import Any

import pytest
from confluent_kafka import Consumer, KafkaError, KafkaException, Message, Producer, TopicPartition
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from producer_agent import ReliableProducer as Exported
from producer_agent.kafka.embedded import ALL_BROKERS, EmbeddedCluster
from producer_agent.kafka.our_headers import IDENTITY, IDENTITY_HEADER
from producer_agent.reliable import Failure, FatalProducerError, ReliableProducer
from tests.reliable.conftest import MakeProducer
from tests.waiting import wait_until

PRODUCE_PARAMETERS = [
    "self",
    "topic",
    "value",
    "key",
    "partition",
    "callback",
    "on_delivery",
    "timestamp",
    "headers",
]
"""In the order of ``Producer_produce``'s keywords in confluent-kafka's ``src/Producer.c``."""


def read_all(cluster: EmbeddedCluster, topic: str, n: int) -> list[Message]:
    consumer = Consumer({**cluster.client_defaults, "group.id": "reader", "log_level": 0})
    found: list[Message] = []

    def enough() -> bool:
        found.extend(m for m in consumer.consume(100, 0.2) if m.error() is None)
        return len(found) >= n

    try:
        consumer.assign([TopicPartition(topic, 0, 0)])
        wait_until(enough, 10, f"{n} records never arrived")
    finally:
        consumer.close()
    return found


def test_it_can_stand_wherever_the_bare_client_does() -> None:
    assert Exported is ReliableProducer
    assert issubclass(ReliableProducer, Producer)
    assert list(inspect.signature(ReliableProducer.produce).parameters) == PRODUCE_PARAMETERS
    for name, parameters in {
        "poll": ["self", "timeout"],
        "flush": ["self", "timeout"],
        "purge": ["self", "in_queue", "in_flight", "blocking"],
        "init_transactions": ["self", "timeout"],
        "begin_transaction": ["self"],
        "commit_transaction": ["self", "timeout"],
        "abort_transaction": ["self", "timeout"],
        "produce_batch": ["self", "topic", "messages", "partition", "callback", "on_delivery"],
    }.items():
        ours = inspect.signature(getattr(ReliableProducer, name)).parameters
        assert list(ours) == parameters, name
        documented = getattr(Producer, name).__doc__
        for parameter in parameters[1:]:
            assert parameter in documented or parameter == "callback", (name, parameter)


def test_the_bare_client_takes_the_keywords_that_we_take(own_cluster: EmbeddedCluster) -> None:
    """Were one renamed there, a drop-in would no longer be one."""
    own_cluster.create_topic("t", 1)
    producer = Producer({**own_cluster.client_defaults, "log_level": 0})
    values: dict[str, Any] = {
        "topic": "t",
        "value": b"v",
        "key": b"k",
        "partition": 0,
        "callback": None,
        "on_delivery": None,
        "timestamp": 1,
        "headers": None,
    }
    assert [*values] == PRODUCE_PARAMETERS[1:]
    producer.produce(**values)
    producer.produce(*values.values())
    assert producer.flush(10) == 0
    producer.close()


def test_a_record_arrives_as_it_was_handed_over_and_says_which_it_is(
    make_producer: MakeProducer, own_cluster: EmbeddedCluster
) -> None:
    own_cluster.create_topic("t", 1)
    producer = make_producer()
    producer.produce("t", "väl", "k", 0, None, None, 1_700_000_000_000, {"a": b"1", "n": None})
    producer.produce("t", b"\xff", headers=[("a", "x"), ("a", b"y")], partition=0)
    producer.produce("t", key=b"tombstone")
    assert producer.flush(10) == 0

    first, second, third = read_all(own_cluster, "t", 3)
    assert (first.value(), first.key()) == ("väl".encode(), b"k")
    assert first.timestamp()[1] == 1_700_000_000_000
    run = uuid.UUID(producer.run).bytes
    assert first.headers() == [
        ("a", b"1"),
        ("n", None),
        (IDENTITY_HEADER, IDENTITY.pack(run, 0, zlib.crc32("väl".encode()))),
    ]
    assert (second.headers() or [])[:2] == [("a", b"x"), ("a", b"y")]
    assert (second.headers() or [])[2][1] == IDENTITY.pack(run, 1, zlib.crc32(b"\xff"))
    assert third.value() is None
    assert dict(third.headers() or [])[IDENTITY_HEADER] == IDENTITY.pack(run, 2, 0)


def test_without_identity_a_record_gets_no_header(
    make_producer: MakeProducer, own_cluster: EmbeddedCluster
) -> None:
    own_cluster.create_topic("t", 1)
    producer = make_producer(identity=False)
    producer.produce("t", "v")
    producer.flush(10)
    assert read_all(own_cluster, "t", 1)[0].headers() is None


@settings(
    max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(st.lists(st.sampled_from(["good", "no partition", "too large", "bad type"]), max_size=30))
def test_what_was_accepted_is_the_sum_of_its_ends(
    shared_cluster: EmbeddedCluster, fates: list[str]
) -> None:
    shared_cluster.create_topic("sums", 2)
    told: list[int] = []
    with ReliableProducer(
        {**shared_cluster.client_defaults, "log_level": 0, "linger.ms": 0},
        database=None,
        dead_letter_topic=None,
        on_delivery=lambda error, _message: told.append(error.code() if error else 0),
    ) as producer:
        producer.list_topics("sums", timeout=10)
        raised = 0
        for fate in fates:
            try:
                match fate:
                    case "good":
                        producer.produce("sums", "v")
                    case "no partition":
                        producer.produce("sums", "v", partition=99)
                    case "too large":
                        producer.produce("sums", b"x" * 1_100_000)
                    case _:
                        with pytest.raises(TypeError):
                            producer.produce("sums", 3)  # type: ignore[arg-type]
            except KafkaException:
                raised += 1
            counts = producer.counts()
            assert counts.accepted == counts.delivered + counts.failed + counts.outstanding
        producer.flush(10)
        counts = producer.counts()
    assert counts.rejected == raised
    assert counts.accepted == len(told) == counts.delivered + counts.failed
    assert counts.delivered == fates.count("good") == told.count(0)
    assert counts.outstanding == counts.unresolved == 0


def test_under_acks_0_nothing_is_called_delivered(
    make_producer: MakeProducer, own_cluster: EmbeddedCluster
) -> None:
    own_cluster.create_topic("t", 1)
    producer = make_producer(config={"acks": 0})
    for _ in range(5):
        producer.produce("t", "v")
    producer.flush(10)
    counts = producer.counts()
    assert (counts.delivered, counts.unconfirmed, counts.outstanding) == (0, 5, 0)


def test_a_callback_that_raises_does_so_from_poll_and_loses_no_account(
    make_producer: MakeProducer, own_cluster: EmbeddedCluster
) -> None:
    own_cluster.create_topic("t", 1)
    producer = make_producer()
    called: list[object] = []

    def boom(error: KafkaError | None, _message: Message) -> None:
        called.append(error)
        raise ValueError(f"boom {len(called)}")

    for _ in range(3):
        producer.produce("t", "v", on_delivery=boom)
    producer.produce("t", "v", partition=7, callback=boom)
    raised = []

    def all_called() -> bool:
        try:
            producer.poll(0.05)
        except ValueError as error:
            raised.append(str(error))
        return len(called) == 4

    wait_until(all_called, 10, "not every callback was called")
    assert raised == [f"boom {n}" for n in range(1, 5)]
    counts = producer.counts()
    assert (counts.delivered, counts.failed, counts.outstanding) == (3, 1, 0)


def test_the_default_callback_and_errors_only_are_as_of_the_bare_client(
    make_producer: MakeProducer, own_cluster: EmbeddedCluster
) -> None:
    own_cluster.create_topic("t", 1)
    told: list[int] = []
    producer = make_producer(
        config={
            "on_delivery": lambda error, _message: told.append(error.code() if error else 0),
            "delivery.report.only.error": True,
        }
    )
    # First, for a client that knows the topic's partitions already refuses it in produce().
    producer.produce("t", "v", partition=5)
    producer.produce("t", "v")
    producer.flush(10)
    assert told == [KafkaError._UNKNOWN_PARTITION]
    assert producer.counts().delivered == 1
    with pytest.raises(KafkaException, match="callable"):
        make_producer(config={"on_delivery": 3})


def test_a_full_queue_raises_and_the_record_that_goes_later_is_one_record(
    make_producer: MakeProducer, own_cluster: EmbeddedCluster
) -> None:
    own_cluster.create_topic("t", 1)
    producer = make_producer(config={"queue.buffering.max.messages": 5, "linger.ms": 200})
    full = 0
    for _ in range(50):
        while True:
            try:
                producer.produce("t", "v")
                break
            except BufferError:
                full += 1
                producer.poll(0.02)
    producer.flush(10)
    counts = producer.counts()
    assert full > 0
    assert counts.queue_full == full
    assert (counts.accepted, counts.delivered, counts.rejected) == (50, 50, 0)


def test_records_of_many_threads_are_each_accounted_for_once(
    make_producer: MakeProducer, own_cluster: EmbeddedCluster
) -> None:
    own_cluster.create_topic("t", 4)
    producer = make_producer(config={"queue.buffering.max.messages": 500})
    stop = threading.Event()

    def send() -> None:
        for _ in range(2_000):
            while True:
                try:
                    producer.produce("t", "v")
                    break
                except BufferError:
                    producer.poll(0.005)

    def poll() -> None:
        while not stop.is_set():
            producer.poll(0.01)

    senders = [threading.Thread(target=send) for _ in range(4)]
    pollers = [threading.Thread(target=poll) for _ in range(2)]
    for thread in senders + pollers:
        thread.start()
    for thread in senders:
        thread.join(60)
    stop.set()
    for thread in pollers:
        thread.join(10)
    producer.flush(20)
    counts = producer.counts()
    assert (counts.accepted, counts.delivered, counts.outstanding) == (8_000, 8_000, 0)


def test_a_failure_is_told_with_whether_the_record_may_be_stored(
    make_producer: MakeProducer, own_cluster: EmbeddedCluster, caplog: pytest.LogCaptureFixture
) -> None:
    own_cluster.create_topic("orders", 1)
    failures: list[Failure] = []
    producer = make_producer(
        config={"retries": 0}, on_failure=failures.append, dead_letter_topic=None
    )
    producer.produce("orders", "warm up")
    producer.flush(10)
    for code in (KafkaError.NOT_ENOUGH_REPLICAS, KafkaError.NOT_ENOUGH_REPLICAS_AFTER_APPEND):
        own_cluster.push_produce_errors([code])
        producer.produce("orders", b"payload", b"key-42", headers={"a": "b"})
        producer.flush(10)

    not_stored, maybe = failures
    assert (not_stored.code, not_stored.settled) == (KafkaError.NOT_ENOUGH_REPLICAS, True)
    assert (maybe.code, maybe.settled) == (KafkaError.NOT_ENOUGH_REPLICAS_AFTER_APPEND, False)
    assert maybe.headers[0] == ("a", "b")
    assert (maybe.key, maybe.value, maybe.topic, maybe.partition) == (
        b"key-42",
        b"payload",
        "orders",
        0,
    )
    record = next(r for r in caplog.records if getattr(r, "code", None) == not_stored.code)
    told = vars(record)
    assert record.levelno == logging.WARNING  # an error only where a dead letter says so
    assert told["topic"] == "orders"
    assert told["partition"] == 0
    assert told["cause"] == "NOT_ENOUGH_REPLICAS"
    assert told["attempts"] == 1
    assert told["first_attempt_us"] == told["last_attempt_us"]
    assert told["run"] == producer.run
    assert told["profile"] == "checkout"
    assert len(told["key_hash"]) == 16
    assert "key-42" not in caplog.text
    assert "payload" not in caplog.text


def test_an_exit_without_flush_says_how_many_records_are_open(
    make_producer: MakeProducer, own_cluster: EmbeddedCluster, caplog: pytest.LogCaptureFixture
) -> None:
    own_cluster.create_topic("t", 1)
    own_cluster.broker_down(ALL_BROKERS)
    producer = ReliableProducer(
        {**own_cluster.client_defaults, "log_level": 0}, database=None, name="hasty"
    )
    for _ in range(7):
        producer.produce("t", "v")
    del producer
    gc.collect()
    own_cluster.broker_up(ALL_BROKERS)
    assert "hasty: 7 records were accepted and have no report" in caplog.text
    assert "call flush() or close()" in caplog.text


def test_what_has_no_report_when_it_is_closed_is_unresolved(
    make_producer: MakeProducer, own_cluster: EmbeddedCluster
) -> None:
    own_cluster.create_topic("t", 1)
    own_cluster.broker_down(ALL_BROKERS)
    producer = make_producer()
    for _ in range(4):
        producer.produce("t", "v")
    producer.close(0.2)
    own_cluster.broker_up(ALL_BROKERS)
    counts = producer.counts()
    assert (counts.accepted, counts.unresolved, counts.outstanding) == (4, 4, 0)
    assert counts.dead_letters == 0


def test_a_closed_producer_says_so_and_may_be_closed_again(make_producer: MakeProducer) -> None:
    producer = make_producer()
    assert producer.close() is True
    assert producer.close() is True
    with pytest.raises(RuntimeError, match="closed"):
        producer.produce("t", "v")
    with pytest.raises(RuntimeError, match="closed"):
        producer.poll(0)
    assert producer.counts().accepted == 0


def test_what_the_user_purges_is_failed_and_no_dead_letter(
    make_producer: MakeProducer, own_cluster: EmbeddedCluster
) -> None:
    own_cluster.create_topic("t", 1)
    own_cluster.broker_down(ALL_BROKERS)
    producer = make_producer()
    for _ in range(3):
        producer.produce("t", "v")
    producer.purge()
    producer.flush(5)
    own_cluster.broker_up(ALL_BROKERS)
    counts = producer.counts()
    assert (counts.failed, counts.outstanding, counts.dead_letters) == (3, 0, 0)


def test_a_fatal_error_is_raised_in_words_by_whatever_meets_it(
    make_producer: MakeProducer, own_cluster: EmbeddedCluster
) -> None:
    """An idempotent producer whose sequence the broker does not know any more is dead."""
    own_cluster.create_topic("t", 1)
    producer = make_producer(config={"enable.idempotence": True, "retries": 2})
    producer.produce("t", "v")
    producer.flush(10)
    own_cluster.push_produce_errors([KafkaError.OUT_OF_ORDER_SEQUENCE_NUMBER])
    producer.produce("t", "v")
    met: list[FatalProducerError] = []

    def is_dead() -> bool:
        try:
            producer.flush(0.1)
            producer.produce("t", "v")
        except FatalProducerError as error:
            met.append(error)
        return bool(met)

    wait_until(is_dead, 10, "it never died")
    assert "make a new one" in str(met[0])
    assert isinstance(met[0].args[0], KafkaError)
    with pytest.raises(KafkaException):
        producer.produce("t", "v")
    counts = producer.counts()
    assert counts.accepted == counts.delivered + counts.failed + counts.outstanding


def test_reports_served_late_are_counted_and_told(
    make_producer: MakeProducer,
    own_cluster: EmbeddedCluster,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    own_cluster.create_topic("t", 1)
    monkeypatch.setattr("producer_agent.reliable.accounted.LATE_POLL_S", 0.0)
    producer = make_producer()
    producer.produce("t", "v")
    with caplog.at_level(logging.INFO, "producer_agent.reliable"):
        producer.poll(0)
    assert "call poll() more often" in caplog.text


def test_batches_keep_their_headers_and_tell_what_was_not_taken(
    make_producer: MakeProducer, own_cluster: EmbeddedCluster
) -> None:
    own_cluster.create_topic("t", 1)
    producer = make_producer(dead_letter_topic=None)
    messages: list[dict[str, Any]] = [
        {"value": b"1", "headers": {"a": "b"}},
        {"value": b"x" * 1_100_000},
    ]
    assert producer.produce_batch("t", messages, partition=0) == 1
    producer.flush(10)
    assert "_error" not in messages[0]
    assert messages[1]["_error"].code() == KafkaError.MSG_SIZE_TOO_LARGE
    assert (read_all(own_cluster, "t", 1)[0].headers() or [])[0] == ("a", b"b")


def test_closing_serves_every_report_even_where_a_callback_raises(
    make_producer: MakeProducer, own_cluster: EmbeddedCluster
) -> None:
    own_cluster.create_topic("t", 3)
    producer = make_producer(config={"linger.ms": 50})
    called: list[int] = []

    def boom(_error: KafkaError | None, _message: Message) -> None:
        called.append(1)
        raise ValueError(len(called))

    for n in range(30):
        producer.produce("t", "v", partition=n % 3, on_delivery=boom)
    with pytest.raises(ValueError, match=r"^\d+$"):
        producer.close()
    assert len(called) == 30
    counts = producer.counts()
    assert (counts.delivered, counts.unresolved, counts.outstanding) == (30, 0, 0)
    assert producer.close() is True
