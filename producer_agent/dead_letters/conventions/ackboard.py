"""Our own envelope, and the bare five-field one that hand-written producers write."""

from __future__ import annotations

import base64
import binascii
import json
from typing import Any

from producer_agent.dead_letters.conventions.record import Decoded, Headers, RawRecord
from producer_agent.delivery.errors import TABLE

NAME = "ackboard"
BARE = "envelope"

_FIVE = ("original_topic", "original_value", "error")
"""Fields without which a JSON object is no envelope; key and code may be left out."""


def decode(record: RawRecord) -> Decoded | None:
    """Read the envelope in the record's value; None if there is none."""
    try:
        return _read(_object(record.value))
    except RecursionError:
        # Nested so deeply that what could be parsed cannot be written again.
        return None


def _read(body: dict[str, Any] | None) -> Decoded | None:
    if body is None or not all(name in body for name in _FIVE):
        return None
    topic = body["original_topic"]
    if not isinstance(topic, str) or not topic:
        return None
    ours = body.get("ackboard") is not None
    code = _whole(body.get("error_code"))
    error = body.get("error")
    stored = body.get("stored")
    omitted = body.get("original_value_omitted")
    sent_us = _whole(body.get("sent_us"))
    values: dict[str, Any] = {
        "original_topic": topic,
        "original_partition": _whole(body.get("original_partition")),
        "original_timestamp_ms": None if sent_us is None else sent_us // 1000,
        "original_key": _bytes(body, "original_key"),
        "original_value": _bytes(body, "original_value"),
        "original_headers": _headers(body.get("original_headers"), encoded=ours),
        "error_class": _text(body.get("error_name")) or _name_of(code),
        "error_code": code,
        "error_message": _text(error) if isinstance(error, str) else _json(error),
        "may_be_stored": stored != "no" if isinstance(stored, str) else None,
        "profile": _text(body.get("profile")),
        "run": _text(body.get("run")),
        "sequence": _whole(body.get("sequence")),
        "value_omitted": _whole(omitted.get("bytes")) if isinstance(omitted, dict) else None,
        "attempts": body["attempts"] if isinstance(body.get("attempts"), dict) else None,
    }
    run, sequence = values["run"], values["sequence"]
    return Decoded(
        convention=NAME if ours else BARE,
        side="producer",
        letter_id=f"{run}:{sequence}" if ours and run and sequence is not None else None,
        fields={
            name: f"value.{_SOURCE.get(name, name)}"
            for name, value in values.items()
            if value is not None and value != ()
        },
        **values,
    )


_SOURCE = {
    "original_timestamp_ms": "sent_us",
    "error_class": "error_name",
    "error_message": "error",
    "may_be_stored": "stored",
    "value_omitted": "original_value_omitted",
}


def _name_of(code: int | None) -> str | None:
    return TABLE[code].name if code is not None and code in TABLE else None


def _object(value: bytes | None) -> dict[str, Any] | None:
    if not value or value.lstrip()[:1] != b"{" or not _may_name_origin(value):
        return None
    try:
        body = json.loads(value)
    except (ValueError, RecursionError):
        return None
    return body if isinstance(body, dict) else None


def _may_name_origin(value: bytes) -> bool:
    """Cheaper than reading all that is JSON. A name may be escaped, or be in UTF-16 or UTF-32."""
    return b"original_topic" in value or b"\\u" in value or b"\0" in value


def _bytes(body: dict[str, Any], name: str) -> bytes | None:
    value = body.get(name)
    if value is None:
        return None
    if not isinstance(value, str):
        # A hand-written envelope often embeds the payload as JSON rather than as text.
        return _json(value).encode()
    if body.get(f"{name}_encoding") == "base64":
        try:
            return base64.b64decode(value, validate=True)
        except (binascii.Error, ValueError):
            return value.encode(errors="surrogatepass")
    return value.encode(errors="surrogatepass")


def _headers(value: Any, *, encoded: bool) -> Headers:
    """Headers as pairs or as an object; their values are base64 in our own envelope, else text."""
    pairs = value.items() if isinstance(value, dict) else value
    try:
        return tuple((str(name), _header_value(item, encoded=encoded)) for name, item in pairs)
    except (TypeError, ValueError):
        return ()


def _header_value(value: Any, *, encoded: bool) -> bytes | None:
    if value is None:
        return None
    if encoded:
        return base64.b64decode(value, validate=True)
    return (value if isinstance(value, str) else _json(value)).encode(errors="surrogatepass")


def _whole(value: Any) -> int | None:
    if isinstance(value, bool):
        return None
    if isinstance(value, str) and len(value) < 20:
        value = int(value) if value.removeprefix("-").isdecimal() else None
    # SQLite holds 64 bits; a larger number is no offset, time or code of Kafka's.
    return value if isinstance(value, int) and -(2**63) <= value < 2**63 else None


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) and value else None


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)
