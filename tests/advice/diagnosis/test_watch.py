"""What the agent takes a closer look at, and the fact that it keeps."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any, cast

import pytest
from sqlite_utils import Database

from producer_agent.advice.diagnosis import watch
from producer_agent.advice.diagnosis.diagnosis import Diagnosis
from producer_agent.advice.diagnosis.gathering import FactsGatherer, Question
from producer_agent.advice.diagnosis.live_facts import LiveFacts
from producer_agent.advice.diagnosis.watch import MOST_TOPICS, DiagnosisWatch, find_suspects
from producer_agent.store import facts, rollups
from producer_agent.store.reader import Reader
from producer_agent.store.sqlite import connection
from producer_agent.store.writer import Writer
from tests.advice.diagnosis.builders import NOW_US, brokers, live, view
from tests.waiting import wait_until

NOW_S = NOW_US // 1_000_000


def topic(name: str, leader: int | None = 1, isrs: Sequence[int] = (1, 2, 3)) -> dict[str, Any]:
    partition = {"id": 0, "leader": leader, "replicas": [1, 2, 3], "isrs": list(isrs)}
    return {
        "name": name,
        "internal": name.startswith("__"),
        "min_insync_replicas": 2,
        "partitions": [partition],
    }


def put_cluster(db: Database, *topics: dict[str, Any], reachable: bool = True) -> None:
    facts.put(db, "cluster", {"reachable": reachable, "topics": list(topics), "brokers": []})


def put_failures(db: Database, name: str, cause: str, n: int, ago_s: int = 1) -> None:
    connection(db).execute(
        "INSERT OR IGNORE INTO series (id, profile, acks) VALUES (1, 'p', 'all')"
    )
    rollups.add_failures(db, 1, [(NOW_S - ago_s, name, "failed", cause)] * n)


def suspects(writer: Writer) -> watch.Suspects:
    return Reader(writer.path)(partial(find_suspects, now_us=NOW_US))


def test_the_failing_come_first_then_the_worst_and_kafkas_own_topics_last(writer: Writer) -> None:
    def put(db: Database) -> None:
        put_cluster(
            db,
            topic("well"),
            topic("__consumer_offsets", None),
            topic("lacking", 1, [1, 2]),
            topic("short", 1, [1]),
            topic("leaderless", None),
        )
        put_failures(db, "refused", "TOPIC_AUTHORIZATION_FAILED", 5)

    writer.call(put)
    assert suspects(writer).questions == (
        Question("refused", "TOPIC_AUTHORIZATION_FAILED"),
        Question("leaderless"),
        Question("short"),
        Question("lacking"),
        Question("__consumer_offsets"),
    )


def test_a_few_failures_and_old_ones_are_triages_business(writer: Writer) -> None:
    def put(db: Database) -> None:
        put_cluster(db, topic("well"))
        put_failures(db, "few", "MSG_SIZE_TOO_LARGE", 4)
        put_failures(db, "old", "MSG_SIZE_TOO_LARGE", 50, ago_s=60)

    writer.call(put)
    assert suspects(writer) == watch.Suspects((), 0)


def test_the_cause_that_most_failed_with_is_asked_about(writer: Writer) -> None:
    def put(db: Database) -> None:
        put_failures(db, "t", "_TRANSPORT", 3)
        put_failures(db, "t", "NOT_ENOUGH_REPLICAS", 9)

    writer.call(put)
    assert suspects(writer).questions == (Question("t", "NOT_ENOUGH_REPLICAS"),)


def test_of_very_many_topics_some_are_looked_at_and_the_rest_are_counted(writer: Writer) -> None:
    many = [topic(f"t{i:05}", 1, [1]) for i in range(3_000)]
    writer.call(lambda db: put_cluster(db, *many))
    found = suspects(writer)
    assert (len(found.questions), found.left_out) == (MOST_TOPICS, 3_000 - MOST_TOPICS)


def test_of_a_cluster_that_nobody_reaches_the_topics_sent_to_are_suspect(writer: Writer) -> None:
    def put(db: Database) -> None:
        put_cluster(db, reachable=False)
        facts.put(db, "runs", [{"topic": "orders"}, {"topic": "orders"}])

    writer.call(put)
    assert suspects(writer).questions == (Question("orders"),)


def test_what_an_injected_fault_acts_on_is_suspect_before_anything_fails(writer: Writer) -> None:
    def put(*active: dict[str, Any]) -> None:
        def write(db: Database) -> None:
            put_cluster(db, topic("orders"), topic("denied"), topic("unused"))
            facts.put(db, "runs", [{"topic": "orders"}])
            facts.put(db, "faults", {"active": list(active)})

        writer.call(write)

    put({"kind": "topic_denied", "topic": "denied", "node": None})
    assert suspects(writer).questions == (Question("denied"),)
    put({"kind": "not_enough_replicas", "topic": None})
    assert suspects(writer).questions == (Question("orders"),)
    # What a node's loss does is in the metadata: topics that it does not hold are left alone.
    put({"kind": "node_stopped", "topic": None, "node": 2})
    assert suspects(writer).questions == ()


class FakeGatherer:
    """Knows ``orders`` alone; counts how often it was asked."""

    def __init__(self) -> None:
        self.asked = 0
        self.broken = True

    def gather(self, questions: Sequence[Question]) -> list[LiveFacts]:
        self.asked += 1
        if self.broken:
            return [live(view=view((1, (1,)), brokers=(1,)), brokers=brokers(1)) for _ in questions]
        return [live() for _ in questions]


def told(writer: Writer) -> list[dict[str, Any]] | None:
    fact = Reader(writer.path)(lambda db: facts.get(db, "diagnosis"))
    return None if fact is None else list(fact.body["diagnoses"])


def test_the_fact_follows_what_is_the_matter_and_is_cleared_when_it_is_over(
    writer: Writer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watch, "CHECK_EVERY_S", 0.01)
    monkeypatch.setattr(watch, "ASK_EVERY_S", 0.05)
    writer.call(lambda db: put_cluster(db, topic("orders", 1, [1])))
    gatherer = FakeGatherer()
    looking = DiagnosisWatch(cast(FactsGatherer, gatherer), Reader(writer.path), writer)
    looking.start()
    try:
        wait_until(lambda: told(writer), 10, "nothing was told")
        (document,) = told(writer) or []
        assert Diagnosis.from_json(document).matter == "under-min-isr"
        gatherer.broken = False
        wait_until(lambda: told(writer) == [], 10, "it was not cleared")
    finally:
        looking.close()


def test_nobody_is_asked_while_nothing_is_suspect(writer: Writer) -> None:
    writer.call(lambda db: put_cluster(db, topic("orders")))
    gatherer = FakeGatherer()
    looking = DiagnosisWatch(cast(FactsGatherer, gatherer), Reader(writer.path), writer)
    assert looking.look() == []
    assert gatherer.asked == 0
    assert told(writer) == []
