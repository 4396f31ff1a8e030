"""``diagnose``: a topic, a code or one failure, for people and for programs."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import pytest
from sqlite_utils import Database

from producer_agent.commands import Command, ask_and_wait
from producer_agent.store.database import open_database
from tests.cli.conftest import Invoke, document
from tests.waiting import wait_until

TOPIC = "task-events"


def rows(db_path: Path, sql: str) -> list[dict[str, Any]]:
    db: Database = open_database(db_path, read_only=True)
    try:
        return list(db.query(sql))
    finally:
        db.close()


def test_a_healthy_topic_of_the_embedded_cluster_ends_with_0(
    agent: subprocess.Popen[str], invoke: Invoke
) -> None:
    result = invoke("diagnose", TOPIC)
    assert result.exit_code == 0, result.output
    assert result.stdout.startswith(f"HEALTHY: {TOPIC} is healthy")
    assert "does not replicate" in result.stdout


def test_a_topic_that_is_not_there_ends_with_1_and_names_the_nearest_as_json(
    agent: subprocess.Popen[str], invoke: Invoke
) -> None:
    result = invoke("diagnose", "task-event", "--json")
    assert result.exit_code == 1
    told = document(result)
    assert told["healthy"] is False
    assert (told["matter"], told["state"], told["code"]) == ("topic-missing", "wrong", None)
    assert told["headline"] == "The cluster has no topic task-event; nearest: task-events."
    assert set(told) == {
        *("at_us", "code", "facts", "findings", "headline", "healthy", "matter", "not_known"),
        *("options", "partitions", "state", "still_works", "topic"),
    }


def test_an_injected_fault_is_told_with_its_undoing_and_one_failed_event_by_its_number(
    agent: subprocess.Popen[str], invoke: Invoke, db_path: Path
) -> None:
    fault = {"kind": "topic_authorization_failed", "topic": TOPIC}
    ask_and_wait(db_path, Command.FAULT_INJECT, fault, who="test")
    failed = (
        "SELECT r.uuid, u.sequence FROM undelivered u JOIN runs r ON r.id = u.run "
        f"WHERE u.code_name = 'TOPIC_AUTHORIZATION_FAILED' AND u.topic = '{TOPIC}' LIMIT 1"
    )
    wait_until(lambda: rows(db_path, failed), 30, "nothing was refused")
    (event,) = rows(db_path, failed)
    result = invoke("diagnose", TOPIC, "--event", f"{event['uuid']}:{event['sequence']}", "--json")
    told = document(result)
    assert (result.exit_code, told["code"], told["matter"]) == (
        1,
        "TOPIC_AUTHORIZATION_FAILED",
        "not-authorized",
    )
    assert told["options"][0]["undo_fault"] == fault
    ask_and_wait(db_path, Command.FAULT_UNDO, fault, who="test")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--code", "NONSENSE"), "is no error code"),
        (("--letter", "1", "--event", "a:1"), "not both"),
        (("--event", "abc"), "RUN:SEQUENCE"),
    ],
)
def test_what_cannot_be_asked_ends_with_2(
    invoke: Invoke, arguments: tuple[str, ...], words: str
) -> None:
    result = invoke("diagnose", TOPIC, *arguments)
    assert result.exit_code == 2
    assert words in " ".join(result.stderr.replace("│", " ").split())


def test_without_a_cluster_it_says_where_one_would_come_from(invoke: Invoke) -> None:
    result = invoke("diagnose", TOPIC)
    assert result.exit_code == 1
    assert "set KAFKA_BOOTSTRAP_SERVERS, or start an agent" in result.stderr


def test_a_cluster_that_does_not_answer_is_told_without_a_database(
    invoke: Invoke, monkeypatch: pytest.MonkeyPatch, db_path: Path
) -> None:
    monkeypatch.setenv("KAFKA_BOOTSTRAP_SERVERS", "127.0.0.1:1")
    result = invoke("diagnose", TOPIC, "--code", "_transport")
    assert result.exit_code == 1
    assert result.stdout.startswith("WRONG: No broker of 127.0.0.1:1 answers: no process listens")
    assert "No agent" not in result.stderr
    assert not db_path.exists()


def test_a_letter_that_is_not_ours_is_said_so(
    invoke: Invoke, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KAFKA_BOOTSTRAP_SERVERS", "127.0.0.1:1")
    result = invoke("diagnose", TOPIC, "--letter", "5")
    assert result.exit_code == 1
    assert "There is no dead letter 5" in result.stderr
