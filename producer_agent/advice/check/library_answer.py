"""What the installed librdkafka answers to a pasted configuration, without acting on it.

To judge a configuration librdkafka has to be given it, and some settings make it do things: load
code, run a command, fetch a token, read a file. Those are left out, and told apart.
"""

from __future__ import annotations

import ctypes
import stat
from collections.abc import Iterable, Mapping
from functools import cache, lru_cache
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final, cast

import confluent_kafka

from producer_agent.advice.check.pasted import MASK, Entry
from producer_agent.advice.check.verdicts import NotTried
from producer_agent.kafka.properties import canonical, known_properties, read_back, refusal

Value = str | bool | None

BOOL_ONLY: Final = "delivery.report.only.error"
"""The one setting confluent-kafka reads for itself, and takes as a bool alone."""

NOWHERE: Final = "127.0.0.1:1"
"""Stands for the brokers: nothing listens there, and loopback is no network."""

_LOADS_CODE: Final = "it loads code, which looking at a configuration must not do"
_FETCHES: Final = "it makes librdkafka fetch a token over the network"
_ACTS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "plugin.library.paths": _LOADS_CODE,
        "ssl.engine.location": _LOADS_CODE,
        "ssl.engine.id": _LOADS_CODE,
        "ssl.providers": _LOADS_CODE,
        "sasl.kerberos.kinit.cmd": "it is a command that librdkafka runs",
        "sasl.kerberos.keytab": "librdkafka signs in with it at once",
        "internal.termination.signal": "librdkafka sends it to its own process",
        "sasl.oauthbearer.method": _FETCHES,
        "sasl.oauthbearer.metadata.authentication.type": _FETCHES,
        "sasl.oauthbearer.token.endpoint.url": _FETCHES,
        "debug": "it only adds log lines",
        "ssl.key.pem": "the key is not kept",
        "ssl.certificate.pem": "the certificate is not kept",
        "ssl.ca.pem": "the certificate is not kept",
        "https.ca.pem": "the certificate is not kept",
    }
)
_PATHS: Final = frozenset(
    {
        "https.ca.location",
        "sasl.oauthbearer.assertion.file",
        "sasl.oauthbearer.assertion.jwt.template.file",
        "sasl.oauthbearer.assertion.private.key.file",
        "ssl.ca.location",
        "ssl.certificate.location",
        "ssl.crl.location",
        "ssl.key.location",
        "ssl.keystore.location",
    }
)
_CLIENT_CERTIFICATE: Final = frozenset(
    {
        "ssl.certificate.location",
        "ssl.key.location",
        "ssl.key.password",
        "ssl.keystore.location",
        "ssl.keystore.password",
    }
)
_KEY_PASSWORDS: Final = frozenset({"ssl.key.password", "ssl.keystore.password"})
_UNKNOWN_TEXT: Final = "unknown"
_UNKNOWN_NAME: Final = -2
"""RD_KAFKA_CONF_UNKNOWN, what rd_kafka_conf_set returns for no property at all."""


class Trial:
    """What of a configuration can be put to librdkafka, in the order it was written.

    `not_tried` says what cannot and why; `missing` names those settings whose file is not on
    this machine.
    """

    def __init__(self, entries: Iterable[Entry]) -> None:
        self.config: dict[str, Value] = {}
        self.not_tried: list[NotTried] = []
        self.missing: dict[str, str] = {}
        entries = list(entries)
        without_client = self._without_client_certificate(entries)
        for entry in entries:
            reason = self._reason(entry, without_client)
            if reason is None:
                if entry.in_topic_config:
                    self.config.pop(entry.name, None)  # it comes last, and wins
                self.config[entry.name] = _given(entry)
            else:
                self.not_tried.append(NotTried(entry.name, reason))

    def _reason(self, entry: Entry, without_client: str | None) -> str | None:
        name = canonical(entry.name)
        if (why := _ACTS.get(name)) is not None and not _is_refused_at_once(entry):
            return why
        if name.startswith("test.mock.") or is_hidden(name):
            return "librdkafka does not document it"
        if name in _CLIENT_CERTIFICATE and without_client is not None:
            return without_client
        if name in _PATHS and (why := self._path(entry)) is not None:
            return why
        known = known_properties().get(name)
        if entry.known or known is None or known.kind == "string":
            # A name that librdkafka does not know it refuses whatever the value is.
            return None
        return "its value is known only to the running program"

    def _path(self, entry: Entry) -> str | None:
        if not entry.known or entry.value is None:
            return "its value is known only to the running program"
        if entry.value in ("", "probe"):
            return None
        path = Path(entry.value)
        try:
            kind = path.stat().st_mode
        except (OSError, ValueError):
            self.missing[entry.name] = entry.value
            return "the file is not on this machine"
        if not (stat.S_ISREG(kind) or stat.S_ISDIR(kind)):
            # Reading a device or a pipe may never end.
            return "it is no regular file"
        return None

    def _without_client_certificate(self, entries: Iterable[Entry]) -> str | None:
        given = [entry for entry in entries if canonical(entry.name) in _CLIENT_CERTIFICATE]
        if any(canonical(entry.name) in _KEY_PASSWORDS for entry in given):
            for entry in given:
                if canonical(entry.name) in _PATHS:
                    self._path(entry)
            return "the password of its key is not kept"
        reasons = [self._path(entry) for entry in given if canonical(entry.name) in _PATHS]
        return next((reason for reason in reasons if reason is not None), None)


def answer(config: Mapping[str, Value]) -> str | None:
    """Librdkafka's words against a configuration of a `Trial`; None if it takes it."""
    placed = {
        name: NOWHERE if canonical(name) == "metadata.broker.list" and value else value
        for name, value in config.items()
    }
    # confluent-kafka takes None for "no value", which its own types leave unsaid.
    words = refusal(cast("dict[str, str | int | float | bool]", placed))
    return None if words is None else " ".join(words.split())


def answer_to_missing(config: Mapping[str, Value], missing: Mapping[str, str]) -> str | None:
    """The same with the files that are not here named, where librdkafka would look at them."""
    return answer({**config, **missing}) if missing else None


@lru_cache(maxsize=1024)
def is_hidden(name: str) -> bool:
    """Whether librdkafka takes a property that it leaves out of its documentation."""
    if not known_properties() or name in known_properties() or "\0" in name:
        return False
    library = _library()
    if library is None or not name:
        return False
    conf, words = library.rd_kafka_conf_new(), ctypes.create_string_buffer(512)
    try:
        code = library.rd_kafka_conf_set(conf, name.encode(), b"", words, 512)
        # Of some names of Java it says by name that they are "not supported".
        return code != _UNKNOWN_NAME and b"not supported" not in words.value
    finally:
        library.rd_kafka_conf_destroy(conf)


def effective_values(config: Mapping[str, Value]) -> dict[str, str] | None:
    """Every property of a producer made with this, by librdkafka's own names.

    Read back from the producer, so what librdkafka derives is as it derives it. None where it
    refuses the configuration, or its symbols cannot be reached.
    """
    library = _library()
    if library is None:
        return None
    # With a topic configuration librdkafka checks at once what else it would at the first
    # record; without one it has none to show.
    whole = _made(library, config, with_topic=True)
    return _made(library, config, with_topic=False) if whole is None else whole


def _made(library: Any, config: Mapping[str, Value], *, with_topic: bool) -> dict[str, str] | None:
    words = ctypes.create_string_buffer(512)
    conf = library.rd_kafka_conf_new()
    library.rd_kafka_conf_set_log_cb(conf, None)  # else its warnings go to standard error
    if with_topic:
        library.rd_kafka_conf_set_default_topic_conf(conf, library.rd_kafka_topic_conf_new())
    for name, value in config.items():
        if canonical(name) == "metadata.broker.list":
            continue
        raw = None if value is None else str(value).encode()
        if library.rd_kafka_conf_set(conf, name.encode(), raw, words, 512) != 0:
            library.rd_kafka_conf_destroy(conf)
            return None
    producer = library.rd_kafka_new(0, conf, words, 512)
    if not producer:
        library.rd_kafka_conf_destroy(conf)
        return None
    try:
        held = library.rd_kafka_conf(producer)
        topic = library.rd_kafka_conf_get_default_topic_conf(held)
        values = _dumped(library, library.rd_kafka_topic_conf_dump, topic) if topic else {}
        # Of a name that both have (compression.codec), a topic's "inherit" is no answer.
        return values | _dumped(library, library.rd_kafka_conf_dump, held)
    finally:
        library.rd_kafka_destroy(producer)


def _is_refused_at_once(entry: Entry) -> bool:
    """Whether librdkafka refuses a value when it is set, before any client acts on it."""
    if canonical(entry.name) == "plugin.library.paths":
        return False  # which is loaded as it is set
    if not entry.known or entry.value is None or entry.secret:
        return False
    reading = read_back(entry.name, str(_given(entry)))
    return reading is not None and reading.refusal is not None


def _given(entry: Entry) -> Value:
    if entry.name == BOOL_ONLY and not entry.quoted and entry.value in ("true", "false"):
        return entry.value == "true"
    if not entry.known:
        return _UNKNOWN_TEXT
    if entry.listed and entry.value is not None:
        return f"[{entry.value}]"  # as confluent-kafka does: str() of the list
    return MASK if entry.secret and entry.value else entry.value


def _dumped(library: Any, dump: Any, conf: Any) -> dict[str, str]:
    count = ctypes.c_size_t()
    rows = dump(conf, ctypes.byref(count))
    try:
        return {
            rows[i].decode(): (rows[i + 1] or b"").decode("utf-8", "replace")
            for i in range(0, count.value, 2)
        }
    finally:
        library.rd_kafka_conf_dump_free(rows, count)


@cache
def _library() -> Any:
    """The librdkafka that confluent-kafka is linked with; None where it hides its symbols."""
    pointer, text, size = ctypes.c_void_p, ctypes.c_char_p, ctypes.c_size_t
    rows = ctypes.POINTER(ctypes.c_char_p)
    count = ctypes.POINTER(ctypes.c_size_t)
    signatures: dict[str, tuple[Any, list[Any]]] = {
        "rd_kafka_conf_new": (pointer, []),
        "rd_kafka_conf_destroy": (None, [pointer]),
        "rd_kafka_conf_set": (ctypes.c_int, [pointer, text, text, text, size]),
        "rd_kafka_conf_set_log_cb": (None, [pointer, pointer]),
        "rd_kafka_topic_conf_new": (pointer, []),
        "rd_kafka_conf_set_default_topic_conf": (None, [pointer, pointer]),
        "rd_kafka_new": (pointer, [ctypes.c_int, pointer, text, size]),
        "rd_kafka_conf": (pointer, [pointer]),
        "rd_kafka_conf_get_default_topic_conf": (pointer, [pointer]),
        "rd_kafka_conf_dump": (rows, [pointer, count]),
        "rd_kafka_topic_conf_dump": (rows, [pointer, count]),
        "rd_kafka_conf_dump_free": (None, [rows, size]),
        "rd_kafka_destroy": (None, [pointer]),
    }
    try:
        library = ctypes.CDLL(confluent_kafka.cimpl.__file__)
        for name, (result, arguments) in signatures.items():
            function = getattr(library, name)
            function.restype, function.argtypes = result, arguments
    except (AttributeError, OSError):
        return None
    return library
