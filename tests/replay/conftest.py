"""A board whose plans go to topics that are there in name only."""

from __future__ import annotations

import pytest

from producer_agent.store.reader import Reader
from producer_agent.store.writer import Writer
from tests.replay.room import Board, FakeCluster


@pytest.fixture
def fake_cluster() -> FakeCluster:
    return FakeCluster()


@pytest.fixture
def board(writer: Writer, reader: Reader, fake_cluster: FakeCluster) -> Board:
    return Board(writer, reader, fake_cluster)
