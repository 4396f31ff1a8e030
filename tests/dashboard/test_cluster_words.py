"""The Cluster page's answer, its brokers, and what a node's loss would touch."""

from __future__ import annotations

from typing import Any

import pytest

from dashboard.cluster.cluster_picture import Broker, Impact, brokers, impact_of
from dashboard.cluster.cluster_words import answer, impact_words, missing, state_of
from dashboard.cluster.topic_health import judged
from producer_agent.store.queries.cluster_changes import ChangeRow
from tests.dashboard.cluster_seed import diagnosed, topic

NOW_US = 1_764_000_000_000_000


def left(broker: int, ago_s: float) -> ChangeRow:
    at_us = NOW_US - int(ago_s * 1e6)
    detail = {"address": f"10.0.0.{broker}:9092"}
    return ChangeRow(1, at_us, at_us - 2_000_000, "broker_left", broker, None, None, detail)


def body(*here: int, controller: int | None = None) -> dict[str, Any]:
    return {
        "brokers": [{"id": n, "host": f"10.0.0.{n}", "port": 9092} for n in here],
        "controller_id": controller,
    }


def told(
    here: tuple[int, ...], *topics: dict[str, Any], since: dict[int, float] | None = None
) -> str:
    found = judged(topics)
    rows = {broker: left(broker, ago_s) for broker, ago_s in (since or {}).items()}
    return answer(found, brokers(body(*here), found, rows), (), reachable=True, now_us=NOW_US).title


@pytest.mark.parametrize(
    ("here", "topics", "since", "words"),
    [
        (
            (1, 3),
            [topic("task-events", (1,), partitions=12), topic("whole")],
            {2: 180},
            "Broker 2 has been gone for 3 min: 12 of 12 partitions of `task-events` are under "
            "their min.insync.replicas",
        ),
        (
            (1,),
            [topic("a", (1,), partitions=1)],
            {2: 180, 3: 40},
            "Broker 2 has been gone for 3 min, broker 3 for 40 s: 1 of 1 partition of `a` is "
            "under its min.insync.replicas",
        ),
        (
            (1,),
            [topic("a", ())],
            {},
            "Brokers 2 and 3 have been gone since before watching began: 4 of 4 partitions of `a` "
            "are without a leader",
        ),
        (
            (1, 2, 3),
            [topic("a", (1, 2))],
            {},
            "Broker 3 is there and not in sync: 4 of 4 partitions of `a` lack a replica; every "
            "acks level works",
        ),
        ((1, 2, 3), [topic("a")], {}, "Yes: 3 brokers answer, and `a` has a leader"),
        (
            (1,),
            [topic(f"t{n}", (1,)) for n in range(5)],
            {2: 5, 3: 5},
            "Brokers 2 and 3 have been gone for 5 s: 20 of 20 partitions of `t0`, `t1`, `t2` and "
            "2 more topics are under",
        ),
    ],
)
def test_the_answer_says_who_is_gone_since_when_and_what_that_does(
    here: tuple[int, ...], topics: list[dict[str, Any]], since: dict[int, float], words: str
) -> None:
    assert told(here, *topics, since=since).startswith(words)


def test_what_the_metadata_do_not_show_is_told_by_the_diagnosis() -> None:
    found = judged([topic("orders")])
    fault = {"kind": "not_enough_replicas", "topic": None, "since_us": NOW_US}
    wrong = diagnosed("orders", 1, 2, 3, faults=(fault,))
    notice = answer(found, brokers(body(1, 2, 3), found, {}), [wrong], reachable=True, now_us=1)
    assert notice.severity == "error"
    assert "fault was injected" in notice.title
    at_risk = diagnosed("orders", 1, 2)
    notice = answer(found, brokers(body(1, 2, 3), found, {}), [at_risk], reachable=True, now_us=1)
    assert notice.severity == "success"


def test_of_a_cluster_that_does_not_replicate_no_copies_are_promised() -> None:
    found = judged([topic("a", least=None)])
    here = brokers(body(1, 2, 3), found, {})
    embedded = answer(found, here, (), reachable=True, now_us=NOW_US, replicates=False)
    real = answer(found, here, (), reachable=True, now_us=NOW_US)
    assert "no copies" in embedded.text
    assert "every replica" in real.text


def test_without_a_broker_nothing_is_promised() -> None:
    assert answer([], [], (), reachable=False, now_us=NOW_US).severity == "error"


def test_a_broker_is_told_with_what_it_leads_lacks_and_since_when_it_is_gone() -> None:
    topics = judged([topic("a", (1, 3)), topic("b")])
    nodes = [{"id": 2, "port": 9, "state": "paused"}, {"id": 3, "port": 9, "state": "paused"}]
    found = brokers(body(1, 3, controller=3), topics, {2: left(2, 60)}, nodes)
    assert [broker.id for broker in found] == [2, 1, 3]
    two, one, three = found
    assert (two.is_here, two.replicas, two.in_sync, two.lags) == (False, 8, 4, 4)
    assert two.address == "10.0.0.2:9092"
    assert state_of(two, NOW_US) == "gone for 1 min, paused"
    assert (one.leads, one.is_controller, state_of(one, NOW_US)) == (4, False, "here")
    assert (three.is_controller, state_of(three, NOW_US)) == (
        True,
        "paused, still counted as alive",
    )


def test_of_many_that_are_gone_the_number_and_the_longest_are_told() -> None:
    gone = [
        Broker(n, None, False, NOW_US - n * 60_000_000, None, False, 0, 1, 0) for n in range(1, 9)
    ]
    assert missing(gone, NOW_US) == "8 brokers have been gone for up to 8 min"


def test_a_nodes_loss_is_told_by_the_topics_that_it_would_stop() -> None:
    topics = judged(
        [topic("spare"), topic("thin", (1, 2)), topic("last", (2,)), topic("__offsets", (2,))]
    )
    assert impact_of(2, topics) == Impact(11, 16, ("last",), ("thin",))
    words = impact_words(impact_of(2, topics), majority_goes=False)
    assert "`last` loses its last replica in sync" in words
    assert "acks=all fails on `thin`" in words
    assert "majority" not in words
    safe = impact_words(impact_of(3, topics), majority_goes=True)
    assert "every acks level goes on" in safe
    assert "lose their majority" in safe
