"""Dead-letter topics on real Kafka: patterns, "from now", the group's offsets, kills, retention."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from confluent_kafka import Consumer, KafkaError, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic
from confluent_kafka.admin._acl import AclOperation, AclPermissionType
from confluent_kafka.admin._resource import ResourceType

from producer_agent.commands import Command
from producer_agent.kafka.lab import Lab
from tests.integration.agent_process import AgentProcess
from tests.integration.support import acls, binding, client_config, deny
from tests.waiting import wait_until

pytestmark = pytest.mark.real_kafka

BOARD = "night-shift"


def create(lab: Lab, topic: str, partitions: int = 2, **settings: str) -> None:
    config = {name.replace("_", "."): value for name, value in settings.items()}
    new = NewTopic(topic, partitions, 3, config=config)
    admin = AdminClient(client_config(lab))
    admin.create_topics([new])[topic].result(10)


def produce(lab: Lab, topic: str, values: range, *, transaction: str | None = None) -> None:
    extra = {"transactional.id": transaction} if transaction else {}
    producer = Producer({**client_config(lab), "acks": "all", **extra})
    if transaction:
        producer.init_transactions(30)
        producer.begin_transaction()
    failed: list[KafkaError] = []

    def heard(error: KafkaError | None, _message: object) -> None:
        if error is not None:
            failed.append(error)

    for n in values:
        text = str(n).encode()
        producer.produce(topic, text, text, partition=n % 2, on_delivery=heard)
    if transaction:
        producer.commit_transaction(30)
    assert producer.flush(30) == 0
    assert failed == []


def committed(lab: Lab, *places: tuple[str, int]) -> dict[tuple[str, int], int]:
    consumer = Consumer({**client_config(lab), "group.id": f"ackboard-{BOARD}"})
    try:
        found = consumer.committed([TopicPartition(*place) for place in places], timeout=10)
        return {(at.topic, at.partition): at.offset for at in found}
    finally:
        consumer.close()


def ends(lab: Lab, topic: str) -> dict[tuple[str, int], int]:
    consumer = Consumer({**client_config(lab), "group.id": "ends"})
    try:
        return {
            (topic, at): consumer.get_watermark_offsets(TopicPartition(topic, at), timeout=10)[1]
            for at in range(2)
        }
    finally:
        consumer.close()


def values(agent: AgentProcess, topic: str) -> list[int]:
    sql = (
        "SELECT CAST(CAST(r.value AS TEXT) AS INTEGER) AS n FROM dead_letters d "
        "JOIN dead_letter_records r ON r.letter = d.id WHERE d.topic = ? ORDER BY n"
    )
    return [row["n"] for row in agent.query(sql, [topic])]


def wait_values(agent: AgentProcess, topic: str, expected: range, timeout_s: float = 40) -> None:
    wait_until(
        lambda: len(values(agent, topic)) >= len(expected), timeout_s, f"{topic} is not read"
    )
    assert values(agent, topic) == list(expected)


def positions(agent: AgentProcess, topic: str) -> dict[tuple[str, int], int]:
    rows = agent.query(
        "SELECT partition, next_offset FROM dead_letter_positions WHERE topic = ?", [topic]
    )
    return {(topic, row["partition"]): row["next_offset"] for row in rows}


def topic_fact(agent: AgentProcess, topic: str) -> Mapping[str, Any]:
    (row,) = agent.query("SELECT body FROM facts WHERE name = 'letters'")
    found = [entry for entry in json.loads(row["body"])["topics"] if entry["topic"] == topic]
    return found[0] if found else {}


def agent_on(lab: Lab, db: Path, own: str) -> AgentProcess:
    return AgentProcess(lab, db, ACKBOARD_BOARD=BOARD, ACKBOARD_DEAD_LETTER_TOPIC=own)


def kill(agent: AgentProcess) -> None:
    assert agent._process is not None
    os.kill(agent._process.pid, signal.SIGKILL)
    agent._process.wait(10)


def test_patterns_now_offsets_and_kills(lab: Lab, tmp_path: Path) -> None:
    """Topics by pattern, one appearing later, one from now; the agent is killed while it reads,
    four times: nothing is skipped or doubled, and the group's offsets say what is stored."""
    create(lab, "one-dlt")
    create(lab, "now-dead")
    produce(lab, "one-dlt", range(500))
    produce(lab, "now-dead", range(300))
    db = tmp_path / "a.db"
    agent = agent_on(lab, db, "own-1")
    agent.__enter__()
    try:
        agent.ask(Command.DEAD_LETTER_TOPICS_SAVE, {"topic": "^[a-z]+-dlt$"})
        agent.ask(Command.DEAD_LETTER_TOPICS_SAVE, {"topic": "now-dead", "start_from": "now"})
        wait_values(agent, "one-dlt", range(500))
        wait_until(lambda: len(positions(agent, "now-dead")) == 2, 20, "now was not noted")
    finally:
        kill(agent)
    # Nobody reads meanwhile.
    produce(lab, "now-dead", range(300, 600))
    create(lab, "two-dlt")
    produce(lab, "two-dlt", range(20_000))
    for _ in range(3):
        agent = agent_on(lab, db, "own-1")
        agent.__enter__()
        try:
            before = len(values(agent, "two-dlt"))
            wait_until(
                lambda agent=agent, before=before: len(values(agent, "two-dlt")) > before,
                30,
                "nothing is read",
            )
        finally:
            kill(agent)
    # What is committed is never ahead of what is stored, also where the agent was killed.
    stored = positions(agent, "two-dlt")
    for place, offset in committed(lab, *stored).items():
        assert offset <= stored[place]
    with agent_on(lab, db, "own-1") as agent:
        wait_values(agent, "two-dlt", range(20_000), 90)
        wait_values(agent, "now-dead", range(300, 600))
        produce(lab, "one-dlt", range(500, 600), transaction="tx")
        wait_values(agent, "one-dlt", range(600))
        for topic in ("one-dlt", "two-dlt", "now-dead"):
            # To the very end, although a transaction's last offset holds no record.
            end = ends(lab, topic)
            wait_until(
                lambda topic=topic, end=end: committed(lab, *end) == end,
                20,
                f"the group's offsets of {topic} do not reach its end",
            )
            assert positions(agent, topic) == end
        wait_until(lambda: topic_fact(agent, "one-dlt").get("behind") == 0, 20, "it is behind")
        doubled = "SELECT 1 FROM dead_letters GROUP BY topic, partition, offset HAVING count(*) > 1"
        assert agent.query(doubled) == []


def test_what_retention_takes_is_told_before_and_after(lab: Lab, tmp_path: Path) -> None:
    """Records wait unread, as reading is denied; when it is allowed again some are gone."""
    create(lab, "short-dlt", retention_ms="3600000")
    db = tmp_path / "a.db"
    with agent_on(lab, db, "own-2") as agent:
        agent.ask(Command.DEAD_LETTER_TOPICS_SAVE, {"topic": "short-dlt"})
        produce(lab, "short-dlt", range(10))
        wait_values(agent, "short-dlt", range(10))
        wait_until(lambda: topic_fact(agent, "short-dlt"), 20, "the topic is not told of")
        fact = topic_fact(agent, "short-dlt")
        assert fact["retention_ms"] == 3_600_000
        assert any("LogAppendTime" in warning["mend"] for warning in fact["warnings"])
        # Reading it is denied, so what comes then stays unread.
        topic = (ResourceType.TOPIC, "short-dlt")
        others = (AclOperation.DESCRIBE, AclOperation.WRITE, AclOperation.DELETE)
        allowed = [binding(*topic, other, AclPermissionType.ALLOW) for other in others]
        with acls(lab, deny(*topic, AclOperation.READ), *allowed):
            wait_until(
                lambda: any(
                    "is not read" in warning["message"]
                    for warning in topic_fact(agent, "short-dlt").get("warnings", ())
                ),
                30,
                "nobody is told that the topic may not be read",
            )
            produce(lab, "short-dlt", range(10, 30))
            before = [TopicPartition("short-dlt", at, 12) for at in range(2)]
            admin = AdminClient(client_config(lab))
            for future in admin.delete_records(before).values():
                future.result(10)
        wait_until(lambda: len(values(agent, "short-dlt")) == 10 + 6, 60, "reading does not go on")
        wait_until(
            lambda: topic_fact(agent, "short-dlt").get("deleted_unread") == 14,
            20,
            "what was deleted unread is not counted",
        )
        fact = topic_fact(agent, "short-dlt")
        assert any("Up to 14 records" in warning["message"] for warning in fact["warnings"])


def test_a_denied_group_is_told_and_stops_nothing(lab: Lab, tmp_path: Path) -> None:
    create(lab, "late-dlt", retention_ms="86400000")
    with (
        acls(lab, deny(ResourceType.GROUP, f"ackboard-{BOARD}", AclOperation.READ)),
        agent_on(lab, tmp_path / "a.db", "own-3") as agent,
    ):
        agent.ask(Command.DEAD_LETTER_TOPICS_SAVE, {"topic": "late-dlt"})
        produce(lab, "late-dlt", range(100))
        wait_values(agent, "late-dlt", range(100))

        def told() -> bool:
            (row,) = agent.query(
                "SELECT json_extract(body, '$.group_error') AS e FROM facts WHERE name = 'letters'"
            )
            return "authorization" in (row["e"] or "").lower()

        wait_until(told, 20, "nobody is told that the group may not be used")
        produce(lab, "late-dlt", range(100, 200))
        wait_values(agent, "late-dlt", range(200))
