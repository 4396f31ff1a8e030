"""A record that failed: what is known of it, and how it is told to the log without flooding it."""

from __future__ import annotations

import hashlib
import logging
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from producer_agent.delivery.errors import Stored
from producer_agent.kafka.attempts import AttemptSummary
from producer_agent.store.headers import Headers

LOG_EVERY_S = 10.0
"""Of failures of one kind (topic, partition known or not, code), one line in this time."""

MOST_KINDS = 1_000
"""Kinds that are kept apart; beyond, failures are told together."""


@dataclass(frozen=True, slots=True)
class Failure:
    """A record that was not delivered. Its key, value and headers are as they were handed over."""

    run: str
    """32 hex digits; with ``sequence`` the identity in the record's header."""
    sequence: int
    profile: str
    outcome: str
    """``failed``: reported as such. ``rejected``: ``produce()`` raised. ``unresolved``: neither."""
    topic: str
    partition: int | None
    key: bytes | None
    value: bytes | None
    headers: Headers
    code: int | None
    """Kafka's or librdkafka's; None where a transaction was aborted."""
    code_name: str
    reason: str
    stored: Stored
    cause: str
    """The code's name, or what the broker answered behind a time-out."""
    sent_us: int
    settled_us: int
    attempts: AttemptSummary | None
    dead_letter: bool
    """Whether it goes to the dead-letter queue: it failed for good, and not on purpose."""

    @property
    def settled(self) -> bool:
        """Whether it is certain what became of it; if not, read its topic back before sending it
        again (its identity header tells it apart), or have a consumer that can drop the second."""
        return self.stored is not Stored.MAYBE

    def context(self) -> dict[str, Any]:
        """What a log record carries of it as ``extra``. No payload, and of the key a hash only."""
        causes = self.attempts.causes if self.attempts is not None else ()
        return {
            "topic": self.topic,
            "partition": self.partition,
            "key_hash": None
            if self.key is None
            else hashlib.blake2b(self.key, digest_size=8).hexdigest(),
            "code": self.code,
            "code_name": self.code_name,
            "cause": self.cause,
            "outcome": self.outcome,
            "settled": self.settled,
            "stored": self.stored.value,
            "attempts": sum(cause.count for cause in causes),
            "first_attempt_us": min((cause.first_us for cause in causes), default=None),
            "last_attempt_us": max((cause.last_us for cause in causes), default=None),
            "sent_us": self.sent_us,
            "settled_us": self.settled_us,
            "run": self.run,
            "sequence": self.sequence,
            "profile": self.profile,
        }


class FailureLog:
    """Tells failures to a logger: the first of each kind at once, then one line in ten seconds
    with how many it stands for. May be used from several threads."""

    def __init__(self, logger: logging.Logger, every_s: float = LOG_EVERY_S) -> None:
        self._logger = logger
        self._every_s = every_s
        self._lock = threading.Lock()
        self._kinds: dict[tuple[str, str], _Kind] = {}

    def tell(self, failure: Failure) -> None:
        """Log it, or count it for the next line of its kind."""
        now_s = time.monotonic()
        kind_of = (failure.topic, failure.code_name)
        with self._lock:
            if kind_of not in self._kinds and len(self._kinds) >= MOST_KINDS:
                kind_of = ("(other topics)", "(other codes)")
            kind = self._kinds.setdefault(kind_of, _Kind())
            kind.last = failure
            if now_s < kind.again_s:
                kind.suppressed += 1
                return
            suppressed, kind.suppressed = kind.suppressed, 0
            kind.again_s = now_s + self._every_s
        self._write(failure, suppressed)

    def close(self) -> None:
        """Tell what was counted and not yet told."""
        with self._lock:
            left = [
                (kind.last, kind.suppressed - 1)
                for kind in self._kinds.values()
                if kind.last is not None and kind.suppressed
            ]
            self._kinds.clear()
        for failure, suppressed in left:
            self._write(failure, suppressed)

    def _write(self, failure: Failure, suppressed: int) -> None:
        place = failure.topic if failure.partition is None else _place(failure)
        self._logger.log(
            logging.ERROR if failure.dead_letter else logging.WARNING,
            "%s: %s to %s: %s; %s%s",
            failure.profile,
            failure.outcome,
            place,
            failure.reason,
            _STORED[failure.stored],
            f" (and {suppressed:,} more like it)" if suppressed else "",
            extra={**failure.context(), "suppressed": suppressed},
        )


@dataclass(slots=True)
class _Kind:
    again_s: float = 0.0
    suppressed: int = 0
    last: Failure | None = None


def _place(failure: Failure) -> str:
    return f"{failure.topic}[{failure.partition}]"


_STORED: Mapping[Stored, str] = {
    Stored.NO: "not stored",
    Stored.MAYBE: "may be stored: read back before it is sent again",
    Stored.YES: "stored all the same",
}
