"""A cause groups what failed for one reason, whatever differs from record to record."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from producer_agent.dead_letters.conventions import Decoded
from producer_agent.dead_letters.fingerprint import MOST_MESSAGE, VERSION, cause_of, mask


def decoded(message: str | None, **fields: object) -> Decoded:
    values: dict[str, object] = {"error_class": "ValueError", "side": "consumer", **fields}
    return Decoded("unknown", error_message=message, **values)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("order 17 is late by 3.5 s", "order 99 is late by 1,200 s"),
        ("no user 'ann'", "no user 'bob'"),
        (
            "id 7f9c24e8-3b12-4d6a-9f10-aa12bb34cc56 gone",
            "id 00000000-0000-0000-0000-000000000001 gone",
        ),
        ("Connect to 10.0.0.1:9092 failed", "Connect to 192.168.7.20:9093 failed"),
        ("broker-1.kafka.svc:9092 is down", "broker-2.kafka.svc:9092 is down"),
        ("at 2026-01-02T03:04:05.678Z", "at 2025-11-12 13:14:15+01:00"),
        ("hash deadbeef12345678", "hash 0123456789abcdef"),
        ("NOT_ENOUGH_REPLICAS ×38", "NOT_ENOUGH_REPLICAS ×7"),
        ("boom\n at line 5", "boom\n at line 6"),
    ],
)
def test_what_varies_from_record_to_record_does_not_tell_causes_apart(one: str, other: str) -> None:
    assert cause_of(decoded(one)) == cause_of(decoded(other))


@pytest.mark.parametrize(
    "other",
    [
        decoded("no user", error_class="KeyError"),
        decoded("no order"),
        decoded("no user", side="producer"),
        decoded(None),
    ],
)
def test_another_error_message_or_side_is_another_cause(other: Decoded) -> None:
    assert cause_of(decoded("no user")).fingerprint != cause_of(other).fingerprint


def test_words_with_digits_in_them_are_kept() -> None:
    assert mask("acks=all needs http2 and utf8") == "acks=all needs http2 and utf8"


@given(st.text(st.characters(), max_size=3_000))
def test_any_text_is_masked_in_one_short_line(text: str) -> None:
    masked = mask(text)
    assert len(masked) <= MOST_MESSAGE
    assert "\n" not in masked
    cause = cause_of(decoded(text))
    assert cause.fingerprint.startswith(f"v{VERSION}:")
    assert len(cause.fingerprint) == len("v1:") + 16


def test_a_very_long_message_is_masked_quickly() -> None:
    began_s = time.monotonic()
    for hostile in ("1" * 1_000_000, "a." * 500_000, "'" * 500_000, "0x" + "f" * 900_000):
        mask(hostile)
    assert time.monotonic() - began_s < 2


def test_without_a_reason_there_is_still_a_title() -> None:
    assert cause_of(Decoded("unknown")).title == "no reason told"
    assert cause_of(Decoded("unknown", error_code=19)).title == "code 19"


def spring(message: str = "order 17 is late", line: int = 29, method: str = "boom") -> str:
    """A stack as Spring writes it: two wrappers, and a root that the JDK threw."""
    return (
        "org.springframework.kafka.listener.ListenerExecutionFailedException: Listener failed\n"
        "\tat org.springframework.kafka.listener.Adapter.invoke(Adapter.java:515)\n"
        "\tat acme.Outermost.run(Outermost.java:1)\n"
        "\tSuppressed: org.springframework.kafka.Restored: Restored Stack Trace\n"
        "\t\tat acme.NotHere.run(NotHere.java:1)\n"
        "\tCaused by: acme.NotThis: suppressed\n"
        "Caused by: java.lang.IllegalStateException: could not bill\n"
        "\tat java.base/java.util.Optional.get(Optional.java:143)\n"
        f"\tat app//acme.Billing.{method}(Billing.java:{line})\n"
        "\tat acme.Caller.call(Caller.java:3)\n"
        "\t... 10 more\n"
        f"Caused by: java.sql.SQLException: {message}\n"
        "  at row 3\n"
        "\tat java.base/jdk.internal.reflect.DirectMethodHandleAccessor.invoke(Direct.java:103)\n"
        "\tat sun.reflect.GeneratedMethodAccessor12.invoke(Unknown Source)\n"
        "\t... 25 more\n"
    )


def with_stack(stack: str | None, **fields: object) -> Decoded:
    known: dict[str, object] = {"error_class": "acme.Wrapper", "stack": stack}
    return decoded("Listener method 'x' threw exception", **{**known, **fields})


def test_a_stack_groups_by_its_root_the_application_s_frame_and_the_root_s_message() -> None:
    cause = cause_of(with_stack(spring()))
    assert cause.title == "java.sql.SQLException: order <n> is late (at acme.Billing.boom)"
    same = with_stack(spring("order 99 is late", line=31), error_class="acme.OtherWrapper")
    assert cause_of(same) == cause


@pytest.mark.parametrize(
    "other",
    [
        spring("disk full"),
        spring(method="ship"),
        spring().replace("SQLException", "SQLTimeoutException"),
        None,
    ],
)
def test_another_root_message_or_frame_is_another_cause(other: str | None) -> None:
    assert cause_of(with_stack(spring())).fingerprint != cause_of(with_stack(other)).fingerprint


@pytest.mark.parametrize(
    ("frame", "expected"),
    [
        (
            "acme.Billing$$Lambda$14/0x0000000800c03000.run(Unknown Source)",
            "acme.Billing$$Lambda.run",
        ),
        ("acme.Billing$$Lambda/0x00007f0001.run(Unknown Source)", "acme.Billing$$Lambda.run"),
        (
            "acme.Billing$$EnhancerBySpringCGLIB$$1a2b3c.pay(<generated>)",
            "acme.Billing$$EnhancerBySpringCGLIB.pay",
        ),
        ("acme.Billing$$SpringCGLIB$$0.pay(<generated>)", "acme.Billing$$SpringCGLIB.pay"),
        ("app/acme.billing@1.2/acme.Billing.<init>(Billing.java:7)", "acme.Billing.<init>"),
        ("com.sun.proxy.$Proxy88.pay(Unknown Source)", "acme.Main.main"),
        ("jdk.proxy2/jdk.proxy2.$Proxy88.pay(Unknown Source)", "acme.Main.main"),
        ("org.apache.kafka.streams.X.y(X.java:1)", "acme.Main.main"),
        ("kotlin.collections.X.y(X.kt:1)", "acme.Main.main"),
        ("scala.Option.get(Option.scala:1)", "acme.Main.main"),
        ("io.smallrye.mutiny.X.y(X.java:1)", "acme.Main.main"),
        ("javax.jms.X.y(X.java:1)", "acme.Main.main"),
    ],
)
def test_the_first_frame_that_is_the_application_s_counts_without_what_is_generated(
    frame: str, expected: str
) -> None:
    stack = f"acme.E: no\r\n\tat {frame}\r\n\tat acme.Main.main(Main.java:1)\r\n"
    assert cause_of(with_stack(stack)).title == f"acme.E: no (at {expected})"


def test_a_root_without_a_message_or_a_package_is_a_root() -> None:
    stack = "acme.E: no\n\tat acme.Main.main(Main.java:1)\nCaused by: Mishap\n\t... 1 more\n"
    assert cause_of(with_stack(stack)).title == "Mishap (at acme.Main.main)"


def test_only_a_line_feed_ends_a_line_of_a_stack() -> None:
    stack = "acme.E: no\u2028Caused by: acme.F: yes\n\tat acme.Main.main(Main.java:1)\n"
    assert cause_of(with_stack(stack)).title.startswith("acme.E: no")


@pytest.mark.parametrize("stack", ["", "no stack", "a: b", "x y z\n\tat acme.A.b(A.java:1)"])
def test_what_is_no_stack_leaves_the_headers_class_and_message(stack: str) -> None:
    assert cause_of(with_stack(stack)) == cause_of(with_stack(None))


def test_a_cause_s_class_goes_with_the_cause_s_message() -> None:
    cause = cause_of(decoded("could not bill order 42", cause_message="pool 7 exhausted"))
    assert cause.title == "ValueError: pool <n> exhausted"


def test_a_hostile_stack_is_read_quickly_and_its_title_stays_short() -> None:
    began_s = time.monotonic()
    name = "a." * 40_000 + "E"
    for stack in (
        f"{name}: m\n\tat {name}(A.java:1)",
        "a.E\n" + "\tat x/x/x/" * 60_000,
        "a.E\n\tat a.B.c(A.java:1)\n" + "Caused by: a.E\n" * 60_000,
    ):
        assert len(cause_of(with_stack(stack)).title) < 1_000
    assert time.monotonic() - began_s < 2
