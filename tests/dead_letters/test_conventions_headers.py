"""What each convention's headers mean where they are easily misread."""

from __future__ import annotations

import struct
from typing import Any

import pytest

from producer_agent.dead_letters.conventions import Decoded, Hop, RawRecord, decode

KEPT = (("trace", b"\xff"), ("trace", None))
"""An application's own headers, around a framework's."""


def record(
    *headers: tuple[str, Any], key: bytes | None = b"k", value: bytes | None = b"v"
) -> RawRecord:
    raw = tuple(
        (name, each.encode() if isinstance(each, str) else each) for name, each in headers
    )
    return RawRecord("dead", 0, 5, 1_700_000_000_000, key, value, (KEPT[0], *raw, KEPT[1]))


def read(*headers: tuple[str, Any], **raw: Any) -> Decoded:
    decoded = decode(record(*headers, **raw))
    assert decoded.original_headers == KEPT
    return decoded


def prefixed(prefix: str, **values: Any) -> list[tuple[str, Any]]:
    return [(prefix + name.replace("_", "."), value) for name, value in values.items()]


def dashed(prefix: str, **values: Any) -> list[tuple[str, Any]]:
    return [(prefix + name.replace("_", "-"), value) for name, value in values.items()]


def int32(number: int) -> bytes:
    return struct.pack(">i", number)


def int64(number: int) -> bytes:
    return struct.pack(">q", number)


def connect(topic: str, error: str | None, message: str | None, **more: Any) -> Any:
    values = {"topic": topic, "partition": "1", "offset": "7", "connector_name": "sink"}
    values |= {"task_id": "0", "stage": "TASK_PUT", "class_name": "c", **more}
    if error is not None:
        values |= {"exception_class_name": error, "exception_message": message}
    return prefixed("__connect.errors.", **values)


def streams(**values: Any) -> Any:
    known = {"exception": "a.E", "message": "m", "stacktrace": "s"}
    known |= {"topic": "in", "partition": "0", "offset": "3"}
    return prefixed("__streams.errors.", **{**known, **values})


def spring_original(prefix: str, topic: str, offset: int = 3, **more: Any) -> Any:
    values = {"topic": topic, "partition": int32(1), "offset": int64(offset), **more}
    return dashed(f"{prefix}original-", **values)


def share(**values: Any) -> Any:
    known = {"topic": "orders", "partition": "2", "offset": "41", "group": "g"}
    return prefixed("__dlq.errors.", **{**known, "delivery_count": "5", **values})


def smallrye(topic: str, prefix: str = "dead-letter-", **more: Any) -> Any:
    values = {"exception_class_name": "a.Outer", "reason": "r", **more}
    return dashed(prefix, **values, topic=topic, partition="1", offset="9")


def karafka(prefix: str = "source_", **more: Any) -> Any:
    values = {"topic": "orders", "partition": "3", "offset": "12", "consumer_group": "app_g"}
    return [(prefix + name, value) for name, value in {**values, "attempts": "4", **more}.items()]


# --- Kafka Connect -------------------------------------------------------------------------------


def test_connect_s_hop_without_an_exception_does_not_borrow_the_earlier_one_s() -> None:
    decoded = read(*connect("orders", "a.First", "first"), *connect("dlq", None, None))
    assert [hop.error_class for hop in decoded.hops] == ["a.First", None]
    assert (decoded.original_topic, decoded.error_class, decoded.error_message) == (
        "orders",
        None,
        None,
    )


def test_an_exception_without_a_message_is_not_one_with_an_empty_message() -> None:
    without = read(*connect("orders", "a.E", None))
    empty = read(*connect("orders", "a.E", ""))
    assert (without.error_message, "error_message" in without.fields) == (None, False)
    assert (empty.error_message, "error_message" in empty.fields) == ("", True)


def test_an_earlier_message_is_not_taken_for_a_later_null_one() -> None:
    decoded = read(*connect("orders", "a.E", "first"), *connect("dlq", "a.F", None))
    assert (decoded.error_class, decoded.error_message) == ("a.F", None)


# --- Kafka Streams -------------------------------------------------------------------------------


def test_a_punctuator_has_no_source() -> None:
    decoded = read(*streams(topic=None, partition="-1", offset="-1"))
    assert decoded.convention == "kafka-streams"
    assert decoded.hops == (Hop(error_class="a.E", error_message="m", stack="s"),)
    assert (decoded.original_topic, decoded.original_partition, decoded.original_offset) == (
        None,
        None,
        None,
    )
    assert decoded.undecoded == {}


@pytest.mark.parametrize(
    "internal",
    [
        "app-KSTREAM-AGGREGATE-STATE-STORE-0000000003-repartition",
        "app-KTABLE-FK-JOIN-SUBSCRIPTION-REGISTRATION-0000000006-topic",
        "app-KTABLE-FK-JOIN-SUBSCRIPTION-RESPONSE-0000000014-topic",
    ],
)
def test_an_internal_topic_is_told_but_is_no_target(internal: str) -> None:
    decoded = read(*streams(topic=internal))
    assert (decoded.original_topic, decoded.internal_topic) == (None, internal)
    assert decoded.hops[0].topic == internal
    assert decoded.fields["internal_topic"] == "header __streams.errors.topic [0]"
    assert "original_topic" not in decoded.fields


def test_an_application_s_changelog_is_a_target() -> None:
    assert read(*streams(topic="customers-changelog")).original_topic == "customers-changelog"


def test_the_class_is_taken_out_of_what_the_first_version_of_streams_wrote() -> None:
    decoded = read(*streams(exception="a.b.E: no: such\nrow"))
    assert decoded.error_class == "a.b.E"


# --- share groups --------------------------------------------------------------------------------


def test_without_a_copy_a_share_group_s_dead_letter_is_a_pointer() -> None:
    decoded = read(*share(), key=None, value=None)
    assert decoded.convention == "share-group"
    assert decoded.is_pointer
    assert (decoded.original_topic, decoded.original_partition, decoded.original_offset) == (
        "orders",
        2,
        41,
    )
    assert (decoded.consumer_group, decoded.deliveries, decoded.attempts_header) == ("g", 5, 5)
    assert decoded.error_class is None


@pytest.mark.parametrize(("key", "value"), [(b"k", None), (None, b"v"), (b"k", b"v"), (b"", None)])
def test_a_copied_record_is_none(key: bytes | None, value: bytes | None) -> None:
    decoded = read(*share(), key=key, value=value)
    assert not decoded.is_pointer
    assert (decoded.original_key, decoded.original_value) == (key, value)


def test_a_null_value_of_another_convention_is_a_tombstone() -> None:
    assert not read(*connect("orders", "a.E", "m"), key=None, value=None).is_pointer


def test_a_topic_id_is_told_as_one_and_is_no_target() -> None:
    decoded = read(*share(topic="Zm9vYmFyYmF6cXV4MTIzNA"), key=None, value=None)
    assert decoded.original_topic is None
    assert decoded.details["topic_id"] == "Zm9vYmFyYmF6cXV4MTIzNA"
    assert read(*share(topic="payments-orders-eu-wes")).details == {}


# --- Spring ------------------------------------------------------------------------------------


def test_spring_s_second_hop_without_a_group_does_not_borrow_the_first_one_s() -> None:
    decoded = read(
        *spring_original("kafka_dlt-", "orders", consumer_group="billing"),
        *dashed("kafka_dlt-exception-", fqcn="a.Outer", cause_fqcn="a.Cause", message="m"),
        *spring_original("kafka_dlt-", "orders-dlt", 0),
    )
    assert [(hop.topic, hop.consumer_group) for hop in decoded.hops] == [
        ("orders", "billing"),
        ("orders-dlt", None),
    ]
    assert decoded.consumer_group is None
    assert (decoded.error_class, decoded.error_wrapper_class) == ("a.Cause", "a.Outer")
    assert decoded.hops[0].error_class is None


def test_spring_that_keeps_earlier_exceptions_is_read_hop_by_hop() -> None:
    decoded = read(
        *dashed("kafka_dlt-exception-", fqcn="a.Outer", cause_fqcn="a.First", message="one"),
        *spring_original("kafka_dlt-", "orders"),
        *dashed("kafka_dlt-exception-", fqcn="a.Second"),
        *spring_original("kafka_dlt-", "orders-dlt"),
    )
    assert [hop.error_class for hop in decoded.hops] == ["a.First", "a.Second"]
    assert [hop.error_message for hop in decoded.hops] == ["one", None]
    assert (decoded.error_class, decoded.error_wrapper_class) == ("a.Second", None)
    assert decoded.fields["error_class"] == "header kafka_dlt-exception-fqcn [1]"


def test_spring_s_value_exception_goes_before_its_key_exception() -> None:
    decoded = read(
        *dashed("kafka_dlt-key-exception-", fqcn="a.Key", message="key", stacktrace="ks"),
        *dashed("kafka_dlt-exception-", fqcn="a.Value", cause_fqcn="a.Value", message="value"),
        *spring_original("kafka_dlt-", "orders"),
    )
    assert (decoded.error_class, decoded.error_wrapper_class) == ("a.Value", None)
    assert (decoded.error_message, decoded.stack) == ("value", "ks")


def test_the_delivery_attempt_of_an_earlier_hop_is_not_the_last_one_s() -> None:
    first = [
        ("kafka_deliveryAttempt", int32(3)),
        *dashed("kafka_dlt-exception-", fqcn="a.E"),
        *spring_original("kafka_dlt-", "orders"),
    ]
    assert read(*first).deliveries == 3
    second = [
        *dashed("kafka_dlt-exception-", fqcn="a.F"),
        *spring_original("kafka_dlt-", "orders-dlt"),
    ]
    assert read(*first, *second).deliveries is None
    assert read(*first, ("kafka_deliveryAttempt", int32(1)), *second).deliveries == 1


@pytest.mark.parametrize(
    ("field", "name", "value"),
    [
        ("original_partition", "partition", b"3"),
        ("original_partition", "partition", b"1234"),
        ("original_partition", "partition", int64(3)),
        ("original_partition", "partition", b""),
        ("original_partition", "partition", int32(-7)),
        ("original_offset", "offset", int32(3)),
        ("original_offset", "offset", b"12345678"),
        ("original_timestamp_ms", "timestamp", b"1763100007091"),
        ("original_topic", "topic", b"\xff\xfe"),
        ("original_topic", "topic", b"no topic"),
        ("original_topic", "topic", b""),
    ],
)
@pytest.mark.parametrize("prefix", ["kafka_dlt-", "x-", "kafka_"])
def test_what_does_not_fit_its_encoding_is_shown_as_hex(
    prefix: str, field: str, name: str, value: bytes
) -> None:
    headers = dict(spring_original(prefix, "orders", timestamp=int64(1_763_100_007_091)))
    headers[f"{prefix}original-{name}"] = value
    decoded = read(*headers.items(), (f"{prefix}exception-message", "m"))
    assert getattr(decoded, field) is None
    assert decoded.undecoded == {field: value.hex()}
    assert decoded.fields[field] == f"header {prefix}original-{name} [0]"


def test_minus_one_is_kafka_s_word_for_none() -> None:
    decoded = read(
        *spring_original("kafka_dlt-", "orders", timestamp=int64(-1)),
        *dashed("kafka_dlt-exception-", fqcn="a.E"),
    )
    assert (decoded.original_timestamp_ms, decoded.undecoded) == (None, {})


def retryable(*retries: tuple[str, bytes], **original: Any) -> Any:
    return [
        *spring_original("kafka_", "orders", **original),
        ("kafka_dlt-original-consumer-group", "shipping"),
        *retries,
        *dashed("kafka_exception-", fqcn="a.Outer", cause_fqcn="a.Cause", message="m"),
    ]


@pytest.mark.parametrize(
    ("value", "expected"),
    [(b"\x01\x9a\x80\xf3a\xed", 1_763_100_025_325), (b"\x07", 7), (b"\x00\x80", 128), (b"\xff", None)],
)
def test_retry_timestamps_are_as_many_bytes_as_they_take(value: bytes, expected: int) -> None:
    decoded = read(*retryable(("retry_topic-original-timestamp", value)))
    assert decoded.convention == "spring-retryable-topic"
    assert decoded.original_timestamp_ms == expected
    assert decoded.undecoded == {}


@pytest.mark.parametrize("value", [b"", b"\x00" * 9, b"1763100025325", b"\x80\x00"])
def test_a_retry_timestamp_that_cannot_be_one_is_shown_as_hex(value: bytes) -> None:
    decoded = read(*retryable(("retry_topic-original-timestamp", value)))
    assert decoded.original_timestamp_ms is None
    assert decoded.undecoded == {"original_timestamp_ms": value.hex()}


def test_retry_attempts_are_one_more_than_there_were_deliveries() -> None:
    numbers = [("retry_topic-attempts", int32(number)) for number in (2, 3, 4)]
    decoded = read(*retryable(*numbers))
    assert (decoded.attempts_header, decoded.deliveries) == (4, 3)
    assert decoded.fields["deliveries"] == "header retry_topic-attempts [2]"
    assert decoded.consumer_group == "shipping"


def test_spring_cloud_stream_is_read() -> None:
    decoded = read(
        *spring_original("x-", "orders", 99, timestamp=int64(5), timestamp_type="CreateTime"),
        *dashed("x-exception-", message="m", fqcn="a.E", stacktrace="s"),
    )
    assert (decoded.convention, decoded.side) == ("spring-cloud-stream", "consumer")
    assert decoded.hops == (
        Hop("orders", 1, 99, 5, error_class="a.E", error_message="m", stack="s"),
    )
    assert decoded.original_offset == 99


# --- SmallRye ------------------------------------------------------------------------------------


def test_smallrye_s_newest_hop_comes_first_and_its_missing_cause_is_not_borrowed() -> None:
    decoded = read(
        *smallrye("orders-dlq", reason="second"),
        *smallrye("orders", reason="first", cause_class_name="a.Cause", cause="c"),
    )
    assert [hop.topic for hop in decoded.hops] == ["orders", "orders-dlq"]
    assert decoded.original_topic == "orders"
    assert (decoded.error_class, decoded.error_wrapper_class) == ("a.Outer", None)
    assert (decoded.error_message, decoded.cause_message) == ("second", None)


def test_delayed_retries_without_a_dead_letter_header_are_read() -> None:
    decoded = read(
        *smallrye("orders_retry_20000", "delayed-retry-", reason="third"),
        *smallrye("orders_retry_10000", "delayed-retry-", reason="second"),
        *smallrye("orders", "delayed-retry-", reason="first"),
        ("delayed-retry-original-timestamp", "1763500003039"),
        ("delayed-retry-count", "2"),
    )
    assert decoded.convention == "smallrye"
    assert (decoded.original_topic, decoded.error_message) == ("orders", "third")
    assert decoded.original_timestamp_ms == 1_763_500_003_039
    assert (decoded.attempts_header, decoded.deliveries) == (2, 3)
    assert [hop.timestamp_ms for hop in decoded.hops] == [1_763_500_003_039, None, None]


# --- Karafka and Watermill -----------------------------------------------------------------------


def test_karafka_is_read() -> None:
    decoded = read(*karafka(trace_id="t-1"))
    assert (decoded.convention, decoded.side) == ("karafka", "consumer")
    assert decoded.hops == (Hop("orders", 3, 12, consumer_group="app_g"),)
    assert (decoded.attempts_header, decoded.deliveries) == (4, 4)
    assert decoded.details == {"trace_id": "t-1"}


@pytest.mark.parametrize(("key", "expected"), [("abc", b"abc"), ("", None)])
def test_before_2_5_karafka_s_key_travels_in_a_header(key: str, expected: bytes | None) -> None:
    decoded = read(*karafka("original_", key=key), key=b"3")
    assert (decoded.convention, decoded.original_topic) == ("karafka", "orders")
    assert decoded.original_key == expected
    assert decoded.fields["original_key"] == "header original_key [0]"


def test_watermill_keeps_a_message_s_uuid_but_not_an_empty_one() -> None:
    poisoned = (("topic_poisoned", "orders"), ("reason_poisoned", "no"))
    uuid = ("_watermill_message_uuid", "u-1")
    assert (uuid[0], b"u-1") in decode(record(*poisoned, uuid)).original_headers
    assert read(*poisoned, (uuid[0], "")).original_headers == KEPT


# --- what is nobody's ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    "headers",
    [
        [("source_topic", "orders")],
        [pair for pair in karafka() if pair[0] != "source_attempts"],
        karafka("original_"),
        [("x-original-topic", "orders"), ("x-original-partition", int32(1))],
        [("x-exception-message", "m"), ("x-exception-fqcn", "a.E")],
        [("dead-letter-topic", "orders")],
        [("delayed-retry-count", "3")],
        [("topic_poisoned", "orders")],
        [("kafka_dlt-original-consumer-group", "g")],
        [("kafka_dlt-original-topic", "orders")],
        [("kafka_original-topic", "orders")],
        [("retry_topic-attempts", int32(2)), ("retry_topic-backoff-timestamp", b"\x01")],
        [("__connect.errors.topic", "orders")],
        [("__streams.errors.topic", "orders")],
        [("__dlq.errors.topic", "orders")],
        [("kafka_deliveryAttempt", int32(2))],
        [("deserialization-failure-reason", "r")],
    ],
)
def test_a_header_that_anyone_may_use_claims_nothing(headers: list[tuple[str, Any]]) -> None:
    raw = record(*headers)
    decoded = decode(raw)
    assert decoded.convention == "unknown"
    assert decoded.original_headers == raw.headers


# --- several frameworks, one after the other -----------------------------------------------------


def test_the_first_framework_tells_the_origin_and_the_last_one_the_error() -> None:
    decoded = read(
        *connect("orders", "a.First", "one"),
        *dashed("kafka_dlt-exception-", fqcn="a.Second"),
        *spring_original("kafka_dlt-", "connect-dlq", 8, consumer_group="g"),
    )
    assert decoded.convention == "spring-recoverer"
    assert (decoded.original_topic, decoded.original_offset) == ("orders", 7)
    assert (decoded.error_class, decoded.consumer_group) == ("a.Second", "g")
    assert [hop.topic for hop in decoded.hops] == ["orders", "connect-dlq"]
    assert decoded.details["conventions"] == "kafka-connect, spring-recoverer"
    assert decoded.fields["original_topic"] == "header __connect.errors.topic [0]"
    assert decoded.fields["hops[0].topic"] == "header __connect.errors.topic [0]"
    assert decoded.fields["hops[1].error_class"] == "header kafka_dlt-exception-fqcn [0]"


def test_a_retryable_topic_s_dead_letter_that_fails_again_keeps_its_origin() -> None:
    decoded = read(
        *retryable(("retry_topic-attempts", int32(4))),
        *dashed("kafka_dlt-exception-", fqcn="a.Second"),
        *spring_original("kafka_dlt-", "orders-dlt", 8, consumer_group="parking"),
    )
    assert (decoded.original_topic, decoded.original_offset) == ("orders", 3)
    assert (decoded.error_class, decoded.consumer_group) == ("a.Second", "parking")
    assert [(hop.topic, hop.consumer_group) for hop in decoded.hops] == [
        ("orders", "shipping"),
        ("orders-dlt", "parking"),
    ]


def test_where_the_order_cannot_be_told_no_origin_is_named() -> None:
    decoded = read(*smallrye("a-topic"), *connect("another", "a.E", "m"))
    assert decoded.details["conventions"] == "kafka-connect, smallrye"
    assert (decoded.original_topic, decoded.original_partition, decoded.original_offset) == (
        None,
        None,
        None,
    )
    assert not any(name.startswith("original_t") for name in decoded.fields)
