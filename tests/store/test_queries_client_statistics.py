"""Where the time went is read from samples of a short window, and from sums of a long one."""

from __future__ import annotations

from functools import partial

import pytest

from producer_agent.store import client_statistics
from producer_agent.store.queries.client_statistics import (
    FINE_UP_TO_S,
    seen_of_profile,
    stage_splits,
)
from producer_agent.store.queries.windows import Window
from producer_agent.store.reader import Reader
from producer_agent.store.writer import Writer
from tests.client_samples import broker, sample, spread
from tests.recording import begin_run

END_S = 1_800_000_000


def put(writer: Writer, seconds_ago: int, *, acks: str = "all", trip_us: int = 2_000) -> None:
    run = begin_run(writer, acks=acks)
    told = sample(
        (END_S - seconds_ago) * 1_000_000,
        broker(
            1,
            requests=4,
            queue=spread(30, 100),
            send=spread(4, 10),
            trip=spread(4, trip_us),
        ),
        broker(2, requests=2, queue=spread(10, 500), send=spread(2, 40), trip=spread(2, 8_000)),
        broker(3, trip=spread(1, 99)),
        produced=40,
        transmitted=40,
    )
    writer.call(partial(client_statistics.record, run=run.id, series=run.series, sample=told))


@pytest.mark.parametrize("seconds", [900, FINE_UP_TO_S, FINE_UP_TO_S + 600])
def test_a_profile_comes_before_its_brokers_and_is_their_sum(
    writer: Writer, reader: Reader, seconds: int
) -> None:
    put(writer, 30)
    put(writer, 60, trip_us=4_000)
    put(writer, seconds + 700)
    found = reader(partial(stage_splits, window=Window(END_S - seconds, END_S, 10)))
    assert [split.broker for split in found] == [None, 1, 2], "3 was asked for metadata alone"
    together, first, second = found
    assert together.requests == first.requests + second.requests == 12
    assert (first.trip.mean, first.trip.p99) == (3_000, 4_000)
    assert together.queue.mean == (60 * 100 + 20 * 500) / 80
    assert together.trip.p99 == 8_000
    assert first.total_us == 100 + 10 + 3_000


def test_under_acks_0_the_round_trip_is_no_part_of_it(writer: Writer, reader: Reader) -> None:
    put(writer, 30, acks="0")
    _, first, _ = reader(partial(stage_splits, window=Window(END_S - 300, END_S, 1)))
    assert not first.waits_for_answers
    assert first.total_us == 110


def test_without_a_sample_in_the_span_nothing_was_seen(writer: Writer, reader: Reader) -> None:
    put(writer, 30)

    def samples_since(seconds_ago: int) -> int:
        seen = reader(
            partial(
                seen_of_profile,
                profile="orders",
                since_us=(END_S - seconds_ago) * 1_000_000,
                until_us=END_S * 1_000_000,
            )
        )
        return 0 if seen is None else seen.samples

    assert samples_since(30) == 1
    assert samples_since(29) == 0
