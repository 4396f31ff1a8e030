"""Dead-letter conventions: one small module each, with ``NAME`` and ``decode(record)``.

A convention's ``decode`` returns None for what is not its own. They are tried in order; adding
one is one file and one line here.
"""

from __future__ import annotations

from collections.abc import Callable

from producer_agent.dead_letters.conventions import ackboard, unknown
from producer_agent.dead_letters.conventions.record import Decoded, RawRecord

__all__ = ["CONVENTIONS", "Decoded", "RawRecord", "decode"]

CONVENTIONS: tuple[Callable[[RawRecord], Decoded | None], ...] = (ackboard.decode,)


def decode(record: RawRecord) -> Decoded:
    """Read a dead letter by the first convention that knows it. Never raises on any bytes."""
    for convention in CONVENTIONS:
        decoded = convention(record)
        if decoded is not None:
            return decoded
    return unknown.decode(record)
