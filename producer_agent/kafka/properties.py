"""What the installed librdkafka says about its own configuration properties.

The table is read from the library in use, never from a copy of its documentation: a newer
librdkafka brings new properties, ranges and defaults with it, and a check made against a
stale list would refuse what works and let through what does not.
"""

from __future__ import annotations

import ctypes
import difflib
import logging
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from types import MappingProxyType
from typing import Final, Literal

import confluent_kafka
from confluent_kafka import KafkaException, Producer

Setting = str | int | float | bool
Scope = Literal["global", "topic"]
Role = Literal["producer", "consumer", "both"]
Kind = Literal["integer", "float", "boolean", "enum", "flags", "pattern", "string", "callback"]

ALIASES: Final[Mapping[str, str]] = MappingProxyType(
    {
        "acks": "request.required.acks",
        "bootstrap.servers": "metadata.broker.list",
        "compression.type": "compression.codec",
        "delivery.timeout.ms": "message.timeout.ms",
        "enable.auto.commit": "auto.commit.enable",
        "linger.ms": "queue.buffering.max.ms",
        "max.in.flight": "max.in.flight.requests.per.connection",
        "max.partition.fetch.bytes": "fetch.message.max.bytes",
        "retries": "message.send.max.retries",
        "sasl.mechanism": "sasl.mechanisms",
        "sasl.oauthbearer.client.credentials.client.id": "sasl.oauthbearer.client.id",
        "sasl.oauthbearer.client.credentials.client.secret": "sasl.oauthbearer.client.secret",
    }
)
"""Alias to the name librdkafka itself uses for it, notably in its refusals.

Written down rather than read, so that it also serves where the library cannot be asked;
a test holds it against the installed library.
"""

_ROLES: Final[Mapping[str, Role]] = {"P": "producer", "C": "consumer", "*": "both"}
_KINDS: Final[Mapping[str, Kind]] = {
    "integer": "integer",
    "float": "float",
    "boolean": "boolean",
    "enum value": "enum",
    "CSV flags": "flags",
    "pattern list": "pattern",
    "string": "string",
    "see dedicated API": "callback",
}
# The default and the range may hold a `|` of their own (sasl.kerberos.kinit.cmd does), hence the
# anchor on the importance, the only column with a closed vocabulary.
_ROW = re.compile(
    r"^(?P<name>[\w.]+) +\| +(?P<role>[CP*]) +\| (?P<range>.*?) \| *(?P<default>.*?) "
    r"\| (?:high|medium|low) +\| (?P<text>.*)$",
    re.MULTILINE,
)
_TYPE = re.compile(r"<br>\*Type: (?P<kind>[^*]+)\*\s*$")
_ALIAS = re.compile(r"^(?:\*\*DEPRECATED\*\* )?Alias for `(?P<name>[^`]+)`")
_TOPIC_HEADING: Final = "## Topic configuration properties"
_TEXT_BYTES: Final = 4096

_unheard = logging.getLogger(f"{__name__}.trial")
_unheard.addHandler(logging.NullHandler())
_unheard.propagate = False


@dataclass(frozen=True, slots=True)
class Property:
    """One configuration property, as librdkafka documents it about itself.

    `minimum` and `maximum` are inclusive and None where the property has no range; `choices`
    is empty unless the kind is `enum`, `flags` or `boolean`; `default` is librdkafka's text for
    it ("" where it has none); `alias_of` is the property this one is another name for.
    """

    name: str
    scope: Scope
    role: Role
    kind: Kind
    default: str
    minimum: int | None
    maximum: int | None
    choices: tuple[str, ...]
    alias_of: str | None
    deprecated: bool
    description: str


@dataclass(frozen=True, slots=True)
class Reading:
    """What librdkafka made of one written value: `held` if it took it, else its `refusal`."""

    held: str | None
    refusal: str | None


@cache
def known_properties() -> Mapping[str, Property]:
    """Every documented property of the installed librdkafka, by name, aliases included.

    Empty where the library's symbols cannot be reached (on Windows they are not exported);
    `is_known` still answers there. A name that is both a global and a topic property is given
    as the global one, since that is the one a flat configuration sets. Properties librdkafka
    hides from its documentation are left out: `test.mock.num.brokers`, for one, silently puts a
    mock in the place of the cluster.
    """
    library = _library()
    markdown = None if library is None else _properties_markdown(library)
    if markdown is None:
        return MappingProxyType({})
    general, _, topic = markdown.partition(_TOPIC_HEADING)
    table = {p.name: p for p in _rows(topic, "topic")}
    table |= {p.name: p for p in _rows(general, "global")}
    return MappingProxyType(table)


def canonical(name: str) -> str:
    """The one name librdkafka uses for a property: `linger.ms` is `queue.buffering.max.ms`."""
    return ALIASES.get(name, name)


def is_known(name: str) -> bool:
    """Whether librdkafka has this property; asked of a trial producer if there is no table."""
    table = known_properties()
    if table:
        return name in table
    # Never with the value at hand: naming a plug-in would load it.
    text = refusal({name: ""})
    return text is None or "No such configuration property" not in text


def nearest(name: str, n: int = 1) -> list[str]:
    """The `n` real property names that look most like `name`, best first; [] if none does."""
    spelt = name.strip().lower().replace("_", ".")
    table = known_properties()
    if spelt in table:
        return [spelt]
    candidates = [p.name for p in table.values() if p.kind != "callback" and p.role != "consumer"]
    return difflib.get_close_matches(spelt, candidates, n=n, cutoff=0.6)


def read_back(name: str, value: Setting) -> Reading | None:
    """Set one property on a configuration of its own, and read what librdkafka now holds.

    This is how `64KB` is seen to become 64. None where the library's symbols cannot be reached,
    or the value cannot be read back (a property with no value of its own, such as a callback).
    No client is made, so no thread is started and no plug-in's client code is run.
    """
    library = _library()
    if library is None:
        return None
    error = ctypes.create_string_buffer(_TEXT_BYTES)
    held = ctypes.create_string_buffer(_TEXT_BYTES)
    size = ctypes.c_size_t(_TEXT_BYTES)
    conf = library.rd_kafka_conf_new()
    try:
        code = library.rd_kafka_conf_set(
            conf, name.encode(), str(value).encode(), error, ctypes.c_size_t(_TEXT_BYTES)
        )
        if code != 0:
            return Reading(held=None, refusal=_text(error))
        if library.rd_kafka_conf_get(conf, name.encode(), held, ctypes.byref(size)) != 0:
            return None
        return Reading(held=_text(held), refusal=None)
    finally:
        library.rd_kafka_conf_destroy(conf)


def refusal(config: Mapping[str, Setting]) -> str | None:
    """Librdkafka's own sentence for refusing this producer configuration; None if it takes it.

    A real producer is made and closed at once: only that runs the rules that hold between
    properties. It gets no brokers, so nothing is sent and no socket is opened; its threads have
    ended on return (well under a millisecond). Whatever `config` names is acted on, a plug-in to
    load included, so check a configuration of unknown origin first.
    """
    try:
        # Without a logger librdkafka prints its warnings on standard error.
        producer = Producer(dict(config), logger=_unheard)
    except KafkaException as error:
        return str(error.args[0].str()).strip().removeprefix("Failed to create producer: ")
    except (TypeError, ValueError) as error:
        return str(error)
    producer.close()
    return None


@cache
def _library() -> ctypes.CDLL | None:
    """The librdkafka that confluent-kafka is linked with, its functions typed; None if hidden."""
    try:
        library = ctypes.CDLL(confluent_kafka.cimpl.__file__)
        library.rd_kafka_conf_new.restype = ctypes.c_void_p
        library.rd_kafka_conf_destroy.argtypes = [ctypes.c_void_p]
        library.rd_kafka_conf_destroy.restype = None
        text, size = ctypes.c_char_p, ctypes.c_size_t
        library.rd_kafka_conf_set.argtypes = [ctypes.c_void_p, text, text, text, size]
        pointer = ctypes.POINTER(ctypes.c_size_t)
        library.rd_kafka_conf_get.argtypes = [ctypes.c_void_p, text, text, pointer]
        library.rd_kafka_conf_properties_show.argtypes = [ctypes.c_void_p]
        library.rd_kafka_conf_properties_show.restype = None
    except (AttributeError, OSError):
        return None
    return library


def _properties_markdown(library: ctypes.CDLL) -> str | None:
    """CONFIGURATION.md as this library prints it; None without open_memstream (POSIX 2008)."""
    libc = ctypes.CDLL(None)
    try:
        open_memstream, fclose, free = libc.open_memstream, libc.fclose, libc.free
    except AttributeError:
        return None
    open_memstream.restype = ctypes.c_void_p
    fclose.argtypes = free.argtypes = [ctypes.c_void_p]
    buffer, size = ctypes.c_void_p(), ctypes.c_size_t()
    stream = open_memstream(ctypes.byref(buffer), ctypes.byref(size))
    if not stream:
        return None
    library.rd_kafka_conf_properties_show(stream)
    fclose(stream)
    try:
        return ctypes.string_at(buffer, size.value).decode("utf-8")
    finally:
        free(buffer)


def _rows(markdown: str, scope: Scope) -> list[Property]:
    return [_property(row, scope) for row in _ROW.finditer(markdown)]


def _property(row: re.Match[str], scope: Scope) -> Property:
    text = row["text"]
    kind = _TYPE.search(text)
    alias = _ALIAS.match(text)
    minimum, maximum, choices = _range(row["range"].strip())
    return Property(
        name=row["name"],
        scope=scope,
        role=_ROLES[row["role"]],
        kind=_KINDS[kind["kind"].strip()] if kind else "string",
        default=row["default"].strip(),
        minimum=minimum,
        maximum=maximum,
        choices=choices,
        alias_of=alias["name"] if alias else None,
        deprecated="**DEPRECATED**" in text,
        description=_TYPE.sub("", text).strip(),
    )


def _range(text: str) -> tuple[int | None, int | None, tuple[str, ...]]:
    low, dots, high = text.partition(" .. ")
    if dots:
        return int(low), int(high), ()
    return None, None, tuple(part.strip() for part in text.split(",") if part.strip())


def _text(buffer: ctypes.Array[ctypes.c_char]) -> str:
    return buffer.value.decode("utf-8", "replace").strip()
