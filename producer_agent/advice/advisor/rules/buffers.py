"""What has to fit: an event into a request, and an outage at peak into the client's memory."""

from __future__ import annotations

import math
from typing import Final

from producer_agent.advice.advisor.advice import Choice, Settled
from producer_agent.advice.advisor.question import Question
from producer_agent.advice.advisor.rules.batching import RECORD_OVERHEAD_BYTES

DEFAULT_MESSAGES: Final = 100_000
LARGEST_KBYTES: Final = 1_048_576
"""1 GiB, librdkafka's own default; more memory than that for waiting events is no producer's."""

MESSAGE_MEMORY_BYTES: Final = 300
"""About what librdkafka and the client hold for a waiting message besides its payload."""

_HEADROOM: Final = 1.2
_SMALLEST_KBYTES: Final = 65_536
_DEFAULT_MESSAGE_BYTES: Final = 1_000_000

_SOURCE: Final = "librdkafka CONFIGURATION.md, `queue.buffering.max.messages`"


def events_in_an_outage(q: Question, delivery_timeout_ms: float) -> float:
    """Events that arrive at peak until the first of them is given up."""
    return q.peak * delivery_timeout_ms / 1000


def queue_messages(q: Question, settled: Settled) -> Choice:
    """Room for what arrives at peak until the first event is given up; else BufferError."""
    arriving = events_in_an_outage(q, float(settled["delivery.timeout.ms"]))
    wanted = math.ceil(arriving * _HEADROOM / 1000) * 1000
    fits = LARGEST_KBYTES * 1024 // (q.payload_bytes + RECORD_OVERHEAD_BYTES)
    messages = max(min(wanted, fits), DEFAULT_MESSAGES)
    memory_mb = messages * MESSAGE_MEMORY_BYTES / 1e6
    return Choice(
        "queue.buffering.max.messages",
        messages,
        f"{q.peak:g} events/s at peak for {float(settled['delivery.timeout.ms']) / 1000:g} s of an "
        f"outage are {arriving:,.0f} that wait. When the queue is full produce() raises "
        "BufferError.",
        f"Memory: up to {memory_mb:,.0f} MB besides the payloads, while the cluster is away.",
        _SOURCE,
    )


def queue_kbytes(q: Question, settled: Settled) -> Choice:
    """The same in bytes, with room for two of the largest events."""
    arriving = events_in_an_outage(q, float(settled["delivery.timeout.ms"]))
    waiting = arriving * _HEADROOM * (q.payload_bytes + RECORD_OVERHEAD_BYTES)
    largest = int(settled["message.max.bytes"])
    wanted = max(waiting, 4.0 * largest) / 1024
    kbytes = min(max(1 << math.ceil(math.log2(wanted)), _SMALLEST_KBYTES), LARGEST_KBYTES)
    return Choice(
        "queue.buffering.max.kbytes",
        kbytes,
        f"That many of {q.payload_bytes:,} bytes are {waiting / 1e6:,.1f} MB.",
        f"Memory: up to {kbytes // 1024:,} MiB while the cluster is away; the container's limit "
        "has to allow it.",
        "librdkafka CONFIGURATION.md, `queue.buffering.max.kbytes`",
    )


def message_max_bytes(q: Question, _settled: Settled) -> Choice:
    """Twice the usual event; the topic has to allow as much."""
    largest = max(_DEFAULT_MESSAGE_BYTES, math.ceil(2 * q.payload_bytes / 1000 + 1) * 1000)
    if largest == _DEFAULT_MESSAGE_BYTES:
        return Choice(
            "message.max.bytes",
            largest,
            f"Events of {q.payload_bytes:,} bytes are far below it; a larger one is refused by "
            "produce(), at once and not by the broker.",
            "An event above it cannot be sent; it has to be split, or stored elsewhere and "
            "referred to.",
            "librdkafka CONFIGURATION.md, `message.max.bytes`",
        )
    return Choice(
        "message.max.bytes",
        largest,
        f"{q.payload_bytes:,} bytes are the usual size, so the largest may be twice that.",
        "Latency: other events of the partition wait behind large ones. The topic's "
        "max.message.bytes has to be raised as well.",
        "librdkafka CONFIGURATION.md, `message.max.bytes`",
    )
