"""Runs that send to one partition of every broker in turn, and follow as brokers come and go."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from typing import Protocol

from producer_agent.delivery.profiles import Profile
from producer_agent.delivery.run import ProducerRun
from producer_agent.kafka.admin import ClusterUnreachable
from producer_agent.kafka.cluster_view import ClusterView
from producer_agent.kafka.topics import TopicProblem

log = logging.getLogger(__name__)

FOLLOW_EVERY_S = 2.0
READY_S = 10.0
"""How long a topic that was just made may take to have its leaders."""

_POLL_S = 0.1


class Keeper(Protocol):
    """What keeps the topic: ``kafka.broker_partitions.BrokerPartitions``."""

    def keep(self, view: ClusterView) -> list[TopicProblem]:
        """Do what is to be done for the cluster as seen; returns what cannot be."""


class Canary:
    """Follows the brokers for the runs that ask for it, in a thread that lives as long as they do.

    Args:
        keeper_of: Makes the keeper of a profile's topic; None where none is needed.
        view: The cluster now; raises ClusterUnreachable.
        tell: Called with a topic's name and its problems, after each look.
    """

    def __init__(
        self,
        keeper_of: Callable[[Profile], Keeper | None],
        view: Callable[[], ClusterView],
        tell: Callable[[str, list[TopicProblem]], None],
    ) -> None:
        self._keeper_of = keeper_of
        self._view = view
        self._tell = tell
        self._stop = threading.Event()
        self._lock = threading.Lock()
        self._threads: list[threading.Thread] = []

    def prepare(self, profile: Profile) -> Keeper | None:
        """Make sure of the topic, so that each broker that is up leads a partition of it.

        Raises:
            ClusterUnreachable: no broker answered.
        """
        topic = profile.workload.topic
        keeper = self._keeper_of(profile)
        waited = threading.Event()
        for _ in range(int(READY_S / _POLL_S)):
            view = self._view()
            problems = keeper.keep(view) if keeper is not None else []
            self._tell(topic, problems)
            found = view.topic(topic)
            if any(problem.blocking for problem in problems) or (found and found.has_leaders):
                break
            waited.wait(_POLL_S)
        return keeper

    def follow(self, run: ProducerRun, keeper: Keeper | None) -> None:
        """Begin to send to each partition in turn, and go on following while the run lives."""
        self._look(run, keeper)
        thread = threading.Thread(
            target=self._follow, args=(run, keeper), name=f"canary-{run.profile.name}", daemon=True
        )
        with self._lock:
            self._threads = [each for each in self._threads if each.is_alive()]
            self._threads.append(thread)
        thread.start()

    def close(self) -> None:
        """End, after the step that is under way."""
        self._stop.set()
        with self._lock:
            threads = list(self._threads)
        for thread in threads:
            thread.join()

    def _follow(self, run: ProducerRun, keeper: Keeper | None) -> None:
        while run.alive and not self._stop.wait(FOLLOW_EVERY_S):
            self._look(run, keeper)

    def _look(self, run: ProducerRun, keeper: Keeper | None) -> None:
        topic = run.profile.workload.topic
        try:
            view = self._view()
            if keeper is not None:
                self._tell(topic, keeper.keep(view))
            found = view.topic(topic)
            if found is not None and found.partitions:
                run.set_partitions(len(found.partitions))
        except ClusterUnreachable as error:
            log.info("%s: the brokers cannot be followed now: %s", run.profile.name, error)
        except Exception:
            # Whatever it is, the run goes on, and the next look may succeed.
            log.exception("%s: the brokers could not be followed", run.profile.name)
