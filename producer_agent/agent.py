"""The agent: the process that speaks to Kafka, takes commands, and writes the database.

It is told what to do by rows in ``commands`` alone, and tells how it stands by ``facts`` alone.
"""

from __future__ import annotations

import logging
import os
import signal
import socket
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from functools import partial
from typing import Any

from producer_agent import __version__, collector
from producer_agent.advice.compare.manager import DIED as COMPARISON_DIED
from producer_agent.advice.diagnosis.cluster_history import ClusterHistory
from producer_agent.advice.diagnosis.gathering import FactsGatherer
from producer_agent.advice.diagnosis.watch import DiagnosisWatch
from producer_agent.command_handlers import REFUSALS, CommandHandlers
from producer_agent.delivery.shipped_profiles import shipped_profiles
from producer_agent.flows import Flows
from producer_agent.jobs import Jobs
from producer_agent.kafka.admin import ClusterUnreachable
from producer_agent.kafka.cluster import Cluster
from producer_agent.kafka.cluster_view import ClusterView
from producer_agent.lock import AgentLock
from producer_agent.replay.rules import follow_rules
from producer_agent.settings import Settings
from producer_agent.store import commands, comparisons, facts, profiles, runs
from producer_agent.store.clock import now_us
from producer_agent.store.commands import CommandRow
from producer_agent.store.database import StoreError
from producer_agent.store.reader import Reader
from producer_agent.store.writer import Writer

log = logging.getLogger(__name__)

COMMANDS_EVERY_S = 0.1
HEARTBEAT_S = 1.0
CLUSTER_EVERY_S = 2.0

DIED = "the agent died"


class Agent:
    """Runs until told to stop. Use :func:`serve` to run one as a process."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._stop = threading.Event()
        self._started_us = now_us()
        self._state = "starting"
        self._flows: Flows | None = None
        self._reachable: bool | None = None
        self._reachable_since_us = self._started_us

    def stop(self) -> None:
        """Ask it to end; may be called from a signal handler."""
        self._stop.set()

    def run(self, parent: int | None = None) -> None:
        """Serve until :meth:`stop`, or until the process ``parent`` is gone.

        Raises:
            AgentRunning: another agent serves this database.
            StoreError: the database cannot be used.
            EmbeddedClusterUnavailable: see :class:`Cluster`.
        """
        with AgentLock(self._settings.db), Writer(self._settings.db) as writer:
            self._writer = writer
            self._reader = Reader(self._settings.db)
            self._recover()
            self._cluster = Cluster(self._settings)
            self._history = ClusterHistory(writer)
            diagnosis = DiagnosisWatch(
                FactsGatherer(
                    self._cluster.connection,
                    self._cluster.kind,
                    self._reader,
                    str(self._settings.lab_folder),
                ),
                self._reader,
                writer,
            )
            jobs = Jobs(writer, self._settings, self._follow_replay_rules)
            self._handlers = CommandHandlers(
                writer, self._cluster, lambda: self._flows, self._settings.dead_letter_topic
            )
            watcher = threading.Thread(target=self._watch_cluster, name="cluster-watcher")
            heart = threading.Thread(target=self._beat, name="heartbeat")
            # One click waits for its records to arrive, and nothing else waits for it.
            with (
                ThreadPoolExecutor(4, "replay-command") as self._replays,
                ThreadPoolExecutor(4, "command") as self._others,
            ):
                try:
                    jobs.start()
                    heart.start()
                    watcher.start()
                    diagnosis.start()
                    if self._cluster.lab_faults is not None:
                        # A node's start takes seconds; meanwhile the rest goes its way.
                        self._others.submit(self._cluster.lab_faults.undo_left_behind)
                    self._take_commands(parent)
                finally:
                    self._state = "stopping"
                    self._stop.set()
                    watcher.join()
                    diagnosis.close()
                    heart.join()
            if self._flows is not None:
                self._flows.close("the agent was stopped")
            jobs.close()
            self._cluster.close()
            self._state = "stopped"
            writer.call(partial(facts.put, name="runs", body=[]))
            writer.call(partial(facts.put, name="agent", body=self._agent_fact()))

    def _recover(self) -> None:
        """Settle what an agent that died left half-done, and bring shipped profiles in."""
        left = self._writer.call(partial(runs.end_open_runs, reason=DIED), timeout_s=300.0)
        for profile, unresolved in left.items():
            log.warning("%s was running when its agent died: %d unresolved", profile, unresolved)
        self._writer.call(partial(commands.fail_taken, reason=f"{DIED} while it did this"))
        self._writer.call(partial(comparisons.end_open, reason=COMPARISON_DIED))
        bodies = {profile.name: profile.to_json() for profile in shipped_profiles()}
        self._writer.call(partial(profiles.ship, bodies=bodies))

    def _follow_replay_rules(self) -> None:
        if self._flows is not None:
            follow_rules(self._flows.replays, self._reader, self._writer)

    def _take_commands(self, parent: int | None) -> None:
        while not self._stop.wait(COMMANDS_EVERY_S):
            if parent is not None and os.getppid() != parent:
                log.warning("the process that started this agent is gone; stopping")
                return
            try:
                while self._reader(commands.any_asked) and not self._stop.is_set():
                    command = self._writer.call(commands.take)
                    if command is None:
                        break
                    pool = self._replays if command.kind == "replay" else self._others
                    pool.submit(self._do, command)
            except (StoreError, TimeoutError) as error:
                log.error("commands cannot be read: %s", error)
                self._stop.wait(1.0)

    def _do(self, command: CommandRow) -> None:
        try:
            result = self._handlers.handle(command)
            state = "done"
        except Exception as error:
            unexpected = None if isinstance(error, REFUSALS) else error
            log.info(
                "command %d (%s) failed: %s", command.id, command.kind, error, exc_info=unexpected
            )
            state, result = "failed", {"error": str(error) or type(error).__name__}
        log.info("command %d: %s asked for %s: %s", command.id, command.who, command.kind, state)
        try:
            self._tell()
        except (StoreError, TimeoutError) as error:
            log.error("the facts could not be written: %s", error)
        self._writer.submit(
            partial(commands.settle, command=command.id, state=state, result=result), must=True
        )

    def _watch_cluster(self) -> None:
        while not self._stop.is_set():
            began_s = time.monotonic()
            try:
                self._look_at_cluster()
            except Exception:
                log.exception("the cluster could not be watched")
            self._stop.wait(max(0.1, CLUSTER_EVERY_S - (time.monotonic() - began_s)))

    def _look_at_cluster(self) -> None:
        view: ClusterView | None = None
        error: str | None = None
        try:
            view = self._cluster.view()
        except ClusterUnreachable as unreachable:
            error = str(unreachable)
        if self._reachable is not (view is not None):
            self._reachable = view is not None
            self._reachable_since_us = now_us()
            log.log(
                logging.INFO if view else logging.WARNING,
                "cluster %s %s",
                self._cluster.bootstrap_servers,
                "is reachable" if view else f"cannot be reached: {error}",
            )
        if view is not None and view.cluster_id:
            self._follow(view.cluster_id)
        body = self._cluster_fact(view, error)
        self._note_changes(view, error, body["controller_id"])
        self._writer.call(partial(facts.put, name="cluster", body=body))

    def _note_changes(
        self, view: ClusterView | None, error: str | None, controller: int | None
    ) -> None:
        """Have the history of the cluster written, before the fact that it is compared with."""
        try:
            if view is None:
                self._history.unreachable(error or "no reason was given", now_us())
            else:
                topics = [topic.name for topic in view.topics if topic.error is None]
                settings = self._cluster.settings_seen(topics)
                self._history.reached(view, now_us(), settings, controller)
        except (StoreError, TimeoutError) as refused:
            log.error("what changed on the cluster could not be written: %s", refused)

    def _follow(self, cluster_id: str) -> None:
        """Start the flows on a cluster that was reached, anew if it is another than before."""
        if self._flows is not None and self._flows.cluster_id != cluster_id:
            log.warning("another cluster answers at %s", self._cluster.bootstrap_servers)
            old, self._flows = self._flows, None
            old.close("another cluster took its place")
        if self._flows is None and not self._stop.is_set():
            flows = Flows(self._cluster, cluster_id, self._writer, self._settings)
            self._flows = flows
            try:
                flows.start()
            except BaseException:
                # Half started it would be taken for running: the next look begins anew.
                self._flows = None
                flows.close("it could not be started")
                raise
            self._state = "running"

    def _beat(self) -> None:
        while not self._stop.is_set():
            try:
                self._tell()
            except (StoreError, TimeoutError) as error:
                log.error("no heartbeat: %s", error)
            except Exception:
                # Whatever it is, the next beat may succeed, and without beats the agent is dead
                # to every page.
                log.exception("no heartbeat")
            self._stop.wait(HEARTBEAT_S)

    def _tell(self) -> None:
        """Write the facts that a page shows as now."""
        flows = self._flows
        self._writer.call(partial(facts.put, name="faults", body=self._cluster.describe_faults()))
        if flows is not None:
            self._writer.call(partial(facts.put, name="runs", body=flows.runs_fact()))
            self._writer.call(partial(facts.put, name="letters", body=flows.letters_fact()))
        self._writer.call(partial(facts.put, name="agent", body=self._agent_fact()))

    def _agent_fact(self) -> dict[str, Any]:
        flows = self._flows
        return {
            "pid": os.getpid(),
            "host": socket.gethostname(),
            "version": __version__,
            "state": self._state,
            "started_us": self._started_us,
            "blocked": self._writer.blocked,
            "backlog": self._writer.backlog,
            "messages": flows.messages_fact() if flows is not None else [],
        }

    def _cluster_fact(self, view: ClusterView | None, error: str | None) -> dict[str, Any]:
        topics = [topic for topic in view.topics if topic.error is None] if view else []
        known = self._cluster.min_insync_replicas([topic.name for topic in topics])
        return {
            "kind": self._cluster.kind,
            "bootstrap_servers": self._cluster.bootstrap_servers,
            "cluster_id": view.cluster_id if view else None,
            "controller_id": self._cluster.controller(view) if view else None,
            "reachable": view is not None,
            "since_us": self._reachable_since_us,
            "error": error,
            "brokers": [asdict(broker) for broker in view.brokers] if view else [],
            "topics": [
                {
                    "name": topic.name,
                    "internal": topic.internal,
                    "min_insync_replicas": known.get(topic.name),
                    "partitions": [asdict(partition) for partition in topic.partitions],
                }
                for topic in topics
            ],
            "problems": self._flows.problems_fact() if self._flows is not None else [],
        }


def serve(settings: Settings, parent: int | None = None) -> None:
    """Run an agent in this process until SIGTERM or SIGINT. See :meth:`Agent.run`."""
    collector.relax()
    agent = Agent(settings)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda _number, _frame: agent.stop())
    agent.run(parent)
