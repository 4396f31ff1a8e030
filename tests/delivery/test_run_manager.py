"""The runs of an agent: one a profile, and a refusal says what to do."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest

from producer_agent.delivery.profiles import ProfileInvalid
from producer_agent.delivery.run import RunLimits
from producer_agent.delivery.run_manager import RunManager, RunRefused, require_usable
from producer_agent.kafka.embedded import EmbeddedCluster
from producer_agent.store.reader import Reader
from producer_agent.store.writer import Writer
from tests.recording import assert_one_outcome_each, profile, register_cluster, rows
from tests.waiting import wait_until


@pytest.fixture
def manager(shared_cluster: EmbeddedCluster, writer: Writer) -> Iterator[RunManager]:
    made = RunManager(
        shared_cluster.client_defaults,
        writer,
        register_cluster(writer),
        lambda _topic: None,
        lambda: None,
    )
    yield made
    made.stop_all("the test is over")


def test_a_profile_runs_once_at_a_time_and_again_after_a_stop(
    manager: RunManager, reader: Reader
) -> None:
    first = manager.start(profile(topic="manager-once"))
    with pytest.raises(RunRefused, match="Stop it first"):
        manager.start(profile(topic="manager-once"))
    manager.stop("orders", "stopped by ann")
    assert not manager.is_running("orders")
    second = manager.start(profile(topic="manager-once"))
    manager.stop("orders")

    assert first.uuid != second.uuid
    assert rows(reader, "SELECT end_reason FROM runs ORDER BY id") == [
        "stopped by ann",
        "stopped",
    ]


def test_two_presses_of_start_at_once_make_one_run(manager: RunManager, reader: Reader) -> None:
    refused: list[str] = []

    def press() -> None:
        try:
            manager.start(profile(topic="manager-twice"))
        except RunRefused as error:
            refused.append(str(error))

    threads = [threading.Thread(target=press) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(refused) == 3
    assert rows(reader, "SELECT count(*) FROM runs") == [1]


def test_what_does_not_run_cannot_be_stopped_or_slowed(manager: RunManager) -> None:
    with pytest.raises(RunRefused, match="is not running"):
        manager.stop("orders")
    with pytest.raises(RunRefused, match="is not running"):
        manager.set_rate("orders", 5)


def test_a_profile_that_contradicts_itself_is_refused_before_anything_is_recorded(
    manager: RunManager, reader: Reader
) -> None:
    wrong = profile(acks=1, idempotence=True)
    with pytest.raises(ProfileInvalid):
        require_usable(wrong)
    with pytest.raises(ProfileInvalid):
        manager.start(wrong)
    assert rows(reader, "SELECT count(*) FROM runs") == [0]


def test_the_rate_can_be_changed_while_it_runs(manager: RunManager) -> None:
    run = manager.start(profile(topic="manager-rate", workload={"rate_per_s": 1}))
    manager.set_rate("orders", 500)
    wait_until(lambda: run.status().accepted > 100, 5, "the new rate did not take effect")
    (status,) = manager.statuses()
    assert (status.rate, status.profile, status.topic) == (500, "orders", "manager-rate")


def test_the_fault_too_large_is_acted_out_on_its_topic_only(
    manager: RunManager, reader: Reader
) -> None:
    manager.start(profile("a", "manager-a"))
    manager.start(profile("b", "manager-b"))
    manager.set_oversize(frozenset({"manager-a"}))
    wait_until(
        lambda: rows(reader, "SELECT count(*) FROM undelivered")[0] > 20, 8, "nothing was rejected"
    )
    manager.set_oversize(frozenset())
    manager.stop_all("done")

    assert set(rows(reader, "SELECT DISTINCT topic || code_name FROM undelivered")) == {
        "manager-aMSG_SIZE_TOO_LARGE"
    }


def test_stopping_all_settles_all(manager: RunManager, reader: Reader) -> None:
    runs = [
        manager.start(profile(name, f"manager-{name}"), limits=RunLimits(seconds=30))
        for name in ("x", "y", "z")
    ]
    wait_until(lambda: all(run.status().accepted > 20 for run in runs), 5, "not all send")
    manager.stop_all("the agent was stopped")

    assert manager.statuses() == []
    for run in runs:
        assert set(assert_one_outcome_each(reader, run.uuid.hex)) == {"delivered"}
