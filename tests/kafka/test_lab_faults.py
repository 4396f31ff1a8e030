"""The lab's faults: noted before they are done, undone by one call, also by the next session."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

import pytest
from confluent_kafka import KafkaError

from producer_agent.kafka.lab import Lab, LabError, LabStatus, NodeStatus
from producer_agent.kafka.lab.processes import ProcessState
from producer_agent.kafka.lab_fault_catalogue import LAB_FAULTS, LabFaultKind, catalogue
from producer_agent.kafka.lab_faults import NOTE, FaultRefused, LabFaultInjector
from producer_agent.kafka.topic_restraint import RestraintRefused, TopicRestraint

STOPPED, KILLED, PAUSED = (
    LabFaultKind.NODE_STOPPED,
    LabFaultKind.NODE_KILLED,
    LabFaultKind.NODE_PAUSED,
)


class FakeLab:
    """Three nodes that do at once what they are told, and write down what that was."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.states: dict[int, ProcessState] = dict.fromkeys((1, 2, 3), "running")
        self.done: list[tuple[str, int]] = []
        self.refuses: str | None = None

    def status(self) -> LabStatus:
        nodes = (NodeStatus(n, 9000 + n, None, state) for n, state in self.states.items())
        return LabStatus("here:1", tuple(nodes))

    def start(self, number: int) -> None:
        self._do("start", number, "running")

    def stop(self, number: int) -> None:
        self._do("stop", number, "stopped")

    def kill(self, number: int) -> None:
        self._do("kill", number, "stopped")

    def pause(self, number: int) -> None:
        self._do("pause", number, "paused")

    def resume(self, number: int) -> None:
        self._do("resume", number, "running")

    def _do(self, action: str, number: int, state: ProcessState) -> None:
        self.done.append((action, number))
        if self.refuses == action:
            raise LabError(f"node {number} would not {action}")
        self.states[number] = state


class FakeRestraint:
    """A topic with a limit of its own, and what was done to it."""

    def __init__(self, lab: FakeLab) -> None:
        self._lab = lab
        self.done: list[tuple[Any, ...]] = []
        self.times_out = False

    def before(self, topic: str, _kind: str) -> dict[str, Any]:
        return {"limit": "5000", "has_acls": False}

    def deny(self, topic: str, before: Mapping[str, Any]) -> None:
        self.done.append(("deny", topic, dict(before)))
        if self.times_out:
            raise RestraintRefused("it was done, and the answer was lost")

    def allow(self, topic: str, before: Mapping[str, Any]) -> None:
        if list(self._lab.states.values()).count("running") < 2:
            raise RestraintRefused("no controller answers")
        self.done.append(("allow", topic, dict(before)))

    def limit(self, topic: str, size: int) -> None:
        self.done.append(("limit", topic, size))

    def unlimit(self, topic: str, before: Mapping[str, Any]) -> None:
        self.done.append(("unlimit", topic, dict(before)))


@pytest.fixture
def lab(tmp_path: Path) -> FakeLab:
    return FakeLab(tmp_path)


@pytest.fixture
def restraint(lab: FakeLab) -> FakeRestraint:
    return FakeRestraint(lab)


def injector(lab: FakeLab, restraint: FakeRestraint) -> LabFaultInjector:
    """As an agent makes it when it starts."""
    return LabFaultInjector(cast(Lab, lab), cast(TopicRestraint, restraint))


def noted(lab: FakeLab) -> list[tuple[str, str | None, int | None]]:
    faults = json.loads((lab.home / NOTE).read_text())
    return [(fault["kind"], fault["topic"], fault["node"]) for fault in faults]


@pytest.mark.parametrize(
    ("kind", "done", "undone"),
    [(STOPPED, "stop", "start"), (KILLED, "kill", "start"), (PAUSED, "pause", "resume")],
)
def test_a_node_is_brought_down_and_back_by_one_call_each(
    lab: FakeLab, restraint: FakeRestraint, kind: LabFaultKind, done: str, undone: str
) -> None:
    faults = injector(lab, restraint)
    active = faults.inject(kind, node=2)
    assert faults.active() == (active,)
    assert (active.kind, active.node, active.topic, active.injected) == (kind, 2, None, True)
    assert noted(lab) == [(kind, None, 2)]
    assert faults.undo(kind, node=2) == (active,)
    assert lab.done == [(done, 2), (undone, 2)]
    assert faults.active() == ()
    assert noted(lab) == []


def test_a_topic_gets_back_what_it_had(lab: FakeLab, restraint: FakeRestraint) -> None:
    faults = injector(lab, restraint)
    faults.inject(LabFaultKind.TOPIC_DENIED, topic="t")
    faults.inject(LabFaultKind.SIZE_LIMIT, topic="t")
    assert len(faults.undo_all()) == 2
    before = {"limit": "5000", "has_acls": False}
    assert restraint.done == [
        ("deny", "t", before),
        ("limit", "t", 200),
        ("allow", "t", before),
        ("unlimit", "t", before),
    ]


def test_the_next_session_undoes_what_a_killed_one_left_nodes_first(
    lab: FakeLab, restraint: FakeRestraint
) -> None:
    killed = injector(lab, restraint)
    killed.inject(LabFaultKind.TOPIC_DENIED, topic="t")
    killed.inject(STOPPED, node=1)
    killed.inject(KILLED, node=3)
    faults = injector(lab, restraint)
    assert {fault.kind for fault in faults.active()} == {"topic_denied", STOPPED, KILLED}
    assert len(faults.undo_left_behind()) == 3
    assert set(lab.states.values()) == {"running"}
    assert restraint.done[-1][0] == "allow"
    assert noted(lab) == []


def test_a_node_that_other_hands_stopped_is_listed_and_started_only_when_asked(
    lab: FakeLab, restraint: FakeRestraint
) -> None:
    faults = injector(lab, restraint)
    lab.pause(3)
    (found,) = faults.active()
    assert (found.kind, found.node, found.injected) == (PAUSED, 3, False)
    assert faults.active()[0].since_us == found.since_us
    faults.close()
    assert lab.done == [("pause", 3)]
    assert faults.undo(PAUSED, node=3) == (found,)
    assert lab.done == [("pause", 3), ("resume", 3)]


def test_a_node_that_other_hands_started_is_no_longer_in_force(
    lab: FakeLab, restraint: FakeRestraint
) -> None:
    faults = injector(lab, restraint)
    faults.inject(STOPPED, node=2)
    lab.states[2] = "running"
    assert faults.active() == ()
    faults.undo_all()
    assert lab.done == [("stop", 2)]
    assert noted(lab) == []


def test_a_fault_that_could_not_be_injected_leaves_no_note(
    lab: FakeLab, restraint: FakeRestraint
) -> None:
    lab.refuses = "stop"
    faults = injector(lab, restraint)
    with pytest.raises(LabError):
        faults.inject(STOPPED, node=2)
    assert faults.active() == ()
    assert noted(lab) == []


@pytest.mark.parametrize("mended", [True, False])
def test_a_denial_whose_answer_was_lost_is_taken_back_or_stays_to_be_undone(
    lab: FakeLab, restraint: FakeRestraint, mended: bool
) -> None:
    faults = injector(lab, restraint)
    restraint.times_out = True
    if not mended:
        lab.kill(1)
        lab.kill(2)
    with pytest.raises(RestraintRefused):
        faults.inject(LabFaultKind.TOPIC_DENIED, topic="t")
    assert [done[0] for done in restraint.done] == (["deny", "allow"] if mended else ["deny"])
    assert noted(lab) == ([] if mended else [("topic_denied", "t", None)])
    assert len(faults.undo_all()) == (0 if mended else 3)


def test_a_fault_that_could_not_be_undone_stays_in_force(
    lab: FakeLab, restraint: FakeRestraint
) -> None:
    faults = injector(lab, restraint)
    faults.inject(LabFaultKind.TOPIC_DENIED, topic="t")
    faults.inject(KILLED, node=1)
    lab.states[2] = "stopped"
    lab.refuses = "start"
    with pytest.raises(LabError):
        faults.undo_all()
    assert faults.undo_left_behind() == ()
    lab.refuses = None
    assert ("topic_denied", "t", None) in noted(lab)
    assert len(faults.undo_all()) == 3


@pytest.mark.parametrize(
    ("kind", "where", "words"),
    [
        (STOPPED, {}, "say which"),
        (LabFaultKind.SIZE_LIMIT, {"node": 1}, "say which"),
        (KILLED, {"node": 4}, "no node 4"),
    ],
)
def test_a_fault_without_its_place_is_refused_with_the_mend(
    lab: FakeLab,
    restraint: FakeRestraint,
    kind: LabFaultKind,
    where: dict[str, Any],
    words: str,
) -> None:
    with pytest.raises(FaultRefused, match=words):
        injector(lab, restraint).inject(kind, **where)
    assert lab.done == []


def test_a_node_that_is_down_already_is_not_brought_down_another_way(
    lab: FakeLab, restraint: FakeRestraint
) -> None:
    faults = injector(lab, restraint)
    faults.inject(STOPPED, node=1)
    with pytest.raises(FaultRefused, match="undo that first"):
        faults.inject(PAUSED, node=1)
    assert faults.inject(STOPPED, node=1) == faults.active()[0]
    assert lab.done == [("stop", 1)]


def test_a_note_that_cannot_be_read_does_not_keep_the_agent_from_starting(
    lab: FakeLab, restraint: FakeRestraint
) -> None:
    (lab.home / NOTE).write_text("{half")
    assert injector(lab, restraint).active() == ()


@pytest.mark.parametrize("kind", LabFaultKind)
def test_the_catalogue_tells_of_every_kind_what_a_user_will_see(kind: LabFaultKind) -> None:
    fault = LAB_FAULTS[kind]
    assert fault.effect.endswith(".")
    assert KafkaError(fault.expected_code).name() in fault.effect
    (listed,) = [each for each in catalogue() if each["kind"] == kind.value]
    assert listed["needs_node"] is not listed["needs_topic"]
