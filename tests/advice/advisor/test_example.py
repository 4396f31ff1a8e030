"""The worked example that is shipped, and what is said of it."""

from __future__ import annotations

from producer_agent.advice.advisor import words
from producer_agent.advice.advisor.advice import Advice
from producer_agent.advice.advisor.advise import advise
from producer_agent.advice.advisor.example import EXAMPLE
from producer_agent.advice.advisor.surroundings import ASSUMED, surroundings
from tests.advice.advisor.cases import ALL_AT_12_MS, EMBEDDED

TASK, ANALYTICS, METRICS = (advise(question) for question in EXAMPLE)


def reason(name: str, of: Advice) -> str:
    return next(c.reason for c in of.producer if c.name == name)


def test_task_creation_is_confirmed_by_all_and_idempotent_within_its_50_ms() -> None:
    assert TASK.settings["acks"] == "all"
    assert TASK.settings["enable.idempotence"] is True
    assert TASK.settings["linger.ms"] == 5
    assert TASK.topic_settings["min.insync.replicas"] == 2
    assert "None may be lost" in reason("acks", TASK)
    assert TASK.objective.success_ratio == 0.9999
    assert TASK.objective.latency_p99_ms == 50
    assert not TASK.conflicts


def test_task_analytics_takes_the_leaders_word_for_its_tenth_of_a_percent() -> None:
    assert ANALYTICS.settings["acks"] == 1
    assert "0.1 % may be lost" in reason("acks", ANALYTICS)
    assert ANALYTICS.objective.success_ratio == 0.999
    assert not ANALYTICS.conflicts


def test_activity_metrics_are_sent_without_proof_and_in_larger_batches() -> None:
    assert METRICS.settings["acks"] == 0
    assert METRICS.settings["linger.ms"] == 50
    assert METRICS.settings["compression.type"] == "lz4"
    assert METRICS.objective.success_ratio is None
    assert not METRICS.conflicts


def test_side_by_side_shows_each_setting_once_with_gaps_where_it_is_left_alone() -> None:
    rows = dict(words.side_by_side([TASK, ANALYTICS, METRICS]))
    assert rows["acks"] == ("all", "1", "0")
    assert rows["partitioner"] == ("murmur2_random", None, None)
    assert list(rows)[-1] == "unclean.leader.election.enable"


def test_the_first_line_says_who_confirms_and_what_holds() -> None:
    assert "acks=all, idempotent; what was acknowledged is on at least 2 brokers" in words.answer(
        TASK
    )
    assert "leader's word" in words.answer(ANALYTICS)
    assert "nothing proves what arrived" in words.answer(METRICS)
    impossible = advise(EXAMPLE[0].model_copy(update={"replication_factor": 1}))
    assert "cannot be had" in words.answer(impossible)


def test_without_measurements_it_says_how_to_measure() -> None:
    assert words.evidence(TASK) == (words.HOW_TO_MEASURE,)
    assert words.evidence(advise(EXAMPLE[0], [EMBEDDED])) == (words.ONLY_EMBEDDED,)
    (told,) = words.evidence(advise(EXAMPLE[0], [EMBEDDED, ALL_AT_12_MS]))
    assert told == "critical (acks=all) at 100/s: p99 12 ms (95%: 11 to 13)."


def test_the_nearest_measurement_of_the_chosen_acks_comes_first() -> None:
    other = [EMBEDDED, ALL_AT_12_MS]
    assert advise(EXAMPLE[0], other).support == (ALL_AT_12_MS, EMBEDDED)


def cluster(**more: object) -> dict[str, object]:
    brokers = [{"id": at, "host": "h", "port": 9092} for at in (1, 2)]
    return {"kind": "lab", "reachable": True, "brokers": brokers, "topics": []} | more


def test_the_cluster_answers_for_its_brokers_and_a_topic_that_is_there() -> None:
    topic = {
        "name": "orders",
        "min_insync_replicas": 1,
        "partitions": [{"id": 0, "leader": 1, "replicas": [1], "isrs": [1]}],
    }
    assert surroundings(None) == ASSUMED
    assert surroundings(cluster(brokers=[])) == ASSUMED
    found = surroundings(cluster(topics=[topic]), "other")
    assert (found.brokers, found.replication_factor, found.min_insync_replicas) == (2, 2, 1)
    there = surroundings(cluster(topics=[topic], reachable=False), "orders")
    assert (there.replication_factor, there.min_insync_replicas) == (1, 1)
    assert "before it could not be reached" in there.source
