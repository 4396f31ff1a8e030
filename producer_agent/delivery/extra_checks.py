"""Rules for `producer.extra`: the librdkafka properties a profile has no field of its own for.

Librdkafka takes more than it should here: it reads `64KB` as 64, 2^32 + 1 as 1, ignores a
consumer's property with a log line, and lets the later of two aliases win. Every value is
therefore put to the installed library, and what the library made of it is held against what was
written.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from types import MappingProxyType
from typing import Final

from producer_agent.delivery.profile_problems import meant_number
from producer_agent.delivery.profile_values import Setting
from producer_agent.delivery.profiles import PROPERTY_OF, Problem, Profile
from producer_agent.kafka.properties import (
    Property,
    canonical,
    is_known,
    known_properties,
    nearest,
    read_back,
)

_CALLBACK: Final = "the agent registers its own, and measures through it"
_CONNECTION: Final = (
    "how to reach and sign in to the cluster belongs to the agent's settings: producer, "
    "read-back and dead-letter consumer have to meet the same cluster, and a profile is stored "
    "and exported, which a secret must never be"
)
_CODE: Final = "it loads code into the agent, which editing a profile must not allow"

OWNED: Final = MappingProxyType(
    {
        "bootstrap.servers": _CONNECTION,
        "metadata.broker.list": _CONNECTION,
        "security.protocol": _CONNECTION,
        "plugin.library.paths": _CODE,
        "interceptors": _CODE,
        "on_delivery": _CALLBACK,
        "logger": "attempts are learned from librdkafka's log, which the agent reads",
        "debug": "the agent sets `msg`, to learn of every attempt from librdkafka's log",
        "log_level": "a lower level hides the log lines that attempts are learned from",
        "log.queue": "the agent has the log queued, to read it in poll()",
        "statistics.interval.ms": "the agent sets it: rates and queue fill come from it",
        "enabled_events": "it turns delivery reports into events that nobody fetches",
        "delivery.report.only.error": "a delivery not reported could not be told from a loss",
        "default.topic.config": (
            "it overrides the profile's own settings without a word; librdkafka takes topic "
            "properties at the top level"
        ),
    }
)
"""Properties that are not a profile's to set, and why.

`client.id` is not among them (nothing that is measured hangs on it, and quotas do), nor is
`enable.gapless.guarantee` (a legitimate, if experimental, thing to try; it is warned about).
"""

_CONNECTION_PREFIXES: Final = ("sasl.", "ssl.", "ssl_", "https.", "enable.sasl", "enable.ssl")

FROM_JAVA: Final = MappingProxyType(
    {
        "buffer.memory": "librdkafka has `queue.buffering.max.kbytes`, in KiB",
        "key.serializer": "the agent serializes by itself; remove it",
        "value.serializer": "the agent serializes by itself; remove it",
        "max.block.ms": "librdkafka never blocks in produce(), it raises BufferError; remove it",
        "max.request.size": "set `producer.message_max_bytes`",
        "partitioner.class": "librdkafka has `partitioner`, such as murmur2_random (Java's own)",
        "partitioner.ignore.keys": "librdkafka has `partitioner`; remove it",
        "receive.buffer.bytes": "librdkafka has `socket.receive.buffer.bytes`",
        "send.buffer.bytes": "librdkafka has `socket.send.buffer.bytes`",
    }
)
"""Settings of the Java producer that librdkafka lacks or names otherwise, and what to do."""

_FIELD_OF: Final = MappingProxyType({canonical(name): f for f, name in PROPERTY_OF.items()})
_PLAIN: Final = MappingProxyType(
    {
        "integer": re.compile(r"-?(?:0|[1-9][0-9]*)"),
        "float": re.compile(r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:e-[0-9]+)?"),
    }
)


def check_extra(profile: Profile) -> Iterator[Problem]:
    """The problems of each property in `producer.extra`, at most one of each severity."""
    yield from check_owned(profile)
    for name, value in profile.producer.extra.items():
        if is_owned(name) is None:
            yield from _check(profile, name, value)


def check_owned(profile: Profile) -> Iterator[Problem]:
    """The problems of those properties in `producer.extra` that are not a profile's to set.

    The values are not shown: one may be a password.
    """
    for name in profile.producer.extra:
        reason = is_owned(name)
        if reason is not None:
            yield Problem(
                profile.name,
                f"producer.extra.{name}",
                f"`{name}` is not a profile's to set: {reason}.",
                "Remove it from `extra`.",
            )


def is_owned(name: str) -> str | None:
    """Why a property is the agent's to set and not a profile's; None if a profile may set it."""
    if name in OWNED:
        return OWNED[name]
    if name.startswith(_CONNECTION_PREFIXES):
        return _CONNECTION
    known = known_properties().get(name)
    if name.endswith("_cb") or (known is not None and known.kind == "callback"):
        return _CALLBACK
    return None


def field_of(name: str) -> str | None:
    """The typed field of ProducerSettings that a property or an alias of it is set by."""
    return _FIELD_OF.get(canonical(name))


def _check(profile: Profile, name: str, value: Setting) -> Iterator[Problem]:
    def problem(message: str, mend: str) -> Problem:
        return Problem(profile.name, f"producer.extra.{name}", message, mend)

    typed = field_of(name)
    if typed is not None:
        yield problem(
            f"`{name}` is another name for what `producer.{typed}` sets; the later would win.",
            f"Remove it and set `producer.{typed}`.",
        )
        return
    if not is_known(name):
        yield problem(f"librdkafka has no property `{name}`.", _mend_unknown(name))
        return
    known = known_properties().get(name)
    if known is None:
        return
    if known.role == "consumer":
        yield problem(
            f"`{name}` is a consumer's property, and a producer ignores it.", "Remove it."
        )
        return
    fault = _misread(known, value)
    if fault is not None:
        yield problem(*fault)
    elif known.deprecated:
        yield Problem(
            profile.name,
            f"producer.extra.{name}",
            f"`{name}` is deprecated in this librdkafka: {_first_sentence(known.description)}",
            "Remove it.",
            "warning",
        )


def _mend_unknown(name: str) -> str:
    if name in FROM_JAVA:
        return f"It is the Java producer's: {FROM_JAVA[name]}."
    field = name if name in PROPERTY_OF else None
    near = nearest(name)
    field = field or (field_of(near[0]) if near else None)
    if field is not None:
        return f"Set `producer.{field}`, if that is what was meant; else remove it."
    if near:
        return f"Write `{near[0]}`, if that is what was meant; else remove it."
    return "Remove it."


def _misread(known: Property, value: Setting) -> tuple[str, str] | None:
    """Message and mend if librdkafka refuses the value, or holds another one than was written."""
    reading = read_back(known.name, value)
    if reading is None:
        return None
    if known.kind in _PLAIN:
        return _misread_number(known, value, reading.held)
    if reading.held is None:
        allowed = f"one of {', '.join(known.choices)}" if known.choices else "what it documents"
        return f"librdkafka refuses {value!r}: {reading.refusal}.", f"Give {allowed}."
    return None


def _misread_number(known: Property, value: Setting, held: str | None) -> tuple[str, str] | None:
    what = "a plain integer" if known.kind == "integer" else "a plain number"
    limits = f"{known.minimum} to {known.maximum}"
    if isinstance(value, bool) or not _PLAIN[known.kind].fullmatch(str(value)):
        reads = f"librdkafka refuses {value!r}"
        if held is not None:
            reads = f"librdkafka silently reads {value!r} as {held}"
        meant = meant_number(value) if isinstance(value, str) else None
        example = f", such as {meant}" if meant is not None else f", {limits}"
        return f"{reads}.", f"Write {what}{example}."
    if known.minimum is None or known.maximum is None:
        return None
    # Not left to librdkafka, which cuts an integer to 32 bits before it checks the range.
    if not known.minimum <= float(value) <= known.maximum:
        return f"{value} is outside of {limits}.", f"Write {what}, {limits}."
    return None


def _first_sentence(text: str) -> str:
    about = text.partition("**DEPRECATED**")[2].replace("*", "").strip()
    return about.partition(". ")[0].rstrip(".") + "."
