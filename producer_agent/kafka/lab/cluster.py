"""The lab: three Kafka nodes on loopback, to start, stop, kill and pause.

What the lab is lies in its home folder, not in an object, so that each command line call and
each test sees the same three nodes:

    home/lab.json            cluster id, ports, last process of each node
    home/nodes/N.properties  what node N was started with
    home/data/N/             what node N keeps
    home/logs/node-N.log     what node N says
"""

from __future__ import annotations

import signal
import time
from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

from producer_agent.kafka.lab.errors import LabError
from producer_agent.kafka.lab.file_lock import exclusive
from producer_agent.kafka.lab.jars import ensure_jars, find_java
from producer_agent.kafka.lab.launcher import Launcher
from producer_agent.kafka.lab.node_config import LOOPBACK
from producer_agent.kafka.lab.processes import ProcessState, send, state_of, wait_for
from producer_agent.kafka.lab.state import LabState, Node, load

NODE_COUNT = 3
_QUORUM = NODE_COUNT // 2 + 1

_LOCK_TIMEOUT_S = 120.0  # longer than the longest command, `up`
_POLL_S = 0.02
_SIGNAL_TIMEOUT_S = 5.0  # from a SIGKILL, SIGSTOP or SIGCONT to its effect


@dataclass(frozen=True, slots=True)
class NodeStatus:
    """One node: its number, its client port on 127.0.0.1, its pid (None when stopped)."""

    id: int
    port: int
    pid: int | None
    state: ProcessState


@dataclass(frozen=True, slots=True)
class LabStatus:
    """The lab now. With no lab in the home folder: no nodes and an empty address."""

    bootstrap_servers: str
    nodes: tuple[NodeStatus, ...]


class Lab:
    """Real Apache Kafka in `home`: three combined broker and controller nodes, 1 to 3.

    Every method may be called from any process; those that change something wait for one
    another, `status` never waits. `jars` is a folder with Kafka's jars; by default they are
    fetched when first needed (see `ensure_jars`).

    Raises:
        LabError: the path of `home` has a comma, at which Kafka would split it.
    """

    def __init__(self, home: Path, *, jars: Path | None = None) -> None:
        self.home = home.expanduser().resolve()
        if "," in str(self.home):
            raise LabError(f"Kafka keeps no data in {self.home}: take a path without a comma")
        self._jars = jars
        self._file = self.home / "lab.json"

    def __enter__(self) -> Self:
        self.up()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.down()

    @property
    def bootstrap_servers(self) -> str:
        """The addresses of all three nodes, for `bootstrap.servers`.

        Raises:
            LabError: there is no lab in this home yet.
        """
        return _addresses(self._state().nodes)

    def status(self) -> LabStatus:
        """How each node is, judged by its process alone.

        Raises:
            LabError: `lab.json` cannot be understood.
        """
        state = load(self._file)
        if state is None:
            return LabStatus(bootstrap_servers="", nodes=())
        nodes = []
        for node in state.nodes:
            now = state_of(node.process)
            pid = None if now == "stopped" or node.process is None else node.process.pid
            nodes.append(NodeStatus(id=node.id, port=node.port, pid=pid, state=now))
        return LabStatus(bootstrap_servers=_addresses(state.nodes), nodes=tuple(nodes))

    def up(self, timeout_s: float = 60.0) -> None:
        """Have all three nodes running and registered; makes the lab if there is none.

        Resumes what is paused, starts what is stopped, leaves alone what runs. If it fails, it
        stops the nodes that it started. `timeout_s` counts from the start of the nodes; fetching
        the jars and formatting, once, come before.

        Raises:
            LabError: Java or the jars are missing, a port is taken, a node died, or the nodes
                were not all registered within `timeout_s`.
        """
        launcher = self._launcher()
        with self._exclusive("bringing the lab up"):
            state = load(self._file) or launcher.create(NODE_COUNT)
            launcher.format(state)
            for node in state.nodes:
                send(node.process, signal.SIGCONT)
            missing = [n for n in state.nodes if state_of(n.process) == "stopped"]
            with self._undone_on_failure([n.id for n in missing]):
                for node in missing:
                    state = launcher.spawn(state, node)
                launcher.wait_registered(state, [n.id for n in state.nodes], timeout_s)

    def restore(self, timeout_s: float = 60.0) -> None:
        """Mend what was done to the lab: as `up`, but never makes a new lab.

        Raises:
            LabError: as `up`; also when there is no lab in this home yet.
        """
        self._state()
        self.up(timeout_s)

    def down(self, grace_s: float = 5.0) -> None:
        """Stop every node, paused ones too: SIGTERM, then SIGKILL to what cannot stop in order.

        That is what still runs after `grace_s`, or when the quorum is gone.

        The data stay, and `up` goes on from there. Nothing happens where there is no lab.

        Raises:
            LabError: a process outlived even SIGKILL.
        """
        if load(self._file) is None:
            return
        with self._exclusive("taking the lab down"):
            _stop_all(self._state().nodes, grace_s)

    def start(self, number: int, timeout_s: float = 60.0) -> None:
        """Start a stopped node; on return it is registered and answers.

        Where too few nodes run for a quorum (two of three) no node can register, so then it
        only sees to it that the process is there. A running node is left alone.

        Raises:
            LabError: no such node, it is paused, its port is taken, it died, or it was not
                registered within `timeout_s`.
        """
        self._state().node(number)  # a wrong number is told before Java is looked for
        launcher = self._launcher()
        with self._exclusive(f"starting node {number}"):
            state = self._state()
            node = state.node(number)
            now = state_of(node.process)
            if now == "paused":
                raise LabError(f"node {number} is paused, not stopped: resume it")
            if now == "running":
                return
            with self._undone_on_failure([number]):
                state = launcher.spawn(state, node)
                if _count_running(state.nodes) >= _QUORUM:
                    launcher.wait_registered(state, [number], timeout_s)

    def stop(self, number: int, timeout_s: float = 30.0) -> None:
        """Stop a node in order (SIGTERM): it hands its leaderships over first.

        A paused node is resumed for it; a stopped one is left alone.

        Raises:
            LabError: no such node, or it was still there after `timeout_s` (it cannot hand over
                while the quorum is lost).
        """
        with self._exclusive(f"stopping node {number}"):
            process = self._state().node(number).process
            send(process, signal.SIGTERM)
            send(process, signal.SIGCONT)
            if not wait_for([process], _is_stopped, timeout_s=timeout_s):
                raise LabError(
                    f"node {number} did not stop within {timeout_s:g} s: start or resume the "
                    "other nodes, so that it can hand over its partitions, or kill it"
                )

    def kill(self, number: int) -> None:
        """End a node at once (SIGKILL), as a crash does; a stopped one is left alone.

        Raises:
            LabError: no such node.
        """
        with self._exclusive(f"killing node {number}"):
            _kill([self._state().node(number)])

    def pause(self, number: int) -> None:
        """Freeze a node (SIGSTOP): its connections stay open and nothing is answered.

        Raises:
            LabError: no such node, or it is stopped.
        """
        self._freeze(number, signal.SIGSTOP, "paused")

    def resume(self, number: int) -> None:
        """Let a paused node go on (SIGCONT); a running one is left alone.

        Raises:
            LabError: no such node, or it is stopped.
        """
        self._freeze(number, signal.SIGCONT, "running")

    def _freeze(self, number: int, asked: signal.Signals, wanted: ProcessState) -> None:
        with self._exclusive(f"having node {number} {wanted}"):
            process = self._state().node(number).process
            if not send(process, asked):
                raise LabError(f"node {number} is stopped: start it first")
            if not wait_for([process], lambda now: now == wanted, timeout_s=_SIGNAL_TIMEOUT_S):
                now = state_of(process)
                raise LabError(
                    f"node {number} is {now}, not {wanted}, {_SIGNAL_TIMEOUT_S:g} s after "
                    f"{asked.name}: see its log in {self.home / 'logs'}"
                )

    def _launcher(self) -> Launcher:
        return Launcher(self.home, java=find_java(), jars=self._jars or ensure_jars())

    def _exclusive(self, doing: str) -> AbstractContextManager[None]:
        return exclusive(self.home / "lab.lock", timeout_s=_LOCK_TIMEOUT_S, doing=doing)

    def _state(self) -> LabState:
        state = load(self._file)
        if state is None:
            raise LabError(f"there is no lab in {self.home}: make one with `lab up`")
        return state

    @contextmanager
    def _undone_on_failure(self, numbers: Iterable[int]) -> Iterator[None]:
        """Kill these nodes if the block fails: no half-started lab is left behind."""
        try:
            yield
        except BaseException:
            _kill([self._state().node(number) for number in numbers])
            raise


def _addresses(nodes: Iterable[Node]) -> str:
    return ",".join(f"{LOOPBACK}:{node.port}" for node in nodes)


def _count_running(nodes: Iterable[Node]) -> int:
    return sum(state_of(node.process) == "running" for node in nodes)


def _is_stopped(state: ProcessState) -> bool:
    return state == "stopped"


def _stop_all(nodes: Iterable[Node], grace_s: float) -> None:
    nodes = list(nodes)
    for node in nodes:
        send(node.process, signal.SIGTERM)
        send(node.process, signal.SIGCONT)  # a paused process takes no SIGTERM
    # Without a quorum the rest cannot hand over their partitions and would only wait for it. Kafka
    # is made for a node's sudden end, and here nobody is left to notice.
    deadline = time.monotonic() + grace_s
    while _count_running(nodes) >= _QUORUM and time.monotonic() < deadline:
        time.sleep(_POLL_S)
    _kill(nodes)


def _kill(nodes: Iterable[Node]) -> None:
    nodes = list(nodes)
    for node in nodes:
        send(node.process, signal.SIGKILL)
    if not wait_for([node.process for node in nodes], _is_stopped, timeout_s=_SIGNAL_TIMEOUT_S):
        left = [str(node.id) for node in nodes if state_of(node.process) != "stopped"]
        raise LabError(f"node {', '.join(left)} outlived SIGKILL: look at it with `ps`")
