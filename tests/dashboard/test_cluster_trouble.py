"""The Cluster page on a lab in trouble: what is the matter, since when, what to do, and clear."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from streamlit.testing.v1 import AppTest

from producer_agent.store.cluster_changes import Change
from producer_agent.store.database import open_database
from tests.dashboard import cluster_seed, seed
from tests.dashboard.answering import acknowledge, answering
from tests.dashboard.cluster_seed import diagnosed, gone, lab_faults, topic
from tests.dashboard.conftest import OpenPage, texts

PAGE = "views/cluster.py"


def frame(app: AppTest, column: str) -> Any:
    return next(f.value for f in app.dataframe if column in f.value.columns)


def buttons(app: AppTest) -> set[str]:
    return {str(button.key) for button in app.button}


def test_two_stopped_nodes_are_told_with_what_to_do_and_clear_when_they_are_back(
    empty: Path, open_page: OpenPage
) -> None:
    stopped = [{"kind": "node_stopped", "node": node} for node in (2, 3)]
    faults = tuple({**fault, "topic": None, "since_us": 0} for fault in stopped)
    cluster_seed.write(
        empty,
        topics=[topic("task-events", (1,), partitions=12), topic("whole")],
        here=(1,),
        changes=gone(2, 3),
        faults=lab_faults(*stopped, node_2="stopped", node_3="stopped"),
        diagnoses=[diagnosed("task-events", 1, faults=faults, kind="lab")],
    )
    app = open_page(PAGE)
    assert not app.exception
    said = texts(app)
    assert "Brokers 2 and 3 have been gone for 3 min: 12 of 12 partitions of `task-events`" in said
    assert "What is the matter" in said
    assert "1 of 3 replicas in sync, 2 needed" in said.replace("\\", "")
    assert "acks=1 works" in said.replace("\\", "").replace("\u2060", "")
    assert "What to do, the safest first" in said
    assert any("min.insync.replicas=1" in code.value for code in app.code)
    assert "facts of 1 s ago" in said or "facts of 2 s ago" in said
    assert list(frame(app, "Leads")["State"]) == [
        "gone for 3 min, stopped",
        "gone for 3 min, stopped",
        "here",
    ]
    partitions = frame(app, "Missing")
    assert set(partitions["Missing"]) == {"2, 3"}
    assert len(partitions) == 12
    with answering(empty, acknowledge) as taken:
        app.button(key="diagnosis-task-events-option-1-undo").click().run()
        app.button(key="fault-node_stopped-undo-3").click().run()
    assert [(command.kind, command.arguments) for command in taken] == [
        ("fault.undo", {"kind": "node_stopped", "node": 2}),
        ("fault.undo", {"kind": "node_stopped", "node": 3}),
    ]

    back = [Change("broker_joined", broker=broker, detail={"address": "a:1"}) for broker in (2, 3)]
    cluster_seed.write(
        empty,
        topics=[topic("task-events", partitions=12), topic("whole")],
        changes=back,
        changed_ago_s=1,
        faults=lab_faults(),
    )
    app.run()
    assert not app.exception
    said = texts(app)
    assert "Yes: 3 brokers answer, and all 2 topics" in said
    assert "What is the matter" not in said


def test_a_nodes_loss_is_shown_before_it_and_is_one_press(empty: Path, open_page: OpenPage) -> None:
    cluster_seed.write(empty, topics=[topic("thin", (1, 2))], faults=lab_faults())
    app = open_page(PAGE)
    assert not app.exception
    captions = [caption.value for caption in app.caption]
    assert sum("acks=all fails on `thin`" in caption for caption in captions) == 2
    assert "Ends in `NOT_ENOUGH_REPLICAS`" in texts(app)
    with answering(empty, acknowledge) as taken:
        for kind in ("stopped", "killed", "paused"):
            app.button(key=f"fault-node_{kind}-inject-2").click().run()
        app.button(key="fault-topic_denied-inject").click().run()
        app.selectbox(key="fault-size_limit-topic").set_value("thin").run()
        app.button(key="fault-size_limit-inject").click().run()
    assert not app.exception
    assert [command.arguments for command in taken] == [
        {"kind": "node_stopped", "node": 2},
        {"kind": "node_killed", "node": 2},
        {"kind": "node_paused", "node": 2},
        {"kind": "topic_denied", "topic": "thin"},
        {"kind": "size_limit", "topic": "thin"},
    ]


def test_a_node_that_others_stopped_is_told_so_and_the_majority_is_warned_of(
    empty: Path, open_page: OpenPage
) -> None:
    found = {"kind": "node_stopped", "node": 3, "injected": False}
    cluster_seed.write(
        empty,
        topics=[topic("a", (1, 2))],
        here=(1, 2),
        faults=lab_faults(found, node_3="stopped"),
    )
    app = open_page(PAGE)
    assert not app.exception
    assert "by other hands" in texts(app)
    assert sum("lose their majority" in caption.value for caption in app.caption) == 2
    assert "fault-node_stopped-undo-3" in buttons(app)
    assert "fault-node_stopped-inject-3" not in buttons(app)


def test_the_history_is_told_in_words_and_narrowed_by_the_url(
    empty: Path, open_page: OpenPage
) -> None:
    changes = [
        Change("watch_began", detail={"brokers": [1, 2, 3]}),
        *gone(2),
        Change("leaders_changed", None, "a", 2, {"moves": {"2 > 3": [0, 3]}}),
        Change("isr_shrank", None, "b", 1, {"moves": {"1,3 > 1": [5]}}),
        Change("setting_changed", None, "b", None, {"name": "x", "before": "1", "after": "2"}),
    ]
    cluster_seed.write(empty, topics=[topic("a"), topic("b")], changes=changes)
    app = open_page(PAGE)
    assert not app.exception
    assert list(frame(app, "What changed")["What changed"]) == [
        "x from 1 to 2",
        "1 partition, in sync, fewer: 5 from 1+3 to 1",
        "2 partitions, leader: 0, 3 from 2 to 3",
        "Broker 2 left (10.0.0.2:9092)",
        "Watching began with brokers 1, 2, 3",
    ]
    app = open_page(PAGE, about="a")
    assert list(frame(app, "What changed")["About"]) == ["a", "broker 2", "the cluster"]
    assert "Nothing is the matter with `a` now" in texts(app)
    app = open_page(PAGE, broker="2")
    assert list(frame(app, "What changed")["About"]) == ["a", "broker 2", "the cluster"]
    app = open_page(PAGE, about="never-heard-of", broker="17")
    assert not app.exception


def test_the_topic_that_is_asked_about_comes_first(empty: Path, open_page: OpenPage) -> None:
    cluster_seed.write(
        empty,
        topics=[topic("a", (1,)), topic("b", (1, 2))],
        diagnoses=[diagnosed("a", 1), diagnosed("b", 1, 2)],
        left_out=3,
    )
    for about, first in (({}, "a"), ({"about": "b"}, "b")):
        app = open_page(PAGE, **about)
        assert not app.exception
        opened = [e for e in app.expander if e.label == "Why, and what to do"]
        assert [bool(e.proto.expanded) for e in opened] == [True, False]
        said = texts(app)
        other = "b" if first == "a" else "a"
        assert said.index(f"\n`{first}`\n") < said.index(f"\n`{other}`\n")
    assert "3 more topics with which something is the matter" in said


def test_hostile_text_of_a_diagnosis_is_shown_as_data(empty: Path, open_page: OpenPage) -> None:
    name = "a*b*<b>:red[x]"
    cluster_seed.write(empty, topics=[topic(name, (1,))], diagnoses=[diagnosed(name, 1)])
    app = open_page(PAGE)
    assert not app.exception
    for markdown in app.markdown:
        assert "*b*<b>" not in markdown.value.replace(f"`{name}`", "")


def test_a_cluster_that_nobody_reaches_shows_its_topics_as_last_seen(
    empty: Path, open_page: OpenPage
) -> None:
    from producer_agent.store import cluster_changes
    from producer_agent.store.cluster_changes import PartitionState

    cluster_seed.write(
        empty, reachable=False, here=(), error="refused", changes=gone(1, 2, 3), faults=lab_faults()
    )
    db = open_database(empty)
    with db.atomic():
        cluster_changes.add_states(db, 1, 5, [PartitionState("a", 0, 2, (2, 3), (1, 2, 3))])
    db.close()
    app = open_page(PAGE)
    assert not app.exception
    assert "No broker answers, so nothing can be stored" in texts(app)
    assert list(frame(app, "Missing")["Topic"]) == ["a"]
    assert {"1", "2", "3"} == set(frame(app, "Leads")["Broker"])


def test_a_silent_agents_diagnosis_is_said_to_be_old(empty: Path, open_page: OpenPage) -> None:
    cluster_seed.write(empty, topics=[topic("a")], diagnoses=[diagnosed("a", 1)])
    db = open_database(empty)
    with db.atomic():
        seed.put_agent(db, silent_s=90)
        db.execute("UPDATE facts SET at_us = at_us - 90000000 WHERE name = 'diagnosis'")
    db.close()
    app = open_page(PAGE)
    assert not app.exception
    assert "nobody has looked since" in texts(app)


def test_thousands_of_partitions_are_counted_and_the_worst_are_listed(
    empty: Path, open_page: OpenPage
) -> None:
    sick = [topic(f"sick-{n:03}", (1, 2), partitions=20) for n in range(150)]
    cluster_seed.write(empty, topics=[*sick, *(topic(f"well-{n:03}") for n in range(300))])
    app = open_page(PAGE)
    assert not app.exception
    said = texts(app)
    assert "3,000 of 3,000 partitions of `sick-000`, `sick-001`, `sick-002` and 147 more" in said
    assert "And 50 more topics that are not whole." in said
    assert "And 2,900 more partitions that are not whole." in said
    assert "And 100 more healthy topics." in said
    assert max(len(f.value) for f in app.dataframe) <= 200
