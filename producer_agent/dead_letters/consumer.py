"""The consumer: reads dead-letter topics from the earliest record, each record stored once.

Where reading goes on is kept in the database and committed with the records, so neither a crash
nor a restart skips or doubles one. A record's identity includes the cluster and the topic's id:
an embedded cluster that starts anew, or a topic that is created again, begins at offset 0 and is
another topic. Nothing in a record stops the consumer: what cannot be decoded is stored as bytes.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

from confluent_kafka import (
    OFFSET_BEGINNING,
    Consumer,
    KafkaError,
    KafkaException,
    Message,
    TopicPartition,
)

from producer_agent.dead_letters import fingerprint
from producer_agent.dead_letters.conventions import Decoded, RawRecord, decode, unknown
from producer_agent.dead_letters.conventions.record import Headers
from producer_agent.store import dead_letters
from producer_agent.store.dead_letters import Letter
from producer_agent.store.headers import as_bytes
from producer_agent.store.writer import Writer

log = logging.getLogger(__name__)

REPLAY_HEADER = "ackboard-replay"
"""Header of a replayed record: its replay id. A record that comes back still has it."""

BATCH = 500
POLL_S = 0.25
REVIEW_S = 5.0
"""How often the topics' partitions and ids are looked at again."""

FIRST_BACKOFF_S = 0.5
LONGEST_BACKOFF_S = 10.0


class DeadLetterConsumer:
    """Stores what is on the dead-letter topics, in a thread of its own.

    Args:
        connection: librdkafka properties that reach the cluster.
        topics: Dead-letter topics.
        cluster: Row id of the cluster.
        writer: Where records go.
        topic_ids: Reads ``{topic: id}`` from the cluster; a topic it leaves out has no id.
    """

    def __init__(
        self,
        connection: Mapping[str, Any],
        topics: Sequence[str],
        cluster: int,
        writer: Writer,
        topic_ids: Callable[[Sequence[str]], Mapping[str, str]],
    ) -> None:
        self._config: dict[str, Any] = {
            **connection,
            # No group is joined: partitions are assigned here and positions kept in the database.
            "group.id": "ackboard-dead-letters",
            "enable.auto.commit": False,
            "enable.auto.offset.store": False,
            "auto.offset.reset": "earliest",
            "isolation.level": "read_committed",
            "enable.partition.eof": False,
            "error_cb": self._note,
        }
        self._topics = tuple(topics)
        self._cluster = cluster
        self._writer = writer
        self._topic_ids = topic_ids
        self._stop = threading.Event()
        self._ids: dict[str, str] = {}
        self._assigned: dict[tuple[str, str, int], int] = {}
        self.error: str | None = None
        """Why nothing can be read just now, or None."""
        self.behind: int | None = None
        """Records on the topics that are not stored here yet, as last looked at."""
        self._thread = threading.Thread(target=self._run, name="dead-letter-consumer", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def close(self) -> None:
        """Store the batch at hand and end."""
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join()

    def _run(self) -> None:
        backoff_s = FIRST_BACKOFF_S
        while not self._stop.is_set():
            try:
                self._consume()
                backoff_s = FIRST_BACKOFF_S
            except Exception as error:
                self.error = _words(error)
                # What broke is told once in full; a cluster that is away would fill the log.
                log.warning(
                    "dead-letter consumer: %s; it goes on in %.1f s",
                    self.error,
                    backoff_s,
                    exc_info=None if isinstance(error, KafkaException) else error,
                )
                self._stop.wait(backoff_s)
                backoff_s = min(backoff_s * 2, LONGEST_BACKOFF_S)

    def _consume(self) -> None:
        """Read until told to stop; raises on what a new consumer may mend."""
        consumer = Consumer(self._config)
        self._assigned = {}
        try:
            review_s = 0.0
            while not self._stop.is_set():
                if time.monotonic() >= review_s:
                    self._review(consumer)
                    review_s = time.monotonic() + (REVIEW_S if self._assigned else 1.0)
                if not self._assigned:
                    self._stop.wait(POLL_S)
                    continue
                self._store(consumer.consume(BATCH, POLL_S))
        finally:
            consumer.close()

    def _review(self, consumer: Consumer) -> None:
        """Assign partitions that appeared, and see whether a topic was made anew."""
        ids = self._topic_ids(self._topics)
        wanted: dict[tuple[str, str, int], int] = {}
        for topic in self._topics:
            metadata = consumer.list_topics(topic, timeout=5.0).topics.get(topic)
            if metadata is None or metadata.error is not None or not metadata.partitions:
                continue
            topic_id = self._id_of(topic, ids.get(topic))
            stored = self._writer.call(
                partial(
                    dead_letters.positions, cluster=self._cluster, topic=topic, topic_id=topic_id
                )
            )
            for partition in metadata.partitions:
                wanted[topic, topic_id, partition] = stored.get(partition, OFFSET_BEGINNING)
        self.error = None
        if wanted.keys() != self._assigned.keys():
            self._ids = {topic: topic_id for topic, topic_id, _ in wanted}
            consumer.assign(
                [
                    TopicPartition(topic, partition, offset)
                    for (topic, _, partition), offset in wanted.items()
                ]
            )
        self._assigned = wanted
        self.behind = self._count_behind(consumer)

    def _id_of(self, topic: str, told: str | None) -> str:
        """The topic's id. A cluster that does not tell it just now has not made another topic:
        taken for one, all its records would be stored a second time."""
        known = self._ids.get(topic)
        if known is None:
            known = self._writer.call(
                partial(dead_letters.latest_topic_id, cluster=self._cluster, topic=topic)
            )
        if told is None:
            return known
        if not known:
            self._writer.call(
                partial(
                    dead_letters.adopt_topic_id, cluster=self._cluster, topic=topic, topic_id=told
                )
            )
        return told

    def _count_behind(self, consumer: Consumer) -> int | None:
        total = 0
        for (topic, _, partition), position in self._assigned.items():
            try:
                low, high = consumer.get_watermark_offsets(
                    TopicPartition(topic, partition), timeout=2.0
                )
            except KafkaException:
                return None
            total += max(0, high - max(position, low))
        return total

    def _store(self, messages: list[Message]) -> None:
        letters: list[Letter] = []
        for message in messages:
            error = message.error()
            if error is not None:
                if error.code() == KafkaError._PARTITION_EOF:
                    continue
                raise KafkaException(error)
            letters.append(_letter(message, self._ids.get(message.topic() or "", "")))
        if not letters:
            return
        stored = self._writer.submit(
            partial(dead_letters.insert, cluster=self._cluster, letters=letters), must=True
        )
        while not self._stop.is_set():
            try:
                stored.result(timeout=1.0)
                return
            except TimeoutError:
                # The disk is full, say: nothing is read on until this batch is stored.
                continue

    def _note(self, error: KafkaError) -> None:
        if error.code() == KafkaError._ALL_BROKERS_DOWN:
            self.error = error.str()


def _letter(message: Message, topic_id: str) -> Letter:
    kind, timestamp = message.timestamp()
    raw = RawRecord(
        topic=message.topic() or "",
        partition=_known(message.partition()),
        offset=_known(message.offset()),
        timestamp_ms=timestamp if kind else None,
        key=as_bytes(message.key()),
        value=as_bytes(message.value()),
        headers=_headers_of(message),
    )
    try:
        decoded = decode(raw)
    except Exception:
        # A convention must never raise, and if it does the record is kept all the same.
        log.exception("a dead letter could not be decoded: %s", (raw.topic, raw.offset))
        decoded = unknown.decode(raw)
    return letter_of(raw, topic_id, decoded)


def _headers_of(message: Message) -> Headers:
    try:
        return tuple((pair[0], as_bytes(pair[1])) for pair in message.headers() or ())
    except (SystemError, UnicodeDecodeError):
        # Kafka lets a header's name be any bytes; confluent-kafka raises SystemError for one that
        # is no UTF-8, and has no other way to the headers. The rest of the record can be kept.
        log.warning(
            "%s[%s]@%s: its headers are left out, as the name of one is no UTF-8",
            message.topic(),
            message.partition(),
            message.offset(),
        )
        return ()


def letter_of(raw: RawRecord, topic_id: str, decoded: Decoded) -> Letter:
    """The row to store for a record and what was read from it."""
    cause = fingerprint.cause_of(decoded)
    return Letter(
        topic=raw.topic,
        topic_id=topic_id,
        partition=raw.partition,
        offset=raw.offset,
        timestamp_ms=raw.timestamp_ms,
        key=raw.key,
        value=raw.value,
        headers=raw.headers,
        convention=decoded.convention,
        side=decoded.side,
        original_topic=decoded.original_topic,
        original_partition=decoded.original_partition,
        original_offset=decoded.original_offset,
        original_timestamp_ms=decoded.original_timestamp_ms,
        original_key=decoded.original_key,
        error_class=decoded.error_class,
        error_code=decoded.error_code,
        error_message=decoded.error_message,
        may_be_stored=decoded.may_be_stored,
        profile=decoded.profile,
        run_uuid=decoded.run,
        sequence=decoded.sequence,
        letter_id=decoded.letter_id,
        consumer_group=decoded.consumer_group,
        connector=decoded.connector,
        replay_id=_replay_id(decoded),
        fingerprint=cause.fingerprint,
        fingerprint_version=fingerprint.VERSION,
        cause_title=cause.title,
    )


def _replay_id(decoded: Decoded) -> str | None:
    for name, value in reversed(decoded.original_headers):
        if name == REPLAY_HEADER and value is not None:
            return value.decode("utf-8", "replace")
    return None


def _words(error: Exception) -> str:
    if isinstance(error, KafkaException) and error.args:
        cause = error.args[0]
        return cause.str() if isinstance(cause, KafkaError) else str(cause)
    return str(error)


def _known(value: int | None) -> int:
    assert value is not None, "a consumed record has a place"
    return value
