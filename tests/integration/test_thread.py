"""The whole thread on three real nodes: send, record, fail, dead-letter, replay; and the truth."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import pytest
from confluent_kafka import Consumer, KafkaError, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic
from confluent_kafka.admin._acl import AclOperation
from confluent_kafka.admin._resource import ResourceType
from sqlite_utils import Database

from producer_agent.commands import Command
from producer_agent.delivery.events import identity_of
from producer_agent.delivery.profiles import Profile
from producer_agent.delivery.run import ProducerRun, RunLimits
from producer_agent.delivery.run_manager import RunManager
from producer_agent.kafka.cluster import Cluster
from producer_agent.kafka.lab import Lab
from producer_agent.kafka.our_headers import IDENTITY_HEADER
from producer_agent.kafka.topics import TopicSpec
from producer_agent.settings import Settings
from producer_agent.store import lots, runs
from producer_agent.store.database import open_database
from producer_agent.store.writer import Writer
from tests.integration.agent_process import AgentProcess
from tests.integration.support import acls, deny
from tests.waiting import wait_until

pytestmark = pytest.mark.real_kafka

EVENTS = 20_000


def profile_of(acks: object, **workload: object) -> Profile:
    name = f"truth-{acks}"
    return Profile.from_mapping(
        {
            "name": name,
            "producer": {
                "acks": acks,
                "idempotence": acks == "all",
                "delivery_timeout_ms": 20_000,
                "request_timeout_ms": 5_000,
                "message_max_bytes": 8192,
                "extra": {"topic.metadata.propagation.max.ms": 2_000},
            },
            "workload": {
                "topic": name,
                "partitions": 6,
                "replication_factor": 3,
                "min_insync_replicas": 2,
                "rate_per_s": 2_000,
                "payload_bytes": 200,
                "keys": 500,
                **workload,
            },
        }
    )


@dataclass
class Found:
    """What a topic really holds of one run."""

    places: dict[int, list[tuple[int, int]]] = field(default_factory=dict)
    """``(partition, offset)`` by sequence."""


def read_back(lab: Lab, topic: str, run: str) -> Found:
    consumer = Consumer(
        {
            "bootstrap.servers": lab.bootstrap_servers,
            "group.id": "truth",
            "auto.offset.reset": "earliest",
            "enable.auto.commit": False,
            # The end of a replay's transaction takes an offset and is no record.
            "enable.partition.eof": True,
        }
    )
    found = Found()
    try:
        partitions = consumer.list_topics(topic, timeout=10).topics[topic].partitions
        ends = {}
        for partition in partitions:
            low, high = consumer.get_watermark_offsets(TopicPartition(topic, partition), timeout=10)
            ends[partition] = high
            assert low == 0
        consumer.assign([TopicPartition(topic, partition, 0) for partition in partitions])
        read: Counter[int] = Counter()
        while any(read[partition] < end for partition, end in ends.items()):
            messages = consumer.consume(5_000, timeout=10)
            assert messages, f"{topic}: read {read}, of {ends}"
            for message in messages:
                if message.error() is not None:
                    assert message.error().code() == KafkaError._PARTITION_EOF
                    read[message.partition()] = message.offset()
                    continue
                read[message.partition()] = message.offset() + 1
                for header, value in message.headers() or ():
                    identity = identity_of(value) if header == IDENTITY_HEADER else None
                    if identity is not None and identity.run == run:
                        found.places.setdefault(identity.sequence, []).append(
                            (message.partition(), message.offset())
                        )
    finally:
        consumer.close()
    return found


def summary_by_acks(db: Path) -> dict[str, dict[str, int]]:
    told = subprocess.run(
        [
            *(sys.executable, "-m", "producer_agent", "deliveries", "summary"),
            *("--by", "acks", "--since", "all", "--json", "--db", str(db)),
        ],
        check=True,
        capture_output=True,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])},
    )
    return {row["acks"]: row for row in json.loads(told.stdout)["rows"]}


def run_and_disturb(
    lab: Lab, db: Path, profiles: list[Profile], disturb: Callable[[list[ProducerRun]], None]
) -> dict[str, str]:
    """Run the profiles to their end, side by side, with a disturbance; uuids by acks level."""
    settings = Settings.model_validate({"db": db, "KAFKA_BOOTSTRAP_SERVERS": lab.bootstrap_servers})
    cluster = Cluster(settings)
    try:
        for profile in profiles:
            workload = profile.workload
            spec = TopicSpec(workload.topic, workload.partitions, 3, workload.min_insync_replicas)
            assert cluster.ensure_topics([spec]) == []
        with Writer(db) as writer:
            row = writer.call(
                partial(
                    runs.register_cluster,
                    cluster_id=cluster.view().cluster_id or "",
                    kind="lab",
                    bootstrap_servers=cluster.bootstrap_servers,
                )
            )
            manager = RunManager(cluster.connection, writer, row, cluster.watermarks, lambda: None)
            started = [
                manager.start(profile, limits=RunLimits(events=EVENTS)) for profile in profiles
            ]
            wait_until(
                lambda: all(run.status().accepted > EVENTS // 10 for run in started),
                60,
                "the runs never got going",
            )
            disturb(started)
            for run in started:
                run.join(120)
                assert not run.alive
            return {run.profile.acks_label: run.uuid.hex for run in started}
    finally:
        cluster.close()


def test_the_summary_agrees_with_the_topics_for_every_acks_level_under_faults(
    lab: Lab, tmp_path: Path
) -> None:
    """20,000 events an acks level, some made to fail, while the topics deny them for a while."""
    db = tmp_path / "truth.db"
    faults = {"oversized": 0.002, "unknown_partition": 0.002, "unknown_topic": 0.002}
    profiles = [profile_of(acks, faults=faults) for acks in (0, 1, "all")]

    def deny_for_a_while(_started: list[ProducerRun]) -> None:
        # No election: that can lose what acks=1 acknowledged, and here claim and truth must agree.
        denials = [
            deny(ResourceType.TOPIC, profile.workload.topic, AclOperation.WRITE)
            for profile in profiles
        ]
        with acls(lab, *denials):
            wait_until(lambda: denied_runs(db) >= {"truth-1", "truth-all"}, 30, "nobody was denied")

    uuids = run_and_disturb(lab, db, profiles, deny_for_a_while)
    told = summary_by_acks(db)
    store = open_database(db, read_only=True)
    for profile in profiles:
        acks = profile.acks_label
        found = read_back(lab, profile.workload.topic, uuids[acks])
        claimed = claims_of(store, uuids[acks])
        acknowledged = "unconfirmed" if acks == "0" else "delivered"
        assert told[acks][acknowledged] == len(claimed.acknowledged)
        assert told[acks]["failed"] == claimed.outcomes["failed"]
        assert told[acks]["rejected"] == claimed.outcomes["rejected"] > 0
        total = sum(told[acks][outcome] for outcome in OUTCOMES)
        assert total == EVENTS == len(claimed.acknowledged) + claimed.outcomes.total()
        # What was refused for sure is not there.
        assert not claimed.not_stored & found.places.keys()
        if acks == "0":
            # "Sent, unconfirmed" promises nothing: what was denied vanished without a word.
            assert found.places.keys() <= claimed.acknowledged.keys() | claimed.in_doubt
            continue
        assert told[acks]["failed"] > 0
        assert_found(acks, claimed, found)
        sure = found.places.keys() - claimed.in_doubt
        assert len(sure) == told[acks]["delivered"]
    store.close()


def denied_runs(db: Path) -> set[str]:
    store = open_database(db, read_only=True)
    try:
        return {
            row["profile"]
            for row in store.query(
                "SELECT DISTINCT r.profile FROM undelivered u JOIN runs r ON r.id = u.run "
                "WHERE u.code_name = 'TOPIC_AUTHORIZATION_FAILED'"
            )
        }
    finally:
        store.close()


def test_acks_all_with_idempotence_keeps_each_event_once_while_a_node_leaves(
    breakable_lab: Lab, tmp_path: Path
) -> None:
    """Leaders move, requests fail and are tried again: 20,000 events are there, each once."""
    db = tmp_path / "leave.db"

    def leave(_started: list[ProducerRun]) -> None:
        breakable_lab.stop(3)
        breakable_lab.start(3)

    profile = profile_of("all", topic="leave")
    uuids = run_and_disturb(breakable_lab, db, [profile], leave)
    found = read_back(breakable_lab, "leave", uuids["all"])
    store = open_database(db, read_only=True)
    claimed = claims_of(store, uuids["all"])
    store.close()
    # How long the machine takes to elect decides how many time out; each has its outcome, and
    # what was acknowledged must be there.
    assert len(claimed.acknowledged) + claimed.outcomes.total() == EVENTS
    assert len(claimed.acknowledged) > EVENTS // 2
    assert_found("all", claimed, found)
    assert all(len(places) == 1 for places in found.places.values())


def assert_found(acks: str, claimed: Claims, found: Found) -> None:
    """Every acknowledged event is there, where its report said; and nothing that failed is, but
    what a time-out left in doubt."""
    missing = claimed.acknowledged.keys() - found.places.keys()
    assert not missing, f"acks={acks}: {len(missing)} acknowledged and not there"
    misplaced = [
        sequence
        for sequence, place in claimed.acknowledged.items()
        if place[1] >= 0 and place not in found.places[sequence]
    ]
    assert not misplaced
    assert found.places.keys() - claimed.acknowledged.keys() <= claimed.in_doubt


OUTCOMES = ("delivered", "unconfirmed", "failed", "rejected", "unresolved")


@dataclass
class Claims:
    """What the database says of one run."""

    acknowledged: dict[int, tuple[int, int]]
    outcomes: Counter[str]
    not_stored: set[int]
    in_doubt: set[int]


def claims_of(db: Database, run: str) -> Claims:
    acknowledged: dict[int, tuple[int, int]] = {}
    for row in db.query(
        "SELECT l.* FROM delivery_lots l JOIN runs r ON r.id = l.run WHERE r.uuid = ?", [run]
    ):
        reports = lots.unpack(row)
        for sequence, partition, offset in zip(
            reports.sequences.tolist(),
            reports.partitions.tolist(),
            reports.offsets.tolist(),
            strict=True,
        ):
            assert sequence not in acknowledged, "an outcome twice"
            acknowledged[sequence] = (partition, offset)
    rows = list(
        db.query(
            "SELECT u.sequence, u.outcome, u.stored FROM undelivered u "
            "JOIN runs r ON r.id = u.run WHERE r.uuid = ?",
            [run],
        )
    )
    return Claims(
        acknowledged,
        Counter(row["outcome"] for row in rows),
        {row["sequence"] for row in rows if row["stored"] == "no"},
        {row["sequence"] for row in rows if row["stored"] != "no"},
    )


def test_a_failed_event_comes_back_by_one_replay_byte_for_byte(lab: Lab, tmp_path: Path) -> None:
    """Fail, dead letter, replay: the record lands once on its topic, as it was."""
    profile = profile_of("all", faults={"unknown_partition": 0.05}, rate_per_s=50, topic="thread")
    with AgentProcess(lab, tmp_path / "thread.db") as agent:
        agent.ask(Command.PROFILE_SAVE, {"body": profile.to_json()})
        agent.ask(Command.RUN_START, {"profile": profile.name})
        wait_until(
            lambda: agent.query("SELECT count(*) AS n FROM dead_letters")[0]["n"] > 0,
            60,
            "no dead letter came",
        )
        agent.ask(Command.RUN_STOP, {"profile": profile.name})
        letter = agent.query(
            "SELECT d.id, d.run_uuid, d.sequence, r.value FROM dead_letters d "
            "JOIN dead_letter_records r ON r.letter = d.id LIMIT 1"
        )[0]
        outcome = agent.ask(Command.REPLAY, {"dead_letters": [letter["id"]]})["outcomes"][0]
        assert outcome["state"] == "done", outcome
        again = agent.ask(Command.REPLAY, {"dead_letters": [letter["id"]]})["outcomes"][0]
        assert again["state"] == "refused"
        found = read_back(lab, "thread", letter["run_uuid"])
        assert found.places[letter["sequence"]] == [(outcome["partition"], outcome["offset"])]
        consumer = Consumer({"bootstrap.servers": lab.bootstrap_servers, "group.id": "replayed"})
        consumer.assign([TopicPartition("thread", outcome["partition"], outcome["offset"])])
        message = consumer.poll(20)
        consumer.close()
        assert message is not None
        assert message.error() is None
        envelope = json.loads(letter["value"])
        assert message.value() == envelope["original_value"].encode()
        assert message.key() == envelope["original_key"].encode()
        assert agent.query("SELECT status FROM dead_letters WHERE id = ?", [letter["id"]]) == [
            {"status": "replayed"}
        ]


def test_a_topic_made_anew_is_read_from_its_beginning(lab: Lab, tmp_path: Path) -> None:
    """Offsets begin at 0 again in the new topic; its records are not taken for known ones."""
    topic = "reborn-dlq"
    admin = AdminClient({"bootstrap.servers": lab.bootstrap_servers})

    def put(value: bytes) -> None:
        producer = Producer({"bootstrap.servers": lab.bootstrap_servers})
        producer.produce(topic, value, partition=0)
        assert producer.flush(20) == 0

    with AgentProcess(
        lab, tmp_path / "reborn.db", ACKBOARD_DEAD_LETTER_TOPIC=topic, ACKBOARD_AUTOSTART="false"
    ) as agent:

        def stored() -> list[bytes]:
            return [row["value"] for row in agent.query("SELECT value FROM dead_letter_records")]

        wait_until(lambda: topic in admin.list_topics(timeout=10).topics, 30, "no topic")
        put(b"not ours, first life")
        wait_until(lambda: stored() == [b"not ours, first life"], 30, "the first was not stored")
        admin.delete_topics([topic])[topic].result(20)
        wait_until(lambda: topic not in admin.list_topics(timeout=10).topics, 30, "still there")
        admin.create_topics([NewTopic(topic, 3, 3)])[topic].result(20)
        wait_until(lambda: topic in admin.list_topics(timeout=10).topics, 30, "no new topic")
        put(b"not ours, second life")
        wait_until(
            lambda: stored() == [b"not ours, first life", b"not ours, second life"],
            60,
            "the second life was taken for the first",
        )


def test_too_few_replicas_are_named_behind_the_time_out(breakable_lab: Lab, tmp_path: Path) -> None:
    """One of three replicas gone where three are needed: the failure names what was behind it."""
    body = profile_of("all", rate_per_s=50, topic="isr", min_insync_replicas=3).model_dump()
    body["producer"].update(delivery_timeout_ms=6_000, request_timeout_ms=2_000)
    profile = Profile.from_mapping(body)
    with AgentProcess(breakable_lab, tmp_path / "isr.db") as agent:
        agent.ask(Command.PROFILE_SAVE, {"body": profile.to_json()})
        agent.ask(Command.RUN_START, {"profile": profile.name})
        wait_until(
            lambda: agent.query("SELECT settled FROM runs")[-1]["settled"] > 50, 60, "nothing sent"
        )
        breakable_lab.pause(2)
        try:
            wait_until(lambda: bool(refused(agent)), 90, "no failure named its replicas")
            row = refused(agent)[0]
            assert row["code_name"] == "_MSG_TIMED_OUT"
            assert "NOT_ENOUGH_REPLICAS ×" in row["reason"]
        finally:
            breakable_lab.resume(2)


def refused(agent: AgentProcess) -> list[dict[str, object]]:
    return agent.query(
        "SELECT code_name, reason, stored FROM undelivered "
        "WHERE reason LIKE '%NOT_ENOUGH_REPLICAS%'"
    )


def test_commands_reach_the_agent_from_another_process(lab: Lab, tmp_path: Path) -> None:
    """Rates, stops and unknown profiles are answered, each with its words."""
    with AgentProcess(lab, tmp_path / "commands.db", ACKBOARD_AUTOSTART="false") as agent:
        with pytest.raises(Exception, match="no profile 'nobody'"):
            agent.ask(Command.RUN_START, {"profile": "nobody"})
        agent.ask(Command.RUN_START, {"profile": "critical", "rate": 5})
        agent.ask(Command.RUN_RATE, {"profile": "critical", "rate": 7.5})
        assert agent.query("SELECT rate FROM profiles WHERE name = 'critical'") == [{"rate": 7.5}]
        agent.ask(Command.RUN_STOP, {"profile": "critical"})
        row = agent.query("SELECT accepted, settled, end_reason FROM runs")[-1]
        assert row["accepted"] == row["settled"]
