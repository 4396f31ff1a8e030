"""What a node is told: its ports and its properties file."""

from __future__ import annotations

import base64
import json
import random
import socket
import uuid
from importlib.resources import files
from pathlib import Path
from string import Template

from producer_agent.kafka.lab.errors import LabError
from producer_agent.kafka.lab.state import LabState, Node

LOOPBACK = "127.0.0.1"
NODE_USER = "lab-node"

# Below the ranges from which Linux (32768-60999) and macOS (49152-65535) take the local ports of
# outgoing connections: else a stopped node could find its port taken by a passing client.
_PORTS = range(20_000, 32_000)


def new_cluster_id() -> str:
    """A cluster id in Kafka's form: 16 random bytes in URL-safe base64 without padding."""
    while True:
        text = base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")
        if not text.startswith("-"):  # it would read as an option; Kafka's own ids avoid it too
            return text


def free_ports(count: int) -> list[int]:
    """Different loopback ports that nobody listens on now.

    Raises:
        LabError: there are not that many.
    """
    found: list[int] = []
    for port in random.sample(_PORTS, len(_PORTS)):
        if is_free(port):
            found.append(port)
            if len(found) == count:
                return found
    raise LabError(
        f"found only {len(found)} of {count} free ports between {_PORTS.start} and {_PORTS.stop}: "
        "stop what listens there (`ss -ltnp`)"
    )


def is_free(port: int) -> bool:
    """Whether a server could listen on this loopback port now."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOOPBACK, port))
        except OSError:
            return False
    return True


def render(state: LabState, node: Node, *, data: Path) -> str:
    """The text of the node's properties file; `data` is where it keeps its logs."""
    template = Template(resource("node.properties"))
    voters = ",".join(f"{n.id}@{LOOPBACK}:{n.controller_port}" for n in state.nodes)
    jaas = (
        "org.apache.kafka.common.security.plain.PlainLoginModule required "
        f'username="{NODE_USER}" password="{state.secret}" user_{NODE_USER}="{state.secret}";'
    )
    return template.substitute(
        node_id=node.id,
        data=_escaped(str(data)),
        voters=voters,
        port=node.port,
        internal_port=node.internal_port,
        controller_port=node.controller_port,
        jaas=jaas,
        user=NODE_USER,
    )


def _escaped(value: str) -> str:
    # Kafka reads the file as Latin-1; \uXXXX and \\ mean the same in properties as in JSON.
    return json.dumps(value)[1:-1]


def resource(name: str) -> str:
    """The text of a file that comes with this package."""
    return files("producer_agent.kafka.lab").joinpath(name).read_text(encoding="utf-8")
