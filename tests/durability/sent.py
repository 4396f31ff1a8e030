"""Runs that are not what they claim: records put on a topic by hand, and what was told of them."""

from __future__ import annotations

import json
import uuid
from array import array
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from confluent_kafka import Producer

from producer_agent.delivery.events import pack_identity
from producer_agent.kafka.cluster_view import cluster_view
from producer_agent.kafka.our_headers import IDENTITY_HEADER, REPLAY_HEADER
from producer_agent.store import deliveries, runs
from producer_agent.store.clock import now_us
from producer_agent.store.deliveries import OutcomeBatch, UndeliveredEvent
from producer_agent.store.queries import run_claims
from producer_agent.store.queries.run_claims import RunRecord
from producer_agent.store.reader import Reader
from producer_agent.store.writer import Writer
from tests.waiting import wait_until

ENDED = "the test is over"


@dataclass
class Sent:
    """One run by hand on one topic.

    Args:
        connection: librdkafka properties that reach the cluster.
        writer: Of the database that gets the run.
        topic: It must be there.
        watermarks: Noted at its start; None: they could not be had.
        producer: Further settings of the client that sends.
    """

    connection: Mapping[str, Any]
    writer: Writer
    topic: str
    watermarks: Mapping[int, tuple[int, int]] | None = None
    profile: Mapping[str, Any] = field(default_factory=dict)
    run: uuid.UUID = field(default_factory=uuid.uuid4)

    def __post_init__(self) -> None:
        cluster_id = cluster_view(self.connection).cluster_id
        assert cluster_id is not None
        cluster = self.writer.call(
            partial(
                runs.register_cluster,
                cluster_id=cluster_id,
                kind="real",
                bootstrap_servers=str(self.connection["bootstrap.servers"]),
            )
        )
        self.row = self.writer.call(
            partial(
                runs.begin_run,
                uuid=self.run.hex,
                profile="shop",
                acks="all",
                body=json.dumps({"name": "shop", **self.profile}),
                cluster=cluster,
                topic=self.topic,
                watermarks=self.watermarks,
            )
        )
        self.producer = Producer({**self.connection, "linger.ms": 5})
        self.places: dict[int, tuple[int, int]] = {}
        """Where each event was put last."""

    def value(self, sequence: int) -> bytes:
        return b"value %d" % sequence

    def put(
        self,
        sequences: Sequence[int],
        *,
        partition: int = 0,
        value: bytes | None = None,
        replayed: bool = False,
        producer: Producer | None = None,
    ) -> None:
        """Put records on the topic, in this order, and nothing in the database."""
        client = producer or self.producer
        for sequence in sequences:
            headers: list[tuple[str, bytes]] = [
                (IDENTITY_HEADER, pack_identity(self.run.bytes, sequence, self.value(sequence)))
            ]
            if replayed:
                headers.append((REPLAY_HEADER, b"some-plan-7"))

            def told(error: Any, message: Any, sequence: int = sequence) -> None:
                assert error is None, error
                self.places[sequence] = (message.partition(), message.offset())

            while True:
                try:
                    client.produce(
                        self.topic,
                        self.value(sequence) if value is None else value,
                        key=b"key %d" % (sequence % 10),
                        partition=partition,
                        headers=headers,  # type: ignore[arg-type]
                        on_delivery=told,
                    )
                    break
                except BufferError:
                    client.poll(0.1)
        if producer is None:
            assert client.flush(30) == 0

    def claim(
        self,
        sequences: Sequence[int],
        outcome: str = "delivered",
        places: Mapping[int, tuple[int, int]] | None = None,
    ) -> None:
        """Say that these were delivered where they were put (or at ``places``)."""
        where = self.places if places is None else places
        flat = array("d")
        for sequence in sequences:
            partition, offset = where[sequence]
            flat.extend((sequence, now_us(), partition, offset, 0.002))
        self._record(OutcomeBatch(self.row.id, self.row.series, outcome, 0, flat), sequences)

    def claim_undelivered(
        self, sequences: Sequence[int], outcome: str = "failed", stored: str = "no"
    ) -> None:
        """Say that these were not."""
        batch = OutcomeBatch(self.row.id, self.row.series, "delivered", 0)
        batch.undelivered = [
            UndeliveredEvent(
                sequence=sequence,
                outcome=outcome,
                topic=self.topic,
                partition=0,
                code=-192,
                code_name="_MSG_TIMED_OUT",
                reason="Local: Message timed out",
                stored=stored,
                cause="_MSG_TIMED_OUT",
                sent_us=now_us(),
                settled_us=now_us(),
            )
            for sequence in sequences
        ]
        self._record(batch, sequences)

    def end(self, watermarks: Mapping[int, tuple[int, int]] | None = None) -> None:
        """End the run."""
        self.writer.call(
            partial(runs.end_run, run=self.row.id, reason=ENDED, watermarks=watermarks)
        )

    def record(self) -> RunRecord:
        """The run as an audit sees it."""
        reader = Reader(self.writer.path)
        wait_until(lambda: self.writer.backlog == 0, 10, "it is not written")
        (found,) = reader(partial(run_claims.runs_named, uuid=self.run.hex))
        return found

    def _record(self, batch: OutcomeBatch, sequences: Sequence[int]) -> None:
        if sequences:
            batch.accepted = max(sequences) + 1
            self.writer.call(partial(deliveries.record, batch=batch))
