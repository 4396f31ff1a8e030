from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from producer_agent.advice.advisor.advice import Evidence
from producer_agent.cli import advise as module
from producer_agent.delivery.profile_checks import check
from producer_agent.delivery.profiles import Profile
from producer_agent.store import facts
from producer_agent.store.database import open_database
from tests.cli.conftest import Invoke, document
from tests.cli.test_docs import example, keys_of

ORDERS = ("orders", "--if-lost", "business", "--tolerated-loss", "0", "--rate", "100")


def test_the_example_is_laid_side_by_side_with_reasons_and_prices(invoke: Invoke) -> None:
    result = invoke("advise", "--example")
    assert result.exit_code == 0
    assert "task-creation: acks=all, idempotent; what was acknowledged is on at least 2" in (
        result.stdout
    )
    line = next(line for line in result.stdout.splitlines() if line.startswith("acks "))
    assert line.split() == ["acks", "all", "1", "0"]
    assert "KIP-679" in result.stdout
    assert "Nothing was measured here yet" in result.stdout


def test_json_is_as_documented(invoke: Invoke) -> None:
    told = document(invoke("advise", *ORDERS, "--replication-factor", "1", "--json"))
    shown = example("advise")
    assert set(told["advices"][0]) == set(shown["advices"][0])
    for part in ("conflicts", "producer", "topic", "answers", "objective"):
        assert keys_of(told["advices"][0][part]) == keys_of(shown["advices"][0][part]), part


def test_what_is_impossible_comes_first_and_ends_with_one(invoke: Invoke) -> None:
    result = invoke("advise", *ORDERS, "--replication-factor", "1")
    assert result.exit_code == 1
    first = result.stdout.splitlines()[0]
    assert "cannot be had" in first
    assert "replication factor of 1" in first
    assert result.stdout.index("impossible") < result.stdout.index("acks ")
    told = document(invoke("advise", *ORDERS, "--replication-factor", "1", "--json"))
    assert told["advices"][0]["possible"] is False
    # min.insync.replicas was not asked for: it follows, and is no contradiction of its own.
    kinds = [c["kind"] for c in told["advices"][0]["conflicts"]]
    assert kinds.count("impossible") == 1


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ((), "Give the event type and its answers"),
        (("orders",), "Add `if_lost`"),
        ((*ORDERS, "--peak", "50"), "Raise `peak_per_s`"),
        ((*ORDERS[:4], "100 %", "--rate", "1"), "Write 0 for never"),
        ((*ORDERS[:4], "none", "--rate", "1"), "plain number"),
        (("orders", "--example"), "one of them"),
        (("--example", "--python", "x.py"), "give the answers of one"),
    ],
)
def test_answers_that_cannot_be_used_are_bad_usage_and_name_the_mend(
    invoke: Invoke, arguments: tuple[str, ...], words: str
) -> None:
    result = invoke("advise", *arguments)
    assert result.exit_code == 2
    assert words in " ".join(result.output.replace("│", " ").split())


def test_a_share_may_be_written_in_percent(invoke: Invoke) -> None:
    told = document(
        invoke(
            "advise",
            *("o", "--if-lost", "experience", "--tolerated-loss", "0.1%", "--rate", "5"),
            "--tells-duplicates",
            "--json",
        )
    )
    assert told["advices"][0]["answers"]["tolerated_loss"] == 0.001
    assert told["advices"][0]["producer"][0]["value"] == 1


def test_answers_come_from_a_file_and_what_json_tells_can_be_given_back(
    invoke: Invoke, tmp_path: Path
) -> None:
    told = document(invoke("advise", "--example", "--json"))
    file = tmp_path / "answers.json"
    file.write_text(json.dumps([advice["answers"] for advice in told["advices"]]))
    assert document(invoke("advise", "--answers", file, "--json")) == told
    assert document(invoke("advise", "--answers", "-", "--json", input=file.read_text())) == told


def test_a_file_that_is_no_answers_is_bad_usage_and_one_that_is_not_there_failed(
    invoke: Invoke, tmp_path: Path
) -> None:
    file = tmp_path / "answers.json"
    assert invoke("advise", "--answers", file).exit_code == 1
    file.write_text("acks=all")
    result = invoke("advise", "--answers", file)
    assert result.exit_code == 2
    assert "The text is no JSON" in result.output


def test_each_file_that_is_written_is_of_its_kind(invoke: Invoke, tmp_path: Path) -> None:
    files = {kind: tmp_path / kind for kind in ("python", "librdkafka", "java", "profile")}
    options = [part for kind, file in files.items() for part in (f"--{kind}", file)]
    assert invoke("advise", *ORDERS, "--atomic", *options).exit_code == 0
    compile(files["python"].read_text(), "program.py", "exec")
    assert "\nacks=all\n" in files["librdkafka"].read_text()
    assert "\nbuffer.memory=" in files["java"].read_text()
    profile = Profile.from_json(files["profile"].read_text())
    assert check(profile) == []
    assert profile.producer.transactional_id == "orders-1"
    assert profile.workload.second_topic == "orders-index"
    imported = invoke("profiles", "import", files["profile"])
    assert imported.exit_code == 0, imported.output
    for kind in ("librdkafka", "java"):
        judged = document(invoke("profiles", "validate", files[kind], "--json"))
        assert judged["valid"] or kind == "java", judged
        assert {s["verdict"] for s in judged["settings"]} <= {"fine", "default", "java-only"}


def test_the_cluster_fills_in_its_brokers_and_what_was_measured_is_told(
    invoke: Invoke, db_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    db = open_database(db_path)
    cluster = {
        "kind": "lab",
        "reachable": True,
        "brokers": [{"id": 1, "host": "h", "port": 1}],
        "topics": [],
    }
    with db.atomic():
        facts.put(db, "cluster", cluster)
    db.close()
    monkeypatch.setattr(
        module, "measurements", lambda _db: (Evidence("critical", "all", 100, 12.0, 11.0, 13.0),)
    )
    result = invoke("advise", *ORDERS, "--latency-ms", "5", "--json")
    assert result.exit_code == 1
    (told,) = document(result)["advices"]
    assert told["answers"]["brokers"] == 1
    said = " ".join(conflict["message"] for conflict in told["conflicts"])
    assert "5 ms at p99, while acks=all was measured here at a p99 of 12 ms" in said
    assert told["measured"][0]["profile"] == "critical"


def test_the_program_runs_as_the_command_writes_it(invoke: Invoke, tmp_path: Path) -> None:
    program = tmp_path / "orders.py"
    assert invoke("advise", *ORDERS, "--python", program).exit_code == 0
    done = subprocess.run(
        [sys.executable, program, "--help"], capture_output=True, text=True, timeout=30
    )
    assert done.returncode == 0
    assert "Sends orders events to Kafka" in done.stdout
