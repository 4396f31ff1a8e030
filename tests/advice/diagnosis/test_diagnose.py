"""From a failing code and live facts to what to do: one row a case, its words held to the facts."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from producer_agent.advice.diagnosis.diagnose import KNOWN_CODES, diagnose
from producer_agent.advice.diagnosis.diagnosis import Diagnosis, State
from producer_agent.delivery.errors import BY_NAME
from tests.advice.diagnosis.builders import (
    ALL,
    ago,
    brokers,
    cause,
    change,
    client,
    deny,
    failures,
    live,
    permitted,
    record,
    topic_settings,
    view,
)

LEFT = change("broker_left", ago(20), broker=1)
GONE = {"view": view((1, (1,)), brokers=(1,)), "brokers": brokers(1)}

TIME_OUTS: list[tuple[str, Any, str, str]] = [
    (
        "refused for want of replicas",
        record(cause("NOT_ENOUGH_REPLICAS", 38), states=((3000, (1, (1,))),)),
        "under-min-isr",
        "Missing replicas: the leader refused it 38 times with NOT_ENOUGH_REPLICAS",
    ),
    (
        "leaderless",
        record(states=((3000, (1, ALL)), (25, (None, (1,))))),
        "leaderless",
        "No leader: partition 0 of orders had none from 2025-11-24 15:59:35 UTC on",
    ),
    (
        "its leader left",
        record(states=((3000, (1, ALL)), (1, (2, (2, 3)))), changes=(LEFT,)),
        "broker-silent",
        "A broker: 1, which led its partition, was lost (seen at 2025-11-24 15:59:40 UTC)",
    ),
    (
        "the cluster was gone",
        record(changes=(change("cluster_unreachable", ago(15), detail={"error": "refused"}),)),
        "unreachable",
        "The cluster could not be reached, seen at 2025-11-24 15:59:45 UTC",
    ),
    (
        "connections broke",
        record(cause("_TRANSPORT", 5, "maybe")),
        "network",
        "The connection: 5 attempts ended in _TRANSPORT, and no broker left",
    ),
    (
        "no answer",
        record(cause("_TIMED_OUT", 2, "maybe")),
        "broker-silent",
        "The broker: 2 requests got no answer in time (_TIMED_OUT) from the leader of partition 0",
    ),
    (
        "never connected",
        record(connection="Connect to ipv4#10.0.0.1:9092 failed: Connection refused"),
        "network",
        "It was never sent: the client had no connection",
    ),
    (
        "client overloaded",
        record(traffic=(500, 10, 4_000, 6)),
        "overload",
        "4,000 others were refused by the full queue and 6 polls came late",
    ),
    (
        "topic unknown to the client",
        record(partition=None, states=()),
        "topic-missing",
        "The client never learnt the partitions of orders",
    ),
    (
        "others went on",
        record(),
        "broker-silent",
        "The broker that leads partition 0 did not answer for it, while others went on",
    ),
    (
        "time-out too short",
        record(
            waited_s=0.02,
            of=client(delivery_timeout_ms=20, linger_ms=10.0, request_timeout_ms=10),
        ),
        "time-out-too-short",
        "The time-out is too short: delivery.timeout.ms is 20, of which linger.ms takes 10",
    ),
    (
        "another refusal",
        record(cause("KAFKA_STORAGE_ERROR", 4)),
        "other",
        "The broker refused it with KAFKA_STORAGE_ERROR, 4 times",
    ),
    (
        "nothing known",
        record(attempts=None, states=(), watched=False),
        "cannot-be-told",
        "What it was cannot be told from what was recorded",
    ),
]


@pytest.mark.parametrize(
    ("of", "matter", "words"), [case[1:] for case in TIME_OUTS], ids=[c[0] for c in TIME_OUTS]
)
def test_a_time_out_is_told_by_what_was_seen_in_the_records_life(
    of: Any, matter: str, words: str
) -> None:
    found = diagnose(live(record=of), "_MSG_TIMED_OUT")
    assert found.matter == matter
    assert words in found.headline
    assert found.state is State.PASSED
    assert found.not_known[0].startswith("Round-trip times")
    assert Diagnosis.from_json(found.to_json()) == found


def test_what_is_not_known_of_a_time_out_is_said() -> None:
    unwatched = record(attempts=None, states=(), watched=False, size=None)
    told = " ".join(diagnose(live(record=unwatched), "_MSG_TIMED_OUT").not_known)
    for words in ("not watched all that time", "Its attempts: none were recorded", "The record's"):
        assert words in told


def test_a_time_out_of_a_topic_that_is_still_broken_is_wrong_and_offers_its_mends_first() -> None:
    of = record(cause("NOT_ENOUGH_REPLICAS", 38))
    fault = {"kind": "node_stopped", "topic": None, "node": 2, "since_us": ago(60)}
    found = diagnose(live(**GONE, record=of, faults=(fault,)), "_MSG_TIMED_OUT")
    assert found.state is State.WRONG
    assert "Now: acks=all is refused" in " ".join(found.findings)
    assert found.options[0].title == "Start broker 2"
    assert found.options[0].undo_fault == {"kind": "node_stopped", "node": 2}


def test_retry_amplification_is_counted() -> None:
    of = record(cause("NOT_ENOUGH_REPLICAS", 38), cause("_TRANSPORT", 2))
    findings = " ".join(diagnose(live(record=of), "_MSG_TIMED_OUT").findings)
    assert "Retry amplification: 40 failed requests for the record in 30 s" in findings


CODES: list[tuple[str, str, dict[str, Any], str, State, str]] = [
    ("isr now", "NOT_ENOUGH_REPLICAS", GONE, "under-min-isr", State.WRONG, "1 of 3 replicas"),
    (
        "isr again",
        "NOT_ENOUGH_REPLICAS_AFTER_APPEND",
        {"changes": (change("isr_grew", ago(5), topic="orders"),)},
        "under-min-isr",
        State.PASSED,
        "It is over: every partition of orders has a leader and at least 2 replicas in sync now",
    ),
    (
        "denied",
        "TOPIC_AUTHORIZATION_FAILED",
        {"permissions": permitted(frozenset({"READ"}), (deny(),))},
        "not-authorized",
        State.WRONG,
        "User:ANONYMOUS may not WRITE on topic orders.",
    ),
    (
        "allowed again",
        "TOPIC_AUTHORIZATION_FAILED",
        {},
        "not-authorized",
        State.PASSED,
        "User:ANONYMOUS may WRITE on topic orders now",
    ),
    (
        "cluster",
        "CLUSTER_AUTHORIZATION_FAILED",
        {"permissions": permitted(frozenset()), "principal": "User:app"},
        "not-authorized",
        State.WRONG,
        "User:app may not IDEMPOTENT_WRITE on the cluster.",
    ),
    (
        "misspelt",
        "UNKNOWN_TOPIC_OR_PART",
        {"view": view(others=("Orders",))},
        "topic-missing",
        State.WRONG,
        "nearest: Orders.",
    ),
    (
        "made since",
        "_UNKNOWN_TOPIC",
        {"changes": (change("topic_created", ago(9), topic="orders"),)},
        "topic-missing",
        State.PASSED,
        "orders exists now, with 3 partitions; it was made at 2025-11-24 15:59:51 UTC.",
    ),
    (
        "no such partition",
        "_UNKNOWN_PARTITION",
        {"record": record(code="_UNKNOWN_PARTITION", partition=9, outcome="rejected")},
        "topic-missing",
        State.WRONG,
        "orders has partitions 0 to 2, and partition 9 was asked for.",
    ),
    (
        "over the client's limit",
        "MSG_SIZE_TOO_LARGE",
        {"record": record(outcome="rejected", size=9_000)},
        "too-large",
        State.WRONG,
        "The client's own limit was hit: a record of 9,000 bytes is over message.max.bytes (8,192)",
    ),
    (
        "over the topic's limit",
        "MSG_SIZE_TOO_LARGE",
        {"record": record(size=900), "settings": topic_settings(2, 500, "set on the topic")},
        "too-large",
        State.WRONG,
        "The topic's limit was hit: the broker refused a record of 900 bytes, over "
        "max.message.bytes (500) of orders.",
    ),
    (
        "its batch was over",
        "MSG_SIZE_TOO_LARGE",
        {"record": record(size=100), "settings": topic_settings(2, 500, "set on the topic")},
        "too-large",
        State.WRONG,
        "its batch did not. The broker's limit is for a whole batch, and librdkafka fills batches "
        "up to batch.size (8,192 bytes).",
    ),
    (
        "over a segment",
        "RECORD_LIST_TOO_LARGE",
        {"record": record()},
        "too-large",
        State.WRONG,
        "larger than a segment of orders (1,073,741,824 bytes)",
    ),
    (
        "election passed",
        "NOT_LEADER_FOR_PARTITION",
        {"changes": (LEFT,)},
        "leaderless",
        State.PASSED,
        "every partition of orders has a leader now",
    ),
    (
        "all down",
        "_ALL_BROKERS_DOWN",
        {"view": None, "view_us": None, "unreachable": "Failed to resolve", "brokers": ()},
        "unreachable",
        State.WRONG,
        "the name does not resolve",
    ),
    (
        "connection mended",
        "_TRANSPORT",
        {},
        "network",
        State.PASSED,
        "Every broker that orders needs answers now",
    ),
    (
        "one hangs",
        "_TRANSPORT",
        {"brokers": brokers(1, 2, 3, silent=(3,))},
        "broker-silent",
        State.WRONG,
        "Broker 3 does not answer, and leads partition 2",
    ),
    ("queue", "_QUEUE_FULL", {}, "overload", State.WRONG, "The client's queue is full"),
    (
        "error table",
        "INVALID_TIMESTAMP",
        {},
        "other",
        State.UNKNOWN,
        "INVALID_TIMESTAMP: the record's time is out of bounds; not stored.",
    ),
]


@pytest.mark.parametrize(
    ("code", "changes", "matter", "state", "words"),
    [case[1:] for case in CODES],
    ids=[case[0] for case in CODES],
)
def test_a_code_is_explained_from_the_live_facts(
    code: str, changes: dict[str, Any], matter: str, state: State, words: str
) -> None:
    found = diagnose(live(**changes), code)
    assert (found.code, found.matter, found.state) == (code, matter, state)
    assert words in found.headline
    assert Diagnosis.from_json(found.to_json()) == found


@pytest.mark.parametrize("code", sorted(BY_NAME))
@pytest.mark.parametrize(
    "changes",
    [
        {},
        GONE,
        {
            "view": None,
            "view_us": None,
            "unreachable": "x",
            "brokers": (),
            "watched_since_us": None,
        },
        {"view": view(), "settings": None, "permissions": None, "clients": (), "principal": None},
        {"view": view(error="LEADER_NOT_AVAILABLE"), "kind": "embedded", "settings": None},
        {"record": record(partition=None, states=(), attempts=None, sent_us=None)},
    ],
    ids=["whole", "gone", "unreachable", "bare", "embedded", "bare record"],
)
def test_no_code_and_no_lack_of_facts_leaves_it_without_an_answer(
    code: str, changes: dict[str, Any]
) -> None:
    found = diagnose(live(**changes), code)
    assert found.headline
    assert "None" not in found.headline
    assert found.code == code


def test_the_acl_that_is_needed_is_a_command_to_copy() -> None:
    found = diagnose(
        live(permissions=permitted(frozenset({"READ"})), principal="User:app", secured=True),
        "TOPIC_AUTHORIZATION_FAILED",
    )
    (command,) = [o.command for o in found.options if o.command and "--add" in o.command]
    assert command == (
        "kafka-acls.sh --bootstrap-server 10.0.0.1:9092,10.0.0.2:9092 --command-config "
        "client.properties --add --allow-principal User:app --operation Write --topic orders"
    )


def test_a_principal_that_is_not_known_is_said_so_and_left_open_in_the_command() -> None:
    found = diagnose(
        live(permissions=permitted(frozenset(), None), principal=None), "TOPIC_AUTHORIZATION_FAILED"
    )
    assert "the client's principal (not known here)" in found.headline
    assert any("User:NAME" in (option.command or "") for option in found.options)
    assert any("authorizer log" in words for words in found.not_known)


def test_a_denial_outweighs_and_its_removal_is_offered_instead_of_another_allow() -> None:
    found = diagnose(
        live(permissions=permitted(frozenset({"READ"}), (deny(),))), "TOPIC_AUTHORIZATION_FAILED"
    )
    commands = [option.command or "" for option in found.options]
    assert any("--remove --deny-principal User:ANONYMOUS" in command for command in commands)
    assert not any("--allow-principal" in command for command in commands)


def test_the_three_limits_in_force_are_listed_with_where_each_was_set() -> None:
    found = diagnose(
        live(record=record(size=900), settings=topic_settings(2, 500, "set on the topic")),
        "MSG_SIZE_TOO_LARGE",
    )
    told = {fact.label: (fact.value, fact.source) for fact in found.facts}
    assert told["client: message.max.bytes"] == ("8,192", "profile critical")
    assert told["topic: max.message.bytes"] == ("500", "set on the topic")
    assert told["broker: message.max.bytes"] == ("1,048,588", "Kafka's default")
    assert told["broker: replica.fetch.max.bytes"] == ("1,048,576", "Kafka's default")
    assert any("Align them" in words for words in found.findings)


def test_a_limit_that_was_raised_since_is_over() -> None:
    raised = change(
        "setting_changed",
        ago(-5),
        topic="orders",
        detail={"name": "max.message.bytes", "before": "200", "after": "1048588"},
    )
    found = diagnose(live(record=record(size=400), changes=(raised,)), "MSG_SIZE_TOO_LARGE")
    assert found.state is State.PASSED
    assert "was changed from 200 to 1,048,588 since" in found.headline


def test_a_cause_that_is_over_while_records_still_fail_is_told_with_the_last() -> None:
    found = diagnose(live(failures=failures("_TRANSPORT", 9, 4)), "_TRANSPORT")
    assert found.state is State.PASSED
    assert "The last one failed at 2025-11-24 15:59:56 UTC, 4 s ago" in " ".join(found.findings)


@pytest.mark.parametrize("code", ["NOT_ENOUGH_REPLICAS", "_UNKNOWN_TOPIC"])
def test_a_fault_in_force_leads_though_the_metadata_show_nothing_of_the_failure(code: str) -> None:
    fault = {"kind": "not_enough_replicas", "topic": None, "since_us": ago(3)}
    found = diagnose(live(kind="embedded", settings=None, faults=(fault,)), code)
    assert (found.state, found.matter, found.code) == (State.WRONG, "fault-injected", code)
    assert "in force on orders: not enough replicas" in found.headline
    assert "over" not in found.headline
    assert found.options[0].undo_fault == {"kind": "not_enough_replicas"}


def test_the_embedded_cluster_allows_again_once_its_metadata_do() -> None:
    embedded = live(kind="embedded", settings=None, permissions=None)
    code = "TOPIC_AUTHORIZATION_FAILED"
    assert diagnose(embedded, code).state is State.PASSED
    refused = replace(embedded, view=view(error=code))
    assert diagnose(refused, code).state is State.WRONG


def test_every_code_with_a_rule_is_one_of_the_error_table() -> None:
    assert set(BY_NAME) >= KNOWN_CODES
