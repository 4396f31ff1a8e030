"""A run that ends has an outcome for all it accepted: no more, no fewer."""

from __future__ import annotations

from functools import partial

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from producer_agent.store import runs
from producer_agent.store.reader import Reader
from producer_agent.store.retention import Keep, trim
from producer_agent.store.runs import RunRow
from producer_agent.store.writer import Writer
from tests.recording import assert_one_outcome_each, begin_run, failure, record, rows


def end(writer: Writer, run: RunRow, reason: str = "stopped") -> int:
    return writer.call(partial(runs.end_run, run=run.id, reason=reason, watermarks={0: (0, 9)}))


@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(st.lists(st.sampled_from(["delivered", "failed", "nothing"]), max_size=40))
def test_each_sequence_without_an_outcome_becomes_unresolved(
    writer: Writer, reader: Reader, fates: list[str]
) -> None:
    run = begin_run(writer, name=f"p{abs(hash(tuple(fates)))}-{id(fates)}")
    record(
        writer,
        run,
        delivered=[at for at, fate in enumerate(fates) if fate == "delivered"],
        failed=[at for at, fate in enumerate(fates) if fate == "failed"],
        accepted=len(fates),
    )

    assert end(writer, run) == fates.count("nothing")
    (uuid,) = rows(reader, "SELECT uuid FROM runs WHERE id = ?", run.id)
    counted = assert_one_outcome_each(reader, uuid)
    assert counted.get("unresolved", 0) == fates.count("nothing")
    assert counted.get("failed", 0) == fates.count("failed")


def test_an_unresolved_event_may_be_stored_and_says_why(writer: Writer, reader: Reader) -> None:
    run = begin_run(writer)
    record(writer, run, delivered=[1], accepted=2)
    end(writer, run, "the agent died")
    assert rows(reader, "SELECT sequence, outcome, stored, reason FROM undelivered") == [
        (0, "unresolved", "maybe", "no report when the run ended (the agent died)")
    ]
    assert rows(reader, "SELECT end_watermarks FROM runs") == ['{"0": [0, 9]}']


def test_what_an_agent_left_open_is_ended_once(writer: Writer, reader: Reader) -> None:
    first, second = begin_run(writer, "a"), begin_run(writer, "b")
    record(writer, first, delivered=[0], accepted=3)
    record(writer, second, delivered=[0], accepted=1)

    left = writer.call(partial(runs.end_open_runs, reason="the agent died"))
    again = writer.call(partial(runs.end_open_runs, reason="the agent died"))

    assert left == {"a": 2, "b": 0}
    assert again == {}
    for uuid in rows(reader, "SELECT uuid FROM runs"):
        assert_one_outcome_each(reader, uuid)


def test_what_retention_deleted_is_not_called_unresolved(writer: Writer, reader: Reader) -> None:
    run = begin_run(writer)
    for start in range(0, 5_000, 500):
        record(writer, run, delivered=range(start, start + 500))
    record(writer, run, delivered=[], accepted=5_003)
    writer.call(partial(trim, now_s=0.0, keep=Keep(1_000, 1e9, 1e9)))
    (kept,) = rows(reader, "SELECT sum(n) FROM delivery_lots")
    assert 1_000 <= kept < 5_000

    assert end(writer, run) == 3
    assert rows(reader, "SELECT sequence FROM undelivered") == [5_000, 5_001, 5_002]
    assert rows(reader, "SELECT settled FROM runs") == [5_003]


def test_failures_whose_rows_were_deleted_are_not_failed_a_second_time(
    writer: Writer, reader: Reader
) -> None:
    """A slow run that outlives its failures' rows, and ends with an event unreported."""
    run = begin_run(writer)
    old = [failure(at, settled_us=1_000_000, dead_letter=False) for at in range(20)]
    record(writer, run, failed=old)
    record(writer, run, delivered=range(20, 30), accepted=31)
    writer.call(partial(trim, now_s=1e6, keep=Keep(10_000, 100.0, 1e9)))
    assert rows(reader, "SELECT count(*) FROM undelivered") == [0]

    assert end(writer, run) == 1
    assert rows(reader, "SELECT sequence FROM undelivered") == [30]
    assert rows(
        reader, "SELECT sum(failed), sum(unresolved) FROM rollups WHERE resolution = 3600"
    ) == [(20, 1)]


def test_an_event_older_than_all_that_is_kept_is_still_counted(
    writer: Writer, reader: Reader
) -> None:
    run = begin_run(writer)
    record(writer, run, delivered=range(1, 1_025), accepted=1_025)
    record(writer, run, delivered=range(1_025, 2_049))
    writer.call(partial(trim, now_s=0.0, keep=Keep(1_024, 1e9, 1e9)))

    assert end(writer, run) == 1
    assert rows(reader, "SELECT sum(unresolved) FROM rollups WHERE resolution = 3600") == [1]


def test_a_cluster_is_known_by_its_id_and_not_by_its_address(
    writer: Writer, reader: Reader
) -> None:
    def register(cluster_id: str, address: str) -> int:
        return writer.call(
            partial(
                runs.register_cluster,
                cluster_id=cluster_id,
                kind="real",
                bootstrap_servers=address,
            )
        )

    first = register("x", "a:1")
    assert register("x", "b:2") == first
    assert register("y", "b:2") != first
    assert rows(reader, "SELECT bootstrap_servers FROM clusters WHERE id = ?", first) == ["b:2"]
