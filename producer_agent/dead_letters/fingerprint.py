"""The cause of a dead letter: a fingerprint that groups those with one reason.

The reason is the root error, where in the application it arose, and its message. Where a record
carries a Java stack trace, these are the innermost exception's: the outer ones are often a
framework's, and alike for everything that fails in one listener.

A message is masked, so that what differs from record to record does not tell groups apart:
addresses, times, ids, quoted values and numbers. The version is part of the fingerprint, so a
better masking later makes new groups instead of mixing with old ones.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from functools import lru_cache

from producer_agent.dead_letters.conventions.java_stack import root_of
from producer_agent.dead_letters.conventions.record import Decoded

VERSION = 1

_MASKS = (
    (re.compile(r"[0-9a-fA-F]{8}-(?:[0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12}"), "<uuid>"),
    (
        re.compile(
            r"\b\d{4}-\d{2}-\d{2}[T ]\d{2}:\d{2}(?::\d{2}(?:[.,]\d+)?)?(?:Z|[+-]\d{2}:?\d{2})?"
        ),
        "<time>",
    ),
    (re.compile(r"\b\d{1,3}(?:\.\d{1,3}){3}(?::\d+)?\b"), "<address>"),
    (re.compile(r"(?<![\w.])(?:[\w-]+\.)+[\w-]+:\d{2,5}\b"), "<address>"),
    (re.compile(r"'[^'\n]{0,200}'|\"[^\"\n]{0,200}\""), "<value>"),
    (re.compile(r"\b0x[0-9a-fA-F]+\b|\b(?=[0-9a-fA-F]*\d)[0-9a-fA-F]{8,}\b"), "<id>"),
    (re.compile(r"(?<![A-Za-z_])[-+]?\d+(?:[.,]\d+)*"), "<n>"),
)

MOST_MESSAGE = 300
"""Characters of a masked message that count: beyond that, messages carry payloads."""

MOST_NAME = 200
"""Characters of a class and of a frame that a title shows."""


@dataclass(frozen=True, slots=True)
class Cause:
    """What groups dead letters."""

    fingerprint: str
    """``v1:`` and 16 hex digits."""
    title: str
    """For people: error class, masked message and, where it is known, ``(at class.method)``."""


def cause_of(decoded: Decoded) -> Cause:
    """The cause of a decoded dead letter."""
    error = decoded.error_class or (
        f"code {decoded.error_code}" if decoded.error_code is not None else ""
    )
    message, frame = decoded.cause_message or decoded.error_message or "", ""
    root = root_of(decoded.stack) if decoded.stack else None
    if root is not None:
        error, message, frame = root.error_class, root.message, root.frame or ""
    return _cause(decoded.side, error, frame, mask(message))


@lru_cache(maxsize=1024)
def _cause(side: str, error: str, frame: str, message: str) -> Cause:
    title = ": ".join(part for part in (error[:MOST_NAME], message) if part) or "no reason told"
    if frame:
        title += f" (at {frame[:MOST_NAME]})"
    parts = "\0".join((side, error, frame, message))
    digest = hashlib.sha256(parts.encode(errors="surrogatepass")).hexdigest()[:16]
    return Cause(f"v{VERSION}:{digest}", title)


def mask(message: str) -> str:
    """The first line of a message with everything that varies from record to record masked."""
    return _masked(message.strip().split("\n", 1)[0][: MOST_MESSAGE * 4])


@lru_cache(maxsize=1024)
def _masked(text: str) -> str:
    for pattern, word in _MASKS:
        text = pattern.sub(word, text)
    return text[:MOST_MESSAGE]
