"""``dead-letters topics`` works with and without an agent, and says why it refuses."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from producer_agent.store.database import open_database
from producer_agent.store.reader import Reader
from tests.cli.conftest import START_TIMEOUT_S, Invoke, document, fact
from tests.cli.test_docs import example, keys_of
from tests.recording import rows
from tests.waiting import wait_until

TOPICS = ("dead-letters", "topics")


def test_without_a_database_the_boards_own_topic_is_told(invoke: Invoke, db_path: Path) -> None:
    listed = document(invoke(*TOPICS, "list", "--json"))
    assert [policy["topic"] for policy in listed["policies"]] == ["dead-letter-queue"]
    assert listed["policies"][0]["stored"] is False
    assert listed["topics"] == []
    assert not db_path.exists(), "listing made a database"


def test_a_topic_is_added_replaced_and_removed_without_an_agent(
    invoke: Invoke, db_path: Path
) -> None:
    added = invoke(
        *(*TOPICS, "add", "^.*-dlt$", "--convention", "karafka", "--target", "orders"),
        *("--from", "now", "--keep-closed-days", "30", "--json"),
    )
    assert document(added) == {"topic": "^.*-dlt$", "change": "added"}
    listed = document(invoke(*TOPICS, "list", "--json"))
    stored = {policy["topic"]: policy for policy in listed["policies"]}["^.*-dlt$"]
    assert stored["changed_us"] > 0
    assert {name: stored[name] for name in ("convention", "default_target", "start_from")} == {
        "convention": "karafka",
        "default_target": "orders",
        "start_from": "now",
    }
    assert stored["keep_closed_days"] == 30.0
    assert "replaced" in invoke(*TOPICS, "add", "^.*-dlt$").stdout
    assert "^.*-dlt$" in invoke(*TOPICS, "list").stdout
    assert invoke(*TOPICS, "remove", "^.*-dlt$").exit_code == 0
    audit = rows(Reader(db_path), "SELECT kind, state FROM commands ORDER BY id")
    assert audit == [
        ("dead-letter-topics.save", "done"),
        ("dead-letter-topics.save", "done"),
        ("dead-letter-topics.delete", "done"),
    ]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("add", "^("), "no regular expression"),
        (("add", "a-dlt", "--convention", "nothing"), "kafka-connect"),
        (("add", "a-dlt", "--target", "dead-letter-queue"), "come back at once"),
        (("remove", "a-dlt"), "There is none at all"),
    ],
)
def test_what_cannot_be_is_refused_with_the_mend(
    invoke: Invoke, db_path: Path, arguments: tuple[str, ...], words: str
) -> None:
    result = invoke(*TOPICS, *arguments)
    assert result.exit_code == 1
    assert words in result.stderr
    assert rows(Reader(db_path), "SELECT count(*) FROM dead_letter_policies") == [0]


def test_a_bad_start_is_bad_usage(invoke: Invoke) -> None:
    assert invoke(*TOPICS, "add", "a-dlt", "--from", "yesterday").exit_code == 2


def test_a_running_agent_takes_it_up_and_tells_of_the_topic(
    invoke: Invoke, agent: subprocess.Popen[str], db_path: Path
) -> None:
    assert invoke(*TOPICS, "add", "^task-", "--convention", "karafka").exit_code == 0

    def read() -> bool:
        letters = fact(db_path, "letters") or {}
        return any(topic["topic"] == "task-events" for topic in letters.get("topics", []))

    wait_until(read, START_TIMEOUT_S, "the agent does not read the topic")
    listed = document(invoke(*TOPICS, "list", "--json"))
    topics = {topic["topic"]: topic for topic in listed["topics"]}
    assert topics["task-events"]["policy"] == "^task-"
    assert topics["task-events"]["convention"] == "karafka"
    assert topics["dead-letter-queue"]["policy"] == "dead-letter-queue"
    refused = invoke(*TOPICS, "add", "^(")
    assert refused.exit_code == 1
    assert "no regular expression" in refused.stderr
    assert rows(Reader(db_path), "SELECT state FROM commands ORDER BY id") == ["done", "failed"]


def test_the_documents_keys_are_those_that_are_documented(invoke: Invoke, db_path: Path) -> None:
    told = example("dead-letters", "topics", "list")
    listed = document(invoke(*TOPICS, "list", "--json"))
    assert keys_of(listed)["policies"] == keys_of(told)["policies"]
    open_database(db_path).close()
    added = document(invoke(*TOPICS, "add", "a-dlt", "--json"))
    assert keys_of(added) == keys_of(example("dead-letters", "topics", "add"))
