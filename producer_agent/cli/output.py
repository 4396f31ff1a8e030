"""What goes to the terminal: JSON for programs, tables for people, errors to stderr.

Keys, payloads and error texts come from anywhere. Nothing in them may steer a terminal, so what
has no glyph is spelt out, and rich never reads markup in them.
"""

from __future__ import annotations

import base64
import json
import math
import sys
import unicodedata
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final, NoReturn

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

PIPED_WIDTH = 240
"""Columns where there is no terminal to ask: a pipe into grep should not meet broken lines."""

DEEPEST: Final = 20
"""Levels of lists and objects that are written; our own records have five."""

_UNSEEN = ("Cc", "Cf", "Cs", "Co", "Zl", "Zp")
_STYLES = {
    "ok": "green",
    "warn": "yellow",
    "warning": "yellow",
    "fail": "bold red",
    "error": "bold red",
}


def visible(text: str, *, keep: str = "") -> str:
    """Foreign text with control, bidi, zero-width and private characters spelt out: ``\\x1b``.

    Args:
        keep: Control characters that may stay, such as line breaks in a payload.
    """
    return "".join(
        character
        if character in keep or unicodedata.category(character) not in _UNSEEN
        else _spelt(ord(character))
        for character in text
    )


def _spelt(point: int) -> str:
    if point < 0x100:
        return f"\\x{point:02x}"
    return f"\\u{point:04x}" if point < 0x10000 else f"\\U{point:08x}"


def print_json(document: Any) -> None:
    """Write a document to stdout: indented, all ASCII, so that it is safe to look at as well."""
    try:
        text = json.dumps(document, indent=2, allow_nan=False)
    except (ValueError, RecursionError):
        # A foreign envelope can hold NaN, or be nested deeper than can be written.
        text = json.dumps(writable(document), indent=2, allow_nan=False)
    typer.echo(text)


def writable(value: Any, depth: int = 0) -> Any:
    """What any reader of JSON takes, whatever a foreign envelope smuggled in.

    Lone surrogates are no Unicode and become ``?``; NaN and the infinities are no JSON, and like
    what is nested too deeply to be written become null.
    """
    if isinstance(value, str):
        return value.encode("utf-8", "replace").decode("utf-8")
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if isinstance(value, (Mapping, list, tuple)):
        if depth > DEEPEST:
            return None
        if isinstance(value, Mapping):
            return {writable(name): writable(item, depth + 1) for name, item in value.items()}
        return [writable(item, depth + 1) for item in value]
    return value


def say(text: str = "") -> None:
    """Write text to stdout; line breaks stay, other control characters are spelt out."""
    typer.echo(visible(text, keep="\n"))


def note(text: str) -> None:
    """Write a remark to stderr, so that stdout keeps to what was asked for."""
    typer.echo(visible(text, keep="\n"), err=True)


def fail(message: str, code: int = 1) -> NoReturn:
    """Write an error to stderr and exit."""
    note(f"error: {message}")
    raise typer.Exit(code)


def print_table(
    columns: Sequence[str],
    rows: Sequence[Sequence[object]],
    *,
    right: Sequence[str] = (),
) -> None:
    """Write a table to stdout.

    Args:
        columns: Headings.
        rows: Cells; None is shown as ``-``. A cell that is ``ok``, ``warn``, ``fail`` has colour.
        right: Headings of columns that are aligned to the right.
    """
    console = Console(file=sys.stdout, highlight=False, emoji=False, markup=False)
    if not console.is_terminal:
        console.width = PIPED_WIDTH
    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in columns:
        table.add_column(
            column, justify="right" if column in right else "left", overflow="fold", no_wrap=False
        )
    for row in rows:
        table.add_row(*(_cell(value) for value in row))
    console.print(table)


def _cell(value: object) -> Text:
    text = "-" if value is None else visible(str(value))
    return Text(text, style=_STYLES.get(text, ""))


def print_pairs(pairs: Mapping[str, object]) -> None:
    """Write names and values, one a line, values aligned; None is left out."""
    width = max(map(len, pairs), default=0)
    for name, value in pairs.items():
        if value is not None:
            say(f"{name:<{width}}  {visible(str(value))}")


def as_base64(value: bytes | None) -> str | None:
    """Bytes for JSON; null stays null, and an empty value an empty text."""
    return None if value is None else base64.b64encode(value).decode("ascii")


def count(n: int) -> str:
    """``12,345``."""
    return f"{n:,}"


def milliseconds(us: float | None) -> float | None:
    """Microseconds as milliseconds, to the microsecond; for JSON."""
    return None if us is None else round(us / 1000, 3)


def latency(ms: float | None) -> str:
    """``0.912 ms``, ``14.2 ms``, ``1.25 s``: three digits."""
    if ms is None:
        return "-"
    return f"{ms:#.3g}".rstrip(".") + " ms" if ms < 1000 else f"{ms / 1000:#.3g}".rstrip(".") + " s"


def duration(seconds: float) -> str:
    """``4 s``, ``3 min 20 s``, ``2 h 5 min``, ``3 d 4 h``."""
    whole = max(round(seconds), 0)
    for large, small, names in (
        (86_400, 3_600, ("d", "h")),
        (3_600, 60, ("h", "min")),
        (60, 1, ("min", "s")),
    ):
        if whole >= large:
            rest = whole % large // small
            return f"{whole // large} {names[0]}" + (f" {rest} {names[1]}" if rest else "")
    return f"{whole} s"


def moment(at_us: int | None) -> str | None:
    """``2026-11-24 05:15:02Z``."""
    if at_us is None:
        return None
    try:
        return datetime.fromtimestamp(at_us / 1e6, UTC).strftime("%Y-%m-%d %H:%M:%SZ")
    except (ValueError, OverflowError, OSError):
        # A record's own time may be any 64 bits.
        return f"{at_us} us"
