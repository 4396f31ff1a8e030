"""A record while it is edited: bytes as what a person can write, back again, and the difference.

Text is offered only for bytes that a browser's text field gives back as they were: it turns CRLF
into LF, and what cannot be seen cannot be edited. All else is base64.
"""

from __future__ import annotations

import base64
import binascii
import difflib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

from dashboard.formats import visible
from dashboard.letters.payload import as_json, as_text, hex_dump
from producer_agent.store.headers import Headers, as_bytes

Kind = Literal["text", "base64", "null"]

KINDS: Final[tuple[Kind, ...]] = ("text", "base64", "null")

LARGEST: Final = 200_000
"""Bytes of key and value together that are edited in a browser."""

LONGEST_DIFFERENCE: Final = 400
"""Lines of a difference that are shown."""


class EditInvalid(ValueError):
    """What was written is no record; the text says where and why."""


@dataclass(frozen=True, slots=True)
class Record:
    """What is sent: the original, or what is put in its place."""

    key: bytes | None
    value: bytes | None
    headers: tuple[tuple[str, bytes | None], ...]

    @property
    def size(self) -> int:
        """Bytes of key and value."""
        return len(self.key or b"") + len(self.value or b"")


def record_of(key: bytes | None, value: bytes | None, headers: Headers) -> Record:
    """A record whose headers' values are bytes, as the store and the decoders hold them."""
    return Record(key, value, tuple((name, as_bytes(content)) for name, content in headers))


def kind_of(payload: bytes | None) -> Kind:
    """How these bytes are best written."""
    if payload is None:
        return "null"
    return "text" if _is_writable(payload) else "base64"


def written(payload: bytes | None, kind: Kind) -> str:
    """The bytes as text of this kind.

    Raises:
        EditInvalid: they are no text that a text field would give back as it was.
    """
    if payload is None or kind == "null":
        return ""
    if kind == "base64":
        return base64.b64encode(payload).decode("ascii")
    if not _is_writable(payload):
        raise EditInvalid("These bytes are no text that can be edited: use base64.")
    return payload.decode("utf-8")


def bytes_of(text: str, kind: Kind, what: str) -> bytes | None:
    """The reverse of :func:`written`.

    Args:
        text: As it was written.
        kind: What it is.
        what: The field, for the error.

    Raises:
        EditInvalid: it is no base64, or no text that has bytes.
    """
    if kind == "null":
        return None
    try:
        if kind == "text":
            return text.encode("utf-8")
        return base64.b64decode("".join(text.split()), validate=True)
    except (binascii.Error, UnicodeError, ValueError) as error:
        raise EditInvalid(f"{what} is not {kind}: {error}.") from error


def header_columns(headers: Sequence[tuple[str, bytes | None]]) -> dict[str, list[str]]:
    """Headers for a data editor: columns ``name``, ``as`` and ``value``."""
    kinds = [kind_of(value) for _, value in headers]
    return {
        "name": [name for name, _ in headers],
        "as": list(kinds),
        "value": [written(value, kind) for (_, value), kind in zip(headers, kinds, strict=True)],
    }


def headers_of(columns: Mapping[str, Sequence[Any]]) -> tuple[tuple[str, bytes | None], ...]:
    """The reverse of :func:`header_columns`; rows without a name are left out.

    Raises:
        EditInvalid: a value is not what its row says.
    """
    found = []
    rows = zip(columns["name"], columns["as"], columns["value"], strict=True)
    for name, kind, value in rows:
        if not name:
            continue
        found.append((str(name), bytes_of(str(value or ""), kind or "text", f"Header {name}")))
    return tuple(found)


def difference(before: Record, after: Record) -> str:
    """A unified difference of two records, with what cannot be seen spelt out; empty if equal."""
    if before == after:
        return ""
    lines = list(
        difflib.unified_diff(
            *_lines(before, after), fromfile="as it failed", tofile="as it is sent", lineterm=""
        )
    )
    if len(lines) > LONGEST_DIFFERENCE:
        rest = len(lines) - LONGEST_DIFFERENCE
        lines = [*lines[:LONGEST_DIFFERENCE], f"… and {rest:,} more lines"]
    return "\n".join(lines)


def _lines(before: Record, after: Record) -> tuple[list[str], list[str]]:
    """Both as lines, key and value of both in the same form."""
    one, other = [], []
    for what, old, new in (
        ("key", before.key, after.key),
        ("value", before.value, after.value),
    ):
        old_lines, new_lines = _payload_lines(old, new)
        one += [f"{what}:", *old_lines]
        other += [f"{what}:", *new_lines]
    one += ["headers:", *_header_lines(before)]
    other += ["headers:", *_header_lines(after)]
    return one, other


def _payload_lines(old: bytes | None, new: bytes | None) -> tuple[list[str], list[str]]:
    """In the clearest form in which they differ wherever their bytes do."""
    forms = (_as_json_lines, _as_text_lines, _as_hex_lines)
    for form in forms:
        old_lines, new_lines = form(old), form(new)
        if old_lines is None or new_lines is None:
            continue
        if (old_lines == new_lines) == (old == new):
            return old_lines, new_lines
    return ["null" if old is None else ""], ["null" if new is None else ""]


def _as_json_lines(payload: bytes | None) -> list[str] | None:
    if payload is None:
        return ["  null"]
    laid_out = as_json(payload)
    return None if laid_out is None else [f"  {line}" for line in laid_out.split("\n")]


def _as_text_lines(payload: bytes | None) -> list[str] | None:
    if payload is None:
        return ["  null"]
    shown = as_text(payload)
    return [f"  {line}" for line in shown.text.split("\n")] if shown.is_utf8 else None


def _as_hex_lines(payload: bytes | None) -> list[str] | None:
    if payload is None:
        return ["  null (no bytes at all)"]
    return [f"  {line}" for line in (hex_dump(payload) or "(empty)").split("\n")]


def _header_lines(record: Record) -> Iterator[str]:
    for name, value in record.headers:
        shown = "null" if value is None else _header_value(value)
        yield f"  {visible(name)}: {shown}"


def _header_value(value: bytes) -> str:
    text = as_text(value)
    one_line = text.text.replace("\n", "\\n")
    return one_line if text.is_utf8 else f"0x{value.hex()}"


def _is_writable(payload: bytes) -> bool:
    try:
        text = payload.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return visible(text) == text
