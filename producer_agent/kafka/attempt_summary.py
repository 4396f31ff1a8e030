"""Attempts behind a failure: one by one as far as they are few, and summed by their cause."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from producer_agent.delivery.errors import Stored

TOLD_EACH = 24
"""Attempts that a failure tells one by one: of more, the first half and the last half of these."""


@dataclass(frozen=True, slots=True)
class Attempt:
    """One produce request that failed."""

    at_us: int
    cause: str
    """The error's name, such as ``NOT_ENOUGH_REPLICAS``; or librdkafka's words for it."""
    stored: Stored
    first_msgid: int
    """librdkafka's number of the first message in it, or 0 where it told none (no idempotence)."""
    messages: int


@dataclass(frozen=True, slots=True)
class AttemptCause:
    """Attempts of one cause, summed."""

    cause: str
    count: int
    first_us: int
    last_us: int
    stored: Stored


@dataclass(frozen=True, slots=True)
class AttemptSummary:
    """What is known of the attempts behind one failure."""

    causes: tuple[AttemptCause, ...]
    """Most frequent first; empty: it was never sent, or the cause is not known."""
    never_sent: bool
    """librdkafka told that it timed out, and no request that held it was ever answered."""
    connection: str | None
    """The last connection error while it waited, if it was never sent."""
    exact: bool
    """True: attempts of this very record; False: of its partition while it waited."""
    forgotten: bool = False
    """Attempts of that time were forgotten, and one of them may have been stored."""
    each: tuple[Attempt, ...] = ()
    """Them one by one, at most :data:`TOLD_EACH`, the earliest first."""
    left_out: int = 0
    """How many more there are, in the middle of ``each``."""

    @property
    def stored(self) -> Stored | None:
        """May the record be stored, as far as the attempts tell; None where they don't."""
        if self.forgotten or any(cause.stored is Stored.MAYBE for cause in self.causes):
            return Stored.MAYBE
        return Stored.NO if self.causes or self.never_sent else None

    @property
    def headline(self) -> str | None:
        """For example ``NOT_ENOUGH_REPLICAS ×38``."""
        if not self.causes:
            return None
        return ", ".join(f"{cause.cause} ×{cause.count}" for cause in self.causes[:2])

    def to_json(self) -> dict[str, Any]:
        """As kept in ``undelivered.attempts`` and in the dead letter.

        ``each`` is there if there were any: ``[when it ended, as microseconds after from_us, its
        cause as an index into causes, 1 if it may have been stored else 0]``.
        """
        told: dict[str, Any] = {
            "causes": [
                {
                    "cause": cause.cause,
                    "count": cause.count,
                    "first_us": cause.first_us,
                    "last_us": cause.last_us,
                    "stored": cause.stored.value,
                }
                for cause in self.causes
            ],
            "never_sent": self.never_sent,
            "connection": self.connection,
            "exact": self.exact,
        }
        if self.each:
            numbers = {cause.cause: number for number, cause in enumerate(self.causes)}
            from_us = self.each[0].at_us
            told |= {
                "from_us": from_us,
                "each": [
                    [
                        attempt.at_us - from_us,
                        numbers[attempt.cause],
                        int(attempt.stored is Stored.MAYBE),
                    ]
                    for attempt in self.each
                ],
                "left_out": self.left_out,
            }
        return told


@dataclass(frozen=True, slots=True)
class Summed:
    """Some attempts, summed and one by one."""

    causes: tuple[AttemptCause, ...]
    each: tuple[Attempt, ...]
    left_out: int

    @classmethod
    def of(cls, attempts: list[Attempt]) -> Summed:
        """Sum these, in whatever order they are."""
        return cls(_sum(attempts), *_first_and_last(attempts))


def _sum(attempts: list[Attempt]) -> tuple[AttemptCause, ...]:
    by_cause: dict[str, list[Attempt]] = {}
    for attempt in attempts:
        by_cause.setdefault(attempt.cause, []).append(attempt)
    causes = [
        AttemptCause(
            cause,
            len(of_cause),
            min(attempt.at_us for attempt in of_cause),
            max(attempt.at_us for attempt in of_cause),
            Stored.MAYBE
            if any(attempt.stored is Stored.MAYBE for attempt in of_cause)
            else Stored.NO,
        )
        for cause, of_cause in by_cause.items()
    ]
    return tuple(sorted(causes, key=lambda cause: -cause.count))


def _first_and_last(attempts: list[Attempt]) -> tuple[tuple[Attempt, ...], int]:
    """At most :data:`TOLD_EACH` of them in order of time, and how many are not among them."""
    ordered = sorted(attempts, key=lambda attempt: attempt.at_us)
    if len(ordered) <= TOLD_EACH:
        return tuple(ordered), 0
    half = TOLD_EACH // 2
    return (*ordered[:half], *ordered[-half:]), len(ordered) - TOLD_EACH
