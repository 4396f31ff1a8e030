"""The ``logger=`` of a reliable producer: the log of attempts, and whatever the user listens to."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from typing import Any

from confluent_kafka import KafkaError

from producer_agent.kafka.attempts import AttemptLog

log = logging.getLogger(__name__)

TOLD_AGAIN_S = 10.0
"""What comes again and again is logged once in this time."""


class LibrdkafkaLog:
    """Takes librdkafka's lines, as ``logging.Logger`` would.

    Args:
        attempts: Needs the lines of ``debug=msg``, which is on for its sake.
        logger: The user's own, which gets what it would have got from the bare client.
        debug: Whether the user asked for debug lines.
    """

    def __init__(self, attempts: AttemptLog, logger: Any | None, *, debug: bool) -> None:
        self._attempts = attempts
        self._logger = logger
        self._debug = debug

    def log(self, level: int, form: str, facility: str, client: str, text: str) -> None:
        """Take one line: ``("%s [%s] %s", facility, client, text)``."""
        self._attempts.log(level, form, facility, client, text)
        if self._logger is not None and (self._debug or level > logging.DEBUG):
            self._logger.log(level, form, facility, client, text)


def with_messages(debug: str) -> str:
    """The ``debug`` property with ``msg`` among its contexts."""
    contexts = [context.strip() for context in debug.split(",") if context.strip()]
    return ",".join(contexts if {"msg", "all"} & set(contexts) else [*contexts, "msg"])


def error_callback(name: str, users: Any | None) -> Callable[[KafkaError], None]:
    """An ``error_cb`` that logs what librdkafka tells of connections, and then calls the user's."""
    again_s: dict[int, float] = {}

    def note(error: KafkaError) -> None:
        now_s = time.monotonic()
        if now_s >= again_s.get(error.code(), 0.0):
            again_s[error.code()] = now_s + TOLD_AGAIN_S
            log.warning("%s: %s: %s", name, error.name(), error.str())
        if users is not None:
            users(error)

    return note
