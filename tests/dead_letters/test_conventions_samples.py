"""Dead letters as the frameworks themselves wrote them tell what they are expected to tell."""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from producer_agent.dead_letters.conventions import CONVENTIONS, Hop, RawRecord, decode
from producer_agent.dead_letters.conventions.java_stack import root_of
from producer_agent.dead_letters.letters import letter_of

FOLDER = Path(__file__).parents[1] / "fixtures" / "dead-letters"

CONVENTION_OF_FILE = {
    "kafka-connect": "kafka-connect",
    "kafka-connect-bare": "unknown",
    "kafka-streams": "kafka-streams",
    "smallrye-dead-letter": "smallrye",
    "spring-2.9-dlpr": "spring-recoverer",
    "spring-2.9-retryable-topic": "spring-retryable-topic",
    "spring-dlpr": "spring-recoverer",
    "spring-retryable-topic": "spring-retryable-topic",
    "watermill-poison": "watermill",
}

NAMES = {
    "attempts": "deliveries",
    "original_key_b64": "original_key",
    "original_value_b64": "original_value",
}
"""Where a sample's word is not ours."""

DETAILS = {"handler", "subscriber", "message_uuid"}
NOT_A_FIELD = {"thrown_class", "thrown_message", "error_message_b64", "stack_root_class"}
"""Told by the stack alone, or by the raw header; the stack's root has its own test below."""


@dataclass(frozen=True)
class Sample:
    file: str
    record: RawRecord
    expected: dict[str, Any]
    truth: dict[str, Any]

    def __str__(self) -> str:
        return f"{self.file}-{self.record.topic}-{self.record.offset}"


def decode64(value: str | None) -> bytes | None:
    return None if value is None else base64.b64decode(value)


def pairs(headers: list[list[str | None]]) -> tuple[tuple[str, bytes | None], ...]:
    return tuple((str(name), decode64(value)) for name, value in headers)


def load() -> list[Sample]:
    samples = []
    for path in sorted(FOLDER.glob("*.jsonl")):
        for line in path.read_text("utf-8").splitlines():
            found = json.loads(line)
            record = RawRecord(
                found["topic"],
                found["partition"],
                found["offset"],
                found["timestamp_ms"],
                decode64(found["key_b64"]),
                decode64(found["value_b64"]),
                pairs(found["headers"]),
            )
            samples.append(Sample(path.stem, record, found["expected"], found["truth"]))
    return samples


SAMPLES = load()
every_sample = pytest.mark.parametrize("sample", SAMPLES, ids=str)


def test_every_file_of_samples_is_read() -> None:
    assert {sample.file for sample in SAMPLES} == set(CONVENTION_OF_FILE)


@every_sample
def test_a_sample_tells_what_is_expected(sample: Sample) -> None:
    decoded = decode(sample.record)
    assert decoded.convention == CONVENTION_OF_FILE[sample.file]
    for name, value in sample.expected.items():
        if name == "original_headers":
            assert_headers(sample, decoded.original_headers)
        elif name == "hops":
            assert_hops(decoded.hops, value)
        elif name == "original_timestamp_ms" and decoded.convention == "unknown":
            # What no convention claims is its own original, time and all.
            assert decoded.original_timestamp_ms == sample.record.timestamp_ms
        elif name in DETAILS:
            assert decoded.details[name] == value
        elif name not in NOT_A_FIELD:
            wanted = decode64(value) if name.endswith("_b64") else value
            assert getattr(decoded, NAMES.get(name, name)) == wanted, name


def assert_headers(sample: Sample, found: tuple[tuple[str, bytes | None], ...]) -> None:
    wanted = pairs(sample.expected["original_headers"])
    if CONVENTION_OF_FILE[sample.file] != "watermill":
        assert found == wanted
        return
    # Watermill's headers are a map, so their order is any. The UUID that its marshaler adds is
    # left out of what is expected, but the record that failed had it, and consumers know a message
    # by it: a replay has to keep it.
    uuid = [pair for pair in found if pair[0] == "_watermill_message_uuid"]
    assert sorted(found) == sorted([*wanted, *uuid])
    assert sorted(found) == sorted(pairs(sample.truth["original_headers"]))


def assert_hops(found: tuple[Hop, ...], wanted: list[dict[str, Any]]) -> None:
    assert len(found) == len(wanted)
    for hop, expected in zip(found, wanted, strict=True):
        for name, value in expected.items():
            if name == "error_class" and hop.error_wrapper_class is not None:
                # SmallRye's samples name a hop's outer class here, Spring's the cause's.
                assert value in (hop.error_class, hop.error_wrapper_class)
            else:
                assert getattr(hop, name) == value, name


@every_sample
def test_a_sample_is_claimed_by_one_convention_at_most(sample: Sample) -> None:
    claims = [
        found for claim in CONVENTIONS.values() if (found := claim(sample.record)) is not None
    ]
    assert len(claims) == (0 if CONVENTION_OF_FILE[sample.file] == "unknown" else 1)


@every_sample
def test_the_root_of_a_sample_s_stack_is_found(sample: Sample) -> None:
    wanted = sample.expected.get("stack_root_class")
    stack = decode(sample.record).stack
    assert (stack is None) == (wanted is None)
    if stack is not None:
        root = root_of(stack)
        assert root is not None
        assert root.error_class == wanted


@every_sample
def test_each_field_names_the_header_that_holds_it(sample: Sample) -> None:
    decoded = decode(sample.record)
    held = {
        name: [value for other, value in sample.record.headers if other == name]
        for name, _ in sample.record.headers
    }
    for field, place in decoded.fields.items():
        if place in ("key", "value"):
            continue
        word, name, occurrence = place.split(" ")
        assert word == "header"
        raw = held[name][int(occurrence.strip("[]"))]
        assert raw is not None
        value = decoded.details.get(field.removeprefix("details."), getattr(decoded, field, None))
        if isinstance(value, str) and field.startswith(("error_", "original_topic", "cons")):
            assert raw.decode("utf-8", "replace") == value
    told = ("original_topic", "original_offset", "error_class", "error_message", "deliveries")
    for field in told:
        assert (getattr(decoded, field) is not None) <= (field in decoded.fields), field


@every_sample
def test_a_sample_is_stored_on_the_consumer_s_side_with_every_byte(sample: Sample) -> None:
    letter = letter_of(sample.record, "", decode(sample.record))
    assert letter.side == ("unknown" if letter.convention == "unknown" else "consumer")
    assert (letter.key, letter.value) == (sample.record.key, sample.record.value)
    assert letter.headers == sample.record.headers
    assert letter.original_topic == sample.expected["original_topic"]
    assert letter.error_class == sample.expected["error_class"]
