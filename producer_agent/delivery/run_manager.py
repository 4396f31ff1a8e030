"""The runs of an agent: at most one a profile, started, stopped and slowed by name."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Mapping
from typing import Any

from confluent_kafka import KafkaException

from producer_agent.delivery.profile_checks import check, librdkafka_refusal
from producer_agent.delivery.profiles import Problem, Profile, ProfileInvalid
from producer_agent.delivery.run import ProducerRun, RunLimits, RunStatus, Watermarks
from producer_agent.store.writer import Writer

log = logging.getLogger(__name__)


class RunRefused(Exception):
    """A run cannot be started or changed; the text says why and what to do."""


class RunManager:
    """Keeps the runs. Its methods may be called from any thread.

    Args:
        connection: librdkafka properties that reach the cluster.
        writer: Where outcomes go.
        cluster: Row id of the cluster.
        watermarks: See :class:`ProducerRun`.
        hold: Likewise.
    """

    def __init__(
        self,
        connection: Mapping[str, Any],
        writer: Writer,
        cluster: int,
        watermarks: Callable[[str], Watermarks | None],
        hold: Callable[[], str | None],
    ) -> None:
        self._connection = connection
        self._writer = writer
        self._cluster = cluster
        self._watermarks = watermarks
        self._hold = hold
        self._lock = threading.RLock()
        self._runs: dict[str, ProducerRun] = {}

    def start(
        self, profile: Profile, rate: float | None = None, limits: RunLimits | None = None
    ) -> ProducerRun:
        """Start a run.

        Raises:
            ProfileInvalid: its settings contradict each other, or librdkafka refuses them.
            RunRefused: it is running.
        """
        require_usable(profile)
        with self._lock:
            running = self._runs.get(profile.name)
            if running is not None and running.alive:
                raise RunRefused(f"{profile.name} is running. Stop it first.")
            try:
                run = ProducerRun(
                    profile,
                    self._connection,
                    self._writer,
                    self._cluster,
                    self._watermarks,
                    self._hold,
                    limits,
                )
            except KafkaException as error:
                raise RunRefused(f"{profile.name}: librdkafka refused: {error.args[0]}") from error
            if rate is not None:
                run.set_rate(rate)
            run.start()
            self._runs[profile.name] = run
            return run

    def stop(self, profile: str, reason: str = "stopped") -> None:
        """Stop a run and wait until every outcome is recorded.

        Raises:
            RunRefused: it is not running.
        """
        run = self._running(profile)
        run.stop(reason)
        run.join()

    def set_rate(self, profile: str, rate: float) -> None:
        """Change the events a second of a run.

        Raises:
            RunRefused: it is not running.
        """
        self._running(profile).set_rate(rate)

    def is_running(self, profile: str) -> bool:
        """Whether a profile has a run that is alive."""
        with self._lock:
            run = self._runs.get(profile)
            return run is not None and run.alive

    def set_oversize(self, topics: frozenset[str]) -> None:
        """The fault "message too large" is on for these topics, and off for all others."""
        for run in self._alive():
            run.set_oversize(run.profile.workload.topic in topics)

    def statuses(self) -> list[RunStatus]:
        """How the running ones stand."""
        return [run.status() for run in self._alive()]

    def broken(self) -> dict[str, str]:
        """Profiles whose last run ended by itself, and why."""
        with self._lock:
            return {
                name: run.broke
                for name, run in self._runs.items()
                if run.broke is not None and not run.alive
            }

    def stop_all(self, reason: str) -> None:
        """Stop every run, side by side."""
        runs = self._alive()
        for run in runs:
            run.stop(reason)
        for run in runs:
            run.join()

    def _alive(self) -> list[ProducerRun]:
        with self._lock:
            return [run for run in self._runs.values() if run.alive]

    def _running(self, profile: str) -> ProducerRun:
        with self._lock:
            run = self._runs.get(profile)
        if run is None or not run.alive:
            raise RunRefused(f"{profile} is not running.")
        return run


def require_usable(profile: Profile) -> None:
    """Raise :class:`ProfileInvalid` with every error that keeps a profile from running."""
    errors: list[Problem] = [problem for problem in check(profile) if problem.severity == "error"]
    if not errors:
        refusal = librdkafka_refusal(profile)
        errors = [refusal] if refusal is not None else []
    if errors:
        raise ProfileInvalid(errors)
