"""One broker of three is slow, and shows; one is stopped, and the canary follows."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from producer_agent.commands import Command
from producer_agent.delivery.shipped_profiles import shipped_profiles
from producer_agent.kafka.lab import Lab
from producer_agent.store import facts
from producer_agent.store.clock import now_us
from producer_agent.store.queries import broker_rollups
from producer_agent.store.queries.windows import window_to
from producer_agent.store.reader import Reader
from tests.integration.agent_process import AgentProcess
from tests.waiting import wait_until

pytestmark = pytest.mark.real_kafka

[CANARY] = [profile for profile in shipped_profiles() if profile.name == "canary"]
TOPIC = CANARY.workload.topic


class Board:
    """What an agent on the lab says of its canary."""

    def __init__(self, agent: AgentProcess) -> None:
        self.agent = agent
        self._read = Reader(agent.db)

    def fact(self) -> dict[str, Any]:
        found = self._read(lambda db: facts.get(db, "cluster"))
        assert found is not None
        body: dict[str, Any] = found.body
        return body

    def leaders(self) -> list[int | None]:
        """Of the canary's partitions, in order."""
        return [
            partition["leader"]
            for topic in self.fact()["topics"]
            if topic["name"] == TOPIC
            for partition in topic["partitions"]
        ]

    def delivered(self) -> dict[int, int]:
        window = window_to(now_us(), 300)
        found = self._read(lambda db: broker_rollups.by_broker(db, window, "1"))
        return {one.broker: one.delivered for one in found}

    def standing_out(self) -> set[int]:
        window = window_to(now_us(), 300)
        found = self._read(lambda db: broker_rollups.standing_out(db, window, "1"))
        return {one.broker for one in found}

    def wait_each_leads_one(self) -> None:
        wait_until(
            lambda: sorted(led or 0 for led in self.leaders()) == [1, 2, 3],
            40,
            "not every broker leads a partition",
        )


LOOKOUT = {
    **json.loads(CANARY.to_json()),
    "name": "lookout",
    "producer": {"acks": 1, "delivery_timeout_ms": 5_000, "request_timeout_ms": 2_000},
}
"""The canary with acks=1: where every replica has to confirm, one slow broker slows all."""
LOOKOUT["workload"] = {**LOOKOUT["workload"], "topic": "lookout", "min_insync_replicas": 1}


@pytest.fixture
def board(breakable_lab: Lab, tmp_path: Path) -> Iterator[Board]:
    with AgentProcess(breakable_lab, tmp_path / "board.db") as agent:
        agent.ask(Command.PROFILE_SAVE, {"body": json.dumps(LOOKOUT)})
        agent.ask(Command.RUN_START, {"profile": "lookout", "rate": 60})
        agent.ask(Command.RUN_START, {"profile": "canary"})
        yield Board(agent)


def test_a_broker_that_is_slow_stands_out_and_one_that_is_stopped_is_followed(
    board: Board, breakable_lab: Lab
) -> None:
    board.wait_each_leads_one()
    wait_until(
        lambda: min(board.delivered().get(broker, 0) for broker in (1, 2, 3)) >= 100,
        60,
        "not every broker got its part",
    )
    assert 2 not in board.standing_out()

    def slow_down_and_look() -> bool:
        # Never long enough for it to lose its partitions (broker.session.timeout.ms).
        breakable_lab.pause(2)
        time.sleep(0.5)
        breakable_lab.resume(2)
        time.sleep(0.3)
        return 2 in board.standing_out()

    wait_until(slow_down_and_look, 60, "the slow broker does not stand out")
    assert board.standing_out() == {2}

    breakable_lab.stop(3)
    wait_until(lambda: 3 not in board.leaders(), 40, "the stopped broker leads on")
    wait_until(
        lambda: any(
            problem["topic"] == TOPIC and "is there for broker 3" in problem["message"]
            for problem in board.fact()["problems"]
        ),
        20,
        "nobody says that its broker is gone",
    )
    breakable_lab.start(3)
    board.wait_each_leads_one()
    began = board.delivered()[3]
    wait_until(lambda: board.delivered()[3] > began + 30, 40, "nothing is sent to it again")
    assert board.fact()["problems"] == []
