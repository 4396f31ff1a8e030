"""Headers as each framework writes them, between two of an application's own."""

from __future__ import annotations

import struct
from typing import Any

from producer_agent.dead_letters.conventions import Decoded, RawRecord, decode

KEPT = (("trace", b"\xff"), ("trace", None))
"""An application's own headers, around a framework's."""


def record(
    *headers: tuple[str, Any], key: bytes | None = b"k", value: bytes | None = b"v"
) -> RawRecord:
    raw = tuple((name, each.encode() if isinstance(each, str) else each) for name, each in headers)
    return RawRecord("dead", 0, 5, 1_700_000_000_000, key, value, (KEPT[0], *raw, KEPT[1]))


def read(*headers: tuple[str, Any], **raw: Any) -> Decoded:
    decoded = decode(record(*headers, **raw))
    assert decoded.original_headers == KEPT
    return decoded


def prefixed(prefix: str, **values: Any) -> list[tuple[str, Any]]:
    return [(prefix + name.replace("_", "."), value) for name, value in values.items()]


def dashed(prefix: str, **values: Any) -> list[tuple[str, Any]]:
    return [(prefix + name.replace("_", "-"), value) for name, value in values.items()]


def int32(number: int) -> bytes:
    return struct.pack(">i", number)


def int64(number: int) -> bytes:
    return struct.pack(">q", number)


def connect(topic: str, error: str | None, message: str | None, **more: Any) -> Any:
    values: dict[str, Any] = {"topic": topic, "partition": "1", "offset": "7"}
    values |= {
        "connector_name": "sink",
        "task_id": "0",
        "stage": "TASK_PUT",
        "class_name": "c",
        **more,
    }
    if error is not None:
        values |= {"exception_class_name": error, "exception_message": message}
    return prefixed("__connect.errors.", **values)


def streams(**values: Any) -> Any:
    known = {"exception": "a.E", "message": "m", "stacktrace": "s"}
    known |= {"topic": "in", "partition": "0", "offset": "3"}
    return prefixed("__streams.errors.", **{**known, **values})


def spring_original(prefix: str, topic: str, offset: int = 3, **more: Any) -> Any:
    values = {"topic": topic, "partition": int32(1), "offset": int64(offset), **more}
    return dashed(f"{prefix}original-", **values)


def share(**values: Any) -> Any:
    known = {"topic": "orders", "partition": "2", "offset": "41", "group": "g"}
    return prefixed("__dlq.errors.", **{**known, "delivery_count": "5", **values})


def smallrye(topic: str, prefix: str = "dead-letter-", **more: Any) -> Any:
    values = {"exception_class_name": "a.Outer", "reason": "r", **more}
    return dashed(prefix, **values, topic=topic, partition="1", offset="9")


def karafka(prefix: str = "source_", **more: Any) -> Any:
    values = {"topic": "orders", "partition": "3", "offset": "12", "consumer_group": "app_g"}
    return [(prefix + name, value) for name, value in {**values, "attempts": "4", **more}.items()]


def retryable(*retries: tuple[str, bytes], **original: Any) -> Any:
    return [
        *spring_original("kafka_", "orders", **original),
        ("kafka_dlt-original-consumer-group", "shipping"),
        *retries,
        *dashed("kafka_exception-", fqcn="a.Outer", cause_fqcn="a.Cause", message="m"),
    ]
