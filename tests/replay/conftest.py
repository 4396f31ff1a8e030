"""A board whose plans go to topics that are there in name only."""

from __future__ import annotations

import pytest

from producer_agent.kafka.embedded import EmbeddedCluster
from producer_agent.replay import produced_batch, runner
from producer_agent.store.reader import Reader
from producer_agent.store.writer import Writer
from tests.replay.room import TOPIC, Board, EmbeddedTarget, FakeCluster


@pytest.fixture
def fake_cluster() -> FakeCluster:
    return FakeCluster()


@pytest.fixture
def board(writer: Writer, reader: Reader, fake_cluster: FakeCluster) -> Board:
    return Board(writer, reader, fake_cluster)


@pytest.fixture
def embedded(own_cluster: EmbeddedCluster) -> EmbeddedCluster:
    """An embedded cluster with the topic that letters come from."""
    own_cluster.create_topic(TOPIC, 3)
    return own_cluster


@pytest.fixture
def live(writer: Writer, reader: Reader, embedded: EmbeddedCluster) -> Board:
    """A board whose plans go to an embedded cluster."""
    return Board(writer, reader, EmbeddedTarget(embedded))


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Time-outs of a second or two, so that a test of an outage need not last a minute."""
    monkeypatch.setattr(produced_batch, "DELIVERY_TIMEOUT_MS", 1_500)
    monkeypatch.setattr(produced_batch, "FLUSH_S", 3.0)
    monkeypatch.setattr(runner, "FIRST_BACKOFF_S", 0.05)
    monkeypatch.setattr(runner, "LONGEST_BACKOFF_S", 0.2)
