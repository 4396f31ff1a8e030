"""The rules of the check, each with the case that shows it and the words of its reason."""

from __future__ import annotations

import json
import logging
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from confluent_kafka import KafkaError, KafkaException, Producer

from producer_agent.advice.check.configuration_check import Judgement, check, read
from producer_agent.advice.check.verdicts import JudgedSetting
from producer_agent.kafka.embedded import EmbeddedCluster
from producer_agent.kafka.properties import known_properties
from tests.waiting import wait_until

Settings = dict[str, Any]

QUIET = logging.getLogger("tests.quiet")
QUIET.addHandler(logging.NullHandler())
QUIET.propagate = False


def judge(settings: Settings) -> Judgement:
    return check(read(json.dumps(settings)))


def judge_text(text: str) -> Judgement:
    return check(read(text))


def setting(judgement: Judgement, name: str) -> JudgedSetting:
    found = [one for one in judgement.settings if one.name == name]
    assert len(found) == 1, judgement.settings
    return found[0]


SSL = {"security.protocol": "ssl"}


def cases() -> Iterator[tuple[Settings, str, str, str, str | None]]:
    text = (Path(__file__).parent / "verdict_cases.txt").read_text(encoding="utf-8")
    for line in text.splitlines():
        if line and not line.startswith("#"):
            settings, name, verdict, words, translation = line.split(" | ")
            yield (
                json.loads(settings),
                name,
                verdict,
                words,
                None if translation == "-" else (translation),
            )


# Configuration, the setting that is judged, verdict, words of its reason, what to write.
CASES = list(cases())


@pytest.mark.parametrize(
    ("settings", "name", "verdict", "words", "translation"),
    CASES,
    ids=[f"{verdict}-{json.dumps(settings)}" for settings, _, verdict, *_ in CASES],
)
def test_a_setting_is_judged(
    settings: Settings, name: str, verdict: str, words: str, translation: str | None
) -> None:
    found = setting(judge(settings), name)
    assert found.verdict == verdict, found.reason
    assert words in found.reason
    assert found.translation == translation


def test_every_verdict_has_a_case() -> None:
    assert {case[2] for case in CASES} == {
        "refused", "unknown", "java-only", "no-effect", "dangerous", "default", "fine"
    }  # fmt: skip


@pytest.mark.parametrize(
    "settings", [case[0] for case in CASES], ids=[json.dumps(case[0]) for case in CASES]
)
def test_accepted_is_librdkafkas_answer_and_the_corrected_one_is_taken(settings: Settings) -> None:
    found = judge(settings)
    if set(settings) & {"plugin.library.paths", "internal.termination.signal"}:
        assert found.not_tried  # these would be acted on
    else:
        nowhere = {"bootstrap.servers": "127.0.0.1:1"} if "bootstrap.servers" in settings else {}
        assert found.accepted is is_taken(settings | nowhere), found.error
        assert (found.error is None) is found.accepted
    if found.corrected.error is not None:
        assert settings["sasl.mechanism"] == "BANANA"  # which one was meant is not known
        return
    corrected = json.loads(found.corrected.text)
    assert is_taken({name: value for name, value in corrected.items() if "location" not in name})


def is_taken(settings: Settings) -> bool:
    try:
        Producer(settings, logger=QUIET).close()
    except (KafkaException, TypeError):
        return False
    return True


def test_a_dangerous_setting_is_mended_in_the_corrected_one_and_told() -> None:
    found = judge({"acks": 1, "linger.ms": 20, "group.id": "g"})
    assert found.corrected.settings == (("acks", "all"), ("linger.ms", "20"))
    assert [(c.name, c.before, c.after) for c in found.corrected.changes] == [
        ("acks", "1", "acks=all"),
        ("group.id", "g", None),
    ]
    assert "# left out: group.id" not in found.corrected.text  # JSON has no remarks
    assert json.loads(found.corrected.text) == {"acks": "all", "linger.ms": "20"}


def test_the_corrected_python_can_be_run_and_takes_secrets_from_the_environment() -> None:
    found = judge_text(
        'conf = {"bootstrap.servers": os.environ["B"], "acks": 1, "sasl.password": "hunter2",\n'
        '        "sasl.username": "u", "sasl.mechanism": "PLAIN", "security.protocol": "SASL_SSL"}'
    )
    environment = {"B": "127.0.0.1:1", "KAFKA_SASL_PASSWORD": "p"}
    scope: dict[str, Any] = {}
    code = found.corrected.text.replace("import os", "class os: environ = ENV")
    exec(compile(code, "corrected", "exec"), {"ENV": environment}, scope)
    assert scope["conf"]["acks"] == "all"
    assert scope["conf"]["sasl.password"] == "p"
    Producer(scope["conf"]).close()


def test_the_effective_configuration_is_whole_and_tells_where_each_value_is_from() -> None:
    found = judge({"enable.idempotence": True, "transactional.id": "t", "linger.ms": 20})
    values = {value.name: (value.value, value.source) for value in found.effective}
    assert values["linger.ms"] == ("20", "given")
    assert values["max.in.flight"] == ("5", "derived")
    assert values["delivery.timeout.ms"] == ("60000", "derived")
    assert values["socket.timeout.ms"] == ("59900", "derived")
    assert values["acks"] == ("-1", "default")
    assert values["batch.size"] == ("1000000", "default")
    own = [
        p for p in known_properties().values()
        if p.role != "consumer" and p.kind != "callback" and not p.alias_of
    ]  # fmt: skip
    assert len(found.effective) == len(own)


def test_a_java_configuration_is_told_which_defaults_differ_and_is_given_them() -> None:
    found = judge_text("acks=all\nbuffer.memory=1048576\n")
    assert found.format == "java"
    assert any("enable.idempotence is not written" in note for note in found.notes)
    settings = dict(found.corrected.settings)
    assert settings["enable.idempotence"] == "true"
    assert settings["partitioner"] == "murmur2_random"
    assert settings["queue.buffering.max.kbytes"] == "1024"


def test_default_topic_config_beats_the_top_level_as_it_does_in_librdkafka() -> None:
    found = judge_text('Producer({"default.topic.config": {"acks": 1}, "acks": "all"})')
    verdicts = [(one.name, one.value, one.verdict) for one in found.settings]
    assert verdicts == [("acks", "all", "no-effect"), ("acks", "1", "dangerous")]


def test_of_one_name_twice_the_last_value_counts_in_the_first_place_as_in_a_dict() -> None:
    text = '{"linger.ms": 1, "queue.buffering.max.ms": 2, "linger.ms": 3}'
    held = {value.name: value.value for value in judge_text(text).effective}
    assert held["queue.buffering.max.ms"] == "2"
    assert [one.verdict for one in judge_text(text).settings] == ["no-effect", "fine", "no-effect"]


def test_all_that_librdkafka_refuses_together_is_found_not_only_the_first() -> None:
    found = judge(
        {"enable.idempotence": True, "acks": 1, "retries": 0, "max.in.flight": 9,
         "queuing.strategy": "lifo"}
    )  # fmt: skip
    refused = {one.name for one in found.settings if one.verdict == "refused"}
    assert refused == {"acks", "retries", "max.in.flight", "queuing.strategy"}


@pytest.mark.parametrize(
    ("settings", "name", "remark"),
    [
        ({"acks": "one"}, "acks", "(request.required.acks is its name for acks)"),
        (
            {"transactional.id": "t", "delivery.timeout.ms": 300000},
            "delivery.timeout.ms",
            "(message.timeout.ms is its name for delivery.timeout.ms)",
        ),
    ],
)
def test_a_refusal_under_another_name_says_which_was_written(
    settings: Settings, name: str, remark: str
) -> None:
    assert remark in setting(judge(settings), name).reason


def test_statistics_that_nobody_is_told_have_no_effect_in_python_alone() -> None:
    python = judge_text('Producer({"statistics.interval.ms": 1000})')
    assert python.settings[0].verdict == "no-effect"
    told = judge_text('Producer({"statistics.interval.ms": 1000, "stats_cb": print})')
    assert told.settings[0].verdict == "fine"
    assert judge_text("statistics.interval.ms=1000").settings[0].verdict == "fine"


def test_a_file_that_is_missing_here_is_told_apart_from_a_refusal() -> None:
    found = judge(SSL | {"ssl.ca.location": "/no/such.pem"})
    assert (found.accepted, found.runnable) == (False, True)
    assert "ssl.ca.location" in (found.error or "")
    assert [left.name for left in found.not_tried] == ["ssl.ca.location"]


def test_a_file_that_is_there_is_looked_at(tmp_path: Path) -> None:
    path = tmp_path / "ca.pem"
    path.write_text("no certificate")
    found = judge(SSL | {"ssl.ca.location": str(path)})
    assert (found.accepted, found.runnable) == (False, False)
    assert setting(found, "ssl.ca.location").verdict == "refused"


def test_what_would_be_acted_on_is_not_put_to_librdkafka(tmp_path: Path) -> None:
    """No code is loaded, no command run, no pipe read, no token fetched."""
    ran = tmp_path / "ran"
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    began = time.monotonic()
    found = judge(
        {
            "security.protocol": "sasl_ssl",
            "sasl.mechanism": "OAUTHBEARER",
            "sasl.oauthbearer.method": "oidc",
            "sasl.oauthbearer.token.endpoint.url": "http://127.0.0.1:1/",
            "sasl.kerberos.kinit.cmd": f"touch {ran}",
            "plugin.library.paths": "no-such-plugin",
            "ssl.engine.location": "/no/engine.so",
            "ssl.ca.location": str(pipe),
        }
    )
    assert time.monotonic() - began < 5
    assert not ran.exists()
    assert {left.name for left in found.not_tried} >= {
        "plugin.library.paths", "ssl.engine.location", "ssl.ca.location",
        "sasl.kerberos.kinit.cmd", "sasl.oauthbearer.token.endpoint.url",
    }  # fmt: skip
    assert found.accepted, found.error


def test_a_value_that_only_the_program_knows_is_no_danger() -> None:
    found = judge_text(
        'Producer({"acks": acks, "enable.idempotence": flag, "security.protocol": proto,\n'
        '          "ssl.ca.location": ca, "transactional.id": f"t-{n}"})'
    )
    assert {one.verdict for one in found.settings} == {"fine"}
    assert found.accepted


def test_librdkafka_gives_up_after_as_long_as_is_said_of_its_retries(
    own_cluster: EmbeddedCluster,
) -> None:
    own_cluster.create_topic("t")
    own_cluster.push_produce_errors([KafkaError.NOT_ENOUGH_REPLICAS] * 50)
    told = setting(judge({"retries": 3}), "retries").reason
    assert "3 retries are used up after about 0.7 s" in told
    reports: list[KafkaError | None] = []
    producer = Producer(own_cluster.client_defaults | {"retries": 3, "linger.ms": 0}, logger=QUIET)
    producer.list_topics(timeout=5)
    began = time.monotonic()
    producer.produce("t", b"x", on_delivery=lambda error, _: reports.append(error))
    wait_until(lambda: bool(producer.poll(0.01) or reports), 10, "there is no report")
    assert [error.name() for error in reports if error] == ["NOT_ENOUGH_REPLICAS"]
    assert 0.4 < time.monotonic() - began < 3
    producer.close()


def test_produce_refuses_every_record_where_it_is_said_to() -> None:
    told = setting(judge({"linger.ms": 400000}), "linger.ms").reason
    assert "produce() refuses every record" in told
    producer = Producer({"bootstrap.servers": "127.0.0.1:1", "linger.ms": 400000}, logger=QUIET)
    with pytest.raises(KafkaException, match="Invalid argument or configuration"):
        producer.produce("t", b"x")
    producer.close()


def test_ten_thousand_settings_are_judged_in_seconds() -> None:
    began = time.monotonic()
    found = judge_text("".join(f"not.a.setting.{n}=1\n" for n in range(10_000)))
    assert len(found.settings) == 10_000
    assert time.monotonic() - began < 20
