"""The writer: one named thread owns the agent's write connection; everybody else queues work.

Work that arrives while a transaction runs is committed together in the next one, each piece in a
savepoint of its own, so that a piece that fails takes nothing along. The idea is Datasette's
(``datasette/database.py``: one writer thread, the result or the exception handed back).
"""

from __future__ import annotations

import logging
import queue
import sqlite3
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, TypeVar

from sqlite_utils import Database

from producer_agent.store.database import connection, explain, open_database

log = logging.getLogger(__name__)

T = TypeVar("T")

MOST_PIECES = 256
"""Pieces of work committed together: bounds how long a reader of the WAL waits for the newest."""

RETRY_S = 1.0


@dataclass(slots=True)
class _Piece:
    work: Callable[[Database], Any]
    future: Future[Any]
    must: bool
    weight: int
    begun: bool = False

    def begin(self) -> bool:
        """Whether it is to be done: False if whoever asked has given up before it was begun."""
        self.begun = self.begun or self.future.set_running_or_notify_cancel()
        return self.begun


_STOP = object()


class Writer:
    """Owner of the write connection. ``close()`` ends it after all queued work is committed.

    Args:
        path: The database file; created and migrated here.

    Raises:
        StoreError: from the constructor, when the database cannot be opened.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._db = open_database(path)
        self._queue: queue.SimpleQueue[_Piece | object] = queue.SimpleQueue()
        self._lock = threading.Lock()
        self._backlog = 0
        self._closed = False
        self._give_up = threading.Event()
        self.blocked: str | None = None
        """Why nothing can be written just now (disk full, locked), or None."""
        self._thread = threading.Thread(target=self._run, name="ackboard-writer", daemon=True)
        self._thread.start()

    @property
    def backlog(self) -> int:
        """Weight (delivery reports, mostly) of the work that is queued and not yet committed."""
        return self._backlog

    def submit(
        self, work: Callable[[Database], T], *, must: bool = False, weight: int = 1
    ) -> Future[T]:
        """Queue ``work(db)``; the future is done once its transaction is committed.

        Args:
            work: Called in the writer's thread within a transaction. It may be called again
                when the transaction could not be committed.
            must: Keep trying for as long as the disk is full or the file locked, instead of
                failing the future: for outcomes, which must not be lost.
            weight: What it adds to :attr:`backlog`.
        """
        future: Future[T] = Future()
        with self._lock:
            if self._closed:
                raise RuntimeError("the writer is closed")
            self._backlog += weight
            self._queue.put(_Piece(work, future, must, weight))
        return future

    def call(self, work: Callable[[Database], T], timeout_s: float = 30.0) -> T:
        """Like :meth:`submit`, and wait for the result.

        Raises:
            StoreError: the database refused. TimeoutError: not begun in time, and dropped.
        """
        future = self.submit(work)
        try:
            return future.result(timeout_s)
        except TimeoutError:
            if future.cancel():
                # Not begun, and now it never will be: nobody would know of its effect.
                raise
            return future.result()  # it is being committed at this moment

    def close(self, timeout_s: float = 30.0) -> None:
        """Commit what is queued and end the thread.

        Work that must be written is tried until ``timeout_s`` has passed.
        """
        with self._lock:
            if self._closed:
                return
            self._closed = True
            self._queue.put(_STOP)
        self._thread.join(timeout_s)
        if self._thread.is_alive():
            self._give_up.set()
            self._thread.join()

    def __enter__(self) -> Writer:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _run(self) -> None:
        stop = False
        while not stop:
            pieces: list[_Piece] = []
            item = self._queue.get()
            while True:
                if isinstance(item, _Piece):
                    pieces.append(item)
                else:
                    stop = True
                if stop or len(pieces) >= MOST_PIECES:
                    break
                try:
                    item = self._queue.get_nowait()
                except queue.Empty:
                    break
            while pieces:
                pieces = self._commit(pieces)
                if pieces and self._give_up.wait(RETRY_S):
                    self._fail(pieces, RuntimeError(f"gave up: {self.blocked}"))
                    break
        self._db.close()

    def _commit(self, pieces: list[_Piece]) -> list[_Piece]:
        """Try to commit the pieces; returns those that must be tried again."""
        for piece in pieces:
            if not piece.begin():
                self._settle(piece)
        pieces = [piece for piece in pieces if piece.begun]
        results: list[tuple[_Piece, Any]] = []
        failures: list[tuple[_Piece, Exception]] = []
        started = time.monotonic()
        try:
            with self._db.atomic():
                for piece in pieces:
                    try:
                        with self._db.atomic():
                            results.append((piece, piece.work(self._db)))
                    except Exception as error:
                        if _is_of_the_file(error) or not connection(self._db).in_transaction:
                            raise
                        failures.append((piece, error))
        except sqlite3.Error as error:
            if connection(self._db).in_transaction:
                connection(self._db).rollback()
            explained = explain(error, self.path)
            self.blocked = str(explained)
            log.error("could not commit %d pieces of work: %s", len(pieces), explained)
            optional = [piece for piece in pieces if not piece.must]
            self._fail(optional, explained)
            return [piece for piece in pieces if piece.must]
        if self.blocked is not None:
            log.warning("the database can be written again")
            self.blocked = None
        took = time.monotonic() - started
        if took > 1.0:
            log.warning("a transaction of %d pieces took %.1f s", len(pieces), took)
        for piece, result in results:
            self._settle(piece)
            piece.future.set_result(result)
        for piece, failure in failures:
            if piece.must:
                log.error("an outcome could not be recorded", exc_info=failure)
            self._settle(piece)
            piece.future.set_exception(failure)
        return []

    def _fail(self, pieces: list[_Piece], error: Exception) -> None:
        for piece in pieces:
            self._settle(piece)
            piece.future.set_exception(error)

    def _settle(self, piece: _Piece) -> None:
        with self._lock:
            self._backlog -= piece.weight


_OF_THE_FILE = frozenset(
    {
        sqlite3.SQLITE_BUSY,
        sqlite3.SQLITE_CANTOPEN,
        sqlite3.SQLITE_CORRUPT,
        sqlite3.SQLITE_FULL,
        sqlite3.SQLITE_IOERR,
        sqlite3.SQLITE_LOCKED,
        sqlite3.SQLITE_NOMEM,
        sqlite3.SQLITE_NOTADB,
        sqlite3.SQLITE_PERM,
        sqlite3.SQLITE_PROTOCOL,
        sqlite3.SQLITE_READONLY,
    }
)


def _is_of_the_file(error: Exception) -> bool:
    """Whether the database file is the matter, and not the piece of work that met the error.

    Told by SQLite's code: the exception's class is OperationalError for a misspelt column too.
    """
    code = getattr(error, "sqlite_errorcode", None)
    return code is not None and code & 0xFF in _OF_THE_FILE
