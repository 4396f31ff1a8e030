"""The embedded cluster: librdkafka's own mock brokers, in memory, with nothing to install.

What it is: real TCP listeners on 127.0.0.1 and the real Kafka protocol for produce, fetch,
metadata, consumer groups, idempotence and transactions. What it is not: it does not replicate, it
forgets everything on :meth:`EmbeddedCluster.close`, and it does not serve the admin calls
CreateTopics, DescribeTopics, DescribeCluster or DescribeConfigs (they run into their time-out).
A partition keeps its newest :data:`PARTITION_LOG_BYTES` only; the limit is fixed in librdkafka
(``rd_kafka_mock_partition_init`` in ``src/rdkafka_mock.c``), so more room means more partitions.
"""

from __future__ import annotations

import os
import threading
import weakref
from collections import Counter
from collections.abc import Iterable
from types import TracebackType
from typing import Any, Self

from producer_agent.kafka.mock_library import (
    EmbeddedClusterUnavailable,
    MockLibrary,
    probe_symbols,
)

__all__ = [
    "ALL_BROKERS",
    "PARTITION_LOG_BYTES",
    "PRODUCE_API_KEY",
    "EmbeddedCluster",
    "EmbeddedClusterClosed",
    "EmbeddedClusterError",
    "EmbeddedClusterUnavailable",
    "probe_symbols",
]

PARTITION_LOG_BYTES = 5 * 1024 * 1024
"""Bytes of record batches that a mock partition keeps; older batches are trimmed."""

ALL_BROKERS = -1
"""In place of a broker id: every broker, in one step."""

PRODUCE_API_KEY = 0
"""Kafka's protocol number of the Produce request."""

_TOPIC_ALREADY_EXISTS = 36
_NO_ERROR = 0
_JOIN_DELAY = "rd_kafka_mock_group_initial_rebalance_delay_ms"


class EmbeddedClusterClosed(RuntimeError):
    """The cluster was used after :meth:`EmbeddedCluster.close`."""


class EmbeddedClusterError(RuntimeError):
    """The mock refused a command. ``code`` is Kafka's error code."""

    def __init__(self, function: str, code: int, reason: str) -> None:
        super().__init__(f"{function} was refused by the embedded cluster: {reason} ({code})")
        self.code = code


_LEFT_TO_EXIT: list[EmbeddedCluster] = []


def _destroy(library: MockLibrary, cluster: int, handle: int, owner_pid: int) -> None:
    # A forked child inherits the pointers but not the mock's threads, and would wait for them
    # for ever.
    if os.getpid() == owner_pid:
        library.destroy_cluster(cluster, handle)


class EmbeddedCluster:
    """A mock Kafka cluster inside this process, for as long as this object is open.

    Safe to use from several threads. librdkafka runs each command on the mock's own thread, or
    under its lock, and would allow them at once; only destroying the cluster beneath a running
    call would crash the process, so a lock of ours keeps :meth:`close` and the calls apart.

    A command takes well under a millisecond, but now and then a second where no client is
    connected: librdkafka misses a wake-up in one or two of a hundred that follow closely on
    another, and its mock then looks again after a second.

    Raises EmbeddedClusterUnavailable where librdkafka lacks a function, ValueError for fewer than
    one broker. Every method raises EmbeddedClusterClosed after :meth:`close`, and
    EmbeddedClusterError where the mock refuses.
    """

    def __init__(self, brokers: int = 3, *, group_join_delay_ms: int = 0) -> None:
        """Start `brokers` listeners on free loopback ports; their ids are 1 to `brokers`.

        A consumer group's first join waits `group_join_delay_ms` for further members (Kafka's
        ``group.initial.rebalance.delay.ms``; librdkafka's mock would wait 3000). A librdkafka too
        old to change it keeps its own.
        """
        if brokers < 1:
            raise ValueError(f"a cluster has at least one broker, not {brokers}")
        self._library = MockLibrary()
        self._lock = threading.RLock()
        self._cluster, handle = self._library.new_cluster(brokers)
        # Also runs when the object is collected; at most once in all. Not at interpreter exit,
        # which frees everything by itself: see `leave_to_exit`.
        self._finalizer = weakref.finalize(
            self, _destroy, self._library, self._cluster, handle, os.getpid()
        )
        self._finalizer.atexit = False
        self.bootstrap_servers: str = self._call("rd_kafka_mock_cluster_bootstraps").decode()
        self.broker_ids: tuple[int, ...] = tuple(range(1, brokers + 1))
        if self._library.has(_JOIN_DELAY):
            self.set_group_join_delay(group_join_delay_ms)

    @property
    def client_defaults(self) -> dict[str, str | int]:
        """librdkafka settings with which a client of this cluster behaves as one expects.

        Topic errors live in the mock's metadata alone, which a running client looks at again only
        every five minutes; with these it feels an injected topic error, and its end, in about a
        second.
        """
        return {
            "bootstrap.servers": self.bootstrap_servers,
            "topic.metadata.refresh.interval.ms": 1000,
            "topic.metadata.propagation.max.ms": 1000,
        }

    @property
    def closed(self) -> bool:
        """Whether :meth:`close` has run."""
        return not self._finalizer.alive

    def close(self) -> None:
        """Stop the brokers and forget every record. Closing twice is allowed."""
        with self._lock:
            self._finalizer()

    def leave_to_exit(self) -> None:
        """Keep it until the process ends, which frees everything.

        Taking down a cluster that served many clients crashes librdkafka 2.16 now and then, in
        ``rd_kafka_mock_cluster_destroy`` as in ``rd_kafka_mock_broker_set_down`` (seen in 3 of 10
        test runs); a process that is about to end had better not ask for it.
        """
        _LEFT_TO_EXIT.append(self)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    # -- topics ---------------------------------------------------------------------------------

    def create_topic(
        self, name: str, partitions: int = 4, replication_factor: int | None = None
    ) -> bool:
        """Create a topic; False if there is one of that name already (it is left as it is).

        Leaders are drawn at random. The replication factor (3, or the number of brokers if that is
        less) shows in metadata, but nothing is copied. Raises ValueError for no partition, or more
        replicas than brokers.
        """
        if partitions < 1:
            raise ValueError(f"topic {name!r} needs at least one partition, not {partitions}")
        if replication_factor is None:
            replication_factor = min(3, len(self.broker_ids))
        if not 1 <= replication_factor <= len(self.broker_ids):
            # The mock would quietly cut it to the number of brokers.
            raise ValueError(
                f"topic {name!r} cannot have {replication_factor} replicas on "
                f"{len(self.broker_ids)} brokers"
            )
        code = self._call(
            "rd_kafka_mock_topic_create", _topic_bytes(name), partitions, replication_factor
        )
        if code == _TOPIC_ALREADY_EXISTS:
            return False
        self._require_success("rd_kafka_mock_topic_create", code)
        return True

    def delete_topic(self, name: str) -> None:
        """Delete a topic and its records; the next client that asks for it creates it anew."""
        self._command("rd_kafka_mock_topic_delete", _topic_bytes(name))

    def delete_records(self, topic: str, partition: int, before_offset: int) -> None:
        """Trim a partition, as retention would: `before_offset` becomes its low watermark."""
        _require_partition(partition)
        self._command(
            "rd_kafka_mock_partition_delete_records", _topic_bytes(topic), partition, before_offset
        )

    def set_partition_leader(self, topic: str, partition: int, broker_id: int) -> None:
        """Make `broker_id` the leader, or nobody with -1. An unknown topic is created."""
        _require_partition(partition)
        if broker_id != -1:
            self._require_broker(broker_id)
        self._command(
            "rd_kafka_mock_partition_set_leader", _topic_bytes(topic), partition, broker_id
        )

    def set_topic_error(self, topic: str, code: int) -> None:
        """Answer metadata requests for `topic` with Kafka error `code`. Creates an unknown topic.

        Produce requests are served as before: a client that knows the topic already goes on until
        it refreshes its metadata (see :attr:`client_defaults`).
        """
        self._call("rd_kafka_mock_topic_set_error", _topic_bytes(topic), code)

    def clear_topic_error(self, topic: str) -> None:
        """Answer metadata requests for `topic` truthfully again."""
        self.set_topic_error(topic, _NO_ERROR)

    # -- brokers --------------------------------------------------------------------------------

    def broker_down(self, broker_id: int) -> None:
        """Close the broker's connections and refuse new ones. Leadership does not move.

        Here and below, ALL_BROKERS stands for every broker.
        """
        self._require_broker(broker_id, or_all=True)
        self._command("rd_kafka_mock_broker_set_down", broker_id)

    def broker_up(self, broker_id: int) -> None:
        """Accept connections again, on the same port."""
        self._require_broker(broker_id, or_all=True)
        self._command("rd_kafka_mock_broker_set_up", broker_id)

    def set_broker_rtt(self, broker_id: int, ms: int) -> None:
        """Hold back each answer of the broker for `ms` milliseconds.

        Only the answer waits: a produced record is stored at once. Lowering the delay releases
        what is held back.
        """
        self._require_broker(broker_id, or_all=True)
        if ms < 0:
            raise ValueError(f"a round trip cannot take {ms} ms")
        self._command("rd_kafka_mock_broker_set_rtt", broker_id, ms)

    def set_group_join_delay(self, ms: int) -> None:
        """Let a consumer group's first join wait `ms` milliseconds for further members."""
        self._call(_JOIN_DELAY, ms)

    # -- requests -------------------------------------------------------------------------------

    def push_produce_errors(self, codes: Iterable[int]) -> None:
        """Fail the next ``len(codes)`` produce requests of the whole cluster, in this order.

        A failed request stores nothing. Each answer moves the rest of the queue up by one in
        memory (16 bytes an entry), so keep it to thousands rather than millions.
        """
        with self._lock:
            self._require_open()
            self._library.push_errors(self._cluster, PRODUCE_API_KEY, list(codes))

    def clear_produce_errors(self) -> None:
        """Forget the pushed produce errors that no request has met yet."""
        self._call("rd_kafka_mock_clear_request_errors", PRODUCE_API_KEY)

    def start_request_tracking(self) -> None:
        """Keep a note of each request (memory grows until it is taken, or tracking stops)."""
        self._call("rd_kafka_mock_start_request_tracking")

    def stop_request_tracking(self) -> None:
        """Forget the requests noted, and note no more."""
        self._call("rd_kafka_mock_stop_request_tracking")

    def take_request_counts(self) -> Counter[int]:
        """Requests received since the last take, by Kafka ApiKey; they are then forgotten.

        The list is read and emptied in two steps, a few microseconds apart: a request that arrives
        between them is not counted.
        """
        with self._lock:
            self._require_open()
            return self._library.take_request_counts(self._cluster)

    # -- checks and calls -----------------------------------------------------------------------

    def _call(self, function: str, *arguments: Any) -> Any:
        """Call a mock function on this cluster and return what it returns."""
        with self._lock:
            self._require_open()
            return self._library.call(function, self._cluster, *arguments)

    def _command(self, function: str, *arguments: Any) -> None:
        """Call a mock function that answers with an error code."""
        self._require_success(function, self._call(function, *arguments))

    def _require_success(self, function: str, code: int) -> None:
        if code != _NO_ERROR:
            raise EmbeddedClusterError(function, code, self._library.error_text(code))

    def _require_open(self) -> None:
        if self.closed:
            raise EmbeddedClusterClosed(
                "the embedded cluster is closed; make a new EmbeddedCluster"
            )

    def _require_broker(self, broker_id: int, *, or_all: bool = False) -> None:
        if broker_id not in self.broker_ids and not (or_all and broker_id == ALL_BROKERS):
            raise ValueError(f"no broker {broker_id}; there are {list(self.broker_ids)}")


def _topic_bytes(name: str) -> bytes:
    encoded = name.encode()
    if not encoded or b"\0" in encoded:
        raise ValueError(f"{name!r} cannot be a topic's name")
    return encoded


def _require_partition(partition: int) -> None:
    # The mock checks the upper bound only: a negative number aborts the process.
    if partition < 0:
        raise ValueError(f"a partition's number is 0 or more, not {partition}")
