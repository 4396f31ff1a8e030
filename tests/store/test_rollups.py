"""Every bucket width tells the same sums, and a chart is never given more than it can show."""

from __future__ import annotations

from functools import partial

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from producer_agent.store import rollups
from producer_agent.store.reader import Reader
from producer_agent.store.rollups import COUNTERS, MOST_POINTS, RESOLUTIONS, resolution_for
from producer_agent.store.writer import Writer
from tests.recording import begin_run, rows

START_S = 1_700_000_000


@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    st.lists(
        st.tuples(st.integers(0, 8_000), st.sampled_from(COUNTERS), st.integers(0, 50)),
        max_size=30,
    )
)
def test_the_widths_agree_on_every_counter_in_every_hour(
    writer: Writer, reader: Reader, counts: list[tuple[int, str, int]]
) -> None:
    series = begin_run(writer, name=f"p{len(counts)}-{abs(hash(tuple(counts)))}").series
    for at, counter, n in counts:
        writer.call(
            partial(rollups.add_count, series=series, at_s=START_S + at, counter=counter, n=n)
        )

    for counter in COUNTERS:
        sums = [
            rows(
                reader,
                f"SELECT bucket / 3600, sum({counter}) FROM rollups "
                f"WHERE resolution = ? AND series = ? GROUP BY 1 HAVING sum({counter}) > 0",
                resolution.seconds,
                series,
            )
            for resolution in RESOLUTIONS
        ]
        assert all(found == sums[0] for found in sums)
        assert sum(n for _, n in sums[0]) == sum(n for _, name, n in counts if name == counter)


def test_latencies_are_counted_once_in_each_width_with_their_weights(
    writer: Writer, reader: Reader
) -> None:
    series = begin_run(writer).series
    seconds = np.asarray([START_S, START_S, START_S + 61, START_S + 4_000], dtype=np.int64)
    values = np.asarray([1_000.0, 1_000.0, 5_000.0, 70_000.0])
    weights = np.asarray([1, 2, 3, 4], dtype=np.int64)
    for _ in range(2):
        writer.call(
            partial(
                rollups.add_latencies,
                series=series,
                metric="schedule",
                seconds=seconds,
                values_us=values,
                weights=weights,
            )
        )

    for resolution in RESOLUTIONS:
        found = rows(
            reader,
            "SELECT bin, sum(n) FROM latency_bins WHERE resolution = ? GROUP BY bin ORDER BY bin",
            resolution.seconds,
        )
        assert [n for _, n in found] == [6, 6, 8]
        assert all(
            bucket % resolution.seconds == 0
            for bucket in rows(
                reader,
                "SELECT bucket FROM latency_bins WHERE resolution = ?",
                resolution.seconds,
            )
        )


def test_failures_are_counted_by_topic_outcome_and_cause(writer: Writer, reader: Reader) -> None:
    series = begin_run(writer).series
    failures = [(START_S, "t", "failed", "X")] * 3 + [(START_S + 5, "t", "rejected", "Y")]
    writer.call(partial(rollups.add_failures, series=series, failures=failures))

    for resolution in RESOLUTIONS:
        assert rows(
            reader,
            "SELECT cause, sum(n) FROM failure_rollups WHERE resolution = ? GROUP BY cause",
            resolution.seconds,
        ) == [("X", 3), ("Y", 1)]


@pytest.mark.parametrize("window_s", [1, 300, 3_600, 86_400, 7 * 86_400, 90 * 86_400])
def test_a_window_is_drawn_with_a_few_hundred_points(window_s: int) -> None:
    width = resolution_for(window_s)
    assert window_s / width <= MOST_POINTS or width == RESOLUTIONS[-1].seconds


def test_an_unknown_counter_is_refused(writer: Writer) -> None:
    series = begin_run(writer).series
    with pytest.raises(ValueError, match="is no counter"):
        writer.call(
            partial(rollups.add_count, series=series, at_s=START_S, counter="lost; DROP", n=1)
        )


def test_every_width_is_kept_for_longer_than_any_window_read_from_it() -> None:
    for resolution in RESOLUTIONS[:-1]:
        assert resolution.kept_s is not None
        assert resolution.kept_s > resolution.seconds * MOST_POINTS
    assert RESOLUTIONS[-1].kept_s is None
