"""The envelope carries any event, byte for byte."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from producer_agent.dead_letters.conventions import RawRecord, decode
from producer_agent.dead_letters.envelope import Carried, FailedEvent, wrap

EVENT = FailedEvent(
    letter_id="ab:7",
    topic="orders",
    partition=3,
    key=b"k",
    value=b"v",
    headers=(),
    error="Broker: Not enough in-sync replicas",
    error_code=19,
    error_name="NOT_ENOUGH_REPLICAS",
    outcome="failed",
    stored="maybe",
    run="ab",
    sequence=7,
    profile="critical",
    sent_us=1_700_000_000_123_456,
    failed_us=1_700_000_001_000_000,
    attempts={"causes": [], "never_sent": True},
)

some_bytes = st.none() | st.binary(max_size=200) | st.text(max_size=80).map(str.encode)
headers = st.lists(st.tuples(st.text(max_size=20), st.none() | st.binary(max_size=40)), max_size=5)


def record(value: bytes | None, key: bytes | None = b"k") -> RawRecord:
    return RawRecord("dead", 0, 5, 1_700_000_000_000, key, value, ())


@given(some_bytes, some_bytes, headers)
def test_key_value_and_headers_survive_byte_for_byte(
    key: bytes | None, value: bytes | None, pairs: list[tuple[str, bytes | None]]
) -> None:
    """Null and empty stay apart, and a header may come twice."""
    event = replace(EVENT, key=key, value=value, headers=tuple(pairs))

    decoded = decode(record(wrap(event)))

    assert decoded.convention == "ackboard"
    assert decoded.original_key == key
    assert decoded.original_value == value
    assert decoded.original_headers == tuple(pairs)


def test_all_that_is_known_of_the_failure_comes_back() -> None:
    decoded = decode(record(wrap(EVENT)))

    assert decoded.side == "producer"
    assert (decoded.original_topic, decoded.original_partition) == ("orders", 3)
    assert (decoded.error_class, decoded.error_code) == ("NOT_ENOUGH_REPLICAS", 19)
    assert decoded.error_message == EVENT.error
    assert decoded.may_be_stored is True
    assert (decoded.profile, decoded.run, decoded.sequence) == ("critical", "ab", 7)
    assert decoded.letter_id == "ab:7"
    assert decoded.original_timestamp_ms == 1_700_000_000_123
    assert decoded.attempts == EVENT.attempts
    assert decoded.fields["error_class"] == "value.error_name"
    assert decoded.value_omitted is None


def test_the_five_fields_of_hand_written_producers_come_first() -> None:
    body = json.loads(wrap(EVENT))
    plain = [name for name in body if not name.endswith("_encoding")]
    assert plain[:5] == ["original_topic", "original_key", "original_value", "error", "error_code"]


def test_a_value_left_out_is_told_by_size_and_checksum() -> None:
    event = replace(EVENT, value=b"\xff" * 1_000)
    envelope = wrap(event, Carried.NO_VALUE)
    assert len(envelope) < 1_500
    body = json.loads(envelope)
    assert body["original_value"] is None
    assert body["original_value_omitted"] == {
        "bytes": 1_000,
        "sha256": hashlib.sha256(b"\xff" * 1_000).hexdigest(),
        "key_and_headers": False,
    }
    assert decode(record(envelope)).value_omitted == 1_000


def test_key_and_headers_can_stay_behind_too() -> None:
    event = replace(EVENT, key=b"k" * 5_000, headers=(("h", b"v" * 5_000),))
    envelope = wrap(event, Carried.NOTHING)
    assert len(envelope) < 1_500
    body = json.loads(envelope)
    assert (body["original_key"], body["original_headers"]) == (None, [])
    assert body["original_value_omitted"]["key_and_headers"] is True


@given(st.sampled_from(["no", "maybe", "yes"]))
def test_only_what_is_surely_not_stored_is_called_so(stored: str) -> None:
    decoded: Any = decode(record(wrap(replace(EVENT, stored=stored))))
    assert decoded.may_be_stored is (stored != "no")


@pytest.mark.parametrize(
    "value",
    [
        b'{"original\\u005ftopic": "t", "original_value": "v", "error": "e"}',
        '{"original_topic": "t", "original_value": "v", "error": "e"}'.encode("utf-16-le"),
        '{"original_topic": "t", "original_value": "v", "error": "e"}'.encode("utf-32-le"),
    ],
)
def test_an_envelope_is_known_however_its_json_is_written(value: bytes) -> None:
    decoded = decode(record(value))
    assert (decoded.convention, decoded.original_topic) == ("envelope", "t")
