"""A topic with the dead letters of every framework is read whole, and one cause of it sent back
exactly once, byte for byte, while the agent is killed."""

from __future__ import annotations

import json
import os
import time
import uuid
from collections import Counter
from pathlib import Path

import pytest
from confluent_kafka import KafkaError, Producer

from producer_agent.commands import Command
from producer_agent.dead_letters.conventions import CONVENTIONS, RawRecord
from producer_agent.kafka.lab import Lab
from producer_agent.kafka.messages import headers_of
from producer_agent.kafka.read_back import ReadBack
from producer_agent.kafka.topics import TopicSpec, ensure_topics
from producer_agent.store.headers import as_bytes
from tests.dead_letters import framework_headers as framework
from tests.dead_letters.test_conventions_samples import SAMPLES
from tests.integration.agent_process import AgentProcess
from tests.integration.support import client_config
from tests.integration.test_replay_exactly_once import wait_for
from tests.waiting import wait_until

pytestmark = pytest.mark.real_kafka

LARGE = {"max.message.bytes": "10485760"}
RECORDS = 120

Wanted = dict[tuple[int, bytes | None, bytes | None], int]


def of_one_cause(target: str) -> list[RawRecord]:
    """Connect's records of one cause: every twelfth a tombstone, every fifth with a binary key,
    one of 5 MB, and every tenth dead-lettered twice."""
    records = []
    for at in range(RECORDS):
        key = bytes([0xFF, 0x00, at]) if at % 5 == 0 else b"order-%d" % at
        value = None if at % 12 == 0 else b'{"order": %d}' % at
        if at == 7:
            value = os.urandom(5 * 1024 * 1024)
        context = framework.connect(
            target,
            "org.apache.kafka.connect.errors.DataException",
            f"order {at} has no customer",
            partition=str(at % 3),
            offset=str(1000 + at),
        )
        record = framework.record(*context, key=key, value=value)
        records += [record, record] if at % 10 == 0 else [record]
    return records


def of_all_others() -> list[RawRecord]:
    """A record of every convention, as the frameworks wrote them or as they would."""
    ours = {"original_topic": "t", "original_key": "k", "original_value": "v", "error": "e"}
    others = [
        framework.record(*framework.streams()),
        framework.record(*framework.share(), key=None, value=None),
        framework.record(*framework.karafka()),
        framework.record(*framework.smallrye("orders")),
        framework.record(
            *framework.spring_original("x-", "orders"),
            ("x-exception-fqcn", "a.E"),
            ("x-exception-message", "m"),
            ("x-exception-stacktrace", "a.E: m"),
        ),
        RawRecord("", 0, 0, None, None, json.dumps({**ours, "error_code": 10}).encode(), ()),
    ]
    return others + [sample.record for sample in SAMPLES]


def produce(lab: Lab, topic: str, records: list[RawRecord]) -> None:
    failed: list[KafkaError] = []
    producer = Producer({**client_config(lab), "acks": "all", "message.max.bytes": 20_000_000})
    for at, record in enumerate(records):
        producer.produce(
            topic,
            record.value,
            record.key,
            at % 3,
            lambda error, _: failed.append(error) if error else None,
            headers=list(record.headers),
        )
    assert producer.flush(60) == 0
    assert failed == []


@pytest.mark.timeout(300)
def test_every_framework_on_one_topic_and_one_cause_sent_back_through_three_kills(
    lab: Lab, tmp_path: Path
) -> None:
    mark = uuid.uuid4().hex[:8]
    source, target = f"mixed-{mark}", f"orders-{mark}"
    specs = [TopicSpec(name, 3, 3, 2, LARGE) for name in (source, target)]
    assert ensure_topics(client_config(lab), specs, 30.0) == []
    mine, others = of_one_cause(target), of_all_others()
    produce(lab, source, mine + others)
    agent = AgentProcess(lab, tmp_path / "mixed.db", ACKBOARD_DEAD_LETTER_TOPIC=source)
    with agent:
        count = "SELECT count(*) AS n FROM dead_letters"
        total = len(mine) + len(others)
        wait_until(lambda: agent.query(count)[0]["n"] == total, 60, "not all was read")
        found = {row["convention"] for row in agent.query("SELECT convention FROM dead_letters")}
        written = {"kafka-connect", "kafka-streams", "share-group", "karafka", "smallrye"}
        written |= {"spring-cloud-stream", "spring-recoverer", "spring-retryable-topic"}
        assert written | {"watermill", "envelope", "unknown"} <= found
        assert found <= {*CONVENTIONS, "envelope", "unknown"}
        ((cause,),) = [
            tuple(
                {
                    row["cause"]
                    for row in agent.query(
                        "SELECT cause FROM dead_letters WHERE original_topic = ?", [target]
                    )
                }
            )
        ]

        options = {"rate_per_s": 20}
        asked = {"filter": {"cause": cause}, "options": options}
        plan = agent.ask(Command.REPLAY_PLAN, asked)["plan"]
        wait_for(agent, plan, "planned")
        refused = agent.query(
            "SELECT reason FROM replays WHERE plan = ? AND state = 'refused'", [plan]
        )
        assert len(refused) == RECORDS // 10
        assert all("the same record, dead-lettered twice" in row["reason"] for row in refused)
        agent.ask(Command.REPLAY_RUN, {"plan": plan})
        done = "SELECT count(*) AS n FROM replays WHERE plan = ? AND state = 'done'"
        for _ in range(3):
            before = agent.query(done, [plan])[0]["n"]
            wait_until(
                lambda before=before: agent.query(done, [plan])[0]["n"] > before, 60, "it is stuck"
            )
            time.sleep(0.2)  # somewhere in the next batch
            agent.kill()
            agent.start()
        wait_for(agent, plan, "done", timeout_s=90)

    wanted: Counter[tuple[int, bytes | None, bytes | None]] = Counter()
    for at, record in enumerate(dict.fromkeys(mine)):
        wanted[at % 3, record.key, record.value] += 1
    landed: Counter[tuple[int | None, bytes | None, bytes | None]] = Counter()
    with ReadBack({**client_config(lab), "fetch.message.max.bytes": 20_000_000}) as read_back:
        for lot in read_back.read(target, read_back.watermarks(target, range(3))):
            for message in lot:
                key, value = as_bytes(message.key()), as_bytes(message.value())
                landed[message.partition(), key, value] += 1
                kept = [pair for pair in headers_of(message) if not pair[0].startswith("ackboard")]
                assert kept == list(framework.KEPT)
    assert landed == wanted
