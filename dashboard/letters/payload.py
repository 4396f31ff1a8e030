"""A record's bytes on the screen: as JSON, as text, as hex; always as data, never as markup.

Nothing that was sent may steer what is shown: control characters and those that turn the
direction of writing are spelt out, numbers and repeated keys are kept as they were written, and
what is too long is cut with a word about it and a download of the whole.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Final

import streamlit as st

from dashboard.formats import visible

SHOWN_BYTES: Final = 32_768
"""What is rendered of a payload; browsers get slow far beyond, and nobody reads that much."""

HEX_SHOWN_BYTES: Final = 4_096

_TOKEN: Final = re.compile(r'"(?:[^"\\]|\\.)*"|[\[\]{}:,]|[^\s\[\]{}:,"]+')
_INDENT: Final = "  "


@dataclass(frozen=True, slots=True)
class PayloadText:
    """Bytes as text."""

    text: str
    """With what has no glyph spelt out, such as ``\\u202e``; line breaks and tabs stay."""
    is_utf8: bool
    """False: some bytes are no UTF-8, and each is shown as ``\\xNN``."""


def as_text(payload: bytes) -> PayloadText:
    """Decode for reading; never fails."""
    try:
        return PayloadText(visible(payload.decode("utf-8")), True)
    except UnicodeDecodeError:
        return PayloadText(visible(payload.decode("utf-8", errors="backslashreplace")), False)


def as_json(payload: bytes) -> str | None:
    """The payload indented, or None if it is no JSON.

    Only white space is changed: large numbers, trailing zeros, the order of keys and keys written
    twice stay as they were sent, which parsing and writing again would lose.
    """
    try:
        text = payload.decode("utf-8")
        json.loads(text)
    except (ValueError, RecursionError):
        return None
    return "".join(_visible_in_json(character) for character in _indented(text))


def hex_dump(payload: bytes) -> str:
    """Sixteen bytes a line: offset, hex in two halves, and what is printable ASCII."""
    lines = []
    for offset in range(0, len(payload), 16):
        line = payload[offset : offset + 16]
        halves = line[:8].hex(" "), line[8:].hex(" ")
        printable = "".join(chr(byte) if 0x20 <= byte < 0x7F else "." for byte in line)
        lines.append(f"{offset:08x}  {halves[0]:<23}  {halves[1]:<23}  {printable}")
    return "\n".join(lines)


def show_payload(payload: bytes | None, *, name: str, key: str) -> None:
    """Three tabs of the same bytes, and a download of all of them.

    Args:
        payload: None is Kafka's null value (a tombstone on a compacted topic).
        name: File name of the download.
        key: Distinguishes its widgets from those of another payload.
    """
    if payload is None:
        st.info("The value is null (on a compacted topic: a tombstone).", icon=":material/block:")
        return
    if not payload:
        st.info("The value is empty: zero bytes, not null.", icon=":material/crop_square:")
        return
    pretty = as_json(payload) if len(payload) <= SHOWN_BYTES else None
    tabs = st.tabs(["JSON", "Text", "Hex"], default="Text" if pretty is None else "JSON", key=key)
    with tabs[0]:
        _show_json(payload, pretty)
    with tabs[1]:
        shown = as_text(payload[:SHOWN_BYTES])
        if not shown.is_utf8 and len(payload) <= SHOWN_BYTES:
            st.caption("Not valid UTF-8: the bytes that are none are shown as \\xNN.")
        st.code(shown.text, language=None, wrap_lines=True)
        _cut(len(payload), SHOWN_BYTES)
    with tabs[2]:
        st.code(hex_dump(payload[:HEX_SHOWN_BYTES]), language=None)
        _cut(len(payload), HEX_SHOWN_BYTES)
    st.download_button(
        f"Download {len(payload):,} bytes",
        lambda: payload,
        file_name=name,
        mime="application/octet-stream",
        icon=":material/download:",
        on_click="ignore",
        key=f"{key}-download",
    )


def _show_json(payload: bytes, pretty: str | None) -> None:
    if pretty is not None:
        st.code(pretty, language="json", wrap_lines=True)
    elif len(payload) > SHOWN_BYTES:
        st.caption("Too long to be laid out as JSON here: read it as text, or download it.")
    else:
        st.caption("Not JSON. Its text and its bytes are in the other tabs.")


def _cut(size: int, shown: int) -> None:
    if size > shown:
        st.caption(f"The first {shown:,} of {size:,} bytes. The download has all of them.")


def _visible_in_json(character: str) -> str:
    """Spelt out as JSON spells it, so that the same string is meant; white space is ours."""
    if visible(character) == character:
        return character
    return f"\\u{ord(character):04x}" if character <= "\uffff" else json.dumps(character)[1:-1]


def _indented(text: str) -> str:
    """Valid JSON text with every value on a line of its own."""
    out: list[str] = []
    depth = 0
    tokens = _TOKEN.findall(text)
    for at, token in enumerate(tokens):
        before = tokens[at - 1] if at else ""
        if token in ("}", "]"):
            depth -= 1
            if before not in ("{", "["):
                out.append("\n" + _INDENT * depth)
        elif before in ("{", "[", ","):
            out.append("\n" + _INDENT * depth)
        out.append(": " if token == ":" else token)
        if token in ("{", "["):
            depth += 1
    return "".join(out)
