"""The events a run sends: realistic JSON, an identity in the headers, and faults mixed in."""

from __future__ import annotations

import json
import random
import string
import uuid
import zlib
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, NamedTuple

from producer_agent.delivery.profiles import Profile
from producer_agent.kafka.our_headers import IDENTITY, IDENTITY_HEADER
from producer_agent.store.clock import now_us

UNKNOWN_PARTITION = 1_000_000
"""A partition that no topic has."""


class EventFault(StrEnum):
    """How an event is made to fail."""

    OVERSIZED = "oversized"
    UNKNOWN_PARTITION = "unknown_partition"
    UNKNOWN_TOPIC = "unknown_topic"


ANY_PARTITION = -1
"""librdkafka's ``RD_KAFKA_PARTITION_UA``: the partitioner decides."""


class Event(NamedTuple):
    """What one ``produce()`` gets. A tuple, as it is made and unpacked once an event."""

    topic: str
    partition: int
    """Or :data:`ANY_PARTITION`."""
    key: bytes | None
    value: bytes
    headers: list[tuple[str, str | bytes | None]]
    """Bytes or None; the type is confluent-kafka's."""

    @property
    def known_partition(self) -> int | None:
        """The partition it was sent to by number, or None."""
        return None if self.partition == ANY_PARTITION else self.partition


@dataclass(frozen=True, slots=True)
class Identity:
    """Which event a record is."""

    run: str
    """32 hex digits."""
    sequence: int
    crc32: int
    """Of the value as it was sent."""


def pack_identity(run: bytes, sequence: int, value: bytes) -> bytes:
    """The identity header's value for event ``sequence`` of ``run`` (16 bytes)."""
    return IDENTITY.pack(run, sequence, zlib.crc32(value))


def identity_of(value: bytes | None) -> Identity | None:
    """Read an identity header's value; None if it is none."""
    if value is None or len(value) != IDENTITY.size:
        return None
    run, sequence, crc32 = IDENTITY.unpack(value)
    return Identity(run.hex(), sequence, crc32)


class EventSource:
    """An endless, seeded sequence of events for one run of a profile."""

    def __init__(self, profile: Profile, run: uuid.UUID) -> None:
        self._workload = profile.workload
        self._run = run.bytes
        self._random = random.Random(run.int)
        self._message_max_bytes = profile.producer.message_max_bytes
        self.oversize_all = False
        """The fault "message too large" is on: every payload exceeds the client's limit."""
        self.partitions = 0
        """Of the topic, where each is sent to in turn by number; 0: the partitioner decides."""
        mix = self._workload.faults
        self._faults = (
            (EventFault.OVERSIZED, mix.oversized),
            (EventFault.UNKNOWN_PARTITION, mix.unknown_partition),
            (EventFault.UNKNOWN_TOPIC, mix.unknown_topic),
        )
        self._filler = "".join(self._random.choices(string.ascii_lowercase + "    ", k=65536))

    def make(self, sequence: int) -> Event:
        """The event with this sequence; call in ascending order."""
        workload = self._workload
        fault = self._pick_fault()
        key = (
            f"{workload.event}-{self._random.randrange(workload.keys)}".encode()
            if workload.keys
            else None
        )
        body = self._body(sequence, key)
        size = max(workload.payload_bytes * self._random.uniform(0.7, 1.3), 50)
        if fault is EventFault.OVERSIZED:
            size = self._message_max_bytes + 1024
        body["note"] = self._pad(int(size) - len(json.dumps(body)) - 12)
        value = json.dumps(body).encode()
        topic, partition = workload.topic, ANY_PARTITION
        if workload.second_topic is not None and sequence % 2:
            topic = workload.second_topic
        elif self.partitions:
            partition = sequence % self.partitions
        if fault is EventFault.UNKNOWN_PARTITION:
            partition = UNKNOWN_PARTITION
        elif fault is EventFault.UNKNOWN_TOPIC:
            topic = unknown_topic_of(workload.topic)
        headers: list[tuple[str, str | bytes | None]] = [
            (IDENTITY_HEADER, pack_identity(self._run, sequence, value)),
            ("content-type", b"application/json"),
        ]
        return Event(topic, partition, key, value, headers)

    def _pick_fault(self) -> EventFault | None:
        if self.oversize_all:
            return EventFault.OVERSIZED
        draw = self._random.random()
        for fault, share in self._faults:
            if draw < share:
                return fault
            draw -= share
        return None

    def _body(self, sequence: int, key: bytes | None) -> dict[str, Any]:
        choose = self._random.choice
        common = {
            "event_id": f"{self._random.getrandbits(64):016x}",
            "sequence": sequence,
            "occurred_at_us": now_us(),
            "subject": None if key is None else key.decode(),
        }
        match self._workload.event:
            case "task":
                return common | {
                    "type": choose(("task.created", "task.assigned", "task.completed")),
                    "priority": choose(("low", "normal", "high")),
                    "assignee": f"user-{self._random.randrange(500)}",
                }
            case "analytics":
                return common | {
                    "type": choose(("task.viewed", "task.searched", "board.opened")),
                    "duration_ms": self._random.randrange(5, 4000),
                    "session": f"{self._random.getrandbits(32):08x}",
                }
            case _:
                return common | {
                    "type": "activity.metric",
                    "metric": choose(("cpu", "memory", "open_sessions", "queue_depth")),
                    "value": round(self._random.random() * 100, 3),
                }

    def _pad(self, length: int) -> str:
        if length <= 0:
            return ""
        start = self._random.randrange(len(self._filler))
        turns = (start + length) // len(self._filler) + 1
        return (self._filler * turns)[start : start + length]


def unknown_topic_of(topic: str) -> str:
    """The topic that ``unknown_topic`` faults are sent to: it is never created."""
    return f"{topic}.missing"
