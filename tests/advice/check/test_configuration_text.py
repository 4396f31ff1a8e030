"""What is read out of a text: its format, the settings, their lines; and what is refused how."""

from __future__ import annotations

import json
import time
from dataclasses import asdict

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from producer_agent.advice.check.configuration_check import check
from producer_agent.advice.check.configuration_text import LARGEST_BYTES, read
from producer_agent.advice.check.pasted import ConfigurationUnreadable

Pairs = list[tuple[str, str | None]]

# Text, its format, and what it sets.
READ: dict[str, tuple[str, str, Pairs]] = {
    "a dict": ('{"acks": "all", "retries": 3,}', "python", [("acks", "all"), ("retries", "3")]),
    "single quotes and remarks": (
        "{'acks': 'all',  # every replica\n 'linger.ms': 5}",
        "python",
        [("acks", "all"), ("linger.ms", "5")],
    ),
    "an assignment and a subscript": (
        'conf = {"acks": 1}\nconf["retries"] = 3\n',
        "python",
        [("acks", "1"), ("retries", "3")],
    ),
    "subscripts alone": ('conf["acks"] = "all"\n', "python", [("acks", "all")]),
    "inside of a call": ("Producer({'acks': 1})", "python", [("acks", "1")]),
    "inside of a broken program": (
        "def f(:\n  p = Producer({'acks': 1})",
        "python",
        [("acks", "1")],
    ),
    "constants and sums": (
        "N = 64 * 1024\nconf = {'batch.size': N, 'retries': 2**31 - 1, 'linger.ms': -1}",
        "python",
        [("batch.size", "65536"), ("retries", "2147483647"), ("linger.ms", "-1")],
    ),
    "values of the environment": (
        'conf = {"bootstrap.servers": os.environ["B"], "acks": f"{n}"}',
        "python",
        [("bootstrap.servers", None), ("acks", None)],
    ),
    "texts put together": (
        'Producer({"bootstrap.servers": ",".join(["a:1", "b:1"]), "client.id": "a" + "b"})',
        "python",
        [("bootstrap.servers", "a:1,b:1"), ("client.id", "ab")],
    ),
    "merged dicts": (
        "base = {'acks': 1}\nProducer({**base, 'linger.ms': 1} | dict(retries=2))",
        "python",
        [("acks", "1"), ("linger.ms", "1"), ("retries", "2")],
    ),
    "setdefault": (
        "c = {'acks': 1}\nc.setdefault('acks', 0)\nc.setdefault('linger.ms', 0)",
        "python",
        [("acks", "1"), ("linger.ms", "0")],
    ),
    "the producer's, not the consumer's": (
        "Consumer({'group.id': 'g'})\np = Producer({'acks': 1})",
        "python",
        [("acks", "1")],
    ),
    "true, false and None": (
        "{'a.b': True, 'c.d': False, 'e.f': None}",
        "python",
        [("a.b", "true"), ("c.d", "false"), ("e.f", None)],
    ),
    "a fragment": (
        "'acks': 'all',\n'retries': 3,\n",
        "python",
        [("acks", "all"), ("retries", "3")],
    ),
    "markdown": ("Ours:\n```python\n{'acks': 1}\n```\n", "python", [("acks", "1")]),
    "properties": (
        "acks=all\n# no\nlinger.ms: 5\n",
        "librdkafka",
        [("acks", "all"), ("linger.ms", "5")],
    ),
    "windows lines": (
        "acks=all\r\nretries=1\r\n",
        "librdkafka",
        [("acks", "all"), ("retries", "1")],
    ),
    "a byte order mark": ("\ufeffacks=all", "librdkafka", [("acks", "all")]),
    "an equals sign in a value": ("client.id=a=b", "librdkafka", [("client.id", "a=b")]),
    "a section of a consumer": (
        "[default]\nacks=1\n[consumer]\ngroup.id=g\n",
        "librdkafka",
        [("acks", "1")],
    ),
    "Java escapes and continued lines": (
        "key.serializer=a.\\\n   B\nclient.id=a\\u0062\\ c\nacks all\n",
        "java",
        [("key.serializer", "a.B"), ("client.id", "ab c"), ("acks", "all")],
    ),
    "Java code": (
        'p.put(ProducerConfig.ACKS_CONFIG, "all"); /* p.put("retries", 1); */\n'
        'p.put("retries", Integer.MAX_VALUE); // "x"\np.put("linger.ms", 2 * 10);',
        "java",
        [("acks", "all"), ("retries", "2147483647"), ("linger.ms", "20")],
    ),
    "nested YAML of Spring": (
        "spring:\n  kafka:\n    producer:\n      acks: all\n      batch-size: 16KB\n"
        "      properties:\n        linger.ms: 5\n    consumer:\n      group-id: g\n",
        "spring",
        [("acks", "all"), ("batch.size", "16384"), ("linger.ms", "5")],
    ),
    "the producer's own before the common": (
        "spring.kafka.properties.acks=1\nspring.kafka.producer.acks=all\n",
        "spring",
        [("acks", "all")],
    ),
    "a default behind a placeholder": ("acks=${ACKS:1}", "librdkafka", [("acks", "1")]),
    "a placeholder alone": (
        "acks=${ACKS}\nretries={{ n }}",
        "librdkafka",
        [("acks", None), ("retries", None)],
    ),
    "flat JSON": ('{"acks": -1, "linger.ms": 0.5}', "json", [("acks", "-1"), ("linger.ms", "0.5")]),
    "JSON with a wrapper": (
        '{"a": {"b": {"acks": 1, "x": 2}}}',
        "json",
        [("acks", "1"), ("x", "2")],
    ),
    "a connector": (
        '{"name": "c", "config": {"producer.override.acks": "1", "topics": "t"}}',
        "connect",
        [("acks", "1")],
    ),
    "a worker": ("producer.acks=1\nconsumer.max.poll.records=1", "connect", [("acks", "1")]),
    "a profile": (
        '{"name": "p", "producer": {"linger_ms": 1, "extra": {"a.b": 2}}, "workload": {}}',
        "profile",
        [("linger.ms", "1"), ("a.b", "2")],
    ),
    "variables of a container": (
        "CONNECT_PRODUCER_ACKS=all\nCONNECT_PRODUCER_LINGER_MS=5\n",
        "connect",
        [("acks", "all"), ("linger.ms", "5")],
    ),
    "a list of names and values": (
        "env:\n  - name: acks\n    value: all\n  - name: linger.ms\n    value: 5\n",
        "librdkafka",
        [("acks", "all"), ("linger.ms", "5")],
    ),
    "brackets of Spring": (
        "spring.kafka.producer.properties[linger.ms]=5\n",
        "spring",
        [("linger.ms", "5")],
    ),
    "JSON with remarks": ('{\n// all\n"acks": "all", /* x */\n}', "python", [("acks", "all")]),
    "a dict that is returned": (
        "def conf():\n    return {'acks': 'all'}\n",
        "python",
        [("acks", "all")],
    ),
    "a dict in a dict": ("S = {'producer': {'acks': 'all'}}", "python", [("acks", "all")]),
    "a command line": (
        "kcat -P -X acks=1 -X linger.ms=5 -t t",
        "librdkafka",
        [("acks", "1"), ("linger.ms", "5")],
    ),
}


@pytest.mark.parametrize("case", READ)
def test_a_text_is_read(case: str) -> None:
    text, kind, pairs = READ[case]
    pasted = read(text)
    assert [(entry.name, entry.value) for entry in pasted.entries] == pairs
    assert pasted.format == kind


# Text, line, a word of what is wrong, a word of the mend.
REFUSED: list[tuple[str, int | None, str, str]] = [
    ("", None, "nothing", "Paste"),
    ("   \n\n", None, "nothing", "Paste"),
    ("acks=all\nhello world\n", 2, "no name and value", "name=value"),
    ("hello: world", None, "None of its names", "acks=all"),
    ('{"acks": "all"\n"retries": 3}', 2, "no JSON", "Correct"),
    ("conf = {'acks': 'all'\n  'retries': 3 4}", 2, "no Python", "dict"),
    ("[1, 2]", None, "no object", "acks"),
    ("spring:\n  kafka:\n   producer: [\n", 4, "no YAML", "quotes"),
    (
        "spring:\n  kafka:\n    consumer:\n      group-id: g\n",
        None,
        "no producer's setting",
        "Paste",
    ),
    ("x = 1\nimport os\n", None, "No configuration", "braces"),
    ("acks=all\n" * 10_001, None, "10,001 lines", "one producer"),
    ("a" * (LARGEST_BYTES + 1), None, "1,000,000 bytes", "one producer"),
    ("é" * (LARGEST_BYTES // 2 + 1), None, "1,000,000 bytes", "one producer"),
]


@pytest.mark.parametrize(("text", "line", "wrong", "mend"), REFUSED)
def test_what_cannot_be_read_is_said_with_its_line_and_mend(
    text: str, line: int | None, wrong: str, mend: str
) -> None:
    with pytest.raises(ConfigurationUnreadable) as caught:
        read(text)
    assert caught.value.line == line
    assert wrong in caught.value.message
    assert mend in caught.value.mend


def test_ten_thousand_lines_are_read() -> None:
    assert len(read("acks=all\n" * 10_000).entries) == 10_000


def test_lines_are_those_of_the_text_also_behind_a_pem_block() -> None:
    pasted = read(
        "\n# one\nssl.key.pem=-----BEGIN PRIVATE KEY-----\nMIIhunter2\n-----END PRIVATE KEY-----\n"
        "acks=1\n"
    )
    assert [(entry.name, entry.line) for entry in pasted.entries] == [
        ("ssl.key.pem", 3),
        ("acks", 6),
    ]


def judged_or_refused(text: str) -> None:
    refusal, pasted = None, None
    try:
        pasted = read(text)
    except ConfigurationUnreadable as error:
        refusal = error
    if pasted is None:
        assert refusal is not None
        assert refusal.message.endswith(".")
        assert refusal.mend.endswith(".")
    else:
        json.dumps(asdict(check(pasted)))


FRAGMENTS = st.sampled_from(
    ["acks", "all", "linger.ms", "5ms", "=", ":", "\n", " ", "{", "}", "'", '"', ",", "[", "]", "(",
     ")", "Producer(", "conf", "#", "\\", "spring", "kafka", "producer", ".", "- ", "  ",
     "props.put(", ";", "ProducerConfig.ACKS_CONFIG", "*", "&a ", "*a", "!!python/object",
     "None", "True", "1",
     "default.topic.config", "enable.idempotence", "${", "-----BEGIN X-----", "lambda", "**", "|",
     "sasl.mechanism", "PLAIN", "security.protocol", "SASL_SSL", "\x00", "\ud800", "\u2028", "0",
     "transactional.id", "ssl.ca.location", "retries", "/dev/zero", "f'{x}'", "---", "%", "@"]
)  # fmt: skip


@given(st.text(max_size=300))
@settings(max_examples=300, deadline=None)
@example("{" * 5_000)
@example("[" * 5_000)
@example("a: " * 2_000)
@example("- " * 2_000)
@example("{'a':" * 2_000)
@example("a = " + "(" * 500 + ")" * 500)
@example("conf = {'acks': " + "-" * 5_000 + "1}")
@example("conf = {'acks': " + "+".join(["1"] * 5_000) + "}")
@example("a: &a [*a]\nb:\n  c: 1\n")
@example('{"acks": 1e999, "x": NaN}')
@example('{"acks": "\\ud800"}')
def test_any_text_is_judged_or_refused_in_words(text: str) -> None:
    judged_or_refused(text)


@given(st.lists(FRAGMENTS, max_size=40).map("".join))
@settings(max_examples=500, deadline=None)
def test_anything_like_a_configuration_is_judged_or_refused_in_words(text: str) -> None:
    judged_or_refused(text)


def test_aliases_of_aliases_are_refused_before_they_fill_the_memory() -> None:
    levels = "".join(f"  l{n}: &l{n} [{', '.join([f'*l{n - 1}'] * 9)}]\n" for n in range(1, 12))
    with pytest.raises(ConfigurationUnreadable, match=r"repeats itself|settings"):
        read(f"root:\n  l0: &l0 [{{a: b}}]\n{levels}")


@pytest.mark.parametrize(
    "text",
    [
        "{{" * 450_000,
        "x=" + "${" * 450_000,
        "\n" * 9_990 + "acks=1",
        "/*" * 300_000 + '\nprops.put("acks", "all");',
        "-----BEGIN X-----" * 50_000,
        "acks=" + "password=" * 100_000,
        "conf = {}\n" + "conf = {**conf, **conf, 'a.b': 1}\n" * 5_000,
        "a = 'x' * 9\na = 'xx'\n" + "a = a + a\n" * 5_000 + "conf = {'client.id': a}",
    ],
)
def test_no_text_within_the_limit_takes_long(text: str) -> None:
    began = time.monotonic()
    judged_or_refused(text)
    assert time.monotonic() - began < 15
