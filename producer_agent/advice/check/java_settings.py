"""Settings of Kafka's Java clients that librdkafka lacks or names otherwise, and what to do.

Names and meanings are those of Apache Kafka's ProducerConfig, CommonClientConfigs, SslConfigs and
SaslConfigs, and of Confluent's serializers; checked against librdkafka's own table by the tests.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final


@dataclass(frozen=True, slots=True)
class JavaSetting:
    """A setting only Java has: librdkafka's name for it, or None and why there is none.

    `to_kbytes` says that Java counts bytes where librdkafka counts KiB; `keeps_value` that the
    value can be taken over as it stands.
    """

    why: str
    name: str | None = None
    keeps_value: bool = True
    to_kbytes: bool = False


def _none(why: str) -> JavaSetting:
    return JavaSetting(f"There is no counterpart: {why}.")


_METRICS = _none("librdkafka tells its metrics as JSON every statistics.interval.ms, to stats_cb")
_SERIALIZER = _none(
    "librdkafka sends bytes; serialize before produce() (confluent-kafka's SerializingProducer "
    "takes a callable under this name, its Producer does not)"
)
_REGISTRY = _none(
    "it is the schema registry client's or serializer's; give it to "
    "confluent_kafka.schema_registry's SchemaRegistryClient or serializer"
)
_LOGIN = _none("librdkafka signs in without Java's login classes; a token comes from oauth_cb")
_TLS = _none("OpenSSL chooses it; ssl.cipher.suites and OpenSSL's own configuration limit it")
_PARTITIONING = _none(
    "librdkafka's choice of partition for records without a key is partitioner and "
    "sticky.partitioning.linger.ms"
)
_CONSUMER = _none("it is a consumer's, and has no effect in a producer")
_STORE_TYPE = _none(
    "librdkafka reads PEM files, and for ssl.keystore.location PKCS#12; convert a JKS store with "
    "`keytool -importkeystore -deststoretype PKCS12`"
)
_LEVEL = JavaSetting("librdkafka has one level for whichever codec is used.", "compression.level")

JAVA_SETTINGS: Final[Mapping[str, JavaSetting]] = MappingProxyType(
    {
        "auto.include.jmx.reporter": _METRICS,
        "metric.reporters": _METRICS,
        "metrics.num.samples": _METRICS,
        "metrics.recording.level": _METRICS,
        "metrics.sample.window.ms": _METRICS,
        "buffer.memory": JavaSetting(
            "librdkafka counts its buffer in KiB, and the messages in it as well "
            "(queue.buffering.max.messages); when it is full produce() raises BufferError.",
            "queue.buffering.max.kbytes",
            to_kbytes=True,
        ),
        "bootstrap.controllers": _none("it is for administration of a KRaft cluster"),
        "config.providers": _none("read the value in your program, and pass it"),
        "compression.gzip.level": _LEVEL,
        "compression.lz4.level": _LEVEL,
        "compression.zstd.level": _LEVEL,
        "enable.metrics": _METRICS,
        "interceptor.classes": _none(
            "librdkafka has interceptors in C only; do it around produce() and in on_delivery"
        ),
        "key.serializer": _SERIALIZER,
        "value.serializer": _SERIALIZER,
        "key.deserializer": _CONSUMER,
        "value.deserializer": _CONSUMER,
        "max.block.ms": _none(
            "produce() never blocks, it raises BufferError when the queue is full; poll() and "
            "try again as long as you would have waited"
        ),
        "max.request.size": JavaSetting(
            "librdkafka limits a message and a batch by one setting; the topic's "
            "max.message.bytes has to allow it.",
            "message.max.bytes",
        ),
        "metadata.max.idle.ms": _none(
            "librdkafka keeps the metadata of the topics it knows (topic.metadata.refresh.sparse)"
        ),
        "partitioner.adaptive.partitioning.enable": _PARTITIONING,
        "partitioner.availability.timeout.ms": _PARTITIONING,
        "partitioner.class": JavaSetting(
            "librdkafka has no classes; murmur2_random chooses as Java's default does, so that a "
            "key keeps its partition.",
            "partitioner",
            keeps_value=False,
        ),
        "partitioner.ignore.keys": JavaSetting(
            "librdkafka has a partitioner that ignores keys.", "partitioner", keeps_value=False
        ),
        "receive.buffer.bytes": JavaSetting(
            "librdkafka's name differs; 0 is the system's choice, which Java writes -1.",
            "socket.receive.buffer.bytes",
        ),
        "send.buffer.bytes": JavaSetting(
            "librdkafka's name differs; 0 is the system's choice, which Java writes -1.",
            "socket.send.buffer.bytes",
        ),
        "sasl.jaas.config": JavaSetting(
            "librdkafka takes the name and the password apart, and the mechanism from "
            "sasl.mechanism.",
            "sasl.username",
            keeps_value=False,
        ),
        "sasl.client.callback.handler.class": _LOGIN,
        "sasl.kerberos.kinit.cmd.path": _none("librdkafka runs sasl.kerberos.kinit.cmd"),
        "sasl.kerberos.ticket.renew.jitter": _LOGIN,
        "sasl.kerberos.ticket.renew.window.factor": _LOGIN,
        "sasl.login.callback.handler.class": _LOGIN,
        "sasl.login.class": _LOGIN,
        "sasl.login.connect.timeout.ms": _LOGIN,
        "sasl.login.read.timeout.ms": _LOGIN,
        "sasl.login.refresh.buffer.seconds": _LOGIN,
        "sasl.login.refresh.min.period.seconds": _LOGIN,
        "sasl.login.refresh.window.factor": _LOGIN,
        "sasl.login.refresh.window.jitter": _LOGIN,
        "sasl.login.retry.backoff.max.ms": _LOGIN,
        "sasl.login.retry.backoff.ms": _LOGIN,
        "security.providers": _TLS,
        "socket.connection.setup.timeout.max.ms": JavaSetting(
            "librdkafka has one limit, that does not grow.", "socket.connection.setup.timeout.ms"
        ),
        "ssl.enabled.protocols": _TLS,
        "ssl.protocol": _TLS,
        "ssl.provider": _TLS,
        "ssl.engine.factory.class": _TLS,
        "ssl.keymanager.algorithm": _TLS,
        "ssl.trustmanager.algorithm": _TLS,
        "ssl.secure.random.implementation": _TLS,
        "ssl.keystore.type": _STORE_TYPE,
        "ssl.truststore.type": _STORE_TYPE,
        "ssl.keystore.key": JavaSetting("librdkafka's name differs.", "ssl.key.pem"),
        "ssl.keystore.certificate.chain": JavaSetting(
            "librdkafka's name differs.", "ssl.certificate.pem"
        ),
        "ssl.truststore.certificates": JavaSetting("librdkafka's name differs.", "ssl.ca.pem"),
        "ssl.truststore.location": JavaSetting(
            "librdkafka trusts the certificates of a PEM file, not of a Java trust store; export "
            "them with `keytool -exportcert -rfc`.",
            "ssl.ca.location",
            keeps_value=False,
        ),
        "ssl.truststore.password": _none("a PEM file of certificates has no password"),
        "transaction.two.phase.commit.enable": _none("librdkafka has no two-phase commit"),
        "client.software.name": _none("confluent-kafka sets it"),
        "auto.register.schemas": _REGISTRY,
        "avro.remove.java.properties": _REGISTRY,
        "basic.auth.credentials.source": _REGISTRY,
        "basic.auth.user.info": _REGISTRY,
        "bearer.auth.token": _REGISTRY,
        "key.subject.name.strategy": _REGISTRY,
        "normalize.schemas": _REGISTRY,
        "schema.registry.basic.auth.user.info": _REGISTRY,
        "schema.registry.url": _REGISTRY,
        "specific.avro.reader": _REGISTRY,
        "spring.json.add.type.headers": _SERIALIZER,
        "spring.json.type.mapping": _SERIALIZER,
        "use.latest.version": _REGISTRY,
        "value.subject.name.strategy": _REGISTRY,
    }
)
"""Java's name to what librdkafka has in its place."""

ELSEWHERE: Final[Mapping[str, str]] = MappingProxyType(
    {
        **dict.fromkeys(
            (
                "cleanup.policy",
                "delete.retention.ms",
                "flush.messages",
                "flush.ms",
                "max.message.bytes",
                "message.timestamp.type",
                "min.cleanable.dirty.ratio",
                "min.insync.replicas",
                "retention.bytes",
                "retention.ms",
                "segment.bytes",
                "segment.ms",
                "unclean.leader.election.enable",
            ),
            "It is a topic's setting, not a producer's; set it on the topic: "
            "`kafka-configs.sh --alter --entity-type topics --entity-name TOPIC --add-config "
            "NAME=VALUE`.",
        ),
        **dict.fromkeys(
            ("num.partitions", "partitions", "replication.factor"),
            "It is given when a topic is made, not to a producer: `kafka-topics.sh --create "
            "--partitions N --replication-factor N`.",
        ),
        **dict.fromkeys(
            (
                "advertised.listeners",
                "auto.create.topics.enable",
                "broker.id",
                "default.replication.factor",
                "delete.topic.enable",
                "listeners",
                "log.retention.hours",
                "offsets.topic.replication.factor",
                "transaction.max.timeout.ms",
                "transaction.state.log.min.isr",
                "transaction.state.log.replication.factor",
            ),
            "It is a broker's setting, not a producer's; it belongs in server.properties.",
        ),
        "topic": "The topic is an argument of produce(), not a setting.",
        "key": "The key is an argument of produce(), not a setting.",
    }
)
"""What is no client's setting at all, and where it belongs."""

DEFAULTS_THAT_DIFFER: Final[Mapping[str, tuple[str, str]]] = MappingProxyType(
    {
        "enable.idempotence": (
            "true",
            "the Java producer (3.0 and later) is idempotent by default, librdkafka is not",
        ),
        "partitioner": (
            "murmur2_random",
            "Java's murmur2 puts a key on another partition than librdkafka's consistent_random",
        ),
        "message.timeout.ms": (
            "120000",
            "delivery.timeout.ms is 2 minutes in Java by default, 5 in librdkafka",
        ),
    }
)
"""Settings left out of a Java configuration that mean another thing to librdkafka."""
