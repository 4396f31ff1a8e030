"""A reliable producer on the embedded cluster, and Ackboard's database as the agent makes it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from producer_agent.kafka.embedded import EmbeddedCluster
from producer_agent.reliable import ReliableProducer
from producer_agent.store.database import open_database
from producer_agent.store.reader import Reader

MakeProducer = Callable[..., ReliableProducer]

QUIET = {"log_level": 0, "linger.ms": 0}


@pytest.fixture
def database(db_path: Path) -> Path:
    """The file, made and let go again."""
    open_database(db_path).close()
    return db_path


@pytest.fixture
def read(database: Path) -> Reader:
    """A reader of it."""
    return Reader(database)


@pytest.fixture
def make_producer(own_cluster: EmbeddedCluster) -> Iterator[MakeProducer]:
    """Makes producers on the cluster; those still open at the end are closed."""
    made: list[ReliableProducer] = []

    def make(database: Path | None = None, **arguments: Any) -> ReliableProducer:
        properties = {**own_cluster.client_defaults, **QUIET, **arguments.pop("config", {})}
        producer = ReliableProducer(
            properties, database=database, **{"name": "checkout", **arguments}
        )
        made.append(producer)
        return producer

    yield make
    for producer in made:
        producer.close(5)
