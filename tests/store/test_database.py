"""A database that cannot be used is refused with words that mend it."""

from __future__ import annotations

import os
import sqlite3
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from producer_agent.store import database as module
from producer_agent.store.database import StoreError, explain, open_database


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "BUSY_TIMEOUT_S", 0.1)


def test_a_new_database_is_made_with_its_folder_and_opened_again(tmp_path: Path) -> None:
    path = tmp_path / "a" / "b" / "ackboard.db"
    open_database(path).close()
    db = open_database(path)
    assert db.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    assert db.execute("PRAGMA foreign_keys").fetchone() == (1,)
    assert "delivery_lots" in db.table_names()
    db.close()


def test_a_file_of_a_newer_version_is_left_alone(db_path: Path) -> None:
    db = open_database(db_path)
    db.execute(
        "INSERT INTO _sqlite_migrations (migration_set, name, applied_at) "
        "VALUES ('ackboard', 'm9999_future', '2030')"
    )
    db.close()
    for read_only in (False, True):
        with pytest.raises(StoreError, match=r"newer Ackboard .*m9999_future.*Upgrade"):
            open_database(db_path, read_only=read_only)


def test_an_older_file_is_upgraded_by_a_writer_and_refused_to_a_reader(db_path: Path) -> None:
    db = open_database(db_path)
    db.execute("DROP TABLE jobs")
    db.execute("DROP TABLE facts")
    db.execute("DROP TABLE commands")
    db.execute("DELETE FROM _sqlite_migrations WHERE name = 'm0006_agent'")
    db.close()

    with pytest.raises(StoreError, match=r"older Ackboard\. Start the agent once"):
        open_database(db_path, read_only=True)
    open_database(db_path).close()
    db = open_database(db_path, read_only=True)
    assert "commands" in db.table_names()
    db.close()


@pytest.mark.parametrize("content", [b"this is no database at all" * 100, b"\0" * 8192])
def test_a_file_that_is_no_database_is_named_with_a_way_to_recover_it(
    db_path: Path, content: bytes
) -> None:
    db_path.write_bytes(content)
    with pytest.raises(StoreError, match=r"not a usable SQLite database .*Move it away.*recover"):
        open_database(db_path)
    assert db_path.read_bytes() == content


def test_a_torn_file_is_corrupt_and_not_silently_made_anew(db_path: Path) -> None:
    open_database(db_path).close()
    whole = db_path.read_bytes()
    db_path.write_bytes(whole[:4096] + os.urandom(len(whole) - 4096))
    with pytest.raises(StoreError, match="not a usable SQLite database"):
        open_database(db_path)


def test_a_locked_file_says_who_could_hold_it(db_path: Path, quick: None) -> None:
    other = sqlite3.connect(db_path, isolation_level=None)
    other.execute("BEGIN EXCLUSIVE")
    try:
        with pytest.raises(StoreError, match=r"stayed locked .*close it \(a database browser"):
            open_database(db_path)
    finally:
        other.close()


def test_a_transaction_that_reads_first_can_still_write_when_another_wants_to(
    db_path: Path,
) -> None:
    first, second = open_database(db_path), open_database(db_path)
    first.execute("CREATE TABLE notes (text TEXT)")
    other = threading.Thread(
        target=lambda: second.execute("INSERT INTO notes VALUES ('second')").fetchall()
    )
    with first.atomic():
        assert first.execute("SELECT count(*) FROM notes").fetchone() == (0,)
        other.start()
        other.join(0.2)  # it would have committed by now, if it did not have to wait
        first.execute("INSERT INTO notes VALUES ('first')")
    other.join(10)
    assert first.execute("SELECT text FROM notes").fetchall() == [("first",), ("second",)]
    first.close()
    second.close()


def test_a_transaction_within_another_undoes_only_its_own(db_path: Path) -> None:
    db = open_database(db_path)
    db.execute("CREATE TABLE notes (text TEXT)")

    def fail_within(statement: str) -> None:
        with db.atomic():
            db.execute(statement)
            raise ZeroDivisionError

    with db.atomic():
        db.execute("INSERT INTO notes VALUES ('kept')")
        with pytest.raises(ZeroDivisionError):
            fail_within("INSERT INTO notes VALUES ('undone')")
    with pytest.raises(ZeroDivisionError):
        fail_within("DELETE FROM notes")
    assert db.execute("SELECT text FROM notes").fetchall() == [("kept",)]
    db.close()


def test_a_missing_file_says_how_it_is_made(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="Start the agent once"):
        open_database(tmp_path / "none.db", read_only=True)
    assert not (tmp_path / "none.db").exists()


@pytest.fixture
def folder_of_another() -> Iterator[Path]:
    """A folder that may be read and not written, even where the tests run as root."""
    with tempfile.TemporaryDirectory(prefix="full-and-locked-") as name:
        folder = Path(name)
        open_database(folder / "there.db").close()
        folder.chmod(0o555)
        user = os.geteuid()
        if user == 0:
            os.seteuid(65534)
        try:
            yield folder
        finally:
            os.seteuid(user)
            folder.chmod(0o755)


@pytest.mark.parametrize("name", ["there.db", "new.db", "sub/new.db"])
def test_a_folder_that_may_not_be_written_is_told_as_permissions(
    folder_of_another: Path, name: str
) -> None:
    """The folder is called full-and-locked: words in a path are no reason."""
    with pytest.raises(StoreError, match="Check the owner and the permissions"):
        open_database(folder_of_another / name)


def test_a_parent_that_is_a_file_is_told_as_the_place(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(StoreError, match="set ACKBOARD_DB to a place you can write"):
        open_database(tmp_path / "file" / "ackboard.db")


@pytest.mark.parametrize(
    ("error", "mend"),
    [
        (sqlite3.OperationalError("database or disk is full"), "Free disk space"),
        (sqlite3.OperationalError("attempt to write a readonly database"), "permissions"),
        (sqlite3.DatabaseError("database disk image is malformed"), "recover"),
        (OSError(28, "No space left on device", "/x"), "/x"),
    ],
)
def test_each_error_has_its_mend(error: Exception, mend: str) -> None:
    assert mend in str(explain(error, Path("/x")))
