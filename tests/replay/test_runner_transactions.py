"""What the runner makes of a transactional sender's answers, by a cluster that can be told what to
answer. That real brokers answer so is tested in ``tests/integration``."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

import pytest

from producer_agent.kafka.embedded import EmbeddedCluster
from producer_agent.kafka.our_headers import REPLAY_HEADER
from producer_agent.replay import runner
from producer_agent.replay.recovery import LOST_TRACE
from producer_agent.replay.sender import BatchTooLarge, Interrupted, NotAllowed, Outgoing, Sent
from producer_agent.store.reader import Reader
from producer_agent.store.writer import Writer
from tests.replay.room import Board, EmbeddedTarget, original
from tests.waiting import wait_until

pytestmark = pytest.mark.usefixtures("quick")

N = 300


class Broker:
    """What transactions left behind, and what is wrong with the cluster."""

    def __init__(self) -> None:
        self.batches: dict[int, list[Outgoing]] = {}
        """Committed ones, by number."""
        self.is_bad: Callable[[Outgoing], bool] = lambda _: False
        self.most = 10**9
        """Records that one produce request may take."""
        self.before_commit: list[Exception] = []
        self.after_commit: list[Exception] = []
        self.at_start: list[Exception] = []

    @property
    def landed(self) -> Counter[str]:
        """How often each record landed, by its sequence."""
        return Counter(
            _sequence(record) for number in sorted(self.batches) for record in self.batches[number]
        )

    def takes(self, records: Sequence[Outgoing]) -> bool:
        return len(records) <= self.most and not any(map(self.is_bad, records))


class FakeSender:
    """A ``Sender`` on a :class:`Broker`."""

    def __init__(self, broker: Broker) -> None:
        self._broker = broker
        self._under_way: tuple[int, Sequence[Outgoing]] | None = None

    def committed_batches(self) -> int | None:
        if self._broker.at_start:
            raise self._broker.at_start.pop(0)
        return max(self._broker.batches) + 1 if self._broker.batches else None

    def begin(self, number: int, records: Sequence[Outgoing]) -> None:
        assert number not in self._broker.batches, "a batch's number was used twice"
        assert records
        self._under_way = (number, records)

    def finish(self) -> Sent:
        assert self._under_way is not None
        number, records = self._under_way
        if not self._broker.takes(records):
            guilty = [at for at, record in enumerate(records) if self._broker.is_bad(record)]
            if not guilty:
                raise BatchTooLarge("smaller ones follow")
            return Sent(refused=dict.fromkeys(guilty, "MSG_SIZE_TOO_LARGE: too large"))
        if self._broker.before_commit:
            raise self._broker.before_commit.pop(0)
        self._broker.batches[number] = list(records)
        if self._broker.after_commit:
            raise self._broker.after_commit.pop(0)
        return Sent(landed={at: (0, number * 10_000 + at) for at in range(len(records))})

    def close(self) -> None:
        pass


@pytest.fixture
def broker(monkeypatch: pytest.MonkeyPatch) -> Broker:
    made = Broker()
    monkeypatch.setattr(runner, "TransactionalSender", lambda *_: FakeSender(made))
    monkeypatch.setattr("producer_agent.replay.pacing.BATCH_RECORDS", 50)
    return made


@pytest.fixture
def real(writer: Writer, reader: Reader, embedded: EmbeddedCluster) -> Board:
    """A board on a cluster that keeps transactions."""
    return Board(writer, reader, EmbeddedTarget(embedded, keeps_transactions=True))


def _sequence(record: Outgoing) -> str:
    value = dict(record.headers)[REPLAY_HEADER]
    assert isinstance(value, bytes)
    return value.decode().split("-")[1]


def run(board: Board, *states: str, **options: Any) -> int:
    """Plan 300 records and run the plan until it is in one of the states (done)."""
    plan = board.make(board.store(*(original(at) for at in range(N))), **options)
    with board.manager() as manager:
        manager.run(plan)
        board.wait_for(plan, *(states or ("done",)))
    return plan


def once_each(*left_out: int) -> dict[str, int]:
    return {str(at): 1 for at in range(N) if at not in left_out}


def test_a_plan_is_sent_in_batches_each_with_a_number_of_its_own(
    real: Board, broker: Broker
) -> None:
    plan = run(real)
    assert real.plan(plan).row.method == "transactions"
    assert sorted(broker.batches) == list(range(6))
    assert broker.landed == once_each()
    assert [record.offset for record in real.records(plan)][49:52] == [49, 10_000, 10_001]


@pytest.mark.parametrize("bad", [{0}, {299}, {17, 18, 120}, set(range(50, 100))])
def test_records_that_the_cluster_refuses_are_found_and_their_mates_land_once(
    real: Board, broker: Broker, bad: set[int]
) -> None:
    broker.is_bad = lambda record: int(_sequence(record)) in bad
    plan = run(real)
    assert broker.landed == once_each(*bad)
    assert real.states(plan) == ["failed" if at in bad else "done" for at in range(N)]
    failed = [record for record in real.records(plan) if record.state == "failed"]
    assert {record.reason for record in failed} == {"MSG_SIZE_TOO_LARGE: too large"}
    assert real.statuses() == ["new" if at in bad else "replayed" for at in range(N)]


def test_records_that_are_too_large_only_together_are_sent_in_smaller_batches(
    real: Board, broker: Broker
) -> None:
    broker.most = 20
    plan = run(real)
    assert broker.landed == once_each()
    assert set(real.states(plan)) == {"done"}
    assert max(map(len, broker.batches.values())) <= 20


def test_a_batch_whose_commit_was_never_answered_is_not_sent_again(
    real: Board, broker: Broker
) -> None:
    """The group's number says that it landed, though the target no longer holds it."""
    broker.after_commit = [Interrupted("no answer")]
    plan = run(real)
    assert broker.landed == once_each()
    reasons = [record.reason for record in real.records(plan)]
    assert reasons == [LOST_TRACE] * 50 + [None] * 250


def test_a_batch_that_was_void_is_sent_again(real: Board, broker: Broker) -> None:
    broker.before_commit = [Interrupted("fenced"), Interrupted("fenced again")]
    plan = run(real)
    assert broker.landed == once_each()
    assert set(real.states(plan)) == {"done"}


@pytest.mark.parametrize("where", ["at_start", "before_commit"])
def test_without_the_right_it_stops_with_the_mend_and_goes_on_when_that_was_granted(
    real: Board, broker: Broker, where: str
) -> None:
    getattr(broker, where).append(NotAllowed("Grant WRITE on the transactional id x"))
    plan = run(real, "stopped")
    assert real.plan(plan).row.reason == "Grant WRITE on the transactional id x"
    assert not broker.batches
    with real.manager() as manager:
        manager.run(plan)
        real.wait_for(plan, "done")
    assert broker.landed == once_each()


def test_an_error_that_nobody_foresaw_stops_the_plan_and_loses_nothing(
    real: Board, broker: Broker
) -> None:
    broker.after_commit = [RuntimeError("a bug")]
    plan = run(real, "stopped")
    assert "RuntimeError: a bug" in (real.plan(plan).row.reason or "")
    with real.manager() as manager:
        manager.run(plan)
        real.wait_for(plan, "done")
    assert broker.landed == once_each()


def test_a_ramp_goes_in_steps_of_their_own_batches(real: Board, broker: Broker) -> None:
    run(real, ramp=[1, 10], ramp_wait_s=0)
    assert [len(broker.batches[number]) for number in sorted(broker.batches)][:3] == [1, 10, 50]


def test_one_that_came_back_during_the_first_step_keeps_the_rest_from_being_sent(
    real: Board, broker: Broker
) -> None:
    plan = real.make(
        real.store(*(original(at) for at in range(N))), ramp=[2], ramp_wait_s=600, stop_share=0.5
    )
    with real.manager() as manager:
        manager.run(plan)
        wait_until(lambda: real.plan(plan).counts.done == 2, 10, "the first step was not sent")
        real.come_back(plan, 0)
        real.wait_for(plan, "stopped")
    assert broker.landed == {"0": 1, "1": 1}
    assert real.states(plan)[2:] == ["planned"] * (N - 2)
