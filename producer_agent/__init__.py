"""Ackboard's producer agent: sends events, records what became of each, and keeps the proof."""

from __future__ import annotations

__version__ = "0.1.0"
