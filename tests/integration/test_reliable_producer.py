"""The reliable producer on three real nodes: transactions, fencing, services under an agent."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from confluent_kafka import Consumer, KafkaException, TopicPartition
from confluent_kafka import KafkaError as Error

from producer_agent.kafka.lab import Lab
from producer_agent.kafka.topics import TopicSpec, ensure_topics
from producer_agent.reliable import ProducerFenced, ReliableProducer, TransactionAborted
from producer_agent.store.applications import DIED
from producer_agent.store.reader import Reader
from tests.integration.agent_process import ROOT, AgentProcess
from tests.integration.support import client_config
from tests.recording import assert_one_outcome_each
from tests.waiting import wait_until

pytestmark = pytest.mark.real_kafka


class Bang(Exception):
    """Raised by a block."""


def make_topics(lab: Lab, *names: str) -> None:
    specs = [TopicSpec(name, 1, 3, 2) for name in names]
    assert ensure_topics(client_config(lab), specs) == []


def transactional(lab: Lab, transactional_id: str) -> ReliableProducer:
    return ReliableProducer(
        {**client_config(lab), "transactional.id": transactional_id, "log_level": 0},
        database=None,
        dead_letter_topic=None,
    )


def committed(lab: Lab, topic: str) -> list[bytes | None]:
    """What a consumer of committed records sees, to the end that is stable now."""
    consumer = Consumer(
        {
            **client_config(lab),
            "group.id": uuid.uuid4().hex,
            "isolation.level": "read_committed",
            "enable.partition.eof": True,
            "log_level": 0,
        }
    )
    found: list[bytes | None] = []

    def at_end() -> bool:
        message = consumer.poll(0.2)
        error = None if message is None else message.error()
        if message is not None and error is None:
            found.append(message.value())
        return error is not None and error.code() == Error._PARTITION_EOF

    try:
        consumer.assign([TopicPartition(topic, 0, 0)])
        wait_until(at_end, 20, f"the end of {topic} was never reached")
    finally:
        consumer.close()
    return found


def test_a_transaction_over_two_topics_is_seen_whole_or_not_at_all(lab: Lab) -> None:
    make_topics(lab, "atomic-orders", "atomic-stock")

    def send(value: str, *, fail: bool = False) -> None:
        with producer.transaction():
            for topic in ("atomic-orders", "atomic-stock"):
                producer.produce(topic, value)
            producer.flush(20)
            if fail:
                raise Bang

    with transactional(lab, "atomic") as producer:
        send("first")
        with pytest.raises(Bang):
            send("never", fail=True)
        for topic in ("atomic-orders", "atomic-stock"):
            assert committed(lab, topic) == [b"first"]
        send("second")
        counts = producer.counts()
    for topic in ("atomic-orders", "atomic-stock"):
        assert committed(lab, topic) == [b"first", b"second"]
    assert (counts.commits, counts.aborts, counts.delivered, counts.failed) == (2, 1, 4, 2)


def test_a_record_that_the_broker_refuses_takes_its_transaction_along(lab: Lab) -> None:
    make_topics(lab, "refused-orders", "refused-stock")

    def send(value: bytes, key: bytes | None) -> None:
        with producer.transaction():
            producer.produce("refused-stock", b"companion of " + value[:5], b"k")
            producer.produce("refused-orders", value, key)

    # Larger than the broker's message.max.bytes, and not than the client's.
    config = {
        **client_config(lab),
        "transactional.id": "refused",
        "message.max.bytes": 4_000_000,
        "log_level": 0,
    }
    with ReliableProducer(config, database=None, dead_letter_topic=None) as producer:
        with pytest.raises(TransactionAborted):
            send(b"large" + bytes(2_000_000), b"k")
        for _ in range(3):
            try:
                send(b"small", b"k")
                break
            except TransactionAborted:
                continue  # the gap that the refused record left costs one more
    assert committed(lab, "refused-stock") == [b"companion of small"]
    assert committed(lab, "refused-orders") == [b"small"]


def test_a_second_producer_with_the_same_id_fences_the_first(lab: Lab) -> None:
    make_topics(lab, "fenced")
    first, second = transactional(lab, "twin"), transactional(lab, "twin")
    try:
        with first.transaction():
            first.produce("fenced", "first")
        with second.transaction():
            second.produce("fenced", "second")

        def send_again() -> None:
            with first.transaction():
                first.produce("fenced", "too late")

        with pytest.raises(ProducerFenced, match="only one instance"):
            send_again()
    finally:
        first.close(5)
        second.close()
    assert committed(lab, "fenced") == [b"first", b"second"]


def test_what_was_consumed_is_committed_with_what_was_produced_of_it(lab: Lab) -> None:
    make_topics(lab, "mill-in", "mill-out")
    with transactional(lab, "mill-source") as source, source.transaction():
        for n in range(4):
            source.produce("mill-in", f"v{n}")
    consumer = Consumer(
        {
            **client_config(lab),
            "group.id": "mill",
            "enable.auto.commit": False,
            "auto.offset.reset": "earliest",
            "isolation.level": "read_committed",
            "log_level": 0,
        }
    )
    values: list[bytes] = []

    def consumed() -> bool:
        message = consumer.poll(0.2)
        if message is not None and message.error() is None:
            values.append(message.value() or b"")
        return len(values) == 4

    place = TopicPartition("mill-in", 0)
    producer = transactional(lab, "mill")

    def process(*, fail: bool) -> None:
        with producer.transaction() as txn:
            for value in values:
                producer.produce("mill-out", value.upper())
            txn.send_offsets(consumer)
            if fail:
                raise Bang

    try:
        consumer.subscribe(["mill-in"])
        wait_until(consumed, 40, "nothing was consumed")
        with pytest.raises(Bang):
            process(fail=True)
        assert consumer.committed([place], 10)[0].offset < 0
        process(fail=False)
        assert consumer.committed([place], 10)[0].offset >= 4
    finally:
        producer.close()
        consumer.close()
    assert committed(lab, "mill-out") == [b"V0", b"V1", b"V2", b"V3"]


@contextmanager
def tasks_service(lab: Lab, db: Path) -> Iterator[subprocess.Popen[bytes]]:
    process = subprocess.Popen(
        [sys.executable, "-m", "examples.tasks", "--db", str(db), "--rate", "100"],
        cwd=ROOT,
        env={**os.environ, "KAFKA_BOOTSTRAP_SERVERS": lab.bootstrap_servers},
    )
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def test_a_service_under_an_agent_has_its_end_recorded_however_it_ends(
    lab: Lab, db_path: Path
) -> None:
    """Stopped, it closes its run; killed, the agent does, once the heartbeat is old. And what it
    could not deliver is a dead letter on the board, under its own name."""
    make_topics(lab, "shop-tasks")
    with AgentProcess(lab, db_path) as agent:
        for number, reason in ((signal.SIGTERM, "closed"), (signal.SIGKILL, DIED)):
            with tasks_service(lab, db_path) as service:
                wait_until(
                    lambda: agent.query(
                        "SELECT 1 FROM runs WHERE profile = 'shop-tasks' AND ended_us IS NULL "
                        "AND settled >= 50"
                    ),
                    60,
                    "the service was not recorded",
                )
                service.send_signal(number)
                service.wait(30)
            wait_until(
                lambda reason=reason: agent.query(
                    "SELECT 1 FROM runs WHERE profile = 'shop-tasks' AND end_reason = ?", [reason]
                ),
                60,
                f"its run was not ended as {reason!r}",
            )
        for run in agent.query("SELECT uuid FROM runs WHERE profile = 'shop-tasks'"):
            assert assert_one_outcome_each(Reader(db_path), run["uuid"])["delivered"] >= 50

        with ReliableProducer(
            {**client_config(lab), "log_level": 0}, name="checkout", database=db_path
        ) as producer:
            with pytest.raises(KafkaException):
                producer.produce("shop-tasks", bytes(1_100_000), "key-7")
            wait_until(
                lambda: agent.query(
                    "SELECT 1 FROM dead_letters WHERE profile = 'checkout' AND error_code = ? "
                    "AND original_topic = 'shop-tasks' AND run_uuid = ?",
                    [Error.MSG_SIZE_TOO_LARGE, producer.run],
                ),
                60,
                "its dead letter never came to the board",
            )
