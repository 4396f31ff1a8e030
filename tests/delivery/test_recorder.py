"""The recorder: one outcome an event, whatever librdkafka does to it, and never a raise."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any, cast

import pytest
from confluent_kafka import KafkaError, KafkaException, Message

from producer_agent.delivery.events import ANY_PARTITION, Event
from producer_agent.delivery.recorder import Recorder
from producer_agent.kafka.attempts import AttemptLog
from producer_agent.store.clock import now_us
from producer_agent.store.reader import Reader
from producer_agent.store.runs import RunRow
from producer_agent.store.writer import Writer
from tests.recording import begin_run, rows

Report = Callable[[KafkaError | None, Message], None]


class StubMessage:
    """The parts of a report's message that the recorder reads."""

    def __init__(self, offset: int | None = 7, partition: int = 0) -> None:
        self._offset, self._partition = offset, partition

    def offset(self) -> int | None:
        return self._offset

    def partition(self) -> int:
        return self._partition

    def latency(self) -> float:
        return 0.004

    def topic(self) -> str:
        return "orders"


def message(offset: int | None = 7, partition: int = 0) -> Message:
    return cast(Message, StubMessage(offset, partition))


class Bench:
    """A recorder whose producer only keeps the callbacks."""

    def __init__(self, writer: Writer, acks: str = "all") -> None:
        self.run: RunRow = begin_run(writer, acks=acks)
        self.attempts = AttemptLog("bench")
        self.recorder = Recorder(writer, self.run.id, self.run.series, acks, self.attempts)
        self.callbacks: list[Report] = []
        self.raises: BaseException | None = None
        self.fatal = 0
        self._send = self.recorder.sender(self._produce, self._on_fatal)

    def send(self, sequence: int) -> None:
        event = Event("orders", ANY_PARTITION, b"k", b"v", [("h", b"1")])
        self.recorder.accepted = max(self.recorder.accepted, sequence + 1)
        self._send(sequence, event, now_us())

    def _produce(self, *arguments: Any, headers: Any) -> None:
        if self.raises is not None:
            raise self.raises
        self.callbacks.append(arguments[4])

    def _on_fatal(self) -> None:
        self.fatal += 1


def outcomes(reader: Reader) -> list[Any]:
    return rows(reader, 'SELECT sequence, outcome, "offset" FROM deliveries ORDER BY sequence')


def test_an_acknowledgement_is_recorded_with_its_offset(writer: Writer, reader: Reader) -> None:
    bench = Bench(writer)
    for sequence in range(3):
        bench.send(sequence)
    for sequence, report in enumerate(bench.callbacks):
        report(None, message(offset=sequence * 10))
    bench.recorder.wait_recorded(10)

    assert outcomes(reader) == [(0, "delivered", 0), (1, "delivered", 10), (2, "delivered", 20)]


@pytest.mark.parametrize("offset", [None, 0, 1001])
def test_under_acks_0_an_offset_proves_nothing_and_is_ignored(
    writer: Writer, reader: Reader, offset: int | None
) -> None:
    bench = Bench(writer, acks="0")
    bench.send(0)
    bench.callbacks[0](None, message(offset=offset))
    bench.recorder.wait_recorded(10)

    assert outcomes(reader) == [(0, "unconfirmed", None)]


def test_an_acknowledgement_without_an_offset_is_a_delivery_all_the_same(
    writer: Writer, reader: Reader
) -> None:
    """DUPLICATE_SEQUENCE_NUMBER of an idempotent producer is reported like this."""
    bench = Bench(writer)
    bench.send(0)
    bench.callbacks[0](None, message(offset=None))
    bench.recorder.wait_recorded(10)

    assert outcomes(reader) == [(0, "delivered", None)]


def test_a_failure_goes_with_its_dead_letter_into_one_transaction(
    writer: Writer, reader: Reader
) -> None:
    bench = Bench(writer)
    bench.send(0)
    bench.callbacks[0](KafkaError(KafkaError.MSG_SIZE_TOO_LARGE), message(partition=2))
    bench.recorder.wait_recorded(10)

    assert rows(reader, "SELECT code_name, stored, partition FROM undelivered") == [
        ("MSG_SIZE_TOO_LARGE", "no", 2)
    ]
    assert rows(reader, "SELECT key, value FROM outbox") == [(b"k", b"v")]


def test_an_examination_that_breaks_neither_raises_nor_loses_the_outcome(
    writer: Writer, reader: Reader, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench = Bench(writer)

    def broken(*_: Any, **__: Any) -> Any:
        raise RuntimeError("a bug")

    monkeypatch.setattr(bench.attempts, "behind", broken)
    bench.send(0)
    bench.callbacks[0](KafkaError(KafkaError._MSG_TIMED_OUT), message())
    bench.recorder.wait_recorded(10)

    assert rows(reader, "SELECT outcome, stored FROM undelivered") == [("failed", "maybe")]
    assert "a bug" in rows(reader, "SELECT reason FROM undelivered")[0]
    assert rows(reader, "SELECT count(*) FROM outbox") == [1]


@pytest.mark.parametrize(
    ("raised", "code", "dead_letters", "fatal"),
    [
        (BufferError("Local: Queue full"), "_QUEUE_FULL", 0, 0),
        (KafkaException(KafkaError(KafkaError._FATAL)), "_FATAL", 1, 1),
        (
            KafkaException(KafkaError(KafkaError.MSG_SIZE_TOO_LARGE)),
            "MSG_SIZE_TOO_LARGE",
            1,
            0,
        ),
    ],
)
def test_what_produce_raises_is_a_rejection(
    writer: Writer,
    reader: Reader,
    raised: BaseException,
    code: str,
    dead_letters: int,
    fatal: int,
) -> None:
    bench = Bench(writer)
    bench.raises = raised
    bench.send(0)
    bench.recorder.wait_recorded(10)

    assert rows(reader, "SELECT outcome, code_name, stored FROM undelivered") == [
        ("rejected", code, "no")
    ]
    assert rows(reader, "SELECT count(*) FROM outbox") == [dead_letters]
    assert rows(reader, "SELECT queue_full FROM runs") == [1 - dead_letters]
    assert bench.fatal == fatal


def test_within_a_transaction_an_acknowledgement_waits_for_the_commit(
    writer: Writer, reader: Reader
) -> None:
    bench = Bench(writer)
    bench.recorder.holding = True
    for sequence in range(4):
        bench.send(sequence)
    for report in bench.callbacks[:2]:
        report(None, message())
    bench.recorder.wait_recorded(10)
    assert outcomes(reader) == []

    bench.recorder.commit()
    bench.recorder.wait_recorded(10)
    assert [sequence for sequence, *_ in outcomes(reader)] == [0, 1]

    for report in bench.callbacks[2:]:
        report(None, message())
    assert bench.recorder.abort() == [2, 3]
    bench.recorder.wait_recorded(10)
    assert len(outcomes(reader)) == 2


def test_no_acknowledgement_is_lost_between_a_commit_and_a_flush(
    writer: Writer, reader: Reader
) -> None:
    """The sending thread commits while the poll thread reports and flushes."""
    bench = Bench(writer)
    bench.recorder.holding = True
    n = 30_000
    for sequence in range(n):
        bench.send(sequence)
    done = threading.Event()

    def commit() -> None:
        while not done.is_set():
            bench.recorder.commit()

    committer = threading.Thread(target=commit)
    committer.start()
    for at, report in enumerate(bench.callbacks):
        report(None, message())
        if at % 50 == 0:
            bench.recorder.flush(force=True)
    done.set()
    committer.join()
    bench.recorder.commit()
    bench.recorder.wait_recorded(30)

    assert rows(reader, "SELECT sum(n) FROM delivery_lots") == [n]
    assert rows(reader, "SELECT settled FROM runs") == [n]


def test_what_is_purged_as_the_run_ends_is_unresolved_and_before_that_failed(
    writer: Writer, reader: Reader
) -> None:
    bench = Bench(writer)
    bench.send(0)
    bench.send(1)
    bench.callbacks[0](KafkaError(KafkaError._PURGE_INFLIGHT), message())
    bench.recorder.closing = True
    bench.callbacks[1](KafkaError(KafkaError._PURGE_INFLIGHT), message())
    bench.recorder.wait_recorded(10)

    assert rows(reader, "SELECT outcome, stored FROM undelivered ORDER BY sequence") == [
        ("failed", "maybe"),
        ("unresolved", "maybe"),
    ]


def test_a_permanent_refusal_after_an_attempt_in_doubt_stays_in_doubt(
    writer: Writer, reader: Reader
) -> None:
    bench = Bench(writer)
    bench.send(0)
    bench.attempts.log(
        10,
        "",
        "MSGSET",
        "",
        "b/1: orders [0]: MessageSet with 1 message(s) (MsgId 0, BaseSeq -1) encountered error: "
        "Local: Timed out (actions Retry,MsgPossiblyPersisted)",
    )
    bench.callbacks[0](KafkaError(KafkaError.NOT_ENOUGH_REPLICAS), message())
    bench.recorder.wait_recorded(10)

    assert rows(reader, "SELECT code_name, stored FROM undelivered") == [
        ("NOT_ENOUGH_REPLICAS", "maybe")
    ]
