"""How fast a plan goes, by a clock of the test's own."""

from __future__ import annotations

import threading
from collections.abc import Callable
from types import SimpleNamespace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from producer_agent.replay import pacing as module
from producer_agent.replay.options import PlanOptions
from producer_agent.replay.pacing import BATCH_RECORDS, Pacing

FREE = 1e-9
"""Seconds that rounding may take away."""


class Clock:
    """Time passes only while somebody waits."""

    def __init__(self) -> None:
        self.now_s = 1_000.0

    def monotonic(self) -> float:
        return self.now_s


class Halt(threading.Event):
    """Waiting for it takes no time, and moves the clock on."""

    def __init__(self, clock: Clock) -> None:
        super().__init__()
        self._clock = clock

    def wait(self, timeout: float | None = None) -> bool:
        if not self.is_set():
            assert timeout is not None
            assert timeout > 0
            self._clock.now_s += timeout
        return self.is_set()


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    made = Clock()
    monkeypatch.setattr(module, "time", SimpleNamespace(monotonic=made.monotonic))
    return made


def nothing_back() -> int:
    return 0


def tell_nobody(_: str | None) -> None:
    pass


def make(
    clock: Clock,
    sent: int = 0,
    back: int = 0,
    judged_from: tuple[int, int] = (0, 0),
    halt: Halt | None = None,
    **options: object,
) -> Pacing:
    return Pacing(PlanOptions.read(options), sent, back, judged_from, halt or Halt(clock))


def waited(clock: Clock, pacing: Pacing, records: int, back: Callable[[], int]) -> float:
    before_s = clock.now_s
    pacing.wait(records, back, tell_nobody)
    return clock.now_s - before_s


def test_without_rate_and_ramp_nothing_is_held_back(clock: Clock) -> None:
    pacing = make(clock)
    assert pacing.is_free
    assert pacing.next_batch() == BATCH_RECORDS
    assert waited(clock, pacing, BATCH_RECORDS, nothing_back) == 0


def test_a_ramp_sends_its_steps_and_watches_each_for_the_time_it_was_told(clock: Clock) -> None:
    pacing = make(clock, ramp=[1, 10], ramp_wait_s=8)
    steps, waits = [], []
    for _ in range(3):
        records = pacing.next_batch()
        waits.append(waited(clock, pacing, records, nothing_back))
        steps.append(records)
        pacing.sent(records, 0)
    assert steps == [1, 10, BATCH_RECORDS]
    assert waits == pytest.approx([0, 8, 8])
    assert pacing.is_free


def test_a_step_that_is_sent_in_parts_is_watched_when_it_is_whole(clock: Clock) -> None:
    pacing = make(clock, ramp=[10], ramp_wait_s=8)
    pacing.sent(4, 0)
    assert waited(clock, pacing, 6, nothing_back) == 0
    assert pacing.next_batch() == 6
    pacing.sent(6, 0)
    assert waited(clock, pacing, 1, nothing_back) == pytest.approx(8)


def test_a_plan_that_goes_on_does_not_ramp_up_what_it_ramped_up_before(clock: Clock) -> None:
    assert make(clock, sent=11, ramp=[1, 10]).is_free
    assert make(clock, sent=3, ramp=[1, 10]).next_batch() == 8


def test_watching_a_step_ends_as_soon_as_too_many_came_back(clock: Clock) -> None:
    pacing = make(clock, ramp=[10], ramp_wait_s=600, stop_share=0.5)
    pacing.sent(10, 0)
    arrivals = iter([0, 4, 5])
    assert waited(clock, pacing, 1, lambda: next(arrivals)) < 1
    reason = pacing.stop_reason()
    assert reason is not None
    assert reason.startswith("5 of 10 records came back")
    assert "50%" in reason


def test_a_plan_told_to_go_on_is_judged_by_what_comes_from_then_on(clock: Clock) -> None:
    """Else one that stopped by itself could never go on."""
    pacing = make(clock, sent=100, back=90, judged_from=(100, 90), stop_share=0.2)
    assert pacing.stop_reason() is None
    pacing.sent(10, 91)
    assert pacing.stop_reason() is None
    pacing.sent(0, 92)
    assert (pacing.stop_reason() or "").startswith("2 of 10 records")


def test_a_plan_that_an_agents_end_cut_off_is_judged_by_all_it_sent(clock: Clock) -> None:
    assert make(clock, sent=10, back=2, stop_share=0.2).stop_reason() is not None


def test_without_a_share_nothing_stops_it(clock: Clock) -> None:
    pacing = make(clock, stop_share=None)
    pacing.sent(10, 10)
    assert pacing.stop_reason() is None


def test_what_comes_back_at_the_very_end_is_counted_too(clock: Clock) -> None:
    pacing = make(clock)
    pacing.sent(10, 0)
    pacing.finish(lambda: 2)
    assert pacing.stop_reason() is not None
    assert pacing.words() == "10 sent, 2 came back"


def test_halt_ends_a_wait_at_once(clock: Clock) -> None:
    halt = Halt(clock)
    pacing = make(clock, halt=halt, rate_per_s=1, ramp=[1], ramp_wait_s=600)
    pacing.sent(1, 0)
    halt.set()
    assert waited(clock, pacing, 1, nothing_back) == 0


def test_who_watches_is_told_what_is_waited_for(clock: Clock) -> None:
    pacing = make(clock, ramp=[1], ramp_wait_s=2)
    pacing.sent(1, 0)
    told: list[str | None] = []
    pacing.wait(1, nothing_back, told.append)
    assert told[0] == "1 sent; watching 2 s for records that come back"


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    rate=st.floats(0.5, 10_000),
    stalls=st.lists(st.floats(0, 30), min_size=5, max_size=40),
)
def test_a_rate_is_kept_and_lost_time_is_never_made_up_by_a_burst(
    clock: Clock, rate: float, stalls: list[float]
) -> None:
    """Whatever the cluster's pauses, no second has more than the rate's worth, one batch, and the
    half second that may be caught up on; and without pauses the rate is reached."""
    pacing = make(clock, rate_per_s=rate)
    sent: list[tuple[float, int]] = []
    for stall_s in [0.0, *stalls]:
        records = pacing.next_batch()
        assert 1 <= records <= max(1, rate / 2)
        pacing.wait(records, nothing_back, tell_nobody)
        sent.append((clock.now_s, records))
        pacing.sent(records, 0)
        clock.now_s += stall_s
    batch = max(1.0, rate / 2)
    for began_s, _ in sent:
        in_a_second = sum(n for at_s, n in sent if began_s <= at_s < began_s + 1)
        assert in_a_second <= rate * 1.5 + batch + rate * FREE


def test_an_undisturbed_rate_is_reached(clock: Clock) -> None:
    pacing = make(clock, rate_per_s=100)
    began_s, total = clock.now_s, 0
    for _ in range(40):
        records = pacing.next_batch()
        pacing.wait(records, nothing_back, tell_nobody)
        total += records
    assert total / (clock.now_s - began_s) == pytest.approx(100, rel=0.05)
