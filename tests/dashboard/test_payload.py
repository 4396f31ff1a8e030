from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dashboard.letters.payload import as_json, as_text, hex_dump

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=20,
)


@given(JSON, st.booleans())
def test_laying_out_json_changes_nothing_that_it_says(value: Any, ascii_only: bool) -> None:
    payload = json.dumps(value, ensure_ascii=ascii_only).encode("utf-8", "surrogatepass")
    laid_out = as_json(payload)
    # A lone surrogate is no UTF-8 and so no JSON on the wire.
    assert laid_out is None or json.loads(laid_out) == value
    assert laid_out is not None or b"\xed" in payload


def test_numbers_and_repeated_keys_stay_as_they_were_written() -> None:
    laid_out = as_json(b'{"n":123456789012345678901,"n":1.10,"e":[1E5,{},[]]}')
    assert laid_out == (
        '{\n  "n": 123456789012345678901,\n  "n": 1.10,\n'
        '  "e": [\n    1E5,\n    {},\n    []\n  ]\n}'
    )


@pytest.mark.parametrize("payload", [b"", b"plain", b"{", b"\xff{}", b'{"a":1}x', b"[" * 100_000])
def test_what_is_no_json_is_not_laid_out(payload: bytes) -> None:
    assert as_json(payload) is None


@pytest.mark.parametrize("character", ["\u202e", "\u200b", "\x00", "\x1b", "\x9b", "\U000e0041"])
def test_what_would_not_be_seen_or_would_turn_the_text_round_is_spelt_out(character: str) -> None:
    assert character not in as_text(f"a{character}b".encode()).text
    quoted = as_json(json.dumps(character, ensure_ascii=False).encode())
    assert quoted is not None
    assert character not in quoted


def test_bytes_that_are_no_utf8_are_shown_and_said_to_be_none() -> None:
    shown = as_text(b"\xff\xfeok")
    assert shown.text == "\\xff\\xfeok"
    assert not shown.is_utf8
    assert as_text("grün\n".encode()) == type(shown)("grün\n", True)


def test_hex_has_offsets_two_halves_and_printable_characters() -> None:
    assert hex_dump(bytes(range(0x30, 0x42)) + b"\x00") == (
        "00000000  30 31 32 33 34 35 36 37  38 39 3a 3b 3c 3d 3e 3f  0123456789:;<=>?\n"
        "00000010  40 41 00                                          @A."
    )


@given(st.binary(max_size=200))
def test_hex_gives_every_byte_back(payload: bytes) -> None:
    lines = hex_dump(payload).splitlines()
    assert b"".join(bytes.fromhex(line[10:58]) for line in lines) == payload
    assert [int(line[:8], 16) for line in lines] == list(range(0, len(payload), 16))
