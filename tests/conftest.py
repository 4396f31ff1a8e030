"""What tests of every room share: clusters, a writer on a database of its own, a reader of it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from producer_agent.kafka.embedded import EmbeddedCluster
from producer_agent.store.reader import Reader
from producer_agent.store.writer import Writer


@pytest.fixture(scope="session")
def shared_cluster() -> Iterator[EmbeddedCluster]:
    """One cluster for tests that touch topics of their own only, and break nothing else."""
    running = EmbeddedCluster()
    yield running
    running.leave_to_exit()


@pytest.fixture
def own_cluster() -> Iterator[EmbeddedCluster]:
    """A cluster that the test may break."""
    with EmbeddedCluster() as running:
        yield running


@pytest.fixture
def db_path(tmp_path: Path) -> Path:
    """Where the test's database is, or will be."""
    return tmp_path / "ackboard.db"


@pytest.fixture
def writer(db_path: Path) -> Iterator[Writer]:
    """A writer on a new database."""
    with Writer(db_path) as running:
        yield running


@pytest.fixture
def reader(writer: Writer) -> Reader:
    """A reader beside the writer."""
    return Reader(writer.path)
