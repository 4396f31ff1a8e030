"""Recording: a thread that carries a producer's outcomes into Ackboard's database, if it can.

The application never waits for it. While the file is locked, full, missing or of another version,
outcomes wait in the book, which is bounded; that is told once, and once more when it is over.
"""

from __future__ import annotations

import logging
import threading
import time
from array import array
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from producer_agent.reliable.book import WIDTH, Book, Lot, without_letters
from producer_agent.reliable.failures import Failure
from producer_agent.store.sqlite import StoreError

if TYPE_CHECKING:
    from producer_agent.store.deliveries import OutcomeBatch, UndeliveredEvent
    from producer_agent.store.guest import Guest
    from producer_agent.store.runs import RunRow

EVERY_S = 0.25
"""How long an outcome waits for others to be committed with."""

BEAT_S = 2.0
RETRY_S = 2.0
ENDING_EVERY_S = 0.1

ASK_S = 2.0
ASK_ENDING_S = 0.5
"""How long the cluster is asked for its id; of that an application that ends waits for less."""

LETTERS_WAIT_S = 10.0
"""How long a failure waits for the database before its letter takes the other way."""


@dataclass(frozen=True, slots=True)
class Subject:
    """Whose outcomes they are."""

    name: str
    """The profile that its runs are shown under."""
    host: str
    pid: int
    version: str
    acks: str
    """``"0"``, ``"1"`` or ``"all"``."""
    body: str
    """The profile as JSON, no secret in it."""
    bootstrap_servers: str


class Recording:
    """Carries outcomes from a book into a database, in a thread of its own.

    Args:
        book: The outcomes.
        path: The database file.
        subject: Whose they are.
        cluster_id: Asks the cluster for its id, for so many seconds; None if it does not answer.
        send_letter: Takes the letter of a failure that the database cannot take.
        logger: Where it is told that recording stands still, and that it goes on.
    """

    def __init__(
        self,
        book: Book,
        path: Path,
        subject: Subject,
        cluster_id: Callable[[float], str | None],
        send_letter: Callable[[Failure], None],
        logger: logging.Logger,
    ) -> None:
        self._book = book
        self._path = path
        self._subject = subject
        self._cluster_id = cluster_id
        self._send_letter = send_letter
        self._logger = logger
        self._guest: Guest | None = None
        self._application = 0
        self._run: RunRow | None = None
        self._unwritten: Lot | None = None
        self._settled = 0
        """Outcomes that were recorded, wherever that was."""
        self._beat_s = 0.0
        self._blocked_since_s: float | None = None
        self._accepted = 0
        """What the run's row says, so that a crash leaves few behind that nobody knows of."""
        self._stop = threading.Event()
        self._end_reason = ""
        self._deadline_s = 0.0
        self.problem: str | None = None
        """Why nothing can be recorded just now, or None."""
        self._thread = threading.Thread(target=self._work, name="ackboard-recording", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    @property
    def is_this_thread(self) -> bool:
        """Whether it is this object's thread that asks."""
        return threading.current_thread() is self._thread

    @property
    def takes_letters(self) -> bool:
        """Whether a failure's letter can wait for the database."""
        since_s = self._blocked_since_s
        return since_s is None or time.monotonic() - since_s < LETTERS_WAIT_S

    def close(self, reason: str, timeout_s: float) -> bool:
        """Record the rest and end the run; False if that could not be done in time, and then the
        letters among it have taken the other way."""
        self._end_reason = reason
        self._deadline_s = time.monotonic() + timeout_s - ASK_ENDING_S
        self._stop.set()
        self._thread.join(timeout_s)
        return not self._thread.is_alive() and self.problem is None

    def _work(self) -> None:
        retry_s = 0.0
        while not self._stop.wait(EVERY_S):
            if time.monotonic() >= retry_s and not self._turn(None):
                retry_s = time.monotonic() + RETRY_S
            if not self.takes_letters:
                self._divert_letters()
        while not self._turn(self._end_reason):
            if time.monotonic() >= self._deadline_s:
                self._divert_letters()
                break
            time.sleep(ENDING_EVERY_S)
        if self._guest is not None:
            self._guest.close()

    def _turn(self, leaving: str | None) -> bool:
        """Record what there is; False if it has to wait."""
        if self._unwritten is None:
            self._unwritten = self._book.take()
        lot = self._unwritten
        news = bool(lot) or lot.accepted != self._accepted
        due = time.monotonic() - self._beat_s >= BEAT_S
        if not (news or due or leaving is not None):
            self._unwritten = None
            return True
        try:
            self._write(lot, leaving)
        except Exception as error:  # noqa: BLE001 - told; it is our trouble and not the application's
            known = isinstance(error, StoreError)
            self._blocked(str(error) if known else f"{type(error).__name__}: {error}", error)
            return False
        self._unwritten = None
        self._beat_s = time.monotonic()
        if self._blocked_since_s is not None:
            self._logger.info("%s can be written again", self._path)
            self._blocked_since_s = self.problem = None
        return True

    def _write(self, lot: Lot, leaving: str | None) -> None:
        # Imported here, in this thread: numpy and what else the store needs would cost an
        # application without a database a third of a second at its start.
        from producer_agent.store import applications, deliveries

        guest, subject = self._opened(), self._subject
        begins = self._run is None and (bool(lot) or lot.accepted > 0)
        if begins:
            topic = self._book.first_topic
            # Asked before the transaction, which must be short.
            cluster_id = self._cluster_id(ASK_S if leaving is None else ASK_ENDING_S)
        with guest.transaction():
            application = self._application or applications.enrol(
                guest,
                applications.Application(subject.name, subject.host, subject.pid, subject.version),
            )
            applications.beat(
                guest, application, not_kept=lot.not_kept, letters_lost=lot.letters_lost
            )
            run = self._run
            if begins:
                run = self._begin(guest, application, cluster_id, topic)
            if run is not None:
                for batch in self._batches(run, lot):
                    deliveries.record(guest, batch)
            if leaving is not None:
                applications.leave(guest, application, leaving)
        self._application, self._run, self._accepted = application, run, lot.accepted
        self._settled += len(lot.reports) // WIDTH + len(lot.failures) + lot.not_kept

    def _opened(self) -> Guest:
        from producer_agent.store.guest import Guest

        if self._guest is not None and self.problem is not None:
            # It may be another file by now, or none.
            self._guest.close()
            self._guest = None
        if self._guest is None:
            guest = Guest(self._path)
            self._guest = guest
            known = guest.execute(
                "SELECT 1 FROM runs WHERE uuid = ?", [self._book.run.hex]
            ).fetchone()
            if self._run is not None and known is None:
                self._application, self._run = 0, None
        return self._guest

    def _begin(self, guest: Guest, application: int, cluster_id: str | None, topic: str) -> RunRow:
        from producer_agent.store import applications, runs

        subject = self._subject
        return runs.begin_run(
            guest,
            uuid=self._book.run.hex,
            profile=subject.name,
            acks=subject.acks,
            body=subject.body,
            cluster=applications.cluster_row(guest, cluster_id, subject.bootstrap_servers),
            topic=topic,
            watermarks=None,
            application=application,
            settled=self._settled,
        )

    def _batches(self, run: RunRow, lot: Lot) -> list[OutcomeBatch]:
        """One batch a topic of the reports, as a lot in the database has one; failures and
        counters go with the first."""
        from producer_agent.store.deliveries import OutcomeBatch

        names = list(self._book.topics)
        by_topic = _by_topic(lot.reports)
        batches = [
            OutcomeBatch(
                run=run.id,
                series=run.series,
                outcome=self._book.outcome,
                accepted=lot.accepted,
                reports=reports,
                topic=None if place == 0 else names[place],
            )
            for place, reports in by_topic.items()
        ] or [
            OutcomeBatch(
                run=run.id, series=run.series, outcome=self._book.outcome, accepted=lot.accepted
            )
        ]
        batches[0].undelivered = [_undelivered(failure) for failure in lot.failures]
        batches[0].counters = [(second, name, n) for (second, name), n in lot.counters.items()]
        batches[0].not_kept = lot.not_kept
        return batches

    def _blocked(self, problem: str, error: Exception) -> None:
        if self._blocked_since_s is None:
            self._blocked_since_s = time.monotonic()
            self._logger.warning(
                "Ackboard does not record this producer for now; it goes on without. %s",
                problem,
                exc_info=None if isinstance(error, StoreError) else error,
            )
        self.problem = problem

    def _divert_letters(self) -> None:
        """Send the letters of failures that could not be recorded the other way."""
        diverted = self._book.divert_letters()
        if self._unwritten is not None:
            diverted = without_letters(self._unwritten.failures) + diverted
        for failure in diverted:
            self._send_letter(failure)


def _by_topic(reports: list[float | None]) -> dict[int, array[float]]:
    """Reports as doubles, without the place of their topic, by that place."""
    import numpy as np

    if not reports:
        return {}
    # An offset that was not told (acks=0, or a duplicate that the broker recognised) is -1.
    flat = (
        [-1.0 if number is None else number for number in reports] if None in reports else reports
    )
    table = np.asarray(flat, dtype=np.float64).reshape(-1, WIDTH)
    places = table[:, 5]
    return {
        int(place): array("d", np.ascontiguousarray(table[places == place, :5]).tobytes())
        for place in np.unique(places)
    }


def _undelivered(failure: Failure) -> UndeliveredEvent:
    from producer_agent.store.deliveries import UndeliveredEvent

    return UndeliveredEvent(
        sequence=failure.sequence,
        outcome=failure.outcome,
        topic=failure.topic,
        partition=failure.partition,
        code=failure.code,
        code_name=failure.code_name,
        reason=failure.reason,
        stored=failure.stored.value,
        cause=failure.cause,
        sent_us=failure.sent_us,
        settled_us=failure.settled_us,
        attempts=None if failure.attempts is None else failure.attempts.to_json(),
        dead_letter=failure.dead_letter,
        key=failure.key,
        value=failure.value,
        headers=failure.headers,
    )
