"""Configurations as people have them, over a hundred of them in every format, read and judged.

`configurations/expected.json` holds what was found right for each by a person; every secret in
them is `hunter2`.
"""

from __future__ import annotations

import json
from dataclasses import asdict
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from confluent_kafka import KafkaException, Producer

from producer_agent.advice.check.configuration_check import Judgement, check, read

HERE = Path(__file__).parent / "configurations"
EXPECTED: dict[str, dict[str, Any]] = json.loads((HERE / "expected.json").read_text())
NAMES = sorted(f"{path.parent.name}/{path.name}" for path in HERE.glob("*/*"))
DECIDED_BY_A_PERSON = {"java/20-kerberos.properties"}
"""Where nothing can be written that librdkafka takes: it is built without GSSAPI."""


@cache
def judged(name: str) -> Judgement:
    return check(read((HERE / name).read_text(encoding="utf-8")))


def test_there_are_twenty_of_each_format_and_none_is_left_out() -> None:
    formats = [name.partition("/")[0] for name in NAMES]
    assert all(formats.count(kind) >= 20 for kind in set(formats))
    assert len(set(formats)) == 5
    assert set(EXPECTED) == set(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_each_is_judged_as_a_person_would(name: str) -> None:
    found = judged(name)
    assert {
        "format": found.format,
        "accepted": found.accepted,
        "runnable": found.runnable,
        "verdicts": [f"{setting.name}: {setting.verdict}" for setting in found.settings],
    } == EXPECTED[name]


@pytest.mark.parametrize("name", NAMES)
def test_no_secret_of_any_is_in_what_is_said_of_it(name: str) -> None:
    found = judged(name)
    assert "hunter2" not in repr(found)
    assert "hunter2" not in json.dumps(asdict(found))
    pasted = read((HERE / name).read_text(encoding="utf-8"))
    assert "hunter2" not in repr(pasted)


@pytest.mark.parametrize("name", NAMES)
def test_every_setting_has_a_reason_and_a_line_of_the_text(name: str) -> None:
    lines = (HERE / name).read_text(encoding="utf-8").count("\n") + 1
    for setting in judged(name).settings:
        assert setting.reason
        assert 1 <= setting.line <= lines


@pytest.mark.parametrize("name", [name for name in NAMES if name not in DECIDED_BY_A_PERSON])
def test_the_corrected_one_is_taken_and_has_nothing_left_to_mend(name: str) -> None:
    corrected = judged(name).corrected
    assert corrected.error is None
    if not corrected.settings:
        return
    again = check(read(corrected.text))
    assert again.runnable, again.error
    left = {s.name: s.verdict for s in again.settings}
    assert not {"refused", "unknown", "java-only"} & set(left.values()), left


def flat_json() -> list[str]:
    """The configurations a producer can be made with as they stand."""
    documents = {name: json.loads((HERE / name).read_text()) for name in NAMES if "json/" in name}
    return [
        name
        for name, document in documents.items()
        if not any(isinstance(value, dict) for value in document.values())
        and "tasks.max" not in document
    ]


@pytest.mark.parametrize("name", flat_json())
def test_accepted_is_what_a_producer_made_with_it_answers(name: str) -> None:
    document = json.loads((HERE / name).read_text(encoding="utf-8"))
    if "bootstrap.servers" in document or "metadata.broker.list" in document:
        document.pop("metadata.broker.list", None)
        document["bootstrap.servers"] = "127.0.0.1:1"
    try:
        Producer(document).close()
    except (KafkaException, TypeError):
        taken = False
    else:
        taken = True
    assert judged(name).accepted is taken


def test_what_has_no_kerberos_says_so_and_leaves_it_to_a_person() -> None:
    corrected = judged("java/20-kerberos.properties").corrected
    assert corrected.error is not None
    assert "GSSAPI" in corrected.error
