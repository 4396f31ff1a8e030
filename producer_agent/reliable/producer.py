"""``ReliableProducer``: confluent-kafka's producer, with every record's end known and told."""

from __future__ import annotations

import contextlib
import logging
import os
import socket
import threading
import time
import uuid
import weakref
from collections.abc import Mapping
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from confluent_kafka import KafkaException

from producer_agent import __version__
from producer_agent.kafka.attempts import AttemptLog
from producer_agent.reliable import fork
from producer_agent.reliable.accounted import AccountedProducer
from producer_agent.reliable.book import Book, Counts
from producer_agent.reliable.clerk import Clerk, OnFailure
from producer_agent.reliable.configuration import Resolved, resolve
from producer_agent.reliable.ending import CLOSED, abandon, end
from producer_agent.reliable.errors import FatalProducerError
from producer_agent.reliable.failures import FailureLog
from producer_agent.reliable.letters import DeadLetterSender
from producer_agent.reliable.librdkafka_log import (
    LibrdkafkaLog,
    error_callback,
    with_messages,
)
from producer_agent.reliable.recording import Recording, Subject
from producer_agent.reliable.transactions import Transaction, transaction

if TYPE_CHECKING:
    from producer_agent.delivery.profiles import Profile

log = logging.getLogger(__name__)

FROM_ENVIRONMENT: Final = "(ACKBOARD_DB)"
"""In place of a database: the one that ``ACKBOARD_DB`` names, or none where that is not set."""

DEAD_LETTER_TOPIC: Final = "dead-letter-queue"

MOST_KEPT: Final = 100_000
TRANSACTION_S: Final = 60.0


class ReliableProducer(AccountedProducer):
    """A drop-in for ``confluent_kafka.Producer`` that loses nothing in silence.

    It is used as the bare client is (``produce``, ``poll``, ``flush``, ``len()``, ``with``,
    transactions), calls the same callbacks from the same places, and raises the same exceptions.
    Beside that it

    - judges each failure by its code and by what librdkafka's log told of its attempts, so that
      it is known whether the record may be stored after all (:class:`Failure`);
    - logs it with context (``extra``), a flood of the same in one line every ten seconds;
    - dead-letters what failed for good, through Ackboard's database where there is one, else
      straight to the dead-letter topic;
    - counts (:meth:`counts`, :func:`producer_agent.reliable.prometheus.register`);
    - records every outcome in Ackboard's database, in a thread, bounded, so that the dashboard
      shows the service as a profile of its own. Whatever happens to that file, the application
      goes on.

    It polls in no thread of its own: call :meth:`poll` often, as with the bare client.

    Args:
        config: librdkafka's properties as for the bare client; or the name of a profile (in the
            database, or shipped), a :class:`Profile`, or the path of a profile's JSON file.
        name: What it is shown as; else the profile's name, ``client.id``, or the program's.
        database: Ackboard's SQLite file on this host; None: nothing is recorded.
        dead_letter_topic: Where failures go without the database (with it the agent sends them to
            its own); None: nothing is dead-lettered.
        identity: Whether each record gets the header ``ackboard-id`` (28 bytes: run, sequence,
            checksum), by which a durability audit finds it again.
        on_failure: Called with each :class:`Failure`, where the delivery callback is called, and
            before it.
        most_kept: Outcomes kept in memory while the database cannot be written. More are still
            counted, and no longer recorded one by one.
        logger: Gets librdkafka's own log, as with the bare client.
        properties: Further properties, which win over ``config``.

    Raises:
        NoConfiguration: there is no such profile, or no cluster was named.
        ProfileInvalid: the profile is not valid.
        KafkaException: librdkafka refuses the configuration.
    """

    def __init__(
        self,
        config: Mapping[str, Any] | Profile | str | os.PathLike[str] | None = None,
        /,
        *,
        name: str | None = None,
        database: str | os.PathLike[str] | None = FROM_ENVIRONMENT,
        dead_letter_topic: str | None = DEAD_LETTER_TOPIC,
        identity: bool = True,
        on_failure: OnFailure | None = None,
        most_kept: int = MOST_KEPT,
        logger: Any | None = None,
        **properties: Any,
    ) -> None:
        path = _path(database)
        resolved = resolve(config, properties, name, path)
        settings = dict(resolved.config)
        debug = str(settings.get("debug", ""))
        settings["debug"] = with_messages(debug)
        settings["error_cb"] = error_callback(resolved.name, settings.get("error_cb"))
        attempts = AttemptLog(resolved.name)
        self._failure_log = FailureLog(log)
        confirmed = resolved.acks != "0"
        book = Book(uuid.uuid4(), confirmed=confirmed, keep=path is not None, most=most_kept)
        clerk = Clerk(resolved.name, book, attempts, self._failure_log, on_failure)
        self._closed = False
        self._lock = threading.Lock()
        listener = LibrdkafkaLog(attempts, logger, debug=bool(debug))
        super().__init__(settings, listener, clerk, identity=identity)
        if dead_letter_topic is not None:
            self._clerk.letters = DeadLetterSender(
                settings, dead_letter_topic, self._book.letter_lost, log
            )
        if path is not None:
            self._clerk.recording = self._recording(path, resolved)
            self._clerk.recording.start()
        self._abandoned = weakref.finalize(
            self, abandon, resolved.name, self._clerk, self._failure_log
        )
        fork.watch(self)

    def close(self, timeout: float = -1) -> bool:
        """Flush, record the rest, and let go of the cluster. Closing twice is allowed.

        Args:
            timeout: Seconds to wait for reports (-1: until each has come, or its
                ``delivery.timeout.ms`` is over). What has none then is purged, told, and recorded
                as unresolved.

        Returns:
            True, as the bare client does.
        """
        with self._lock:
            if self._closed:
                return True
            self._closed = True
        self._abandoned.detach()
        try:
            self._settle(timeout)
        finally:
            end(self._name, self._clerk, self._failure_log, CLOSED)
            super().close()
        return True

    def __enter__(self) -> ReliableProducer:
        return self

    def __exit__(self, exc_type: Any, exc_value: Any, exc_traceback: Any) -> bool | None:
        self.close()
        return None

    def transaction(self, timeout: float = TRANSACTION_S) -> AbstractContextManager[Transaction]:
        """``with producer.transaction():`` commits what is produced in the block to all topics,
        or, where the block raises, to none.

        Args:
            timeout: Seconds for each of taking the transactional id (the first time), committing
                and aborting.

        Raises:
            TransactionAborted: it could not be committed, and was aborted; it may be done again.
            TransactionInDoubt: committing got no answer in time.
            ProducerFenced: another producer took the transactional id.
            FatalProducerError: the producer is dead.
        """
        return transaction(self, timeout, initialise=not self._initialised)

    def counts(self) -> Counts:
        """What became of the records so far."""
        return self._book.counts()

    @property
    def run(self) -> str:
        """The uuid, 32 hex digits, that its records, log lines and dead letters carry."""
        return self._book.run.hex

    @property
    def name(self) -> str:
        """The profile that it is shown under."""
        return self._name

    @property
    def recording_problem(self) -> str | None:
        """Why Ackboard's database cannot be written just now; None: it can, or is not wanted."""
        recording = self._clerk.recording
        return None if recording is None else recording.problem

    @property
    def book(self) -> Book:
        """The accounts themselves, for who exports them."""
        return self._book

    def left_in_parent(self) -> None:
        """Refuse to be used: this is a forked child, and librdkafka's threads are not in it."""
        self._abandoned.detach()
        self._closed = True
        for name in ("produce", "poll", "flush", "purge", "list_topics", "begin_transaction"):
            # On the instance, so that a check costs nothing where nobody forks.
            setattr(self, name, fork.refuse)

    def _recording(self, path: Path, resolved: Resolved) -> Recording:
        itself = weakref.ref(self)

        def cluster_id(timeout_s: float) -> str | None:
            producer = itself()
            try:
                return None if producer is None else producer.cluster_id(timeout_s)
            except (KafkaException, RuntimeError):
                return None  # not reached, or closed meanwhile

        subject = Subject(
            name=resolved.name,
            host=socket.gethostname(),
            pid=os.getpid(),
            version=__version__,
            acks=resolved.acks,
            body=resolved.body,
            bootstrap_servers=resolved.bootstrap_servers,
        )
        letters = self._clerk.letters
        return Recording(
            self._book,
            path,
            subject,
            cluster_id,
            (lambda _failure: None) if letters is None else letters.send,
            log,
        )

    def _settle(self, timeout: float) -> None:
        """Wait for the reports, and purge what has none."""
        if self._book.in_transaction:
            try:
                self.abort_transaction(TRANSACTION_S if timeout < 0 else timeout)
            except KafkaException as raised:
                log.warning("%s: an open transaction was not aborted: %s", self._name, raised)
        left, trouble = self._flush_all(timeout)
        if left:
            self._clerk.purging = True
            self._clerk.closing = True
            # What the purge itself raises is what was told already.
            with contextlib.suppress(KafkaException, SystemError):
                self.purge()
                super().flush(1.0)
        if trouble is not None:
            raise trouble

    def _flush_all(self, timeout: float) -> tuple[int, Exception | None]:
        """Flush, and go on where a callback raises; how many are left, and what was raised first.

        Each turn serves a report at least, so it ends.
        """
        deadline = time.monotonic() + timeout
        first: Exception | None = None
        while True:
            try:
                return self.flush(-1 if timeout < 0 else max(deadline - time.monotonic(), 0)), first
            except FatalProducerError as raised:
                log.error("%s: %s", self._name, raised)
                return len(self), first
            except Exception as raised:  # noqa: BLE001 - raised again, once all is served
                first = first or raised


def _path(database: str | os.PathLike[str] | None) -> Path | None:
    if database == FROM_ENVIRONMENT:
        database = os.environ.get("ACKBOARD_DB") or None
    return None if database is None else Path(database)
