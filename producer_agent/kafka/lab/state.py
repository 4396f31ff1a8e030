"""`lab.json`: what the lab remembers between processes."""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from producer_agent.kafka.lab.errors import LabError
from producer_agent.kafka.lab.processes import ProcessId


@dataclass(frozen=True, slots=True)
class Node:
    """A node's number (1 to 3), its loopback ports, and its last process (it may be gone)."""

    id: int
    port: int
    internal_port: int
    controller_port: int
    process: ProcessId | None = None


@dataclass(frozen=True, slots=True)
class LabState:
    """One lab. `secret` is the password of the nodes among themselves."""

    cluster_id: str
    secret: str
    nodes: tuple[Node, ...]

    def node(self, number: int) -> Node:
        """The node with this number.

        Raises:
            LabError: there is none; the text names those there are.
        """
        for node in self.nodes:
            if node.id == number:
                return node
        *most, last = (str(node.id) for node in self.nodes)
        raise LabError(f"there is no node {number}; the nodes are {', '.join(most)} and {last}")

    def with_process(self, number: int, process: ProcessId | None) -> LabState:
        """A copy in which the node's last process is this one."""
        return replace(
            self,
            nodes=tuple(replace(n, process=process) if n.id == number else n for n in self.nodes),
        )


def load(path: Path) -> LabState | None:
    """The lab remembered in `path`; None if there is no such file.

    Raises:
        LabError: the file is not a lab's.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return None
    try:
        raw = json.loads(text)
        nodes = tuple(
            Node(
                id=int(n["id"]),
                port=int(n["port"]),
                internal_port=int(n["internal_port"]),
                controller_port=int(n["controller_port"]),
                process=None
                if n["process"] is None
                else ProcessId(int(n["process"]["pid"]), str(n["process"]["started"])),
            )
            for n in raw["nodes"]
        )
        return LabState(cluster_id=str(raw["cluster_id"]), secret=str(raw["secret"]), nodes=nodes)
    except (ValueError, KeyError, TypeError) as error:
        raise LabError(
            f"{path} cannot be understood ({type(error).__name__}: {error}): end the nodes that "
            f"still run (`pgrep -af kafka.Kafka`) and remove {path.parent} to start anew"
        ) from error


def save(path: Path, state: LabState) -> None:
    """Replace `path` in one step, so that a reader never sees half a file; for our eyes only."""
    temporary = path.with_suffix(f".{os.getpid()}.tmp")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        json.dump(asdict(state), file, indent=2)
        file.write("\n")
    os.replace(temporary, path)
