"""Faults of the lab: real nodes stopped, killed or paused, a topic denied, a size limit lowered.

Each is undone by one call. What is in force is written to ``faults.json`` in the lab's folder
before it is done, so that an agent that was killed leaves a note, and the next one undoes it.
Nodes are told by their processes alone: one that was stopped by other hands is listed too, and can
be started from here, yet is not started unasked.
"""

from __future__ import annotations

import json
import logging
import os
import threading
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any, Protocol

from producer_agent.kafka.lab import Lab, LabError, LabStatus
from producer_agent.kafka.lab_fault_catalogue import SIZE_LIMIT_BYTES, LabFaultKind, catalogue
from producer_agent.kafka.topic_restraint import RestraintRefused, TopicRestraint
from producer_agent.store.clock import now_us

log = logging.getLogger(__name__)

NOTE = "faults.json"


@dataclass(frozen=True, slots=True)
class ActiveLabFault:
    """A fault in force."""

    kind: LabFaultKind
    topic: str | None
    node: int | None
    since_us: int
    """When it was injected, or first seen."""
    injected: bool
    """From here; False: the node was found so."""
    before: Mapping[str, Any] | None = None
    """What to put back, as ``TopicRestraint`` told it."""


class FaultRefused(Exception):
    """The fault cannot be injected or undone; the text says why and what to do."""


class Nodes(Protocol):
    """The part of :class:`Lab` that is needed."""

    def status(self) -> LabStatus: ...  # noqa: D102
    def start(self, number: int) -> None: ...  # noqa: D102
    def stop(self, number: int) -> None: ...  # noqa: D102
    def kill(self, number: int) -> None: ...  # noqa: D102
    def pause(self, number: int) -> None: ...  # noqa: D102
    def resume(self, number: int) -> None: ...  # noqa: D102


class LabFaultInjector:
    """Injects and undoes the lab's faults. Safe to use from several threads.

    Args:
        lab: The nodes.
        restraint: Denies topics and limits them.
    """

    def __init__(self, lab: Lab, restraint: TopicRestraint) -> None:
        self._lab: Nodes = lab
        self._restraint = restraint
        self._note = lab.home / NOTE
        self._changing = threading.Lock()
        self._active = self._read_note()
        self._found: dict[int, int] = {}
        """When nodes that nobody stopped from here were first seen so."""

    def inject(
        self, kind: LabFaultKind, *, topic: str | None = None, node: int | None = None
    ) -> ActiveLabFault:
        """Put a fault in force and return once it is; one that is already is returned as it is.

        Raises:
            FaultRefused: it lacks its topic or node, the node is not running, or Kafka refuses.
            LabError: the node could not be stopped, killed or paused.
        """
        if kind.of_node and node is None:
            raise FaultRefused(f"{kind} acts on one node: say which, node=1, 2 or 3.")
        if not kind.of_node and not topic:
            raise FaultRefused(f"{kind} acts on one topic: say which, topic=...")
        topic, node = (None, node) if kind.of_node else (topic, None)
        with self._changing:
            there = self._find(kind, topic, node)
            if there is not None:
                return there
            if node is not None:
                self._require_running(node)
            fault = ActiveLabFault(kind, topic, node, now_us(), injected=True)
            if topic is not None:
                fault = replace(fault, before=self._restraint.before(topic, kind.value))
            # Noted first: of a note too many the undoing finds nothing to do.
            self._write_note([*self._active, fault])
            try:
                self._enforce(fault)
            except Exception:
                self._take_back(fault)
                raise
            return fault

    def undo(
        self, kind: LabFaultKind, *, topic: str | None = None, node: int | None = None
    ) -> tuple[ActiveLabFault, ...]:
        """End a fault; without a topic or a node, on all of them. Returns those that ended.

        Raises:
            FaultRefused, LabError, RestraintRefused: it could not be undone, and stays in the list.
        """
        return self._undo(
            lambda fault: (
                fault.kind == kind and topic in (None, fault.topic) and node in (None, fault.node)
            )
        )

    def undo_all(self) -> tuple[ActiveLabFault, ...]:
        """End every fault, also nodes that were stopped by other hands."""
        return self._undo(lambda fault: True)

    def undo_left_behind(self) -> tuple[ActiveLabFault, ...]:
        """End what a note says is in force and nobody injected in this session; for the start.

        What cannot be undone is logged and stays in the note.
        """
        try:
            return self._undo(lambda fault: fault.injected)
        except (FaultRefused, LabError, RestraintRefused) as error:
            log.error("a fault of an earlier session could not be undone: %s", error)
            return ()

    def active(self) -> tuple[ActiveLabFault, ...]:
        """What is in force, the oldest first: what was injected, and nodes that do not run."""
        states = {node.id: node.state for node in self._lab.status().nodes}
        noted = list(self._active)
        of_nodes = {fault.node for fault in noted if fault.node is not None}
        # A node that was started by other hands is no longer stopped, whatever the note says.
        in_force = [
            fault for fault in noted if fault.node is None or states.get(fault.node) != "running"
        ]
        for node, state in states.items():
            if state == "running":
                self._found.pop(node, None)
            elif node not in of_nodes:
                kind = LabFaultKind.NODE_PAUSED if state == "paused" else LabFaultKind.NODE_STOPPED
                since_us = self._found.setdefault(node, now_us())
                in_force.append(ActiveLabFault(kind, None, node, since_us, injected=False))
        return tuple(sorted(in_force, key=lambda fault: fault.since_us))

    def close(self) -> None:
        """End what was injected from here."""
        self.undo_left_behind()

    def describe(self) -> dict[str, Any]:
        """The catalogue and what is in force, as the fact ``faults``."""
        try:
            nodes = [asdict(node) for node in self._lab.status().nodes]
            active = self.active()
        except LabError as error:
            return {"available": [], "active": [], "nodes": [], "unavailable_because": str(error)}
        return {
            "available": catalogue(),
            "active": [
                {
                    "kind": fault.kind.value,
                    "topic": fault.topic,
                    "node": fault.node,
                    "since_us": fault.since_us,
                    "injected": fault.injected,
                }
                for fault in active
            ],
            "nodes": nodes,
            "unavailable_because": None,
        }

    def _undo(self, ends: Callable[[ActiveLabFault], bool]) -> tuple[ActiveLabFault, ...]:
        with self._changing:
            ending = [fault for fault in self.active() if ends(fault)]
            # Nodes first: what is asked of the cluster needs its controllers.
            ending.sort(key=lambda fault: (fault.node is None, fault.since_us))
            for fault in ending:
                self._lift(fault)
                self._write_note([other for other in self._active if not _same(other, fault)])
            # What was mended by other hands needs no undoing.
            current = self.active()
            self._write_note([f for f in self._active if any(_same(f, other) for other in current)])
            return tuple(ending)

    def _take_back(self, fault: ActiveLabFault) -> None:
        """After an error: it may have been done all the same, as a time-out does not tell.

        A node shows by itself whether it runs; of a topic it is undone, and stays noted where that
        fails too.
        """
        if fault.node is not None:
            done = self._state(fault.node) != "running"
        else:
            try:
                self._lift(fault)
                done = False
            except RestraintRefused as refused:
                log.warning("%s of %s may be in force: %s", fault.kind, fault.topic, refused)
                done = True
        if not done:
            self._write_note([other for other in self._active if not _same(other, fault)])

    def _enforce(self, fault: ActiveLabFault) -> None:
        match fault.kind:
            case LabFaultKind.NODE_STOPPED:
                self._lab.stop(_node(fault))
            case LabFaultKind.NODE_KILLED:
                self._lab.kill(_node(fault))
            case LabFaultKind.NODE_PAUSED:
                self._lab.pause(_node(fault))
            case LabFaultKind.TOPIC_DENIED:
                self._restraint.deny(_topic(fault), fault.before or {})
            case LabFaultKind.SIZE_LIMIT:
                self._restraint.limit(_topic(fault), SIZE_LIMIT_BYTES)

    def _lift(self, fault: ActiveLabFault) -> None:
        if fault.node is not None:
            if self._state(fault.node) == "paused":
                self._lab.resume(fault.node)
            else:
                self._lab.start(fault.node)
        elif fault.kind is LabFaultKind.TOPIC_DENIED:
            self._restraint.allow(_topic(fault), fault.before or {})
        else:
            self._restraint.unlimit(_topic(fault), fault.before or {})

    def _find(
        self, kind: LabFaultKind, topic: str | None, node: int | None
    ) -> ActiveLabFault | None:
        return next(
            (
                fault
                for fault in self.active()
                if (fault.kind, fault.topic, fault.node) == (kind, topic, node)
            ),
            None,
        )

    def _require_running(self, node: int) -> None:
        state = self._state(node)
        if state is None:
            raise FaultRefused(f"There is no node {node}; the nodes are 1, 2 and 3.")
        if state != "running":
            raise FaultRefused(f"Node {node} is {state} already: undo that first.")

    def _state(self, node: int) -> str | None:
        return next((each.state for each in self._lab.status().nodes if each.id == node), None)

    def _read_note(self) -> list[ActiveLabFault]:
        try:
            noted = json.loads(self._note.read_text(encoding="utf-8"))
            return [
                ActiveLabFault(**{**fault, "kind": LabFaultKind(fault["kind"])}) for fault in noted
            ]
        except FileNotFoundError:
            return []
        except (ValueError, TypeError, KeyError) as error:
            log.error("%s cannot be understood and is left alone: %s", self._note, error)
            return []

    def _write_note(self, faults: list[ActiveLabFault]) -> None:
        """Remember, on the disk and here; replaced in one step, so it is never half a file."""
        if faults != self._active or not self._note.exists():
            temporary = self._note.with_suffix(".tmp")
            text = json.dumps([asdict(fault) for fault in faults], indent=2)
            temporary.write_text(text, encoding="utf-8")
            os.replace(temporary, self._note)
        self._active = faults


def _same(one: ActiveLabFault, other: ActiveLabFault) -> bool:
    return (one.kind, one.topic, one.node) == (other.kind, other.topic, other.node)


def _node(fault: ActiveLabFault) -> int:
    if fault.node is None:
        raise FaultRefused(f"{fault.kind} needs a node.")
    return fault.node


def _topic(fault: ActiveLabFault) -> str:
    if fault.topic is None:
        raise FaultRefused(f"{fault.kind} needs a topic.")
    return fault.topic
