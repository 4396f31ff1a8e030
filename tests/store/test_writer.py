"""The writer commits in groups, lets no piece take another along, and never loses what it must
write."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlite_utils import Database

from producer_agent.store import database
from producer_agent.store import writer as module
from producer_agent.store.database import StoreError
from producer_agent.store.reader import Reader
from producer_agent.store.writer import Writer
from tests.recording import rows
from tests.waiting import wait_until


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "RETRY_S", 0.05)
    monkeypatch.setattr(database, "BUSY_TIMEOUT_S", 0.1)


@pytest.fixture
def noted(writer: Writer) -> Writer:
    writer.call(lambda db: db.execute("CREATE TABLE notes (text TEXT PRIMARY KEY)").fetchall())
    return writer


def note(text: str) -> Callable[[Database], str]:
    def work(db: Database) -> str:
        db.execute("INSERT INTO notes VALUES (?)", [text])
        return text

    return work


def notes(reader: Reader) -> list[str]:
    return rows(reader, "SELECT text FROM notes ORDER BY rowid")


class Gate:
    """Work that keeps the writer busy until it is opened."""

    def __init__(self, writer: Writer) -> None:
        self._open = threading.Event()
        self._entered = threading.Event()
        writer.submit(self._work)
        assert self._entered.wait(5)

    def _work(self, _db: Database) -> None:
        self._entered.set()
        assert self._open.wait(20)

    def open(self) -> None:
        self._open.set()


def test_what_arrives_during_a_commit_is_committed_together(noted: Writer, reader: Reader) -> None:
    begun: list[str] = []

    def count(statement: str) -> None:
        if statement == "BEGIN IMMEDIATE":
            begun.append(statement)

    noted.call(lambda db: database.connection(db).set_trace_callback(count))
    gate = Gate(noted)
    before = len(begun)
    futures = [noted.submit(note(str(n))) for n in range(100)]
    gate.open()
    assert [future.result(10) for future in futures] == [str(n) for n in range(100)]

    assert notes(reader) == [str(n) for n in range(100)]
    assert len(begun) - before == 1
    wait_until(lambda: noted.backlog == 0, 2, "the backlog never emptied")


@pytest.mark.parametrize(
    ("bad", "error"),
    [
        (lambda db: db.execute("INSERT INTO notes VALUES ('a')"), sqlite3.IntegrityError),
        (lambda db: db.execute("SELECT nonsense FROM nowhere"), sqlite3.OperationalError),
        (lambda db: db.execute("INSERT INTO notes VALUES (?)", [2**70]), OverflowError),
        (lambda db: 1 / 0, ZeroDivisionError),
    ],
    ids=["constraint", "misspelt SQL", "number too large", "bug"],
)
@pytest.mark.parametrize("must", [False, True])
def test_a_piece_that_fails_takes_nothing_along_and_stops_nothing(
    noted: Writer, reader: Reader, bad: Callable[[Database], Any], error: type, must: bool
) -> None:
    gate = Gate(noted)

    def half_done(db: Database) -> None:
        db.execute("INSERT INTO notes VALUES ('half')")
        bad(db)

    first = noted.submit(note("a"))
    failing = noted.submit(half_done, must=must)
    last = noted.submit(note("b"))
    gate.open()

    assert first.result(5) == "a"
    with pytest.raises(error):
        failing.result(5)
    assert last.result(5) == "b"
    assert notes(reader) == ["a", "b"]
    assert noted.blocked is None


def test_on_a_full_disk_outcomes_wait_and_are_committed_when_there_is_room(
    noted: Writer, reader: Reader
) -> None:
    room = threading.Event()

    def outcome(db: Database) -> str:
        limit = 1_000_000 if room.is_set() else 1
        db.execute(f"PRAGMA max_page_count = {limit}").fetchall()  # 1: what it has already
        db.execute("INSERT INTO notes VALUES (?)", ["x" * 500_000])
        return "kept"

    gate = Gate(noted)
    kept = noted.submit(outcome, must=True, weight=7)
    dropped = noted.submit(note("asked by a page"))
    gate.open()

    with pytest.raises(StoreError, match="Free disk space"):
        dropped.result(5)
    assert noted.blocked is not None
    assert "Free disk space" in noted.blocked
    assert noted.backlog == 7
    assert not kept.done()
    room.set()
    assert kept.result(5) == "kept"
    assert noted.blocked is None
    assert [len(text) for text in notes(reader)] == [500_000]


def test_while_another_program_locks_the_file_outcomes_wait_in_their_order(
    noted: Writer, reader: Reader
) -> None:
    other = sqlite3.connect(noted.path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    futures = [noted.submit(note("1"), must=True)]
    wait_until(lambda: noted.blocked, 5, "it was never blocked")
    assert "stayed locked" in (noted.blocked or "")
    futures += [noted.submit(note(str(n)), must=True) for n in (2, 3)]
    other.execute("ROLLBACK")
    other.close()

    for future in futures:
        future.result(5)
    assert notes(reader) == ["1", "2", "3"]
    assert noted.blocked is None


def test_a_call_that_gave_up_waiting_is_never_done_behind_its_back(
    noted: Writer, reader: Reader
) -> None:
    """Else a replay's intent could be written that nobody then sends."""
    gate = Gate(noted)
    with pytest.raises(TimeoutError):
        noted.call(note("too late"), timeout_s=0.1)
    gate.open()
    noted.call(note("next"))

    assert notes(reader) == ["next"]
    wait_until(lambda: noted.backlog == 0, 2, "what was given up stays in the backlog")


def test_closing_commits_what_is_queued(db_path: Path) -> None:
    with Writer(db_path) as writer:
        writer.call(lambda db: db.execute("CREATE TABLE notes (text TEXT)").fetchall())
        gate = Gate(writer)
        for n in range(600):
            writer.submit(note(str(n)))
        gate.open()
    assert len(notes(Reader(db_path))) == 600
    with pytest.raises(RuntimeError, match="closed"):
        writer.submit(note("x"))
    writer.close()


def test_closing_while_blocked_gives_up_after_its_time_and_tells_who_waits(
    db_path: Path,
) -> None:
    writer = Writer(db_path)
    other = sqlite3.connect(db_path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    waiting = writer.submit(
        lambda db: db.execute("CREATE TABLE notes (text TEXT)").fetchall(), must=True
    )
    wait_until(lambda: writer.blocked, 5, "it was never blocked")
    writer.close(timeout_s=0.3)
    other.close()
    with pytest.raises(RuntimeError, match=r"gave up.*stayed locked"):
        waiting.result(1)


@pytest.fixture
def many(noted: Writer) -> Iterator[list[threading.Thread]]:
    threads = [
        threading.Thread(target=lambda k=k: [noted.call(note(f"{k}-{n}")) for n in range(30)])
        for k in range(8)
    ]
    for thread in threads:
        thread.start()
    yield threads
    for thread in threads:
        thread.join()


def test_many_threads_may_ask_at_once(many: list[threading.Thread], reader: Reader) -> None:
    for thread in many:
        thread.join(20)
    assert len(set(notes(reader))) == 240
