"""Dead letters of a consumer's, stored as the consumer of dead letters stores them."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path

from producer_agent.dead_letters.conventions import RawRecord, decode
from producer_agent.dead_letters.letters import letter_of
from producer_agent.kafka.cluster_view import cluster_view
from producer_agent.kafka.lab import Lab
from producer_agent.store import dead_letters, runs
from producer_agent.store.writer import Writer
from tests.integration.support import client_config

SOURCE = "sink-dead-letters"


def connect_record(
    at: int, topic: str, partitions: int, value: bytes | None = None, keys: int = 100
) -> RawRecord:
    """Record ``at`` of a Kafka Connect dead-letter topic, of an original on ``topic``."""
    context = {
        "topic": topic,
        "partition": str(at % partitions),
        "offset": str(at // partitions),
        "connector.name": "orders-sink",
        "task.id": "0",
        "stage": "TASK_PUT",
        "class.name": "com.acme.OrdersSink",
        "exception.class.name": "org.apache.kafka.connect.errors.DataException",
        "exception.message": f"order {at} has no customer",
    }
    headers = [("tenant", b"acme"), ("empty", None)]
    headers += [(f"__connect.errors.{name}", text.encode()) for name, text in context.items()]
    return RawRecord(
        SOURCE,
        0,
        at,
        1_700_000_000_000 + at,
        b"key-%d" % (at % keys),
        b"value %d" % at if value is None else value,
        tuple(headers),
    )


def seed(lab: Lab, db: Path, records: Sequence[RawRecord]) -> None:
    """Store these records as dead letters read from the lab."""
    cluster_id = cluster_view(client_config(lab)).cluster_id
    assert cluster_id is not None
    with Writer(db) as writer:
        cluster = writer.call(
            partial(
                runs.register_cluster,
                cluster_id=cluster_id,
                kind="lab",
                bootstrap_servers=lab.bootstrap_servers,
            )
        )
        for start in range(0, len(records), 2_000):
            letters = [
                letter_of(record, "", decode(record)) for record in records[start : start + 2_000]
            ]
            writer.call(partial(dead_letters.insert, cluster=cluster, letters=letters))
