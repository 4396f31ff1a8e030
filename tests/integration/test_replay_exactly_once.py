"""A replay plan on real nodes lands each record exactly once, however often its agent is killed."""

from __future__ import annotations

import random
import time
import uuid
from collections import Counter, defaultdict
from pathlib import Path
from typing import Any

import pytest

from producer_agent.commands import Command
from producer_agent.kafka.lab import Lab
from producer_agent.kafka.messages import headers_of
from producer_agent.kafka.our_headers import REPLAY_HEADER
from producer_agent.kafka.read_back import ReadBack
from producer_agent.kafka.topics import TopicSpec, ensure_topics
from tests.integration.agent_process import AgentProcess
from tests.integration.dead_letter_seed import connect_record, seed
from tests.integration.support import client_config
from tests.waiting import wait_until

pytestmark = pytest.mark.real_kafka

PARTITIONS = 3

Places = dict[str, list[tuple[int, int, bytes]]]


@pytest.fixture
def target(lab: Lab) -> str:
    """A topic of the test's own."""
    name = f"orders-{uuid.uuid4().hex[:8]}"
    assert ensure_topics(client_config(lab), [TopicSpec(name, PARTITIONS, 3, 2)], 30.0) == []
    return name


def on_target(lab: Lab, topic: str) -> Places:
    """``{replay id: places and values}`` of what read_committed readers find on the topic."""
    found: Places = defaultdict(list)
    with ReadBack(client_config(lab)) as read_back:
        for lot in read_back.read(topic, read_back.watermarks(topic, range(PARTITIONS))):
            for message in lot:
                replay_id = (dict(headers_of(message))[REPLAY_HEADER] or b"").decode()
                partition, offset, value = message.partition(), message.offset(), message.value()
                assert partition is not None
                assert offset is not None
                assert isinstance(value, bytes)
                found[replay_id].append((partition, offset, value))
    return found


def state_of(agent: AgentProcess, plan: int) -> dict[str, Any]:
    return agent.query("SELECT * FROM replay_plans WHERE id = ?", [plan])[0]


def wait_for(agent: AgentProcess, plan: int, *states: str, timeout_s: float = 60) -> None:
    try:
        wait_until(
            lambda: state_of(agent, plan)["state"] in states, timeout_s, f"it is not {states}"
        )
    except AssertionError as error:
        raise AssertionError(f"{error}: {state_of(agent, plan)}") from error


def assert_ledger_agrees(agent: AgentProcess, plan: int, found: Places, records: int) -> None:
    """Each record once, where the ledger says; and nothing that the ledger does not know."""
    uuid_of = state_of(agent, plan)["uuid"]
    ledger = agent.query("SELECT * FROM replays WHERE plan = ? ORDER BY sequence", [plan])
    # Counted, for pytest takes minutes to tell two lists of this length apart.
    assert Counter(row["state"] for row in ledger) == {"done": records}
    more_than_once = {replay_id for replay_id, places in found.items() if len(places) != 1}
    assert not more_than_once
    assert not found.keys() ^ {f"{uuid_of}-{row['sequence']}" for row in ledger}
    for row in ledger:
        ((partition, offset, _),) = found[f"{uuid_of}-{row['sequence']}"]
        assert (row["partition"], row["offset"]) == (partition, offset)
    statuses = agent.query("SELECT status, count(*) AS n FROM dead_letters GROUP BY status")
    assert statuses == [{"status": "replayed", "n": records}]


@pytest.mark.timeout(420)
@pytest.mark.parametrize(("method", "kills"), [("transactions", 20), ("ledger", 3)])
def test_kills_at_random_moments_lose_nothing_and_double_nothing(
    lab: Lab, tmp_path: Path, target: str, method: str, kills: int
) -> None:
    """SIGKILL in a 20,000-record plan: half of the times while it starts and recovers, half of
    the times while it sends."""
    records = 20_000
    db = tmp_path / "replay.db"
    seed(lab, db, [connect_record(at, target, PARTITIONS) for at in range(records)])
    moments = random.Random(uuid.uuid4().int)
    seen: list[int] = []
    agent = AgentProcess(lab, db)
    with agent:
        options = {"rate_per_s": 2_000, "exactly_once": method}
        plan = agent.ask(Command.REPLAY_PLAN, {"filter": {}, "options": options})["plan"]
        wait_for(agent, plan, "planned")
        agent.ask(Command.REPLAY_RUN, {"plan": plan})
        for kill in range(kills):
            if kill % 2:
                time.sleep(moments.uniform(0.0, 2.5))  # a moment of chance is what is tested
            else:
                before = _done(agent, plan)
                wait_until(lambda before=before: _done(agent, plan) > before, 60, "it is stuck")
                time.sleep(moments.uniform(0.0, 0.7))
            seen.append(_done(agent, plan))
            agent.kill()
            agent.start()
        wait_for(agent, plan, "done", timeout_s=120)
        found = on_target(lab, target)
        assert_ledger_agrees(agent, plan, found, records)
        _assert_order_per_key(found)
    midway = {done for done in seen if 0 < done < records}
    assert len(midway) >= kills // 3, f"most kills hit nothing: {seen}"


def _done(agent: AgentProcess, plan: int) -> int:
    rows = agent.query(
        "SELECT count(*) AS n FROM replays WHERE plan = ? AND state = 'done'", [plan]
    )
    return int(rows[0]["n"])


def _assert_order_per_key(found: Places) -> None:
    """Records went back to the partition they came from, in the order that they had there."""
    by_partition: dict[int, list[tuple[int, int]]] = defaultdict(list)
    for places in found.values():
        for partition, offset, value in places:
            by_partition[partition].append((offset, int(value.split()[1])))
    for partition, landed in by_partition.items():
        numbers = [number for _, number in sorted(landed)]
        assert numbers == sorted(numbers)
        assert {number % PARTITIONS for number in numbers} == {partition}
