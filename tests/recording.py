"""Runs, outcomes and dead letters for tests of the store, made by the recording functions."""

from __future__ import annotations

import uuid
from array import array
from collections.abc import Iterable
from functools import partial
from typing import Any

from producer_agent.delivery.profiles import Profile
from producer_agent.store import deliveries, runs
from producer_agent.store.clock import now_us
from producer_agent.store.dead_letters import Letter
from producer_agent.store.deliveries import OutcomeBatch, UndeliveredEvent
from producer_agent.store.reader import Reader
from producer_agent.store.runs import RunRow
from producer_agent.store.writer import Writer


def profile(name: str = "orders", topic: str = "orders", **producer: Any) -> Profile:
    """A profile of 200 events a second; ``workload`` overrides its load, the rest its producer."""
    workload = {"topic": topic, "rate_per_s": 200, "partitions": 2, **producer.pop("workload", {})}
    return Profile.from_mapping({"name": name, "producer": producer, "workload": workload})


def begin_run(
    writer: Writer, name: str = "orders", acks: str = "all", run_uuid: str | None = None
) -> RunRow:
    """A run on a cluster called ``test``."""
    cluster = register_cluster(writer)
    return writer.call(
        partial(
            runs.begin_run,
            uuid=run_uuid or uuid.uuid4().hex,
            profile=name,
            acks=acks,
            body="{}",
            cluster=cluster,
            topic="orders",
            watermarks=None,
        )
    )


def register_cluster(writer: Writer, cluster_id: str = "test") -> int:
    """Row id of a cluster."""
    return writer.call(
        partial(
            runs.register_cluster,
            cluster_id=cluster_id,
            kind="embedded",
            bootstrap_servers="127.0.0.1:1",
        )
    )


def report(
    sequence: int, *, sent_us: int | None = None, offset: int = -1, latency_s: float = 0.005
) -> list[float]:
    """One delivery report, flat."""
    return [sequence, now_us() if sent_us is None else sent_us, 0, offset, latency_s]


def failure(sequence: int, **values: Any) -> UndeliveredEvent:
    """An event that failed; any field may be given."""
    fields: dict[str, Any] = {
        "outcome": "failed",
        "topic": "orders",
        "partition": 0,
        "code": 19,
        "code_name": "NOT_ENOUGH_REPLICAS",
        "reason": "Broker: Not enough in-sync replicas",
        "stored": "no",
        "cause": "NOT_ENOUGH_REPLICAS",
        "sent_us": now_us(),
        "settled_us": now_us(),
        "dead_letter": True,
        "key": b"k",
        "value": b"v",
        "headers": (("h", b"1"),),
    }
    return UndeliveredEvent(sequence=sequence, **{**fields, **values})


def record(
    writer: Writer,
    run: RunRow,
    *,
    delivered: Iterable[int] = (),
    failed: Iterable[int | UndeliveredEvent] = (),
    accepted: int | None = None,
    outcome: str = "delivered",
    reports: Iterable[float] | None = None,
) -> None:
    """Record outcomes, and wait for the commit."""
    flat = array("d", reports or [])
    sequences = list(delivered)
    for sequence in sequences:
        flat.extend(report(sequence))
    events = [failure(event) if isinstance(event, int) else event for event in failed]
    if accepted is None:
        accepted = max([*sequences, *(event.sequence for event in events), -1]) + 1
    writer.call(
        partial(
            deliveries.record,
            batch=OutcomeBatch(
                run=run.id,
                series=run.series,
                outcome=outcome,
                accepted=accepted,
                reports=flat,
                undelivered=events,
            ),
        )
    )


def letter(offset: int = 0, **values: Any) -> Letter:
    """A dead letter that no convention claims; any field may be given."""
    fields: dict[str, Any] = {
        "topic": "dead",
        "topic_id": "",
        "partition": 0,
        "timestamp_ms": 1_700_000_000_000,
        "key": b"k",
        "value": b"v",
        "headers": (),
        "convention": "unknown",
        "side": "unknown",
        "fingerprint": "v1:0123456789abcdef",
        "fingerprint_version": 1,
        "times_replayed": 0,
        "cause_title": "no reason told",
    }
    nullable = (
        "original_topic original_partition original_offset original_timestamp_ms original_key "
        "error_class error_code error_message may_be_stored profile run_uuid sequence letter_id "
        "replay_id consumer_group connector"
    )
    return Letter(offset=offset, **{**dict.fromkeys(nullable.split()), **fields, **values})


def rows(reader: Reader, sql: str, *values: Any) -> list[Any]:
    """All rows of a query; bare values where it has one column."""
    found = reader(lambda db: db.execute(sql, list(values)).fetchall())
    return [row[0] if len(row) == 1 else row for row in found]


def assert_one_outcome_each(reader: Reader, run_uuid: str) -> dict[str, int]:
    """Every accepted sequence of an ended run has exactly one outcome, and the rollups say so too.

    Returns how many there are of each outcome.
    """
    ((accepted, settled, ended, series_profile, acks),) = reader(
        lambda db: db.execute(
            "SELECT accepted, settled, ended_us, profile, acks FROM runs WHERE uuid = ?", [run_uuid]
        ).fetchall()
    )
    assert ended is not None, "the run is not ended"
    outcomes = rows(reader, "SELECT sequence, outcome FROM deliveries WHERE run = ?", run_uuid)
    sequences = sorted(sequence for sequence, _ in outcomes)
    assert sequences == list(range(accepted)), (
        f"{accepted} accepted, {len(sequences)} outcomes, {len(set(sequences))} distinct"
    )
    assert settled == accepted
    counted: dict[str, int] = {}
    for _, outcome in outcomes:
        counted[outcome] = counted.get(outcome, 0) + 1
    of_profile = rows(
        reader,
        "SELECT outcome, count(*) FROM deliveries WHERE profile = ? AND acks = ? GROUP BY outcome",
        series_profile,
        acks,
    )
    names = ("delivered", "unconfirmed", "failed", "rejected", "unresolved")
    expected = [dict(of_profile).get(name, 0) for name in names]
    for resolution in (1, 10, 60, 600, 3600):
        (rolled,) = rows(
            reader,
            f"SELECT {', '.join(f'coalesce(sum({name}), 0)' for name in names)} FROM rollups "
            "JOIN series s ON s.id = series "
            "WHERE resolution = ? AND s.profile = ? AND s.acks = ?",
            resolution,
            series_profile,
            acks,
        )
        assert list(rolled) == expected, f"rollups of {resolution} s disagree with the rows"
    return counted
