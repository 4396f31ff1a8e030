"""The attempts behind failures, read from what was recorded: of one record, and of a group summed.

What is read here may have been written by an older release, by another host, or by somebody who
only imitates our envelope. So nothing is taken for granted, and what is missing is told as such.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from statistics import median
from typing import Any

MOST_EACH = 200
"""Attempts that are read one by one; ours are fewer."""


@dataclass(frozen=True, slots=True)
class OneAttempt:
    """A request that failed, by the moment at which it was over: librdkafka tells no other."""

    ended_us: int
    cause: str
    may_be_stored: bool


@dataclass(frozen=True, slots=True)
class CauseTold:
    """Attempts of one cause, summed."""

    cause: str
    attempts: int
    first_us: int | None
    last_us: int | None
    may_be_stored: bool


@dataclass(frozen=True, slots=True)
class AttemptsTold:
    """What was told of the attempts behind one failure."""

    causes: tuple[CauseTold, ...]
    """The most frequent first."""
    each: tuple[OneAttempt, ...]
    """In order of time; empty in letters of older releases."""
    left_out: int
    """How many more there were, in the middle of ``each``."""
    never_sent: bool
    exact: bool
    """They are of this very record; else of its partition while it waited."""

    @property
    def attempts(self) -> int:
        """How many there were."""
        return sum(cause.attempts for cause in self.causes)

    @property
    def first_us(self) -> int | None:
        """When the first was over."""
        firsts = [cause.first_us for cause in self.causes if cause.first_us is not None]
        return min(firsts, default=None)

    @property
    def may_be_stored(self) -> bool:
        """Whether one of them may have stored the record."""
        return any(cause.may_be_stored for cause in self.causes)


@dataclass(frozen=True, slots=True)
class Failure:
    """One failure of a group, as it is recorded."""

    attempts: Mapping[str, Any] | None
    sent_us: int | None
    may_be_stored: bool


@dataclass(frozen=True, slots=True)
class CauseShare:
    """One cause over a group of failures."""

    cause: str
    failures: int
    """Among whose attempts it is."""
    attempts: int
    """Where attempts are a partition's they are told by each record that waited there."""
    may_be_stored: int
    """Failures to which an attempt of this cause left that open."""


@dataclass(frozen=True, slots=True)
class AttemptsSum:
    """A group of failures, summed."""

    failures: int
    with_attempts: int
    never_sent: int
    """Whose time ran out before a request held them."""
    not_told: int
    exact: int
    """Of those with attempts: their own, and not their partition's."""
    may_be_stored: int
    causes: tuple[CauseShare, ...]
    """In most failures first."""
    median_attempts: float | None
    """A failure that had any."""
    median_first_us: float | None
    """From ``produce()`` to the end of the first attempt."""


def attempts_told(document: Mapping[str, Any] | None) -> AttemptsTold | None:
    """Read ``kafka.attempts.AttemptSummary.to_json``; None where nothing is told of attempts."""
    if not isinstance(document, Mapping):
        return None
    listed = document.get("causes")
    causes = [
        CauseTold(
            cause["cause"],
            _count(cause.get("count")),
            _time(cause.get("first_us")),
            _time(cause.get("last_us")),
            # Where it is not said, the safe side is that it may be.
            cause.get("stored") != "no",
        )
        for cause in (listed if isinstance(listed, list) else ())
        if isinstance(cause, dict) and isinstance(cause.get("cause"), str)
    ]
    never_sent = document.get("never_sent") is True
    if not causes and not never_sent:
        return None
    each = _each(document, causes)
    return AttemptsTold(
        tuple(causes),
        each,
        _count(document.get("left_out")) if each else 0,
        never_sent and not causes,
        document.get("exact") is True,
    )


def sum_attempts(failures: Iterable[Failure]) -> AttemptsSum:
    """Sum what is told of the attempts behind each of these."""
    n = never_sent = not_told = exact = stored = 0
    in_failures: Counter[str] = Counter()
    in_attempts: Counter[str] = Counter()
    open_after: Counter[str] = Counter()
    numbers: list[int] = []
    firsts: list[int] = []
    for failure in failures:
        n += 1
        stored += failure.may_be_stored
        told = attempts_told(failure.attempts)
        if told is None:
            not_told += 1
            continue
        if told.never_sent:
            never_sent += 1
            continue
        exact += told.exact
        numbers.append(told.attempts)
        if told.first_us is not None and failure.sent_us is not None:
            firsts.append(max(told.first_us - failure.sent_us, 0))
        for cause in told.causes:
            in_failures[cause.cause] += 1
            in_attempts[cause.cause] += cause.attempts
            open_after[cause.cause] += cause.may_be_stored
    return AttemptsSum(
        failures=n,
        with_attempts=len(numbers),
        never_sent=never_sent,
        not_told=not_told,
        exact=exact,
        may_be_stored=stored,
        causes=tuple(
            CauseShare(cause, count, in_attempts[cause], open_after[cause])
            for cause, count in in_failures.most_common()
        ),
        median_attempts=median(numbers) if numbers else None,
        median_first_us=median(firsts) if firsts else None,
    )


def _each(document: Mapping[str, Any], causes: list[CauseTold]) -> tuple[OneAttempt, ...]:
    from_us, listed = _time(document.get("from_us")), document.get("each")
    if from_us is None or not isinstance(listed, list):
        return ()
    found = []
    for entry in listed[:MOST_EACH]:
        match entry:
            case [int(after_us), int(number), int(maybe)] if 0 <= number < len(causes):
                ended_us = _time(from_us + after_us)
                if ended_us is not None:
                    found.append(OneAttempt(ended_us, causes[number].cause, bool(maybe)))
    return tuple(sorted(found, key=lambda attempt: attempt.ended_us))


def _count(value: object) -> int:
    whole = isinstance(value, int) and not isinstance(value, bool)
    return value if whole and 0 <= value < 2**53 else 0  # type: ignore[operator, return-value]


def _time(value: object) -> int | None:
    """Microseconds before the year 10000, which a clock can show."""
    whole = isinstance(value, int) and not isinstance(value, bool)
    return value if whole and 0 <= value < 253_402_300_800_000_000 else None  # type: ignore[operator, return-value]
