"""The pacer is an open loop: what is due is due, however late it is asked for."""

from __future__ import annotations

import itertools

from hypothesis import given
from hypothesis import strategies as st

from producer_agent.delivery.pacer import MOST_PER_TICK, Pacer

rates = st.floats(0.5, 5_000)
steps = st.lists(st.floats(0.0, 0.3), min_size=1, max_size=60)


@given(rates, steps)
def test_all_that_fell_due_is_taken_once_whatever_the_ticks(
    rate: float, waits: list[float]
) -> None:
    pacer = Pacer(rate, 100.0)
    now, taken = 100.0, 0
    for wait in waits:
        now += wait
        taken += pacer.take(now).events

    assert abs(taken - int((now - 100.0) * rate)) <= 1


@given(rates, rates, st.floats(0.0, 5.0), st.floats(0.1, 5.0))
def test_a_new_rate_neither_forgets_what_was_due_nor_makes_up_more(
    before: float, after: float, first_s: float, second_s: float
) -> None:
    pacer = Pacer(before, 0.0)
    pacer.set_rate(after, first_s)
    due = first_s * before + second_s * after

    taken = 0
    while (tick := pacer.take(first_s + second_s)).events:
        taken += tick.events

    assert abs(taken - due) <= 1.01
    assert pacer.rate == after


def test_a_stall_is_caught_up_in_ticks_and_told_as_delay() -> None:
    pacer = Pacer(1_000.0, 0.0)

    tick = pacer.take(5.0)

    assert tick.events == MOST_PER_TICK
    delays = list(tick.delays_us())
    assert sum(events for _, events in delays) == tick.events
    assert delays[0][0] > 4.8e6
    assert all(later < earlier for (earlier, _), (later, _) in itertools.pairwise(delays))
    assert pacer.wait_s(5.0) == 0.0
    assert pacer.take(5.0).events == MOST_PER_TICK


def test_it_says_when_the_next_event_is_due() -> None:
    pacer = Pacer(10.0, 0.0)
    assert abs(pacer.wait_s(0.0) - 0.1) < 1e-9
    assert pacer.take(0.09).events == 0
    assert pacer.take(0.1001).events == 1
