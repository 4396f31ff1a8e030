"""``profiles validate`` on a producer configuration in any of the formats people have it in."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.cli.conftest import Invoke, document
from tests.cli.test_docs import example, keys_of

TEXTS = {
    "python": 'conf = {"bootstrap.servers": "b:9092", "acks": "all", "linger.ms": 20}\n',
    "librdkafka": "acks=all\nlinger.ms=20\n",
    "spring": "spring:\n  kafka:\n    producer:\n      acks: all\n",
    "json": '{"acks": "all"}',
    "connect": "producer.acks=all\n",
}


def validated(invoke: Invoke, text: str) -> tuple[int, Any]:
    result = invoke("profiles", "validate", "-", "--json", input=text)
    return result.exit_code, document(result)


@pytest.mark.parametrize("kind", TEXTS)
def test_each_format_is_detected_and_can_be_run(invoke: Invoke, kind: str, db_path: Path) -> None:
    code, told = validated(invoke, TEXTS[kind])
    assert (code, told["format"], told["valid"], told["accepted"]) == (0, kind, True, True)
    assert (told["error"], told["profile"], told["problems"]) == (None, None, [])
    assert not db_path.exists()


def test_the_json_has_the_keys_that_are_documented(invoke: Invoke) -> None:
    extra = '{"buffer.memory": 1024, "debug": "msg"}'
    profile = f'{{"name": "p", "producer": {{"extra": {extra}}}, "workload": {{"topic": "t"}}}}'
    _, told = validated(invoke, profile)
    assert keys_of(told) == keys_of(example("profiles", "validate"))


def test_a_refused_configuration_ends_with_1_and_librdkafkas_words(invoke: Invoke) -> None:
    code, told = validated(invoke, "acks=1\nenable.idempotence=true\n")
    assert (code, told["valid"], told["accepted"]) == (1, False, False)
    assert "`acks` must be set to `all`" in told["error"]
    acks = next(setting for setting in told["settings"] if setting["name"] == "acks")
    assert (acks["verdict"], acks["translation"], acks["line"]) == ("refused", "acks=all", 1)
    assert told["corrected"]["text"].endswith("acks=all\nenable.idempotence=true\n")


def test_a_dangerous_one_can_be_run_and_ends_with_0(invoke: Invoke) -> None:
    code, told = validated(invoke, "acks=0\n")
    assert (code, told["valid"]) == (0, True)
    assert told["settings"][0]["verdict"] == "dangerous"


def test_one_whose_files_are_elsewhere_can_be_run_there(invoke: Invoke) -> None:
    code, told = validated(invoke, "security.protocol=ssl\nssl.ca.location=/no/such.pem\n")
    assert (code, told["valid"], told["accepted"]) == (0, True, False)
    assert told["not_tried"][0]["name"] == "ssl.ca.location"


def test_the_effective_values_tell_where_they_are_from(invoke: Invoke) -> None:
    _, told = validated(invoke, "enable.idempotence=true\n")
    sources = {value["name"]: (value["value"], value["from"]) for value in told["effective"]}
    assert sources["enable.idempotence"] == ("true", "given")
    assert sources["max.in.flight"] == ("5", "derived")
    assert sources["linger.ms"] == ("5", "default")


@pytest.mark.parametrize("text", ["acks=all\nno pair\n", '{"acks": ', ""])
def test_what_cannot_be_read_is_a_problem_with_its_mend(invoke: Invoke, text: str) -> None:
    code, told = validated(invoke, text)
    assert (code, told["format"], told["accepted"], told["settings"]) == (1, None, False, [])
    (problem,) = told["problems"]
    assert problem["message"]
    assert problem["mend"]
    shown = invoke("profiles", "validate", "-", input=text)
    assert shown.exit_code == 1
    assert problem["mend"] in shown.stdout


def test_people_see_a_table_worst_first_and_the_corrected_one(
    invoke: Invoke, tmp_path: Path
) -> None:
    path = tmp_path / "producer.conf"
    path.write_text("linger.ms=20\nacks=1\nlingerms=5\nsasl.password=hunter2\n")
    result = invoke("profiles", "validate", path)
    assert result.exit_code == 1
    order = [
        result.stdout.index(word) for word in ("unknown ", "dangerous ", "no-effect ", "fine ")
    ]
    assert order == sorted(order)
    assert "Corrected:" in result.stdout
    assert "acks=all" in result.stdout
    assert f"{path} (librdkafka): librdkafka refuses it: No such configuration" in result.stdout
    assert "hunter2" not in result.stdout + result.stderr


def test_people_are_told_of_dangers_in_what_is_taken(invoke: Invoke) -> None:
    result = invoke("profiles", "validate", "-", input="acks=1\nretries=3\n")
    assert result.exit_code == 0
    assert "librdkafka takes it, and 2 settings are dangerous." in result.stdout


def test_no_secret_is_in_the_json(invoke: Invoke) -> None:
    text = "conf = {'acks': 1, 'sasl.password': 'hunter2', 'x': 'http://u:hunter2@h'}"
    assert "hunter2" not in invoke("profiles", "validate", "-", "--json", input=text).output


def test_a_profile_is_checked_as_one_and_its_settings_are_judged(invoke: Invoke) -> None:
    code, told = validated(
        invoke, '{"name": "p", "producer": {"acks": 1}, "workload": {"topic": "t"}}'
    )
    assert (code, told["valid"], told["profile"], told["format"]) == (0, True, "p", "profile")
    assert [(one["name"], one["verdict"]) for one in told["settings"]] == [("acks", "dangerous")]
