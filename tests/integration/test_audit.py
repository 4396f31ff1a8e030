"""Audits on real nodes: transactions, retention, compaction, and a service of a team's own."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
from confluent_kafka import Producer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic

from producer_agent import ReliableProducer
from producer_agent.durability.audit import Audit, AuditResult
from producer_agent.durability.verdicts import Claim, Found, Matrix
from producer_agent.kafka.lab import Lab
from producer_agent.kafka.read_back import ReadBack
from producer_agent.store.queries import run_claims
from producer_agent.store.reader import Reader
from producer_agent.store.writer import Writer
from tests.durability.sent import Sent
from tests.integration.support import client_config
from tests.waiting import wait_until

pytestmark = pytest.mark.real_kafka

MakeTopic = Callable[..., str]


@pytest.fixture
def make_topic(lab: Lab) -> MakeTopic:
    """Makes topics of two partitions with names of their own."""

    def make(**config: str) -> str:
        name = f"audited-{uuid.uuid4().hex[:8]}"
        admin = AdminClient(client_config(lab))
        admin.create_topics([NewTopic(name, 2, 3, config=config)])[name].result(20)
        with ReadBack(client_config(lab)) as read_back:
            wait_until(lambda: _has_leaders(read_back, name), 20, "the topic has no leaders")
        return name

    return make


def _has_leaders(read_back: ReadBack, topic: str) -> bool:
    try:
        return len(read_back.watermarks(topic, [0, 1])) == 2
    except Exception:  # noqa: BLE001 - it is being made just now
        return False


def verdict(sent: Sent) -> AuditResult:
    return Audit(sent.connection, Reader(sent.writer.path), sent.record()).run()


def test_what_a_transaction_wrote_counts_once_it_is_committed(
    lab: Lab, make_topic: MakeTopic, writer: Writer
) -> None:
    transactional_id = f"audited-{uuid.uuid4().hex[:8]}"
    sent = Sent(
        client_config(lab),
        writer,
        make_topic(),
        profile={"producer": {"transactional_id": transactional_id}},
    )
    producer = Producer({**client_config(lab), "transactional.id": transactional_id})
    producer.init_transactions(30)
    for sequences, end in (
        (range(10), producer.commit_transaction),
        (range(10, 20), producer.abort_transaction),
        (range(20, 30), producer.commit_transaction),
    ):
        producer.begin_transaction()
        sent.put(sequences, producer=producer)
        producer.flush(20)
        end(20)
    sent.claim([*range(11), *range(20, 30)])  # 10 was aborted, and is claimed all the same
    sent.claim_undelivered(range(11, 20), stored="no")
    sent.end()
    found = verdict(sent)
    assert found.not_known == []
    assert found.matrix == Matrix(
        {
            (Claim.DELIVERED, Found.ONCE): 20,
            (Claim.DELIVERED, Found.ABSENT): 1,
            (Claim.FAILED, Found.ABSENT): 9,
        }
    )
    assert [finding.sequence for finding in found.findings] == [10]


def test_what_retention_deleted_is_trimmed_and_not_lost(
    lab: Lab, make_topic: MakeTopic, writer: Writer
) -> None:
    topic = make_topic()
    sent = Sent(client_config(lab), writer, topic)
    sent.put(range(100))
    sent.claim(range(100))
    sent.end()
    admin = AdminClient(client_config(lab))
    for future in admin.delete_records([TopicPartition(topic, 0, 30)]).values():
        future.result(20)
    found = verdict(sent)
    assert found.matrix.cells == {
        (Claim.DELIVERED, Found.TRIMMED): 30,
        (Claim.DELIVERED, Found.ONCE): 70,
    }
    assert found.findings == []


def test_what_is_missing_from_a_compacted_topic_is_not_called_lost(
    lab: Lab, make_topic: MakeTopic, writer: Writer
) -> None:
    sent = Sent(client_config(lab), writer, make_topic(**{"cleanup.policy": "compact"}))
    sent.put(range(10))
    sent.claim(range(11), places={**sent.places, 10: (0, 3)})
    sent.end()
    assert verdict(sent).matrix.cells == {
        (Claim.DELIVERED, Found.ONCE): 10,
        (Claim.DELIVERED, Found.COMPACTED): 1,
    }


def test_a_service_of_a_teams_own_is_audited_from_when_it_began(
    lab: Lab, make_topic: MakeTopic, writer: Writer
) -> None:
    topic = make_topic()
    plain = Producer(client_config(lab))
    for n in range(50):
        plain.produce(topic, b"somebody else's %d" % n, partition=n % 2)
    assert plain.flush(20) == 0
    with ReliableProducer(
        {**client_config(lab), "log_level": 0}, name="shop", database=writer.path
    ) as producer:
        for n in range(400):
            producer.produce(topic, f"order {n}", f"key-{n % 7}")
        producer.flush(20)
    reader = Reader(writer.path)
    latest: Any = partial(run_claims.latest_run, profile="shop")
    wait_until(
        lambda: (run := reader(latest)) is not None and run.ended_us is not None,
        20,
        "its run was not ended",
    )
    run = reader(latest)
    assert run.application
    found = Audit(client_config(lab), reader, run).run()
    assert found.matrix == Matrix({(Claim.DELIVERED, Found.ONCE): 400}, foreign=50)
    assert found.not_known == []
