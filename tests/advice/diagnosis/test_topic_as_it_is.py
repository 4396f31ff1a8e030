"""A topic without a failure in hand: the worst that is the matter with it, and its words."""

from __future__ import annotations

from typing import Any

import pytest

from producer_agent.advice.diagnosis.diagnose import diagnose
from producer_agent.advice.diagnosis.diagnosis import Diagnosis, Safety, State
from producer_agent.kafka.described_settings import Setting
from tests.advice.diagnosis.builders import (
    ALL,
    ago,
    brokers,
    change,
    client,
    deny,
    failures,
    live,
    permitted,
    topic_settings,
    view,
)

GONE = {"view": view((1, (1,)), (1, (1,)), brokers=(1,)), "brokers": brokers(1)}

CASES: list[tuple[str, dict[str, Any], str, State, str]] = [
    ("whole", {}, "healthy", State.HEALTHY, "all 3 partitions have a leader that answers"),
    (
        "two brokers gone",
        GONE,
        "under-min-isr",
        State.WRONG,
        "acks=all is refused on partitions 0 and 1 of orders: 1 of 3 replicas in sync, 2 needed. "
        "Reason: brokers 2 and 3 are not in sync.",
    ),
    (
        "one gone",
        {"view": view((1, (1, 2)), brokers=(1, 2)), "brokers": brokers(1, 2)},
        "replica-missing",
        State.RISK,
        "(broker 3): acks=all fails as soon as one more broker is lost.",
    ),
    (
        "no leader",
        {"view": view((None, (3,)), (1, (1, 2)), brokers=(1, 2)), "brokers": brokers(1, 2)},
        "leaderless",
        State.WRONG,
        "Partition 0 of orders has no leader: nothing can be written or read there until "
        "broker 3 (the last in sync) is back.",
    ),
    (
        "leader hangs",
        {"brokers": brokers(1, 2, 3, silent=(2,))},
        "broker-silent",
        State.WRONG,
        "Broker 2 does not answer, and leads partition 1 of orders",
    ),
    (
        "follower hangs",
        {"view": view((1, ALL)), "brokers": brokers(1, 2, 3, silent=(2,))},
        "broker-silent",
        State.RISK,
        "Broker 2 does not answer; orders is led by others.",
    ),
    (
        "missing",
        {"view": view(others=("order", "payments"))},
        "topic-missing",
        State.WRONG,
        "The cluster has no topic orders; nearest: order.",
    ),
    (
        "hidden",
        {"view": view(error="TOPIC_AUTHORIZATION_FAILED"), "permissions": permitted(None, None)},
        "not-authorized",
        State.WRONG,
        "User:ANONYMOUS may not WRITE on topic orders.",
    ),
    (
        "denied",
        {"permissions": permitted(frozenset({"READ"}), (deny(),))},
        "not-authorized",
        State.WRONG,
        "User:ANONYMOUS may not WRITE on topic orders.",
    ),
    (
        "nobody answers",
        {"view": None, "view_us": None, "unreachable": "Connection refused", "brokers": brokers()},
        "unreachable",
        State.WRONG,
        "answers: no process listens there: the brokers are down, or the port is wrong.",
    ),
    (
        "weaker than asked",
        {"settings": topic_settings(least=1)},
        "weak-setting",
        State.RISK,
        "Profile critical counts on min.insync.replicas 2, and the topic has 1",
    ),
    (
        "nothing to spare",
        {"settings": topic_settings(least=3)},
        "weak-setting",
        State.RISK,
        "min.insync.replicas equals the replication factor (3)",
    ),
    (
        "injected",
        {"kind": "embedded", "faults": ({"kind": "slow_brokers", "topic": None, "since_us": 1},)},
        "fault-injected",
        State.WRONG,
        "A fault was injected and is in force on orders: slow brokers.",
    ),
]


@pytest.mark.parametrize(
    ("changes", "matter", "state", "words"), [case[1:] for case in CASES], ids=[c[0] for c in CASES]
)
def test_the_worst_that_is_the_matter_is_told_in_words(
    changes: dict[str, Any], matter: str, state: State, words: str
) -> None:
    found = diagnose(live(**changes))
    assert (found.matter, found.state) == (matter, state)
    assert words in found.headline
    assert Diagnosis.from_json(found.to_json()) == found


@pytest.mark.parametrize("changes", [case[1] for case in CASES], ids=[c[0] for c in CASES])
def test_options_come_in_order_of_safety_and_each_says_what_it_costs(
    changes: dict[str, Any],
) -> None:
    found = diagnose(live(**changes))
    order = list(Safety)
    ranks = [order.index(option.safety) for option in found.options]
    assert ranks == sorted(ranks)
    assert all(option.costs for option in found.options)
    assert found.state is State.HEALTHY or found.options


def facts_of(found: Diagnosis) -> dict[str, str]:
    return {fact.label: fact.value for fact in found.facts}


def test_a_missing_broker_is_told_with_its_time_its_port_and_how_it_is_started() -> None:
    left = {2: change("broker_left", ago(40), broker=2)}
    found = diagnose(
        live(
            **{
                **GONE,
                "brokers": brokers(1, left=left, port={2: "refuses connections"}),
                "kind": "lab",
                "lab_home": "/var/lab",
            }
        )
    )
    told = facts_of(found)
    assert told["broker 2 (10.0.0.2:9092)"] == (
        "missing since 2025-11-24 15:59:20 UTC, for 40 s (seen to within 2.0 s); its port refuses "
        "connections: no process listens there"
    )
    assert told["broker 3 (10.0.0.3:9092)"].startswith(
        "missing already when watching began at 2025-11-24 15:00:00 UTC"
    )
    assert found.options[0].command == ("python -m producer_agent lab start 2 --home /var/lab")


def test_lowering_min_insync_replicas_is_the_last_option_and_says_its_danger_and_its_way_back() -> (
    None
):
    last = diagnose(live(**GONE)).options[-1]
    assert last.safety is Safety.DANGEROUS
    assert last.command == (
        "kafka-configs.sh --bootstrap-server 10.0.0.1:9092,10.0.0.2:9092 --alter --entity-type "
        "topics --entity-name orders --add-config min.insync.replicas=1"
    )
    assert "are records that were acknowledged" in last.costs
    assert "--add-config min.insync.replicas=2" in last.costs


def test_replicas_are_offered_to_brokers_that_are_up_only_where_there_is_one_to_spare() -> None:
    assert not any("reassign" in (o.command or "") for o in diagnose(live(**GONE)).options)
    spare = live(view=view((1, (1,)), brokers=(1, 4, 5)), brokers=brokers(1))
    (option,) = [
        option for option in diagnose(spare).options if "reassign" in (option.command or "")
    ]
    assert '"replicas": [1, 4, 5]' in (option.command or "")
    assert option.safety is Safety.CAREFUL


def test_what_still_works_is_told_with_its_price() -> None:
    works = diagnose(live(**GONE)).still_works
    assert works[0].what == "acks=1 works: the leaders are there and take records."
    assert "on broker 1 alone" in works[0].price


def test_a_topic_that_can_never_meet_its_own_setting_is_told_so() -> None:
    one = live(
        view=view((1, (1,)), replicas=(1,)), settings=topic_settings(least=2), brokers=brokers(1, 2)
    )
    found = diagnose(one)
    assert "can never succeed" in " ".join(found.findings)
    assert found.options[0].title.startswith("Set min.insync.replicas to 1")


def test_commands_on_a_secured_cluster_take_a_client_file() -> None:
    found = diagnose(live(**GONE, secured=True))
    assert "--command-config client.properties" in (found.options[-1].command or "")


def test_a_healthy_topic_tells_what_failed_lately_and_what_is_not_known() -> None:
    found = diagnose(
        live(failures=failures("MSG_SIZE_TOO_LARGE", 3, 20), settings=None, settings_error="denied")
    )
    assert found.state is State.HEALTHY
    assert "MSG_SIZE_TOO_LARGE ×3" in found.findings[0]
    assert found.not_known == ("min.insync.replicas: denied.",)


def test_no_weakness_is_told_of_a_profile_that_asks_for_no_more() -> None:
    relaxed = client(acks="1", min_insync_replicas=1)
    found = diagnose(live(clients=(relaxed,), settings=topic_settings(least=1)))
    assert found.state is State.HEALTHY
    assert isinstance(topic_settings()["min.insync.replicas"], Setting)
