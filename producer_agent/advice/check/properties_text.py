"""Reads `name=value` lines (librdkafka's and Java's properties) and Java's `props.put(…)`."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from producer_agent.advice.check.java_settings import JAVA_SETTINGS
from producer_agent.advice.check.names import is_setting, of_constant
from producer_agent.advice.check.pasted import ConfigurationUnreadable, Entry

_ESCAPE: Final = re.compile(r"\\(u[0-9a-fA-F]{4}|.)", re.DOTALL)
_ESCAPED: Final = {"t": "\t", "n": "\n", "r": "\r", "f": "\f"}
_KEY: Final = re.compile(r"(?:\\.|[^\\=:\s])+")
_SEPARATOR: Final = re.compile(r"\s*[=:]\s*")
_SECTION: Final = re.compile(r"\[([^\]=]*)\]\s*")
_JAVA_SIGN: Final = re.compile(r"\\[=: u]|org\.apache\.|com\.|io\.")
_PLACEHOLDER: Final = re.compile(
    r"\$\{[^${}:]*(?::-?(?P<default>[^${}]*))?\}|\{\{[^{}]*\}\}|\$[A-Z][A-Z0-9_]+|%\([^()%]*\)s"
)


def read_properties(text: str) -> tuple[list[Entry], bool]:
    """The settings of a properties file, and whether it is Java's rather than librdkafka's.

    Both have `#` comments; continued lines and escapes are Java's, and done where they are used.
    Sections in brackets, as Python's configparser has them, are told apart: those of a consumer
    are left out.

    Raises:
        ConfigurationUnreadable: a line has no name and value.
    """
    lines = list(_logical_lines(text))
    java = any(_is_java(line) for _, line in lines)
    entries: list[Entry] = []
    section = ""
    for number, line in lines:
        heading = _SECTION.fullmatch(line)
        if heading:
            section = heading[1].strip().lower()
            continue
        if "consumer" in section:
            continue
        entries.append(_entry(number, line, java))
    return entries, java


def with_placeholder(name: str, value: str, line: int, written: str | None = None) -> Entry:
    """An entry whose value may be one that is filled in later, such as `${KAFKA_ACKS:all}`.

    A default behind the colon is what is judged; without one the value is not known.
    """
    found = _PLACEHOLDER.search(value)
    # Of a JAAS line the user name is wanted; the rest of it is masked anyway.
    if found is None or ("jaas" in name and found[0] != value):
        return Entry(name, value, line, written=written)
    whole = found[0] == value
    if whole and found["default"] is not None:
        return Entry(name, found["default"], line, written=written)
    return Entry(
        name,
        None,
        line,
        known=False,
        written=written,
        expression=found[0] if whole and found["default"] is None else None,
    )


def _logical_lines(text: str) -> Iterator[tuple[int, str]]:
    """Number and content of each line that is no comment, continued ones joined."""
    waiting, began = "", 0
    for number, raw in enumerate(text.split("\n"), 1):
        line = raw.strip(" \t\f\r")
        if not waiting:
            if not line or line[0] in "#!;" or line.startswith("//"):
                continue
            began = number
        # An even number of backslashes is that many escaped ones, and ends the line.
        trailing = len(line) - len(line.rstrip("\\"))
        if trailing % 2:
            waiting += line[:-1]
            continue
        yield began, waiting + line
        waiting = ""
    if waiting:
        yield began, waiting


def _is_java(line: str) -> bool:
    key = _KEY.match(line)
    name = key[0] if key else ""
    return (
        name in JAVA_SETTINGS
        or name.rpartition("producer.")[2] in JAVA_SETTINGS
        or bool(_JAVA_SIGN.search(line))
    )


def _entry(number: int, line: str, java: bool) -> Entry:
    line = line.removeprefix("export ").lstrip()
    key = _KEY.match(line)
    if key is None:
        raise _no_pair(number)
    separator = _SEPARATOR.match(line, key.end())
    name, rest = key[0], line[separator.end() :] if separator else line[key.end() :].lstrip()
    if separator is None and not (rest and is_setting(name)):
        raise _no_pair(number)
    if java:
        name, rest = _unescaped(name), _unescaped(rest)
    return with_placeholder(name, rest, number)


def _no_pair(number: int) -> ConfigurationUnreadable:
    return ConfigurationUnreadable(
        "There is no name and value here.",
        "Write name=value, or put a # before a remark.",
        line=number,
    )


def _unescaped(text: str) -> str:
    def one(match: re.Match[str]) -> str:
        code = match[1]
        if len(code) == 5:
            return chr(int(code[1:], 16))
        return _ESCAPED.get(code, code)

    return _ESCAPE.sub(one, text) if "\\" in text else text


_PUT: Final = re.compile(
    r"(?:\b(?:put|setProperty|putIfAbsent|entry|of)\s*\(\s*"
    r"(?P<key>\"(?:[^\"\\\n]|\\.)*\"|[A-Za-z_][\w.]*)\s*,"
    # Kotlin's and Scala's: props[ProducerConfig.X] = …, ProducerConfig.X to …, … -> …
    r"|(?P<constant>\b[A-Z]\w*Configs?\.[A-Z]\w*)\s*(?:\]\s*=|\bto\b|->))\s*"
)
_MORE: Final = re.compile(r"\s*,\s*(?P<key>\"(?:[^\"\\]|\\.)*\"|[A-Za-z_][\w.]*)\s*,\s*")
_STRING: Final = re.compile(r"\"((?:[^\"\\]|\\.)*)\"")
_LITERAL: Final = re.compile(
    r"\"(?:[^\"\\]|\\.)*\"(?:\s*\+\s*\"(?:[^\"\\]|\\.)*\")*|[\w.$]+(?:\([^()]*\))?"
    r"(?:\s*\*\s*[\w.]+)*"
)
_NUMBER: Final = re.compile(r"-?[0-9][0-9_]*[lL]?(?:\s*\*\s*[0-9][0-9_]*[lL]?)*")
_WRAPPED: Final = re.compile(r"(?:\w+\.)?(?:valueOf|toString|parseInt)\(([^()]*)\)")
_JAVA_CONSTANTS: Final = {
    "Integer.MAX_VALUE": str(2**31 - 1),
    "Long.MAX_VALUE": str(2**63 - 1),
    "true": "true",
    "false": "false",
    "Boolean.TRUE": "true",
    "Boolean.FALSE": "false",
}
_COMMENT: Final = re.compile(r"\"(?:[^\"\\\n]|\\.)*\"|//[^\n]*|/\*.*?(?:\*/|\Z)", re.DOTALL)


_JAVA_LINE: Final = re.compile(
    r";[ \t]*(?://.*)?$|\bmapOf\(|\bval\s|\bMap\(|[A-Z]\w*Configs?\.[A-Z]", re.MULTILINE
)
_NOT_A_PRODUCERS: Final = (
    "ConsumerConfig.",
    "StreamsConfig.",
    "AdminClientConfig.",
    "TopicConfig.",
)


def _key_of(match: re.Match[str]) -> str:
    return match.groupdict().get("constant") or match["key"]


def is_java_code(text: str) -> bool:
    """Whether this is Java (or Kotlin, Scala) that puts settings into a Properties or Map."""
    return _JAVA_LINE.search(text) is not None and any(
        is_setting(_java_name(_key_of(match))) or "Config." in _key_of(match)
        for match in _PUT.finditer(text)
    )


def read_java_code(text: str) -> list[Entry]:
    """The settings put by Java code; a constant of ProducerConfig is read as what it names."""
    code = without_comments(text)
    entries: list[Entry] = []
    at = 0
    line, counted = 1, 0
    while (match := _PUT.search(code, at)) is not None:
        found: re.Match[str] | None = match
        while found is not None:
            line += code.count("\n", counted, found.end())
            counted = found.end()
            value = _LITERAL.match(code, found.end())
            key = _key_of(found)
            if not key.startswith(_NOT_A_PRODUCERS):
                entries.append(_java_entry(key, value[0] if value else "", line))
            at = value.end() if value else found.end()
            # Map.of(name, value, name, value, …)
            found = _MORE.match(code, at)
    return entries


def _java_name(key: str) -> str:
    if key.startswith('"'):
        return _unescaped(key[1:-1])
    return of_constant(key.rpartition(".")[2])


def _java_entry(key: str, literal: str, line: int) -> Entry:
    name = _java_name(key)
    written = None if key.startswith('"') else key
    wrapped = _WRAPPED.fullmatch(literal)
    if wrapped:
        literal = wrapped[1].strip()
    if literal.startswith('"'):
        value = _unescaped("".join(_STRING.findall(literal)))
        return with_placeholder(name, value, line, written)
    if literal in _JAVA_CONSTANTS:
        return Entry(name, _JAVA_CONSTANTS[literal], line, written=written)
    if _NUMBER.fullmatch(literal):
        product = 1
        for factor in literal.split("*")[:8]:
            product *= int(factor.strip().rstrip("lL").replace("_", "")[:19])
        return Entry(name, str(product), line, written=written)
    known = literal.endswith((".class", ".class.getName()"))
    return Entry(name, literal if known else None, line, known=known, written=written)


def without_comments(text: str) -> str:
    """The text without `// …` and `/* … */` outside of its strings, lines kept."""
    return _COMMENT.sub(_without_comment, text)


def _without_comment(match: re.Match[str]) -> str:
    if match[0].startswith('"'):
        return match[0]
    return "\n" * match[0].count("\n")
