"""Whatever goes wrong: one line that names the mend, the right exit code, never a traceback."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from producer_agent.cli import status
from producer_agent.store.database import open_database
from tests.cli.conftest import Invoke

READING = (
    ("status",),
    ("deliveries", "summary"),
    ("dead-letters", "list"),
    ("dead-letters", "show", "1"),
)


@pytest.mark.parametrize("command", READING, ids=" ".join)
def test_a_missing_database_is_said_to_be_missing_and_is_not_made(
    invoke: Invoke, db_path: Path, command: tuple[str, ...]
) -> None:
    result = invoke(*command)
    assert result.exit_code == 1
    assert f"There is no database at {db_path}" in result.stderr
    assert result.stdout == ""
    assert list(db_path.parent.iterdir()) == []


@pytest.mark.parametrize("command", [*READING, ("profiles", "list")], ids=" ".join)
def test_a_file_that_is_no_database_is_told_with_its_mend(
    invoke: Invoke, db_path: Path, command: tuple[str, ...]
) -> None:
    db_path.write_bytes(b"not a database at all " * 100)
    result = invoke(*command)
    assert result.exit_code == 1
    assert "is not a usable SQLite database" in result.stderr
    assert "Move it away" in result.stderr


@pytest.mark.parametrize("command", [*READING, ("serve",)], ids=" ".join)
def test_a_database_of_a_newer_version_is_left_alone(
    invoke: Invoke, db_path: Path, command: tuple[str, ...]
) -> None:
    open_database(db_path).close()
    with sqlite3.connect(db_path) as db:
        db.execute(
            "INSERT INTO _sqlite_migrations (migration_set, name, applied_at) "
            "VALUES ('ackboard', 'm9999_future', '2030-01-01')"
        )
    db.close()
    result = invoke(*command)
    assert result.exit_code == 1
    assert "newer Ackboard" in result.stderr
    assert "Upgrade Ackboard" in result.stderr


@pytest.mark.parametrize(
    "command",
    [
        ("nonsense",),
        ("dead-letters", "nonsense"),
        ("status", "--nonsense"),
        ("deliveries", "summary", "--since", "yesterday"),
        ("deliveries", "summary", "--since", "0h"),
        ("deliveries", "summary", "--by", "topic"),
        ("dead-letters", "list", "--status", "lost"),
        ("dead-letters", "list", "--limit", "0"),
        ("dead-letters", "show", "first"),
        ("run",),
        ("run", "critical", "--count", "0"),
        ("run", "critical", "--rate", "-1"),
        ("run", "critical", "--duration", "soon"),
        ("lab", "kill"),
    ],
    ids=" ".join,
)
def test_bad_usage_exits_with_2(invoke: Invoke, command: tuple[str, ...]) -> None:
    result = invoke(*command)
    assert result.exit_code == 2
    assert result.stderr


def test_a_wrong_setting_is_bad_usage_and_named(
    invoke: Invoke, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ACKBOARD_OUTBOX_LIMIT", "lots")
    result = invoke("status")
    assert result.exit_code == 2
    assert "ACKBOARD_OUTBOX_LIMIT='lots'" in result.stderr


def test_a_bug_is_one_line_that_tells_how_to_get_the_traceback(
    invoke: Invoke, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_arguments: object) -> None:
        raise ZeroDivisionError("oh")

    monkeypatch.setattr(status, "settings_for", broken)
    result = invoke("status")
    assert result.exit_code == 1
    assert result.stderr.count("\n") == 1
    assert "unexpected ZeroDivisionError: oh" in result.stderr
    assert "ACKBOARD_LOG_LEVEL=DEBUG" in result.stderr
    monkeypatch.setenv("ACKBOARD_LOG_LEVEL", "DEBUG")
    result = invoke("status")
    assert result.exit_code == 1
    assert "Traceback" in result.stderr


def test_a_reader_that_goes_away_ends_it_without_a_word(db_path: Path) -> None:
    open_database(db_path).close()
    process = subprocess.run(
        [
            "bash",
            "-c",
            f"{sys.executable} -m producer_agent profiles list --json --db /nowhere/x.db | true; "
            "exit ${PIPESTATUS[0]}",
        ],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert process.returncode in (0, 1)
    assert "Traceback" not in process.stderr
    assert "Exception" not in process.stderr


def test_a_terminal_without_unicode_gets_escapes(tmp_path: Path) -> None:
    file = tmp_path / "漢.json"
    file.write_text('{"name": "a", "workload": {"topic": "t"}}')
    process = subprocess.run(
        [sys.executable, "-m", "producer_agent", "profiles", "validate", str(file)],
        capture_output=True,
        check=False,
        env={"PYTHONIOENCODING": "latin-1", "PATH": "/usr/bin:/bin"},
        timeout=60,
    )
    assert process.returncode == 0
    assert b"\\u6f22.json" in process.stdout
