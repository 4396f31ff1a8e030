"""The table of properties is the installed library's own."""

from __future__ import annotations

import ctypes
import os
import re
from collections.abc import Mapping
from types import MappingProxyType

import confluent_kafka
import pytest
from confluent_kafka import Producer

from producer_agent.kafka import properties
from producer_agent.kafka.properties import (
    ALIASES,
    Reading,
    canonical,
    is_known,
    known_properties,
    nearest,
    read_back,
    refusal,
)

# Properties librdkafka marks as hidden: they are in its dump and not in its documentation.
HIDDEN = {
    "client.software.name",
    "enable.sparse.connections",
    "enable_sasl_queue",
    "metadata.request.timeout.ms",
    "test.mock.broker.rtt",
    "test.mock.num.brokers",
}


def _dump(new: str, dump: str) -> dict[str, str]:
    """Names and defaults by another way than the one under test: rd_kafka_conf_dump."""
    library = ctypes.CDLL(confluent_kafka.cimpl.__file__)
    make, read, free = (getattr(library, n) for n in (new, dump, "rd_kafka_conf_dump_free"))
    make.restype = ctypes.c_void_p
    read.argtypes = [ctypes.c_void_p, ctypes.POINTER(ctypes.c_size_t)]
    read.restype = ctypes.POINTER(ctypes.c_char_p)
    free.argtypes = [ctypes.POINTER(ctypes.c_char_p), ctypes.c_size_t]
    size = ctypes.c_size_t()
    pairs = read(make(), ctypes.byref(size))
    texts = [(pairs[i] or b"").decode() for i in range(size.value)]
    free(pairs, size)
    return dict(zip(texts[::2], texts[1::2], strict=True))


@pytest.mark.parametrize(
    ("new", "dump", "scope"),
    [
        ("rd_kafka_conf_new", "rd_kafka_conf_dump", "global"),
        ("rd_kafka_topic_conf_new", "rd_kafka_topic_conf_dump", "topic"),
    ],
)
def test_every_dumped_property_is_in_the_table_with_its_default(
    new: str, dump: str, scope: str
) -> None:
    table = known_properties()
    dumped = _dump(new, dump)
    assert len(dumped) > 10
    for name, value in dumped.items():
        if name in HIDDEN:
            continue
        known = table[name]
        if known.scope == scope and known.kind in ("integer", "float", "boolean", "enum"):
            assert known.default == value, name


def test_the_hidden_properties_are_not_offered() -> None:
    assert not HIDDEN & known_properties().keys()


def test_the_aliases_are_those_of_the_installed_library() -> None:
    told = {p.name: p.alias_of for p in known_properties().values() if p.alias_of}
    # enable.auto.commit is an alias among topic properties, and a property among global ones.
    assert told == {a: c for a, c in ALIASES.items() if a != "enable.auto.commit"}


def test_an_alias_sets_the_very_property_it_names() -> None:
    """Both names are range-checked alike, and librdkafka's refusal names the canonical one."""
    for alias in ("linger.ms", "retries", "delivery.timeout.ms", "max.in.flight"):
        text = refusal({alias: -1})
        assert text is not None
        assert f'"{canonical(alias)}"' in text


def test_a_property_carries_its_range_kind_role_and_scope() -> None:
    batch = known_properties()["batch.size"]
    assert (batch.kind, batch.role, batch.scope) == ("integer", "producer", "global")
    assert (batch.minimum, batch.maximum, batch.default) == (1, 2147483647, "1000000")
    table = known_properties()
    assert table["acks"].scope == "topic"
    assert table["linger.ms"].kind == "float"
    assert table["compression.codec"].choices == ("none", "gzip", "snappy", "lz4", "zstd")
    assert table["group.id"].role == "consumer"
    assert table["dr_cb"].kind == "callback"
    assert table["produce.offset.report"].deprecated
    assert not batch.deprecated
    assert "Type:" not in batch.description


def test_a_default_holding_the_column_separator_is_read_whole() -> None:
    """sasl.kerberos.kinit.cmd holds a shell `||` in its default."""
    command = known_properties()["sasl.kerberos.kinit.cmd"]
    assert "||" in command.default
    assert command.description


def test_every_range_of_an_integer_is_enforced_by_the_library() -> None:
    numbers = [p for p in known_properties().values() if p.kind == "integer"]
    assert len(numbers) > 50
    for known in numbers:
        assert known.minimum is not None, known.name
        below = read_back(known.name, known.minimum - 1)
        assert below is not None, known.name
        assert below.held is None, known.name


@pytest.mark.parametrize(
    ("written", "near"),
    [
        ("linger.mss", "linger.ms"),
        ("bacth.size", "batch.size"),
        ("batch_size", "batch.size"),
        ("Linger.Ms", "linger.ms"),
        ("delivery.time.out.ms", "delivery.timeout.ms"),
        ("queue.buffering.max.message", "queue.buffering.max.messages"),
    ],
)
def test_a_misspelt_name_leads_to_the_real_one(written: str, near: str) -> None:
    assert nearest(written) == [near]


def test_nothing_is_suggested_for_a_name_like_no_other() -> None:
    assert nearest("zzzzqqqq") == []


def test_several_suggestions_come_best_first_and_only_for_producers() -> None:
    found = nearest("fetch.max.byte", n=3)
    table = known_properties()
    assert all(table[name].role != "consumer" for name in found)
    assert len(nearest("queue.buffering.max.messages.", n=3)) == 3
    assert nearest("queue.buffering.max.messages.", n=3)[0] == "queue.buffering.max.messages"


@pytest.mark.parametrize(
    ("name", "value", "held"),
    [
        ("batch.size", "64KB", "64"),
        ("batch.size", "1_000", "1"),
        ("batch.size", "010", "8"),
        ("batch.size", "0x10", "16"),
        ("batch.size", "4294967297", "1"),
        ("batch.size", 5.5, "5"),
        ("acks", "all", "-1"),
        ("linger.ms", "5ms", "5"),
        ("compression.type", "LZ4", "lz4"),
    ],
)
def test_reading_back_shows_what_librdkafka_made_of_a_value(
    name: str, value: str | float, held: str
) -> None:
    assert read_back(name, value) == Reading(held=held, refusal=None)
    assert refusal({name: value}) is None, "the library says nothing about it"


def test_reading_back_a_value_out_of_range_gives_the_refusal() -> None:
    reading = read_back("batch.size", 0)
    assert reading is not None
    assert reading.held is None
    assert reading.refusal is not None
    assert "outside allowed range 1..2147483647" in reading.refusal


def test_a_refusal_is_librdkafkas_own_sentence() -> None:
    assert refusal({"enable.idempotence": True, "acks": 1}) == (
        "`acks` must be set to `all` when `enable.idempotence` is true"
    )
    assert refusal({"enable.idempotence": True}) is None


def test_a_value_of_the_wrong_python_type_is_a_refusal_and_no_crash() -> None:
    text = refusal({"error_cb": 1})
    assert text is not None
    assert "callable" in text


def test_asking_for_a_refusal_leaves_no_thread_and_prints_nothing(
    capfd: pytest.CaptureFixture[str],
) -> None:
    def threads() -> int:
        return len(os.listdir("/proc/self/task"))

    if not os.path.isdir("/proc/self/task"):
        pytest.skip("threads of the library can be counted on Linux only")
    before = threads()
    for _ in range(20):
        assert refusal({"transactional.id": "t", "auto.offset.reset": "earliest"}) is None
    assert threads() == before
    assert capfd.readouterr() == ("", "")


def test_without_the_table_a_trial_tells_known_from_unknown(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Where symbols are hidden the answer to `is_known` is the same as with the table."""
    with_table = {n: is_known(n) for n in ("batch.size", "acks", "nope", "dr_cb", "group.id")}
    empty: Mapping[str, properties.Property] = MappingProxyType({})
    monkeypatch.setattr(properties, "known_properties", lambda: empty)
    assert {n: is_known(n) for n in with_table} == with_table
    assert with_table == {
        "batch.size": True,
        "acks": True,
        "nope": False,
        "dr_cb": True,
        "group.id": True,
    }
    assert nearest("batch.sise") == []


def test_where_the_symbols_are_hidden_there_is_no_table_and_no_reading(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(properties, "_library", lambda: None)
    assert known_properties.__wrapped__() == {}
    assert read_back("batch.size", "64KB") is None


def test_every_suggestible_name_is_accepted_by_a_producer() -> None:
    """A property in the table exists for the library: none gives `No such configuration`."""
    for known in known_properties().values():
        text = refusal({known.name: ""}) or ""
        assert not re.search("No such configuration property", text), known.name
    assert "close" in dir(Producer)
