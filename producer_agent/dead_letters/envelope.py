"""Ackboard's own dead letter: a JSON envelope around the event that failed.

The five fields that hand-written producers use come first; key and value are text where they are
UTF-8, and base64 where they are not, which a second field says. So bytes survive exactly::

    {"original_topic": "orders", "original_key": "42", "original_key_encoding": "utf-8",
     "original_value": "/9j/4A==", "original_value_encoding": "base64",
     "error": "Broker: Not enough in-sync replicas", "error_code": 19, …}
"""

from __future__ import annotations

import base64
import hashlib
import json
from dataclasses import dataclass
from enum import IntEnum
from typing import Any

from producer_agent.store.headers import Headers, headers_to_json

FORMAT = 1
"""Version of the envelope, in its field ``ackboard``."""

LETTER_HEADER = "ackboard-dead-letter"
"""Header that marks the record as ours; its value is the letter's id."""


@dataclass(frozen=True, slots=True)
class FailedEvent:
    """An event that failed, and everything the envelope tells of it."""

    letter_id: str
    topic: str
    partition: int | None
    key: bytes | None
    value: bytes | None
    headers: Headers
    error: str
    error_code: int | None
    error_name: str | None
    outcome: str
    stored: str
    run: str
    sequence: int
    profile: str
    sent_us: int | None
    failed_us: int
    attempts: dict[str, Any] | None


class Carried(IntEnum):
    """How much of the event travels in its envelope; what does not stays in the outbox."""

    ALL = 0
    NO_VALUE = 1
    """The value is too large for the dead-letter topic: its size and SHA-256 are told instead."""
    NOTHING = 2
    """So are key and headers."""


def wrap(event: FailedEvent, carried: Carried = Carried.ALL) -> bytes:
    """The envelope as bytes."""
    value = event.value if carried is Carried.ALL else None
    key = None if carried is Carried.NOTHING else event.key
    headers: Headers = () if carried is Carried.NOTHING else event.headers
    body: dict[str, Any] = {
        "original_topic": event.topic,
        **_bytes("original_key", key),
        **_bytes("original_value", value),
        "error": event.error,
        "error_code": event.error_code,
        "ackboard": FORMAT,
        "error_name": event.error_name,
        "original_partition": event.partition,
        "original_headers": json.loads(headers_to_json(headers)),
        "outcome": event.outcome,
        "stored": event.stored,
        "run": event.run,
        "sequence": event.sequence,
        "profile": event.profile,
        "sent_us": event.sent_us,
        "failed_us": event.failed_us,
        "attempts": event.attempts,
    }
    if carried is not Carried.ALL:
        omitted = event.value or b""
        body["original_value_omitted"] = {
            "bytes": len(omitted),
            "sha256": hashlib.sha256(omitted).hexdigest(),
            "key_and_headers": carried is Carried.NOTHING,
        }
    return json.dumps(body, ensure_ascii=False).encode()


def _bytes(name: str, value: bytes | None) -> dict[str, str | None]:
    if value is None:
        return {name: None, f"{name}_encoding": None}
    try:
        return {name: value.decode("utf-8"), f"{name}_encoding": "utf-8"}
    except UnicodeDecodeError:
        return {name: base64.b64encode(value).decode("ascii"), f"{name}_encoding": "base64"}
