"""What a plan finds out and holds to on real nodes."""

from __future__ import annotations

import random
import threading
import time
import uuid
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from confluent_kafka import Consumer, Producer, TopicPartition
from confluent_kafka.admin import AdminClient
from confluent_kafka.admin._config import AlterConfigOpType, ConfigEntry, ConfigResource
from confluent_kafka.admin._resource import ResourceType

from producer_agent.commands import Command
from producer_agent.dead_letters import envelope
from producer_agent.dead_letters.conventions import RawRecord
from producer_agent.delivery.errors import Stored
from producer_agent.kafka.lab import Lab
from producer_agent.kafka.our_headers import IDENTITY_HEADER, REPLAY_HEADER
from producer_agent.kafka.read_back import ReadBack
from producer_agent.kafka.topics import TopicSpec, ensure_topics
from tests.dashboard.letter_seed import failed_event
from tests.integration.agent_process import AgentProcess
from tests.integration.dead_letter_seed import SOURCE, connect_record, seed
from tests.integration.support import client_config
from tests.waiting import wait_until

pytestmark = pytest.mark.real_kafka

PARTITIONS = 2


@pytest.fixture(scope="module")
def agent(lab: Lab, tmp_path_factory: pytest.TempPathFactory) -> Iterator[AgentProcess]:
    """One agent for all of these tests: each has a topic and letters of its own."""
    with AgentProcess(lab, tmp_path_factory.mktemp("plans") / "replay.db") as running:
        yield running


@pytest.fixture
def target(lab: Lab) -> str:
    name = f"orders-{uuid.uuid4().hex[:8]}"
    assert ensure_topics(client_config(lab), [TopicSpec(name, PARTITIONS, 3, 2)], 30.0) == []
    return name


class Seeding:
    """Stores dead letters beside the running agent, at offsets of their own."""

    def __init__(self, lab: Lab, agent: AgentProcess) -> None:
        self._lab = lab
        self._agent = agent

    def store(self, *records: RawRecord) -> list[int]:
        """Row ids of the letters."""
        ((last,),) = [
            tuple(row.values())
            for row in self._agent.query("SELECT coalesce(max(id), 0) AS last FROM dead_letters")
        ]
        offsets = range(int(last) + 1_000_000, int(last) + 1_000_000 + len(records))
        placed = [
            replace(record, topic=SOURCE, partition=0, offset=offset)
            for record, offset in zip(records, offsets, strict=True)
        ]
        seed(self._lab, self._agent.db, placed)
        rows = self._agent.query("SELECT id FROM dead_letters WHERE id > ? ORDER BY id", [last])
        return [row["id"] for row in rows]


@pytest.fixture
def letters(lab: Lab, agent: AgentProcess) -> Seeding:
    return Seeding(lab, agent)


def wait_for(agent: AgentProcess, plan: int, *states: str) -> dict[str, Any]:
    def row() -> dict[str, Any]:
        return agent.query("SELECT * FROM replay_plans WHERE id = ?", [plan])[0]

    try:
        wait_until(lambda: row()["state"] in states, 60, f"it is not {states}")
    except AssertionError as error:
        raise AssertionError(f"{error}: {row()}") from error
    return row()


def make(agent: AgentProcess, ids: list[int], **options: Any) -> int:
    asked = agent.ask(Command.REPLAY_PLAN, {"dead_letters": ids, "options": options})
    plan = int(asked["plan"])
    wait_for(agent, plan, "planned", "done")
    return plan


def run(agent: AgentProcess, plan: int) -> None:
    agent.ask(Command.REPLAY_RUN, {"plan": plan})
    wait_for(agent, plan, "done")


def ledger(agent: AgentProcess, plan: int) -> list[dict[str, Any]]:
    return agent.query("SELECT * FROM replays WHERE plan = ? ORDER BY sequence", [plan])


def values_on(lab: Lab, topic: str) -> list[bytes]:
    """Sorted, as read_committed readers find them."""
    found: list[bytes] = []
    with ReadBack(client_config(lab)) as read_back:
        for lot in read_back.read(topic, read_back.watermarks(topic, range(PARTITIONS))):
            for message in lot:
                value = message.value()
                assert isinstance(value, bytes)
                found.append(value)
    return sorted(found)


def limit(lab: Lab, topic: str, limit_bytes: int) -> None:
    """Set a topic's ``max.message.bytes``."""
    entry = ConfigEntry(
        "max.message.bytes", str(limit_bytes), incremental_operation=AlterConfigOpType.SET
    )
    resource = ConfigResource(ResourceType.TOPIC, topic, incremental_configs=[entry])
    admin = AdminClient(client_config(lab))
    for future in admin.incremental_alter_configs([resource]).values():
        future.result(15)


def test_a_record_over_the_limit_fails_alone_among_two_hundred(
    lab: Lab, agent: AgentProcess, target: str, letters: Seeding
) -> None:
    """The limit was lowered after planning; the good ones do not fit in one batch any more either,
    and land once all the same."""
    large = random.Random(1).randbytes(50_000)
    records = [connect_record(at, target, PARTITIONS) for at in range(200)]
    records.insert(77, connect_record(777, target, PARTITIONS, large))
    plan = make(agent, letters.store(*records))
    assert {row["state"] for row in ledger(agent, plan)} == {"planned"}
    limit(lab, target, 20_000)
    run(agent, plan)
    assert wait_for(agent, plan, "done")["method"] == "transactions"
    failed = [row for row in ledger(agent, plan) if row["state"] != "done"]
    assert [row["state"] for row in failed] == ["failed"]
    assert failed[0]["reason"].startswith("MSG_SIZE_TOO_LARGE")
    assert values_on(lab, target) == sorted(b"value %d" % at for at in range(200))


def test_a_record_too_large_for_its_topic_is_refused_when_it_is_planned(
    lab: Lab, agent: AgentProcess, target: str, letters: Seeding
) -> None:
    limit(lab, target, 20_000)
    large = random.Random(1).randbytes(50_000)
    ids = letters.store(connect_record(0, target, PARTITIONS, large))
    (row,) = ledger(agent, make(agent, ids))
    assert row["state"] == "refused"
    assert f"{target} takes 20,000 (max.message.bytes)" in row["reason"]


def test_a_doubtful_delivery_that_lies_on_its_topic_is_found_and_not_sent(
    lab: Lab, agent: AgentProcess, target: str, letters: Seeding
) -> None:
    """Its producer gave up waiting; the broker had stored it all the same."""
    events = [
        failed_event(
            at,
            letter_id=f"{uuid.uuid4().hex}:{at}",
            topic=target,
            value=b"event %d" % at,
            headers=((IDENTITY_HEADER, uuid.uuid4().bytes),),
            stored=Stored.MAYBE.value,
        )
        for at in range(3)
    ]
    stored = events[1]
    producer = Producer(client_config(lab))
    producer.produce(target, stored.value, stored.key, headers=list(stored.headers))
    assert producer.flush(15) == 0
    now_ms = time.time_ns() // 1_000_000
    ids = letters.store(
        *(
            RawRecord(
                "", 0, 0, now_ms, event.key, envelope.wrap(event),
                ((envelope.LETTER_HEADER, event.letter_id.encode()),),
            )
            for event in events
        )
    )  # fmt: skip
    plan = make(agent, ids)
    by_letter = {row["dead_letter"]: row["state"] for row in ledger(agent, plan)}
    assert [by_letter[letter] for letter in ids] == ["planned", "already", "planned"]
    run(agent, plan)
    assert values_on(lab, target) == [b"event 0", b"event 1", b"event 2"]
    statuses = agent.query("SELECT status FROM dead_letters WHERE id IN (?, ?, ?)", ids)
    assert [row["status"] for row in statuses] == ["replayed", "resolved", "replayed"]


def test_consumer_groups_that_read_the_target_are_named(
    lab: Lab, agent: AgentProcess, target: str, letters: Seeding
) -> None:
    group = f"billing-{uuid.uuid4().hex[:8]}"
    consumer = Consumer({**client_config(lab), "group.id": group, "enable.auto.commit": False})
    consumer.commit(offsets=[TopicPartition(target, 0, 0)], asynchronous=False)
    consumer.close()
    plan = make(agent, letters.store(connect_record(0, target, PARTITIONS)))
    found = agent.query(
        "SELECT json_extract(findings, '$.groups') AS groups FROM replay_plans WHERE id = ?", [plan]
    )
    assert found == [{"groups": f'{{"{target}":["{group}"]}}'}]


def test_a_record_that_keeps_coming_back_is_known_and_in_the_end_refused(
    agent: AgentProcess, target: str, letters: Seeding
) -> None:
    of = connect_record(0, target, PARTITIONS)
    ids = letters.store(of)
    for times in (1, 2, 3):
        plan = make(agent, ids)
        run(agent, plan)
        (row,) = agent.query("SELECT uuid FROM replay_plans WHERE id = ?", [plan])
        told = (REPLAY_HEADER, f"{row['uuid']}-0".encode())
        before, ids = ids, letters.store(replace(of, headers=(*of.headers, told)))
        (letter,) = agent.query("SELECT previous, times_back FROM dead_letters WHERE id = ?", ids)
        assert (letter["previous"], letter["times_back"]) == (before[0], times)
        assert ledger(agent, plan)[0]["came_back_us"] is not None
    (refused,) = ledger(agent, make(agent, ids))
    assert refused["state"] == "refused"
    assert "came back 3 times" in refused["reason"]
    (forced,) = ledger(agent, make(agent, ids, force="the consumer is mended"))
    assert forced["state"] == "planned"


def test_two_dashboards_that_replay_one_letter_at_once_send_it_once(
    lab: Lab, agent: AgentProcess, target: str, letters: Seeding
) -> None:
    ids = letters.store(*(connect_record(at, target, PARTITIONS) for at in range(5)))
    begin = threading.Barrier(2)
    told: list[dict[str, Any]] = []

    def click() -> None:
        begin.wait()
        told.append(agent.ask(Command.REPLAY, {"dead_letters": ids}))

    threads = [threading.Thread(target=click) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for letter in ids:
        states = sorted(
            outcome["state"]
            for result in told
            for outcome in result["outcomes"]
            if outcome["dead_letter"] == letter
        )
        assert states == ["done", "refused"]
    assert values_on(lab, target) == [b"value %d" % at for at in range(5)]
