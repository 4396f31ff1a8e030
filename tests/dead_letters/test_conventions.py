"""Whatever is on a dead-letter topic is read or kept whole; nothing makes decoding raise.

What the headers of each framework tell: ``test_conventions_headers``, ``_spring``, ``_samples``.
"""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from producer_agent.dead_letters.conventions import Decoded, RawRecord, decode
from producer_agent.dead_letters.letters import letter_of

HEADERS = (("h", b"\xff"), ("h", None))


def record(value: bytes | None, key: bytes | None = b"k") -> RawRecord:
    return RawRecord("dead", 0, 5, 1_700_000_000_000, key, value, HEADERS)


def bare(**fields: Any) -> Decoded:
    body = {"original_topic": "orders", "original_value": "v", "error": "boom", **fields}
    return decode(record(json.dumps(body).encode()))


DEEP = b'{"original_topic": "t", "error": "e", "original_value": ' + b"[" * 900 + b"]" * 900 + b"}"
ABYSS = b'{"original_topic": "t", "error": "e", "original_value": ' + b"[" * 200_000

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters()),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)
envelope_names = st.sampled_from(
    [
        "original_topic",
        "original_key",
        "original_key_encoding",
        "original_value",
        "original_value_encoding",
        "original_value_omitted",
        "original_headers",
        "original_partition",
        "error",
        "error_code",
        "error_name",
        "ackboard",
        "stored",
        "run",
        "sequence",
        "sent_us",
        "attempts",
    ]
)


@given(st.none() | st.binary(max_size=300), st.none() | st.binary(max_size=30))
@example(b"", b"")
@example(b"{", None)
@example(b"\xff\xfe{\0}\0", None)
@example(b'{"original_topic": ' + b"9" * 5_000 + b"}", None)
@example(DEEP, None)
@example(ABYSS, None)
def test_on_any_bytes_it_neither_raises_nor_loses_a_byte(
    value: bytes | None, key: bytes | None
) -> None:
    raw = record(value, key)
    decoded = decode(raw)
    letter = letter_of(raw, "", decoded)

    assert (letter.key, letter.value, letter.headers) == (key, value, HEADERS)
    if decoded.convention == "unknown":
        assert (decoded.original_key, decoded.original_value) == (key, value)
        assert decoded.original_headers == HEADERS


@given(st.dictionaries(envelope_names, json_values), st.booleans())
@example(
    {"original_topic": "t", "original_value": "", "error": "", "original_partition": "--5"}, False
)
@example({"original_topic": "t", "original_value": "", "error": "\ud800", "run": "\udfff"}, False)
@example(
    {"original_topic": "t", "original_value": "v", "error": 1, "ackboard": 1, "sequence": 2**70},
    False,
)
def test_on_any_object_with_our_field_names_it_does_not_raise(
    body: dict[str, Any], complete: bool
) -> None:
    if complete:
        body = {"original_topic": "orders", "original_value": "v", "error": "boom", **body}
    raw = record(json.dumps(body).encode())
    decoded = decode(raw)
    letter = letter_of(raw, "", decoded)
    for number in (letter.sequence, letter.error_code, letter.original_partition):
        assert number is None or -(2**63) <= number < 2**63
    assert letter.cause_title


def test_the_bare_five_field_envelope_is_read() -> None:
    decoded = bare(original_key="42", error_code=10)
    assert decoded.convention == "envelope"
    assert decoded.side == "producer"
    assert (decoded.original_key, decoded.original_value) == (b"42", b"v")
    assert (decoded.error_code, decoded.error_class) == (10, "MSG_SIZE_TOO_LARGE")
    assert decoded.error_message == "boom"
    assert decoded.letter_id is None
    assert decoded.fields["original_key"] == "value.original_key"


def test_key_and_code_may_be_left_out_of_a_bare_envelope() -> None:
    decoded = bare()
    assert (decoded.original_key, decoded.error_code, decoded.error_class) == (None, None, None)
    assert decoded.may_be_stored is None


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ({"id": 1, "name": "é"}, b'{"id": 1, "name": "\xc3\xa9"}'),
        ([1, None], b"[1, null]"),
        (12, b"12"),
        ("", b""),
        (None, None),
        ("<b>\u0000\u001b[31m</b>", b"<b>\0\x1b[31m</b>"),
        ("\ud83d", "\ud83d".encode(errors="surrogatepass")),
    ],
)
def test_a_value_embedded_as_json_is_taken_as_json_and_text_as_text(
    value: Any, expected: bytes | None
) -> None:
    assert bare(original_value=value).original_value == expected


@pytest.mark.parametrize(
    ("encoding", "text", "expected"),
    [
        ("base64", "/9j/4A==", b"\xff\xd8\xff\xe0"),
        ("base64", "not base64!", b"not base64!"),
        ("utf-8", "/9j/4A==", b"/9j/4A=="),
        (None, "/9j/4A==", b"/9j/4A=="),
        ("rot13", "abc", b"abc"),
    ],
)
def test_only_what_is_marked_as_base64_is_decoded_as_such(
    encoding: str | None, text: str, expected: bytes
) -> None:
    found = bare(original_value=text, original_value_encoding=encoding)
    assert found.original_value == expected


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ({"trace": "abcd", "none": None}, (("trace", b"abcd"), ("none", None))),
        ([["trace", "abcd"], ["trace", "x y"]], (("trace", b"abcd"), ("trace", b"x y"))),
        ({"n": 5}, (("n", b"5"),)),
        ("nonsense", ()),
        ([1, 2], ()),
        (None, ()),
    ],
)
def test_headers_of_a_hand_written_envelope_are_text(headers: Any, expected: Any) -> None:
    assert bare(original_headers=headers).original_headers == expected


@pytest.mark.parametrize(
    "value",
    [
        None,
        b"",
        b"plain text",
        b"[1, 2]",
        b'"text"',
        b'{"original_topic": "t"}',
        b'{"original_topic": 5, "original_value": "v", "error": "e"}',
        b'{"original_topic": "", "original_value": "v", "error": "e"}',
        b'{"original_topic": "t", "original_value": "v", "error": "e"} trailing',
    ],
)
def test_what_is_no_envelope_is_its_own_original(value: bytes | None) -> None:
    decoded = decode(record(value))
    assert decoded.convention == "unknown"
    assert decoded.side == "unknown"
    assert decoded.original_topic is None
    assert (decoded.original_value, decoded.original_headers) == (value, HEADERS)
