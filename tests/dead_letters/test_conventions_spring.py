"""What the Spring family's headers mean where they are easily misread."""

from __future__ import annotations

import pytest

from producer_agent.dead_letters.conventions import Hop
from tests.dead_letters.framework_headers import (
    dashed,
    int32,
    int64,
    read,
    retryable,
    spring_original,
)


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
    decoded = read((f"{prefix}exception-message", "m"), *headers.items())
    assert getattr(decoded, field) is None
    assert decoded.undecoded == {field: value.hex()}
    assert decoded.fields[field] == f"header {prefix}original-{name} [0]"


def test_minus_one_is_kafka_s_word_for_none() -> None:
    decoded = read(
        *spring_original("kafka_dlt-", "orders", timestamp=int64(-1)),
        *dashed("kafka_dlt-exception-", fqcn="a.E"),
    )
    assert (decoded.original_timestamp_ms, decoded.undecoded) == (None, {})


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (b"\x01\x9a\x80\xf3a\xed", 1_763_100_025_325),
        (b"\x07", 7),
        (b"\x00\x80", 128),
        (b"\xff", None),
    ],
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


def test_a_recoverer_that_wrote_where_first_and_why_after_it_tells_one_failure() -> None:
    """Spring up to 2.6 wrote the parts in this order."""
    where = spring_original("kafka_dlt-", "orders")
    why = dashed("kafka_dlt-exception-", fqcn="a.E", message="m", stacktrace="a.E: m")
    group = ("kafka_dlt-original-consumer-group", "billing")
    decoded = read(*where, group, *why)
    assert (decoded.original_topic, decoded.error_class) == ("orders", "a.E")
    assert (decoded.consumer_group, len(decoded.hops)) == ("billing", 1)


def test_of_two_such_failures_the_origin_is_the_first_and_the_cause_the_last() -> None:
    first = spring_original("kafka_dlt-", "orders", 3)
    second = spring_original("kafka_dlt-", "orders-retry", 9)
    why = dashed("kafka_dlt-exception-", fqcn="a.Last", message="m")
    decoded = read(*first, *second, *why)
    assert [hop.topic for hop in decoded.hops] == ["orders", "orders-retry"]
    assert (decoded.original_topic, decoded.original_offset) == ("orders", 3)
    assert decoded.error_class == "a.Last"
