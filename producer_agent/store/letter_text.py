"""What of a dead letter can be searched for, and how a person's words become a search.

Three indexes of SQLite's FTS5 (https://www.sqlite.org/fts5.html), kept by triggers wherever SQL
alone can tell what to index (``store/schema/m12_letter_search.py``):

- ``letter_text``: words of the payload. Everything but letters and digits divides words, so
  ``order-8812`` and ``kim@example.com`` are phrases, found whole or by a part. The original's
  payload is indexed where the record wraps it, the first 8 KiB of either.
- ``letter_headers``: a mark for each header's name, and one for each name with its value, so that
  a header is found exactly, whatever its bytes, at the cost of one word.
- ``letter_keys``: every three characters in a row of the original key, for "contains".
"""

from __future__ import annotations

import re
from functools import lru_cache
from hashlib import blake2b

from producer_agent.store.headers import Headers, as_bytes

SEARCHED_BYTES = 8_192
"""How much of a payload is searched. Beyond it a letter is found by its header, key or cause."""

REPEATED_BYTES = 64
"""Header values up to this size, which most letters of a topic share, are digested once."""

SHORTEST_KEY_PART = 3
"""Characters that ``letter_keys`` needs; what is shorter is looked for letter by letter."""

_WORD = re.compile(r'"([^"]*)"(\*?)|(\S+)')
_UNSEARCHABLE = re.compile(r"[\x00-\x1f\ud800-\udfff]")


def searched_text(value: bytes | None, original: bytes | None) -> str | None:
    """The original's text, where the record's own value is something else (an envelope)."""
    if original is None or original == value:
        return None
    return original[:SEARCHED_BYTES].decode("utf-8", "replace")


def header_marks(*headers: Headers) -> str:
    """The words that ``letter_headers`` holds for a letter with these headers."""
    marks: dict[str, None] = {}
    for some in headers:
        for name, value in some:
            marks[_name_mark(name)] = marks[_value_mark(name, as_bytes(value))] = None
    return " ".join(marks)


def text_query(text: str) -> str | None:
    """The FTS5 expression that finds all of the words in ``text``; None if it has no word.

    Words may stand anywhere; what stands in double quotes, or is joined by signs
    (``order-8812``), is a phrase. A ``*`` at the end finds what begins so. Nothing a person types
    is FTS5's own syntax: every word is quoted.
    """
    words = []
    for quoted, star, plain in _WORD.findall(_UNSEARCHABLE.sub(" ", text)):
        word = quoted or plain
        begins = bool(star) or word.endswith("*")
        if any(sign.isalnum() for sign in word):
            words.append(_quoted(word) + (" *" if begins else ""))
    return " AND ".join(words) or None


def header_query(header: str) -> str:
    """The FTS5 expression for ``name`` or ``name=value``, as a person writes it."""
    name, equals, value = header.partition("=")
    mark = _value_mark(name, value.encode("utf-8", "replace")) if equals else _name_mark(name)
    return _quoted(mark)


def key_query(part: str) -> str:
    """The FTS5 expression for keys that contain ``part``, at least three characters."""
    return _quoted(part)


def _quoted(text: str) -> str:
    return '"' + text.replace('"', '""') + '"'


@lru_cache(maxsize=4096)
def _name_mark(name: str) -> str:
    return "n" + _digest(name.encode("utf-8", "surrogatepass"))


def _value_mark(name: str, value: bytes | None) -> str:
    if value is None or len(value) <= REPEATED_BYTES:
        return _short_value_mark(name, value)
    return _any_value_mark(name, value)


def _any_value_mark(name: str, value: bytes | None) -> str:
    # A null value is no empty one, and the name's length keeps "a=b" apart from "a" with "=b".
    return "v" + _digest(_named(name) + (b"" if value is None else b"\x01" + value))


_short_value_mark = lru_cache(maxsize=4096)(_any_value_mark)


@lru_cache(maxsize=4096)
def _named(name: str) -> bytes:
    encoded = name.encode("utf-8", "surrogatepass")
    return len(encoded).to_bytes(4, "big") + encoded


def _digest(told: bytes) -> str:
    return blake2b(told, digest_size=8).hexdigest()
