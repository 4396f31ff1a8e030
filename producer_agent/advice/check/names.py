"""What settings are called: librdkafka's own, Java's constants, and names inside longer paths."""

from __future__ import annotations

import difflib
import re
from collections import Counter
from collections.abc import Collection, Sequence
from functools import cache, lru_cache
from types import MappingProxyType
from typing import Final

from producer_agent.advice.check.java_settings import JAVA_SETTINGS
from producer_agent.kafka.properties import canonical, known_properties

CALLBACKS: Final = frozenset(
    {"error_cb", "stats_cb", "throttle_cb", "oauth_cb", "on_delivery", "logger"}
)
"""What confluent-kafka itself takes out of a configuration, and librdkafka does not know."""

_IRREGULAR: Final = MappingProxyType(
    {
        "KEY_SERIALIZER_CLASS": "key.serializer",
        "VALUE_SERIALIZER_CLASS": "value.serializer",
        "KEY_DESERIALIZER_CLASS": "key.deserializer",
        "VALUE_DESERIALIZER_CLASS": "value.deserializer",
        "METADATA_MAX_AGE": "metadata.max.age.ms",
        "METADATA_MAX_IDLE": "metadata.max.idle.ms",
        "METRIC_REPORTER_CLASSES": "metric.reporters",
        "RECEIVE_BUFFER": "receive.buffer.bytes",
        "SEND_BUFFER": "send.buffer.bytes",
        "TRANSACTION_TIMEOUT": "transaction.timeout.ms",
    }
)
# org.apache.kafka.clients.producer.ProducerConfig names its constants after the settings, but
# for the few above.


def of_constant(constant: str) -> str:
    """The setting a constant of Java's `…Config` classes names: `ACKS_CONFIG` is `acks`."""
    stem = constant.removesuffix("_CONFIG").removesuffix("_DOC")
    return _IRREGULAR.get(stem, stem.lower().replace("_", "."))


def other_name(words: str, written: str) -> str:
    """A remark on a refusal that speaks of a setting by a name that was not written; "" if none.

    Librdkafka refuses `delivery.timeout.ms` as `message.timeout.ms`, and `acks` as
    `request.required.acks`.
    """
    own = canonical(written)
    if own == written or own not in words or written in words.replace(own, ""):
        return ""
    return f" ({own} is its name for {written})"


def is_setting(name: str) -> bool:
    """Whether librdkafka, confluent-kafka or the Java producer has a setting of this name."""
    return name in known_properties() or name in JAVA_SETTINGS or name in CALLBACKS


_OF_A_PRODUCER: Final = re.compile(r"(?:^|.*[.>])producer\.(?:override\.)?(?P<name>.+)$")


_OF_AN_ENVIRONMENT: Final = re.compile(
    r"(?:.*\.)?(?:[A-Z]+_)*PRODUCER_(?:OVERRIDE_|PROPERTIES_)?(?P<name>[A-Z][A-Z0-9_]*)$"
)


def of_producer_prefix(path: str) -> str | None:
    """What is behind `producer.` or `producer.override.`, as Kafka Connect and Streams have it.

    Also behind `…PRODUCER_`, as the variables of container images do.
    """
    variable = _OF_AN_ENVIRONMENT.match(path)
    if variable:
        return variable["name"].lower().replace("_", ".")
    match = _OF_A_PRODUCER.match(path)
    # `producer.type` was a setting of Kafka 0.8, and no prefix.
    return match["name"] if match and path != "producer.type" else None


def inside_paths(paths: Sequence[Sequence[str]]) -> list[str]:
    """The setting's name in each path of a nested document.

    The longest end of a path that is a setting is its name; where none is, what is left of it
    when the way to its neighbours that are settings is taken off.
    """
    parents: set[tuple[str, ...]] = set()
    found: list[str | None] = []
    for path in paths:
        for start in range(len(path)):
            name = ".".join(path[start:])
            if is_setting(name):
                parents.add(tuple(path[:start]))
                found.append(name)
                break
        else:
            found.append(None)
    wrapper = () if parents else _shared(paths)
    return [
        name if name is not None else ".".join(path[_depth(path, parents, len(wrapper)) :])
        for name, path in zip(found, paths, strict=True)
    ]


def _depth(path: Sequence[str], parents: Collection[tuple[str, ...]], least: int) -> int:
    """How long the longest way of `parents` is that `path` begins with."""
    ways = (depth for depth in range(len(path) - 1, least, -1) if tuple(path[:depth]) in parents)
    return next(ways, least)


def _shared(paths: Sequence[Sequence[str]]) -> tuple[str, ...]:
    if not paths:
        return ()
    shared: list[str] = []
    for steps in zip(*(path[:-1] for path in paths), strict=False):
        if len(set(steps)) != 1:
            break
        shared.append(steps[0])
    return tuple(shared)


def spelt(name: str) -> str:
    """A name as settings are spelt: lower case, dots between its words."""
    return name.strip().strip("\"'").lower().replace("_", ".").replace("-", ".")


@lru_cache(maxsize=256)
def nearest(name: str) -> str | None:
    """The real setting, librdkafka's or Java's, that looks most like `name`; None if none does."""
    written = spelt(name)
    if written in known_properties() or written in JAVA_SETTINGS:
        return written
    if len(written) > 100:
        return None
    likely = [known for known, letters in _names_and_letters() if _may_be_near(written, letters)]
    close = difflib.get_close_matches(written, likely, n=1, cutoff=_NEAR)
    return close[0] if close else None


_NEAR: Final = 0.6


@cache
def _names_and_letters() -> tuple[tuple[str, Counter[str]], ...]:
    ours = [
        known.name
        for known in known_properties().values()
        if known.role != "consumer" and known.kind != "callback"
    ]
    return tuple((name, Counter(name)) for name in (*ours, *JAVA_SETTINGS))


def _may_be_near(written: str, letters: Counter[str]) -> bool:
    """Whether difflib's ratio can reach `_NEAR`: by letters alone, which is quickly told."""
    shared = sum(min(written.count(letter), n) for letter, n in letters.items())
    return 2 * shared >= _NEAR * (len(written) + letters.total())
