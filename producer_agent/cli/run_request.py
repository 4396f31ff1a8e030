"""What is asked of a run, and who looks at it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from producer_agent.delivery.profiles import Profile
from producer_agent.delivery.run import RunLimits

Look = Callable[[int, str], None]
"""Told now and then: events accepted so far, and what is going on in a word or two."""

LOOK_EVERY_S = 0.1

LETTERS_TIMEOUT_S = 30.0
"""How long an ended run's failures may take to the dead-letter topic and back."""


@dataclass(frozen=True, slots=True)
class RunRequest:
    """A run that is wanted."""

    profile: Profile
    source: Literal["database", "shipped", "file"]
    limits: RunLimits
    rate: float | None
    """Events a second instead of the profile's."""

    @property
    def wanted_rate(self) -> float:
        """Events a second it is to send."""
        return self.profile.workload.rate_per_s if self.rate is None else self.rate
