"""Which record goes where and with what, and which does not go and why."""

from __future__ import annotations

import base64
import json
import random
from typing import Any

import pytest

from producer_agent.replay.original import Refused
from producer_agent.replay.partitioners import java_partition, librdkafka_partition
from tests.recording import rows
from tests.replay.room import TOPIC, Board, FakeCluster, original


def reasons(board: Board, plan: int) -> list[str | None]:
    return [record.reason for record in board.records(plan)]


def one_reason(board: Board, ids: list[int], **options: Any) -> str:
    """Why the only record of a plan is refused."""
    plan = board.make(ids, **options)
    (record,) = board.records(plan)
    assert record.state == "refused"
    assert record.reason is not None
    return record.reason


# -- which are refused --------------------------------------------------------------------------


def test_what_does_not_tell_its_topic_needs_a_target(board: Board) -> None:
    ids = board.store(original(topic=None))
    assert "choose a target" in one_reason(board, ids)
    assert board.states(board.make(ids, to=TOPIC)) == ["planned"]


def test_a_target_that_is_not_there_is_named(board: Board) -> None:
    reason = one_reason(board, board.store(original()), to="gone")
    assert reason == "the topic gone is not on this cluster: create it, or choose another target"


@pytest.mark.parametrize("target", ["__consumer_offsets", "__transaction_state"])
def test_nothing_is_sent_to_a_topic_of_kafkas_own(
    board: Board, fake_cluster: FakeCluster, target: str
) -> None:
    fake_cluster.sizes[target] = (50, None)
    assert "internal to Kafka" in one_reason(board, board.store(original()), to=target)


def test_nothing_is_sent_to_the_dead_letter_topic_that_it_lies_on(
    board: Board, fake_cluster: FakeCluster
) -> None:
    fake_cluster.sizes["dead"] = (3, None)
    assert "dead-letter topic that it lies on" in one_reason(
        board, board.store(original()), to="dead"
    )


def test_an_archived_letter_stays_away(board: Board) -> None:
    ids = board.store(original())
    board.change("UPDATE dead_letters SET status = 'archived'")
    assert one_reason(board, ids) == "it is archived: restore it first"


@pytest.mark.parametrize(
    ("state", "reason"),
    [
        ("intent", "is sending it"),
        ("done", "was replayed before, by plan"),
        ("unknown", "may have sent it"),
    ],
)
def test_what_another_plan_sent_or_is_sending_is_refused_with_its_number(
    board: Board, state: str, reason: str
) -> None:
    ids = board.store(original())
    first = board.make(ids)
    board.change("UPDATE replays SET state = ? WHERE plan = ?", state, first)
    told = one_reason(board, ids)
    assert reason in told
    assert f"plan {first}" in told


def test_what_came_back_too_often_needs_a_reason_to_be_sent_again(board: Board) -> None:
    ids = board.store(original(0), original(1))
    board.change("UPDATE dead_letters SET times_back = id + 1")  # 2 and 3 times
    plan = board.make(ids)
    assert board.states(plan) == ["planned", "refused"]
    assert "came back 3 times" in (reasons(board, plan)[1] or "")
    assert board.states(board.make(ids, force="the schema is mended")) == ["planned"] * 2
    assert board.states(board.make(ids, most_times_back=2)) == ["refused"] * 2


def test_the_same_record_dead_lettered_twice_is_sent_once(board: Board) -> None:
    """A retry chain may write one original to two dead-letter topics."""
    ids = board.store(original(7), original(8))
    ids += board.store(original(7), topic="dead-2", first=0)
    plan = board.make(ids)
    assert board.states(plan) == ["planned", "refused", "planned"]
    assert f"dead letter {ids[0]} of this plan is the same record" in (
        reasons(board, plan)[1] or ""
    )


def test_records_whose_place_is_not_told_are_never_taken_for_the_same(board: Board) -> None:
    ids = board.store(*(original(partition=None, offset=None, key=None) for _ in range(3)))
    assert board.states(board.make(ids)) == ["planned"] * 3


def test_a_letter_of_another_cluster_is_refused_where_clusters_last(
    board: Board, fake_cluster: FakeCluster
) -> None:
    fake_cluster.keeps_transactions = True
    ids = board.store(original())
    assert board.states(board.make(ids)) == ["planned"]
    board.connect_to("other", "real")
    assert "another cluster" in one_reason(board, ids)


def test_letters_of_an_embedded_cluster_that_is_gone_can_be_sent_to_the_next(board: Board) -> None:
    ids = board.store(original())
    board.connect_to("later", "embedded")
    assert board.states(board.make(ids)) == ["planned"]


def test_one_that_cannot_be_read_does_not_keep_the_others_from_being_planned(board: Board) -> None:
    ids = board.store(
        original(0), Refused("it holds nothing"), RuntimeError("a decoder's bug"), original(3)
    )
    plan = board.make(ids)
    by_letter = {record.dead_letter: record for record in board.records(plan)}
    assert [by_letter[letter].state for letter in ids] == [
        "planned", "refused", "refused", "planned",
    ]  # fmt: skip
    assert by_letter[ids[1]].reason == "it holds nothing"
    assert "a decoder's bug" in (by_letter[ids[2]].reason or "")


@pytest.mark.parametrize("name", ["\ud800", "half\0cut"])
def test_a_header_name_that_would_crash_or_be_cut_is_refused(board: Board, name: str) -> None:
    """confluent-kafka 2.16 dies of half a surrogate pair, and cuts a name at its NUL."""
    ids = board.store(original(headers=((name, b"x"),)), headers=())
    assert one_reason(board, ids)


# -- how large ----------------------------------------------------------------------------------


def test_what_fits_no_way_is_refused_with_both_sizes(
    board: Board, fake_cluster: FakeCluster
) -> None:
    fake_cluster.sizes[TOPIC] = (3, 10_000)
    incompressible = random.Random(1).randbytes(10_000)
    ids = board.store(original(0, value=incompressible), original(1))
    plan = board.make(ids)
    assert board.states(plan) == ["refused", "planned"]
    assert "orders takes 10,000 (max.message.bytes)" in (reasons(board, plan)[0] or "")
    assert board.plan(plan).row.findings["compression"] is None


def test_what_fits_compressed_is_sent_compressed(board: Board, fake_cluster: FakeCluster) -> None:
    fake_cluster.sizes[TOPIC] = (3, 10_000)
    plan = board.make(board.store(original(value=b"a" * 20_000)))
    assert board.states(plan) == ["planned"]
    assert board.plan(plan).row.findings["compression"] == "gzip"


def test_headers_count_toward_the_size(board: Board, fake_cluster: FakeCluster) -> None:
    """They are not compressed alone here: what is let through has to fit for sure."""
    fake_cluster.sizes[TOPIC] = (3, 10_000)
    ids = board.store(original(headers=(("h", b"x" * 10_000),)))
    assert "max.message.bytes" in one_reason(board, ids)


# -- where to -----------------------------------------------------------------------------------


def test_records_keep_the_partition_they_had(board: Board) -> None:
    plan = board.make(board.store(*(original(at, partition=at % 3) for at in range(6))))
    assert sorted(record.target_partition or 0 for record in board.records(plan)) == [
        0, 0, 1, 1, 2, 2,
    ]  # fmt: skip
    target = board.plan(plan).row.findings["targets"][TOPIC]
    assert (target["kept_partition"], target["by_key"], target["records"]) == (6, 0, 6)
    assert target["by_partition"] == {"0": 2, "1": 2, "2": 2}


@pytest.mark.parametrize(
    ("partitioner", "named"), [(java_partition, "murmur2"), (librdkafka_partition, "crc32")]
)
def test_a_key_goes_where_the_partitioner_puts_it_that_known_keys_show(
    board: Board, fake_cluster: FakeCluster, partitioner: Any, named: str
) -> None:
    """Else the records of one key would end up on two partitions, and out of order."""
    fake_cluster.sizes[TOPIC] = (12, None)
    known = [original(at, partition=partitioner(b"key-%d" % at, 12)) for at in range(8)]
    unknown = [original(at, partition=None, offset=None) for at in range(100, 140)]
    plan = board.make(board.store(*known, *unknown))
    found = {record.key_text: record.target_partition for record in board.records(plan)}
    assert found == {
        f"key-{at}": partitioner(b"key-%d" % at, 12) for at in (*range(8), *range(100, 140))
    }
    findings = board.plan(plan).row.findings
    assert findings["partitioner"].startswith(named)
    assert (findings["keys_checked"], findings["targets"][TOPIC]["by_key"]) == (8, 40)


@pytest.mark.parametrize(
    ("side", "partitioner"), [("consumer", java_partition), ("producer", librdkafka_partition)]
)
def test_without_known_keys_a_consumers_letters_count_as_javas_and_our_own_as_librdkafkas(
    board: Board, side: str, partitioner: Any
) -> None:
    ids = board.store(*(original(at, partition=None) for at in range(9)), side=side)
    for record in board.records(board.make(ids)):
        assert record.target_partition == partitioner((record.key_text or "").encode(), 3)


def test_a_partition_that_the_target_does_not_have_is_replaced_by_the_keys(board: Board) -> None:
    plan = board.make(board.store(original(partition=40)))
    (record,) = board.records(plan)
    assert record.target_partition in range(3)
    assert board.plan(plan).row.findings["targets"][TOPIC]["by_key"] == 1


def test_on_another_topic_a_record_goes_by_its_key_and_without_one_anywhere(
    board: Board, fake_cluster: FakeCluster
) -> None:
    fake_cluster.sizes["orders-2"] = (5, None)
    ids = board.store(original(0, partition=2), original(1, key=None, partition=2))
    plan = board.make(ids, rules=[{"topic": TOPIC, "to": "orders-2"}])
    places = [(record.target_topic, record.target_partition) for record in board.records(plan)]
    assert places == [("orders-2", java_partition(b"key-0", 5)), ("orders-2", None)]
    assert board.plan(plan).row.findings["targets"]["orders-2"]["anywhere"] == 1


def test_asked_for_the_key_it_goes_by_the_key_though_the_partition_is_known(board: Board) -> None:
    """A topic that was given more partitions has old records where their keys no longer go."""
    places = [java_partition(b"key-%d" % at, 3) for at in range(6)]
    places[5] = (places[5] + 1) % 3
    ids = board.store(*(original(at, partition=place) for at, place in enumerate(places)))
    plan = board.make(ids, partition="key")
    for record in board.records(plan):
        assert record.target_partition == java_partition((record.key_text or "").encode(), 3)
    assert board.plan(plan).row.findings["targets"][TOPIC]["kept_partition"] == 0


# -- with what ----------------------------------------------------------------------------------


def sent_headers(board: Board, plan: int) -> str:
    return str(rows(board.reader, "SELECT headers FROM replay_headers WHERE plan = ?", plan)[0])


def test_failure_headers_are_dropped_and_counted(board: Board) -> None:
    ids = board.store(original(0), original(1, dropped=("failure", "stack")))
    plan = board.make(ids)
    findings = board.plan(plan).row.findings
    assert findings["dropped_headers"] == {"failure": 2, "stack": 1}
    assert findings["kept_headers"] == {"tenant": 2, "empty": 2}
    assert "failure" not in sent_headers(board, plan)


def test_failure_headers_are_sent_along_if_wanted_but_never_those_of_a_replay(board: Board) -> None:
    headers = (("tenant", b"acme"), ("failure", b"x"), ("ackboard-replay", b"old-1"))
    ids = board.store(original(0), headers=headers)
    plan = board.make(ids, keep_failure_headers=True)
    findings = board.plan(plan).row.findings
    assert findings["dropped_headers"] == {}
    assert findings["kept_headers"] == {"tenant": 1, "failure": 1}
    sent = json.loads(sent_headers(board, plan))
    assert [name for name, _ in sent] == [
        "tenant",
        "failure",
        "ackboard-replay",
        "ackboard-replay-times",
    ]
    assert base64.b64decode(sent[2][1]).decode() == f"{board.plan(plan).row.uuid}-0"
