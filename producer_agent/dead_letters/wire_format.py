"""Confluent's wire format: which schema a payload was written with, and what it says.

Either the payload begins with a magic byte: 0 and a schema id (4 bytes, big-endian), or 1 and a
schema's GUID (16 bytes); or the same bytes stand in the header ``__key_schema_id`` or
``__value_schema_id`` and the payload is the body alone (confluent-kafka,
``schema_registry/common/serde.py``, ``SchemaId``).
"""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol

from producer_agent.kafka.schema_registry import Content, NotDecoded

KEY_HEADER = "__key_schema_id"
VALUE_HEADER = "__value_schema_id"

_BY_ID, _BY_GUID = 0, 1
_ID_BYTES, _GUID_BYTES = 4, 16


class Registry(Protocol):
    """Knows schemas."""

    def decode(self, schema_id: int | None, guid: str | None, body: bytes) -> Content:
        """Decode a body by the schema of this id or GUID.

        Raises:
            NotDecoded: see there.
        """


@dataclass(frozen=True, slots=True)
class WireFormat:
    """A payload that names its schema."""

    schema_id: int | None
    schema_guid: str | None
    in_header: bool
    """The schema is named in a header, and the payload is the body alone."""
    body: bytes
    """For Protobuf it begins with the index of the message type."""
    schema_type: str | None = None
    schema_name: str | None = None
    decoded: Any = None
    """What the registry made of it, of JSON's types; None also while ``error`` says why not."""
    error: str | None = None
    """Why it is not decoded; None if it is, or no registry was asked."""


def detect(
    payload: bytes | None,
    headers: Sequence[tuple[str, bytes | None]] = (),
    header: str = VALUE_HEADER,
) -> WireFormat | None:
    """The schema that a payload names, or None. Asks nobody.

    Text never begins with bytes 0 or 1, other binary formats may: what is found here is likely,
    and only a registry knows.
    """
    for name, value in headers:
        if name == header and value is not None:
            found = _named(value)
            if found is not None and len(value) == 1 + _size(value[0]):
                return replace(found, in_header=True, body=payload or b"")
    return None if payload is None else _named(payload)


def describe(
    payload: bytes | None,
    registry: Registry | None,
    headers: Sequence[tuple[str, bytes | None]] = (),
    header: str = VALUE_HEADER,
) -> WireFormat | None:
    """Like :func:`detect`, decoded where a registry is given.

    It may ask the registry over the network: for one payload that a person looks at, not for a
    list.
    """
    found = detect(payload, headers, header)
    if found is None or registry is None:
        return found
    try:
        content = registry.decode(found.schema_id, found.schema_guid, found.body)
    except NotDecoded as error:
        return replace(found, error=str(error))
    return replace(
        found,
        schema_type=content.schema_type,
        schema_name=content.schema_name,
        decoded=content.value,
    )


def _named(payload: bytes) -> WireFormat | None:
    if not payload or payload[0] not in (_BY_ID, _BY_GUID):
        return None
    end = 1 + _size(payload[0])
    if len(payload) < end:
        return None
    named, body = payload[1:end], payload[end:]
    if payload[0] == _BY_ID:
        return WireFormat(int.from_bytes(named, "big"), None, False, body)
    return WireFormat(None, str(uuid.UUID(bytes=named)), False, body)


def _size(magic: int) -> int:
    return _ID_BYTES if magic == _BY_ID else _GUID_BYTES
