"""The consumer: reads dead-letter topics, each record stored once.

Where reading goes on is kept in the database and committed with the records, so neither a crash
nor a restart skips or doubles one. A record's identity includes the cluster and the topic's id:
an embedded cluster that starts anew, or a topic that is created again, begins at offset 0 and is
another topic. Nothing in a record stops the consumer: what cannot be decoded is stored as bytes.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any, Final

from confluent_kafka import (
    OFFSET_BEGINNING,
    Consumer,
    KafkaError,
    KafkaException,
    Message,
    TopicPartition,
)
from sqlite_utils import Database

from producer_agent.dead_letters.assignment import Assigned, Assigner, Brokers
from producer_agent.dead_letters.group_offsets import GroupOffsets
from producer_agent.dead_letters.letters import letter_from
from producer_agent.store import dead_letter_positions, dead_letters
from producer_agent.store.dead_letter_positions import Place
from producer_agent.store.dead_letters import Letter
from producer_agent.store.writer import Writer

log = logging.getLogger(__name__)

BATCH = 2_048
"""A multiple of what goes into one statement, see ``store.many_rows``."""
BATCH_BYTES = 16 * 1024 * 1024
"""A batch ends with the record that goes past this: it bounds memory where values are large."""
QUEUED_KIB = 16 * 1024
"""What librdkafka may have fetched ahead."""

POLL_S = 0.25
REVIEW_S = 5.0
"""How often policies, topics and their partitions and ids are looked at again."""
SET_ASIDE_S = 30.0
"""How long a topic that may not be read is left alone."""
GONE_S = 1.0
"""How long one that is not there any more is."""

MISSING = "there is no such topic, or Ackboard may not see it"

FIRST_BACKOFF_S = 0.5
LONGEST_BACKOFF_S = 10.0

_POSITION_LOST: Final = (KafkaError._AUTO_OFFSET_RESET, KafkaError._LOG_TRUNCATION)
_OF_THE_TOPIC: Final = (
    KafkaError.TOPIC_AUTHORIZATION_FAILED,
    KafkaError.UNKNOWN_TOPIC_OR_PART,
    KafkaError._UNKNOWN_TOPIC,
    KafkaError._UNKNOWN_PARTITION,
)


@dataclass(frozen=True, slots=True)
class Reading:
    """How far the consumer is, at one moment."""

    assigned: tuple[Assigned, ...]
    set_aside: Mapping[str, str]
    """Why topics that ought to be read are not, by topic."""


class DeadLetterConsumer:
    """Stores what is on the dead-letter topics, in a thread of its own.

    Args:
        connection: librdkafka properties that reach the cluster.
        own_topic: The board's own dead-letter topic; further ones come from the policies.
        cluster: Row id of the cluster.
        writer: Where records go.
        brokers: What else is asked of the cluster.
        group: Consumer group that offsets are committed to.
    """

    def __init__(
        self,
        connection: Mapping[str, Any],
        own_topic: str,
        cluster: int,
        writer: Writer,
        brokers: Brokers,
        group: str,
    ) -> None:
        self.group_offsets = GroupOffsets(group)
        self._config: dict[str, Any] = {
            **connection,
            # The group is not joined: partitions are assigned here, see docs/adr/0004 and 0007.
            "group.id": group,
            "enable.auto.commit": False,
            "enable.auto.offset.store": False,
            # Reset by librdkafka itself, nobody would hear how much was skipped.
            "auto.offset.reset": "error",
            "isolation.level": "read_committed",
            # Only the end of a partition tells of offsets that hold no record (transactions).
            "enable.partition.eof": True,
            "queued.max.messages.kbytes": QUEUED_KIB,
            "error_cb": self._note,
            # No session is kept; but so long (45 s by default) librdkafka lets a commit wait for a
            # coordinator that is away, and its close waits for that commit.
            "session.timeout.ms": 2_000,
            "on_commit": self.group_offsets.on_commit,
        }
        self._own_topic = own_topic
        self._cluster = cluster
        self._writer = writer
        self._assigner = Assigner(cluster, own_topic, writer, brokers)
        self._stop = threading.Event()
        self._changed = threading.Event()
        self._assigned: dict[tuple[str, int], Assigned] = {}
        self._reached: dict[Place, int] = {}
        self._set_aside: dict[str, tuple[str, float]] = {}
        self._lost: set[tuple[str, int]] = set()
        self._storing: tuple[Future[None], Mapping[Place, int]] | None = None
        self.error: str | None = None
        """Why nothing can be read just now, or None."""
        self._thread = threading.Thread(target=self._run, name="dead-letter-consumer", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def close(self) -> None:
        """Store the batch at hand and end."""
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join()

    def review_soon(self) -> None:
        """The policies were changed: look at them before it is time."""
        self._changed.set()

    def reading(self) -> Reading:
        """How far it is; may be called from any thread."""
        unread = dict.fromkeys(self._assigner.missing, MISSING)
        unread |= {topic: why for topic, (why, _until) in self._set_aside.copy().items()}
        return Reading(tuple(self._assigned.values()), unread)

    def _run(self) -> None:
        backoff_s = FIRST_BACKOFF_S
        while not self._stop.is_set():
            began_s = time.monotonic()
            try:
                self._consume()
            except Exception as error:
                self.error = _words(error)
                if time.monotonic() - began_s > LONGEST_BACKOFF_S:
                    backoff_s = FIRST_BACKOFF_S
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
                if self._changed.is_set() or self._lost or time.monotonic() >= review_s:
                    self._changed.clear()
                    self._review(consumer)
                    review_s = time.monotonic() + (REVIEW_S if self._assigned else 1.0)
                if not self._assigned:
                    self._changed.wait(POLL_S)
                    continue
                self._store(self._batch(consumer))
                if self._storing is not None and self._storing[0].done():
                    self._settle()
                self.group_offsets.commit(consumer)
            self._settle()
            consumer.unassign()
            self.group_offsets.close(consumer)
        finally:
            consumer.close()

    def _review(self, consumer: Consumer) -> None:
        """Assign what the policies cover now, and see whether a topic was made anew."""
        self._settle()  # positions are read from the database below
        now_s = time.monotonic()
        self._set_aside = {t: why for t, why in self._set_aside.items() if why[1] > now_s}
        topics = {
            name: sorted(found.partitions)
            for name, found in consumer.list_topics(timeout=5.0).topics.items()
            if found.error is None and found.partitions and name not in self._set_aside
        }
        wanted = {(at.topic, at.partition): at for at in self._assigner.assign(topics)}
        own = self._set_aside.get(self._own_topic)
        self.error = own[0] if own else None
        places = {at.place for at in wanted.values()}
        if self._lost or places != {at.place for at in self._assigned.values()}:
            self._start(consumer, wanted)
        self._assigned = wanted

    def _start(self, consumer: Consumer, wanted: Mapping[tuple[str, int], Assigned]) -> None:
        moved = self._assigner.skip_deleted([at for at in wanted.values() if at.position])
        self._reached = {
            at.place: moved.get(at.place, at.position.next_offset)
            for at in wanted.values()
            if at.position is not None
        }
        # A position that the broker does not have although nothing before it was deleted lies
        # behind the end: the log was cut. What is there is read again; what is known is known.
        cut = self._lost - {(topic, at) for topic, _, at in moved}
        for topic, at in cut & wanted.keys():
            log.error("%s[%d] ends before what was read of it; it is read again", topic, at)
        self._lost.clear()
        consumer.assign(
            [
                TopicPartition(
                    at.topic,
                    at.partition,
                    OFFSET_BEGINNING
                    if place in cut
                    else self._reached.get(at.place, OFFSET_BEGINNING),
                )
                for place, at in wanted.items()
            ]
        )
        self.group_offsets.reached(
            {(topic, at): offset for (topic, _, at), offset in self._reached.items()}
        )

    def _batch(self, consumer: Consumer) -> list[Message]:
        """Up to :data:`BATCH` records or :data:`BATCH_BYTES`, whichever is first; it waits for
        them at most :data:`POLL_S`."""
        batch: list[Message] = []
        size = 0
        deadline = time.monotonic() + POLL_S
        while len(batch) < BATCH and size < BATCH_BYTES:
            message = consumer.poll(max(0.0, deadline - time.monotonic()))
            if message is None:
                break
            batch.append(message)
            size += len(message.value() or b"") + len(message.key() or b"")
        return batch

    def _store(self, messages: Sequence[Message]) -> None:
        letters: list[Letter] = []
        reached: dict[Place, int] = {}
        for message in messages:
            assigned = self._assigned.get((message.topic() or "", message.partition() or 0))
            error = message.error()
            if error is not None and not self._is_of_the_end(message, error):
                continue
            if assigned is None:
                continue
            offset = message.offset()
            assert offset is not None, "records and ends have an offset"
            if error is None:
                letters.append(letter_from(message, assigned.topic_id, assigned.policy))
                offset += 1
            if offset > self._reached.get(assigned.place, 0):
                reached[assigned.place] = offset
        if not reached and not letters:
            return

        def store(db: Database) -> None:
            dead_letters.insert(db, self._cluster, letters)
            # Also where a partition ends with offsets that hold no record.
            dead_letter_positions.advance(db, self._cluster, reached)

        # One batch is stored while the next is read and decoded, and never two: what waits for a
        # full disk stays bounded.
        self._settle()
        if self._storing is None:
            self._storing = (self._writer.submit(store, must=True), reached)

    def _settle(self) -> None:
        """Wait until the last batch is stored; at the end, only a moment."""
        while self._storing is not None:
            stored, reached = self._storing
            try:
                stored.result(timeout=1.0)
            except TimeoutError:
                if self._stop.is_set():
                    return
                continue
            self._storing = None
            self._reached.update(reached)
            self.group_offsets.reached(
                {(topic, at): offset for (topic, _, at), offset in reached.items()}
            )

    def _is_of_the_end(self, message: Message, error: KafkaError) -> bool:
        """Whether it only says that a partition has no more just now.

        Raises:
            KafkaException: reading cannot go on.
        """
        code, topic = error.code(), message.topic()
        if code == KafkaError._PARTITION_EOF:
            return True
        if code == KafkaError.GROUP_AUTHORIZATION_FAILED:
            self.group_offsets.failed(error)
        elif topic and code in _POSITION_LOST:
            self._lost.add((topic, message.partition() or 0))
        elif topic and code in _OF_THE_TOPIC:
            denied = code == KafkaError.TOPIC_AUTHORIZATION_FAILED
            pause_s = SET_ASIDE_S if denied else GONE_S
            log.warning("%s is not read for %.0f s: %s", topic, pause_s, error.str())
            self._set_aside[topic] = (error.str(), time.monotonic() + pause_s)
            self._changed.set()
        else:
            raise KafkaException(error)
        return False

    def _note(self, error: KafkaError) -> None:
        if error.code() == KafkaError._ALL_BROKERS_DOWN:
            self.error = error.str()


def _words(error: Exception) -> str:
    if isinstance(error, KafkaException) and error.args:
        cause = error.args[0]
        return cause.str() if isinstance(cause, KafkaError) else str(cause)
    return str(error)
