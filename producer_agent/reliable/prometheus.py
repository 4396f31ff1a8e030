"""The counts of reliable producers for Prometheus, where ``prometheus_client`` is installed.

``register(producer)`` and the figures are on the service's own ``/metrics``. One collector serves
all producers of a registry; each is a label ``profile`` and disappears with its producer.
"""

from __future__ import annotations

import threading
import weakref
from bisect import bisect_right
from collections.abc import Iterator, Sequence

try:
    from prometheus_client import REGISTRY, CollectorRegistry
    from prometheus_client.core import (
        CounterMetricFamily,
        GaugeMetricFamily,
        HistogramMetricFamily,
    )
    from prometheus_client.registry import Collector
except ImportError as error:
    raise ImportError(
        "prometheus_client is not installed: install `ackboard[prometheus]`, or read "
        "ReliableProducer.counts() and export that yourself"
    ) from error

from producer_agent.reliable.producer import ReliableProducer

BUCKETS_S = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
"""Upper bounds of the latency histogram; the last, without end, is added by its nature."""

_ENDS = ("delivered", "unconfirmed", "failed", "rejected", "unresolved")


def register(producer: ReliableProducer, registry: CollectorRegistry = REGISTRY) -> None:
    """Export a producer's counts, and the latency of its acknowledgements, from now on."""
    with _lock:
        collector = _collectors.get(registry)
        if collector is None:
            collector = _collectors[registry] = _ProducerCollector()
            registry.register(collector)
    collector.add(producer)


class _Latencies:
    """A histogram, filled by a book."""

    def __init__(self) -> None:
        self.sum_s = 0.0
        self.counts = [0] * (len(BUCKETS_S) + 1)

    def add(self, latencies_s: Sequence[float]) -> None:
        ordered = sorted(latencies_s)
        self.sum_s += sum(ordered)
        below = 0
        for at, bound in enumerate(BUCKETS_S):
            up_to = bisect_right(ordered, bound)
            self.counts[at] += up_to - below
            below = up_to
        self.counts[-1] += len(ordered) - below

    def buckets(self) -> list[tuple[str, float]]:
        total, told = 0, []
        for bound, n in zip([*map(str, BUCKETS_S), "+Inf"], self.counts, strict=True):
            total += n
            told.append((bound, float(total)))
        return told


class _ProducerCollector(Collector):
    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._producers: weakref.WeakKeyDictionary[ReliableProducer, _Latencies] = (
            weakref.WeakKeyDictionary()
        )

    def add(self, producer: ReliableProducer) -> None:
        with self._lock:
            if producer not in self._producers:
                latencies = _Latencies()
                self._producers[producer] = latencies
                producer.book.observe = latencies.add

    def collect(
        self,
    ) -> Iterator[CounterMetricFamily | GaugeMetricFamily | HistogramMetricFamily]:
        """Prometheus asks."""
        records = CounterMetricFamily(
            "ackboard_producer_records",
            "Records by what became of them; unconfirmed is acks=0",
            labels=["profile", "outcome"],
        )
        accepted = CounterMetricFamily(
            "ackboard_producer_accepted", "Records handed over", labels=["profile"]
        )
        outstanding = GaugeMetricFamily(
            "ackboard_producer_outstanding", "Records without a report", labels=["profile"]
        )
        letters = CounterMetricFamily(
            "ackboard_producer_dead_letters",
            "Failed records by whether they reach the dead-letter queue",
            labels=["profile", "state"],
        )
        transactions = CounterMetricFamily(
            "ackboard_producer_transactions", "Transactions", labels=["profile", "end"]
        )
        queue_full = CounterMetricFamily(
            "ackboard_producer_queue_full", "Times that the queue was full", labels=["profile"]
        )
        not_kept = CounterMetricFamily(
            "ackboard_producer_not_kept",
            "Outcomes counted, yet too many to be recorded one by one",
            labels=["profile"],
        )
        latency = HistogramMetricFamily(
            "ackboard_producer_ack_latency_seconds",
            "From produce() to the acknowledgement, as poll() served it",
            labels=["profile"],
        )
        with self._lock:
            producers = list(self._producers.items())
        for producer, latencies in producers:
            counts, name = producer.counts(), producer.name
            for end in _ENDS:
                records.add_metric([name, end], getattr(counts, end))
            accepted.add_metric([name], counts.accepted)
            outstanding.add_metric([name], counts.outstanding)
            letters.add_metric([name, "sent"], counts.dead_letters)
            letters.add_metric([name, "lost"], counts.letters_lost)
            transactions.add_metric([name, "committed"], counts.commits)
            transactions.add_metric([name, "aborted"], counts.aborts)
            queue_full.add_metric([name], counts.queue_full)
            not_kept.add_metric([name], counts.not_kept)
            latency.add_metric([name], latencies.buckets(), latencies.sum_s)
        yield from (records, accepted, outstanding, letters, transactions)
        yield from (queue_full, not_kept, latency)


_lock = threading.Lock()
_collectors: weakref.WeakKeyDictionary[CollectorRegistry, _ProducerCollector] = (
    weakref.WeakKeyDictionary()
)
