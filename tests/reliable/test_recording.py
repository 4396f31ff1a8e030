"""Outcomes reach Ackboard's database where they can, and never disturb the application."""

from __future__ import annotations

import contextlib
import os
import sqlite3
import threading
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest
from confluent_kafka import Consumer, KafkaException, TopicPartition

from producer_agent.kafka.embedded import ALL_BROKERS, EmbeddedCluster
from producer_agent.reliable import ReliableProducer, recording
from producer_agent.reliable.book import Book, Lot
from producer_agent.store import applications
from producer_agent.store.clock import now_us
from producer_agent.store.database import open_database
from producer_agent.store.guest import NEEDED
from producer_agent.store.queries import applications as queries
from producer_agent.store.queries.watch import levels
from producer_agent.store.queries.windows import window_to
from producer_agent.store.reader import Reader
from producer_agent.store.runs import end_open_runs
from producer_agent.store.schema import migrations
from tests.recording import assert_one_outcome_each, rows
from tests.reliable.conftest import MakeProducer
from tests.waiting import wait_until

IN_TIME_S = 20.0


@pytest.fixture(autouse=True)
def _quick_retries(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recording, "RETRY_S", 0.1)


def send(producer: ReliableProducer, n: int, topic: str = "t") -> None:
    for _ in range(n):
        producer.produce(topic, "v")
        producer.poll(0)


def letters_on(cluster: EmbeddedCluster, topic: str, n: int) -> list[bytes]:
    """Values of the dead letters on a topic of one partition."""
    consumer = Consumer({**cluster.client_defaults, "group.id": "letters", "log_level": 0})
    found: list[bytes] = []

    def enough() -> bool:
        found.extend(m.value() or b"" for m in consumer.consume(50, 0.2) if m.error() is None)
        return len(found) >= n

    try:
        consumer.assign([TopicPartition(topic, 0, 0)])
        wait_until(enough, 15, f"{n} letters never arrived on {topic}")
    finally:
        consumer.close()
    return found


def test_a_service_shows_as_a_profile_of_its_own_with_every_outcome(
    make_producer: MakeProducer, own_cluster: EmbeddedCluster, database: Path, read: Reader
) -> None:
    for topic in ("orders", "audit"):
        own_cluster.create_topic(topic, 2)
    producer = make_producer(database, config={"acks": "all", "sasl.password": "hush"})
    send(producer, 30, "orders")
    send(producer, 12, "audit")
    producer.flush(10)
    with contextlib.suppress(KafkaException):
        producer.produce("orders", "bad", "key", partition=9)
    producer.flush(10)
    producer.close()

    counted = assert_one_outcome_each(read, producer.run)
    assert counted.pop("delivered") == 42
    assert sum(counted.values()) == 1
    assert sorted(
        rows(
            read,
            "SELECT topic, count(*) FROM deliveries WHERE outcome = 'delivered' GROUP BY topic",
        )
    ) == [("audit", 12), ("orders", 30)]
    (application,) = read(partial(queries.applications, ended_since_us=0))
    assert application.name == "checkout"
    assert application.pid == os.getpid()
    assert (application.accepted, application.settled, application.outstanding) == (43, 43, 0)
    assert application.end_reason == "closed"
    now = now_us()
    (level,) = read(partial(levels, window=window_to(now, 3600), now_us=now))
    assert [profile.profile for profile in level.profiles] == ["checkout"]
    assert level.counts.delivered == 42
    assert rows(read, "SELECT count(*) FROM runs WHERE body LIKE '%hush%'") == [0]
    assert rows(
        read,
        "SELECT r.profile, u.topic FROM outbox JOIN runs r ON r.id = run "
        "JOIN undelivered u USING (run, sequence)",
    ) == [("checkout", "orders")]


def test_a_profile_by_name_brings_its_settings_and_its_objective(
    own_cluster: EmbeddedCluster, database: Path, read: Reader, make_producer: MakeProducer
) -> None:
    own_cluster.create_topic("t", 1)
    with ReliableProducer(
        "production", database=database, name="billing", log_level=0, **own_cluster.client_defaults
    ) as producer:
        send(producer, 3)
    assert rows(
        read,
        "SELECT profile, acks, json_extract(body, '$.objective.success_ratio'), "
        "json_extract(body, '$.producer.compression') FROM runs",
    ) == [("billing", "all", 0.9999, "lz4")]


def test_a_lock_of_another_program_holds_nothing_up_and_loses_no_outcome(
    make_producer: MakeProducer,
    own_cluster: EmbeddedCluster,
    database: Path,
    read: Reader,
    caplog: pytest.LogCaptureFixture,
) -> None:
    own_cluster.create_topic("t", 1)
    producer = make_producer(database)
    send(producer, 10)
    producer.flush(10)
    wait_until(lambda: rows(read, "SELECT settled FROM runs") == [10], 15, "nothing was recorded")

    locker = sqlite3.connect(database, isolation_level=None)
    locker.execute("BEGIN IMMEDIATE")
    began_s = time.monotonic()
    send(producer, 500)
    producer.flush(10)
    sent_s = time.monotonic() - began_s
    wait_until(lambda: producer.recording_problem is not None, 15, "the lock was not met")
    assert "locked" in (producer.recording_problem or "")
    assert producer.counts().delivered == 510
    assert sent_s < 5, "the application waited for the database"
    locker.execute("ROLLBACK")
    locker.close()

    wait_until(lambda: rows(read, "SELECT settled FROM runs") == [510], 15, "it did not go on")
    assert producer.recording_problem is None
    producer.close()
    assert assert_one_outcome_each(read, producer.run) == {"delivered": 510}
    told = [r.message for r in caplog.records if "does not record" in r.message]
    assert len(told) == 1, told


def test_a_database_that_is_deleted_and_made_again_gets_what_comes_from_then_on(
    make_producer: MakeProducer, own_cluster: EmbeddedCluster, database: Path, read: Reader
) -> None:
    own_cluster.create_topic("t", 1)
    producer = make_producer(database)
    send(producer, 10)
    producer.flush(10)
    wait_until(lambda: rows(read, "SELECT settled FROM runs") == [10], 15, "nothing was recorded")
    for file in database.parent.glob(f"{database.name}*"):
        file.unlink()
    send(producer, 5)
    producer.flush(10)
    wait_until(lambda: producer.recording_problem is not None, 15, "nobody missed the file")
    assert "There is no database" in (producer.recording_problem or "")
    assert not database.exists(), "a service must not make the agent's database"
    open_database(database).close()
    wait_until(lambda: producer.recording_problem is None, 15, "the new file was not taken")
    producer.close()

    fresh = Reader(database)
    assert rows(fresh, "SELECT uuid, accepted, settled, left_unresolved FROM runs") == [
        (producer.run, 15, 15, 0)
    ]
    assert rows(fresh, "SELECT sum(delivered) FROM rollups WHERE resolution = 3600") == [5]


def test_a_read_only_database_is_told_once_and_the_letters_take_the_other_way(
    make_producer: MakeProducer,
    own_cluster: EmbeddedCluster,
    database: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    own_cluster.create_topic("t", 1)
    own_cluster.create_topic("dead-letter-queue", 1)
    monkeypatch.setattr(recording, "LETTERS_WAIT_S", 0.2)
    sealed = sqlite3.connect

    def read_only(path: str, **arguments: object) -> sqlite3.Connection:
        opened = sealed(path, **arguments)  # type: ignore[call-overload]
        opened.execute("PRAGMA query_only = ON")
        return opened  # type: ignore[no-any-return]

    # As root, whom these tests may run as, no file is read-only.
    monkeypatch.setattr("producer_agent.store.guest.sqlite3.connect", read_only)
    producer = make_producer(database)
    send(producer, 10)
    producer.flush(10)
    with pytest.raises(KafkaException):
        producer.produce("t", b"precious", partition=9)
    (letter,) = letters_on(own_cluster, "dead-letter-queue", 1)
    assert b"precious" in letter
    assert b'"profile": "checkout"' in letter
    # From now on the other way is taken at once.
    with pytest.raises(KafkaException):
        producer.produce("t", b"second", partition=9)
    assert b"second" in letters_on(own_cluster, "dead-letter-queue", 2)[1]
    assert "readonly" in (producer.recording_problem or "")
    producer.close()
    assert producer.counts().delivered == 10
    assert producer.counts().dead_letters == 2
    assert sum("does not record" in r.message for r in caplog.records) == 1


def test_letters_of_failures_that_wait_behind_others_take_the_other_way_too(
    make_producer: MakeProducer,
    own_cluster: EmbeddedCluster,
    database: Path,
    read: Reader,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    own_cluster.create_topic("t", 1)
    own_cluster.create_topic("dead-letter-queue", 1)
    monkeypatch.setattr(recording, "LETTERS_WAIT_S", 3.0)
    producer = make_producer(database)
    send(producer, 1)
    producer.flush(10)
    locker = sqlite3.connect(database, isolation_level=None)
    locker.execute("BEGIN IMMEDIATE")
    with pytest.raises(KafkaException):
        producer.produce("t", b"first", partition=9)
    wait_until(lambda: producer.recording_problem is not None, 15, "the lock was not met")
    with pytest.raises(KafkaException):
        producer.produce("t", b"second", partition=9)
    assert len(letters_on(own_cluster, "dead-letter-queue", 2)) == 2
    locker.execute("ROLLBACK")
    locker.close()
    wait_until(lambda: producer.recording_problem is None, 15, "it did not go on")
    producer.close()
    assert assert_one_outcome_each(read, producer.run) == {"delivered": 1, "rejected": 2}
    assert rows(read, "SELECT count(*) FROM outbox") == [0], "they would be published twice"


def test_a_full_disk_stops_recording_and_not_the_application(
    make_producer: MakeProducer,
    own_cluster: EmbeddedCluster,
    database: Path,
    read: Reader,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    own_cluster.create_topic("t", 1)
    real = sqlite3.connect
    full = threading.Event()
    full.set()

    def connect(path: str, **arguments: object) -> sqlite3.Connection:
        opened = real(path, **arguments)  # type: ignore[call-overload]
        if full.is_set():
            pages = opened.execute("PRAGMA page_count").fetchone()[0]
            opened.execute(f"PRAGMA max_page_count = {pages}")
        return opened  # type: ignore[no-any-return]

    monkeypatch.setattr("producer_agent.store.guest.sqlite3.connect", connect)
    producer = make_producer(database)
    for _ in range(20):
        send(producer, 2_000)
        producer.flush(10)
        if producer.recording_problem:
            break
        time.sleep(0.3)  # paced, so that lots are committed one by one until the pages are used up
    assert "No room" in (producer.recording_problem or "")
    sent = producer.counts().delivered
    send(producer, 100)
    producer.flush(10)
    assert producer.counts().delivered == sent + 100
    full.clear()
    wait_until(lambda: producer.recording_problem is None, 15, "it did not go on")
    producer.close()
    assert assert_one_outcome_each(read, producer.run) == {"delivered": sent + 100}


def test_a_database_of_an_older_version_is_left_as_it_is(
    make_producer: MakeProducer, own_cluster: EmbeddedCluster, tmp_path: Path
) -> None:
    own_cluster.create_topic("t", 1)
    path = tmp_path / "old.db"
    opened = sqlite3.connect(path)
    from sqlite_utils import Database

    migrations.apply(Database(opened), stop_before=NEEDED)
    opened.close()
    producer = make_producer(path)
    send(producer, 3)
    wait_until(lambda: producer.recording_problem is not None, 15, "nobody noticed")
    assert "older Ackboard" in (producer.recording_problem or "")
    producer.close()
    assert producer.counts().delivered == 3


def test_outcomes_beyond_the_buffer_are_counted_and_not_kept(
    make_producer: MakeProducer, own_cluster: EmbeddedCluster, database: Path, read: Reader
) -> None:
    own_cluster.create_topic("t", 1)
    locker = sqlite3.connect(database, isolation_level=None)
    locker.execute("BEGIN IMMEDIATE")
    producer = make_producer(database, most_kept=100)
    send(producer, 1_000)
    producer.flush(10)
    wait_until(lambda: producer.recording_problem is not None, 15, "the lock was not met")
    send(producer, 1_000)
    producer.flush(10)
    counts = producer.counts()
    assert counts.delivered == 2_000
    assert 1_000 <= counts.not_kept < 2_000
    locker.execute("ROLLBACK")
    locker.close()
    wait_until(lambda: rows(read, "SELECT settled FROM runs") == [2_000], 15, "it did not go on")
    producer.close()

    assert rows(read, "SELECT accepted, settled, left_unresolved FROM runs") == [(2_000, 2_000, 0)]
    assert rows(read, "SELECT sum(delivered) FROM rollups WHERE resolution = 3600") == [2_000]
    (kept,) = rows(read, "SELECT sum(n) FROM delivery_lots")
    assert kept == 2_000 - counts.not_kept
    assert rows(read, "SELECT not_kept FROM applications") == [counts.not_kept]
    assert rows(read, "SELECT count(*) FROM undelivered") == [0]


def test_an_agent_that_starts_leaves_a_living_service_its_run(
    make_producer: MakeProducer, own_cluster: EmbeddedCluster, database: Path, read: Reader
) -> None:
    own_cluster.create_topic("t", 1)
    producer = make_producer(database)
    send(producer, 5)
    producer.flush(10)
    wait_until(lambda: rows(read, "SELECT settled FROM runs") == [5], 15, "nothing was recorded")
    db = open_database(database)
    with db.atomic():
        assert end_open_runs(db, "the agent died") == {}
        assert applications.end_silent(db, now_us()) == {}
    db.close()
    producer.close()
    assert rows(read, "SELECT end_reason FROM runs") == ["closed"]


def test_a_service_that_was_only_silent_gets_its_run_back(
    make_producer: MakeProducer, own_cluster: EmbeddedCluster, database: Path, read: Reader
) -> None:
    """Taken for dead with events open, it goes on, and every event still has just one outcome."""
    own_cluster.create_topic("t", 1)
    producer = make_producer(database)
    send(producer, 5)
    producer.flush(10)
    own_cluster.broker_down(ALL_BROKERS)
    send(producer, 3)
    wait_until(
        lambda: rows(read, "SELECT accepted, settled FROM runs") == [(8, 5)], 15, "not recorded"
    )
    db = open_database(database)
    with db.atomic():
        late_us = now_us() + int(applications.SILENT_AFTER_S * 1e6) + 1_000_000
        assert applications.end_silent(db, late_us) == {"checkout": 3}
    db.close()
    assert rows(read, "SELECT count(*) FROM undelivered") == [3]
    own_cluster.broker_up(ALL_BROKERS)
    producer.flush(15)
    producer.close()
    assert assert_one_outcome_each(read, producer.run) == {"delivered": 8}
    assert rows(read, "SELECT end_reason FROM applications") == ["closed"]


def test_a_service_whose_cluster_was_never_reached_is_recorded_all_the_same(
    make_producer: MakeProducer, database: Path, read: Reader, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recording, "ASK_S", 0.2)
    producer = ReliableProducer(
        {"bootstrap.servers": "127.0.0.1:1", "message.timeout.ms": 500, "log_level": 0},
        database=database,
        name="lonely",
        dead_letter_topic="dead-letter-queue",
    )
    producer.produce("t", "v", "k")
    assert producer.flush(10) == 0
    producer.close()
    assert rows(read, "SELECT outcome, code_name FROM undelivered") == [
        ("failed", "_MSG_TIMED_OUT")
    ]
    assert rows(read, "SELECT cluster_id FROM clusters") == ["not reached at 127.0.0.1:1"]
    assert rows(read, "SELECT count(*) FROM outbox") == [1]


def test_a_producer_that_is_collected_in_its_own_thread_ends_all_the_same(
    make_producer: MakeProducer,
    own_cluster: EmbeddedCluster,
    database: Path,
    read: Reader,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The collector runs in any thread, in that which records too, and there with the book open."""
    own_cluster.create_topic("t", 1)
    take = Book.take
    finalizers: list[Callable[[], object]] = []

    def take_and_collect(book: Book) -> Lot:
        if finalizers:
            finalizers.pop()()
        return take(book)

    monkeypatch.setattr(Book, "take", take_and_collect)
    producer = make_producer(database)
    send(producer, 3)
    producer.flush(10)
    finalizers.append(producer._abandoned)
    wait_until(
        lambda: rows(read, "SELECT end_reason FROM applications") == ["left without close()"],
        15,
        "it never ended",
    )
    assert rows(read, "SELECT settled FROM runs") == [3]
