"""Each record of a plan lands exactly once, byte for byte, whatever happens in between."""

from __future__ import annotations

import threading
from functools import partial

import pytest
from confluent_kafka import KafkaError, Producer

from producer_agent.kafka.embedded import ALL_BROKERS, EmbeddedCluster
from producer_agent.kafka.messages import headers_of
from producer_agent.kafka.our_headers import REPLAY_HEADER, TIMES_HEADER
from producer_agent.replay.manager import ReplayManager
from producer_agent.replay.options import PlanOptions
from producer_agent.replay.selection import Selection
from producer_agent.store import letter_edits
from tests.recording import rows
from tests.replay.room import TOPIC, Board, header, on_topic, original, replay_ids, times
from tests.waiting import wait_until

pytestmark = pytest.mark.usefixtures("quick")


def run(board: Board, plan: int, *states: str) -> None:
    """Run a plan by a manager of its own until it is in one of the states (done)."""
    with board.manager() as manager:
        manager.run(plan)
        board.wait_for(plan, *(states or ("done",)))


def done(board: Board, plan: int) -> int:
    return board.plan(plan).counts.done


def assert_each_once(board: Board, cluster: EmbeddedCluster, plan: int, records: int) -> None:
    """On the topic as in the ledger: each record once, at the place that the ledger tells."""
    found = on_topic(cluster)
    uuid = board.plan(plan).row.uuid
    assert replay_ids(found) == sorted(f"{uuid}-{at}" for at in range(records))
    places = {header(m, REPLAY_HEADER): (m.partition(), m.offset()) for m in found}
    for record in board.records(plan):
        assert record.state == "done"
        assert places[record.replay_id.encode()] == (record.partition, record.offset)


@pytest.mark.parametrize("own_bytes", [True, False])
@pytest.mark.parametrize("key", [None, b"", b"\xff\0"])
@pytest.mark.parametrize("value", [None, b"", bytes(range(256)) * 300])
def test_key_value_and_headers_land_byte_for_byte(
    live: Board,
    embedded: EmbeddedCluster,
    key: bytes | None,
    value: bytes | None,
    own_bytes: bool,
) -> None:
    headers = (("h", b"\xff"), ("h", None), ("e", b""), ("ü", "ß".encode()))
    of = original(key=key, value=value, headers=headers, own_bytes=own_bytes)
    fields = {} if own_bytes else {"key": b"of the letter", "value": b"an envelope"}
    plan = live.make(live.store(of, **fields))
    run(live, plan)
    (message,) = on_topic(embedded)
    assert (message.key(), message.value()) == (key, value)
    replay_id = f"{live.plan(plan).row.uuid}-0".encode()
    assert headers_of(message) == (*headers, (REPLAY_HEADER, replay_id), (TIMES_HEADER, b"1"))
    assert live.statuses() == ["replayed"]
    assert_each_once(live, embedded, plan, 1)


def test_the_replays_own_headers_are_replaced_and_do_not_grow(
    live: Board, embedded: EmbeddedCluster
) -> None:
    """A record that comes back and is sent again, over and over, stays as large as it was."""
    old = ((REPLAY_HEADER, b"an-earlier-1"), (TIMES_HEADER, b"2"))
    ids = live.store(original(0), headers=(("tenant", b"acme"), ("failure", b"x"), *old))
    live.change("UPDATE dead_letters SET times_back = 2")
    run(live, live.make(ids, keep_failure_headers=True))
    (message,) = on_topic(embedded)
    names = [name for name, _ in headers_of(message)]
    assert names == ["tenant", "failure", REPLAY_HEADER, TIMES_HEADER]
    assert times(message) == 3


def test_an_edit_is_sent_and_the_letter_stays_as_it_was(
    live: Board, embedded: EmbeddedCluster
) -> None:
    """Its headers are the editor's, but for the replay's own, which nobody can forge."""
    ids = live.store(original(0))
    headers = [("n", None), (REPLAY_HEADER, b"forged-0"), (TIMES_HEADER, b"9")]
    edit = partial(
        letter_edits.save, letter=ids[0], who="kim", key=None, value=b"new", headers=headers
    )
    live.writer.call(edit)
    run(live, live.make(ids))
    (message,) = on_topic(embedded)
    assert (message.key(), message.value()) == (None, b"new")
    assert [name for name, _ in headers_of(message)] == ["n", REPLAY_HEADER, TIMES_HEADER]
    assert times(message) == 1
    assert rows(live.reader, "SELECT value FROM dead_letter_records") == [b"value 0"]


def test_records_land_on_their_partition_in_the_order_of_the_plan(
    live: Board, embedded: EmbeddedCluster
) -> None:
    ids = live.store(*(original(at, partition=at % 3) for at in reversed(range(300))))
    plan = live.make(ids)
    run(live, plan)
    assert_each_once(live, embedded, plan, 300)
    by_partition: dict[int | None, list[int]] = {}
    for message in on_topic(embedded):
        value = message.value()
        assert isinstance(value, bytes)
        by_partition.setdefault(message.partition(), []).append(int(value.split()[1]))
    assert by_partition == {n: list(range(n, 300, 3)) for n in range(3)}


# -- what the cluster refuses -------------------------------------------------------------------


def test_a_record_that_can_never_land_fails_alone(live: Board, embedded: EmbeddedCluster) -> None:
    plan = live.make(live.store(*(original(at) for at in range(10))))
    live.change("UPDATE replays SET target_partition = 99 WHERE sequence = 4")
    run(live, plan)
    records = live.records(plan)
    assert [record.state for record in records] == ["done"] * 4 + ["failed"] + ["done"] * 5
    assert (records[4].reason or "").startswith("_UNKNOWN_PARTITION: ")
    assert len(on_topic(embedded)) == 9
    assert live.statuses() == ["replayed"] * 4 + ["new"] + ["replayed"] * 5


@pytest.mark.parametrize("guilty", [0, 1])
def test_of_a_request_refused_for_one_record_only_that_one_fails(
    live: Board, embedded: EmbeddedCluster, guilty: int
) -> None:
    """All of a request report the size of one; sent one by one, they tell."""
    plan = live.make(live.store(*(original(at) for at in range(5))))
    embedded.push_produce_errors([KafkaError.MSG_SIZE_TOO_LARGE] * (1 + guilty))
    run(live, plan)
    assert live.states(plan) == ["failed"] * guilty + ["done"] * (5 - guilty)
    assert len(on_topic(embedded)) == 5 - guilty


def test_what_failed_may_be_planned_and_sent_again(live: Board, embedded: EmbeddedCluster) -> None:
    ids = live.store(original(0))
    plan = live.make(ids)
    live.change("UPDATE replays SET target_partition = 99")
    run(live, plan)
    run(live, live.make(ids))
    assert len(on_topic(embedded)) == 1
    assert rows(live.reader, "SELECT state FROM replays ORDER BY plan") == ["failed", "done"]


# -- interruptions ------------------------------------------------------------------------------


def test_while_the_cluster_is_down_a_plan_waits_and_then_goes_on(
    live: Board, embedded: EmbeddedCluster
) -> None:
    plan = live.make(live.store(*(original(at) for at in range(60))), rate_per_s=40)
    with live.manager() as manager:
        manager.run(plan)
        wait_until(lambda: done(live, plan), 10, "nothing was sent")
        embedded.broker_down(ALL_BROKERS)
        wait_until(
            lambda: "tries again" in (live.plan(plan).row.progress or ""), 15, "it does not wait"
        )
        assert done(live, plan) < 60
        embedded.broker_up(ALL_BROKERS)
        live.wait_for(plan, "done", timeout_s=30)
    assert_each_once(live, embedded, plan, 60)


def test_a_plan_can_be_paused_while_the_cluster_is_down(
    live: Board, embedded: EmbeddedCluster
) -> None:
    plan = live.make(live.store(original(0)))
    embedded.broker_down(ALL_BROKERS)
    with live.manager() as manager:
        manager.run(plan)
        wait_until(
            lambda: "tries again" in (live.plan(plan).row.progress or ""), 15, "it does not wait"
        )
        manager.pause(plan)
        live.wait_for(plan, "paused")
        assert live.plan(plan).row.reason, "it does not say what it waited for"


def test_what_an_agents_end_left_the_next_one_goes_on_with(
    live: Board, embedded: EmbeddedCluster
) -> None:
    plan = live.make(live.store(*(original(at) for at in range(60))), rate_per_s=40)
    with live.manager() as manager:
        manager.run(plan)
        wait_until(lambda: done(live, plan), 10, "nothing was sent")
    assert live.state(plan) == "running"
    assert 0 < done(live, plan) < 60
    with live.manager():
        live.wait_for(plan, "done")
    assert_each_once(live, embedded, plan, 60)


@pytest.mark.parametrize("state", ["intent", "unknown"])
def test_a_record_that_lies_on_the_target_is_done_and_one_that_does_not_is_sent(
    live: Board, embedded: EmbeddedCluster, state: str
) -> None:
    """The agent died between sending and writing down what came of it."""
    plan = live.make(live.store(*(original(at) for at in range(3))))
    uuid = live.plan(plan).row.uuid
    producer = Producer(embedded.client_defaults)
    producer.produce(TOPIC, b"a stranger's", partition=1)
    told: list[tuple[str, str | bytes | None]] = [
        (REPLAY_HEADER, f"{uuid}-1".encode()),
        (TIMES_HEADER, b"1"),
    ]
    producer.produce(TOPIC, b"value 1", b"key-1", 1, headers=told)
    assert producer.flush(10) == 0
    live.change("UPDATE replays SET state = ?, batch = 0 WHERE sequence < 2", state)
    live.change("UPDATE replay_plans SET state = 'running', method = 'ledger'")
    with live.manager():
        live.wait_for(plan, "done")
    assert live.states(plan) == ["done"] * 3
    assert (live.records(plan)[1].partition, live.records(plan)[1].offset) == (1, 1)
    ours = [message for message in on_topic(embedded) if headers_of(message)]
    assert replay_ids(ours) == [f"{uuid}-{at}" for at in range(3)]


def test_nothing_is_sent_before_what_is_open_was_learnt(
    live: Board, embedded: EmbeddedCluster
) -> None:
    plan = live.make(live.store(original(0), original(1)))
    live.change("UPDATE replays SET state = 'intent', batch = 0 WHERE sequence = 0")
    live.change("UPDATE replay_plans SET state = 'running', method = 'ledger'")
    embedded.broker_down(ALL_BROKERS)
    with live.manager():
        wait_until(
            lambda: "tries again" in (live.plan(plan).row.progress or ""), 15, "it does not wait"
        )
        assert live.states(plan) == ["intent", "planned"]
        embedded.broker_up(ALL_BROKERS)
        live.wait_for(plan, "done", timeout_s=30)
    assert_each_once(live, embedded, plan, 2)


# -- two at once --------------------------------------------------------------------------------


def test_two_agents_that_run_plans_of_the_same_letters_send_each_once(
    live: Board, embedded: EmbeddedCluster
) -> None:
    ids = live.store(*(original(at) for at in range(400)))
    plans = [live.make(ids) for _ in range(3)]
    begin = threading.Barrier(len(plans))

    def press(plan: int, manager: ReplayManager) -> None:
        begin.wait()
        manager.run(plan)

    with live.manager() as one, live.manager() as two:
        threads = [
            threading.Thread(target=press, args=(plan, manager))
            for plan, manager in zip(plans, (one, two, one), strict=True)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        for plan in plans:
            live.wait_for(plan, "done", timeout_s=30)
    sent = [record for plan in plans for record in live.records(plan) if record.state == "done"]
    assert sorted(record.dead_letter for record in sent) == ids
    assert replay_ids(on_topic(embedded)) == sorted(record.replay_id for record in sent)
    refused = [record for plan in plans for record in live.records(plan) if record.state != "done"]
    assert all("sends or sent it" in (record.reason or "") for record in refused)


def test_clicks_on_one_letter_at_once_send_it_once(live: Board, embedded: EmbeddedCluster) -> None:
    ids = live.store(original(0))
    with live.manager() as manager:
        runs = [
            manager.replay_now(Selection(dead_letters=tuple(ids)), PlanOptions(), f"user {n}")
            for n in range(5)
        ]
        assert [run.result(20) for _, run in runs] == ["done"] * 5
    states = sorted(state for plan, _ in runs for state in live.states(plan))
    assert states == ["done"] + ["refused"] * 4
    assert len(on_topic(embedded)) == 1


# -- what a person, or the plan itself, may do --------------------------------------------------


def test_paused_resumed_and_cancelled_it_sends_what_it_says_it_sent(
    live: Board, embedded: EmbeddedCluster
) -> None:
    plan = live.make(live.store(*(original(at) for at in range(200))), rate_per_s=100)
    with live.manager() as manager:
        manager.run(plan)
        wait_until(lambda: done(live, plan), 10, "nothing was sent")
        manager.pause(plan)
        live.wait_for(plan, "paused")
        paused_at = done(live, plan)
        assert len(on_topic(embedded)) == paused_at < 200
        assert set(live.states(plan)) == {"done", "planned"}
        manager.run(plan)
        wait_until(lambda: done(live, plan) > paused_at, 10, "it does not go on")
        manager.cancel(plan)
        live.wait_for(plan, "cancelled")
    sent = done(live, plan)
    assert live.states(plan) == ["done"] * sent + ["cancelled"] * (200 - sent)
    assert len(on_topic(embedded)) == sent
    assert live.statuses() == ["replayed"] * sent + ["new"] * (200 - sent)


def test_a_plan_stops_by_itself_when_records_come_back_and_goes_on_when_told(
    live: Board, embedded: EmbeddedCluster
) -> None:
    plan = live.make(
        live.store(*(original(at) for at in range(20))), ramp=[5], ramp_wait_s=600, stop_share=0.2
    )
    with live.manager() as manager:
        manager.run(plan)
        wait_until(lambda: done(live, plan) == 5, 10, "the first step was not sent")
        back = live.come_back(plan, 3)
        live.wait_for(plan, "stopped")
        assert (live.plan(plan).row.reason or "").startswith("1 of 5 records came back")
        assert len(on_topic(embedded)) == 5
        assert live.plan(plan).counts.came_back == 1
        manager.run(plan)
        live.wait_for(plan, "done")
    assert_each_once(live, embedded, plan, 20)
    again = live.make(back)
    run(live, again)
    assert times(on_topic(embedded)[-1]) == 2
