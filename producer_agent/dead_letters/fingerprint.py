"""The cause of a dead letter: a fingerprint that groups those with one reason.

A message is masked, so that what differs from record to record does not tell groups apart:
addresses, times, ids, quoted values and numbers. The version is part of the fingerprint, so a
better masking later makes new groups instead of mixing with old ones.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass

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


@dataclass(frozen=True, slots=True)
class Cause:
    """What groups dead letters."""

    fingerprint: str
    """``v1:`` and 16 hex digits."""
    title: str
    """For people: error class and masked message."""


def cause_of(decoded: Decoded) -> Cause:
    """The cause of a decoded dead letter."""
    error = decoded.error_class or (
        f"code {decoded.error_code}" if decoded.error_code is not None else ""
    )
    message = mask(decoded.error_message or "")
    title = ": ".join(part for part in (error, message) if part) or "no reason told"
    parts = "\0".join((decoded.side, error, message))
    digest = hashlib.sha256(parts.encode(errors="surrogatepass")).hexdigest()[:16]
    return Cause(f"v{VERSION}:{digest}", title)


def mask(message: str) -> str:
    """The first line of a message with everything that varies from record to record masked."""
    text = message.strip().split("\n", 1)[0][: MOST_MESSAGE * 4]
    for pattern, word in _MASKS:
        text = pattern.sub(word, text)
    return text[:MOST_MESSAGE]
