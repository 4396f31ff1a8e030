"""Waiting for a condition with a deadline, instead of sleeping and hoping."""

from __future__ import annotations

import time
from collections.abc import Callable

_POLL_INTERVAL_S = 0.02


def wait_until(predicate: Callable[[], object], timeout_s: float, message: str) -> None:
    """Poll `predicate` until it is true; after `timeout_s` seconds AssertionError(`message`)."""
    deadline = time.monotonic() + timeout_s
    while not predicate():
        if time.monotonic() >= deadline:
            raise AssertionError(f"{message} (waited {timeout_s} s)")
        time.sleep(_POLL_INTERVAL_S)
