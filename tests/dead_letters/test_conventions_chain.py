"""A record that failed in several frameworks tells where it began and why it failed last."""

from __future__ import annotations

from tests.dead_letters.framework_headers import (
    connect,
    dashed,
    int32,
    read,
    retryable,
    smallrye,
    spring_original,
)


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


def test_which_framework_was_first_is_told_by_the_headers_order() -> None:
    decoded = read(
        *dashed("kafka_dlt-exception-", fqcn="a.First"),
        *spring_original("kafka_dlt-", "orders", 8, consumer_group="g"),
        *connect("orders-dlt", "a.Second", "two"),
    )
    assert decoded.convention == "kafka-connect"
    assert (decoded.original_topic, decoded.original_offset) == ("orders", 8)
    assert (decoded.error_class, decoded.consumer_group) == ("a.Second", None)


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
