"""The faults that can be injected into the lab, and what a page tells of each."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType
from typing import Any

from confluent_kafka import KafkaError

SIZE_LIMIT_BYTES = 200
"""What a topic whose limit is lowered takes: a batch's own header is 61 bytes of it."""


class LabFaultKind(StrEnum):
    """What can be done to the lab."""

    NODE_STOPPED = "node_stopped"
    NODE_KILLED = "node_killed"
    NODE_PAUSED = "node_paused"
    TOPIC_DENIED = "topic_denied"
    SIZE_LIMIT = "size_limit"

    @property
    def of_node(self) -> bool:
        """Whether it acts on a node; else it acts on a topic."""
        return self.value.startswith("node_")


@dataclass(frozen=True, slots=True)
class LabFault:
    """What a page tells of a fault before it is injected."""

    title: str
    effect: str
    undo: str
    """What undoing it does, as a button says it."""
    expected_code: int


LAB_FAULTS: Mapping[LabFaultKind, LabFault] = MappingProxyType(
    {
        LabFaultKind.NODE_STOPPED: LabFault(
            "Stop a node",
            "It hands its leaderships over and leaves in order, so the next node takes records "
            "within a moment; with two of three stopped acks=all ends in NOT_ENOUGH_REPLICAS "
            "behind a time-out.",
            "Start it",
            KafkaError.NOT_ENOUGH_REPLICAS,
        ),
        LabFaultKind.NODE_KILLED: LabFault(
            "Kill a node",
            "It ends as a crash does, nothing is handed over, and what it led stands still until "
            "the controller misses it after 4 s: short time-outs end in _MSG_TIMED_OUT.",
            "Start it",
            KafkaError._MSG_TIMED_OUT,
        ),
        LabFaultKind.NODE_PAUSED: LabFault(
            "Pause a node",
            "Its connections stay open and nothing is answered, as when a host hangs: requests "
            "to it wait, and what it led stands still for 4 s or ends in _MSG_TIMED_OUT.",
            "Let it go on",
            KafkaError._MSG_TIMED_OUT,
        ),
        LabFaultKind.TOPIC_DENIED: LabFault(
            "Deny a topic by ACL",
            "An ACL denies WRITE on the topic to the producers, whose events then end in "
            "TOPIC_AUTHORIZATION_FAILED; reading it goes on.",
            "Allow it again",
            KafkaError.TOPIC_AUTHORIZATION_FAILED,
        ),
        LabFaultKind.SIZE_LIMIT: LabFault(
            "Lower a topic's size limit",
            f"The topic's max.message.bytes is set to {SIZE_LIMIT_BYTES}, so that its events end "
            "in MSG_SIZE_TOO_LARGE.",
            "Put the limit back",
            KafkaError.MSG_SIZE_TOO_LARGE,
        ),
    }
)


def catalogue() -> list[dict[str, Any]]:
    """Every fault, as the fact ``faults`` lists what is available."""
    return [
        {
            "kind": kind.value,
            "title": fault.title,
            "effect": fault.effect,
            "undo": fault.undo,
            "expected_code": KafkaError(fault.expected_code).name(),
            "needs_topic": not kind.of_node,
            "needs_node": kind.of_node,
        }
        for kind, fault in LAB_FAULTS.items()
    ]
