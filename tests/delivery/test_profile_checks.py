"""The rules: each finds its fault, and librdkafka does what the rule says it does."""

from __future__ import annotations

import logging
import os
from typing import Any

import pytest
from confluent_kafka import KafkaException, Producer

from producer_agent.delivery.extra_checks import FROM_JAVA, OWNED
from producer_agent.delivery.profile_checks import (
    MESSAGE_OVERHEAD_BYTES,
    Problem,
    check,
    librdkafka_refusal,
)
from producer_agent.delivery.profiles import PROPERTY_OF, Profile
from producer_agent.delivery.shipped_profiles import shipped_profiles
from producer_agent.kafka.properties import ALIASES, known_properties, read_back

Parts = dict[str, Any]
GOOD: Parts = {"acks": "all", "idempotence": True}


def profile(
    producer: Parts | None = None, workload: Parts | None = None, objective: Parts | None = None
) -> Profile:
    return Profile.from_mapping(
        {
            "name": "billing",
            "producer": producer or {},
            "workload": {"topic": "t"} | (workload or {}),
            "objective": objective or {},
        }
    )


def extra(**settings: Any) -> Parts:
    return {"extra": {name.replace("__", "."): value for name, value in settings.items()}}


def only_problem(subject: Profile) -> Problem:
    found = check(subject)
    assert len(found) == 1, [str(p) for p in found]
    return found[0]


def test_the_default_profile_is_clean() -> None:
    assert check(profile()) == []
    assert check(profile(GOOD)) == []
    assert librdkafka_refusal(profile()) is None


# What librdkafka itself refuses: parts, field, severity-independent word of the mend.
ENFORCED: list[tuple[Parts, str, str]] = [
    (GOOD | {"acks": 1}, "producer.acks", 'to "all"'),
    (GOOD | {"acks": 0}, "producer.acks", 'to "all"'),
    (GOOD | {"max_in_flight": 6}, "producer.max_in_flight", "5 or less"),
    (GOOD | {"retries": 0}, "producer.retries", "1 or more"),
    (
        GOOD | {"extra": {"queuing.strategy": "lifo"}},
        "producer.extra.queuing.strategy",
        "fifo",
    ),
    ({"transactional_id": "x", "idempotence": False}, "producer.idempotence", "to true"),
    ({"transactional_id": "x", "acks": 1}, "producer.acks", "remove `producer.transactional_id`"),
    ({"transactional_id": "x", "max_in_flight": 6}, "producer.max_in_flight", "5 or less"),
    ({"transactional_id": "x", "retries": 0}, "producer.retries", "1 or more"),
    (
        {"transactional_id": "x", "delivery_timeout_ms": 60_001},
        "producer.delivery_timeout_ms",
        "60000 or less",
    ),
    (
        {"transactional_id": "x", "extra": {"socket.timeout.ms": 60_101}},
        "producer.extra.socket.timeout.ms",
        "60000 or less",
    ),
    (
        {"delivery_timeout_ms": 1_000, "linger_ms": 1_000, "request_timeout_ms": 10},
        "producer.delivery_timeout_ms",
        "at least 1010",
    ),
    ({"extra": {"enable.gapless.guarantee": True}}, "producer.extra.enable.gapless.guarantee", ""),
    ({"extra": {"bacth.num.messages": 5}}, "producer.extra.bacth.num.messages", "`batch.num.me"),
    ({"extra": {"linger_ms": 5}}, "producer.extra.linger_ms", "`producer.linger_ms`"),
    ({"extra": {"lingr.ms": 5}}, "producer.extra.lingr.ms", "`producer.linger_ms`"),
    ({"extra": {"zzzz": 5}}, "producer.extra.zzzz", "Remove it."),
    ({"extra": {"max.request.size": 5}}, "producer.extra.max.request.size", "message_max_bytes"),
    ({"extra": {"batch.num.messages": 0}}, "producer.extra.batch.num.messages", "1 to 1000000"),
    ({"extra": {"batch.num.messages": "many"}}, "producer.extra.batch.num.messages", "1 to 1000"),
    ({"extra": {"batch.num.messages": True}}, "producer.extra.batch.num.messages", "plain integer"),
    ({"extra": {"batch.num.messages": ""}}, "producer.extra.batch.num.messages", "plain integer"),
    (
        {"extra": {"socket.keepalive.enable": "yes"}},
        "producer.extra.socket.keepalive.enable",
        "true",
    ),
    ({"extra": {"broker.address.family": "v5"}}, "producer.extra.broker.address.family", "v4"),
    ({"extra": {"partitioner": "murmur3"}}, "producer.extra.partitioner", "documents"),
]


@pytest.mark.parametrize(("parts", "field", "mend"), ENFORCED)
def test_what_librdkafka_refuses_is_found_before_it_does(
    parts: Parts, field: str, mend: str
) -> None:
    subject = profile(parts)
    problem = only_problem(subject)
    assert problem.profile == "billing"
    assert problem.field == field
    assert problem.severity == "error"
    assert mend in problem.mend
    refused = librdkafka_refusal(subject)
    assert refused is not None, "the rule is invented: librdkafka takes this"
    assert refused.profile == "billing"
    assert refused.severity == "error"
    assert refused.mend


# What librdkafka swallows: it starts, and does not do what was written.
SWALLOWED: list[tuple[Parts, Parts, Parts, str, str, str]] = [
    ({"delivery_timeout_ms": 10}, {}, {}, "producer.delivery_timeout_ms", "error", "30005"),
    ({"delivery_timeout_ms": 30_004}, {}, {}, "producer.delivery_timeout_ms", "error", "30005"),
    ({"delivery_timeout_ms": 0}, {}, {}, "producer.delivery_timeout_ms", "warning", "120000"),
    ({"acks": 1, "retries": 0}, {}, {}, "producer.retries", "warning", "2147483647"),
    ({"retry_backoff_ms": 1_001}, {}, {}, "producer.retry_backoff_ms", "warning", "1000 or less"),
    (
        extra(batch__num__messages="64KB"),
        {},
        {},
        "producer.extra.batch.num.messages",
        "error",
        "65536",
    ),
    (
        extra(batch__num__messages="1_000"),
        {},
        {},
        "producer.extra.batch.num.messages",
        "error",
        "1000",
    ),
    (extra(batch__num__messages="010"), {}, {}, "producer.extra.batch.num.messages", "error", "10"),
    (
        extra(batch__num__messages="0x10"),
        {},
        {},
        "producer.extra.batch.num.messages",
        "error",
        "1 to",
    ),
    (extra(batch__num__messages=5.5), {}, {}, "producer.extra.batch.num.messages", "error", "1 to"),
    (
        extra(batch__num__messages=2**32 + 1),
        {},
        {},
        "producer.extra.batch.num.messages",
        "error",
        "1 to",
    ),
    (
        extra(auto__offset__reset="earliest"),
        {},
        {},
        "producer.extra.auto.offset.reset",
        "error",
        "Remove",
    ),
    (extra(group__id="g"), {}, {}, "producer.extra.group.id", "error", "Remove"),
    (
        extra(produce__offset__report=True),
        {},
        {},
        "producer.extra.produce.offset.report",
        "warning",
        "Remove",
    ),
    (
        GOOD | extra(enable__gapless__guarantee=True),
        {},
        {},
        "producer.extra.enable.gapless.guarantee",
        "warning",
        "Remove",
    ),
    (
        {"transactional_id": "x"},
        {"transaction_ms": 60_000},
        {},
        "workload.transaction_ms",
        "error",
        "below 60000",
    ),
    (
        {"transactional_id": "x"},
        {"faults": {"unknown_topic": 0.1}},
        {},
        "workload.faults.unknown_topic",
        "warning",
        "to 0",
    ),
    (
        {"message_max_bytes": 2_000, "batch_size": 2_000},
        {"payload_bytes": 1_965},
        {},
        "workload.payload_bytes",
        "error",
        "twice",
    ),
    (
        {"message_max_bytes": 2_000, "batch_size": 2_000},
        {"payload_bytes": 1_001},
        {},
        "workload.payload_bytes",
        "warning",
        "2002",
    ),
    ({"message_max_bytes": 2_000}, {}, {}, "producer.batch_size", "warning", "2000 or less"),
    (
        {"message_max_bytes": 1_000_001},
        {"faults": {"oversized": 0.01}},
        {},
        "workload.faults.oversized",
        "warning",
        "1000000",
    ),
    ({}, {"min_insync_replicas": 2}, {}, "workload.min_insync_replicas", "error", "to 1,"),
    (
        {},
        {"min_insync_replicas": 4, "replication_factor": 3},
        {},
        "workload.min_insync_replicas",
        "error",
        "to 2,",
    ),
    (
        {"acks": 1},
        {"min_insync_replicas": 2},
        {},
        "workload.min_insync_replicas",
        "warning",
        "to 1,",
    ),
    ({}, {"replication_factor": 3}, {}, "workload.min_insync_replicas", "warning", "to 2"),
    ({"acks": 0}, {}, {"success_ratio": 0.99}, "objective.success_ratio", "warning", "acks"),
]


@pytest.mark.parametrize(
    ("producer", "workload", "objective", "field", "severity", "mend"),
    SWALLOWED,
)
def test_what_librdkafka_swallows_is_found_here(
    producer: Parts, workload: Parts, objective: Parts, field: str, severity: str, mend: str
) -> None:
    subject = profile(producer, workload, objective)
    problem = only_problem(subject)
    assert (problem.field, problem.severity) == (field, severity)
    assert mend in problem.mend
    assert librdkafka_refusal(subject) is None, "librdkafka says so itself: move it to ENFORCED"


@pytest.mark.parametrize(
    ("producer", "workload", "objective"),
    [
        (GOOD | {"max_in_flight": 5, "retries": 1}, {}, {}),
        ({"transactional_id": "x", "delivery_timeout_ms": 60_000}, {}, {}),
        ({"transactional_id": "x", "extra": {"socket.timeout.ms": 60_100}}, {}, {}),
        ({"transactional_id": "x"}, {"transaction_ms": 59_999}, {}),
        ({"transactional_id": "x"}, {"faults": {"oversized": 0.1, "unknown_partition": 0.1}}, {}),
        ({"delivery_timeout_ms": 30_005}, {}, {}),
        ({"acks": 0, "retries": 0}, {}, {}),
        ({"retry_backoff_ms": 2_000, "extra": {"retry.backoff.max.ms": 2_000}}, {}, {}),
        ({"message_max_bytes": 2_000, "batch_size": 2_000}, {"payload_bytes": 1_000}, {}),
        ({"message_max_bytes": 1_000_000}, {"faults": {"oversized": 0.01}}, {}),
        ({}, {"min_insync_replicas": 2, "replication_factor": 3}, {}),
        ({"acks": 1}, {"replication_factor": 3}, {}),
        ({"acks": 1}, {}, {"success_ratio": 0.99}),
        ({"acks": 0}, {}, {"latency_p99_ms": 5}),
        (extra(client__id="billing", partitioner="murmur2_random"), {}, {}),
        (extra(batch__num__messages="1000", socket__keepalive__enable=True), {}, {}),
        (extra(socket__keepalive__enable="TRUE", compression__level=-1), {}, {}),
        (extra(enable__gapless__guarantee=False, queuing__strategy="fifo"), {}, {}),
    ],
)
def test_the_nearest_good_configuration_has_no_error(
    producer: Parts, workload: Parts, objective: Parts
) -> None:
    subject = profile(producer, workload, objective)
    deprecated = [p for p in check(subject) if "deprecated" not in p.message]
    assert deprecated == []
    assert librdkafka_refusal(subject) is None


@pytest.mark.parametrize("typed", sorted(PROPERTY_OF.values()))
def test_a_typed_field_written_again_in_extra_is_refused_by_every_alias(typed: str) -> None:
    names = {typed} | {a for a, c in ALIASES.items() if c == ALIASES.get(typed, typed)}
    names |= {ALIASES.get(typed, typed)}
    field = next(f for f, name in PROPERTY_OF.items() if name == typed)
    for name in names:
        problem = only_problem(profile({"extra": {name: 1}}))
        assert problem.field == f"producer.extra.{name}"
        assert f"set `producer.{field}`" in problem.mend


@pytest.mark.parametrize(
    "name",
    sorted(
        {*OWNED, "sasl.password", "ssl.key.pem", "enable.ssl.certificate.verification"}
        | {"dr_cb", "error_cb", "stats_cb", "throttle_cb", "rebalance_cb", "opaque", "https.ca.pem"}
    ),
)
def test_what_the_agent_owns_is_refused_and_its_value_never_shown(name: str) -> None:
    subject = profile({"extra": {name: "hunter2"}})
    for problem in (only_problem(subject), librdkafka_refusal(subject)):
        assert problem is not None
        assert problem.field == f"producer.extra.{name}"
        assert "not a profile's to set" in problem.message
        assert "hunter2" not in str(problem)


def test_every_property_that_carries_a_secret_or_loads_code_is_owned() -> None:
    risky = ("password", "secret", "passphrase", "key.pem", "library", "engine", "kinit")
    names = [n for n in known_properties() if any(word in n for word in risky)]
    assert len(names) > 8
    for name in names:
        assert "not a profile's to set" in only_problem(profile({"extra": {name: "x"}})).message


def test_a_profile_cannot_make_the_check_load_a_library(tmp_path: Any) -> None:
    """librdkafka would dlopen the path when asked; the refusal is ours, and it never is."""
    plugin = tmp_path / "plugin.so"
    plugin.write_bytes(b"not a library")
    problem = librdkafka_refusal(profile({"extra": {"plugin.library.paths": str(plugin)}}))
    assert problem is not None
    assert "loads code" in problem.message
    assert "dlopen" not in problem.message


@pytest.mark.parametrize("name", sorted(FROM_JAVA))
def test_a_setting_of_the_java_producer_is_unknown_here_and_translated(name: str) -> None:
    assert name not in known_properties()
    assert "Java" in only_problem(profile({"extra": {name: 1}})).mend


def test_the_message_says_what_librdkafka_would_have_read() -> None:
    held = read_back("batch.num.messages", "64KB")
    assert held is not None
    assert held.held == "64"
    problem = only_problem(profile(extra(batch__num__messages="64KB")))
    assert "silently reads '64KB' as 64" in problem.message


def test_errors_come_before_warnings() -> None:
    subject = profile(
        {"acks": 0, "idempotence": True, "delivery_timeout_ms": 0},
        {"min_insync_replicas": 2},
        {"success_ratio": 0.9},
    )
    severities = [p.severity for p in check(subject)]
    assert severities == ["error", "warning", "warning", "warning"]


def test_a_refusal_is_told_in_the_profiles_own_names() -> None:
    """librdkafka speaks of `message.timeout.ms`, which nobody wrote."""
    problem = librdkafka_refusal(profile({"transactional_id": "x", "delivery_timeout_ms": 60_001}))
    assert problem is not None
    assert problem.field == "producer.delivery_timeout_ms"
    assert "`message.timeout.ms` (delivery_timeout_ms)" in problem.message
    assert "producer.delivery_timeout_ms" in problem.mend


def test_a_refusal_that_names_no_property_is_laid_to_the_producer(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("producer_agent.kafka.properties.refusal", lambda config: "out of `memory`")
    problem = librdkafka_refusal(profile())
    assert problem is not None
    assert problem.field == "producer"
    assert "out of `memory`" in problem.message


@pytest.mark.skipif(not os.path.isdir("/proc/self/task"), reason="counts threads as Linux does")
def test_asking_librdkafka_leaves_no_thread_behind() -> None:
    before = len(os.listdir("/proc/self/task"))
    for subject in (profile(), profile({"transactional_id": "x"}), profile(GOOD | {"acks": 1})):
        librdkafka_refusal(subject)
    assert len(os.listdir("/proc/self/task")) == before


def test_the_overhead_of_a_message_is_what_librdkafka_counts() -> None:
    producer = Producer({"message.max.bytes": 2_000}, logger=logging.getLogger("unheard"))
    producer.produce("t", b"x" * (2_000 - MESSAGE_OVERHEAD_BYTES))
    with pytest.raises(KafkaException, match="MSG_SIZE_TOO_LARGE"):
        producer.produce("t", b"x" * (2_001 - MESSAGE_OVERHEAD_BYTES))
    producer.purge()
    producer.close()


def test_only_an_event_that_fails_after_it_was_queued_aborts_a_transaction() -> None:
    """What the warning about `unknown_topic` rests on; librdkafka's own mock is the broker."""
    producer = Producer(
        {"transactional.id": "x", "test.mock.num.brokers": 1, "message.max.bytes": 2_000},
        logger=logging.getLogger("unheard"),
    )
    try:
        producer.init_transactions(10)
        producer.begin_transaction()
        producer.produce("t", b"good", partition=0)
        producer.commit_transaction(10)

        producer.begin_transaction()
        producer.produce("t", b"good", partition=0)
        with pytest.raises(KafkaException, match="MSG_SIZE_TOO_LARGE"):
            producer.produce("t", b"x" * 2_000, partition=0)
        with pytest.raises(KafkaException, match="_UNKNOWN_PARTITION"):
            producer.produce("t", b"x", partition=99)
        producer.commit_transaction(10)

        producer.begin_transaction()
        # A topic not met before: the partition is found missing only after the event was queued.
        producer.produce("fresh", b"x", partition=99)
        with pytest.raises(KafkaException, match="failed delivery") as caught:
            producer.commit_transaction(10)
        assert caught.value.args[0].txn_requires_abort()
    finally:
        producer.abort_transaction(10)
        producer.close()


# --- shipped ---------------------------------------------------------------------------------


def test_a_second_topic_has_to_be_another_one() -> None:
    twice = Profile.from_mapping({"name": "x", "workload": {"topic": "t", "second_topic": "t"}})
    (problem,) = [p for p in check(twice) if p.severity == "error"]
    assert problem.field == "workload.second_topic"
    other = Profile.from_mapping({"name": "x", "workload": {"topic": "t", "second_topic": "u"}})
    assert not [p for p in check(other) if p.severity == "error"]


@pytest.mark.parametrize("shipped", shipped_profiles(), ids=lambda p: p.name)
def test_a_shipped_profile_is_clean_and_librdkafka_takes_it(shipped: Profile) -> None:
    assert check(shipped) == []
    assert librdkafka_refusal(shipped) is None
    assert Profile.from_json(shipped.to_json()) == shipped
    assert shipped.description


def test_the_shipped_profiles_cover_every_acks_level_and_are_active_but_production() -> None:
    assert [(p.name, p.acks_label, p.active) for p in shipped_profiles()] == [
        ("critical", "all", True),
        ("analytics", "1", True),
        ("metrics", "0", True),
        ("production", "all", False),
        ("transactional", "all", False),
        ("canary", "all", False),
    ]
    assert len({p.workload.topic for p in shipped_profiles()}) == 6


def test_the_active_profiles_make_a_handful_of_dead_letters_a_minute_of_every_kind() -> None:
    active = [p for p in shipped_profiles() if p.active]
    per_minute = sum(p.workload.faults.total * p.workload.rate_per_s * 60 for p in active)
    assert 8 <= per_minute <= 20
    for kind in ("oversized", "unknown_partition", "unknown_topic"):
        assert all(getattr(p.workload.faults, kind) > 0 for p in active)


def test_a_week_of_their_dead_letters_stays_under_300_megabytes() -> None:
    kept_beside_the_payload = 1_000  # headers, key, cause and the row itself, in bytes
    total = 0.0
    for shipped in shipped_profiles():
        load, faults = shipped.workload, shipped.workload.faults
        events = load.rate_per_s * 7 * 86_400 * shipped.active
        small = faults.unknown_partition + faults.unknown_topic
        total += events * small * (load.payload_bytes + kept_beside_the_payload)
        total += (
            events
            * faults.oversized
            * (shipped.producer.message_max_bytes + kept_beside_the_payload)
        )
    assert total < 300e6


def test_the_failing_shares_stay_within_each_objectives_error_budget() -> None:
    """A dashboard that starts with a burning objective would teach its users to look away."""
    for shipped in shipped_profiles():
        ratio = shipped.objective.success_ratio
        if ratio is not None:
            assert shipped.workload.faults.total < 1 - ratio
