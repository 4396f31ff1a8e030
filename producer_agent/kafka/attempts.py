"""What happened behind a failure, read from librdkafka's own log.

A delivery report gives one code; with the default retries that is ``_MSG_TIMED_OUT`` whatever the
broker answered. With ``debug=msg`` librdkafka logs every produce request that failed, with its
cause and whether the records may have been stored. Those lines are no stable interface, so they
are parsed here and nowhere else, and a line that is not understood leaves the cause "not known".
Lines as written by librdkafka 2.16 (``src/rdkafka_request.c``, ``src/rdkafka_partition.c``)::

    MSGSET  … t [0]: MessageSet with 3 message(s) (MsgId 1, BaseSeq 0) encountered error:
            Broker: Not enough in-sync replicas (actions Retry,MsgNotPersisted)
    TIMEOUT … t [0]: timed out 3+0 message(s) (MsgId 1..3): message.timeout.ms exceeded
    TIMEOUT … t: 3 message(s) timed out                    (they never had a partition)
    FAIL    … Connect to ipv4#127.0.0.1:9092 failed: Connection refused
"""

from __future__ import annotations

import logging
import re
from collections import deque
from functools import cache

from confluent_kafka import KafkaError

from producer_agent.delivery.errors import Stored, fact_of
from producer_agent.kafka.attempt_summary import (
    TOLD_EACH,
    Attempt,
    AttemptCause,
    AttemptSummary,
    Summed,
)
from producer_agent.store.clock import now_us

__all__ = [
    "KEPT_PER_PARTITION",
    "TOLD_EACH",
    "Attempt",
    "AttemptCause",
    "AttemptLog",
    "AttemptSummary",
    "stored_after",
]

log = logging.getLogger("producer_agent.librdkafka")

_MSGSET = re.compile(
    r"(?P<topic>\S+) \[(?P<partition>\d+)\]: MessageSet with (?P<n>\d+) message\(s\) "
    r"\(MsgId (?P<msgid>\d+), BaseSeq -?\d+\) encountered error: (?P<error>.+) "
    r"\(actions (?P<actions>[^)]*)\)"
)
_TIMEOUT = re.compile(
    r"(?P<topic>\S+) \[(?P<partition>-?\d+)\]: timed out (?P<sent>\d+)\+(?P<queued>\d+) "
    r"message\(s\) \(MsgId (?P<first>\d+)\.\.(?P<last>\d+)\)"
)
_UNASSIGNED = re.compile(r"(?P<topic>[^\s:]+): (?P<n>\d+) message\(s\) timed out$")

_NO_PARTITION = -1
_NOT_TOLD = 0
"""In place of a MsgId (they begin at 1): which message it is was not told."""
_NEVER_ASSIGNED = -1
"""In place of a MsgId: it timed out before the cluster told its topic's partitions."""

KEPT_PER_PARTITION = 4096
"""Attempts remembered per partition: at a retry back-off of 100 ms, some 7 minutes of them."""

KEPT_CONNECTION_ERRORS = 256


class _Window:
    """The attempts on a place since some time, summed once for the thousands of records that
    time out together: summing for each would keep the poll thread busy for minutes."""

    def __init__(
        self,
        logged: int,
        after_us: int,
        settled_us: int,
        attempts: list[Attempt],
        forgotten_us: int,
    ) -> None:
        self._logged = logged
        self._after_us = after_us
        self._settled_us = settled_us
        self._first_us = min((attempt.at_us for attempt in attempts), default=settled_us)
        self.forgotten_us = forgotten_us
        self.numbered = all(attempt.first_msgid > 0 for attempt in attempts)
        self.all = Summed.of(attempts)
        self._by_batch: dict[tuple[int, int], list[Attempt]] = {}
        self._summed: dict[tuple[tuple[int, int], ...], Summed] = {}
        for attempt in attempts:
            batch = (attempt.first_msgid, attempt.messages)
            self._by_batch.setdefault(batch, []).append(attempt)

    def serves(self, logged: int, sent_us: int, settled_us: int) -> bool:
        """Whether a record of these times has the same attempts on its place."""
        return (
            logged == self._logged
            and self._after_us < sent_us <= self._first_us
            and settled_us >= self._settled_us
        )

    def of(self, msgid: int) -> Summed:
        """Attempts that held this message; summed once for all that were in the same ones."""
        batches = tuple(
            batch for batch in self._by_batch if batch[0] <= msgid < batch[0] + batch[1]
        )
        found = self._summed.get(batches)
        if found is None:
            own = [attempt for batch in batches for attempt in self._by_batch[batch]]
            found = self._summed[batches] = Summed.of(own)
        return found


def stored_after(code: int, attempts: AttemptSummary) -> Stored:
    """May a record whose report has this code be stored: the error table's word, sharpened by the
    attempts where it leaves doubt.

    A broker's own refusal stands; yet an earlier attempt that may have been stored keeps the
    doubt alive.
    """
    by_table, told = fact_of(code).stored, attempts.stored
    if told is Stored.MAYBE and by_table is Stored.NO:
        return Stored.MAYBE
    if code == KafkaError._MSG_TIMED_OUT and told is not None:
        return told
    return by_table


class AttemptLog:
    """The ``logger=`` of one producer: keeps failed attempts, passes the rest to ``logging``.

    confluent-kafka calls :meth:`log` from within ``poll()``, in the order of the delivery reports
    that follow, and from one thread; so do the callbacks that ask :meth:`behind`.
    """

    def __init__(self, name: str) -> None:
        self._name = name
        self._attempts: dict[tuple[str, int], deque[Attempt]] = {}
        self._timed_out: dict[tuple[str, int], deque[int]] = {}
        self._forgotten_us: dict[tuple[str, int], int] = {}
        """When the newest attempt was made that may have been stored and is no longer kept."""
        self._windows: dict[tuple[str, int], _Window] = {}
        self._logged = 0
        self._connection_errors: deque[tuple[int, str]] = deque(maxlen=KEPT_CONNECTION_ERRORS)

    def log(self, level: int, _format: str, facility: str, _client: str, text: str) -> None:
        """Take a line of librdkafka's log: ``("%s [%s] %s", facility, client, text)``."""
        if facility == "MSGSET":
            if "encountered error" in text:
                self._attempt(text)
        elif facility == "TIMEOUT":
            self._timeout(text)
        elif facility in ("FAIL", "ERROR"):
            self._connection_errors.append((now_us(), text))
            log.info("%s: %s %s", self._name, facility, text)
        elif level >= logging.WARNING:
            log.log(level, "%s: %s %s", self._name, facility, text)

    def behind(
        self, topic: str, partition: int | None, sent_us: int, settled_us: int, *, timed_out: bool
    ) -> AttemptSummary:
        """The attempts behind a failure that was just reported.

        Args:
            topic: Where it was to go.
            partition: Likewise; None if it never got one.
            sent_us: When it was produced.
            settled_us: When its report came.
            timed_out: Its code is ``_MSG_TIMED_OUT``; such reports follow their ``TIMEOUT`` line
                in order, which is how a record learns its number.
        """
        place = (topic, _NO_PARTITION if partition is None else partition)
        told = self._timed_out.get(place)
        msgid = told.popleft() if timed_out and told else _NOT_TOLD
        window = self._windows.get(place)
        if window is None or not window.serves(self._logged, sent_us, settled_us):
            window = self._windows[place] = self._window(place, sent_us, settled_us)
        forgotten = window.forgotten_us >= sent_us
        exact = msgid > 0 and window.numbered
        own = window.of(msgid) if exact else window.all
        never_sent = not own.causes and not forgotten and msgid != _NOT_TOLD
        connection = None
        if never_sent:
            connection = next(
                (
                    text
                    for at_us, text in reversed(self._connection_errors)
                    if sent_us <= at_us <= settled_us
                ),
                None,
            )
        return AttemptSummary(
            own.causes, never_sent, connection, exact, forgotten, own.each, own.left_out
        )

    def _window(self, place: tuple[str, int], sent_us: int, settled_us: int) -> _Window:
        """Attempts on a place since ``sent_us``; without a partition: on any of the topic."""
        topic, partition = place
        places = (
            [known for known in self._attempts if known[0] == topic]
            if partition == _NO_PARTITION
            else [place]
        )
        found: list[Attempt] = []
        after_us = forgotten_us = -1
        for known in places:
            for attempt in reversed(self._attempts.get(known, ())):
                if attempt.at_us < sent_us:
                    after_us = max(after_us, attempt.at_us)
                    break
                if attempt.at_us <= settled_us:
                    found.append(attempt)
            forgotten_us = max(forgotten_us, self._forgotten_us.get(known, -1))
        return _Window(self._logged, after_us, settled_us, found, forgotten_us)

    def _attempt(self, text: str) -> None:
        match = _MSGSET.search(text)
        if match is None:
            log.warning("%s: a line of the attempt log was not understood: %s", self._name, text)
            return
        place = (match["topic"], int(match["partition"]))
        actions = match["actions"]
        # "MsgPossiblyPersisted" or nothing said: the safe side is that it may be stored.
        stored = Stored.NO if "MsgNotPersisted" in actions else Stored.MAYBE
        self._logged += 1
        kept = self._attempts.setdefault(place, deque())
        kept.append(
            Attempt(
                now_us(), _name_of(match["error"]), stored, int(match["msgid"]), int(match["n"])
            )
        )
        if len(kept) > KEPT_PER_PARTITION:
            oldest = kept.popleft()
            if oldest.stored is Stored.MAYBE:
                self._forgotten_us[place] = oldest.at_us

    def _timeout(self, text: str) -> None:
        match = _TIMEOUT.search(text)
        if match is not None:
            first, last = int(match["first"]), int(match["last"])
            n = int(match["sent"]) + int(match["queued"])
            # A gap (those in flight between them) leaves open which numbers they have.
            ids = range(first, last + 1) if last - first + 1 == n else [_NOT_TOLD] * n
            self._timed_out.setdefault((match["topic"], int(match["partition"])), deque()).extend(
                ids
            )
            return
        match = _UNASSIGNED.search(text)
        if match is not None:
            self._timed_out.setdefault((match["topic"], _NO_PARTITION), deque()).extend(
                [_NEVER_ASSIGNED] * int(match["n"])
            )
            return
        log.warning("%s: a line of the attempt log was not understood: %s", self._name, text)


@cache
def _names() -> dict[str, str]:
    """Error names by librdkafka's words for them."""
    names: dict[str, str] = {}
    for code in [*range(-200, 0), *range(1, 200)]:
        error = KafkaError(code)
        names.setdefault(error.str(), error.name())
    return names


def _name_of(words: str) -> str:
    return _names().get(words, words)
