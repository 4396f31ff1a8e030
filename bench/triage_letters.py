"""Dead letters of many makers for ``bench.triage``: records as they lie on dead-letter topics."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator

from producer_agent.dead_letters.conventions import RawRecord
from producer_agent.dead_letters.envelope import FailedEvent, wrap

VALUE_BYTES = 1_000
RARE_EVERY = 50_000
"""One record in so many has the rare word."""

RARE_WORD = "zanzibar"
COMMON_WORD = "delivery"
COMMON_SHARE = 0.5

_TOPICS = tuple(f"{area}-events" for area in ("order", "payment", "stock", "mail", "task", "user"))
_GROUPS = tuple(f"{name}-service" for name in ("billing", "shipping", "search", "crm"))
_ERRORS = tuple(
    f"{package}.{name}"
    for package in ("java.sql", "com.example.billing", "org.apache.kafka.common.errors")
    for name in ("SQLException", "TimeoutException", "SerializationException", "DeclinedException")
)
_WORDS = tuple(f"word{number:04d}" for number in range(3_000))


def records(start: int, n: int) -> Iterator[RawRecord]:
    """Records number ``start`` to ``start + n``: a third of our own envelope, the others of
    Spring, Connect and nobody in particular; each of one of some forty causes."""
    for number in range(start, start + n):
        chosen = random.Random(number)
        maker = (_envelope, _spring, _connect, _spring, _envelope, _unknown)[number % 6]
        yield maker(number, chosen)


def _value(number: int, chosen: random.Random) -> bytes:
    words = chosen.choices(_WORDS, k=90)
    if chosen.random() < COMMON_SHARE:
        words[10] = COMMON_WORD
    if number % RARE_EVERY == RARE_EVERY // 2:
        words[20] = RARE_WORD
    body = {
        "order_id": f"order-{number:08d}",
        "email": f"user{number % 50_000}@example.com",
        "amount": chosen.randrange(10_000) / 100,
        "note": " ".join(words),
    }
    return json.dumps(body).encode().ljust(VALUE_BYTES)


def _key(number: int) -> bytes:
    return f"customer-{number % 200_000:06d}".encode()


def _spring(number: int, chosen: random.Random) -> RawRecord:
    topic, group = chosen.choice(_TOPICS), chosen.choice(_GROUPS)
    error = chosen.choice(_ERRORS)
    headers = (
        ("traceparent", f"00-{chosen.getrandbits(128):032x}-{chosen.getrandbits(64):016x}-01"),
        ("kafka_dlt-original-topic", topic),
        ("kafka_dlt-original-partition", (number % 12).to_bytes(4, "big")),
        ("kafka_dlt-original-offset", number.to_bytes(8, "big")),
        ("kafka_dlt-original-timestamp", (1_763_100_000_000 + number).to_bytes(8, "big")),
        ("kafka_dlt-original-consumer-group", group),
        ("kafka_dlt-exception-fqcn", error),
        ("kafka_dlt-exception-message", f"could not handle order {number} in {number % 97} ms"),
    )
    return _record(f"{topic}-dlt", number, chosen, headers)


def _connect(number: int, chosen: random.Random) -> RawRecord:
    topic = chosen.choice(_TOPICS)
    headers = (
        ("__connect.errors.topic", topic),
        ("__connect.errors.partition", str(number % 12)),
        ("__connect.errors.offset", str(number)),
        ("__connect.errors.connector.name", f"sink-{number % 3}"),
        ("__connect.errors.task.id", "0"),
        ("__connect.errors.stage", "VALUE_CONVERTER"),
        ("__connect.errors.class.name", "org.apache.kafka.connect.json.JsonConverter"),
        ("__connect.errors.exception.class.name", chosen.choice(_ERRORS)),
        ("__connect.errors.exception.message", f"record {number} does not fit its schema"),
    )
    return _record("connect-dlq", number, chosen, headers)


def _unknown(number: int, chosen: random.Random) -> RawRecord:
    return _record("parking-lot", number, chosen, (("source", f"host-{number % 20}"),))


def _envelope(number: int, chosen: random.Random) -> RawRecord:
    sent_us = 1_763_100_000_000_000 + number
    code, name, words = chosen.choice(
        (
            (19, "NOT_ENOUGH_REPLICAS", "Broker: Not enough in-sync replicas"),
            (-192, "_MSG_TIMED_OUT", "Local: Message timed out"),
            (10, "MSG_SIZE_TOO_LARGE", "Broker: Message size too large"),
        )
    )
    event = FailedEvent(
        letter_id=f"bench:{number}",
        topic=chosen.choice(_TOPICS),
        partition=number % 12,
        key=_key(number),
        value=_value(number, chosen),
        headers=(("content-type", b"application/json"),),
        error=words,
        error_code=code,
        error_name=name,
        outcome="failed",
        stored="no",
        run="ab" * 16,
        sequence=number,
        profile=f"profile-{number % 3}",
        sent_us=sent_us,
        failed_us=sent_us + 5_000,
        attempts=None,
    )
    return RawRecord(
        "dead-letter-queue",
        number % 3,
        number,
        sent_us // 1_000,
        event.key,
        wrap(event),
        (("ackboard-dead-letter", event.letter_id.encode()),),
    )


def _record(
    topic: str,
    number: int,
    chosen: random.Random,
    headers: tuple[tuple[str, str | bytes], ...],
) -> RawRecord:
    return RawRecord(
        topic,
        number % 3,
        number,
        1_763_100_000_000 + number,
        _key(number),
        _value(number, chosen),
        tuple((name, told.encode() if isinstance(told, str) else told) for name, told in headers),
    )
