"""What a time-out was."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Verdict:
    """What it was, and why that is concluded."""

    matter: str
    """One of those of ``Diagnosis.matter``."""
    sentence: str
    because: tuple[str, ...]
