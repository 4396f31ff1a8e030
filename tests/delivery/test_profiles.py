"""The model: its types, its ranges, its JSON, and the configuration it stands for."""

from __future__ import annotations

import json
import pickle
import subprocess
import sys
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from producer_agent.delivery.profile_problems import UNNAMED, Problem, meant_number
from producer_agent.delivery.profiles import (
    PROPERTY_OF,
    FaultMix,
    Objective,
    ProducerSettings,
    Profile,
    ProfileInvalid,
    Workload,
)
from producer_agent.kafka.properties import canonical, known_properties, read_back

MINIMAL: dict[str, Any] = {"name": "p", "workload": {"topic": "t"}}


def problems_of(**sections: Any) -> list[Problem]:
    with pytest.raises(ProfileInvalid) as caught:
        Profile.from_mapping(MINIMAL | sections)
    return list(caught.value.problems)


def problems_read(text: str) -> list[Problem]:
    try:
        Profile.from_json(text)
    except ProfileInvalid as error:
        return list(error.problems) or pytest.fail("refused without a problem")
    return []


def only_problem(**sections: Any) -> Problem:
    found = problems_of(**sections)
    assert len(found) == 1, found
    return found[0]


# --- the settings are librdkafka's -----------------------------------------------------------


@pytest.mark.parametrize(("field", "name"), PROPERTY_OF.items())
def test_every_default_is_librdkafkas_own(field: str, name: str) -> None:
    default = getattr(ProducerSettings(), field)
    told = known_properties()[canonical(name)].default
    if default is None:
        assert told == ""
    elif isinstance(default, bool):
        assert str(default).lower() == told
    else:
        reading = read_back(name, default)
        assert reading is not None
        assert reading.held is not None
        assert float(reading.held) == float(told) if told.isdigit() else reading.held == told


@pytest.mark.parametrize(
    ("field", "name"),
    [(f, n) for f, n in PROPERTY_OF.items() if known_properties()[n].minimum is not None],
)
def test_every_range_is_librdkafkas_own(field: str, name: str) -> None:
    known = known_properties()[name]
    assert known.minimum is not None
    assert known.maximum is not None
    if field == "acks":  # its range is wider than what a broker takes
        return
    for value in (known.minimum, known.maximum):
        assert getattr(ProducerSettings.model_validate({field: value}), field) == value
    for value in (known.minimum - 1, known.maximum + 1):
        problem = only_problem(producer={field: value})
        assert problem.field == f"producer.{field}"


def test_the_codecs_are_those_librdkafka_was_built_with() -> None:
    for codec in known_properties()["compression.type"].choices:
        assert ProducerSettings.model_validate({"compression": codec}).compression == codec


@pytest.mark.parametrize(
    ("written", "held"),
    [
        (0, 0),
        (1, 1),
        (-1, "all"),
        ("0", 0),
        ("1", 1),
        ("-1", "all"),
        ("all", "all"),
        ("ALL", "all"),
    ],
)
def test_acks_is_read_in_every_usual_spelling(written: object, held: object) -> None:
    acks = ProducerSettings.model_validate({"acks": written}).acks
    assert acks == held
    assert type(acks) is type(held)


@pytest.mark.parametrize("written", [2, -2, "2", "alll", "", True, False, None, 1.5, [1]])
def test_an_acks_level_no_broker_takes_is_refused(written: object) -> None:
    problem = only_problem(producer={"acks": written})
    assert problem.field == "producer.acks"
    assert '"all"' in problem.mend


@pytest.mark.parametrize(("acks", "label"), [(0, "0"), (1, "1"), ("all", "all")])
def test_the_acks_label_is_a_word(acks: object, label: str) -> None:
    assert Profile.from_mapping(MINIMAL | {"producer": {"acks": acks}}).acks_label == label


def test_idempotence_lowers_the_requests_in_flight_as_librdkafka_does() -> None:
    assert ProducerSettings().max_in_flight == 1_000_000
    assert ProducerSettings(idempotence=True).max_in_flight == 5
    assert ProducerSettings(idempotence=True, max_in_flight=3).max_in_flight == 3
    about = known_properties()["enable.idempotence"].description
    assert "max.in.flight.requests.per.connection=5" in about


def test_a_transactional_id_brings_idempotence_and_the_transactions_time_out() -> None:
    settings = ProducerSettings(transactional_id="x")
    assert settings.idempotence
    assert settings.max_in_flight == 5
    assert settings.delivery_timeout_ms == 60_000
    longer = ProducerSettings(transactional_id="x", transaction_timeout_ms=90_000)
    assert longer.delivery_timeout_ms == 90_000
    about = known_properties()["delivery.timeout.ms"].description
    assert "adjusted to `transaction.timeout.ms`" in about


def test_the_configuration_writes_out_every_setting_under_its_librdkafka_name() -> None:
    config = ProducerSettings(acks=1, linger_ms=0.5, extra={"client.id": "c"}).librdkafka()
    assert config == {
        "client.id": "c",
        "acks": 1,
        "enable.idempotence": False,
        "max.in.flight": 1_000_000,
        "retries": 2_147_483_647,
        "retry.backoff.ms": 100,
        "delivery.timeout.ms": 300_000,
        "request.timeout.ms": 30_000,
        "linger.ms": 0.5,
        "batch.size": 1_000_000,
        "compression.type": "none",
        "message.max.bytes": 1_000_000,
        "queue.buffering.max.messages": 100_000,
    }


def test_the_configuration_names_the_transaction_only_if_there_is_one() -> None:
    config = ProducerSettings(transactional_id="x").librdkafka()
    assert config["transactional.id"] == "x"
    assert config["transaction.timeout.ms"] == 60_000
    assert not {n for n in ProducerSettings().librdkafka() if n.startswith("transaction")}


def test_a_typed_setting_comes_after_an_alias_of_it_in_extra_and_so_wins() -> None:
    config = ProducerSettings(linger_ms=1, extra={"queue.buffering.max.ms": 9}).librdkafka()
    assert list(config).index("linger.ms") > list(config).index("queue.buffering.max.ms")


# --- what is refused, and how it is said -----------------------------------------------------


@pytest.mark.parametrize(
    ("sections", "field", "mend"),
    [
        ({"name": "Critical"}, "name", "a-z"),
        ({"name": "critical\n"}, "name", "a-z"),
        ({"name": "a" * 64}, "name", "63"),
        ({"name": ""}, "name", "1 to 63"),
        ({"workload": {}}, "workload.topic", "Add `topic`: the topic to send to"),
        ({"workload": {"topic": "a b"}}, "workload.topic", "A-Z"),
        ({"workload": {"topic": ".."}}, "workload.topic", "A-Z"),
        ({"workload": {"topic": "t" * 250}}, "workload.topic", "249"),
        ({"workload": []}, "workload", "JSON object"),
        ({"workload": {"topic": "t", "rate_per_s": 0}}, "workload.rate_per_s", "above 0"),
        ({"workload": {"topic": "t", "rate_per_s": 100_001}}, "workload.rate_per_s", "100000"),
        ({"workload": {"topic": "t", "payload_bytes": 49}}, "workload.payload_bytes", "50"),
        ({"workload": {"topic": "t", "event": "taks"}}, "workload.event", "'task'"),
        ({"workload": {"topic": "t", "partition": 3}}, "workload.partition", "`partitions`"),
        (
            {"workload": {"topic": "t", "faults": {"oversized": 0.6, "unknown_topic": 0.6}}},
            "workload.faults",
            "add up to 1",
        ),
        ({"producer": {"batch_size": "64KB"}}, "producer.batch_size", "65536"),
        ({"producer": {"batch_size": "1_000"}}, "producer.batch_size", "such as 1000"),
        ({"producer": {"batch_size": "010"}}, "producer.batch_size", "such as 10"),
        ({"producer": {"batch_size": "much"}}, "producer.batch_size", "plain integer."),
        ({"producer": {"batch_size": True}}, "producer.batch_size", "Write a number"),
        ({"producer": {"batch_size": 1.5}}, "producer.batch_size", "whole number"),
        ({"producer": {"linger_ms": "5ms"}}, "producer.linger_ms", "such as 5"),
        ({"producer": {"linger.ms": 5}}, "producer.linger.ms", "`linger_ms`"),
        ({"producer": {"client.rack": "a"}}, "producer.client.rack", "`extra`"),
        ({"producer": {"compression": "brotli"}}, "producer.compression", "'zstd'"),
        ({"producer": {"transactional_id": ""}}, "producer.transactional_id", "1"),
        ({"producer": {"extra": {"a": None}}}, "producer.extra.a", "true or false"),
        ({"producer": {"extra": {"a": [1]}}}, "producer.extra.a", "true or false"),
        ({"producer": {"extra": {"a": float("inf")}}}, "producer.extra.a", "finite"),
        ({"producer": {"extra": {"a": "x\0y"}}}, "producer.extra.a", "Remove that"),
        ({"producer": {"extra": {"a": "\ud800"}}}, "producer.extra.a", "Remove that"),
        ({"objective": {"success_ratio": 1.0}}, "objective.success_ratio", "0.9999"),
        ({"objective": {"success_ratio": 0}}, "objective.success_ratio", "0.9999"),
        ({"objective": {"latency_p99_ms": 0}}, "objective.latency_p99_ms", "above 0"),
        ({"active": "perhaps"}, "active", "true or false"),
        ({"colour": "red"}, "colour", "Remove it"),
    ],
)
def test_a_malformed_profile_is_refused_with_its_field_and_mend(
    sections: dict[str, Any], field: str, mend: str
) -> None:
    problem = only_problem(**sections)
    assert problem.field == field
    assert problem.severity == "error"
    assert mend in problem.mend
    assert problem.message.endswith(".")


def test_every_fault_is_told_at_once_and_none_that_only_follows_from_another() -> None:
    """delivery_timeout_ms hangs on transactional_id; it is not itself at fault."""
    found = problems_of(producer={"transactional_id": "", "retries": -1}, active=None)
    assert {p.field for p in found} == {
        "producer.transactional_id",
        "producer.retries",
        "active",
    }


def test_a_problem_reads_as_one_line_with_profile_field_and_mend() -> None:
    problem = only_problem(producer={"batch_size": "64KB"})
    assert str(problem) == (
        "profile p, producer.batch_size: '64KB' is not a plain integer. "
        "Write a plain integer, such as 65536."
    )


def test_braces_in_what_was_written_are_shown_as_they_are() -> None:
    assert "{message}" in only_problem(name="{message}").message


@pytest.mark.parametrize("data", [[], None, "x", {"name": 5, "workload": {"topic": "t"}}])
def test_a_profile_without_a_usable_name_is_called_unnamed(data: object) -> None:
    with pytest.raises(ProfileInvalid) as caught:
        Profile.from_mapping(data)
    assert {p.profile for p in caught.value.problems} == {UNNAMED}


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "Expecting value"),
        ("{", "line 1"),
        ('{"name": "a", "name": "b"}', "'name' is written twice"),
        ('{"objective": {"latency_p99_ms": NaN}}', "NaN is not a JSON number"),
        ("[" * 100_000, "nested too deeply"),
        ("1" * 5_000, "digits"),
        (b"\xff\xfe\xff", "decode"),
    ],
)
def test_text_that_is_no_json_is_a_problem_and_no_crash(text: str | bytes, words: str) -> None:
    with pytest.raises(ProfileInvalid) as caught:
        Profile.from_json(text)
    (problem,) = caught.value.problems
    assert problem.field == "profile"
    assert words in problem.message


def test_the_exception_survives_the_way_between_processes() -> None:
    error = ProfileInvalid(problems_of(active=None))
    again = pickle.loads(pickle.dumps(error))
    assert again.problems == error.problems
    assert str(again) == str(error)


def test_shares_that_add_up_to_one_are_allowed_whatever_binary_makes_of_them() -> None:
    assert FaultMix(oversized=0.7, unknown_partition=0.2, unknown_topic=0.1).total <= 1 + 1e-9


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("64KB", 65_536),
        ("64 KiB", 65_536),
        ("1m", 1_048_576),
        ("1_000", 1_000),
        ("1,000", 1_000),
        ("010", 10),
        ("5ms", 5),
        ("5 s", 5_000),
        ("2min", 120_000),
        ("1e3", 1_000),
        ("0.5", 0.5),
        ("0x10", None),
        ("many", None),
        ("", None),
    ],
)
def test_the_number_meant_is_guessed_from_its_unit(text: str, meant: int | float | None) -> None:
    assert meant_number(text) == meant


# --- JSON ------------------------------------------------------------------------------------

texts = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=20)
values = st.one_of(
    texts, st.integers(), st.booleans(), st.floats(allow_nan=False, allow_infinity=False)
)
settings = st.builds(
    ProducerSettings,
    acks=st.sampled_from([0, 1, "all"]),
    idempotence=st.booleans(),
    transactional_id=st.none() | texts.filter(bool),
    linger_ms=st.floats(0, 900_000),
    retries=st.integers(0, 2**31 - 1),
    extra=st.dictionaries(texts.filter(bool), values, max_size=4),
)
workloads = st.builds(
    Workload,
    topic=st.from_regex(r"\A[A-Za-z0-9_-]{1,20}\Z"),
    rate_per_s=st.floats(0, 100_000, exclude_min=True),
    faults=st.builds(FaultMix, oversized=st.floats(0, 0.5), unknown_topic=st.floats(0, 0.5)),
    event=st.sampled_from(["task", "analytics", "activity"]),
)
objectives = st.builds(
    Objective,
    success_ratio=st.none() | st.floats(0, 1, exclude_min=True, exclude_max=True),
    latency_p99_ms=st.none() | st.floats(0, 1e9, exclude_min=True),
)
profiles = st.builds(
    Profile,
    name=st.from_regex(r"\A[a-z0-9][a-z0-9._-]{0,62}\Z"),
    description=texts,
    active=st.booleans(),
    producer=settings,
    workload=workloads,
    objective=objectives,
)


@given(profiles)
def test_a_profile_comes_back_from_its_json_as_it_was(profile: Profile) -> None:
    text = profile.to_json()
    again = Profile.from_json(text.encode())
    assert again == profile
    assert again.to_json() == text
    # 1, True and 1.0 are equal in Python and not the same setting.
    assert [type(v) for v in again.producer.extra.values()] == [
        type(v) for v in profile.producer.extra.values()
    ]


@given(st.recursive(st.none() | values, lambda inner: st.dictionaries(texts, inner, max_size=3)))
def test_no_json_document_makes_the_reader_fail_otherwise_than_by_its_problems(
    document: object,
) -> None:
    for data in (document, MINIMAL | {"producer": document}, MINIMAL | {"objective": document}):
        assert all(p.mend and p.message for p in problems_read(json.dumps(data)))


def test_equal_profiles_have_the_same_json_whatever_order_they_were_written_in() -> None:
    one = Profile.from_mapping(MINIMAL | {"producer": {"extra": {"b": 1, "a": 2}}})
    two = Profile.from_mapping({"producer": {"extra": {"a": 2, "b": 1}}} | MINIMAL)
    assert one.to_json() == two.to_json()


def test_a_profile_cannot_be_changed_after_it_was_made() -> None:
    profile = Profile.from_mapping(MINIMAL)
    with pytest.raises(ValueError, match="frozen"):
        profile.active = True  # type: ignore[misc]


def test_the_model_loads_without_a_kafka_client() -> None:
    """A page that only shows profiles must not pay for, or depend on, librdkafka."""
    script = (
        "import sys, producer_agent.delivery.profiles as p;"
        "print([m for m in sys.modules if m.startswith(('confluent', 'producer_agent.kafka'))])"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert done.stdout.strip() == "[]", done.stderr
