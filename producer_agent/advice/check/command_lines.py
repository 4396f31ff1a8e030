"""Reads settings from command lines: kcat's `-X`, and those of Kafka's own tools."""

from __future__ import annotations

import re
from typing import Final

from producer_agent.advice.check.pasted import Entry

_PAIR: Final = r"[a-z][\w.]*=(?:'[^'\n]*'|\"[^\"\n]*\"|[^\s\\]*)"
_X: Final = re.compile(rf"(?:^|\s)-X[ \t]+(?P<pair>{_PAIR})")
# --producer-props (kafka-producer-perf-test) takes many pairs, the others one each time.
_TOOL: Final = re.compile(
    r"--(?:producer-props|command-property|producer-property)(?:[ \t]|\\\n)+"
    rf"(?P<pairs>{_PAIR}(?:(?:[ \t]|\\\n)+{_PAIR})*)"
)
_SERVERS: Final = re.compile(
    r"--(?:bootstrap-server|broker-list)(?:[ \t=]|\\\n)+(?P<value>[^\s\\]+)"
)
_ONE: Final = re.compile(_PAIR)


def is_kcat(text: str) -> bool:
    """Whether `-X name=value` stands in it, as librdkafka's tools take settings."""
    return _X.search(text) is not None


def is_kafka_tool(text: str) -> bool:
    """Whether it is a command of Kafka's own tools, that run the Java producer."""
    return _TOOL.search(text) is not None


def read_kcat(text: str) -> list[Entry]:
    """The settings of each `-X`."""
    return [_entry(text, match.start("pair"), match["pair"]) for match in _X.finditer(text)]


def read_kafka_tool(text: str) -> list[Entry]:
    """The settings given to the producer, and the brokers' addresses."""
    found = [
        Entry("bootstrap.servers", match["value"], _line(text, match.start("value")))
        for match in _SERVERS.finditer(text)
    ]
    for match in _TOOL.finditer(text):
        found += [
            _entry(text, match.start("pairs") + pair.start(), pair[0])
            for pair in _ONE.finditer(match["pairs"])
        ]
    return found


def _entry(text: str, at: int, pair: str) -> Entry:
    name, _, value = pair.partition("=")
    return Entry(name, value.strip("'\""), _line(text, at))


def _line(text: str, at: int) -> int:
    return text.count("\n", 0, at) + 1
