"""Part of a program: what could not be sent is kept, on a topic or in a file."""

from __future__ import annotations

import base64
import json
import logging
from functools import partial
from pathlib import Path

from confluent_kafka import KafkaError, KafkaException, Message, Producer

from producer_agent.advice.advisor.programs.settings import DEAD_LETTERS, TOPIC

log = logging.getLogger(TOPIC)

# Errors after which the event is not on the topic, so that sending it again cannot
# store it twice. All others leave it open: read the topic back before you replay.
NOT_STORED = frozenset(
    {
        KafkaError._QUEUE_FULL,
        KafkaError._TIMED_OUT_QUEUE,
        KafkaError._PURGE_QUEUE,
        KafkaError._UNKNOWN_PARTITION,
        KafkaError._UNKNOWN_TOPIC,
        KafkaError._FATAL,
        KafkaError._INVALID_DIFFERENT_RECORD,
        KafkaError.UNKNOWN_TOPIC_OR_PART,
        KafkaError.NOT_LEADER_FOR_PARTITION,
        KafkaError.LEADER_NOT_AVAILABLE,
        KafkaError.NOT_ENOUGH_REPLICAS,
        KafkaError.KAFKA_STORAGE_ERROR,
        KafkaError.INVALID_MSG,
        KafkaError.MSG_SIZE_TOO_LARGE,
        KafkaError.RECORD_LIST_TOO_LARGE,
        KafkaError.TOPIC_AUTHORIZATION_FAILED,
        KafkaError.CLUSTER_AUTHORIZATION_FAILED,
        KafkaError.INVALID_REQUIRED_ACKS,
        KafkaError.INVALID_TIMESTAMP,
        KafkaError.INVALID_RECORD,
        KafkaError.POLICY_VIOLATION,
        KafkaError.TOPIC_EXCEPTION,
        KafkaError.UNSUPPORTED_FOR_MESSAGE_FORMAT,
        KafkaError.UNSUPPORTED_COMPRESSION_TYPE,
    }
)


class DeadLetters:
    """Keeps what failed: on the dead-letter topic, or in a file where that fails too."""

    def __init__(self, bootstrap: str, spool: Path) -> None:
        self._spool = spool
        # Not idempotent: such a producer can end in a fatal error, and a dead letter that
        # comes twice does no harm.
        self._producer = Producer(
            {
                "bootstrap.servers": bootstrap,
                "acks": "all",
                "enable.idempotence": False,
                "delivery.timeout.ms": 30_000,
                "request.timeout.ms": 10_000,
            }
        )
        self.kept = 0
        self.spooled = 0

    def keep(self, key: bytes | None, value: bytes, error: KafkaError) -> None:
        """Keep one event that failed, and why."""
        self.kept += 1
        stored = "no" if error.code() in NOT_STORED else "maybe"
        log.error("an event failed: %s (%s, stored: %s)", error.name(), error.str(), stored)
        letter = {
            "original_topic": TOPIC,
            **_text("original_key", key),
            **_text("original_value", value),
            "error": error.str(),
            "error_code": error.code(),
            "error_name": error.name(),
            "stored": stored,
        }
        line = json.dumps(letter).encode()
        try:
            self._producer.produce(
                DEAD_LETTERS, line, key, on_delivery=partial(self._reported, line)
            )
        except (BufferError, KafkaException) as refusal:
            self._to_file(line, str(refusal))
        self.poll()

    def poll(self) -> None:
        """Serve the reports on dead letters."""
        self._producer.poll(0)

    def close(self) -> None:
        """Wait until each is on the topic or in the file."""
        if self._producer.flush(35):
            self._producer.purge()
            self._producer.flush(5)

    def _reported(self, line: bytes, error: KafkaError | None, _message: Message) -> None:
        if error is not None:
            self._to_file(line, error.name())

    def _to_file(self, line: bytes, why: str) -> None:
        self.spooled += 1
        log.error("the dead letter could not be sent (%s): kept in %s", why, self._spool)
        with self._spool.open("ab") as file:
            file.write(line + b"\n")


def _text(name: str, data: bytes | None) -> dict[str, str | None]:
    if data is None:
        return {name: None}
    try:
        return {name: data.decode(), f"{name}_encoding": "utf-8"}
    except UnicodeDecodeError:
        return {name: base64.b64encode(data).decode(), f"{name}_encoding": "base64"}
