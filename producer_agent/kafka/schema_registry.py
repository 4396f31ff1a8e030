"""A Confluent schema registry, asked through confluent-kafka's own client.

The client and Avro need the packages of the extra ``schema-registry``; without them a payload's
schema id is all that is shown, and the reason. Bodies are decoded here and not by the client's
deserializers, which also run the rules of a schema (decryption, transformation): what is shown is
what was written.
"""

from __future__ import annotations

import io
import json
import math
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from datetime import time as time_of_day
from typing import Any, Final, TypeVar
from urllib.parse import urlsplit

from producer_agent.kafka import protobuf_schema

T = TypeVar("T")

TIMEOUT_S: Final = 3.0
FAILED_FOR_S: Final = 10.0
"""How long what failed is not asked again, so that not every look at a page hangs."""

_COMPILED: Final = "serialized"
"""The format in which the registry tells a Protobuf schema's descriptor."""

INSTALL: Final = "pip install 'ackboard[schema-registry]'"


class NotDecoded(Exception):
    """A payload could not be decoded; the text says why and what mends it."""


@dataclass(frozen=True, slots=True)
class Content:
    """What a schema makes of a body."""

    schema_type: str
    """``AVRO``, ``JSON`` or ``PROTOBUF``."""
    schema_name: str | None
    value: Any
    """Of JSON's types alone; bytes are hex with ``0x`` before it."""


class SchemaRegistry:
    """Decodes payloads by the registry's schemas, each fetched once. For any thread.

    Args:
        url: Its address.
        user_info: ``user:password``; a secret, never part of an error's text.
    """

    def __init__(self, url: str, user_info: str | None = None) -> None:
        self._config: dict[str, Any] = {"url": url, "timeout": TIMEOUT_S, "max.retries": 0}
        if user_info:
            self._config["basic.auth.user.info"] = user_info
        address = urlsplit(url)
        port = f":{address.port}" if address.port else ""
        self.address = f"{address.scheme}://{address.hostname}{port}"
        """Where it is, without any login."""
        # A client's cache does not tell one format of a schema from another: one a format.
        self._clients: dict[str | None, Any] = {}
        self._failed: dict[str, tuple[float, str]] = {}
        self._lock = threading.Lock()

    def decode(self, schema_id: int | None, guid: str | None, body: bytes) -> Content:
        """Decode a body by the schema of this id or GUID.

        Raises:
            NotDecoded: see there.
        """
        name = f"schema {guid if schema_id is None else schema_id}"
        schema = self._schema(name, schema_id, guid, None)
        kind = str(schema.schema_type or "AVRO")
        try:
            if kind == "AVRO":
                title, value = self._avro(schema, body)
            elif kind == "JSON":
                title, value = json.loads(schema.schema_str).get("title"), json.loads(body)
            elif kind == "PROTOBUF":
                title, value = self._protobuf(name, schema_id, guid, body)
            else:
                raise NotDecoded(f"{name} is of type {kind}, which Ackboard does not know.")
            return Content(kind, title, as_json(value))
        except NotDecoded:
            raise
        except Exception as error:  # any bytes can stand behind an id, and any text in a schema
            raise NotDecoded(
                f"It does not fit {name} ({kind}): {type(error).__name__}: {error}. Its first "
                "bytes may only look like a schema's id."
            ) from error

    def _avro(self, schema: Any, body: bytes) -> tuple[str | None, Any]:
        import fastavro

        named: dict[str, Any] = {}
        for further in self._references(schema, None):
            fastavro.parse_schema(json.loads(further.schema_str), named)
        parsed = fastavro.parse_schema(json.loads(schema.schema_str), named)
        stream = io.BytesIO(body)
        value = fastavro.schemaless_reader(stream, parsed, None)
        if stream.tell() != len(body):
            raise ValueError(f"{len(body) - stream.tell()} bytes are left over")
        return (parsed.get("name") if isinstance(parsed, dict) else None), value

    def _protobuf(
        self, name: str, schema_id: int | None, guid: str | None, body: bytes
    ) -> tuple[str, Any]:
        # In this format the registry tells the compiled descriptor instead of .proto text.
        schema = self._schema(name, schema_id, guid, _COMPILED)
        files = [(found.name, found.schema_str) for found in self._references(schema, _COMPILED)]
        return protobuf_schema.decode(schema.schema_str, files, body)

    def _schema(
        self, name: str, schema_id: int | None, guid: str | None, format_: str | None
    ) -> Any:
        if schema_id is not None:
            return self._fetch(name, format_, lambda c: c.get_schema(schema_id, fmt=format_))
        return self._fetch(name, format_, lambda c: c.get_schema_by_guid(guid, fmt=format_))

    def _references(self, schema: Any, format_: str | None) -> list[_Referenced]:
        """What a schema refers to, each after what it refers to itself."""
        found: list[_Referenced] = []
        for reference in schema.references or ():
            subject, version = reference.subject, reference.version

            def get(client: Any, subject: str = subject, version: int = version) -> Any:
                return client.get_version(subject, version, fmt=format_).schema

            further = self._fetch(f"{subject} version {version}", format_, get)
            found += self._references(further, format_)
            found.append(_Referenced(reference.name, further.schema_str))
        return found

    def _fetch(self, what: str, format_: str | None, get: Callable[[Any], T]) -> T:
        """Ask the registry, or its client's cache.

        Raises:
            NotDecoded: it did not tell.
        """
        with self._lock:
            failed_s, why = self._failed.get(what, (0.0, ""))
            if time.monotonic() < failed_s:
                raise NotDecoded(why)
            try:
                return get(self._connected(format_))
            except ImportError as error:
                why = f"{what} is not decoded: {error.name} is not installed. {INSTALL}"
            except Exception as error:  # noqa: BLE001 - its own, its HTTP library's, the system's
                why = self._words(what, error)
            self._failed[what] = (time.monotonic() + FAILED_FOR_S, why)
        raise NotDecoded(why)

    def _connected(self, format_: str | None) -> Any:
        if format_ not in self._clients:
            import fastavro  # noqa: F401 - missed here, with the mend, and not while decoding
            from confluent_kafka.schema_registry import SchemaRegistryClient

            self._clients[format_] = SchemaRegistryClient(self._config)
        return self._clients[format_]

    def _words(self, what: str, error: Exception) -> str:
        status = getattr(error, "http_status_code", None)
        if status == 404:
            return (
                f"The registry at {self.address} has no {what}: the payload was written with "
                "another registry, or only looks as if it named a schema."
            )
        if status in (401, 403):
            return (
                f"The registry at {self.address} refuses {what} ({status}). Set "
                "ACKBOARD_SCHEMA_REGISTRY_USER_INFO to user:password of someone who may read it."
            )
        if status is not None:
            return f"The registry at {self.address} did not tell {what}: it answered {status}."
        return (
            f"The registry at {self.address} did not tell {what} ({type(error).__name__}). See "
            "that ACKBOARD_SCHEMA_REGISTRY_URL is right and that it runs."
        )


@dataclass(frozen=True, slots=True)
class _Referenced:
    name: str
    schema_str: str


def as_json(value: Any) -> Any:
    """A decoded value in JSON's types, nothing lost: bytes become hex, times and decimals text."""
    if value is None or isinstance(value, bool | int | str):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else str(value)
    if isinstance(value, bytes):
        return f"0x{value.hex()}"
    if isinstance(value, datetime | date | time_of_day):
        return value.isoformat()
    if isinstance(value, Mapping):
        return {str(name): as_json(item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [as_json(item) for item in value]
    return str(value)
