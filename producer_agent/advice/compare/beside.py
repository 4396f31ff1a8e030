"""The agent's own runs while a comparison measures: counted, and paused where that was asked."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from typing import NamedTuple

from producer_agent.delivery.run import RunStatus
from producer_agent.delivery.run_manager import RunManager, RunRefused

log = logging.getLogger(__name__)


class Paused(NamedTuple):
    """A run that was stopped and is to go on."""

    profile: str
    rate: float


class RunsBeside:
    """Watches, stops and starts again what is sending.

    Args:
        runs: The agent's.
        start: Starts a stored profile at a rate.
    """

    def __init__(self, runs: RunManager, start: Callable[[str, float], object]) -> None:
        self._runs = runs
        self._start = start
        self._before: tuple[float, dict[str, int]] = (time.monotonic(), self._accepted())

    def sending(self) -> list[RunStatus]:
        """Runs that are alive."""
        return self._runs.statuses()

    def rate(self) -> float:
        """Events a second they took since this was last asked."""
        now_s, now = time.monotonic(), self._accepted()
        before_s, before = self._before
        self._before = (now_s, now)
        new = sum(max(n - before.get(uuid, 0), 0) for uuid, n in now.items())
        return new / max(now_s - before_s, 1e-3)

    def pause(self, reason: str) -> list[Paused]:
        """Stop them all, each outcome recorded."""
        paused = []
        for run in self._runs.statuses():
            try:
                self._runs.stop(run.profile, reason)
            except RunRefused as gone:  # it ended by itself just now
                log.info("%s", gone)
            else:
                paused.append(Paused(run.profile, run.rate))
        return paused

    def go_on(self, paused: list[Paused]) -> list[str]:
        """Start them again; returns what could not be, and why."""
        failed = []
        for profile, rate in paused:
            if self._runs.is_running(profile):
                continue  # somebody was faster
            try:
                self._start(profile, rate)
            except Exception as error:
                log.exception("%s was not started again", profile)
                failed.append(f"{profile} was not started again: {error}")
        return failed

    def _accepted(self) -> dict[str, int]:
        return {run.uuid: run.accepted for run in self._runs.statuses()}
