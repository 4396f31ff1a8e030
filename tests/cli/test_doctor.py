"""``doctor``: what is needed, what is missing, and the mend; it makes nothing."""

from __future__ import annotations

import os
import shutil
import socket
from collections import namedtuple
from pathlib import Path
from typing import Any

import pytest

from producer_agent.cli import doctor
from producer_agent.store.database import open_database
from tests.cli.conftest import Invoke, document
from tests.cli.test_docs import example, keys_of


def check(invoke: Invoke, name: str) -> dict[str, Any]:
    """One row of the doctor's, and whether it fails the whole."""
    result = invoke("doctor", "--json")
    told = document(result)
    (found,) = [entry for entry in told["checks"] if entry["name"] == name]
    assert found["mend"] if found["state"] != "ok" else found["mend"] is None
    if found["state"] == "fail":
        assert (result.exit_code, told["works"]) == (1, False)
    elif not any(entry["state"] == "fail" for entry in told["checks"]):
        assert (result.exit_code, told["works"]) == (0, True)
    return dict(found)


def test_here_everything_needed_is_there_and_nothing_is_made(invoke: Invoke, db_path: Path) -> None:
    result = invoke("doctor", "--json")
    told = document(result)
    assert result.exit_code == 0
    names = {entry["name"] for entry in told["checks"]}
    assert {"Python", "packages", "librdkafka", "database", "cluster", "disk"} <= names
    assert {"port 8501", "Java", "Maven", "Chromium"} <= names
    assert keys_of(told) == keys_of(example("doctor"))
    assert list(db_path.parent.iterdir()) == []


def test_an_old_python_fails(invoke: Invoke, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "PYTHON_NEEDED", (9, 0))
    assert check(invoke, "Python")["state"] == "fail"


@pytest.mark.parametrize("requirement", ["no-such-package>=1", "typer>=999"])
def test_a_package_that_is_missing_or_too_old_fails_with_what_to_install(
    invoke: Invoke, monkeypatch: pytest.MonkeyPatch, requirement: str
) -> None:
    monkeypatch.setattr(doctor, "_requirements", lambda: ["rich", requirement])
    found = check(invoke, f"package {requirement.partition('>')[0]}")
    assert found["state"] == "fail"
    assert f'pip install "{requirement}"' in found["mend"]


def test_our_own_requirements_are_known() -> None:
    assert any(requirement.startswith("confluent-kafka") for requirement in doctor._requirements())


def test_a_librdkafka_without_the_mock_fails_only_where_the_embedded_cluster_is_used(
    invoke: Invoke, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(doctor, "probe_symbols", lambda: ["rd_kafka_mock_cluster_new"])
    assert check(invoke, "librdkafka")["state"] == "fail"
    monkeypatch.setenv("KAFKA_BOOTSTRAP_SERVERS", "127.0.0.1:1")
    assert check(invoke, "librdkafka")["state"] == "warn"


def test_a_cluster_that_does_not_answer_fails(
    invoke: Invoke, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KAFKA_BOOTSTRAP_SERVERS", "127.0.0.1:1")
    monkeypatch.setenv("ACKBOARD_KAFKA_SASL_PASSWORD", "hunter2")
    found = check(invoke, "cluster")
    assert found["state"] == "fail"
    assert "check the address" in found["mend"]
    assert "hunter2" not in str(found)


def test_a_real_cluster_that_answers_is_ok(
    invoke: Invoke, monkeypatch: pytest.MonkeyPatch, shared_cluster: Any
) -> None:
    monkeypatch.setenv("KAFKA_BOOTSTRAP_SERVERS", shared_cluster.bootstrap_servers)
    found = check(invoke, "cluster")
    assert found["state"] == "ok"
    assert "3 brokers" in found["found"]


def test_a_whole_database_is_ok(invoke: Invoke, db_path: Path) -> None:
    open_database(db_path).close()
    assert "intact" in check(invoke, "database")["found"]


def test_a_damaged_database_fails(invoke: Invoke, db_path: Path) -> None:
    db = open_database(db_path)
    db.execute("PRAGMA journal_mode = DELETE")
    db.close()
    data = bytearray(db_path.read_bytes())
    data[4096 * 4 : 4096 * 12] = b"\x55" * (4096 * 8)
    db_path.write_bytes(bytes(data))
    found = check(invoke, "database")
    assert found["state"] == "fail"
    assert "recover" in found["mend"]


def test_a_folder_that_cannot_be_written_fails(
    invoke: Invoke, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ACKBOARD_DB", "/proc/ackboard/ackboard.db")
    monkeypatch.setattr(os, "access", lambda *_arguments: False)
    assert check(invoke, "database")["state"] == "fail"


@pytest.mark.parametrize(("free", "state"), [(10**9, "warn"), (10**8, "fail"), (10**10, "ok")])
def test_little_room_is_a_warning_and_none_a_failure(
    invoke: Invoke, monkeypatch: pytest.MonkeyPatch, free: int, state: str
) -> None:
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(shutil, "disk_usage", lambda _path: usage(10**12, 0, free))
    assert check(invoke, "disk")["state"] == state


def test_a_port_in_use_is_a_warning(invoke: Invoke, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        monkeypatch.setattr(doctor, "DASHBOARD_PORT", port)
        assert check(invoke, f"port {port}")["state"] == "warn"


def test_missing_optional_tools_are_warnings_that_say_what_they_are_for(
    invoke: Invoke, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    monkeypatch.delenv("JAVA_HOME", raising=False)
    for tool, purpose in (("Java", "`lab`"), ("Maven", "`lab up`"), ("Chromium", "browser tests")):
        found = check(invoke, tool)
        assert found["state"] == "warn"
        assert purpose in found["mend"]
