"""Audits on the embedded cluster: runs that are what they claim, and runs that are not."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

import pytest

from producer_agent.delivery.profiles import Profile
from producer_agent.delivery.run_manager import RunManager
from producer_agent.durability import audit as module
from producer_agent.durability.audit import Audit, AuditImpossible, Checkpoint
from producer_agent.durability.recorded import audit_run
from producer_agent.durability.verdicts import Claim, Flag, Found, Kind, Matrix
from producer_agent.kafka.cluster_view import cluster_view
from producer_agent.kafka.embedded import EmbeddedCluster
from producer_agent.kafka.read_back import ReadBack
from producer_agent.store import runs
from producer_agent.store.queries import audits as queries
from producer_agent.store.queries import run_claims
from producer_agent.store.queries.audits import AuditRow
from producer_agent.store.reader import Reader
from producer_agent.store.writer import Writer
from tests.durability.sent import Sent
from tests.waiting import wait_until

MakeSent = Callable[..., Sent]


@pytest.fixture
def make_sent(own_cluster: EmbeddedCluster, writer: Writer) -> MakeSent:
    """Makes runs on a topic of two partitions."""
    own_cluster.create_topic("orders", 2)

    def make(**options: Any) -> Sent:
        return Sent(own_cluster.client_defaults, writer, "orders", **options)

    return make


def audited(
    sent: Sent, reader: Reader, writer: Writer, **options: Any
) -> tuple[AuditRow, Matrix, dict[str, list[int]]]:
    """Its audit, the matrix, and the sequences listed of each kind."""
    number = audit_run(sent.connection, reader, writer, sent.record(), **options)
    made = reader(partial(queries.audit, audit_id=number))
    assert made is not None
    assert made.matrix is not None
    listed: dict[str, list[int]] = {}
    for row in reader(partial(queries.findings, audit_id=number)):
        listed.setdefault(row.kind, []).append(row.sequence)
    return made, Matrix.from_json(made.matrix), listed


def test_a_run_that_is_what_it_claims_is_kept_whole(
    make_sent: MakeSent, reader: Reader, writer: Writer
) -> None:
    sent = make_sent()
    sent.put(range(300), partition=0)
    sent.put(range(300, 500), partition=1)
    sent.claim(range(500))
    sent.end()
    made, matrix, listed = audited(sent, reader, writer)
    assert (made.state, made.reason, made.records) == ("done", None, 500)
    assert matrix == Matrix({(Claim.DELIVERED, Found.ONCE): 500})
    assert listed == {}


def test_everything_that_can_be_wrong_is_told_apart(
    make_sent: MakeSent, reader: Reader, writer: Writer
) -> None:
    sent = make_sent()
    make_sent().put(range(7), partition=1)  # another run's
    kept, lost, doubled, doubt, phantom = [1, 2, 3], [4], [5, 6], [7], [8]
    sent.put(kept)
    sent.put(doubled)
    sent.put(doubled, partition=1)
    sent.put([*doubt, *phantom])
    sent.put([10])
    sent.put([9])
    sent.put([11], value=b"another value")
    sent.put([12])
    sent.put([13], replayed=True)
    sent.put([20])  # nobody ever said anything of it
    places = {**sent.places, 4: (0, 999), 12: (0, sent.places[12][1] + 50), 13: (1, 998)}
    sent.claim([*kept, *lost, *doubled, 9, 10, 11, 12, 13], places=places)
    sent.claim_undelivered(doubt, stored="maybe")
    sent.claim_undelivered(phantom, stored="no")
    sent.claim_undelivered([14], "rejected")
    sent.claim_undelivered([15], "failed", stored="maybe")
    sent.end()
    _made, matrix, listed = audited(sent, reader, writer)
    assert matrix.cells == {
        (Claim.DELIVERED, Found.ONCE): 7,
        (Claim.DELIVERED, Found.MORE): 2,
        (Claim.DELIVERED, Found.ABSENT): 2,
        (Claim.IN_DOUBT, Found.ONCE): 1,
        (Claim.IN_DOUBT, Found.ABSENT): 1,
        (Claim.FAILED, Found.ONCE): 1,
        (Claim.REJECTED, Found.ABSENT): 1,
        (Claim.UNRESOLVED, Found.ABSENT): 1,  # sequence 0, of which no report ever came
        (Claim.NONE, Found.ONCE): 1,
    }
    assert (matrix.excess, matrix.replayed, matrix.foreign) == (2, 1, 7)
    assert matrix.flagged == {
        Flag.REORDERED: 1,
        Flag.CORRUPT: 1,
        Flag.REPLAYED: 1,
        Flag.OFFSET_DIFFERS: 1,
    }
    assert listed == {
        Kind.LOST.word: [4, 13],
        Kind.DUPLICATE.word: [5, 6],
        Kind.PHANTOM.word: [8],
        Kind.REORDERED.word: [9],
        Kind.CORRUPT.word: [11],
        Kind.OFFSET_DIFFERS.word: [12],
    }


def test_what_lies_before_and_behind_the_run_is_not_read(
    make_sent: MakeSent, reader: Reader, writer: Writer
) -> None:
    before = make_sent()
    before.put(range(100))
    with ReadBack(before.connection) as read_back:
        begun = read_back.watermarks("orders", [0, 1])
        sent = make_sent(watermarks=begun)
        sent.put(range(40))
        sent.claim(range(40))
        ended = read_back.watermarks("orders", [0, 1])
    before.put(range(100, 200))
    sent.end(ended)
    made, matrix, _ = audited(sent, reader, writer)
    assert made.records == 40
    assert (matrix.kept, matrix.foreign) == (40, 0)
    assert [place["start"] for place in made.places] == [100, 0]


def test_a_run_that_goes_on_is_told_as_far_as_it_came(
    make_sent: MakeSent, reader: Reader, writer: Writer
) -> None:
    sent = make_sent()
    sent.put(range(10))
    sent.claim(range(10))
    sent.claim([10, 11], places={10: (0, 10), 11: (0, 11)})  # its records come any moment
    made, matrix, _ = audited(sent, reader, writer)
    assert made.state == "done"
    assert matrix.cells == {(Claim.DELIVERED, Found.ONCE): 10, (Claim.DELIVERED, Found.UNSEEN): 2}


@pytest.mark.parametrize("seed", range(6))
def test_an_audit_that_dies_anywhere_goes_on_to_the_same_verdict(
    make_sent: MakeSent,
    reader: Reader,
    writer: Writer,
    monkeypatch: pytest.MonkeyPatch,
    seed: int,
) -> None:
    chance = random.Random(seed)
    sent = make_sent()
    order = list(range(600))
    for _ in range(10):
        order.insert(chance.randrange(600), chance.randrange(600))  # doubled, and out of order
    missing = set(chance.sample(range(600), 20))
    present = [sequence for sequence in order if sequence not in missing]
    for partition in (0, 1):  # as a retry does, a copy goes to the partition of the first
        sent.put([n for n in present if n % 2 == partition], partition=partition)
    places = sent.places | {sequence: (0, 100_000 + sequence) for sequence in missing}
    for lot in range(0, 600, 50):
        sent.claim(range(lot, lot + 50), places=places)
    sent.end()
    whole = Audit(sent.connection, reader, sent.record()).run()
    assert whole.matrix.lost == len(missing)

    monkeypatch.setattr(module, "SLICE", 90)
    monkeypatch.setattr(run_claims, "LOTS", 2)

    class Killed(Exception):
        pass

    steps = iter([chance.randrange(1, 4) for _ in range(3)])
    left = [next(steps)]

    def die() -> bool:
        left[0] -= 1
        if left[0] == 0:
            left[0] = next(steps, 10_000)
            raise Killed
        return False

    # Between the claims of a slice and its records.
    monkeypatch.setattr(Audit, "_read", _dying(Audit._read, die))
    for _ in range(3):
        with pytest.raises(Killed):
            audit_run(sent.connection, reader, writer, sent.record())
    made, matrix, listed = audited(sent, reader, writer)
    assert made.id == 1, "it is the same audit, gone on with"
    assert matrix == whole.matrix
    assert made.records == whole.records
    kinds = {kind.word: [f.sequence for f in whole.findings if f.kind is kind] for kind in Kind}
    assert listed == {kind: sequences for kind, sequences in kinds.items() if sequences}


def _dying(read: Callable[..., None], die: Callable[[], bool]) -> Callable[..., None]:
    def wrapped(*arguments: Any) -> None:
        die()
        read(*arguments)

    return wrapped


def test_a_checkpoint_comes_back_from_json_as_it_was(make_sent: MakeSent, reader: Reader) -> None:
    sent = make_sent()
    with ReadBack(sent.connection) as read_back:
        at = Audit(sent.connection, reader, sent.record())._plan(read_back)
    at.lot, at.records = 7, 8
    assert Checkpoint.from_json(at.to_json(), b"m") == replace(at, matcher=b"m")


def test_reading_that_is_stopped_says_so_and_calls_nothing_lost(
    make_sent: MakeSent, reader: Reader, writer: Writer
) -> None:
    sent = make_sent()
    sent.put(range(10))
    sent.claim(range(10))
    sent.end()
    made, matrix, _ = audited(sent, reader, writer, stopped=lambda: True)
    assert made.state == "incomplete"
    assert "stopped" in (made.reason or "")
    assert matrix.cells == {(Claim.DELIVERED, Found.UNSEEN): 10}


def test_a_run_of_another_cluster_is_refused_and_the_mend_is_named(
    make_sent: MakeSent, reader: Reader, writer: Writer
) -> None:
    sent = make_sent()
    sent.end()
    with (
        EmbeddedCluster() as other,
        pytest.raises(AuditImpossible, match=r"sent to the cluster .* set KAFKA_BOOTSTRAP_SERVERS"),
    ):
        audit_run(other.client_defaults, reader, writer, sent.record())


@pytest.mark.parametrize("acks", ["0", "1", "all"])
def test_a_run_of_the_agents_own_is_kept_whole(
    own_cluster: EmbeddedCluster, writer: Writer, reader: Reader, acks: str
) -> None:
    own_cluster.create_topic("events", 3)
    row = writer.call(
        partial(
            runs.register_cluster,
            cluster_id=_cluster_id(own_cluster),
            kind="embedded",
            bootstrap_servers=str(own_cluster.client_defaults["bootstrap.servers"]),
        )
    )
    manager = RunManager(
        dict(own_cluster.client_defaults), writer, row, lambda _topic: None, lambda: None
    )
    profile = Profile.from_mapping(
        {"name": "own", "producer": {"acks": acks}, "workload": {"topic": "events"}}
    )
    manager.start(profile, 400.0)
    settled = partial(run_claims.latest_run, profile="own")
    wait_until(lambda: (found := reader(settled)) and found.settled > 200, 30, "nothing is sent")
    manager.stop_all("the test is over")
    run = reader(settled)
    assert run is not None
    result = Audit(own_cluster.client_defaults, reader, run).run()
    claim = Claim.UNCONFIRMED if acks == "0" else Claim.DELIVERED
    assert result.matrix.cells == {(claim, Found.ONCE): run.accepted}
    assert result.matrix.flagged == {}
    assert result.not_known == []


def _cluster_id(cluster: EmbeddedCluster) -> str:
    found = cluster_view(cluster.client_defaults).cluster_id
    assert found is not None
    return found
