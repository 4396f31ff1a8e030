"""What is to be said of one setting by itself: its name, and its value put to librdkafka."""

from __future__ import annotations

import difflib
import re
from types import MappingProxyType
from typing import Final, cast

from producer_agent.advice.check.java_settings import ELSEWHERE, JAVA_SETTINGS, JavaSetting
from producer_agent.advice.check.library_answer import BOOL_ONLY, is_hidden
from producer_agent.advice.check.names import CALLBACKS, nearest, other_name, spelt
from producer_agent.advice.check.pasted import MASK, Entry
from producer_agent.advice.check.verdicts import Finding, Pair
from producer_agent.delivery.profile_problems import meant_number
from producer_agent.kafka.properties import (
    ALIASES,
    Property,
    canonical,
    known_properties,
    read_back,
    refusal,
)

_PLAIN: Final = MappingProxyType(
    {
        "integer": re.compile(r"\s*[+-]?(?:0|[1-9][0-9]*)(?:\.0+)?"),
        "float": re.compile(r"\s*[+-]?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?"),
    }
)
_NUMBER_AT_START: Final = re.compile(r"\s*[+-]?[0-9.]")
_LIKELY: Final = 0.75
_OTHER_VALUES: Final = MappingProxyType(
    {
        ("ssl.endpoint.identification.algorithm", ""): "none",
        ("client.dns.lookup", "default"): "use_all_dns_ips",
        ("sasl.mechanisms", "AWS_MSK_IAM"): "OAUTHBEARER",
    }
)
"""Values that Java takes and librdkafka names otherwise."""

# What a setting does beyond setting anything; librdkafka is never shown the value.
_ACTING: Final = MappingProxyType(
    {
        "plugin.library.paths": "It loads native code into the process: whoever can write that "
        "file can do what the process can.",
        "ssl.engine.location": "It loads native code into the process, and OpenSSL has given "
        "engines up.",
        "internal.termination.signal": "librdkafka sends this signal to the process's own "
        "threads; one that is not handled ends the process.",
    }
)


def name_finding(entry: Entry, *, look_further: bool = True) -> Finding | None:
    """What is to be said of a name that is no setting of librdkafka's; None if it is one.

    Args:
        look_further: Whether to look for the nearest real name, which takes milliseconds.
    """
    name = entry.name
    table = known_properties()
    if name in table or name in CALLBACKS or not table:
        return None
    if is_topic_prefixed(name):
        return None
    if name in JAVA_SETTINGS:
        return _java(entry, JAVA_SETTINGS[name])
    if name in ELSEWHERE:
        return Finding("unknown", ELSEWHERE[name], ())
    if is_hidden(name):
        return _hidden(name)
    near = nearest(name) if look_further else None
    if near is None:
        return Finding(
            "unknown", "Neither librdkafka nor the Java producer has such a setting.", ()
        )
    reason = f"There is no such setting; the nearest is {near}."
    if near not in table:
        return Finding("unknown", f"{reason} That one is the Java client's.", ())
    likely = difflib.SequenceMatcher(None, spelt(name), near).ratio() >= _LIKELY
    return Finding("unknown", reason, ((near, shown(entry)),) if likely else ())


def is_topic_prefixed(name: str) -> bool:
    """Whether it is a topic's property in librdkafka's older spelling, `topic.acks`."""
    rest = name.removeprefix("topic.")
    known = known_properties().get(rest)
    return rest != name and known is not None and known.scope == "topic"


def setting_of(entry: Entry) -> str:
    """The one name librdkafka has for what an entry sets."""
    name = entry.name
    return canonical(name.removeprefix("topic.") if is_topic_prefixed(name) else name)


def preferred(name: str) -> str:
    """The name that people know a setting by: `acks`, not `request.required.acks`."""
    return _PREFERRED.get(name, name)


_PREFERRED: Final = MappingProxyType({own: alias for alias, own in ALIASES.items()})


def value_finding(entry: Entry) -> Finding | None:
    """What librdkafka makes of the value by itself; None if it takes it as it is written."""
    name = setting_of(entry)
    if name in CALLBACKS or name.endswith("_cb"):
        return _callback(entry)
    known = known_properties().get(name)
    if known is None or not entry.known:
        return None
    if name in _ACTING:
        return Finding("dangerous", _ACTING[name], ())
    if known.kind == "callback":
        return _asked(entry, known)
    if entry.listed:
        return _listed(entry, known)
    if known.name == BOOL_ONLY and entry.quoted:
        return Finding(
            "refused",
            "confluent-kafka reads it for itself, and takes True or False, but no text.",
            ((entry.name, "true" if (entry.value or "").lower() == "true" else "false"),),
        )
    if entry.value is None:
        return _asked(entry, known)
    if entry.secret:
        return None
    reading = read_back(known.name, entry.value)
    if reading is None:
        return None
    if reading.held is None:
        return _refused(entry, known, reading.refusal or "")
    if known.kind in _PLAIN:
        return _misread_number(entry, known, reading.held)
    if known.kind == "string" and "\0" in entry.value:
        return Finding(
            "dangerous",
            f"librdkafka cuts the text at its NUL, and holds {reading.held!r}.",
            ((entry.name, reading.held),),
        )
    return None


def held_value(entry: Entry) -> str | None:
    """What librdkafka holds for a value it takes; None if that cannot be told."""
    if not entry.known or entry.value is None or entry.secret:
        return None
    name = setting_of(entry)
    if name in _ACTING:
        return None
    reading = read_back(name, entry.value)
    return None if reading is None else reading.held


def shown(entry: Entry) -> str | None:
    """The value as it goes into a corrected configuration."""
    return entry.value if entry.known else None


def _hidden(name: str) -> Finding:
    if name.startswith("test.mock."):
        return Finding(
            "dangerous",
            "librdkafka puts a mock cluster in memory in the brokers' place: records are "
            "reported as delivered, and none leaves the process.",
            (),
        )
    return Finding(
        "dangerous",
        "librdkafka takes it, but leaves it out of its documentation: it may change or go "
        "without a word.",
        (),
    )


def _java(entry: Entry, java: JavaSetting) -> Finding:
    write = _translated(entry, java)
    if entry.name == "sasl.jaas.config" and not write:
        return Finding("java-only", _other_login(entry), ())
    if java.name is None:
        return Finding("java-only", java.why, ())
    if write == (("partitioner", "random"),):
        return Finding("java-only", "librdkafka's partitioner random looks at no key.", write)
    lead = f"librdkafka has {java.name} for it. "
    return Finding("java-only", lead + java.why, write)


def _translated(entry: Entry, java: JavaSetting) -> tuple[Pair, ...]:
    if java.name is None:
        return ()
    if entry.name == "sasl.jaas.config":
        if entry.jaas_module not in (None, "PlainLoginModule", "ScramLoginModule"):
            return ()
        return (("sasl.username", entry.username), ("sasl.password", MASK))
    if entry.name == "ssl.truststore.location":
        path = re.sub(r"\.(?:jks|p12|pfx|ts)$", "", shown(entry) or "truststore")
        return ((java.name, f"{path}.pem"),)
    if entry.name.startswith("partitioner."):
        ignores = entry.name == "partitioner.ignore.keys" or (entry.value or "").endswith(
            ("RoundRobinPartitioner", "UniformStickyPartitioner")
        )
        return ((java.name, "random" if ignores else "murmur2_random"),)
    value = shown(entry)
    if value is not None and (java.to_kbytes or value == "-1"):
        number = meant_number(value)
        if number is not None:
            value = str(max(int(number // 1024), 1) if java.to_kbytes else 0)
    return ((java.name, value),)


def _other_login(entry: Entry) -> str:
    if entry.jaas_module == "Krb5LoginModule":
        return (
            "librdkafka takes sasl.kerberos.principal and sasl.kerberos.keytab, and has to be "
            "built with GSSAPI."
        )
    return (
        f"There is no {entry.jaas_module}: set sasl.mechanism=OAUTHBEARER, and fetch the token in "
        "oauth_cb (for Amazon MSK with aws-msk-iam-sasl-signer), or let librdkafka do it with "
        "sasl.oauthbearer.method=oidc."
    )


def _callback(entry: Entry) -> Finding | None:
    if entry.name in CALLBACKS:
        if entry.known and entry.name != "logger":
            return Finding(
                "refused",
                f"confluent-kafka expects a function for {entry.name}, set in the program.",
                (),
            )
        return None
    words = refusal({entry.name: "x"})
    if words is None:
        return None
    instead = "on_delivery" if entry.name.startswith("dr_") else None
    hint = f" In Python, give {instead}." if instead else ""
    return Finding("refused", f"librdkafka refuses it: {words}.{hint}", ())


def _asked(entry: Entry, known: Property) -> Finding | None:
    words = refusal(cast("dict[str, str | int | float | bool]", {entry.name: entry.value}))
    return None if words is None else _refused(entry, known, words)


def _listed(entry: Entry, known: Property) -> Finding:
    value = entry.value or ""
    if known.kind in ("string", "pattern"):
        return Finding(
            "dangerous",
            "A list becomes the text of a list, brackets and all, and librdkafka takes that "
            "without a word. Write one text with commas.",
            ((entry.name, value),),
        )
    return Finding(
        "refused",
        f"librdkafka refuses a list: {refusal({entry.name: f'[{value}]'}) or 'no such value'}.",
        ((entry.name, value),) if known.kind == "flags" else (),
    )


def _refused(entry: Entry, known: Property, words: str) -> Finding:
    value = entry.value or ""
    other = _OTHER_VALUES.get((canonical(known.name), value))
    unquoted = value.strip().strip("\"'")
    if other is None and value and unquoted != value and _is_taken(known.name, unquoted):
        other = unquoted
    if other is None and known.kind == "boolean":
        other = {"yes": "true", "on": "true", "no": "false", "off": "false"}.get(value.lower())
    bare = re.split(r"\s+[#;]|\s+//", value, maxsplit=1)[0].strip()
    if other is None and bare not in ("", value) and _is_taken(known.name, bare):
        other = bare
    meant = meant_number(value) if known.kind in _PLAIN else None
    if other is None and (in_range := _in_range(entry, known, meant)):
        other = in_range[0][1]
    mend = f" Write {other}." if other is not None else f" {_allowed(known)}"
    if other == "none":
        mend += " As in Java, that takes a certificate for any host."
    words = " ".join(words.split()).rstrip(".")
    words += other_name(words, entry.name)
    write = ((entry.name, other),) if other is not None else ()
    return Finding("refused", f"librdkafka refuses it: {words}.{mend}", write)


def _is_taken(name: str, value: str) -> bool:
    reading = read_back(name, value)
    return reading is not None and reading.held is not None


def _allowed(known: Property) -> str:
    if known.choices:
        return f"Give one of {', '.join(known.choices)}."
    if known.minimum is not None:
        return f"Give a number from {known.minimum} to {known.maximum}."
    return "Give what its documentation allows."


def _misread_number(entry: Entry, known: Property, held: str) -> Finding | None:
    value = entry.value or ""
    if not _NUMBER_AT_START.match(value):
        return None  # a word such as acks=all, which librdkafka knows
    stripped = value.strip()
    limits = f"{known.minimum} to {known.maximum}"
    if not _PLAIN[known.kind].fullmatch(stripped):
        meant = meant_number(stripped.split("#")[0])
        write = _in_range(entry, known, meant)
        hint = f" Write {write[0][1]}." if write else f" Write a plain number, {limits}."
        return Finding(
            "dangerous", f"librdkafka silently reads {stripped!r} as {held}.{hint}", write
        )
    if float(stripped) != float(held):
        return Finding(
            "dangerous",
            f"librdkafka silently reads {stripped} as {held}: it is outside of {limits}.",
            (),
        )
    return None


def _in_range(entry: Entry, known: Property, meant: float | None) -> tuple[Pair, ...]:
    if meant is None or known.minimum is None or known.maximum is None:
        return ()
    if not known.minimum <= meant <= known.maximum:
        return ()
    return ((entry.name, f"{meant:.12g}" if isinstance(meant, float) else str(meant)),)
