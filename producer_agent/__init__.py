"""Ackboard's producer agent: sends events, records what became of each, and keeps the proof.

A service of your own uses the producer alone: ``from producer_agent import ReliableProducer``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from producer_agent.reliable import ReliableProducer

__version__ = "0.1.0"

__all__ = ["ReliableProducer", "__version__"]


def __getattr__(name: str) -> Any:
    """Import the producer when it is asked for: the agent's other rooms do without."""
    if name == "ReliableProducer":
        from producer_agent.reliable import ReliableProducer

        return ReliableProducer
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
