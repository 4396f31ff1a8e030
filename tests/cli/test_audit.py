"""``audit``: a run held against its topic, for people and for programs."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from tests.cli.conftest import Invoke, document
from tests.cli.test_docs import example, keys_of

PROFILE = "critical"


@pytest.fixture
def ended(agent: subprocess.Popen[str], db_path: Path, invoke: Invoke) -> str:
    """A run of a profile of the test's own that is over, beside a running agent."""
    profile = db_path.parent / "counted.json"
    profile.write_text(
        '{"name": "counted", "producer": {"acks": "all"}, "workload": {"topic": "task-events"}}'
    )
    result = invoke("run", profile, "--count", 200, "--rate", 500, "--json")
    assert result.exit_code == 0, result.stderr
    return str(document(result)["run"])


def test_a_run_that_was_kept_ends_with_0(ended: str, invoke: Invoke) -> None:
    result = invoke("audit", ended)
    assert result.exit_code == 0, result.stderr
    assert result.stdout.startswith("counted acknowledged 2")
    assert "none lost, none doubled." in result.stdout
    assert "of other producers or runs, counted apart" in result.stdout


def test_the_json_has_the_documented_keys(ended: str, invoke: Invoke) -> None:
    told = document(invoke("audit", ended[:8], "--json"))
    assert told.keys() == example("audit").keys()
    assert keys_of(told["places"][0]) == keys_of(example("audit")["places"][0])
    assert told["findings"].keys() == example("audit")["findings"].keys()
    assert (told["run"], told["state"], told["lost"], told["unknown"]) == (ended, "done", 0, 0)
    assert told["kept"] == told["acknowledged"] == told["accepted"] >= 200
    assert told["run_ended"]


def test_a_run_that_goes_on_is_told_as_far_as_it_came(
    agent: subprocess.Popen[str], ended: str, invoke: Invoke
) -> None:
    told = document(invoke("audit", "--last", "--profile", PROFILE, "--json"))
    assert (told["profile"], told["run_ended"], told["lost"]) == (PROFILE, False, 0)
    assert told["kept"] > 0


def test_what_is_asked_wrongly_names_its_mend(ended: str, invoke: Invoke) -> None:
    assert invoke("audit").exit_code == 2
    assert invoke("audit", ended, "--last").exit_code == 2
    assert invoke("audit", ended, "--profile", "counted").exit_code == 2
    for arguments, words in (
        (("audit", "nobody"), "There is no run nobody"),
        (("audit", "--last", "--profile", "nobody"), "There is no run of 'nobody' yet"),
    ):
        result = invoke(*arguments)
        assert result.exit_code == 1
        assert words in result.stderr


def test_without_a_cluster_it_says_how_to_name_one(db_path: Path, invoke: Invoke) -> None:
    profile = db_path.parent / "alone.json"
    profile.write_text(
        '{"name": "alone", "producer": {"acks": "all"}, "workload": {"topic": "task-events"}}'
    )
    assert invoke("run", profile, "--count", 20, "--rate", 100).exit_code == 0
    result = invoke("audit", "--last")
    assert result.exit_code == 1
    assert "set KAFKA_BOOTSTRAP_SERVERS" in result.stderr
