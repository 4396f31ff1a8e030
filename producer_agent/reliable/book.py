"""The book: what became of every record of one producer, in memory, bounded, and cheap to write.

A delivery report costs one comparison and six numbers appended to a list; whatever is dearer is
done later and for many at once. Where more comes in than is carried away, outcomes are still
counted by the second, and no longer kept one by one.
"""

from __future__ import annotations

import itertools
import threading
import uuid
from collections import Counter, deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

from producer_agent.reliable.failures import Failure
from producer_agent.store.clock import now_us

WIDTH = 6
"""Numbers of a report: sequence, sent (us), partition, offset or None, latency (s), place of its
topic in :attr:`Book.topics`."""

MOST_FAILURES = 10_000
MOST_FAILED_BYTES = 64 * 1024 * 1024
"""Failures, and bytes of their payloads, that wait to be recorded."""


@dataclass(frozen=True, slots=True)
class Counts:
    """What became of a producer's records so far.

    ``accepted == delivered + unconfirmed + failed + unresolved + outstanding`` at any time at
    which no other thread produces or polls.
    """

    accepted: int
    """``produce()`` returned."""
    delivered: int
    unconfirmed: int
    """Sent under acks=0: no broker confirmed anything."""
    failed: int
    """Records whose transaction was aborted are among them."""
    unresolved: int
    """The producer ended before their report came."""
    outstanding: int
    """No report yet; within a transaction: not committed yet."""
    rejected: int
    """``produce()`` raised for them, a full queue not counted."""
    queue_full: int
    """Times that ``produce()`` raised ``BufferError``."""
    commits: int
    aborts: int
    dead_letters: int
    """Failures that are on their way to the dead-letter queue, or there."""
    letters_lost: int
    """Failures that found no way to it; each was logged."""
    not_kept: int
    """Outcomes that are counted, and were too many to be recorded one by one."""


@dataclass(slots=True)
class Lot:
    """What there is to record since the last lot."""

    accepted: int
    reports: list[float | None]
    """:data:`WIDTH` numbers each."""
    failures: list[Failure]
    counters: dict[tuple[int, str], int]
    """``(UTC second, counter)``, as in ``store/rollups.py``."""
    not_kept: int
    letters_lost: int

    def __bool__(self) -> bool:
        return bool(self.reports or self.failures or self.counters or self.letters_lost)


@dataclass(slots=True)
class _Totals:
    acknowledged: int = 0
    failed: int = 0
    unresolved: int = 0
    rejected: int = 0
    queue_full: int = 0
    commits: int = 0
    aborts: int = 0
    dead_letters: int = 0
    letters_lost: int = 0
    not_kept: int = 0


@dataclass(slots=True)
class _Pending:
    """What waits to be recorded."""

    reports: list[float | None] = field(default_factory=list)
    failures: list[Failure] = field(default_factory=list)
    failed_bytes: int = 0
    counters: Counter[tuple[int, str]] = field(default_factory=Counter)
    not_kept: int = 0
    letters_lost: int = 0


class Book:
    """Outcomes of one producer. May be used from several threads.

    Args:
        run: Names the producer's life; with a sequence it is a record's identity.
        confirmed: False under acks=0.
        keep: Whether outcomes are recorded somewhere, and so kept until :meth:`take`.
        most: Reports kept for that.
    """

    def __init__(self, run: uuid.UUID, *, confirmed: bool, keep: bool, most: int) -> None:
        self.run = run
        self.outcome = "delivered" if confirmed else "unconfirmed"
        self.most_numbers = most * WIDTH
        self.sequences = itertools.count()
        self.unused: deque[int] = deque()
        """Sequences that ``produce()`` did not take after all: the next records get them."""
        self.used = 0
        """Sequences below this were given away (some may be in :attr:`unused`)."""
        self.reports: list[float | None] = []
        """Written by delivery callbacks without a lock: they append whole reports at the end, and
        the one who holds the lock removes a prefix."""
        self.topics: dict[str, int] = {}
        self.observe: Callable[[Sequence[float]], None] | None = None
        """Called with the latencies of acknowledged records, in seconds, now and then."""
        self._keep = keep
        self._lock = threading.Lock()
        self._totals = _Totals()
        self._pending = _Pending()
        self._in_transaction = False
        self._overflowed = 0

    def place_of(self, topic: str) -> int:
        """The topic's place in :attr:`topics`, from now on."""
        with self._lock:
            return self.topics.setdefault(topic, len(self.topics))

    @property
    def first_topic(self) -> str:
        """The topic of the first record."""
        return next(iter(self.topics), "")

    def overflow(self) -> None:
        """Count an acknowledgement that finds no room among :attr:`reports`."""
        with self._lock:
            if self._in_transaction:
                self._overflowed += 1
            else:
                self._count_acknowledged(1)

    def queue_full(self) -> None:
        """Count a ``BufferError``."""
        with self._lock:
            self._totals.queue_full += 1
            self._count("queue_full", 1)

    def late_poll(self) -> None:
        """Count reports that were served late."""
        with self._lock:
            self._count("late_polls", 1)

    def spare(self) -> int:
        """A sequence for the next record, from :attr:`unused` if there is one."""
        try:
            return self.unused.popleft()
        except IndexError:
            sequence = next(self.sequences)
            self.used = sequence + 1
            return sequence

    def fail(self, failure: Failure, *, letter_elsewhere: bool) -> bool:
        """Enter a failure; False if it is counted but cannot be kept, so that its letter has to
        find another way.

        Args:
            letter_elsewhere: Whether its letter takes another way in any case.
        """
        with self._lock:
            match failure.outcome:
                case "rejected":
                    self._totals.rejected += 1
                case "unresolved":
                    self._totals.unresolved += 1
                case _:
                    self._totals.failed += 1
            if failure.dead_letter:
                self._totals.dead_letters += 1
            if not self._keep:
                return False
            size = len(failure.key or b"") + len(failure.value or b"")
            pending = self._pending
            if (
                len(pending.failures) >= MOST_FAILURES
                or pending.failed_bytes + size > MOST_FAILED_BYTES
            ):
                self._not_kept(failure.outcome, 1)
                return False
            pending.failures.append(
                replace(failure, dead_letter=failure.dead_letter and not letter_elsewhere)
            )
            pending.failed_bytes += size
            return True

    def divert_letters(self) -> list[Failure]:
        """Failures that wait to be recorded and have a letter: they are recorded without it."""
        with self._lock:
            return without_letters(self._pending.failures)

    def letter_lost(self) -> None:
        """Count a failure that found no way to a dead letter."""
        with self._lock:
            self._totals.dead_letters -= 1
            self._totals.letters_lost += 1
            self._pending.letters_lost += 1

    def begin(self) -> None:
        """From now on acknowledgements wait for :meth:`commit` or :meth:`abort`."""
        with self._lock:
            self._fold()
            self._in_transaction = True

    @property
    def in_transaction(self) -> bool:
        """Whether one is open."""
        return self._in_transaction

    def commit(self) -> None:
        """The transaction is committed: its acknowledgements are deliveries."""
        with self._lock:
            self._in_transaction = False
            self._totals.commits += 1
            self._count("commits", 1)
            overflowed, self._overflowed = self._overflowed, 0
            self._count_acknowledged(overflowed)
            self._fold()

    def abort(self) -> list[tuple[int, int, int | None, str]]:
        """The transaction is aborted; ``(sequence, sent_us, partition, topic)`` of what had been
        acknowledged in it, for :meth:`fail`."""
        with self._lock:
            self._in_transaction = False
            self._totals.aborts += 1
            self._count("aborts", 1)
            overflowed, self._overflowed = self._overflowed, 0
            self._totals.failed += overflowed
            if self._keep and overflowed:
                self._not_kept("failed", overflowed)
            taken = self._take_reports()
            names = list(self.topics)
        return [
            (
                int(taken[at] or 0),
                int(taken[at + 1] or 0),
                None if taken[at + 2] is None else int(taken[at + 2] or 0),
                names[int(taken[at + 5] or 0)],
            )
            for at in range(0, len(taken), WIDTH)
        ]

    def fold(self) -> None:
        """Count the reports that came in. Called now and then by whoever polls."""
        with self._lock:
            if not self._in_transaction:
                self._fold()

    def take(self) -> Lot:
        """What there is to record, which is then no longer kept here."""
        with self._lock:
            if not self._in_transaction:
                self._fold()
            pending, self._pending = self._pending, _Pending()
            return Lot(
                self.used,
                pending.reports,
                pending.failures,
                dict(pending.counters),
                pending.not_kept,
                pending.letters_lost,
            )

    def counts(self) -> Counts:
        """How it stands."""
        with self._lock:
            if not self._in_transaction:
                self._fold()
            totals = self._totals
            accepted = self.used - len(self.unused) - totals.rejected
            confirmed = self.outcome == "delivered"
            return Counts(
                accepted=accepted,
                delivered=totals.acknowledged if confirmed else 0,
                unconfirmed=0 if confirmed else totals.acknowledged,
                failed=totals.failed,
                unresolved=totals.unresolved,
                outstanding=accepted - totals.acknowledged - totals.failed - totals.unresolved,
                rejected=totals.rejected,
                queue_full=totals.queue_full,
                commits=totals.commits,
                aborts=totals.aborts,
                dead_letters=totals.dead_letters,
                letters_lost=totals.letters_lost,
                not_kept=totals.not_kept,
            )

    def end(self) -> int:
        """Nothing more will come: what has no outcome is unresolved. Returns how many those are."""
        left = self.counts().outstanding
        with self._lock:
            self._totals.unresolved += left
        return left

    def _fold(self) -> None:
        taken = self._take_reports()
        if not taken:
            return
        if self.observe is not None:
            self.observe(taken[4::WIDTH])  # type: ignore[arg-type]  # latencies are never None
        room = self.most_numbers - len(self._pending.reports) if self._keep else 0
        self._totals.acknowledged += min(room, len(taken)) // WIDTH
        self._pending.reports += taken[:room]
        self._count_acknowledged(len(taken[room:]) // WIDTH)

    def _take_reports(self) -> list[float | None]:
        taken = self.reports[:]
        del self.reports[: len(taken)]
        return taken

    def _count_acknowledged(self, n: int) -> None:
        self._totals.acknowledged += n
        if n and self._keep:
            self._not_kept(self.outcome, n)

    def _not_kept(self, counter: str, n: int) -> None:
        self._totals.not_kept += n
        self._pending.not_kept += n
        self._count(counter, n)

    def _count(self, counter: str, n: int) -> None:
        if self._keep:
            self._pending.counters[now_us() // 1_000_000, counter] += n


def without_letters(failures: list[Failure]) -> list[Failure]:
    """Those that have a dead letter, as they were; in ``failures`` they have none from now on."""
    found: list[Failure] = []
    for at, failure in enumerate(failures):
        if failure.dead_letter:
            found.append(failure)
            failures[at] = replace(failure, dead_letter=False)
    return found
