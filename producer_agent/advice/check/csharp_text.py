"""Reads the producer's configuration out of C#, as confluent-kafka-dotnet has it.

Its `ProducerConfig` has a property for each of librdkafka's: `LingerMs` is `linger.ms`, and an
enum's members stand for its values (`Acks.Leader`, `CompressionType.Lz4`).
"""

from __future__ import annotations

import re
from types import MappingProxyType
from typing import Final

from producer_agent.advice.check.pasted import Entry
from producer_agent.advice.check.properties_text import with_placeholder, without_comments

_CONFIG: Final = r"(?:ProducerConfig|ClientConfig)"
_SIGN: Final = re.compile(
    rf"\bnew\s+{_CONFIG}\b(?!\s*\.)|\b{_CONFIG}\s+\w+\s*=\s*new\b"
    r"|\bDictionary\s*<\s*string\s*,|\bProducerBuilder\s*<"
)
_VALUE: Final = r"(?P<value>[@$]*\"(?:[^\"\\]|\\.)*\"|[^,;{}\n]+)"
_MEMBER: Final = re.compile(rf"(?:^|[{{,;\s.])(?P<name>[A-Z][A-Za-z]*)\s*=(?![=>])\s*{_VALUE}")
_INDEXED: Final = re.compile(rf"\[\s*\"(?P<name>[\w.]+)\"\s*\]\s*=(?!=)\s*{_VALUE}")
_PAIR: Final = re.compile(
    r"\{\s*\"(?P<name>[\w.]+)\"\s*,\s*(?P<value>\"(?:[^\"\\]|\\.)*\"|[^{}]+?)\s*\}"
)
_SET: Final = re.compile(
    r"\.(?:Set|Add)\(\s*\"(?P<name>[\w.]+)\"\s*,\s*(?P<value>\"(?:[^\"\\]|\\.)*\"|[^()]+)\)"
)
_ENUM: Final = re.compile(r"(?:\w+\.)*(?P<kind>[A-Z]\w*)\.(?P<member>[A-Z]\w*)")
_WORD: Final = re.compile(r"[A-Z][a-z]*|[0-9]+")
_NUMBER: Final = re.compile(r"-?[0-9][0-9_]*(?:\.[0-9]+)?")
_NAMES: Final = MappingProxyType(
    {
        "EnableDeliveryReports": "dotnet.producer.enable.delivery.reports",
        "DeliveryReportFields": "dotnet.producer.delivery.report.fields",
        "EnableBackgroundPoll": "dotnet.producer.enable.background.poll",
        "CancellationDelayMaxMs": "dotnet.cancellation.delay.max.ms",
    }
)
_ACKS: Final = MappingProxyType({"All": "all", "Leader": "1", "None": "0"})


def is_csharp(text: str) -> bool:
    """Whether it is C# that makes a producer's configuration."""
    return _SIGN.search(text) is not None


def read_csharp(text: str) -> list[Entry]:
    """The settings of its initialisers and assignments, in their order.

    What only .NET's wrapper knows (`EnableDeliveryReports`) is left out.
    """
    code = without_comments(text)
    found: list[tuple[int, Entry]] = []
    for pattern in (_MEMBER, _INDEXED, _PAIR, _SET):
        for match in pattern.finditer(code):
            written = match["name"]
            name = _name(written) if pattern is _MEMBER else written
            if name is not None:
                line = code.count("\n", 0, match.start("name")) + 1
                found.append((match.start("name"), _entry(name, match["value"], line, written)))
    return [entry for _, entry in sorted(found, key=lambda pair: pair[0])]


def _name(member: str) -> str | None:
    """`SaslMechanism` as `sasl.mechanism`; None for what librdkafka never sees."""
    if member in _NAMES:
        return None
    return ".".join(word.lower() for word in _WORD.findall(member))


def _entry(name: str, literal: str, line: int, written: str) -> Entry:
    literal = literal.strip()
    spelt = None if written == name else written
    if literal.startswith('"') and literal.endswith('"') and len(literal) > 1:
        value = literal[1:-1].replace('\\"', '"').replace("\\\\", "\\")
        return with_placeholder(name, value, line, spelt)
    if literal in ("true", "false"):
        return Entry(name, literal, line, written=spelt)
    if _NUMBER.fullmatch(literal):
        return Entry(name, literal.replace("_", ""), line, written=spelt)
    member = _ENUM.fullmatch(literal)
    if member is not None and member["kind"] != "Environment":
        return Entry(name, _enum(member["kind"], member["member"]), line, written=spelt)
    return Entry(name, None, line, known=False, written=spelt)


def _enum(kind: str, member: str) -> str:
    """What librdkafka calls a member: `SaslSsl` is `sasl_ssl`, `ScramSha256` `SCRAM-SHA-256`."""
    if kind == "Acks":
        return _ACKS.get(member, member)
    words = _WORD.findall(member)
    if kind == "SaslMechanism":
        return "-".join(word.upper() for word in words) if "Scram" in member else member.upper()
    if kind == "CompressionType":
        return member.lower()
    return "_".join(word.lower() for word in words)
