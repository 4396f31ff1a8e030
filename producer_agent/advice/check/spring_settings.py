"""Spring Boot's settings for Kafka as the Kafka settings they become.

Boot binds `spring.kafka.producer.*` by KafkaProperties.Producer#buildProperties, what is common to
all clients by KafkaProperties#buildCommonProperties; the producer's own win. Spelling is relaxed:
`batch-size`, `batchSize` and `batch_size` are one name. Sizes may have a unit (`16KB`).
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import replace
from types import MappingProxyType
from typing import Final

from producer_agent.advice.check.pasted import Entry

_COMMON: Final = MappingProxyType(
    {
        "bootstrapservers": "bootstrap.servers",
        "clientid": "client.id",
        "securityprotocol": "security.protocol",
        "security.protocol": "security.protocol",
        "ssl.keypassword": "ssl.key.password",
        "ssl.keystorelocation": "ssl.keystore.location",
        "ssl.keystorepassword": "ssl.keystore.password",
        "ssl.keystoretype": "ssl.keystore.type",
        "ssl.keystorekey": "ssl.keystore.key",
        "ssl.keystorecertificatechain": "ssl.keystore.certificate.chain",
        "ssl.truststorelocation": "ssl.truststore.location",
        "ssl.truststorepassword": "ssl.truststore.password",
        "ssl.truststoretype": "ssl.truststore.type",
        "ssl.truststorecertificates": "ssl.truststore.certificates",
        "ssl.protocol": "ssl.protocol",
    }
)
_PRODUCER: Final = MappingProxyType(
    {
        **_COMMON,
        "acks": "acks",
        "batchsize": "batch.size",
        "buffermemory": "buffer.memory",
        "compressiontype": "compression.type",
        "keyserializer": "key.serializer",
        "valueserializer": "value.serializer",
        "retries": "retries",
        "transactionidprefix": "transactional.id",
    }
)
_BRACKETS: Final = re.compile(r"\.?\[([^\]]*)\]")
_SIZES: Final = ("batch.size", "buffer.memory")
_SIZE: Final = re.compile(r"([0-9]{1,12})(B|KB|MB|GB)")
_SIZE_BYTES: Final = MappingProxyType({"B": 1, "KB": 1024, "MB": 1024**2, "GB": 1024**3})
_STREAM: Final = re.compile(
    r"spring\.cloud\.stream\.kafka\.(?:binder\.(?:configuration|producer-?properties)"
    r"|(?:bindings\.[^.]+|default)\.producer\.configuration)\.(?P<name>.+)",
    re.IGNORECASE,
)
_SMALLRYE: Final = re.compile(r"(?:%\w+\.)?mp\.messaging\.outgoing\.[^.]+\.(?P<name>.+)")
_SMALLRYE_OWN: Final = frozenset(
    {
        "connector",
        "topic",
        "key",
        "partition",
        "merge",
        "waitForWriteCompletion",
        "propagate-headers",
    }
)


def is_spring(name: str) -> bool:
    """Whether a property's name is one of Spring's (or of SmallRye's, that is bound alike)."""
    return name.startswith(("spring.kafka.", "spring.cloud.stream.")) or bool(
        _SMALLRYE.fullmatch(name)
    )


def producer_settings(entries: Iterable[Entry]) -> tuple[list[Entry], int]:
    """What the producer gets of Spring's settings, and how many settings are not a producer's."""
    common: list[Entry] = []
    own: list[Entry] = []
    left = 0
    for entry in entries:
        path = _BRACKETS.sub(r".\1", entry.name)
        inside = path.removeprefix("spring.kafka.")
        name = None
        found = own
        if match := _STREAM.fullmatch(path) or _SMALLRYE.fullmatch(path):
            name = None if match["name"] in _SMALLRYE_OWN else _plain(match["name"])
        elif path == "kafka.bootstrap.servers":
            name, found = "bootstrap.servers", common
        elif inside == path:
            pass
        elif inside.startswith("producer.properties."):
            name = _plain(inside.removeprefix("producer.properties."))
        elif inside.startswith("producer."):
            rest = inside.removeprefix("producer.")
            name = _PRODUCER.get(_relaxed(rest), rest)
        elif inside.startswith("properties."):
            name, found = _plain(inside.removeprefix("properties.")), common
        else:
            name, found = _COMMON.get(_relaxed(inside)), common
        if name is None:
            left += 1
        else:
            found.append(_renamed(entry, name))
    given = {entry.name for entry in own}
    return [entry for entry in common if entry.name not in given] + own, left


def _renamed(entry: Entry, name: str) -> Entry:
    value = entry.value
    if name in _SIZES and value is not None and (match := _SIZE.fullmatch(value.strip())):
        value = str(int(match[1]) * _SIZE_BYTES[match[2]])
    if name.endswith(".location") and value is not None:
        value = value.removeprefix("file:")  # Spring's locations are resources
    return replace(entry, name=name, written=entry.name, value=value)


def _relaxed(name: str) -> str:
    return name.replace("-", "").replace("_", "").lower()


def _plain(name: str) -> str:
    return name.strip("[]\"'")
