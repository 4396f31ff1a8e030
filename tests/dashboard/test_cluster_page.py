from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from producer_agent.kafka.faults import FAULTS
from producer_agent.store import facts, jobs
from producer_agent.store.clock import now_us
from producer_agent.store.database import open_database
from producer_agent.store.queries.cluster import database_state
from tests.dashboard import seed
from tests.dashboard.answering import acknowledge, answering
from tests.dashboard.conftest import OpenPage, texts

PAGE = "views/cluster.py"


@pytest.fixture
def seeded(database: Path) -> Path:
    """Half a minute of sending is enough here."""
    seed.fill(database, seconds=30)
    return database


def fault_fact(*active: tuple[str, str | None]) -> dict[str, Any]:
    """The fact ``faults`` of an embedded cluster with these in force."""
    return {
        "available": [
            {
                "kind": kind.value,
                "title": fault.title,
                "effect": fault.effect,
                "expected_code": "_MSG_TIMED_OUT",
                "needs_topic": fault.needs_topic,
            }
            for kind, fault in FAULTS.items()
        ],
        "active": [
            {"kind": kind, "topic": topic, "since_us": now_us() - 9_000_000}
            for kind, topic in active
        ],
        "unavailable_because": None,
    }


def put(path: Path, **bodies: Any) -> None:
    """Replace facts."""
    db = open_database(path)
    with db.atomic():
        for name, body in bodies.items():
            facts.put(db, name, body)
    db.close()


def put_cluster(path: Path, **changes: Any) -> None:
    db = open_database(path)
    with db.atomic():
        seed.put_cluster(db, topics=["orders"], **changes)
    db.close()


def topic(name: str, leader: int | None, in_sync: list[int], least: int | None) -> dict[str, Any]:
    return {
        "name": name,
        "internal": False,
        "min_insync_replicas": least,
        "partitions": [{"id": 0, "leader": leader, "replicas": [1, 2, 3], "isrs": in_sync}],
    }


def test_a_whole_cluster_is_told_so_with_its_brokers_and_topics(
    seeded: Path, open_page: OpenPage
) -> None:
    put(seeded, faults=fault_fact())
    app = open_page(PAGE)
    assert not app.exception
    said = texts(app)
    assert "3 brokers answer, and all 3 topics have a leader" in said
    assert "does not replicate" in said
    assert "compare nothing" in said
    assert "127.0.0.1:41001" in said
    frames = [frame.value for frame in app.dataframe]
    assert list(next(f for f in frames if "Leads" in f.columns)["Role"]) == ["controller", "", ""]
    topics = next(f for f in frames if "Fewest in sync" in f.columns)
    assert set(topics["State"]) == {"in sync"}


@pytest.mark.parametrize(
    ("topics", "answer"),
    [
        (
            [topic("a", 1, [1, 2, 3], 2), topic("b", 1, [1], 2), topic("c", None, [], 2)],
            "1 of 1 partition of `c` is without a leader",
        ),
        (
            [topic("a", 1, [1, 2, 3], 2), topic("b", 1, [1], 2)],
            "1 of 1 partition of `b` is under its min",
        ),
        ([topic("a", 1, [1, 2], 2)], "partition of `a` lacks a replica; every acks"),
        ([], "there is no topic yet"),
    ],
)
def test_the_answer_is_the_worst_that_a_topic_has(
    seeded: Path, open_page: OpenPage, topics: list[dict[str, Any]], answer: str
) -> None:
    db = open_database(seeded)
    with db.atomic():
        seed.put_cluster(db, kind="real")
        fact = facts.get(db, "cluster")
        assert fact is not None
        facts.put(db, "cluster", fact.body | {"topics": topics})
    db.close()
    app = open_page(PAGE)
    assert not app.exception
    assert answer in texts(app)
    assert "compare nothing" not in "".join(caption.value for caption in app.main.caption)


def test_problems_of_topics_are_shown_with_their_mend_as_data(
    seeded: Path, open_page: OpenPage
) -> None:
    problem = {
        "topic": "or*ders*",
        "message": "it has 1 partition, 6 were asked for",
        "mend": "Run `kafka-topics.sh --alter`.",
        "severity": "warning",
    }
    put_cluster(seeded, problems=[problem])
    app = open_page(PAGE)
    assert not app.exception
    said = texts(app)
    assert "6 were asked for" in said
    assert "or*ders*" not in said
    assert "or\\*ders\\*" in said


def test_a_fault_is_injected_and_undone_with_one_press(seeded: Path, open_page: OpenPage) -> None:
    put(seeded, faults=fault_fact())
    app = open_page(PAGE)
    assert app.button(key="faults-undo-all").disabled
    with answering(seeded, acknowledge) as taken:
        app.button(key="fault-brokers_down-inject").click().run()
        app.selectbox(key="fault-unknown_topic-topic").set_value("task-events").run()
        app.button(key="fault-unknown_topic-inject").click().run()
        put(seeded, faults=fault_fact(("brokers_down", None), ("unknown_topic", "task-events")))
        app.run()
        assert "2 in force" in texts(app)
        keys = {button.key for button in app.button}
        assert "fault-brokers_down-inject" not in keys
        assert "task-events" not in app.selectbox(key="fault-unknown_topic-topic").options
        app.button(key="fault-brokers_down-undo-").click().run()
        app.button(key="fault-unknown_topic-undo-task-events").click().run()
        app.button(key="faults-undo-all").click().run()
    assert not app.exception
    assert [(command.kind, command.arguments) for command in taken] == [
        ("fault.inject", {"kind": "brokers_down"}),
        ("fault.inject", {"kind": "unknown_topic", "topic": "task-events"}),
        ("fault.undo", {"kind": "brokers_down"}),
        ("fault.undo", {"kind": "unknown_topic", "topic": "task-events"}),
        ("fault.undo_all", {}),
    ]


def test_faults_can_be_undone_while_no_broker_answers(seeded: Path, open_page: OpenPage) -> None:
    put_cluster(seeded, reachable=False, error="Connection refused", brokers=[])
    put(seeded, faults=fault_fact(("brokers_down", None)))
    app = open_page(PAGE)
    assert not app.exception
    assert "No broker answers" in texts(app)
    assert app.button(key="fault-brokers_down-undo-")
    assert not app.button(key="faults-undo-all").disabled


def test_a_real_cluster_says_why_there_are_no_faults(seeded: Path, open_page: OpenPage) -> None:
    put_cluster(seeded, kind="real")
    none = {"available": [], "active": [], "unavailable_because": "Embedded cluster only."}
    put(seeded, faults=none)
    app = open_page(PAGE)
    assert not app.exception
    assert "Embedded cluster only" in texts(app).replace("\\", "")
    assert not [button for button in app.button if (button.key or "").startswith("fault-")]


def test_jobs_and_the_database_are_at_the_bottom(seeded: Path, open_page: OpenPage) -> None:
    db = open_database(seeded)
    with db.atomic():
        jobs.note(db, "retention", "done", None)
        jobs.note(db, "tidy", "failed", "disk full")
        jobs.note(db, "tidy", "failed", "disk full")
    state = database_state(db)
    db.close()
    assert state.open_runs == state.runs == 3
    assert state.size_bytes > 100_000
    app = open_page(PAGE)
    assert not app.exception
    table = next(f.value for f in app.dataframe if "Job" in f.value.columns)
    assert list(table["Job"]) == ["tidy", "retention"]
    assert list(table["Outcome"]) == ["failed, 2 in a row", "done"]
    assert str(seeded) in texts(app)


def test_without_a_database_a_cluster_or_an_agent_the_page_stands(
    database: Path, open_page: OpenPage
) -> None:
    app = open_page(PAGE)
    assert not app.exception
    assert "there is no database" in texts(app)
    open_database(database).close()
    app = open_page(PAGE)
    assert not app.exception
    assert "No cluster was seen yet" in texts(app)
    seed.fill(database, seconds=30)
    db = open_database(database)
    with db.atomic():
        seed.put_agent(db, silent_s=60)
    db.close()
    app = open_page(PAGE)
    assert not app.exception
    assert "agent is silent" in texts(app)
