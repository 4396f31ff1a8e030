"""Reads the producer's configuration out of JavaScript, without running any of it.

Node clients of librdkafka (node-rdkafka, confluent-kafka-javascript) take its names; the KafkaJS
interface has names of its own, which are translated.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from producer_agent.advice.check.documents import Leaf
from producer_agent.advice.check.pasted import MOST_SETTINGS, ConfigurationUnreadable, Entry

_SIGN: Final = re.compile(
    r"\brequire\s*\(|\bnew\s+(?:\w+\.)?(?:Kafka|Producer|HighLevelProducer)\s*\("
    r"|\.producer\s*\(\s*\{|\bkafkaJS\b"
    r"|^[ \t]*(?:export\s+)?(?:const|let|var)\s+[\w{}\s,:]{1,200}=",
    re.MULTILINE,
)
_OBJECT: Final = re.compile(
    r"(?:(?:Producer|producer|Kafka)\s*\(|(?:const|let|var)\s+\w+(?:\s*:\s*[\w.<>]+)?\s*=)\s*(?=\{)"
)
_TOKEN: Final = re.compile(
    r"\s+|//[^\n]*|/\*.*?\*/|(?P<text>\"(?:[^\"\\\n]|\\.)*\"|'(?:[^'\\\n]|\\.)*'|`(?:[^`\\]|\\.)*`)"
    r"|(?P<word>[A-Za-z_$][\w$]*(?:\.[A-Za-z_$][\w$]*)*|-?[0-9][0-9_.]*)|(?P<sign>.)",
    re.DOTALL,
)
_NUMBER: Final = re.compile(r"-?[0-9][0-9_]*(?:\.[0-9]+)?")
_DEEPEST: Final = 30

WRAPPERS_OWN: Final = frozenset({"dr_cb", "dr_msg_cb", "event_cb", "offset_commit_cb"})
"""What node-rdkafka takes for itself, as a flag or a function: librdkafka never sees it."""

_KAFKAJS: Final = MappingProxyType(
    {
        "brokers": "bootstrap.servers",
        "clientId": "client.id",
        "acks": "acks",
        "allowAutoTopicCreation": "allow.auto.create.topics",
        "compression": "compression.type",
        "connectionTimeout": "socket.connection.setup.timeout.ms",
        "idempotent": "enable.idempotence",
        "maxInFlightRequests": "max.in.flight.requests.per.connection",
        "metadataMaxAge": "topic.metadata.refresh.interval.ms",
        "requestTimeout": "socket.timeout.ms",
        "retry.initialRetryTime": "retry.backoff.ms",
        "retry.maxRetryTime": "retry.backoff.max.ms",
        "retry.retries": "retries",
        "sasl.mechanism": "sasl.mechanism",
        "sasl.password": "sasl.password",
        "sasl.username": "sasl.username",
        "timeout": "request.timeout.ms",
        "transactionTimeout": "transaction.timeout.ms",
        "transactionalId": "transactional.id",
    }
)
"""KafkaJS' names, as confluent-kafka-javascript's migration guide maps them to librdkafka's."""


@dataclass(frozen=True, slots=True)
class _Token:
    kind: str
    text: str
    line: int


def is_javascript(text: str) -> bool:
    """Whether it is JavaScript (or TypeScript) with an object that may be a configuration."""
    return _SIGN.search(text) is not None and _OBJECT.search(text) is not None


def javascript_leaves(text: str) -> list[Leaf]:
    """Every value of the objects that are given to a producer or client, or to a variable.

    Raises:
        ConfigurationUnreadable: an object does not end, or is nested too deeply.
    """
    leaves: list[Leaf] = []
    end = 0
    for match in _OBJECT.finditer(text):
        if match.end() < end:
            continue  # inside of one that is read already
        reader = _Reader(text, match.end())
        leaves += reader.object((), 0)
        end = reader.at
        if len(leaves) > MOST_SETTINGS:
            raise ConfigurationUnreadable(
                f"There are more than {MOST_SETTINGS:,} settings.",
                "Paste the configuration of one producer.",
            )
    return leaves


def from_kafkajs(path: tuple[str, ...], value: str | None, line: int) -> Entry | None:
    """A setting of the KafkaJS interface as librdkafka's; None if it is none of it."""
    inside = ".".join(step for step in path if step != "kafkaJS")
    name = _KAFKAJS.get(inside)
    if name is None and inside == "ssl" and value in ("true", "false"):
        name, value = "security.protocol", "ssl" if value == "true" else "plaintext"
    if name is None:
        return None
    if name == "sasl.mechanism" and value is not None:
        value = value.upper()
    if name == "compression.type" and value is not None:
        value = value.rpartition(".")[2].lower()
    return Entry(name, value, line, known=value is not None, written=inside)


class _Reader:
    """A recursive descent over one object literal; what is no plain value is not known."""

    def __init__(self, text: str, at: int) -> None:
        self._text = text
        self.at = at
        self._line = text.count("\n", 0, at) + 1
        self._next = self._advance()

    def object(self, path: tuple[str, ...], depth: int) -> list[Leaf]:
        """The leaves of the object that begins here."""
        if depth > _DEEPEST:
            raise ConfigurationUnreadable(
                "It is nested too deeply.", "Paste the configuration alone."
            )
        leaves: list[Leaf] = []
        self._take()  # the opening brace
        while self._next.text != "}":
            if self._next.kind == "end":
                raise ConfigurationUnreadable(
                    "An object of this JavaScript does not end.",
                    "Paste it whole, up to its last brace.",
                    line=self._next.line,
                )
            key = self._take()
            if self._next.text == ":" and key.kind in ("text", "word"):
                self._take()
                leaves += self._value((*path, _plain(key)), depth)
            else:
                self._skip_to_end_of_value()
            if self._next.text == ",":
                self._take()
        self._take()
        return leaves

    def _value(self, path: tuple[str, ...], depth: int) -> Iterator[Leaf]:
        first = self._next
        if first.text == "{":
            yield from self.object(path, depth + 1)
            self._skip_to_end_of_value()
            return
        if first.text == "[":
            yield Leaf(path, self._list(), first.line, listed=True)
            return
        self._take()
        if self._next.text in (",", "}"):
            yield Leaf(path, _literal(first), first.line, quoted=first.kind == "text")
            return
        tokens = [first, *self._skip_to_end_of_value()]
        yield Leaf(path, _product(tokens), first.line)

    def _list(self) -> str | None:
        """The texts of a list, joined by commas; None if one is not known."""
        self._take()
        parts: list[str | None] = []
        while self._next.text != "]" and self._next.kind != "end":
            token = self._take()
            if token.text != ",":
                parts.append(_literal(token))
        self._take()
        self._skip_to_end_of_value()
        return None if None in parts else ",".join(part or "" for part in parts)

    def _skip_to_end_of_value(self) -> list[_Token]:
        """What stands up to the comma or brace that ends a value, brackets in it included."""
        skipped: list[_Token] = []
        depth = 0
        while self._next.kind != "end":
            sign = self._next.text
            if depth == 0 and sign in (",", "}"):
                break
            depth += (sign in ("(", "[", "{")) - (sign in (")", "]", "}"))
            skipped.append(self._take())
        return skipped

    def _take(self) -> _Token:
        token = self._next
        self._next = self._advance()
        return token

    def _advance(self) -> _Token:
        while (match := _TOKEN.match(self._text, self.at)) is not None:
            line, self.at = self._line, match.end()
            self._line += match[0].count("\n")
            if match.lastgroup is not None:
                return _Token(match.lastgroup, match[0], line)
        return _Token("end", "", self._line)


def _plain(token: _Token) -> str:
    return token.text[1:-1] if token.kind == "text" else token.text


def _literal(token: _Token) -> str | None:
    """The text of a literal; None for what only the running program knows."""
    if token.kind == "text":
        inside = token.text[1:-1]
        return None if token.text[0] == "`" and "${" in inside else inside.replace("\\", "")
    if _NUMBER.fullmatch(token.text):
        return token.text.replace("_", "")
    if token.text in ("true", "false"):
        return token.text
    return token.text if token.text.startswith("CompressionTypes.") else None


def _product(tokens: list[_Token]) -> str | None:
    """`30 * 1000` as 30000; None for any other expression."""
    factors = tokens[::2]
    if len(tokens) % 2 == 0 or len(tokens) > 9 or any(sign.text != "*" for sign in tokens[1::2]):
        return None
    product = 1
    for factor in factors:
        if not re.fullmatch(r"[0-9][0-9_]{0,17}", factor.text):
            return None
        product *= int(factor.text.replace("_", ""))
    return str(product)
