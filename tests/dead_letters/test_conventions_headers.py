"""What each framework's headers mean where they are easily misread."""

from __future__ import annotations

from typing import Any

import pytest

from producer_agent.dead_letters.conventions import Hop, decode
from tests.dead_letters.framework_headers import (
    KEPT,
    connect,
    int32,
    karafka,
    read,
    record,
    share,
    smallrye,
    streams,
)


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


@pytest.mark.parametrize("count", ["9223372036854775807", "2147483647", "-2", "2.0", "two", ""])
def test_a_retry_count_that_is_no_java_int_counts_nothing(count: str) -> None:
    decoded = read(*smallrye("orders", "delayed-retry-"), ("delayed-retry-count", count))
    assert decoded.deliveries is None
    assert decoded.undecoded["deliveries"] == count.encode().hex()


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
