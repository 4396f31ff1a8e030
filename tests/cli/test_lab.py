"""``lab``: each command does its own thing to the lab, and tells the state after it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from producer_agent.cli import lab as lab_commands
from producer_agent.kafka.lab import Lab, LabStatus, NodeStatus
from tests.cli.conftest import Invoke, document
from tests.cli.test_docs import keys_of, section_of


class RecordingLab:
    """Stands for the lab, and writes down what was asked of it."""

    asked: list[tuple[Any, ...]]

    def __init__(self, home: Path) -> None:
        self.home = home
        type(self).asked = []

    bootstrap_servers = "127.0.0.1:9092"

    def status(self) -> LabStatus:
        return LabStatus("127.0.0.1:9092", (NodeStatus(1, 9092, 42, "running"),))

    def __getattr__(self, name: str) -> Any:
        return lambda *arguments: type(self).asked.append((name, *arguments))


@pytest.fixture
def recording(monkeypatch: pytest.MonkeyPatch) -> type[RecordingLab]:
    monkeypatch.setattr(lab_commands, "Lab", RecordingLab)
    return RecordingLab


@pytest.mark.parametrize(
    ("command", "asked"),
    [
        (["up"], ("up",)),
        (["down"], ("down",)),
        (["kill", "2"], ("kill", 2)),
        (["start", "3"], ("start", 3)),
        (["stop", "1"], ("stop", 1)),
        (["pause", "2"], ("pause", 2)),
        (["resume", "2"], ("resume", 2)),
    ],
)
def test_each_command_asks_the_lab_for_its_own_and_tells_the_state(
    invoke: Invoke, recording: type[RecordingLab], command: list[str], asked: tuple[Any, ...]
) -> None:
    result = invoke("lab", *command, "--json")
    assert result.exit_code == 0
    assert recording.asked == [asked]
    assert document(result)["nodes"] == [{"id": 1, "port": 9092, "pid": 42, "state": "running"}]
    assert "127.0.0.1:9092" in invoke("lab", *command).stdout


def test_the_home_is_beside_the_database_unless_told(
    invoke: Invoke, db_path: Path, tmp_path: Path
) -> None:
    assert document(invoke("lab", "status", "--json"))["home"] == str(db_path.parent / "lab")
    told = document(invoke("lab", "status", "--json", "--home", tmp_path / "other"))
    assert told["home"] == str(tmp_path / "other")


def test_a_status_without_a_lab_tells_how_to_make_one(invoke: Invoke, db_path: Path) -> None:
    result = invoke("lab", "status")
    assert result.exit_code == 0
    assert "`lab up` makes one" in result.stdout
    told = document(invoke("lab", "status", "--json"))
    assert (told["bootstrap_servers"], told["nodes"]) == (None, [])
    assert not (db_path.parent / "lab").exists()


def test_bootstrap_writes_the_addresses_and_nothing_else(
    invoke: Invoke, recording: type[RecordingLab]
) -> None:
    assert invoke("lab", "status", "--bootstrap").stdout == "127.0.0.1:9092\n"


def test_what_the_lab_refuses_is_an_error_with_its_mend(invoke: Invoke) -> None:
    for command in (["kill", "1"], ["start", "1"], ["pause", "1"], ["status", "--bootstrap"]):
        result = invoke("lab", *command)
        assert result.exit_code == 1
        assert "lab up" in result.stderr
        assert result.stdout == ""


def test_the_keys_are_those_of_the_documentation(
    invoke: Invoke, recording: type[RecordingLab]
) -> None:
    documented = {
        "home": None,
        "bootstrap_servers": None,
        "nodes": [dict.fromkeys(("id", "port", "pid", "state"))],
    }
    assert keys_of(document(invoke("lab", "status", "--json"))) == documented
    assert section_of(("lab", "status"))


@pytest.mark.real_kafka
def test_a_real_lab_comes_up_loses_a_node_gets_it_back_and_goes_down(
    invoke: Invoke, tmp_path: Path
) -> None:
    home = ["--home", str(tmp_path / "lab"), "--json"]

    def states(*command: str) -> list[str]:
        result = invoke("lab", *command, *home)
        assert result.exit_code == 0, result.stderr
        return [node["state"] for node in document(result)["nodes"]]

    try:
        assert states("up") == ["running"] * 3
        assert states("kill", "2") == ["running", "stopped", "running"]
        assert states("start", "2") == ["running"] * 3
        assert states("pause", "1") == ["paused", "running", "running"]
        assert states("resume", "1") == ["running"] * 3
    finally:
        Lab(tmp_path / "lab").down()
    assert states("status") == ["stopped"] * 3
