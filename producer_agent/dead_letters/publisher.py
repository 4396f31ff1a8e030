"""The publisher: empties the outbox onto the dead-letter topic, however long that takes.

A row is marked only when the broker has acknowledged its record, so a crash in between publishes
it twice; the consumer recognises the second by its letter id. A dead cluster is waited out: the
producer's own time-out is short here and the row simply stays.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Mapping
from functools import partial
from typing import Any

from confluent_kafka import KafkaError, KafkaException, Message, Producer

from producer_agent.dead_letters.envelope import LETTER_HEADER, Carried, FailedEvent, wrap
from producer_agent.store import outbox
from producer_agent.store.outbox import OutboxRow
from producer_agent.store.writer import Writer

log = logging.getLogger(__name__)

BATCH = 500
IDLE_S = 0.25
FIRST_BACKOFF_S = 0.5
LONGEST_BACKOFF_S = 15.0

_TOO_LARGE = (KafkaError.MSG_SIZE_TOO_LARGE, KafkaError.RECORD_LIST_TOO_LARGE)


class Publisher:
    """Publishes outbox rows in a thread of its own.

    Args:
        connection: librdkafka properties that reach the cluster.
        topic: The dead-letter topic.
        writer: Reads and marks the outbox.
    """

    def __init__(self, connection: Mapping[str, Any], topic: str, writer: Writer) -> None:
        self._config: dict[str, Any] = {
            **connection,
            "acks": "all",
            "enable.idempotence": True,
            "delivery.timeout.ms": 15_000,
            "request.timeout.ms": 10_000,
            "linger.ms": 5,
            # As large as librdkafka allows: whether a dead letter fits is for the topic to say.
            "message.max.bytes": 100_000_000,
            "error_cb": lambda error: log.info("dead-letter publisher: %s", error),
            "topic.metadata.propagation.max.ms": 5_000,
        }
        self._topic = topic
        self._writer = writer
        self._stop = threading.Event()
        self.error: str | None = None
        """Why the last batch did not go, or None."""
        self._thread = threading.Thread(target=self._run, name="dead-letter-publisher", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def close(self) -> None:
        """Finish the batch at hand and end. What is left stays in the outbox."""
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join()

    def _run(self) -> None:
        producer: Producer | None = None
        backoff_s = FIRST_BACKOFF_S
        while not self._stop.is_set():
            try:
                rows = self._writer.call(partial(outbox.next_rows, after=0, limit=BATCH))
                if not rows:
                    self.error = None
                    self._stop.wait(IDLE_S)
                    continue
                if producer is None:
                    producer = Producer(self._config)
                failed = self._publish(producer, rows)
            except Exception as error:
                log.exception("dead-letter publisher: a batch broke; it is tried again")
                failed = str(error)
            self.error = failed
            if failed is None:
                backoff_s = FIRST_BACKOFF_S
                continue
            # An idempotent producer whose batch failed may be stuck for good, and one that knew
            # a topic as missing goes on knowing it: a new one is cheap.
            if producer is not None:
                _discard(producer)
                producer = None
            self._stop.wait(backoff_s)
            backoff_s = min(backoff_s * 2, LONGEST_BACKOFF_S)
        if producer is not None:
            _discard(producer)

    def _publish(self, producer: Producer, rows: list[OutboxRow]) -> str | None:
        """Publish a batch and mark what arrived; returns why some did not, or None."""
        done: list[tuple[int, str, str | None]] = []
        too_large: list[OutboxRow] = []
        failures: list[str] = []
        for carried in Carried:
            sent, too_large = (rows if carried is Carried.ALL else too_large), []
            for row in sent:
                self._produce(producer, row, carried, done, too_large, failures)
                producer.poll(0)
            producer.flush(self._config["delivery.timeout.ms"] / 1000 + 5)
        failures += [f"dead letter {row.id} is too large without its payload" for row in too_large]
        if done:
            self._writer.call(partial(outbox.published, places=done))
        if failures:
            return failures[0]
        if len(done) < len(rows):
            return "no acknowledgement in time"
        return None

    def _produce(
        self,
        producer: Producer,
        row: OutboxRow,
        carried: Carried,
        done: list[tuple[int, str, str | None]],
        too_large: list[OutboxRow],
        failures: list[str],
    ) -> None:
        """Send one row with so much of its event; what the topic finds too large joins
        ``too_large``."""
        event = _event(row)

        def failed(error: KafkaError) -> None:
            if error.code() in _TOO_LARGE:
                too_large.append(row)
            else:
                failures.append(f"{error.name()}: {error.str()}")

        def report(error: KafkaError | None, message: Message) -> None:
            if error is None:
                whole = carried is Carried.ALL
                refusal = None if whole else "larger than the dead-letter topic takes"
                place = f"{message.topic()}[{message.partition()}]@{message.offset()}"
                done.append((row.id, place, refusal))
            else:
                failed(error)

        try:
            producer.produce(
                self._topic,
                wrap(event, carried),
                None if carried is Carried.NOTHING else row.key,
                on_delivery=report,
                headers=[(LETTER_HEADER, event.letter_id.encode())],
            )
        except KafkaException as error:
            failed(error.args[0])


def _event(row: OutboxRow) -> FailedEvent:
    return FailedEvent(
        letter_id=f"{row.run}:{row.sequence}",
        topic=row.topic,
        partition=row.partition,
        key=row.key,
        value=row.value,
        headers=row.headers,
        error=row.reason,
        error_code=row.code,
        error_name=row.code_name,
        outcome=row.outcome,
        stored=row.stored,
        run=row.run,
        sequence=row.sequence,
        profile=row.profile,
        sent_us=row.sent_us,
        failed_us=row.settled_us,
        attempts=row.attempts,
    )


def _discard(producer: Producer) -> None:
    """Drop a producer with whatever it still holds: those rows stay in the outbox."""
    try:
        producer.purge()
        producer.close()
    except (KafkaException, SystemError) as error:
        log.info("dead-letter publisher: while closing a producer: %s", error)
