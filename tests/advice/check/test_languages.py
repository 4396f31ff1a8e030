"""Configurations in TOML, C#, JavaScript, C, Rust and on command lines are read as librdkafka's."""

from __future__ import annotations

import time
from contextlib import suppress

import pytest

from producer_agent.advice.check.configuration_check import check, read
from producer_agent.advice.check.pasted import ConfigurationUnreadable

CSHARP = """
// Orders must not be lost.
var config = new ProducerConfig
{
    BootstrapServers = "host1:9092",
    Acks = Acks.Leader,  /* Acks.All */
    EnableIdempotence = true,
    LingerMs = 5,
    CompressionType = CompressionType.Lz4,
    SecurityProtocol = SecurityProtocol.SaslSsl,
    SaslMechanism = SaslMechanism.ScramSha256,
    SaslPassword = "hunter2",
    EnableDeliveryReports = true,
    ClientId = Dns.GetHostName(),
};
config.MessageSendMaxRetries = 3;
"""
NODE = """
const Kafka = require('node-rdkafka');
const producer = new Kafka.Producer({
  'client.id': `orders-${host}`,
  'metadata.broker.list': 'a:9092,b:9092', // both
  'compression.codec': 'gzip',
  "retry.backoff.ms": 200,
  'message.timeout.ms': 30 * 1000,
  'socket.keepalive.enable': true,
  'sasl.password': process.env.PASSWORD || 'hunter2',
  'dr_cb': true
});
producer.on('ready', () => { producer.produce('t', null, Buffer.from('x')); });
"""
KAFKAJS = """
import { KafkaJS } from '@confluentinc/kafka-javascript';
const kafka = new KafkaJS.Kafka({ kafkaJS: {
  brokers: ['a:9092', "b:9092"], ssl: true,
  sasl: { mechanism: 'plain', username: 'me', password: 'hunter2' },
} });
const producer = kafka.producer({
  kafkaJS: { acks: -1, idempotent: true, maxInFlightRequests: 1, retry: { retries: 3 } },
  'linger.ms': 20,
});
"""
CASES = {
    "toml": (
        '[kafka.producer]\nacks = "all"\n"linger.ms" = 5\nenable.idempotence = true\n',
        "toml",
        {"acks": "all", "linger.ms": "5", "enable.idempotence": "true"},
    ),
    "toml of other tables": (
        '[app]\nname = "x"\n[kafka]\n"bootstrap.servers" = "a:9092"\n"acks" = "1"\n',
        "toml",
        {"bootstrap.servers": "a:9092", "acks": "1"},
    ),
    "C# initialiser": (
        CSHARP,
        "csharp",
        {
            "bootstrap.servers": "host1:9092",
            "acks": "1",
            "enable.idempotence": "true",
            "linger.ms": "5",
            "compression.type": "lz4",
            "security.protocol": "sasl_ssl",
            "sasl.mechanism": "SCRAM-SHA-256",
            "sasl.password": "******",
            "client.id": None,
            "message.send.max.retries": "3",
        },
    ),
    "C# dictionary": (
        'var conf = new Dictionary<string, string> { { "acks", "all" }, ["linger.ms"] = "5" };',
        "csharp",
        {"acks": "all", "linger.ms": "5"},
    ),
    "node-rdkafka": (
        NODE,
        "javascript",
        {
            "client.id": None,
            "metadata.broker.list": "a:9092,b:9092",
            "compression.codec": "gzip",
            "retry.backoff.ms": "200",
            "message.timeout.ms": "30000",
            "socket.keepalive.enable": "true",
            "sasl.password": None,
        },
    ),
    "KafkaJS names": (
        KAFKAJS,
        "javascript",
        {
            "bootstrap.servers": "a:9092,b:9092",
            "security.protocol": "ssl",
            "sasl.mechanism": "PLAIN",
            "sasl.username": "me",
            "sasl.password": "******",
            "acks": "-1",
            "enable.idempotence": "true",
            "max.in.flight.requests.per.connection": "1",
            "retries": "3",
            "linger.ms": "20",
        },
    ),
    "JavaScript variable": (
        "export const config = {\n  acks: 1,\n  'linger.ms': 5,\n}\n",
        "javascript",
        {"acks": "1", "linger.ms": "5"},
    ),
    "producer-props": (
        "kafka-producer-perf-test.sh --topic t --throughput -1 --producer-props acks=all "
        "bootstrap.servers=h:9092 \\\n  linger.ms=5 --print-metrics",
        "java",
        {"acks": "all", "bootstrap.servers": "h:9092", "linger.ms": "5"},
    ),
    "producer-property": (
        "kafka-console-producer --bootstrap-server h:9092 --producer-property acks=1 "
        "--producer-property compression.type=zstd --topic t",
        "java",
        {"bootstrap.servers": "h:9092", "acks": "1", "compression.type": "zstd"},
    ),
    "C": (
        'rd_kafka_conf_set(conf, "acks", "all", errstr, sizeof(errstr));\n'
        'rd_kafka_conf_set(conf, "bootstrap.servers", brokers, errstr, sizeof(errstr));\n',
        "librdkafka",
        {"acks": "all", "bootstrap.servers": None},
    ),
    "C++": ('conf->set("linger.ms", "5", errstr);', "librdkafka", {"linger.ms": "5"}),
    "Rust": (
        'let p: FutureProducer = ClientConfig::new()\n    .set("acks", "all")\n'
        '    .set("linger.ms", "5")\n    .create()?;',
        "librdkafka",
        {"acks": "all", "linger.ms": "5"},
    ),
}


@pytest.mark.parametrize(("text", "kind", "settings"), CASES.values(), ids=CASES)
def test_each_language_is_detected_and_read(
    text: str, kind: str, settings: dict[str, str | None]
) -> None:
    pasted = read(text)
    assert pasted.format == kind
    assert {entry.name: entry.value for entry in pasted.entries} == settings
    assert "hunter2" not in str(check(pasted))


def test_lines_are_told_where_the_language_has_them() -> None:
    lines = {entry.name: entry.line for entry in read(CSHARP).entries}
    assert (lines["bootstrap.servers"], lines["message.send.max.retries"]) == (5, 16)
    assert {e.name: e.line for e in read(NODE).entries}["message.timeout.ms"] == 8
    toml = read('# x\n[kafka.producer]\n\nacks = "all"\nlinger.ms = 5\n')
    assert {entry.name: entry.line for entry in toml.entries} == {"acks": 4, "linger.ms": 5}


def test_a_mistake_is_judged_in_every_language() -> None:
    judged = check(read("var c = new ProducerConfig { LingerMillis = 5, Acks = Acks.None };"))
    verdicts = {setting.name: setting.verdict for setting in judged.settings}
    assert verdicts == {"linger.millis": "unknown", "acks": "dangerous"}
    assert '{ "acks", "all" },' in judged.corrected.text
    toml = check(read('[kafka]\n"acks" = "1"\n"linger.ms" = "5"\n'))
    assert '"acks" = "all"' in toml.corrected.text
    script = check(read("const conf = { 'acks': 0, 'linger.ms': 5 };"))
    assert '"acks": "all"' in script.corrected.text


OF_A_SQUARE_S = 20.0
"""CPU time, ten times what any of these takes; work that grows with the square takes minutes."""


@pytest.mark.parametrize(
    "text",
    [
        "const conf = { 'acks': 1, 'linger.ms'",
        "const conf = " + "{ a: " * 5_000,
        "const conf = {" + "[" * 5_000,
        "const " * 20_000 + "x = { acks: 1",
        'new ProducerConfig { Acks = "',
        '[kafka]\n"acks" = [',
    ],
)
def test_what_breaks_off_is_refused_or_read_as_far_as_it_goes_and_soon(text: str) -> None:
    began = time.process_time()
    with suppress(ConfigurationUnreadable):
        check(read(text))
    assert time.process_time() - began < OF_A_SQUARE_S


TEN_THOUSAND = {
    "the same": "acks=all\n" * 10_000,
    "unknown": "\n".join(f"some.unknown.name{n}={n}" for n in range(10_000)),
    "other words": "\n".join(f"{n:x}assw{n:o}rd.secr{n}t={n}" for n in range(10_000)),
    "python": "\n".join(f'conf["linger.ms"] = {n}' for n in range(10_000)),
    "json": "{" + ",\n".join(f'"a.b{n}": {n}' for n in range(9_990)) + ', "acks": "all"}',
    "yaml": "spring:\n kafka:\n  producer:\n   properties:\n"
    + "\n".join(f"    a.b{n}: {n}" for n in range(9_990)),
    "java": "\n".join(f'props.put("acks{n}", "all");' for n in range(9_998))
    + '\nprops.put("acks", "all");',
    "csharp": "new ProducerConfig {\n" + "\n".join(f"LingerMs = {n}," for n in range(9_990)),
    "javascript": "const conf = {\n" + "\n".join(f"'linger.ms': {n}," for n in range(9_990)) + "}",
    "toml": "[kafka]\n" + "\n".join(f'"linger.ms{n}" = "{n}"' for n in range(9_990)),
}


@pytest.mark.parametrize("text", TEN_THOUSAND.values(), ids=TEN_THOUSAND)
def test_ten_thousand_lines_do_not_take_the_time_of_their_square(text: str) -> None:
    began = time.process_time()
    judged = check(read(text))
    assert time.process_time() - began < OF_A_SQUARE_S
    assert len(judged.settings) >= 9_990
