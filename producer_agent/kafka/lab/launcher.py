"""From a home folder to three answering nodes: ports, storage, processes, registration."""

from __future__ import annotations

import secrets
import shutil
import subprocess
import time
from collections.abc import Iterable
from pathlib import Path

from producer_agent.kafka.admin import ClusterUnreachable
from producer_agent.kafka.cluster_view import cluster_view
from producer_agent.kafka.lab.errors import LabError
from producer_agent.kafka.lab.node_config import (
    LOOPBACK,
    free_ports,
    is_free,
    new_cluster_id,
    render,
    resource,
)
from producer_agent.kafka.lab.processes import spawn, state_of
from producer_agent.kafka.lab.state import LabState, Node, save

_FORMAT_TIMEOUT_S = 60.0
_POLL_S = 0.1
_LOG_TAIL_LINES = 15


class Launcher:
    """Starts nodes in `home` with this `java` and these `jars`.

    The caller holds the lab's lock.
    """

    def __init__(self, home: Path, *, java: str, jars: Path) -> None:
        self._home = home
        self._java = java
        self._jars = jars

    def create(self, node_count: int) -> LabState:
        """Choose ports, cluster id and secret for a new lab, and remember them."""
        ports = iter(free_ports(3 * node_count))
        state = LabState(
            cluster_id=new_cluster_id(),
            secret=secrets.token_hex(16),
            nodes=tuple(
                Node(
                    id=number,
                    port=next(ports),
                    internal_port=next(ports),
                    controller_port=next(ports),
                )
                for number in range(1, node_count + 1)
            ),
        )
        save(self._home / "lab.json", state)
        return state

    def format(self, state: LabState) -> None:
        """Format the storage of each node that has none yet, all at the same time.

        Raises:
            LabError: Kafka refused, with what it said.
        """
        for folder in ("nodes", "logs"):
            (self._home / folder).mkdir(exist_ok=True)
        running: list[tuple[Node, subprocess.Popen[str]]] = []
        for node in state.nodes:
            data = self._data(node)
            if (data / "meta.properties").exists():
                continue
            # Half a format, left by a crash, is not worth keeping: nothing was stored in it yet.
            shutil.rmtree(data, ignore_errors=True)
            command = [self._java, "-Xmx128m", "-XX:TieredStopAtLevel=1", *self._class_path()]
            command += ["kafka.tools.StorageTool", "format", "-t", state.cluster_id]
            child = subprocess.Popen(
                [*command, "-c", str(self._write_properties(state, node))],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
            )
            running.append((node, child))
        try:
            for node, child in running:
                words, _ = child.communicate(timeout=_FORMAT_TIMEOUT_S)
                if child.returncode != 0:
                    raise LabError(
                        f"the storage of node {node.id} could not be formatted; "
                        f"remove {self._home} to start anew. Kafka said:\n{_last_lines(words)}"
                    )
        except subprocess.TimeoutExpired as error:
            raise LabError(
                f"formatting took more than {_FORMAT_TIMEOUT_S:g} s: is the machine overloaded?"
            ) from error
        finally:
            for _, child in running:
                child.kill()
                child.wait()
                if child.stdout is not None:
                    child.stdout.close()

    def spawn(self, state: LabState, node: Node) -> LabState:
        """Start one node's process; returns, and remembers, the state that has it.

        Raises:
            LabError: one of its ports is taken, or it ended at once.
        """
        for port in (node.port, node.internal_port, node.controller_port):
            if not is_free(port):
                raise LabError(
                    f"port {port} of node {node.id} is taken: stop what listens there "
                    f"(`ss -ltnp sport = :{port}`), or make a new lab in another folder"
                )
        log = self._log(node)
        with log.open("a", encoding="utf-8") as file:
            file.write(_start_mark(node))
        command = [self._java, "-Xmx384m", "-XX:+UseSerialGC", "-XX:+ExitOnOutOfMemoryError"]
        command += [*self._class_path(), "kafka.Kafka", str(self._write_properties(state, node))]
        try:
            process = spawn(command, log=log, cwd=self._home)
        except ChildProcessError:
            raise LabError(self._obituary(node)) from None
        state = state.with_process(node.id, process)
        save(self._home / "lab.json", state)
        return state

    def wait_registered(self, state: LabState, numbers: Iterable[int], timeout_s: float) -> None:
        """Wait until each of these nodes answers, and lists itself and all the others of them.

        Raises:
            LabError: one died (with its last words), or the time is up.
        """
        deadline = time.monotonic() + timeout_s
        wanted = frozenset(numbers)
        waiting = [state.node(number) for number in sorted(wanted)]
        while True:
            for node in waiting:
                if state_of(node.process) == "stopped":
                    raise LabError(self._obituary(node))
            waiting = [node for node in waiting if not _lists(node, wanted)]
            if not waiting:
                return
            if time.monotonic() >= deadline:
                names = ", ".join(f"node {node.id} (log: {self._log(node)})" for node in waiting)
                raise LabError(
                    f"not registered within {timeout_s:g} s: {names}. "
                    "Is the machine short of memory or processor?"
                )
            time.sleep(_POLL_S)

    def _class_path(self) -> list[str]:
        logging = self._home / "log4j2.xml"
        if not logging.exists():
            logging.write_text(resource("log4j2.xml"), encoding="utf-8")
        return [f"-Dlog4j2.configurationFile={logging}", "-cp", f"{self._jars}/*"]

    def _data(self, node: Node) -> Path:
        return self._home / "data" / str(node.id)

    def _log(self, node: Node) -> Path:
        return self._home / "logs" / f"node-{node.id}.log"

    def _write_properties(self, state: LabState, node: Node) -> Path:
        path = self._home / "nodes" / f"{node.id}.properties"
        path.touch(mode=0o600)  # it holds the nodes' password
        path.write_text(render(state, node, data=self._data(node)), encoding="utf-8")
        return path

    def _obituary(self, node: Node) -> str:
        words = self._log(node).read_text(encoding="utf-8", errors="replace")
        this_start = words.rpartition(_start_mark(node))[2]
        return (
            f"node {node.id} died at its start; see {self._log(node)}. "
            f"Its last words:\n{_last_lines(this_start)}"
        )


def _start_mark(node: Node) -> str:
    return f"--- node {node.id} starts\n"


def _last_lines(text: str) -> str:
    return "\n".join(text.strip().splitlines()[-_LOG_TAIL_LINES:])


def _lists(node: Node, wanted: frozenset[int]) -> bool:
    """Whether this very node answers, and its metadata name all the wanted ones."""
    if is_free(node.port):  # nobody listens yet: spare a client its connection errors
        return False
    try:
        view = cluster_view({"bootstrap.servers": f"{LOOPBACK}:{node.port}"}, timeout_s=1.0)
    except ClusterUnreachable:
        return False
    return wanted <= {broker.id for broker in view.brokers}
