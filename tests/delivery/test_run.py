"""A run ends with exactly one outcome for every event it handed over, whatever happened to it."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from confluent_kafka import Consumer, KafkaError, KafkaException, TopicPartition

from producer_agent.delivery import run as module
from producer_agent.delivery.events import identity_of
from producer_agent.delivery.profiles import Profile
from producer_agent.delivery.run import ProducerRun, RunLimits
from producer_agent.kafka.embedded import ALL_BROKERS, EmbeddedCluster
from producer_agent.kafka.our_headers import IDENTITY_HEADER
from producer_agent.store.reader import Reader
from producer_agent.store.writer import Writer
from tests.kafka.mock_clients import watermarks
from tests.recording import assert_one_outcome_each, profile, register_cluster, rows
from tests.waiting import wait_until

MakeRun = Callable[..., ProducerRun]


@pytest.fixture
def make_run(own_cluster: EmbeddedCluster, writer: Writer) -> Iterator[MakeRun]:
    """Makes runs on the cluster; what is still running at the end is stopped."""
    made: list[ProducerRun] = []
    cluster = register_cluster(writer)

    def make(of: Profile, **arguments: Any) -> ProducerRun:
        own_cluster.create_topic(of.workload.topic, of.workload.partitions)
        run = ProducerRun(of, own_cluster.client_defaults, writer, cluster, **arguments)
        made.append(run)
        run.start()
        return run

    yield make
    own_cluster.broker_up(ALL_BROKERS)
    for run in made:
        run.stop()
        run.join(15)
        assert not run.alive


def finish(run: ProducerRun, timeout_s: float = 20.0) -> None:
    run.stop()
    run.join(timeout_s)
    assert not run.alive, "the run did not end"


def sequences_on(cluster: EmbeddedCluster, topic: str, partitions: int, run: str) -> list[int]:
    """Sequences of a run that its topic holds, in the order of reading, duplicates included."""
    consumer = Consumer(
        {
            **cluster.client_defaults,
            "group.id": "audit",
            "isolation.level": "read_committed",
            "enable.partition.eof": True,
            "log_level": 0,
        }
    )
    found: list[int] = []
    ended = 0
    consumer.assign([TopicPartition(topic, partition, 0) for partition in range(partitions)])
    deadline = time.monotonic() + 20
    while ended < partitions:
        assert time.monotonic() < deadline, "the topic could not be read back"
        for message in consumer.consume(1000, 0.2):
            error = message.error()
            if error is not None:
                assert error.code() == KafkaError._PARTITION_EOF, error
                ended += 1
                continue
            value = dict(message.headers() or [])[IDENTITY_HEADER]
            identity = identity_of(value if isinstance(value, bytes) else None)
            assert identity is not None
            if identity.run == run:
                found.append(identity.sequence)
    consumer.close()
    return found


def test_a_run_of_a_number_ends_by_itself_complete(
    make_run: MakeRun, own_cluster: EmbeddedCluster, reader: Reader
) -> None:
    run = make_run(
        profile(workload={"rate_per_s": 2_000}),
        limits=RunLimits(events=500),
        watermarks=lambda topic: {0: watermarks(own_cluster, topic)},
    )
    run.join(20)

    assert assert_one_outcome_each(reader, run.uuid.hex) == {"delivered": 500}
    ((reason, first, last),) = rows(
        reader, "SELECT end_reason, start_watermarks, end_watermarks FROM runs"
    )
    assert reason == "complete"
    assert first == '{"0": [0, 0]}'
    assert last != first


def test_a_run_of_a_time_ends_by_itself(make_run: MakeRun, reader: Reader) -> None:
    run = make_run(profile(), limits=RunLimits(seconds=0.5))
    run.join(20)

    counted = assert_one_outcome_each(reader, run.uuid.hex)
    assert 0 < counted["delivered"] <= 140


def test_a_run_that_is_held_sends_nothing_and_counts_what_it_did_not_send(
    make_run: MakeRun, reader: Reader
) -> None:
    hold: list[str | None] = ["the outbox is full"]
    run = make_run(profile(), hold=lambda: hold[0])
    wait_until(lambda: run.status().paused_because, 5, "it was not held")
    assert run.status().accepted == 0
    hold[0] = None
    wait_until(lambda: run.status().accepted > 20, 5, "it did not go on")
    finish(run)

    assert set(assert_one_outcome_each(reader, run.uuid.hex)) == {"delivered"}
    assert rows(reader, "SELECT not_sent > 0 FROM runs") == [1]


def test_faulty_events_end_as_dead_letters_and_the_rest_is_delivered(
    make_run: MakeRun, own_cluster: EmbeddedCluster, reader: Reader
) -> None:
    own_cluster.set_topic_error("orders.missing", KafkaError.UNKNOWN_TOPIC_OR_PART)
    faults = {"oversized": 0.1, "unknown_partition": 0.1, "unknown_topic": 0.1}
    run = make_run(
        profile(message_max_bytes=2_000, workload={"rate_per_s": 500, "faults": faults}),
        limits=RunLimits(events=400),
    )
    run.join(30)

    counted = assert_one_outcome_each(reader, run.uuid.hex)
    undelivered = counted.get("failed", 0) + counted.get("rejected", 0)
    assert counted["delivered"] + undelivered == 400
    assert set(rows(reader, "SELECT DISTINCT code_name FROM undelivered")) >= {
        "MSG_SIZE_TOO_LARGE",
        "_UNKNOWN_PARTITION",
    }
    assert rows(reader, "SELECT count(*) FROM outbox") == [undelivered]
    assert rows(reader, "SELECT DISTINCT stored FROM undelivered") == ["no"]


def test_a_full_queue_rejects_and_goes_on(
    make_run: MakeRun, own_cluster: EmbeddedCluster, reader: Reader
) -> None:
    run = make_run(profile(queue_max_messages=10, acks=1, delivery_timeout_ms=1_500))
    wait_until(lambda: run.status().accepted > 20, 5, "it did not begin")
    own_cluster.set_broker_rtt(ALL_BROKERS, 400)
    wait_until(
        lambda: rows(reader, "SELECT queue_full FROM runs")[0] > 0, 8, "the queue was never full"
    )
    own_cluster.set_broker_rtt(ALL_BROKERS, 0)
    finish(run)

    counted = assert_one_outcome_each(reader, run.uuid.hex)
    assert rows(reader, "SELECT queue_full FROM runs") == [counted["rejected"]]


def test_what_is_unreported_when_the_settle_limit_ends_is_unresolved(
    make_run: MakeRun,
    own_cluster: EmbeddedCluster,
    reader: Reader,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "SETTLE_S", 0.3)
    run = make_run(profile())
    wait_until(lambda: rows(reader, "SELECT settled FROM runs")[0] > 20, 8, "none was delivered")
    own_cluster.broker_down(ALL_BROKERS)
    wait_until(lambda: run.status().outstanding > 20, 5, "nothing waits")
    finish(run)

    counted = assert_one_outcome_each(reader, run.uuid.hex)
    assert counted["unresolved"] > 20
    assert set(counted) == {"delivered", "unresolved"}


def test_a_run_whose_configuration_is_refused_is_ended_in_the_ledger(
    make_run: MakeRun, reader: Reader
) -> None:
    with pytest.raises(KafkaException):
        make_run(profile(extra={"security.protocol": "sasl_ssl", "sasl.mechanisms": "NONSENSE"}))
    assert rows(reader, "SELECT end_reason LIKE 'did not start:%' FROM runs") == [1]


def transactional(**workload: Any) -> Profile:
    return profile(
        transactional_id="ackboard-test",
        transaction_timeout_ms=10_000,
        workload={"transaction_ms": 150, **workload},
    )


def test_a_transactional_run_delivers_what_it_commits(
    make_run: MakeRun, own_cluster: EmbeddedCluster, reader: Reader
) -> None:
    run = make_run(transactional(), limits=RunLimits(events=200))
    run.join(30)

    assert assert_one_outcome_each(reader, run.uuid.hex) == {"delivered": 200}
    assert sorted(sequences_on(own_cluster, "orders", 2, run.uuid.hex)) == list(range(200))


def test_a_second_topic_gets_every_other_event_and_the_rows_say_so(
    make_run: MakeRun, own_cluster: EmbeddedCluster, reader: Reader
) -> None:
    own_cluster.create_topic("orders-audit", 2)
    run = make_run(transactional(second_topic="orders-audit"), limits=RunLimits(events=101))
    run.join(30)

    assert assert_one_outcome_each(reader, run.uuid.hex) == {"delivered": 101}
    assert rows(
        reader,
        "SELECT topic, count(*), sum(sequence % 2) FROM deliveries GROUP BY topic ORDER BY 1",
    ) == [("orders", 51, 0), ("orders-audit", 50, 50)]
    for topic, first in (("orders", 0), ("orders-audit", 1)):
        on_topic = sequences_on(own_cluster, topic, 2, run.uuid.hex)
        assert sorted(on_topic) == list(range(first, 101, 2))
    ((commits, aborts),) = rows(reader, "SELECT commits, aborts FROM runs")
    assert commits > 0
    assert aborts == 0
    assert rows(reader, "SELECT sum(commits) FROM rollups WHERE resolution = 3600") == [commits]


def test_what_was_in_an_aborted_transaction_is_no_delivery(
    make_run: MakeRun, own_cluster: EmbeddedCluster, reader: Reader
) -> None:
    """A permanent error aborts the transaction, acknowledged neighbours included; the next one
    goes on."""
    run = make_run(transactional(transaction_ms=1_000))
    wait_until(lambda: run.status().accepted > 30, 8, "it did not begin")
    own_cluster.push_produce_errors([KafkaError.MSG_SIZE_TOO_LARGE])
    wait_until(
        lambda: "TRANSACTION_ABORTED" in rows(reader, "SELECT code_name FROM undelivered"),
        10,
        "no transaction was aborted",
    )
    aborted_at = run.status().accepted
    wait_until(lambda: run.status().accepted > aborted_at + 250, 10, "it did not go on")
    finish(run)

    counted = assert_one_outcome_each(reader, run.uuid.hex)
    assert counted["failed"] >= 2
    assert rows(
        reader,
        "SELECT count(*) FROM deliveries WHERE outcome = 'delivered' AND sequence > ?",
        aborted_at + 200,
    )[0]
    ((commits, aborts),) = rows(reader, "SELECT commits, aborts FROM runs")
    assert commits >= 1
    assert aborts >= 1
    (refused,) = rows(reader, "SELECT count(*) FROM undelivered WHERE code_name = '_STATE'")
    assert refused < 40, "the transaction was left to fail every event until it was to commit"


PRODUCE_ERRORS = (
    KafkaError.NOT_ENOUGH_REPLICAS,
    KafkaError.NOT_ENOUGH_REPLICAS_AFTER_APPEND,
    KafkaError.REQUEST_TIMED_OUT,
    KafkaError.NOT_LEADER_FOR_PARTITION,
    KafkaError.MSG_SIZE_TOO_LARGE,
    KafkaError.OUT_OF_ORDER_SEQUENCE_NUMBER,
)


def storm(cluster: EmbeddedCluster, seed: int, seconds: float) -> None:
    """Flip faults for some seconds, always the same ones for a seed."""
    dice = random.Random(seed)
    pause = threading.Event()
    ends_s = time.monotonic() + seconds
    while time.monotonic() < ends_s:
        match dice.randrange(6):
            case 0:
                cluster.broker_down(dice.choice((1, 2, 3, ALL_BROKERS)))
            case 1 | 2:
                cluster.broker_up(ALL_BROKERS)
                cluster.set_broker_rtt(ALL_BROKERS, 0)
            case 3:
                cluster.set_broker_rtt(dice.choice((1, 2, 3)), dice.choice((50, 700)))
            case _:
                cluster.push_produce_errors(dice.choices(PRODUCE_ERRORS, k=dice.choice((1, 3, 20))))
        pause.wait(dice.uniform(0.02, 0.3))


@pytest.mark.parametrize("seed", [1, 2])
def test_in_a_storm_of_faults_each_event_has_one_outcome_and_none_is_a_lie(
    make_run: MakeRun,
    own_cluster: EmbeddedCluster,
    reader: Reader,
    monkeypatch: pytest.MonkeyPatch,
    seed: int,
) -> None:
    """Three profiles while faults come and go, stopped in the middle of it; then the topics are
    read back: what was delivered is there, and what was called "not stored" is not."""
    monkeypatch.setattr(module, "SETTLE_S", 1.0)
    quick = {
        "delivery_timeout_ms": 1_200,
        "request_timeout_ms": 400,
        "extra": {"socket.timeout.ms": "500"},
    }
    levels: dict[str, dict[str, Any]] = {
        "critical": {"acks": "all", "idempotence": True},
        "analytics": {"acks": 1, "retries": 3},
        "metrics": {"acks": 0},
    }
    runs = {
        name: make_run(profile(name, name, **quick, **settings))
        for name, settings in levels.items()
    }
    wait_until(
        lambda: min(rows(reader, "SELECT settled FROM runs")) > 60, 15, "not all runs came up"
    )
    storm(own_cluster, seed, 5.0)
    for run in runs.values():
        run.stop()
    for run in runs.values():
        run.join(30)
        assert not run.alive
    own_cluster.clear_produce_errors()
    own_cluster.broker_up(ALL_BROKERS)
    own_cluster.set_broker_rtt(ALL_BROKERS, 0)

    undelivered = 0
    for name, run in runs.items():
        counted = assert_one_outcome_each(reader, run.uuid.hex)
        undelivered += counted.get("failed", 0)
        assert (name == "metrics") == ("unconfirmed" in counted)
        if name == "metrics":
            assert "delivered" not in counted
            continue
        assert counted["delivered"] > 50, "the storm left nothing to check"
        present = sequences_on(own_cluster, name, 2, run.uuid.hex)
        delivered = rows(
            reader,
            "SELECT sequence, \"offset\" FROM deliveries WHERE run = ? AND outcome = 'delivered'",
            run.uuid.hex,
        )
        # Without an offset the broker called it a duplicate of what it has. The mock, which lets
        # a batch in although the one before it was refused, says so of the refused one, too.
        with_offset = {sequence for sequence, offset in delivered if offset is not None}
        assert with_offset <= set(present), "acknowledged, yet not on the topic"
        if name != "critical":
            assert len(with_offset) == len(delivered), "only idempotence knows duplicates"
        not_stored = rows(
            reader,
            "SELECT sequence FROM undelivered WHERE run = ? AND stored = 'no'",
            run.id,
        )
        assert not set(not_stored) & set(present), "called not stored, yet on the topic"
    assert undelivered, "the storm broke nothing"
    letters = rows(reader, "SELECT count(*) FROM undelivered WHERE code_name IS NOT '_QUEUE_FULL'")
    unresolved_at_end = rows(reader, "SELECT count(*) FROM undelivered WHERE code IS NULL")
    assert rows(reader, "SELECT count(*) FROM outbox")[0] == letters[0] - unresolved_at_end[0]
