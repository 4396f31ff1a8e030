"""What the sending process is told of a turn, and what it answers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from producer_agent.advice.compare.client_statistics import ClientFigures


@dataclass(frozen=True, slots=True)
class TurnOrder:
    """What to send, as the other process is told."""

    config: dict[str, Any]
    """librdkafka's, connection included: may hold secrets, and travels by a pipe only."""
    topic: str
    turn: str
    """32 hex digits: in each event's header."""
    load: dict[str, Any]
    seed: int
    rate: float
    round: int
    transaction_ms: int | None
    """How often it commits; None for a producer without transactions."""

    def to_json(self) -> dict[str, Any]:
        """Field by field."""
        return asdict(self)


@dataclass(slots=True)
class TurnResult:
    """What came of it. Counts and latencies are of the measured window."""

    first: int = 0
    """The window's first sequence."""
    end: int = 0
    """One behind the last sequence that was due and tried."""
    seconds: float = 0.0
    sent: int = 0
    acknowledged: int = 0
    failed: dict[str, int] = field(default_factory=dict)
    rejected: dict[str, int] = field(default_factory=dict)
    unresolved: int = 0
    without_ack: list[int] = field(default_factory=list)
    """Sequences that failed, are unresolved or were rejected."""
    rejected_sequences: list[int] = field(default_factory=list)
    ack: list[tuple[int, int]] = field(default_factory=list)
    delay: list[tuple[int, int]] = field(default_factory=list)
    cpu_s: float = 0.0
    commits: int | None = None
    aborts: int | None = None
    client: ClientFigures | None = None
    ended: str | None = None
    """``stopped`` (as was asked), ``gone`` (the cluster), ``broke``; None: it is whole."""
    why: str | None = None

    def to_json(self) -> dict[str, Any]:
        """Field by field."""
        return asdict(self)

    @classmethod
    def from_json(cls, body: Mapping[str, Any]) -> TurnResult:
        """The inverse of :meth:`to_json`."""
        client = body["client"]
        figures = None if client is None else ClientFigures(**client)
        return cls(**{**body, "client": figures})
