"""The advice as properties files: librdkafka's, and the Java producer's."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable
from types import MappingProxyType
from typing import Final

from producer_agent.advice.advisor.advice import Advice, Choice

_WIDTH: Final = 98

_JAVA_NAME: Final = MappingProxyType(
    {
        "message.max.bytes": "max.request.size",
        "queue.buffering.max.kbytes": "buffer.memory",
    }
)
_JAVA_REMARK: Final = MappingProxyType(
    {
        "queue.buffering.max.kbytes": "When it is full send() blocks for max.block.ms and then "
        "throws, where librdkafka raises BufferError at once.",
        "message.max.bytes": "Java limits a request and a record by it.",
        "batch.size": "Java reserves it for each partition, and sends a batch when it is full.",
        "transactional.id": "Each running instance needs one of its own.",
        "enable.idempotence": "Java's default is true; with acks other than all it has to be "
        "written.",
        "linger.ms": "Java takes whole milliseconds.",
    }
)
_JAVA_LACKS: Final = MappingProxyType(
    {
        "queue.buffering.max.messages": "Java has no limit by number; buffer.memory is the limit.",
        "partitioner": "Left out: Java's default partitioner puts a key where murmur2_random does.",
    }
)


def librdkafka_properties(advice: Advice) -> str:
    """`name=value` lines with their reasons, as kcat, librdkafka's tools and `-X` take them."""
    parts = [_head(advice, "librdkafka (confluent-kafka for Python, Go, .NET; node-rdkafka; kcat)")]
    for choice in advice.producer:
        parts += [*_remark(choice.reason), f"{choice.name}={choice.shown}"]
    return "\n".join([*parts, *_topic(advice), ""])


def java_properties(advice: Advice) -> str:
    """The same for Kafka's Java producer: its names and units, and where it behaves otherwise."""
    parts = [_head(advice, "Kafka's Java producer (3.0 or newer)")]
    for choice in advice.producer:
        if choice.name in _JAVA_LACKS:
            parts += _remark(f"{choice.name}: {_JAVA_LACKS[choice.name]}")
            continue
        parts += _remark(choice.reason)
        if choice.name in _JAVA_REMARK:
            parts += _remark(_JAVA_REMARK[choice.name])
        parts.append(f"{_JAVA_NAME.get(choice.name, choice.name)}={_java_value(choice)}")
    return "\n".join([*parts, *_topic(advice), ""])


def _java_value(choice: Choice) -> str:
    if choice.name == "queue.buffering.max.kbytes":
        return str(int(choice.value) * 1024)
    if choice.name == "linger.ms":
        return str(int(float(choice.value)))
    return choice.shown


def _head(advice: Advice, client: str) -> str:
    lines = [f"# {advice.question.name}, for {client}"]
    for conflict in advice.conflicts:
        lines += _remark(f"{conflict.kind.upper()}: {conflict.message} {conflict.mend}")
    return "\n".join(lines)


def _topic(advice: Advice) -> Iterable[str]:
    """How to make the topic, as a remark: it is not the producer's to set."""
    given = advice.topic_settings
    configs = [
        f"--config {choice.name}={choice.shown}"
        for choice in advice.topic
        if choice.name not in ("partitions", "replication.factor")
    ]
    command = [
        "kafka-topics.sh --bootstrap-server HOST:9092 --create",
        f"--topic {advice.question.name}",
        f"--partitions {given['partitions']} --replication-factor {given['replication.factor']}",
        *configs,
    ]
    yield "#"
    yield "# The topic:"
    for at, part in enumerate(command):
        end = " \\" if at < len(command) - 1 else ""
        yield f"#   {'' if at == 0 else '  '}{part}{end}"


def _remark(text: str) -> list[str]:
    return textwrap.wrap(text, _WIDTH, initial_indent="# ", subsequent_indent="# ")
