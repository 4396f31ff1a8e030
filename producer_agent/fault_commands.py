"""The commands that inject and undo faults: on the embedded cluster, or on the lab's nodes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from enum import StrEnum
from typing import Any, TypeVar

from producer_agent.kafka.cluster import Cluster
from producer_agent.kafka.faults import FaultKind
from producer_agent.kafka.lab_fault_catalogue import LabFaultKind
from producer_agent.kafka.lab_faults import FaultRefused, LabFaultInjector
from producer_agent.store.commands import CommandRow

Kind = TypeVar("Kind", bound=StrEnum)


class FaultCommands:
    """Carries out ``fault.inject``, ``fault.undo`` and ``fault.undo_all``.

    Args:
        cluster: Which faults there are.
        changed: Called after each change, for whoever acts faults out.
    """

    def __init__(self, cluster: Cluster, changed: Callable[[], None]) -> None:
        self._cluster = cluster
        self._changed = changed

    def inject(self, command: CommandRow) -> dict[str, Any]:
        """Put a fault in force; gives it as the fact ``faults`` lists it.

        Raises:
            FaultRefused, LabError, ValueError: it cannot be.
        """
        kind, topic, node = (
            command.arguments["kind"],
            command.arguments.get("topic"),
            _node(command),
        )
        lab = self._lab
        if lab is not None:
            fault = lab.inject(_kind(LabFaultKind, kind), topic=topic, node=node)
            return {
                "kind": fault.kind,
                "topic": fault.topic,
                "node": fault.node,
                "since_us": fault.since_us,
            }
        active = self._embedded().inject(_kind(FaultKind, kind), topic=topic)
        self._changed()
        return asdict(active)

    def undo(self, command: CommandRow) -> dict[str, Any]:
        """End a fault.

        Raises:
            FaultRefused, LabError: it cannot be.
        """
        kind, topic, node = (
            command.arguments["kind"],
            command.arguments.get("topic"),
            _node(command),
        )
        lab = self._lab
        if lab is not None:
            return {"undone": len(lab.undo(_kind(LabFaultKind, kind), topic=topic, node=node))}
        undone = self._embedded().undo(_kind(FaultKind, kind), topic=topic)
        self._changed()
        return {"undone": len(undone)}

    def undo_all(self, _command: CommandRow) -> dict[str, Any]:
        """End every fault.

        Raises:
            FaultRefused, LabError: one cannot be ended.
        """
        lab = self._lab
        if lab is not None:
            return {"undone": len(lab.undo_all())}
        undone = self._embedded().undo_all()
        self._changed()
        return {"undone": len(undone)}

    @property
    def _lab(self) -> LabFaultInjector | None:
        return self._cluster.lab_faults

    def _embedded(self) -> Any:
        if self._cluster.faults is None:
            raise FaultRefused(str(self._cluster.describe_faults()["unavailable_because"]))
        return self._cluster.faults


def _node(command: CommandRow) -> int | None:
    node = command.arguments.get("node")
    if node is None:
        return None
    if isinstance(node, bool) or not isinstance(node, int):
        raise FaultRefused(f"The node is {node!r}; give its number.")
    return node


def _kind(kinds: type[Kind], text: object) -> Kind:
    try:
        return kinds(str(text))
    except ValueError:
        known = ", ".join(kinds)
        raise FaultRefused(f"There is no fault {text!r} here. There are: {known}.") from None
