"""The one clock of recorded times."""

from __future__ import annotations

import time


def now_us() -> int:
    """UTC microseconds since 1970."""
    return time.time_ns() // 1000
