"""Record headers in the database: a JSON list of ``[name, base64 or null]``, order kept.

Header names may repeat and values may be null or any bytes, so no dict and no text column will do.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Sequence

Headers = Sequence[tuple[str, str | bytes | None]]
"""Pairs of name and value, as confluent-kafka takes them."""


def headers_to_json(headers: Headers) -> str:
    """Encode; an empty value stays apart from a null one."""
    return json.dumps(
        [
            [
                name,
                None if value is None else base64.b64encode(as_bytes(value) or b"").decode("ascii"),
            ]
            for name, value in headers
        ]
    )


def headers_from_json(text: str) -> list[tuple[str, bytes | None]]:
    """The reverse of :func:`headers_to_json`."""
    return [
        (name, None if value is None else base64.b64decode(value))
        for name, value in json.loads(text)
    ]


def as_bytes(value: str | bytes | None) -> bytes | None:
    """A key, value or header as bytes: confluent-kafka's types allow text, Kafka holds bytes."""
    return value.encode() if isinstance(value, str) else value
