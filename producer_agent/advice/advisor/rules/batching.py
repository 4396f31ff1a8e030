"""How long events wait for each other, and what that saves."""

from __future__ import annotations

import math
from typing import Final

from producer_agent.advice.advisor.advice import Choice, Settled
from producer_agent.advice.advisor.question import Question

RECORD_OVERHEAD_BYTES: Final = 36
"""What librdkafka counts for a message besides key, value and headers (measured, 2.16)."""

_LINGER_STEPS_MS: Final = (0.0, 0.5, 1.0, 2.0, 5.0, 10.0, 20.0, 50.0)
_LINGER_SHARE: Final = 0.1
_LINGER_MOST_MS: Final = {"business": 5.0, "experience": 20.0, "nothing": 50.0}
_SMALLEST_BATCH: Final = 65_536
_LARGEST_BATCH: Final = 1_000_000
_WORTH_COMPRESSING_BYTES: Final = 1_000
_HEAVY_BYTES_PER_S: Final = 5_000_000
_UNHURRIED_MS: Final = 100.0
_BYTES_PER_PARTITION_S: Final = 5_000_000
_MOST_PARTITIONS: Final = 1_000


def partitions(q: Question) -> int:
    """Partitions by the bytes at peak, two a broker at least, the same number on each broker."""
    needed = max(bytes_at_peak(q) / _BYTES_PER_PARTITION_S, 2.0 * min(q.brokers, 6))
    around = min(q.brokers, 12)
    return min(math.ceil(needed / around) * around, _MOST_PARTITIONS)


def bytes_at_peak(q: Question) -> float:
    """Bytes a second of payload and overhead at peak."""
    return q.peak * (q.payload_bytes + RECORD_OVERHEAD_BYTES)


def events_in_a_batch(q: Question, linger_ms: float) -> float:
    """Events that meet in one batch at peak: what comes to one partition within the linger."""
    return max(1.0, q.peak / partitions(q) * linger_ms / 1000)


def linger(q: Question, _settled: Settled) -> Choice:
    """A tenth of the latency allowed at most."""
    most = _LINGER_MOST_MS[q.if_lost]
    if q.latency_p99_ms is not None:
        most = min(most, q.latency_p99_ms * _LINGER_SHARE)
    ms = max(step for step in _LINGER_STEPS_MS if step <= most)
    together = events_in_a_batch(q, ms)
    batch = (
        f"at peak about {together:,.0f} events then share a batch"
        if together >= 1.5
        else "at this rate an event mostly travels alone all the same"
    )
    budget = (
        "no latency is asked for"
        if q.latency_p99_ms is None
        else f"{q.latency_p99_ms:g} ms are allowed at p99, of which waiting may take a tenth"
    )
    if ms == 0:
        return Choice(
            "linger.ms",
            ms,
            f"{_sentence(budget)}: there is no time to wait for others.",
            "Throughput: each event may become a request of its own, on both sides.",
            "librdkafka INTRODUCTION.md, message batching",
        )
    return Choice(
        "linger.ms",
        ms,
        f"{_sentence(budget)}; {batch}.",
        f"Latency: up to {ms:g} ms for each event.",
        "librdkafka INTRODUCTION.md, message batching",
    )


def batch_size(q: Question, settled: Settled) -> Choice:
    """Room for twice what arrives within the linger on one partition."""
    linger_ms = float(settled["linger.ms"])
    arriving = events_in_a_batch(q, linger_ms) * (q.payload_bytes + RECORD_OVERHEAD_BYTES)
    wanted = max(2 * arriving, 2.0 * q.payload_bytes, _SMALLEST_BATCH)
    size = min(1 << math.ceil(math.log2(wanted)), _LARGEST_BATCH)
    return Choice(
        "batch.size",
        size,
        f"At peak about {arriving:,.0f} bytes arrive on a partition within the linger: the batch "
        "holds that twice over, and leaves when the linger ends.",
        "Latency after an outage: what has piled up leaves in batches of this size. It reserves "
        "no memory in librdkafka; Java reserves it for each partition.",
        "librdkafka CONFIGURATION.md, `batch.size`",
    )


def compression(q: Question, settled: Settled) -> Choice:
    """By how much there is to compress, and how much time."""
    together = events_in_a_batch(q, float(settled["linger.ms"])) * q.payload_bytes
    source = "KIP-110 (zstd), librdkafka CONFIGURATION.md, `compression.codec`"
    unhurried = q.latency_p99_ms is None or q.latency_p99_ms >= _UNHURRIED_MS
    if bytes_at_peak(q) >= _HEAVY_BYTES_PER_S and unhurried:
        return Choice(
            "compression.type",
            "zstd",
            f"{bytes_at_peak(q) / 1e6:.0f} MB/s at peak go over the network and to the disks of "
            "every replica: the strongest codec saves most there.",
            "CPU: the most of all codecs, in the producer and in every consumer.",
            source,
        )
    if together >= _WORTH_COMPRESSING_BYTES:
        return Choice(
            "compression.type",
            "lz4",
            f"A batch of about {together:,.0f} bytes compresses well, and lz4 takes microseconds.",
            "CPU: a little, in the producer and in every consumer. Nothing is gained where the "
            "payload is compressed or encrypted already: then set none.",
            source,
        )
    return Choice(
        "compression.type",
        "none",
        f"A batch of about {together:,.0f} bytes is too small to compress well.",
        "Network and disk: the full size, on every replica.",
        source,
    )


def _sentence(text: str) -> str:
    return text[:1].upper() + text[1:]
