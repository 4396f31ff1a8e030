"""Clusters in trouble, as the agent records them: facts, history, a lab's faults, a diagnosis."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from producer_agent.advice.diagnosis.diagnose import diagnose
from producer_agent.advice.diagnosis.diagnosis import Diagnosis
from producer_agent.kafka.lab_fault_catalogue import catalogue
from producer_agent.store import cluster_changes, facts, runs
from producer_agent.store.clock import now_us
from producer_agent.store.cluster_changes import Change
from producer_agent.store.database import open_database
from tests.advice.diagnosis import builders
from tests.dashboard import seed

ALL = (1, 2, 3)


def topic(
    name: str, isrs: Sequence[int] = ALL, *, partitions: int = 4, least: int | None = 2
) -> dict[str, Any]:
    """Of the fact ``cluster``; leaders take turns among those in sync."""
    return {
        "name": name,
        "internal": name.startswith("__"),
        "min_insync_replicas": least,
        "partitions": [
            {
                "id": at,
                "leader": isrs[at % len(isrs)] if isrs else None,
                "replicas": list(ALL),
                "isrs": list(isrs),
            }
            for at in range(partitions)
        ],
    }


def lab_faults(*active: dict[str, Any], **states: str) -> dict[str, Any]:
    """The fact ``faults`` of a lab; ``node_2="stopped"`` for a node that does not run."""
    return {
        "available": catalogue(),
        "active": [
            {"topic": None, "node": None, "since_us": now_us() - 9_000_000, "injected": True} | one
            for one in active
        ],
        "nodes": [
            {"id": n, "port": 9090 + n, "pid": 100 + n, "state": states.get(f"node_{n}", "running")}
            for n in ALL
        ],
        "unavailable_because": None,
    }


def gone(*brokers: int) -> list[Change]:
    """That these brokers left."""
    return [
        Change("broker_left", broker=broker, detail={"address": f"10.0.0.{broker}:9092"})
        for broker in brokers
    ]


def diagnosed(topic: str, *isrs: int, code: str | None = None, **changes: Any) -> Diagnosis:
    """What the engine makes of a topic with these replicas in sync, of one second ago."""
    live = builders.live(
        view=builders.view((isrs[0], isrs), brokers=isrs),
        brokers=builders.brokers(*isrs),
        **changes,
    )
    return replace(diagnose(live, code), topic=topic, at_us=now_us() - 1_000_000)


def write(
    path: Path,
    *,
    topics: Sequence[Mapping[str, Any]] = (),
    here: Sequence[int] = ALL,
    changes: Sequence[Change] = (),
    changed_ago_s: float = 180,
    faults: Mapping[str, Any] | None = None,
    diagnoses: Sequence[Diagnosis] = (),
    left_out: int = 0,
    **cluster: Any,
) -> None:
    """Write all of it, replacing the facts; a cluster of the kind ``lab`` unless told."""
    db = open_database(path)
    with db.atomic():
        row = runs.register_cluster(db, "seeded-cluster", "lab", "10.0.0.1:9092")
        at_us = now_us() - int(changed_ago_s * 1e6)
        cluster_changes.add_changes(db, row, at_us, at_us - 2_000_000, changes)
        body: dict[str, Any] = {
            "kind": "lab",
            "brokers": [{"id": n, "host": f"10.0.0.{n}", "port": 9092} for n in here],
            **cluster,
        }
        seed.put_cluster(db, **body)
        fact = facts.get(db, "cluster")
        assert fact is not None
        facts.put(db, "cluster", fact.body | {"topics": list(topics)})
        seed.put_agent(db)
        if faults is not None:
            facts.put(db, "faults", dict(faults))
        document = {
            "diagnoses": [found.to_json() for found in diagnoses],
            "topics_left_out": left_out,
            "took_ms": 3,
        }
        facts.put(db, "diagnosis", document)
    db.close()
