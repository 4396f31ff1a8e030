"""Every program the table's cases give: linted, typed, and run until its events have arrived."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from confluent_kafka import KafkaError

from producer_agent.advice.advisor.advise import advise
from producer_agent.advice.advisor.example import EXAMPLE
from producer_agent.advice.advisor.programs.dead_letters import NOT_STORED
from producer_agent.advice.advisor.python_program import python_program
from producer_agent.advice.advisor.question import Question
from producer_agent.dead_letters.conventions import ackboard
from producer_agent.dead_letters.conventions.record import RawRecord
from producer_agent.delivery.errors import TABLE, Stored
from producer_agent.kafka.embedded import EmbeddedCluster
from tests.advice.advisor.cases import CASES
from tests.advice.advisor.topic_reader import read_all

ROOT = Path(__file__).parents[3]
EVENTS = 25
"""Records a program sends to each of its topics."""


def programs() -> dict[str, Question]:
    """Each program that comes out different, by a topic of its own."""
    seen: dict[str, Question] = {}
    for at, question in enumerate([*EXAMPLE, *(case.question for case in CASES)]):
        advice = advise(question)
        told = json.dumps([advice.settings, advice.is_transactional], default=str)
        seen.setdefault(told, question.model_copy(update={"name": f"program-{at}"}))
    return {question.name: question for question in seen.values()}


PROGRAMS = programs()


@pytest.fixture(scope="module")
def cluster() -> Iterator[EmbeddedCluster]:
    running = EmbeddedCluster()
    yield running
    running.close()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """All programs as files."""
    path = tmp_path_factory.mktemp("programs")
    for name, question in PROGRAMS.items():
        program = python_program(advise(question))
        (path / f"{name.replace('-', '_')}.py").write_text(program)
    return path


def run(
    program: Path, cluster: EmbeddedCluster, *arguments: str, given: bytes = b""
) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(
        [sys.executable, program, "--bootstrap", cluster.bootstrap_servers, *arguments],
        input=given,
        capture_output=True,
        timeout=60,
        cwd=program.parent,
    )


def test_every_program_is_linted_formatted_and_typed(folder: Path) -> None:
    for command in (
        ["ruff", "check", "--config", str(ROOT / "pyproject.toml")],
        ["ruff", "format", "--check", "--config", str(ROOT / "pyproject.toml")],
        ["mypy", "--strict", "--config-file", ""],
    ):
        done = subprocess.run(
            [sys.executable, "-m", *command, str(folder)], capture_output=True, text=True
        )
        assert done.returncode == 0, f"{command}: {done.stdout}{done.stderr}"


def test_every_program_delivers_its_events_to_each_of_its_topics(
    folder: Path, cluster: EmbeddedCluster
) -> None:
    files = sorted(folder.glob("*.py"))
    assert len(files) == len(PROGRAMS) > 15
    with ThreadPoolExecutor(2) as several:
        runs = several.map(lambda file: run(file, cluster, "--count", str(EVENTS)), files)
    for file, done in zip(files, runs, strict=True):
        assert done.returncode == 0, f"{file.name}: {done.stderr.decode()}"
        assert f"{EVENTS} " in done.stderr.decode()
    for name, question in PROGRAMS.items():
        topics = (name, f"{name}-index") if question.atomic else (name,)
        for topic in topics:
            values = [m.value() or b"" for m in read_all(cluster.bootstrap_servers, topic)]
            expected = [b'{"event": %d}' % n for n in range(EVENTS)]
            assert sorted(values) == sorted(expected), topic


@pytest.mark.parametrize("atomic", [False, True], ids=["plain", "transactional"])
def test_what_cannot_be_sent_is_kept_and_told_and_the_rest_arrives(
    atomic: bool, tmp_path: Path, cluster: EmbeddedCluster
) -> None:
    name = f"refused-{atomic}".lower()
    question = EXAMPLE[0].model_copy(update={"name": name, "atomic": atomic})
    program = tmp_path / "program.py"
    program.write_text(python_program(advise(question)))
    done = run(program, cluster, given=b"a\tfirst\nb\t" + b"x" * 1_200_000 + b"\nlast\n")
    told = done.stderr.decode()
    assert done.returncode == 1, told
    assert "2 delivered, 1 kept as dead letters" in told
    assert [m.value() for m in read_all(cluster.bootstrap_servers, name)] in (
        [b"first", b"last"],
        [b"last", b"first"],
    )
    # Too large for the dead-letter topic as well, so that it is in the file, for us to read.
    (line,) = (tmp_path / f"{name}.dlq.jsonl").read_bytes().splitlines()
    letter = ackboard.decode(RawRecord("t", 0, 0, None, None, line, ()))
    assert letter is not None
    assert (letter.original_topic, letter.original_key) == (name, b"b")
    assert letter.error_class == "MSG_SIZE_TOO_LARGE"
    assert letter.may_be_stored is False
    assert len(letter.original_value or b"") == 1_200_000


def test_a_refused_event_is_a_dead_letter_on_its_topic(
    tmp_path: Path, cluster: EmbeddedCluster
) -> None:
    question = EXAMPLE[1].model_copy(update={"name": "refused-by-broker"})
    program = tmp_path / "program.py"
    program.write_text(python_program(advise(question)))
    assert run(program, cluster, "--count", "1").returncode == 0
    cluster.push_produce_errors([KafkaError.TOPIC_AUTHORIZATION_FAILED])
    done = run(program, cluster, given=b"k\t\xff\n")
    assert done.returncode == 1, done.stderr.decode()
    (kept,) = read_all(cluster.bootstrap_servers, "refused-by-broker.dlq")
    letter = ackboard.decode(RawRecord("t", 0, 0, None, None, kept.value(), ()))
    assert letter is not None
    assert (letter.original_value, letter.may_be_stored) == (b"\xff", False)


@pytest.mark.parametrize("atomic", [False, True], ids=["plain", "transactional"])
def test_a_fatal_error_leaves_no_event_unaccounted_for(
    atomic: bool, tmp_path: Path, cluster: EmbeddedCluster
) -> None:
    """librdkafka raises it out of poll() or flush(), past the reports of what was under way."""
    question = EXAMPLE[0].model_copy(update={"name": f"fatal-{atomic}".lower(), "atomic": atomic})
    program = tmp_path / "program.py"
    program.write_text(python_program(advise(question)))
    assert run(program, cluster, "--count", "1").returncode == 0
    cluster.push_produce_errors([KafkaError.OUT_OF_ORDER_SEQUENCE_NUMBER] * 3)
    try:
        done = run(program, cluster, "--count", "8")
    finally:
        cluster.clear_produce_errors()
    told = done.stderr.decode()
    assert done.returncode == 1, told
    assert "Traceback" not in told
    assert "a fatal error ended" in told or "cannot go on" in told
    sent, kept = map(int, re.findall(r"(\d+) delivered, (\d+) kept", told)[0])
    assert sent + kept == 8
    assert kept > 0


def test_a_signal_ends_it_after_what_was_read_is_sent(
    tmp_path: Path, cluster: EmbeddedCluster
) -> None:
    program = tmp_path / "program.py"
    question = EXAMPLE[0].model_copy(update={"name": "signalled"})
    program.write_text(python_program(advise(question)))
    with subprocess.Popen(
        [sys.executable, program, "--bootstrap", cluster.bootstrap_servers],
        stdin=subprocess.PIPE,
        stderr=subprocess.PIPE,
        cwd=tmp_path,
    ) as process:
        assert process.stdin is not None
        process.stdin.write(b"one\ntwo\n")
        process.stdin.flush()
        read_all(cluster.bootstrap_servers, "signalled", at_least=2)
        process.terminate()
        # The input stays open: it must not be waited for.
        assert process.wait(20) == 0
        assert process.stderr is not None
        assert b"2 delivered" in process.stderr.read()


def test_no_brokers_named_is_bad_usage(tmp_path: Path) -> None:
    program = tmp_path / "program.py"
    program.write_text(python_program(advise(EXAMPLE[0])))
    done = subprocess.run([sys.executable, program], capture_output=True, env={}, timeout=30)
    assert done.returncode == 2
    assert b"KAFKA_BOOTSTRAP_SERVERS" in done.stderr


def test_the_program_calls_not_stored_only_what_the_error_table_does() -> None:
    by_table = {code for code, fact in TABLE.items() if fact.stored is Stored.NO}
    assert by_table >= NOT_STORED
    left = {TABLE[code].name for code in by_table - NOT_STORED}
    assert left == {
        # Kept open, as what comes of them is not seen by a test.
        "NETWORK_EXCEPTION",
        "FENCED_LEADER_EPOCH",
        "INVALID_PRODUCER_EPOCH",
        # These come to whoever drives a transaction, and in no delivery report.
        "CONCURRENT_TRANSACTIONS",
        "COORDINATOR_LOAD_IN_PROGRESS",
        "_FENCED",
        "_GAPLESS_GUARANTEE",
        "_STATE",
    }
