"""A dead letter as a record of an export: its own bytes, what these tell, and triage's word.

Two shapes of the same fields. A line of JSON loses nothing. A row of CSV is for people with a
spreadsheet, where a cell must neither run as a formula nor steer whatever shows it.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable, Mapping
from typing import Any, Final

from producer_agent.cli.output import as_base64, visible, writable
from producer_agent.dead_letters.conventions import Decoded, Hop
from producer_agent.dead_letters.conventions.record import Headers
from producer_agent.store.queries.letter_export import ExportedLetter

FIELDS: Final = (
    "id",
    "stored_us",
    "status",
    "cause_id",
    "cause_row",
    "cause",
    "convention",
    "side",
    "error_class",
    "error_wrapper_class",
    "error_code",
    "error_message",
    "cause_message",
    "original_topic",
    "original_partition",
    "original_offset",
    "original_timestamp_ms",
    "original_headers",
    "consumer_group",
    "connector",
    "stage",
    "attempts",
    "hops",
    "may_be_stored",
    "profile",
    "run",
    "sequence",
    "produce_attempts",
    "value_omitted_bytes",
    "is_pointer",
    "replay_id",
    "cluster_id",
    "topic",
    "topic_id",
    "partition",
    "offset",
    "timestamp_ms",
    "key_bytes",
    "value_bytes",
    "headers",
    "key_b64",
    "value_b64",
)
"""Every key of a record, in order: first what triage reads, last what is long."""


_FORMULA: Final = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")
"""What a cell begins with that a spreadsheet would run, full-width forms as well (OWASP, "CSV
Injection")."""


def record_of(found: ExportedLetter, decoded: Decoded) -> dict[str, Any]:
    """The record: :data:`FIELDS` in order, None where something is not known.

    Args:
        found: The letter as it is stored.
        decoded: What its bytes tell.
    """
    letter = found.letter
    told: dict[str, Any] = {
        "id": letter.id,
        "stored_us": letter.stored_us,
        "status": letter.status,
        "cause_id": found.fingerprint,
        "cause_row": found.cause_row,
        "cause": letter.cause,
        "convention": decoded.convention,
        "side": decoded.side,
        "error_class": decoded.error_class,
        "error_wrapper_class": decoded.error_wrapper_class,
        "error_code": decoded.error_code,
        "error_message": decoded.error_message,
        "cause_message": decoded.cause_message,
        "original_topic": decoded.original_topic,
        "original_partition": decoded.original_partition,
        "original_offset": decoded.original_offset,
        "original_timestamp_ms": decoded.original_timestamp_ms,
        "original_headers": _pairs(decoded.original_headers),
        "consumer_group": decoded.consumer_group,
        "connector": decoded.connector,
        "stage": decoded.stage,
        "attempts": decoded.deliveries,
        "hops": [_hop(hop) for hop in decoded.hops],
        "may_be_stored": decoded.may_be_stored,
        "profile": decoded.profile,
        "run": decoded.run,
        "sequence": decoded.sequence,
        # Attempts of the record's partition while it waited, as a rule: no count of its own.
        "produce_attempts": decoded.attempts,
        "value_omitted_bytes": decoded.value_omitted,
        "is_pointer": decoded.is_pointer,
        "replay_id": letter.replay_id,
        "cluster_id": letter.cluster_id,
        "topic": letter.topic,
        "topic_id": found.topic_id,
        "partition": letter.partition,
        "offset": letter.offset,
        "timestamp_ms": letter.timestamp_ms,
        "key_bytes": None if letter.key is None else len(letter.key),
        "value_bytes": None if letter.value is None else len(letter.value),
        "headers": _pairs(letter.headers),
        "key_b64": as_base64(letter.key),
        "value_b64": as_base64(letter.value),
    }
    return {name: writable(told[name]) for name in FIELDS}


def json_line(record: Mapping[str, Any]) -> bytes:
    """The record as one line of JSON: ASCII alone, so that it is safe to look at as well."""
    return json.dumps(record, separators=(",", ":"), allow_nan=False).encode("ascii") + b"\n"


def csv_header() -> bytes:
    """The first line of a CSV export."""
    return _csv_row(FIELDS)


def csv_line(record: Mapping[str, Any]) -> bytes:
    """The record as a row of CSV (RFC 4180, UTF-8): lists and objects as JSON text, null empty."""
    return _csv_row([_cell(record[name]) for name in FIELDS])


def _csv_row(cells: Iterable[str | int | None]) -> bytes:
    row = io.StringIO()
    csv.writer(row, lineterminator="\r\n").writerow(cells)
    return row.getvalue().encode("utf-8")


def _cell(value: object) -> str | int | None:
    if isinstance(value, bool):
        return "true" if value else "false"
    if value is None or isinstance(value, int):
        return value
    if not isinstance(value, str):
        return json.dumps(value, separators=(",", ":"), allow_nan=False)
    return ("'" if value.startswith(_FORMULA) else "") + visible(value, keep="\n\t")


def _hop(hop: Hop) -> dict[str, Any]:
    """A hop without its stack trace, which is in the headers byte for byte."""
    return {
        "topic": hop.topic,
        "partition": hop.partition,
        "offset": hop.offset,
        "timestamp_ms": hop.timestamp_ms,
        "consumer_group": hop.consumer_group,
        "connector": hop.connector,
        "stage": hop.stage,
        "error_class": hop.error_class,
        "error_wrapper_class": hop.error_wrapper_class,
        "error_message": hop.error_message,
        "cause_message": hop.cause_message,
    }


def _pairs(headers: Headers) -> list[list[str | None]]:
    return [[name, as_base64(value)] for name, value in headers]
