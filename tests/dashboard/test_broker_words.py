"""Brokers in words: who stands out and by how much, and what is nobody's."""

from __future__ import annotations

from typing import Any

from dashboard.latency import broker_words
from producer_agent.store.leader_timeline import CHANGED, NOT_KNOWN
from producer_agent.store.queries.broker_rollups import BrokerSummary, StandsOut


def summary(broker: int, median_us: float | None = 5_000.0) -> BrokerSummary:
    figures: dict[str, Any] = {"p99_history_us": (), "failed_history": ()}
    return BrokerSummary(broker, 10, 0, 0, (median_us, None, None, None, None), **figures)


def test_the_answer_says_by_what_and_by_how_much_a_broker_stands_out() -> None:
    found = [summary(1), summary(2)]
    slow = StandsOut(2, "critical", "median", 41_000.0, 5_000.0)
    failing = StandsOut(2, "a*b", "failed", 0.0321, 0.0001)
    assert broker_words.answer(found, [slow], "1 h") == (
        "**Broker 2 stands out: its median is 41.0 ms, 8.2 times that of the others** (5.00 ms), "
        "under profile `critical`."
    )
    both = broker_words.answer(found, [failing, slow], "1 h")
    assert both.startswith(
        "**Broker 2 stands out: 3.21 % (1 in 31) of its events failed** under profile `a*b`, "
        "0.01 % on the others. **And its median is 41.0 ms"
    )
    all_failed = StandsOut(3, "critical", "failed", 1.0, 0.0)
    said = broker_words.answer([*found, summary(3)], [slow, all_failed], "1 h")
    assert "**Broker 3 stands out: all of its events failed** under" in said
    assert "none elsewhere." in said


def test_without_one_that_stands_out_the_answer_says_what_was_compared() -> None:
    assert broker_words.answer([summary(1), summary(2, 5_500.0)], [], "1 h") == (
        "In the last 1 h **no broker stood out** of 2: the median of each is within 5.00 ms to "
        "5.50 ms."
    )
    assert "there is none to compare it with" in broker_words.answer([summary(1)], [], "1 h")
    assert broker_words.answer([summary(NOT_KNOWN)], [], "1 h") == (
        "**No event was put down to a broker in the last 1 h.**"
    )


def test_what_is_nobodys_is_explained_where_it_is_there() -> None:
    assert broker_words.legend([summary(1)]) == ""
    said = broker_words.legend([summary(1), summary(CHANGED), summary(NOT_KNOWN)])
    assert said.startswith("*leader changed meanwhile*: another broker took over")
    assert "*leader not known*: nobody watched" in said
