"""The consumer stores each record of a dead-letter topic once, whatever is in it and whatever
happens to it, to the cluster or to the topic."""

from __future__ import annotations

import sqlite3
from typing import Any

import pytest

from producer_agent.dead_letters import consumer as module
from producer_agent.dead_letters import letters
from producer_agent.kafka.embedded import ALL_BROKERS, EmbeddedCluster
from producer_agent.store import database
from producer_agent.store import writer as writer_module
from producer_agent.store.reader import Reader
from producer_agent.store.writer import Writer
from tests.dead_letters.records import (
    TOPIC,
    EmbeddedBrokers,
    consuming,
    produce,
    produce_with_header_name,
)
from tests.recording import register_cluster, rows
from tests.waiting import wait_until


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "REVIEW_S", 0.2)
    monkeypatch.setattr(module, "POLL_S", 0.05)
    monkeypatch.setattr(module, "FIRST_BACKOFF_S", 0.1)
    monkeypatch.setattr(writer_module, "RETRY_S", 0.05)
    monkeypatch.setattr(database, "BUSY_TIMEOUT_S", 0.1)


@pytest.fixture
def cluster(own_cluster: EmbeddedCluster) -> EmbeddedCluster:
    own_cluster.create_topic(TOPIC, partitions=1)
    return own_cluster


@pytest.fixture
def row(writer: Writer) -> int:
    return register_cluster(writer)


def stored(reader: Reader) -> int:
    return int(rows(reader, "SELECT count(*) FROM dead_letters")[0])


def wait_stored(reader: Reader, n: int) -> None:
    wait_until(lambda: stored(reader) >= n, 15, f"{n} dead letters were never stored")
    assert stored(reader) == n


def test_what_is_no_json_empty_null_or_huge_is_stored_as_it_came(
    cluster: EmbeddedCluster, writer: Writer, reader: Reader, row: int
) -> None:
    values: list[bytes | None] = [
        b"not json",
        b"",
        None,
        b"\xff\x00\xfe",
        b"<script>alert(1)</script>\x1b[31m",
        b'{"original_topic": "\\ud800", "original_value": "v", "error": "\\udfff"}',
        b'{"original_topic": "t", "error": "e", "original_value": ' + b"[" * 100_000,
        b'{"original_topic": "t", "original_value": "", "error": "", "original_partition": "--5"}',
    ]
    with consuming(cluster, writer, row) as consumer:
        produce(cluster, *values)
        wait_stored(reader, len(values))
        huge = b"x" * 5_000_000
        produce(cluster, huge)
        wait_stored(reader, len(values) + 1)
        assert consumer.error is None

    kept = rows(reader, "SELECT value FROM dead_letter_records ORDER BY letter")
    assert kept == [*values, huge]


def test_a_header_name_that_is_no_text_does_not_stop_it(
    cluster: EmbeddedCluster, writer: Writer, reader: Reader, row: int
) -> None:
    produce_with_header_name(cluster, b"\xff\xfe", b"odd")
    produce(cluster, b"next")
    with consuming(cluster, writer, row):
        wait_stored(reader, 2)
    assert rows(reader, "SELECT value FROM dead_letter_records ORDER BY letter") == [
        b"odd",
        b"next",
    ]


def test_a_restart_neither_skips_nor_doubles(
    cluster: EmbeddedCluster, writer: Writer, reader: Reader, row: int
) -> None:
    sent = 0
    for _ in range(4):
        produce(cluster, *(str(n).encode() for n in range(sent, sent + 300)))
        sent += 300
        with consuming(cluster, writer, row):
            wait_until(lambda: stored(reader) > 0, 15, "nothing was read")
            # closed in the middle of it
    with consuming(cluster, writer, row):
        wait_stored(reader, sent)

    assert rows(reader, "SELECT CAST(value AS TEXT) FROM dead_letter_records ORDER BY letter") == [
        str(n) for n in range(sent)
    ]


def test_a_cluster_that_starts_anew_begins_at_offset_0_with_other_records(
    writer: Writer, reader: Reader
) -> None:
    for cluster_id in ("first", "second"):
        with EmbeddedCluster() as cluster:
            cluster.create_topic(TOPIC, partitions=1)
            produce(cluster, b"same", b"bytes")
            with consuming(cluster, writer, register_cluster(writer, cluster_id)):
                wait_stored(reader, 2 if cluster_id == "first" else 4)

    assert rows(reader, 'SELECT "offset" FROM dead_letters ORDER BY id') == [0, 1, 0, 1]


def test_a_topic_that_was_made_anew_is_read_from_its_beginning(
    cluster: EmbeddedCluster, writer: Writer, reader: Reader, row: int
) -> None:
    ids = {TOPIC: "A"}
    produce(cluster, b"1", b"2", b"3")
    with consuming(cluster, writer, row, lambda _topics: dict(ids)):
        wait_stored(reader, 3)
        cluster.delete_topic(TOPIC)
        cluster.create_topic(TOPIC, partitions=1)
        ids[TOPIC] = "B"
        produce(cluster, b"1", b"2")
        wait_until(
            lambda: rows(reader, "SELECT count(*) FROM dead_letters WHERE topic_id = 'B'") == [2],
            15,
            "the new topic's records were not stored as new",
        )
    assert rows(reader, "SELECT count(*) FROM dead_letters WHERE topic_id = 'A'") == [3]


@pytest.mark.parametrize("restarted", [False, True])
def test_a_cluster_that_does_not_tell_the_topics_id_for_a_moment_doubles_nothing(
    cluster: EmbeddedCluster, writer: Writer, reader: Reader, row: int, restarted: bool
) -> None:
    ids = {TOPIC: "A"}
    looked: list[bool] = []

    def told(_topics: object) -> dict[str, str]:
        looked.append(True)
        return dict(ids)

    produce(cluster, b"1", b"2")
    with consuming(cluster, writer, row, told):
        wait_stored(reader, 2)
        if not restarted:
            ids.clear()
            looked.clear()
            wait_until(lambda: len(looked) >= 3, 5, "the ids were not looked at again")
    if restarted:
        ids.clear()
        looked.clear()
        with consuming(cluster, writer, row, told):
            wait_until(lambda: len(looked) >= 3, 5, "the ids were not looked at again")
    ids[TOPIC] = "A"
    with consuming(cluster, writer, row, told):
        produce(cluster, b"3")
        wait_stored(reader, 3)
    assert rows(reader, "SELECT topic_id FROM dead_letters") == ["A"] * 3


def test_an_id_that_is_told_only_later_doubles_nothing(
    cluster: EmbeddedCluster, writer: Writer, reader: Reader, row: int
) -> None:
    ids: dict[str, str] = {}
    produce(cluster, b"1", b"2")
    with consuming(cluster, writer, row, lambda _topics: dict(ids)):
        wait_stored(reader, 2)
        ids[TOPIC] = "A"
        wait_until(
            lambda: rows(reader, "SELECT DISTINCT topic_id FROM dead_letters") == ["A"],
            5,
            "the id was not adopted",
        )
        produce(cluster, b"3")
        wait_stored(reader, 3)


def test_a_topic_that_appears_later_and_grows_is_read(
    own_cluster: EmbeddedCluster, writer: Writer, reader: Reader, row: int
) -> None:
    with consuming(own_cluster, writer, row):
        own_cluster.create_topic(TOPIC, partitions=3)
        for partition in range(3):
            produce(own_cluster, b"x", partition=partition)
        wait_stored(reader, 3)


def test_while_the_brokers_are_away_it_waits_and_then_goes_on(
    cluster: EmbeddedCluster, writer: Writer, reader: Reader, row: int
) -> None:
    produce(cluster, b"1")
    with consuming(cluster, writer, row) as consumer:
        wait_stored(reader, 1)
        cluster.broker_down(ALL_BROKERS)
        wait_until(lambda: consumer.error, 15, "nobody is told that the cluster is away")
        cluster.broker_up(ALL_BROKERS)
        produce(cluster, b"2")
        wait_stored(reader, 2)
        wait_until(lambda: consumer.error is None, 10, "the error stays although it is over")


def test_while_the_database_is_locked_it_waits_and_then_stores(
    cluster: EmbeddedCluster, writer: Writer, reader: Reader, row: int
) -> None:
    with consuming(cluster, writer, row):
        produce(cluster, b"1")
        wait_stored(reader, 1)
        other = sqlite3.connect(writer.path, isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        produce(cluster, b"2", b"3")
        wait_until(lambda: writer.blocked, 10, "the writer was never blocked")
        other.execute("ROLLBACK")
        other.close()
        wait_stored(reader, 3)


def test_a_convention_that_breaks_does_not_stop_it(
    cluster: EmbeddedCluster,
    writer: Writer,
    reader: Reader,
    row: int,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def broken(*_arguments: Any) -> Any:
        raise RuntimeError("a bug")

    monkeypatch.setattr(letters, "decode_under", broken)
    produce(cluster, b'{"original_topic": "t", "original_value": "v", "error": "e"}', b"2")
    with consuming(cluster, writer, row):
        wait_stored(reader, 2)
    assert rows(reader, "SELECT DISTINCT convention FROM dead_letters") == ["unknown"]


def test_a_batch_ends_with_the_record_that_goes_past_its_bytes(
    monkeypatch: pytest.MonkeyPatch, cluster: EmbeddedCluster, writer: Writer, row: int
) -> None:
    """Else 2,000 records of 5 MB would be held at once."""

    class Source:
        def poll(self, _timeout: float) -> Any:
            return Value()

    class Value:
        def value(self) -> bytes:
            return b"x" * 900

        def key(self) -> bytes:
            return b"k" * 100

    consumer = module.DeadLetterConsumer(
        cluster.client_defaults, TOPIC, row, writer, EmbeddedBrokers(cluster), "g"
    )
    source: Any = Source()
    monkeypatch.setattr(module, "BATCH_BYTES", 10_500)
    assert len(consumer._batch(source)) == 11
    monkeypatch.setattr(module, "BATCH", 7)
    assert len(consumer._batch(source)) == 7
