"""Reads a producer's configuration from whatever people paste; which format it is, is detected.

Python, librdkafka properties, Java properties and code, Spring's YAML and properties, JSON,
TOML, C#, JavaScript, C and Rust, command lines, Kafka Connect's overrides, and a profile of ours.
Nothing that is pasted is run, and no secret in it is kept.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Final

from producer_agent.advice.check import command_lines
from producer_agent.advice.check.csharp_text import is_csharp, read_csharp
from producer_agent.advice.check.documents import (
    Leaf,
    Pairs,
    json_leaves,
    read_json,
    toml_leaves,
    yaml_leaves,
)
from producer_agent.advice.check.java_settings import JAVA_SETTINGS
from producer_agent.advice.check.javascript_text import (
    WRAPPERS_OWN,
    from_kafkajs,
    is_javascript,
    javascript_leaves,
)
from producer_agent.advice.check.names import inside_paths, is_setting, of_producer_prefix
from producer_agent.advice.check.pasted import (
    MOST_SETTINGS,
    ConfigurationUnreadable,
    Entry,
    Format,
    PastedConfiguration,
    encodable,
    masked,
    without_pem,
)
from producer_agent.advice.check.properties_text import (
    is_java_code,
    read_java_code,
    read_properties,
    with_placeholder,
    without_comments,
)
from producer_agent.advice.check.python_text import entry_of, read_python
from producer_agent.advice.check.setter_calls import is_setter_calls, read_setter_calls
from producer_agent.advice.check.spring_settings import is_spring, producer_settings
from producer_agent.delivery.profiles import PROPERTY_OF

__all__ = ["LARGEST_BYTES", "ConfigurationUnreadable", "PastedConfiguration", "read"]

LARGEST_BYTES: Final = 1_000_000
_MOST_LINES: Final = 10_000
_MOST_IGNORED: Final = 3

_PYTHON_SIGN: Final = re.compile(
    r"Producer\s*\(|^[ \t]*(?:from\s+[\w.]+\s+)?import\s|=\s*\{(?!\{)|\bdict\("
    r"|^[ \t]*[\w.]+\[['\"][^'\"\n]+['\"]\][ \t]*="
    r"|^[ \t]*['\"][\w.]+['\"][ \t]*:[^\n]*,[ \t]*(?:#.*)?$|^[ \t]*def\s",
    re.MULTILINE,
)
_CONNECT_SIGN: Final = re.compile(
    r"producer\.override\.|connector\.class|\.converter|^spec\.config\.|CONNECT_"
)
_FENCE: Final = re.compile(r"^```[\w ]*\n(?P<code>.*?)(?:^```|\Z)", re.MULTILINE | re.DOTALL)
_TOML_SIGN: Final = re.compile(
    r"^[ \t]*\[[^\]\n]+\][ \t]*(?:#[^\n]*)?$|^[ \t]*\"[\w.]+\"[ \t]*=", re.MULTILINE
)
_TOML_TEXT: Final = re.compile(r"=[ \t]*(?:\"|'|\[)")
_YAML_SIGN: Final = re.compile(
    r"^[ \t]*(?:- )?[\"']?[\w.\-\[\]/]+[\"']?[ \t]*:[ \t]*(?:[|>&][^\n]*|#[^\n]*)?\n"
    r"(?:[ \t]*\n)*[ \t]+\S"
    r"|^---|^[\"']?[\w.\-]+[\"']?:\s*\n\s*- ",
    re.MULTILINE,
)


def read(text: str) -> PastedConfiguration:
    """The settings a text gives to a producer, secrets masked.

    Raises:
        ConfigurationUnreadable: it is too long, or is no configuration in any format.
    """
    text = encodable(text).removeprefix("\ufeff").replace("\r\n", "\n").replace("\r", "\n")
    _check_size(text)
    text = without_pem(_without_fence(text))
    try:
        found, entries, notes = _read(text)
    except RecursionError as error:
        raise ConfigurationUnreadable(
            "It is nested too deeply.", "Paste the configuration alone."
        ) from error
    if not entries and found != "profile":
        raise ConfigurationUnreadable(
            "There is no producer's setting in it.",
            "Paste name=value lines, a Python dict, Spring YAML or JSON; what belongs to "
            "consumers is left out.",
        )
    return PastedConfiguration(found, tuple(masked(entries)), tuple(notes))


def _without_fence(text: str) -> str:
    """What is inside the first fence of a piece of Markdown, on its own lines."""
    match = _FENCE.search(text)
    if match is None:
        return text
    return "\n" * text.count("\n", 0, match.start("code")) + match["code"]


def _check_size(text: str) -> None:
    if not text.strip():
        raise ConfigurationUnreadable(
            "There is nothing in it.", "Paste the configuration of a producer."
        )
    if len(text) > LARGEST_BYTES or len(text.encode()) > LARGEST_BYTES:
        raise ConfigurationUnreadable(
            f"It is larger than {LARGEST_BYTES:,} bytes.",
            "Paste the configuration of one producer.",
        )
    lines = text.count("\n") + (not text.endswith("\n"))
    if lines > _MOST_LINES:
        raise ConfigurationUnreadable(
            f"It has {lines:,} lines; {_MOST_LINES:,} are read.",
            "Paste the configuration of one producer.",
        )


_Read = tuple[Format, list[Entry], list[str]]


def _read(text: str) -> _Read:
    start = text.lstrip()[:1]
    not_json: ConfigurationUnreadable | None = None
    if start in ("{", "["):
        try:
            document = read_json(text)
        except ConfigurationUnreadable as error:
            not_json = error
        else:
            return _from_json(document)
    for is_it, read_it in _LANGUAGES:
        if is_it(text):
            return read_it(text)
    if start == "{" or _PYTHON_SIGN.search(text):
        try:
            python = read_python(text)
        except ConfigurationUnreadable as error:
            plain = without_comments(text)
            if start == "{" and plain != text:
                return _read(plain)  # JSON with remarks
            raise (error if not_json is None or "'" in text else not_json) from error
        return "python", python.entries, python.notes
    if _YAML_SIGN.search(text):
        return _from_leaves(yaml_leaves(text), "spring")
    if command_lines.is_kcat(text):
        return "librdkafka", command_lines.read_kcat(text), []
    return _from_properties(text)


def _from_javascript(text: str) -> _Read:
    leaves = javascript_leaves(text)
    names = inside_paths([leaf.path for leaf in leaves])
    entries: list[Entry] = []
    left = 0
    for name, leaf in zip(names, leaves, strict=True):
        if name in WRAPPERS_OWN:
            left += 1
            continue
        translated = None if "." in name else from_kafkajs(leaf.path, leaf.value, leaf.line)
        translated = translated or from_kafkajs(leaf.path[-2:], leaf.value, leaf.line)
        if translated is not None:
            entries.append(translated)
        elif leaf.value is None:
            entries.append(Entry(name, None, leaf.line, known=False))
        elif is_setting(name) or "." in name or "_" in name:
            entries.append(_entry(name, leaf))
        else:
            left += 1
    return "javascript", entries, _left_out(left)


def _is_toml(text: str) -> bool:
    """Whether it is TOML, and no properties file with quotes in it, which reads much the same."""
    if not (_TOML_SIGN.search(text) and _TOML_TEXT.search(text)):
        return False
    try:
        toml_leaves(text)
    except ConfigurationUnreadable:
        return False
    return True


def _from_toml(text: str) -> _Read:
    """Of the tables of an application's file, those with a setting in them."""
    leaves = toml_leaves(text)
    names = inside_paths([leaf.path for leaf in leaves])
    tables = {
        leaf.path[:at]
        for name, leaf in zip(names, leaves, strict=True)
        for at in range(len(leaf.path))
        if is_setting(name) and ".".join(leaf.path[at:]) == name
    }
    mine = [leaf for leaf in leaves if any(_is_inside(leaf.path, table) for table in tables)]
    kind, entries, notes = _from_leaves(mine or leaves, "toml")
    return kind, entries, [*notes, *_left_out(len(leaves) - len(mine) if mine else 0)]


def _is_inside(path: Sequence[str], table: Sequence[str]) -> bool:
    return tuple(path[: len(table)]) == tuple(table)


_LANGUAGES: Final[tuple[tuple[Callable[[str], bool], Callable[[str], _Read]], ...]] = (
    (is_csharp, lambda text: ("csharp", read_csharp(text), [])),
    (is_java_code, lambda text: ("java", read_java_code(text), [])),
    (is_setter_calls, lambda text: ("librdkafka", read_setter_calls(text), [])),
    (is_javascript, _from_javascript),
    (
        command_lines.is_kafka_tool,
        lambda text: ("java", command_lines.read_kafka_tool(text), []),
    ),
    (_is_toml, _from_toml),
)
"""Programs and files that are known by a sign of their own: whether it is one, and its reader."""


def _from_json(document: object) -> _Read:
    if not isinstance(document, Pairs):
        raise ConfigurationUnreadable(
            "The JSON is no object.", 'Write the settings as { "acks": "all" }.'
        )
    if is_profile(document):
        return "profile", _from_profile(document.get("producer")), []
    return _from_leaves(list(json_leaves(document)), "json")


def is_profile(document: Pairs) -> bool:
    """Whether a decoded JSON object is meant as a profile of ours."""
    names = {name for name, _ in document}
    if names & {"workload", "objective"}:
        return True
    producer = document.get("producer")
    fields = {name for name, _ in producer} if isinstance(producer, Pairs) else set()
    if fields and fields <= {*PROPERTY_OF, "extra"} and any("_" in field for field in fields):
        return True
    plain = not any(is_setting(name) or "." in name for name in names)
    return "name" in names and plain and not isinstance(document.get("config"), Pairs)


def _from_profile(producer: object) -> list[Entry]:
    entries: list[Entry] = []
    for field, value in producer if isinstance(producer, Pairs) else ():
        if field == "extra" and isinstance(value, Pairs):
            entries += [entry_of(name, inner, 1) for name, inner in value]
        elif value is not None:
            entries.append(entry_of(PROPERTY_OF.get(field, field), value, 1))
    return entries


def _from_leaves(leaves: Sequence[Leaf], nested: Format) -> _Read:
    if len(leaves) > MOST_SETTINGS:
        raise ConfigurationUnreadable(
            f"There are more than {MOST_SETTINGS:,} settings.",
            "Paste the configuration of one producer.",
        )
    flat = [(".".join(step.strip("[]") for step in leaf.path), leaf) for leaf in leaves]
    if any(is_spring(name) for name, _ in flat):
        return _spring([_entry(name, leaf, joined=True) for name, leaf in flat])
    if any(_is_prefixed(name) for name, _ in flat):
        entries = [_entry(name, leaf) for name, leaf in flat]
        if any(_CONNECT_SIGN.search(name) for name, _ in flat):
            return _prefixed(entries, "connect")
        _, found, notes = _prefixed(entries, nested)
        return (
            nested if nested in ("json", "toml") else _properties_format(found, java=False),
            found,
            notes,
        )
    names = inside_paths([leaf.path for leaf in leaves])
    entries = [_entry(name, leaf) for name, leaf in zip(names, leaves, strict=True)]
    if nested in ("json", "toml"):
        return nested, entries, []
    return _properties_format(entries, java=False), entries, []


def _entry(name: str, leaf: Leaf, joined: bool = False) -> Entry:
    """An entry; Spring joins a list by commas itself, others hand it on as a list."""
    if leaf.value is None:
        return Entry(name, None, leaf.line)
    entry = with_placeholder(name, leaf.value, leaf.line)
    if leaf.quoted:
        entry = replace(entry, quoted=True)
    if leaf.listed and not joined:
        return Entry(name, entry.value, leaf.line, known=entry.known, listed=True)
    return entry


def _from_properties(text: str) -> _Read:
    entries, java = read_properties(text)
    if any(is_spring(entry.name) for entry in entries):
        return _spring(entries)
    if any(_is_prefixed(entry.name) for entry in entries):
        return _prefixed(entries, "connect")
    if entries and not any("." in e.name or is_setting(e.name) for e in entries):
        raise ConfigurationUnreadable(
            "None of its names is a Kafka setting.",
            "Paste name=value lines such as acks=all, a Python dict, Spring YAML or JSON.",
        )
    return _properties_format(entries, java), entries, []


def _properties_format(entries: Sequence[Entry], java: bool) -> Format:
    java = java or any(entry.name in JAVA_SETTINGS for entry in entries)
    return "java" if java else "librdkafka"


def _spring(entries: Sequence[Entry]) -> _Read:
    found, left = producer_settings(entries)
    return "spring", found, _left_out(left)


def _is_prefixed(name: str) -> bool:
    setting = of_producer_prefix(name)
    return setting is not None and is_setting(setting)


def _prefixed(entries: Sequence[Entry], kind: Format) -> _Read:
    """Kafka Connect and Streams: the producer gets what is prefixed, and the brokers' addresses."""
    found: list[Entry] = []
    left = 0
    for entry in entries:
        name = of_producer_prefix(entry.name)
        if name is None and entry.name == "bootstrap.servers":
            name = entry.name
        if name is None:
            left += 1
        else:
            written = None if name == entry.name else entry.name
            found.append(replace(entry, name=name, written=written))
    return kind, found, _left_out(left)


def _left_out(count: int) -> list[str]:
    if not count:
        return []
    which = "1 setting is" if count == 1 else f"{count:,} settings are"
    return [f"{which} not a producer's, and left out."]
