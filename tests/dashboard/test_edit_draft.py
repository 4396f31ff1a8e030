from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dashboard.letters import edit_draft
from dashboard.letters.edit_draft import EditInvalid, Record, bytes_of, difference, kind_of, written

payloads = st.one_of(
    st.none(),
    st.binary(max_size=200),
    st.text(max_size=100).map(lambda t: t.encode("utf-8", "replace")),
)


@given(payloads)
def test_bytes_that_are_written_out_and_read_again_are_the_same(payload: bytes | None) -> None:
    kind = kind_of(payload)
    assert bytes_of(written(payload, kind), kind, "value") == payload
    if payload is not None:
        assert bytes_of(written(payload, "base64"), "base64", "value") == payload


@pytest.mark.parametrize(
    ("payload", "kind"),
    [
        (None, "null"),
        (b"", "text"),
        (b"line\nline\t", "text"),
        (b"crlf\r\n", "base64"),
        (b"\xff", "base64"),
        ("\u202eabc".encode(), "base64"),
    ],
)
def test_text_is_offered_only_where_a_text_field_gives_it_back_as_it_was(
    payload: bytes | None, kind: str
) -> None:
    assert kind_of(payload) == kind


def test_what_is_no_base64_is_told_with_its_field() -> None:
    with pytest.raises(EditInvalid, match="Header trace is not base64"):
        edit_draft.headers_of({"name": ["trace"], "as": ["base64"], "value": ["!"]})
    with pytest.raises(EditInvalid, match="no text"):
        written(b"\xff", "text")


@given(st.lists(st.tuples(st.text(min_size=1, max_size=10), payloads), max_size=5))
def test_headers_keep_their_order_names_and_bytes(
    headers: list[tuple[str, bytes | None]],
) -> None:
    assert edit_draft.headers_of(edit_draft.header_columns(headers)) == tuple(headers)


def test_a_row_that_was_added_and_left_empty_is_no_header() -> None:
    columns: dict[str, list[str | None]] = {
        "name": ["a", None],
        "as": ["text", None],
        "value": [None, None],
    }
    assert edit_draft.headers_of(columns) == (("a", b""),)


@given(payloads, payloads)
def test_a_difference_is_shown_wherever_bytes_differ(
    one: bytes | None, other: bytes | None
) -> None:
    before, after = Record(None, one, ()), Record(None, other, ())
    assert bool(difference(before, after)) == (one != other)


def test_json_is_compared_line_by_line_and_headers_are_named() -> None:
    before = Record(b"k", b'{"a":1,"b":2}', (("h", b"1"), ("gone", None)))
    after = Record(b"k", b'{"a":1,"b":3}', (("h", b"\x00\xff"),))
    lines = difference(before, after).split("\n")
    assert '-    "b": 2' in lines
    assert '+    "b": 3' in lines
    assert "-  gone: null" in lines
    assert "+  h: 0x00ff" in lines
    assert not [line for line in lines if line.startswith(("+", "-")) and '"a"' in line]


def test_a_change_of_white_space_alone_is_shown_as_text_and_of_nothing_visible_as_hex() -> None:
    spaced = difference(Record(None, b'{"a":1}', ()), Record(None, b'{"a": 1}', ()))
    assert '+  {"a": 1}' in spaced
    hidden = difference(Record(None, b"\x00", ()), Record(None, b"\\x00", ()))
    assert "00000000" in hidden


def test_a_long_difference_is_cut_with_a_word_about_it() -> None:
    one = Record(None, "\n".join(map(str, range(2000))).encode(), ())
    assert difference(one, Record(None, b"0", ())).endswith("more lines")
