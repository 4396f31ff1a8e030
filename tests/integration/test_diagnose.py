"""Every diagnosis provoked on three real nodes by a real producer, and its text held to the facts.

One agent and one lab for all; each test undoes what it broke, and waits until that is seen.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from producer_agent.advice.diagnosis.diagnosis import Diagnosis, State
from producer_agent.commands import Command, ask_and_wait
from producer_agent.kafka.lab import Lab
from producer_agent.store import facts
from producer_agent.store.database import open_database
from tests.integration.agent_process import ROOT, AgentProcess
from tests.waiting import wait_until

pytestmark = pytest.mark.real_kafka

SOON_S = 5.0
"""By when a change has to be told, from when it was there to be seen."""

TOPIC = "diagnosed"


def profile(name: str, topic: str, **workload: Any) -> dict[str, Any]:
    return {
        "name": name,
        "producer": {
            "acks": "all",
            "idempotence": True,
            "delivery_timeout_ms": 3_000,
            "request_timeout_ms": 1_500,
            "message_max_bytes": 8_192,
            "extra": {"topic.metadata.propagation.max.ms": 1_000},
        },
        "workload": {
            "topic": topic,
            "partitions": 3,
            "replication_factor": 3,
            "min_insync_replicas": 2,
            "rate_per_s": 60,
            "payload_bytes": 400,
            "keys": 100,
            **workload,
        },
    }


class Board(AgentProcess):
    """An agent on the lab, and what it says."""

    def __init__(self, lab: Lab, db: Path) -> None:
        super().__init__(lab, db, ACKBOARD_LAB_HOME=str(lab.home))
        self.lab = lab

    def ask(self, kind: Command, arguments: dict[str, Any]) -> dict[str, Any]:
        """On two cores three nodes take their time to stop and to start."""
        return ask_and_wait(self.db, kind, arguments, who="test", timeout_s=120)

    def run(self, body: dict[str, Any]) -> None:
        self.ask(Command.PROFILE_SAVE, {"body": json.dumps(body)})
        self.ask(Command.RUN_START, {"profile": body["name"]})

    def fact(self, name: str) -> facts.Fact:
        db = open_database(self.db, read_only=True)
        try:
            found = facts.get(db, name)
        finally:
            db.close()
        assert found is not None
        return found

    def told(self, topic: str = TOPIC) -> Diagnosis | None:
        """What the fact says of a topic; None: nothing is the matter with it."""
        return next(
            (
                Diagnosis.from_json(each)
                for each in self.fact("diagnosis").body["diagnoses"]
                if each["topic"] == topic
            ),
            None,
        )

    def wait_told(self, matter: str, timeout_s: float, topic: str = TOPIC) -> Diagnosis:
        def is_told() -> bool:
            found = self.told(topic)
            return found is not None and found.matter == matter

        wait_until(is_told, timeout_s, f"{matter} was not told of {topic}: {self.told(topic)}")
        found = self.told(topic)
        assert found is not None
        return found

    def wait_clear(self, timeout_s: float, topic: str = TOPIC) -> None:
        wait_until(lambda: self.told(topic) is None, timeout_s, f"still: {self.told(topic)}")

    def diagnose(self, *arguments: str) -> tuple[int, Diagnosis, float]:
        """What the command line answers: its exit code, the diagnosis, and how long it took."""
        began_s = time.monotonic()
        done = subprocess.run(
            [
                *(sys.executable, "-m", "producer_agent", "diagnose", *arguments),
                *("--json", "--db", str(self.db)),
            ],
            env={
                **os.environ,
                "PYTHONPATH": str(ROOT),
                "KAFKA_BOOTSTRAP_SERVERS": self.lab.bootstrap_servers,
                "ACKBOARD_CLUSTER_KIND": "lab",
                "ACKBOARD_LAB_HOME": str(self.lab.home),
            },
            capture_output=True,
            text=True,
            check=False,
        )
        took_s = time.monotonic() - began_s
        assert done.stdout, done.stderr
        document = json.loads(done.stdout)
        assert document.pop("healthy") is (done.returncode == 0)
        return done.returncode, Diagnosis.from_json(document), took_s

    def last_failure(self, code: str, topic: str = TOPIC, reason: str = "") -> dict[str, Any]:
        """The newest failure with this code, whose reason has these words; waited for."""
        wanted = [code, topic, f"%{reason}%"]

        def found() -> list[dict[str, Any]]:
            return self.query(
                "SELECT r.uuid, u.sequence FROM undelivered u JOIN runs r ON r.id = u.run "
                "WHERE u.code_name = ? AND u.topic = ? AND u.reason LIKE ? "
                "ORDER BY u.id DESC LIMIT 1",
                wanted,
            )

        wait_until(lambda: bool(found()), 30, f"nothing failed with {code} {reason}")
        return found()[0]

    def whole(self) -> bool:
        """Whether the agent has seen every replica in sync."""
        topics = self.fact("cluster").body["topics"]
        return bool(topics) and all(
            len(partition["isrs"]) == len(partition["replicas"])
            for topic in topics
            for partition in topic["partitions"]
        )


@pytest.fixture(scope="module")
def board(lab: Lab, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Board]:
    with Board(lab, tmp_path_factory.mktemp("diagnose") / "board.db") as running:
        running.run(profile("sender", TOPIC))
        try:
            yield running
        finally:
            lab.restore()


@pytest.fixture(autouse=True)
def _mended(board: Board) -> Iterator[None]:
    """Whatever a test broke is undone, so that the next has a whole cluster."""
    yield
    board.ask(Command.FAULT_UNDO_ALL, {})


def evidence(found: Diagnosis) -> dict[str, str]:
    return {fact.label: fact.value for fact in found.facts}


def commands(found: Diagnosis) -> list[str]:
    return [option.command for option in found.options if option.command is not None]


def everything(found: Diagnosis | None) -> str:
    return "" if found is None else json.dumps(found.to_json())


def missing_brokers(found: Diagnosis | None) -> int:
    """How many brokers its facts call missing."""
    facts = {} if found is None else evidence(found)
    return sum(
        label.startswith("broker ") and "missing since" in words for label, words in facts.items()
    )


def test_a_topic_that_is_well_is_told_so_at_once(board: Board) -> None:
    board.wait_clear(20)
    code, found, _ = board.diagnose(TOPIC)
    assert (code, found.state, found.matter) == (0, State.HEALTHY, "healthy")
    assert "all 3 partitions have a leader that answers" in found.headline
    assert evidence(found)["min.insync.replicas"] == "2"


def test_two_stopped_nodes_are_told_within_five_seconds_and_cleared_when_they_are_back(
    board: Board,
) -> None:
    for node in (2, 3):
        board.ask(Command.FAULT_INJECT, {"kind": "node_stopped", "node": node})
    board.wait_told("under-min-isr", SOON_S)
    # A replica leaves the ISR a moment before its broker leaves the metadata.
    wait_until(lambda: missing_brokers(board.told()) == 2, 10, "no broker is missing")
    found = board.wait_told("under-min-isr", SOON_S)
    assert found.state is State.WRONG
    assert "1 of 3 replicas in sync, 2 needed" in found.headline
    assert "brokers 2 and 3 are not in sync" in found.headline
    told = evidence(found)
    assert (told["replication factor"], told["min.insync.replicas"]) == ("3", "2")
    for broker in (2, 3):
        (words,) = [value for label, value in told.items() if label.startswith(f"broker {broker}")]
        assert "missing since" in words
        assert "its port refuses connections" in words
    assert {(p.leader, p.isrs, p.words) for p in found.partitions} == {(1, (1,), "under min ISR")}
    assert "acks=1 works" in found.still_works[0].what
    assert "broker 1 alone" in found.still_works[0].price
    safeties = [option.safety for option in found.options]
    assert safeties == sorted(safeties, key=["safe", "careful", "dangerous"].index)
    assert f"lab start 2 --home {board.lab.home}" in commands(found)[0]
    assert found.options[0].undo_fault == {"kind": "node_stopped", "node": 2}
    assert commands(found)[-1] == (
        f"kafka-configs.sh --bootstrap-server {board.lab.bootstrap_servers} --alter "
        f"--entity-type topics --entity-name {TOPIC} --add-config min.insync.replicas=1"
    )

    # Others timed out while their leader was being stopped: those were never sent at all.
    event = board.last_failure("_MSG_TIMED_OUT", reason="NOT_ENOUGH_REPLICAS")
    _, why, _ = board.diagnose(TOPIC, "--event", f"{event['uuid']}:{event['sequence']}")
    assert why.headline.startswith("Missing replicas: the leader refused it")
    assert "NOT_ENOUGH_REPLICAS" in why.headline
    code, now, took_s = board.diagnose(TOPIC, "--code", "NOT_ENOUGH_REPLICAS")
    assert (code, now.matter, now.code) == (1, "under-min-isr", "NOT_ENOUGH_REPLICAS")
    assert took_s < 15, "with brokers down an answer takes no longer (starting Python included)"

    assert board.ask(Command.FAULT_UNDO_ALL, {})["undone"] == 2
    wait_until(board.whole, 40, "the nodes did not come back into sync")
    board.wait_clear(SOON_S)
    code, over, _ = board.diagnose(TOPIC, "--code", "NOT_ENOUGH_REPLICAS")
    assert (code, over.state) == (0, State.PASSED)
    kinds = [row["kind"] for row in board.query("SELECT kind FROM cluster_changes ORDER BY id")]
    for kind in ("broker_left", "isr_shrank", "leaders_changed", "broker_joined", "isr_grew"):
        assert kind in kinds


def test_a_denied_topic_is_told_with_principal_operation_and_acl(board: Board) -> None:
    board.ask(Command.FAULT_INJECT, {"kind": "topic_denied", "topic": TOPIC})
    # A broker may refuse before another lists the ACL.
    board.wait_told("not-authorized", 20)
    wait_until(lambda: "DENY WRITE to User:" in everything(board.told()), 20, "no ACL was told")
    found = board.wait_told("not-authorized", 20)
    assert found.headline == f"User:ANONYMOUS may not WRITE on topic {TOPIC}."
    told = evidence(found)
    assert told[f"ACL on topic {TOPIC}"]
    assert any("DENY WRITE to User:ANONYMOUS" in fact.value for fact in found.facts)
    assert "WRITE" not in told["allowed to us now"].split(", ")
    assert found.options[0].undo_fault == {"kind": "topic_denied", "topic": TOPIC}
    removal = next(line for line in commands(found) if "--remove" in line)
    assert f"--deny-principal User:ANONYMOUS --deny-host '*' --operation Write --topic {TOPIC}" in (
        removal
    )
    board.last_failure("TOPIC_AUTHORIZATION_FAILED")
    board.ask(Command.FAULT_UNDO, {"kind": "topic_denied", "topic": TOPIC})
    board.wait_clear(20)
    code, over, _ = board.diagnose(TOPIC, "--code", "TOPIC_AUTHORIZATION_FAILED")
    assert (code, over.state) == (0, State.PASSED)
    assert "allowed again" in over.headline


def test_a_lowered_limit_is_told_with_the_limits_in_force_and_which_was_hit(board: Board) -> None:
    board.ask(Command.FAULT_INJECT, {"kind": "size_limit", "topic": TOPIC})
    found = board.wait_told("too-large", 20)
    assert "The topic's limit was hit" in found.headline
    assert "max.message.bytes (200)" in found.headline
    told = evidence(found)
    assert told["client: message.max.bytes"] == "8,192"
    assert told["topic: max.message.bytes"] == "200"
    assert told["broker: message.max.bytes"] == "1,048,588"
    assert told["broker: replica.fetch.max.bytes"] == "1,048,576"
    assert 200 < int(told["the record"].split()[0].replace(",", "")) < 2_000
    assert any("--add-config max.message.bytes=" in line for line in commands(found))
    board.ask(Command.FAULT_UNDO, {"kind": "size_limit", "topic": TOPIC})
    board.wait_clear(20 + SOON_S)


def test_a_missing_topic_is_told_with_near_names_and_the_command_that_makes_it(
    board: Board,
) -> None:
    mix = {"unknown_topic": 0.5}
    board.run(profile("lost", "parcels", faults=mix, rate_per_s=100))
    wait_until(
        lambda: board.query("SELECT 1 FROM undelivered WHERE code_name = 'UNKNOWN_TOPIC_OR_PART'"),
        30,
        "nobody missed the topic",
    )
    (row,) = board.query("SELECT DISTINCT topic FROM undelivered WHERE topic LIKE 'parcels%'")
    missing = row["topic"]
    found = board.wait_told("topic-missing", 20, topic=missing)
    assert found.headline == f"The cluster has no topic {missing}; nearest: parcels."
    assert evidence(found)["auto.create.topics.enable"] == "false"
    assert any(f"--create --topic {missing}" in line for line in commands(found))
    board.ask(Command.RUN_STOP, {"profile": "lost"})


def test_a_paused_leader_is_told_as_the_broker_that_timed_the_records_out(board: Board) -> None:
    wait_until(board.whole, 40, "the topic was not whole before the test")
    (topic,) = [t for t in board.fact("cluster").body["topics"] if t["name"] == TOPIC]
    leader = topic["partitions"][0]["leader"]
    led = [p["id"] for p in topic["partitions"] if p["leader"] == leader]
    since = board.query("SELECT coalesce(max(id), 0) AS id FROM undelivered")[0]["id"]
    board.ask(Command.FAULT_INJECT, {"kind": "node_paused", "node": leader})
    _, now, _ = board.diagnose(TOPIC)
    assert now.state in (State.WRONG, State.RISK)
    assert f"roker {leader}" in now.headline
    marks = ",".join(map(str, led))
    failed = (
        "SELECT r.uuid, u.sequence FROM undelivered u JOIN runs r ON r.id = u.run WHERE u.id > ? "
        f"AND u.code_name = '_MSG_TIMED_OUT' AND u.partition IN ({marks}) ORDER BY u.id LIMIT 1"
    )
    wait_until(lambda: board.query(failed, [since]), 30, "nothing timed out")
    (event,) = board.query(failed, [since])
    # The history has what happened once the controller has taken the leadership away.
    wait_until(
        lambda: board.query(
            "SELECT 1 FROM cluster_changes WHERE kind = 'broker_left' AND broker = ?", [leader]
        ),
        30,
        "the paused node was never missed",
    )
    _, why, _ = board.diagnose(TOPIC, "--event", f"{event['uuid']}:{event['sequence']}")
    assert why.code == "_MSG_TIMED_OUT"
    assert why.matter == "broker-silent", everything(why)
    assert evidence(why)["record"].endswith(f"partition {why_partition(why)}")
    assert "client's queue" in evidence(why), everything(why)
    assert evidence(why)[f"connection to broker {leader}"]
    assert any("delivery.timeout.ms" in option.title for option in why.options)
    board.ask(Command.FAULT_UNDO_ALL, {})
    wait_until(board.whole, 40, "the node did not come back into sync")
    board.wait_clear(20)


def why_partition(found: Diagnosis) -> str:
    return evidence(found)["record"].rpartition(" ")[2]


def test_what_a_killed_agent_left_broken_is_mended_by_the_next(board: Board) -> None:
    board.ask(Command.FAULT_INJECT, {"kind": "node_killed", "node": 3})
    board.ask(Command.FAULT_INJECT, {"kind": "size_limit", "topic": TOPIC})
    board.kill()
    assert board.lab.status().nodes[2].state == "stopped"
    board.start()
    wait_until(board._is_running, 60, "the agent does not run")
    wait_until(
        lambda: board.lab.status().nodes[2].state == "running", 60, "the node was not started"
    )
    wait_until(
        lambda: json.loads((board.lab.home / "faults.json").read_text()) == [],
        60,
        "the limit was not put back",
    )
