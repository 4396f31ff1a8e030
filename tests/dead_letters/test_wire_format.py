"""A payload that names its schema is recognised, and decoded where a registry knows the schema."""

from __future__ import annotations

import base64
import io
import json
from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import fastavro
import pytest
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory, timestamp_pb2
from hypothesis import given
from hypothesis import strategies as st

from producer_agent.dead_letters.wire_format import VALUE_HEADER, WireFormat, describe, detect
from producer_agent.kafka import schema_registry
from producer_agent.kafka.schema_registry import SchemaRegistry
from tests.kafka.registry_double import RegistryDouble, registry

GUID = "01234567-89ab-cdef-0123-456789abcdef"


@pytest.fixture
def double() -> Iterator[RegistryDouble]:
    with registry() as running:
        yield running


def by_id(schema_id: int, body: bytes) -> bytes:
    return b"\0" + schema_id.to_bytes(4, "big") + body


def found(payload: bytes | None, asked: SchemaRegistry | None, **more: Any) -> WireFormat:
    described = describe(payload, asked, **more)
    assert described is not None
    return described


ORDER = {
    "type": "record",
    "name": "Order",
    "namespace": "shop",
    "fields": [
        {"name": "id", "type": "long"},
        {"name": "note", "type": ["null", "string"]},
        {"name": "raw", "type": "bytes"},
        {"name": "at", "type": {"type": "long", "logicalType": "timestamp-millis"}},
        {
            "name": "price",
            "type": {"type": "bytes", "logicalType": "decimal", "precision": 9, "scale": 2},
        },
    ],
}


def avro(schema: Any, value: Any) -> bytes:
    stream = io.BytesIO()
    fastavro.schemaless_writer(stream, fastavro.parse_schema(schema), value)
    return stream.getvalue()


AN_ORDER = avro(
    ORDER,
    {
        "id": 7,
        "note": None,
        "raw": b"\xff\0",
        "at": datetime(2026, 1, 2, tzinfo=UTC),
        "price": Decimal("12.50"),
    },
)


def test_an_id_and_the_body_behind_it_are_told_without_a_registry() -> None:
    told = found(by_id(0x01020304, b"body"), None)
    assert told == WireFormat(0x01020304, None, False, b"body")


def test_a_guid_is_recognised_in_the_payload_and_in_a_header() -> None:
    named = b"\x01" + bytes.fromhex(GUID.replace("-", ""))
    assert found(named + b"body", None) == WireFormat(None, GUID, False, b"body")
    headers = [(VALUE_HEADER, named)]
    assert found(b"{}", None, headers=headers) == WireFormat(None, GUID, True, b"{}")


@pytest.mark.parametrize("payload", [None, b"", b"{}", b"\0abc", b"\x01" + b"x" * 15, b"text"])
def test_what_names_no_schema_is_none(payload: bytes | None) -> None:
    assert detect(payload) is None


@pytest.mark.parametrize("value", [None, b"", b"\0", b"7", b"\0\0\0\0\1x"])
def test_a_header_of_that_name_with_other_bytes_is_not_taken_for_a_schema(
    value: bytes | None,
) -> None:
    assert detect(b"{}", [(VALUE_HEADER, value)]) is None


@given(st.none() | st.binary(max_size=40), st.none() | st.binary(max_size=40))
def test_no_bytes_raise_or_are_lost(payload: bytes | None, header: bytes | None) -> None:
    told = detect(payload, [(VALUE_HEADER, header)])
    if told is not None:
        assert (payload or b"").endswith(told.body)


def test_avro_is_decoded_into_what_json_can_say(double: RegistryDouble) -> None:
    double.answers["/schemas/ids/7"] = {"schema": json.dumps(ORDER)}
    told = found(by_id(7, AN_ORDER), SchemaRegistry(double.url))
    assert (told.schema_type, told.schema_name, told.error) == ("AVRO", "shop.Order", None)
    assert told.decoded == {
        "id": 7,
        "note": None,
        "raw": "0xff00",
        "at": "2026-01-02T00:00:00+00:00",
        "price": "12.50",
    }
    assert json.dumps(told.decoded)


def test_an_avro_schema_that_refers_to_another_is_decoded_with_it(double: RegistryDouble) -> None:
    money = {"type": "record", "name": "shop.Money", "fields": [{"name": "cents", "type": "long"}]}
    bill = {
        "type": "record",
        "name": "shop.Bill",
        "fields": [{"name": "total", "type": "shop.Money"}],
    }
    double.answers["/schemas/ids/8"] = {
        "schema": json.dumps(bill),
        "references": [{"name": "shop.Money", "subject": "money", "version": 3}],
    }
    double.answers["/subjects/money/versions/3?deleted=false"] = {
        "subject": "money",
        "version": 3,
        "id": 9,
        "schema": json.dumps(money),
    }
    named: dict[str, Any] = {}
    fastavro.parse_schema(money, named)
    stream = io.BytesIO()
    fastavro.schemaless_writer(stream, fastavro.parse_schema(bill, named), {"total": {"cents": 5}})
    told = found(by_id(8, stream.getvalue()), SchemaRegistry(double.url))
    assert told.error is None, double.asked
    assert told.decoded == {"total": {"cents": 5}}


def test_json_is_decoded_by_the_header_too(double: RegistryDouble) -> None:
    double.answers[f"/schemas/guids/{GUID}"] = {"schema": '{"title": "Pay"}', "schemaType": "JSON"}
    headers = [(VALUE_HEADER, b"\x01" + bytes.fromhex(GUID.replace("-", "")))]
    told = found(b'{"a": [1]}', SchemaRegistry(double.url), headers=headers)
    assert (told.schema_type, told.schema_name, told.decoded) == ("JSON", "Pay", {"a": [1]})


def test_protobuf_is_decoded_without_generated_code(double: RegistryDouble) -> None:
    file = descriptor_pb2.FileDescriptorProto(
        name="shop.proto",
        package="shop",
        syntax="proto3",
        dependency=["google/protobuf/timestamp.proto"],
    )
    file.message_type.add(name="First")
    outer = file.message_type.add(name="Outer")
    inner = outer.nested_type.add(name="Inner")
    inner.field.add(name="id", number=1, type=3, label=1)
    inner.field.add(name="at", number=2, type=11, label=1, type_name=".google.protobuf.Timestamp")
    pool = descriptor_pool.DescriptorPool()
    stamp = descriptor_pb2.FileDescriptorProto()
    timestamp_pb2.DESCRIPTOR.CopyToProto(stamp)
    pool.Add(stamp)
    pool.Add(file)
    cls = message_factory.GetMessageClass(pool.FindMessageTypeByName("shop.Outer.Inner"))
    message = cls(id=300)
    message.at.seconds = 60
    double.answers["/schemas/ids/5"] = {"schema": 'syntax = "proto3";', "schemaType": "PROTOBUF"}
    double.answers["/schemas/ids/5?format=serialized"] = {
        "schema": base64.b64encode(file.SerializeToString()).decode(),
        "schemaType": "PROTOBUF",
    }
    index = bytes([4, 2, 0])  # two steps: the second message, the first within it; zigzag
    told = found(by_id(5, index + message.SerializeToString()), SchemaRegistry(double.url))
    assert told.error is None
    assert told.schema_name == "shop.Outer.Inner"
    assert told.decoded == {"id": "300", "at": "1970-01-01T00:01:00Z"}


def test_a_schema_is_fetched_once(double: RegistryDouble) -> None:
    double.answers["/schemas/ids/7"] = {"schema": json.dumps(ORDER)}
    asked = SchemaRegistry(double.url)
    for _ in range(3):
        assert found(by_id(7, AN_ORDER), asked).error is None
    assert len(double.asked) == 1


@pytest.mark.parametrize("body", [b"", b"\xff" * 30, AN_ORDER[:-1], AN_ORDER + b"x"])
def test_a_body_that_does_not_fit_its_schema_says_so(double: RegistryDouble, body: bytes) -> None:
    double.answers["/schemas/ids/7"] = {"schema": json.dumps(ORDER)}
    told = found(by_id(7, body), SchemaRegistry(double.url))
    assert told.decoded is None
    assert told.error is not None
    assert "does not fit schema 7 (AVRO)" in told.error


@pytest.mark.parametrize(
    ("status", "words"),
    [(404, "has no schema 7"), (401, "ACKBOARD_SCHEMA_REGISTRY_USER_INFO"), (500, "answered 500")],
)
def test_what_the_registry_refuses_is_told_in_words_and_not_asked_again_at_once(
    double: RegistryDouble, status: int, words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    double.status = status
    asked = SchemaRegistry(double.url)
    first, second = (found(by_id(7, AN_ORDER), asked).error for _ in range(2))
    assert first == second
    assert first is not None
    assert words in first
    assert len(double.asked) == 1
    double.status = None
    double.answers["/schemas/ids/7"] = {"schema": json.dumps(ORDER)}
    monkeypatch.setattr(schema_registry, "FAILED_FOR_S", 0.0)
    asked._failed.clear()
    assert found(by_id(7, AN_ORDER), asked).error is None


def test_a_registry_that_is_away_is_told_without_its_login() -> None:
    url = "http://127.0.0.1:9"
    told = found(by_id(7, AN_ORDER), SchemaRegistry("http://me:secret@127.0.0.1:9"))
    assert told.error is not None
    assert "secret" not in told.error
    assert url in told.error
    assert "ACKBOARD_SCHEMA_REGISTRY_URL" in told.error


def test_the_login_is_sent_to_the_registry(double: RegistryDouble) -> None:
    double.answers["/schemas/ids/7"] = {"schema": json.dumps(ORDER)}
    found(by_id(7, AN_ORDER), SchemaRegistry(double.url, "me:secret"))
    assert double.logins == ["Basic " + base64.b64encode(b"me:secret").decode()]
