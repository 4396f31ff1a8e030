"""A cause groups what failed for one reason, whatever differs from record to record."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from producer_agent.dead_letters.conventions import Decoded
from producer_agent.dead_letters.fingerprint import MOST_MESSAGE, VERSION, cause_of, mask


def decoded(message: str | None, **fields: object) -> Decoded:
    values: dict[str, object] = {"error_class": "ValueError", "side": "consumer", **fields}
    return Decoded("unknown", error_message=message, **values)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("order 17 is late by 3.5 s", "order 99 is late by 1,200 s"),
        ("no user 'ann'", "no user 'bob'"),
        (
            "id 7f9c24e8-3b12-4d6a-9f10-aa12bb34cc56 gone",
            "id 00000000-0000-0000-0000-000000000001 gone",
        ),
        ("Connect to 10.0.0.1:9092 failed", "Connect to 192.168.7.20:9093 failed"),
        ("broker-1.kafka.svc:9092 is down", "broker-2.kafka.svc:9092 is down"),
        ("at 2026-01-02T03:04:05.678Z", "at 2025-11-12 13:14:15+01:00"),
        ("hash deadbeef12345678", "hash 0123456789abcdef"),
        ("NOT_ENOUGH_REPLICAS ×38", "NOT_ENOUGH_REPLICAS ×7"),
        ("boom\n at line 5", "boom\n at line 6"),
    ],
)
def test_what_varies_from_record_to_record_does_not_tell_causes_apart(one: str, other: str) -> None:
    assert cause_of(decoded(one)) == cause_of(decoded(other))


@pytest.mark.parametrize(
    "other",
    [
        decoded("no user", error_class="KeyError"),
        decoded("no order"),
        decoded("no user", side="producer"),
        decoded(None),
    ],
)
def test_another_error_message_or_side_is_another_cause(other: Decoded) -> None:
    assert cause_of(decoded("no user")).fingerprint != cause_of(other).fingerprint


def test_words_with_digits_in_them_are_kept() -> None:
    assert mask("acks=all needs http2 and utf8") == "acks=all needs http2 and utf8"


@given(st.text(st.characters(), max_size=3_000))
def test_any_text_is_masked_in_one_short_line(text: str) -> None:
    masked = mask(text)
    assert len(masked) <= MOST_MESSAGE
    assert "\n" not in masked
    cause = cause_of(decoded(text))
    assert cause.fingerprint.startswith(f"v{VERSION}:")
    assert len(cause.fingerprint) == len("v1:") + 16


def test_a_very_long_message_is_masked_quickly() -> None:
    began_s = time.monotonic()
    for hostile in ("1" * 1_000_000, "a." * 500_000, "'" * 500_000, "0x" + "f" * 900_000):
        mask(hostile)
    assert time.monotonic() - began_s < 2


def test_without_a_reason_there_is_still_a_title() -> None:
    assert cause_of(Decoded("unknown")).title == "no reason told"
    assert cause_of(Decoded("unknown", error_code=19)).title == "code 19"
