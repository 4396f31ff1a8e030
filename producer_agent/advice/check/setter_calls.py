"""Reads settings that a program hands over one by one: in C, C++ and Rust.

`rd_kafka_conf_set(conf, "acks", "all", …)`, `conf->set("acks", "all", errstr)`, and
`ClientConfig::new().set("acks", "all")`.
"""

from __future__ import annotations

import re
from typing import Final

from producer_agent.advice.check.pasted import Entry
from producer_agent.advice.check.properties_text import with_placeholder

_TEXT: Final = r"\"((?:[^\"\\\n]|\\.)*)\""
_CALL: Final = re.compile(
    rf"(?:rd_kafka_(?:topic_)?conf_set\s*\(\s*\w+\s*,|(?:->|\.)\s*set\s*\()\s*{_TEXT}\s*,\s*"
    rf"(?:{_TEXT}|(?P<code>[^\s,()\"]+))"
)
_SIGN: Final = re.compile(r"rd_kafka_conf_set|RdKafka::Conf|->\s*set\s*\(|ClientConfig::new")


def is_setter_calls(text: str) -> bool:
    """Whether it sets librdkafka's properties by calls."""
    return _SIGN.search(text) is not None and _CALL.search(text) is not None


def read_setter_calls(text: str) -> list[Entry]:
    """The settings of each call, whose value may be known only to the running program."""
    found: list[Entry] = []
    for match in _CALL.finditer(text):
        line = text.count("\n", 0, match.start(1)) + 1
        if match[2] is None:
            found.append(Entry(match[1], None, line, known=False))
        else:
            found.append(with_placeholder(match[1], match[2].replace('\\"', '"'), line))
    return found
