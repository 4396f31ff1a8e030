"""``dead-letters acknowledge|resolve|archive|restore|reopen|note|owner``."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import pytest

from producer_agent.store import commands
from producer_agent.store.reader import Reader
from tests.cli.conftest import Invoke, document
from tests.cli.exported_letters import change, seed
from tests.dashboard.letter_seed import failed_event

N = 8


@pytest.fixture
def letters(db_path: Path) -> Path:
    """Eight letters of four causes, the third of which is being replayed; no agent serves them."""
    seed(db_path, [failed_event(sequence) for sequence in range(N)])
    change(db_path, "UPDATE dead_letters SET status = 'replaying' WHERE id = 3")
    return db_path


def decided(invoke: Invoke, *arguments: object) -> Any:
    return document(invoke("dead-letters", *arguments, "--json"))


def statuses(invoke: Invoke) -> dict[int, str]:
    return {row["id"]: row["status"] for row in decided(invoke, "list")["rows"]}


def test_letters_go_through_all_that_can_be_decided(invoke: Invoke, letters: Path) -> None:
    assert decided(invoke, "acknowledge", 1, 2, 3) == {"changed": 2, "skipped": {"replaying": 1}}
    assert decided(invoke, "resolve", "--topic", "task-events")["changed"] == 3
    assert decided(invoke, "archive", "--everything")["skipped"] == {"replaying": 1}
    assert set(statuses(invoke).values()) == {"archived", "replaying"}
    decided(invoke, "restore", "--status", "archived")
    assert statuses(invoke) == {
        1: "resolved", 2: "acknowledged", 3: "replaying", 4: "resolved", 5: "new", 6: "new",
        7: "resolved", 8: "new",
    }  # fmt: skip
    assert decided(invoke, "reopen", "--text", "task_id", "--status", "resolved")["changed"] == 3


def test_a_cause_alone_means_the_cause_itself(invoke: Invoke, letters: Path) -> None:
    assert decided(invoke, "resolve", "--cause", "timed_out") == {
        "cause": 4, "state": "resolved", "changed": 2, "skipped": {},
    }  # fmt: skip
    invoke("dead-letters", "note", "timed_out", "see [bold]OPS-1[/]", "--why", "told by lee")
    invoke("dead-letters", "owner", "4", "payments")
    (group,) = decided(invoke, "groups", "--cause", "4")["groups"]
    assert (group["state"], group["note"]) == ("resolved", "see [bold]OPS-1[/]")
    assert group["owner"] == "payments"
    assert "see [bold]OPS-1[/]" in invoke("dead-letters", "groups", "--cause", "4").stdout
    told = decided(invoke, "show", 4)["history"]
    assert [(entry["what"], entry["why"]) for entry in told] == [
        ("cause owner", None), ("cause note", "told by lee"), ("status", None),
        ("cause state", None), ("stored", None),
    ]  # fmt: skip


def test_a_cause_with_more_chosen_means_those_letters(invoke: Invoke, letters: Path) -> None:
    told = decided(invoke, "resolve", "--cause", "4", "--topic", "activity-metrics")
    assert told == {"changed": 0, "skipped": {}}
    assert decided(invoke, "groups", "--cause", "4")["groups"][0]["state"] == "new"


def test_a_dry_run_counts_and_changes_nothing(invoke: Invoke, letters: Path) -> None:
    assert decided(invoke, "archive", "--topic", "task-events", "--dry-run") == {"meant": 3}
    assert set(statuses(invoke).values()) == {"new", "replaying"}


@pytest.mark.parametrize(
    "arguments", [[], ["1", "--everything"], ["--topic", "x", "--everything"], ["1", "--key", "x"]]
)
def test_nothing_or_several_kinds_of_choice_are_bad_usage(
    invoke: Invoke, letters: Path, arguments: list[str]
) -> None:
    result = invoke("dead-letters", "archive", *arguments)
    assert result.exit_code == 2
    assert "Say which letters" in result.stderr
    assert set(statuses(invoke).values()) == {"new", "replaying"}


def test_what_is_refused_fails_and_stands_in_the_audit_log(invoke: Invoke, letters: Path) -> None:
    result = invoke("dead-letters", "restore", "--cause", "4")
    assert result.exit_code == 1
    assert "not archived" in result.stderr
    (row,) = Reader(letters)(commands.latest)
    assert (row.kind, row.state) == ("cause.state", "failed")
    assert "not archived" in (row.result or {})["error"]


def test_the_agent_decides_where_one_serves_the_database(
    invoke: Invoke, agent: subprocess.Popen[str], db_path: Path
) -> None:
    seed(db_path, [failed_event(1, letter_id="x", key=b"only-this-one")])
    told = decided(invoke, "archive", "--key", "only-this-one", "--why", "a test")
    assert told == {"changed": 1, "skipped": {}}
    row = next(row for row in Reader(db_path)(commands.latest) if row.kind == "letters.status")
    assert (row.state, row.why, row.result) == ("done", "a test", told)
    assert row.taken_us is not None
    assert row.taken_us > row.asked_us  # by the agent, not by whoever asked
