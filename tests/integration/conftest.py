"""One lab for all integration tests: three nodes take ten seconds to start."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from producer_agent.kafka.lab import Lab
from producer_agent.kafka.lab.processes import identify


@pytest.fixture(scope="session")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """A running lab on free ports. A test that breaks a node asks for `breakable_lab`."""
    home: Path = tmp_path_factory.mktemp("lab")
    with Lab(home) as running:
        yield running
        pids = [node.pid for node in running.status().nodes if node.pid is not None]
    assert [node.state for node in running.status().nodes] == ["stopped"] * 3
    assert [identify(pid) for pid in pids] == [None] * len(pids)


@pytest.fixture
def breakable_lab(lab: Lab) -> Iterator[Lab]:
    """The lab, mended again after the test."""
    try:
        yield lab
    finally:
        lab.restore()
