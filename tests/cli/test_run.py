"""``run`` in its own process, on an embedded cluster."""

from __future__ import annotations

import json
import signal
from pathlib import Path
from typing import Any

import pytest

from producer_agent.lock import AgentLock
from producer_agent.store import profiles
from producer_agent.store.database import StoreError
from producer_agent.store.reader import Reader
from tests.cli.conftest import Invoke, Start, document, end
from tests.cli.test_docs import example, keys_of
from tests.recording import assert_one_outcome_each, rows
from tests.waiting import wait_until

OUTCOMES = ("delivered", "unconfirmed", "failed", "rejected", "unresolved")


def profile(path: Path, **changes: Any) -> Path:
    """A profile file that sends fast; ``faults`` go to its workload, the rest to its producer."""
    workload = {"topic": "orders", "rate_per_s": 1000, "faults": changes.pop("faults", {})}
    path.write_text(json.dumps({"name": "orders", "producer": changes, "workload": workload}))
    return path


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """Where a profile file is written."""
    return tmp_path / "orders.json"


def test_it_sends_as_many_as_asked_and_tells_what_became_of_each(
    invoke: Invoke, file: Path, db_path: Path
) -> None:
    result = invoke("run", profile(file), "--count", "500", "--json")
    told = document(result)
    assert result.exit_code == 0, result.stderr
    assert told["accepted"] == told["delivered"] == 500
    assert told["ran_in"] == "this process"
    assert told["end_reason"] == "complete"
    assert told["rate_reached"] == pytest.approx(1000, rel=0.3)
    assert 0 < told["latency_ms"]["p50"] <= told["latency_ms"]["p999"]
    assert assert_one_outcome_each(Reader(db_path), told["run"]) == {"delivered": 500}
    assert keys_of(told) == keys_of(example("run"))


def test_what_fails_is_in_the_dead_letter_queue_when_it_ends(
    invoke: Invoke, file: Path, db_path: Path
) -> None:
    faults = {"unknown_partition": 0.05, "unknown_topic": 0.05}
    result = invoke("run", profile(file, faults=faults), "--count", "300", "--json")
    told = document(result)
    assert result.exit_code == 0, result.stderr
    lost = told["failed"] + told["rejected"]
    assert lost > 0
    assert told["dead_letters"] == {"due": lost, "published": lost, "stored": lost}
    assert sum(told[outcome] for outcome in OUTCOMES) == told["accepted"] == 300
    assert rows(Reader(db_path), "SELECT count(*) FROM dead_letters") == [lost]


def test_strict_fails_where_an_event_did(invoke: Invoke, file: Path) -> None:
    profile(file, faults={"unknown_partition": 0.2})
    result = invoke("run", file, "--count", "100", "--strict")
    assert result.exit_code == 1
    assert "--strict was given" in result.stderr
    assert "dead letters" in result.stdout
    profile(file)
    assert invoke("run", file, "--count", "100", "--strict").exit_code == 0


def test_acks_0_is_unconfirmed_and_never_called_delivered(invoke: Invoke, file: Path) -> None:
    told = document(invoke("run", profile(file, acks=0), "--count", "50", "--json"))
    assert (told["unconfirmed"], told["delivered"]) == (50, 0)


def test_duration_and_rate_bound_it(invoke: Invoke, file: Path) -> None:
    told = document(invoke("run", profile(file), "--duration", "1s", "--rate", "100", "--json"))
    assert told["rate_asked"] == 100
    assert 80 <= told["accepted"] <= 101


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_it_in_order_with_an_outcome_for_every_event(
    start: Start, file: Path, db_path: Path, number: signal.Signals
) -> None:
    process = start("run", profile(file, faults={"unknown_partition": 0.01}), "--json")
    wait_until(lambda: accepted(db_path) > 200, 30, "it does not send")
    out, said = end(process, number)
    told = json.loads(out)
    assert process.returncode == 0, said
    assert told["end_reason"] == f"stopped by {number.name}"
    assert sum(told[outcome] for outcome in OUTCOMES) == told["accepted"] > 200
    assert told["dead_letters"]["stored"] == told["dead_letters"]["due"]
    assert_one_outcome_each(Reader(db_path), told["run"])
    assert "Traceback" not in said


def accepted(db: Path) -> int:
    """Events of the newest run so far."""
    try:
        return int(rows(Reader(db), "SELECT coalesce(max(accepted), 0) FROM runs")[0])
    except StoreError:  # it is being made just now
        return 0


def test_a_shipped_profile_runs_without_being_stored(invoke: Invoke, db_path: Path) -> None:
    result = invoke("run", "production", "--count", "20", "--json")
    assert result.exit_code == 0, result.stderr
    assert document(result)["profile"] == "production"
    assert Reader(db_path)(profiles.all_profiles) == []


def test_a_stored_profile_goes_before_the_shipped_one_of_its_name(
    invoke: Invoke, file: Path
) -> None:
    file.write_text('{"name": "production", "workload": {"topic": "mine", "rate_per_s": 500}}')
    assert invoke("profiles", "import", file).exit_code == 0
    assert document(invoke("run", "production", "--count", "20", "--json"))["topic"] == "mine"


def test_only_the_asked_profile_runs(invoke: Invoke, db_path: Path, file: Path) -> None:
    """Profiles that start with the agent are the agent's, though the database has them."""
    exported = invoke("profiles", "export", "critical").stdout
    file.write_text(exported)
    assert invoke("profiles", "import", file).exit_code == 0
    invoke("run", "production", "--count", "20")
    assert rows(Reader(db_path), "SELECT DISTINCT profile FROM runs") == ["production"]


def test_a_database_that_another_process_has_is_not_touched(
    invoke: Invoke, file: Path, db_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("producer_agent.cli.serving._STARTING_S", 0.2)
    with AgentLock(db_path):
        result = invoke("run", profile(file), "--count", "10")
    assert result.exit_code == 1
    assert "takes no commands" in result.stderr
    assert not db_path.exists()


def test_a_profile_that_cannot_run_is_refused_before_anything_is_made(
    invoke: Invoke, file: Path, db_path: Path
) -> None:
    result = invoke("run", profile(file, acks=1, idempotence=True), "--count", "10")
    assert result.exit_code == 1
    assert "producer.acks" in result.stderr
    assert not db_path.exists()


def test_a_profile_that_is_not_there_is_an_error_that_tells_those_there_are(
    invoke: Invoke,
) -> None:
    result = invoke("run", "none", "--count", "10")
    assert result.exit_code == 1
    assert "analytics, canary, critical, metrics, production, transactional" in result.stderr


def test_a_cluster_that_does_not_answer_is_an_error_with_its_mend(
    invoke: Invoke, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KAFKA_BOOTSTRAP_SERVERS", "127.0.0.1:1")
    monkeypatch.setattr("producer_agent.cli.local_run.VIEW_TIMEOUT_S", 1.0)
    result = invoke("run", profile(file), "--count", "10")
    assert result.exit_code == 1
    assert "check the address" in result.stderr
