"""A transaction is seen whole or not at all, and what cannot be committed says what to do."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from confluent_kafka import Consumer, KafkaError, KafkaException, TopicPartition

from producer_agent.kafka.embedded import EmbeddedCluster
from producer_agent.reliable import (
    FatalProducerError,
    ProducerFenced,
    ReliableProducer,
    TransactionAborted,
    TransactionInDoubt,
)
from producer_agent.reliable.transactions import transaction
from producer_agent.store.reader import Reader
from tests.recording import assert_one_outcome_each, rows
from tests.reliable.conftest import MakeProducer
from tests.waiting import wait_until


class Bang(Exception):
    """Raised by a block."""


def committed(cluster: EmbeddedCluster, topic: str) -> list[bytes | None]:
    """What a consumer of committed records sees on partition 0.

    librdkafka's mock shows it aborted ones as well, and does not commit a transaction's offsets:
    tests/integration/test_reliable_producer.py asks three real nodes for that.
    """
    consumer = Consumer(
        {
            **cluster.client_defaults,
            "group.id": "reader",
            "isolation.level": "read_committed",
            "enable.partition.eof": True,
            "log_level": 0,
        }
    )
    found: list[bytes | None] = []

    def at_end() -> bool:
        message = consumer.poll(0.2)
        if message is None:
            return False
        if message.error() is not None:
            return message.error().code() == KafkaError._PARTITION_EOF
        found.append(message.value())
        return False

    try:
        consumer.assign([TopicPartition(topic, 0, 0)])
        wait_until(at_end, 15, f"the end of {topic} was never reached")
    finally:
        consumer.close()
    return found


@pytest.fixture
def topics(own_cluster: EmbeddedCluster) -> tuple[str, str]:
    for topic in ("orders", "stock"):
        own_cluster.create_topic(topic, 1)
    return "orders", "stock"


@pytest.fixture
def make_transactional(make_producer: MakeProducer) -> MakeProducer:
    def make(database: Path | None = None, **config: Any) -> ReliableProducer:
        return make_producer(database, config={"transactional.id": uuid.uuid4().hex, **config})

    return make


def test_a_block_that_ends_well_is_committed_to_all_topics(
    make_transactional: MakeProducer,
    own_cluster: EmbeddedCluster,
    topics: tuple[str, str],
    database: Path,
    read: Reader,
) -> None:
    producer = make_transactional(database)
    for n in range(3):
        with producer.transaction():
            for topic in topics:
                producer.produce(topic, f"{n}")
            producer.flush(10)
            assert producer.counts().delivered == 2 * n, "acknowledged is not committed"
    producer.close()

    for topic in topics:
        assert committed(own_cluster, topic) == [b"0", b"1", b"2"]
    counts = producer.counts()
    assert (counts.commits, counts.aborts, counts.delivered) == (3, 0, 6)
    assert assert_one_outcome_each(read, producer.run) == {"delivered": 6}
    assert rows(read, "SELECT commits, aborts FROM runs") == [(3, 0)]
    assert rows(read, "SELECT sum(commits) FROM rollups WHERE resolution = 1") == [3]
    assert rows(read, "SELECT DISTINCT topic FROM deliveries ORDER BY 1") == ["orders", "stock"]


def test_a_block_that_raises_leaves_nothing_to_be_seen_and_no_dead_letter(
    make_transactional: MakeProducer,
    own_cluster: EmbeddedCluster,
    topics: tuple[str, str],
    database: Path,
    read: Reader,
) -> None:
    producer = make_transactional(database)

    def fail_midway() -> None:
        with producer.transaction():
            for topic in topics:
                producer.produce(topic, "never")
            producer.flush(10)
            producer.produce(topics[0], "still queued")
            raise Bang

    with pytest.raises(Bang):
        fail_midway()
    with producer.transaction():
        producer.produce(topics[0], "after")
    producer.close()

    counts = producer.counts()
    assert (counts.commits, counts.aborts, counts.delivered, counts.failed) == (1, 1, 1, 3)
    assert counts.dead_letters == 0
    assert assert_one_outcome_each(read, producer.run) == {"delivered": 1, "failed": 3}
    assert rows(read, "SELECT DISTINCT code_name, stored FROM undelivered") == [
        ("TRANSACTION_ABORTED", "no")
    ]
    assert rows(read, "SELECT count(*) FROM outbox") == [0]


def test_a_record_that_fails_aborts_its_transaction_which_may_be_done_again(
    make_transactional: MakeProducer, own_cluster: EmbeddedCluster, topics: tuple[str, str]
) -> None:
    producer = make_transactional()
    with producer.transaction():
        producer.produce(topics[0], "first")

    def send(value: str) -> None:
        with producer.transaction():
            for topic in topics:
                producer.produce(topic, value)
            producer.flush(10)

    own_cluster.push_produce_errors([KafkaError.INVALID_RECORD])
    with pytest.raises(TransactionAborted, match="do it again"):
        send("refused")
    # The refused record left a gap in the sequence numbers, which costs one more abort.
    for _ in range(3):
        try:
            send("again")
            break
        except TransactionAborted:
            continue
    counts = producer.counts()
    assert (counts.commits, counts.dead_letters, counts.outstanding) == (2, 0, 0)
    assert (counts.delivered, counts.failed) == (3, 2 * counts.aborts)


def test_a_record_outside_a_transaction_is_the_callers_mistake_and_no_dead_letter(
    make_transactional: MakeProducer, topics: tuple[str, str]
) -> None:
    producer = make_transactional()
    producer.init_transactions(10)
    with pytest.raises(KafkaException) as caught:
        producer.produce(topics[0], "v")
    assert caught.value.args[0].code() == KafkaError._STATE
    counts = producer.counts()
    assert (counts.accepted, counts.rejected, counts.dead_letters) == (0, 1, 0)


def test_a_transaction_left_open_is_aborted_when_the_producer_is_closed(
    make_transactional: MakeProducer, own_cluster: EmbeddedCluster, topics: tuple[str, str]
) -> None:
    producer = make_transactional()
    producer.init_transactions(10)
    producer.begin_transaction()
    producer.produce(topics[0], "open")
    producer.close()
    counts = producer.counts()
    assert (counts.aborts, counts.failed, counts.outstanding) == (1, 1, 0)


class Scripted:
    """A producer whose calls raise what they are told to, one after another."""

    def __init__(self, **script: list[KafkaError]) -> None:
        self.script = script
        self.calls: list[str] = []

    def _call(self, name: str) -> None:
        self.calls.append(name)
        if self.script.get(name):
            raise KafkaException(self.script[name].pop(0))

    def init_transactions(self, timeout: float = -1) -> None:
        self._call("init")

    def begin_transaction(self) -> None:
        self._call("begin")

    def commit_transaction(self, timeout: float = -1) -> None:
        self._call("commit")

    def abort_transaction(self, timeout: float = -1) -> None:
        self._call("abort")

    def send_offsets_to_transaction(
        self, positions: list[TopicPartition], group_metadata: Any, timeout: float = -1
    ) -> None:
        self._call("offsets")


def busy() -> KafkaError:
    return KafkaError(KafkaError.COORDINATOR_LOAD_IN_PROGRESS, "loading", retriable=True)


def abortable() -> KafkaError:
    return KafkaError(KafkaError._MSG_TIMED_OUT, "timed out", txn_requires_abort=True)


def fenced() -> KafkaError:
    return KafkaError(KafkaError._FENCED, "fenced", fatal=True)


def nothing() -> None:
    """A block that does nothing."""


def bang() -> None:
    raise Bang


def abortable_block() -> None:
    raise KafkaException(abortable())


@pytest.mark.parametrize(
    ("script", "block", "raised", "calls"),
    [
        ({}, nothing, None, ["init", "begin", "commit"]),
        ({"init": [busy(), busy()]}, nothing, None, ["init"] * 3 + ["begin", "commit"]),
        ({"commit": [busy()]}, nothing, None, ["init", "begin", "commit", "commit"]),
        (
            {"commit": [abortable()]},
            nothing,
            TransactionAborted,
            ["init", "begin", "commit", "abort"],
        ),
        (
            {"commit": [abortable()], "abort": [busy()]},
            nothing,
            TransactionAborted,
            ["init", "begin", "commit", "abort", "abort"],
        ),
        ({"commit": [fenced()]}, nothing, ProducerFenced, ["init", "begin", "commit"]),
        (
            {"commit": [KafkaError(KafkaError._INCONSISTENT, "broken")]},
            nothing,
            FatalProducerError,
            ["init", "begin", "commit"],
        ),
        ({"init": [fenced()]}, nothing, ProducerFenced, ["init"]),
        ({"begin": [fenced()]}, nothing, ProducerFenced, ["init", "begin"]),
        ({}, bang, Bang, ["init", "begin", "abort"]),
        ({"abort": [busy()]}, bang, Bang, ["init", "begin", "abort", "abort"]),
        ({"abort": [fenced()]}, bang, ProducerFenced, ["init", "begin", "abort"]),
        ({}, abortable_block, TransactionAborted, ["init", "begin", "abort"]),
    ],
)
def test_each_kind_of_error_is_handled_as_the_client_documents_it(
    script: dict[str, list[KafkaError]],
    block: Callable[[], None],
    raised: type[BaseException] | None,
    calls: list[str],
) -> None:
    producer = Scripted(**{name: list(errors) for name, errors in script.items()})
    if raised is None:
        with transaction(producer, 5, initialise=True):
            block()
    else:
        with pytest.raises(raised) as caught, transaction(producer, 5, initialise=True):
            block()
        assert caught.type is raised
    assert producer.calls == calls


def test_a_commit_that_never_gets_an_answer_is_in_doubt_and_not_aborted() -> None:
    producer = Scripted(commit=[busy() for _ in range(1_000)])
    with (
        pytest.raises(TransactionInDoubt, match=r"same transactional\.id"),
        transaction(producer, 0.3, initialise=False),
    ):
        pass
    assert set(producer.calls) == {"begin", "commit"}
    assert producer.calls.count("commit") > 1
