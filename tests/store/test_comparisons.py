"""Comparisons in the database: begun once at a time, kept turn by turn, settled after a death."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

import pytest
from hypothesis import given
from hypothesis import strategies as st

from producer_agent.store import comparisons, runs
from producer_agent.store.comparisons import ComparisonRunning, Turn, TurnMeasures
from producer_agent.store.queries import comparisons as queries
from producer_agent.store.reader import Reader
from producer_agent.store.writer import Writer
from tests.recording import rows

MEASURES = TurnMeasures(
    seconds=5.0,
    sent=10,
    acknowledged=8,
    unconfirmed=0,
    unresolved=1,
    failed={"_MSG_TIMED_OUT": 1},
    rejected={"_QUEUE_FULL": 2},
    message_bytes=900,
    wire_bytes=300,
)
TURN = Turn(
    rate=500.0,
    round=1,
    profile=0,
    position=1,
    started_us=10,
    ended_us=20,
    measures=MEASURES,
    ack=((400, 7), (410, 1)),
    end_to_end=((420, 8),),
    delay=(),
)


def begin(writer: Writer, uuid: str = "0" * 32) -> int:
    cluster = writer.call(
        partial(runs.register_cluster, cluster_id="c", kind="real", bootstrap_servers="k:9092")
    )
    return writer.call(
        partial(
            comparisons.begin,
            uuid=uuid,
            title="a · b",
            plan="{}",
            environment={"cluster_kind": "real"},
            cluster=cluster,
            turns=10,
            expected_end_us=99,
            notes=["first"],
            made_by="kim",
        )
    )


def get(reader: Reader, number: int) -> queries.Comparison:
    found = reader(partial(queries.comparison, comparison_id=number))
    assert found is not None
    return found


def test_a_turn_is_read_back_as_it_was_measured(writer: Writer, reader: Reader) -> None:
    number = begin(writer)
    writer.call(partial(comparisons.add_turn, comparison=number, turn=TURN))
    found = get(reader, number)
    assert found.measured == (TURN,)
    assert (found.summary.turns_done, found.summary.turns) == (1, 10)
    assert found.summary.notes == ("first",)
    assert found.summary.is_running
    assert reader(queries.running) == found.summary
    assert MEASURES.compression_ratio == 3.0
    assert (MEASURES.failed_in_all, MEASURES.rejected_in_all) == (1, 2)


def test_one_runs_at_a_time(writer: Writer, reader: Reader) -> None:
    number = begin(writer)
    with pytest.raises(ComparisonRunning, match=rf"Comparison {number} \(a · b\) is running"):
        begin(writer, "1" * 32)
    writer.call(partial(comparisons.end, comparison=number, state="done", reason=None))
    assert begin(writer, "2" * 32) == number + 1
    assert [summary.id for summary in reader(queries.comparisons)] == [number + 1, number]
    assert reader(queries.count_comparisons) == 2


def test_the_end_adds_its_notes_and_takes_the_progress_away(writer: Writer, reader: Reader) -> None:
    number = begin(writer)
    writer.call(
        partial(
            comparisons.set_progress, comparison=number, progress="round 1", expected_end_us=123
        )
    )
    summary = get(reader, number).summary
    assert (summary.progress, summary.expected_end_us) == ("round 1", 123)
    writer.call(
        partial(
            comparisons.end,
            comparison=number,
            state="incomplete",
            reason="why",
            notes=["second"],
        )
    )
    summary = get(reader, number).summary
    assert (summary.state, summary.reason) == ("incomplete", "why")
    assert summary.notes == ("first", "second")
    assert (summary.progress, summary.expected_end_us) == (None, None)
    assert summary.ended_us is not None


def test_what_a_death_left_running_is_incomplete_with_its_turns(
    writer: Writer, reader: Reader
) -> None:
    number = begin(writer)
    writer.call(partial(comparisons.add_turn, comparison=number, turn=TURN))
    assert writer.call(partial(comparisons.end_open, reason="the agent died")) == [number]
    assert writer.call(partial(comparisons.end_open, reason="again")) == []
    found = get(reader, number)
    assert (found.summary.state, found.summary.reason) == ("incomplete", "the agent died")
    assert found.measured == (TURN,)


def test_what_runs_is_not_deleted_and_what_is_over_goes_with_its_turns(
    writer: Writer, reader: Reader
) -> None:
    number = begin(writer)
    writer.call(partial(comparisons.add_turn, comparison=number, turn=TURN))
    assert writer.call(partial(comparisons.delete, comparison=number)) is False
    writer.call(partial(comparisons.end, comparison=number, state="cancelled", reason=None))
    assert writer.call(partial(comparisons.delete, comparison=number)) is True
    assert reader(partial(queries.comparison, comparison_id=number)) is None
    assert rows(reader, "SELECT count(*) FROM comparison_turns") == [0]
    writer.call(partial(comparisons.end, comparison=number, state="done", reason=None))


def test_a_turn_is_kept_once(writer: Writer, reader: Reader) -> None:
    number = begin(writer)
    writer.call(partial(comparisons.add_turn, comparison=number, turn=TURN))
    with pytest.raises(Exception, match="UNIQUE"):
        writer.call(partial(comparisons.add_turn, comparison=number, turn=TURN))
    other = replace(TURN, round=2)
    writer.call(partial(comparisons.add_turn, comparison=number, turn=other))
    assert len(get(reader, number).measured) == 2


@given(
    st.builds(
        TurnMeasures,
        seconds=st.floats(0.1, 100),
        sent=st.integers(0, 10**9),
        acknowledged=st.integers(0, 10**9),
        unconfirmed=st.integers(0, 10),
        unresolved=st.integers(0, 10),
        failed=st.dictionaries(st.text(max_size=10), st.integers(0, 9), max_size=3),
        lost=st.none() | st.integers(0, 9),
        broker_us=st.none() | st.floats(0, 1e9),
    )
)
def test_measures_survive_json(measures: TurnMeasures) -> None:
    assert TurnMeasures.from_json(measures.to_json()) == measures
