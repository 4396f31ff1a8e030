"""Reading what a consumed message holds, whatever it holds."""

from __future__ import annotations

from confluent_kafka import Message

from producer_agent.store.headers import as_bytes


def readable_headers(message: Message) -> tuple[tuple[str, bytes | None], ...] | None:
    """The message's headers in order; None if the name of one is no UTF-8.

    Kafka lets a header's name be any bytes; confluent-kafka raises SystemError for such a name,
    and has no other way to the headers.
    """
    try:
        return tuple((pair[0], as_bytes(pair[1])) for pair in message.headers() or ())
    except (SystemError, UnicodeDecodeError):
        return None


def headers_of(message: Message) -> tuple[tuple[str, bytes | None], ...]:
    """The message's headers in order; empty where they cannot be read."""
    return readable_headers(message) or ()
