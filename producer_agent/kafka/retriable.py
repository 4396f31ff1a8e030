"""Calls that librdkafka lets be made again, notably those of its transactions."""

from __future__ import annotations

import time
from collections.abc import Callable

from confluent_kafka import KafkaException

STEP_S = 5.0
"""One call to librdkafka waits for so long, and may then be made again."""

_AT_ONCE_S = 0.1


def ask(call: Callable[[float], None], timeout_s: float) -> None:
    """Make ``call(seconds)`` again and again while what it raises is retriable.

    Raises:
        KafkaException: what is not retriable, or the last one when the time is over.
    """
    deadline = time.monotonic() + timeout_s
    while True:
        began_s = time.monotonic()
        try:
            call(min(STEP_S, max(deadline - began_s, 0.001)))
            return
        except KafkaException as raised:
            now_s = time.monotonic()
            if not raised.args[0].retriable() or now_s >= deadline:
                raise
            # It may have come back at once (a coordinator that is loading).
            if now_s - began_s < _AT_ONCE_S:
                time.sleep(min(_AT_ONCE_S, deadline - now_s))
