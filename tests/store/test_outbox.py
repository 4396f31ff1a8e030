"""The outbox hands out each failure until it is marked, oldest first."""

from __future__ import annotations

from functools import partial

from producer_agent.store import dead_letters, outbox
from producer_agent.store.reader import Reader
from producer_agent.store.writer import Writer
from tests.recording import begin_run, failure, letter, record, register_cluster, rows


def test_rows_come_oldest_first_until_they_are_marked(writer: Writer, reader: Reader) -> None:
    run = begin_run(writer)
    record(writer, run, failed=[failure(at, settled_us=at + 5) for at in range(5)])
    assert reader(outbox.waiting) == outbox.Waiting(5, 5)
    first = reader(partial(outbox.next_rows, after=0, limit=2))
    assert [row.sequence for row in first] == [0, 1]
    assert (first[0].code_name, first[0].stored, first[0].profile) == (
        "NOT_ENOUGH_REPLICAS",
        "no",
        "orders",
    )

    writer.call(partial(outbox.published, places=[(first[0].id, "dead[0]@7", None)]))

    left = reader(partial(outbox.next_rows, after=0, limit=9))
    assert [row.sequence for row in left] == [1, 2, 3, 4]
    assert reader(outbox.waiting).rows == 4
    assert reader(partial(outbox.next_rows, after=left[1].id, limit=9))[0].sequence == 3


def test_the_value_of_a_published_row_can_still_be_had(writer: Writer, reader: Reader) -> None:
    run = begin_run(writer, run_uuid="ab" * 16)
    record(writer, run, failed=[failure(3, value=b"\xff" * 100)])
    assert reader(partial(outbox.value_of, run_uuid="ab" * 16, sequence=3)) == b"\xff" * 100
    assert reader(partial(outbox.value_of, run_uuid="ab" * 16, sequence=4)) is None
    assert reader(partial(outbox.value_of, run_uuid="cd" * 16, sequence=3)) is None


def test_an_empty_outbox_waits_since_never(reader: Reader) -> None:
    assert reader(outbox.waiting) == outbox.Waiting(0, None)


def test_what_went_down_with_a_cluster_before_it_was_read_is_published_again(
    writer: Writer, reader: Reader
) -> None:
    uuid = "ab" * 16
    run = begin_run(writer, run_uuid=uuid)
    record(writer, run, failed=range(4))
    ids = rows(reader, "SELECT id FROM outbox ORDER BY id")
    places = [
        (ids[0], "dead[0]@0", None),
        (ids[1], "dead[0]@1", None),
        (ids[2], "dead-other[0]@0", None),
    ]
    writer.call(partial(outbox.published, places=places))
    read = letter(0, letter_id=f"{uuid}:0", run_uuid=uuid, sequence=0)
    writer.call(partial(dead_letters.insert, cluster=register_cluster(writer), letters=[read]))

    assert writer.call(partial(outbox.publish_again, topic="dead")) == 1
    again = reader(partial(outbox.next_rows, after=0, limit=9))
    assert [row.sequence for row in again] == [1, 3]
