"""The flows of one cluster, wired together: they live as long as that cluster does."""

from __future__ import annotations

import logging
from dataclasses import asdict
from functools import partial
from typing import Any

from producer_agent.advice.compare.beside import RunsBeside
from producer_agent.advice.compare.manager import ComparisonManager
from producer_agent.dead_letters.consumer import DeadLetterConsumer
from producer_agent.dead_letters.original import NoOriginal, original_of
from producer_agent.dead_letters.publisher import Publisher
from producer_agent.dead_letters.retention_watch import RetentionWatch
from producer_agent.delivery.canary import Canary
from producer_agent.delivery.events import unknown_topic_of
from producer_agent.delivery.profiles import Profile, ProfileInvalid
from producer_agent.delivery.run import ProducerRun, RunLimits
from producer_agent.delivery.run_manager import RunManager, RunRefused
from producer_agent.kafka.broker_partitions import BrokerPartitions
from producer_agent.kafka.cluster import Cluster
from producer_agent.kafka.faults import FaultKind
from producer_agent.kafka.first_records import FirstRecords
from producer_agent.kafka.our_headers import IDENTITY_HEADER, REPLAY_HEADERS
from producer_agent.kafka.topics import TopicProblem, TopicSpec
from producer_agent.replay.manager import ReplayManager
from producer_agent.replay.original import Original, Refused
from producer_agent.settings import Settings
from producer_agent.store import outbox, profiles, runs
from producer_agent.store.board import board_name
from producer_agent.store.headers import as_bytes
from producer_agent.store.profiles import ProfileRow
from producer_agent.store.reader import Reader
from producer_agent.store.replay_letters import LetterToReplay
from producer_agent.store.writer import Writer

log = logging.getLogger(__name__)

DEAD_LETTER_PARTITIONS = 3

GROUP_PREFIX = "ackboard-"
"""Before the board's name: the consumer group under which dead letters are read."""


class Flows:
    """Runs, dead-letter queue, replay and comparisons on one cluster.

    Args:
        cluster: The cluster, reachable now.
        cluster_id: Its id.
        writer: The database.
        settings: Which dead-letter topic, how much may wait in the outbox.
    """

    def __init__(
        self, cluster: Cluster, cluster_id: str, writer: Writer, settings: Settings
    ) -> None:
        self.cluster_id = cluster_id
        self._cluster = cluster
        self._writer = writer
        self._settings = settings
        self._waiting = outbox.Waiting(0, None)
        row = writer.call(
            partial(
                runs.register_cluster,
                cluster_id=cluster_id,
                kind=cluster.kind,
                bootstrap_servers=cluster.bootstrap_servers,
            )
        )
        self.topic_problems: dict[str, list[TopicProblem]] = {}
        self.messages: dict[str, str] = {}
        """Why a profile that should run does not, by its name."""
        self.runs = RunManager(cluster.connection, writer, row, cluster.watermarks, self._hold)
        self._canary = Canary(self._keeper_of, cluster.view, self.topic_problems.__setitem__)
        self.publisher = Publisher(cluster.connection, settings.dead_letter_topic, writer)
        board = settings.board or writer.call(board_name)
        self.consumer = DeadLetterConsumer(
            cluster.connection,
            settings.dead_letter_topic,
            row,
            writer,
            cluster,
            f"{GROUP_PREFIX}{board}",
        )
        self.watch = RetentionWatch(
            self.consumer.reading,
            row,
            writer,
            cluster,
            FirstRecords(cluster.connection, f"{GROUP_PREFIX}{board}").timestamps_ms,
            ["--bootstrap-server", cluster.bootstrap_servers],
        )
        self.replays = ReplayManager(
            cluster,
            row,
            writer,
            Reader(writer.path),
            self._original_of,
            settings.dead_letter_topic,
        )
        self.comparisons = ComparisonManager(
            cluster,
            row,
            writer,
            Reader(writer.path),
            RunsBeside(self.runs, self._start_again),
            settings.topic_replication_factor,
        )

    def start(self) -> None:
        """Make the dead-letter topic, start its both sides, and the profiles that should run."""
        factor = self._settings.topic_replication_factor or 3
        self._ensure(
            TopicSpec(
                self._settings.dead_letter_topic,
                DEAD_LETTER_PARTITIONS,
                factor,
                min(2, factor),
            )
        )
        if self._cluster.kind == "embedded":
            again = self._writer.call(
                partial(outbox.publish_again, topic=self._settings.dead_letter_topic)
            )
            if again:
                log.warning("%d dead letters went down with the last embedded cluster", again)
        self.publisher.start()
        self.consumer.start()
        self.watch.start()
        self.replays.start()
        self.comparisons.recover()
        for row in self._writer.call(profiles.all_profiles):
            try:
                profile = Profile.from_json(row.body)
                wanted = profile.active if row.wanted is None else row.wanted
                if wanted and self._settings.autostart:
                    self.start_run(profile, row.rate)
            except (ProfileInvalid, RunRefused) as error:
                log.error("%s was not started: %s", row.name, error)
                self.messages[row.name] = f"{row.name} was not started: {error}"

    def close(self, reason: str) -> None:
        """Stop everything; every event has its outcome when this returns."""
        self.comparisons.close()
        self.runs.stop_all(reason)
        self._canary.close()
        self.replays.close()
        self.publisher.close()
        self.watch.close()
        self.consumer.close()

    def start_run(
        self, profile: Profile, rate: float | None, limits: RunLimits | None = None
    ) -> ProducerRun:
        """Make sure of a profile's topic and start it.

        Raises:
            ProfileInvalid, RunRefused: it cannot run.
        """
        workload = profile.workload
        factor = self._settings.topic_replication_factor or workload.replication_factor
        keeper = self._canary.prepare(profile) if workload.per_broker else None
        made = None if workload.per_broker else workload.topic
        for topic in filter(None, (made, workload.second_topic)):
            self._ensure(
                TopicSpec(
                    topic,
                    workload.partitions,
                    factor,
                    min(workload.min_insync_replicas, factor),
                )
            )
        for topic in filter(None, (workload.topic, workload.second_topic)):
            for problem in self.topic_problems[topic]:
                if problem.blocking:
                    mend = f" Mend: {problem.command}" if problem.command else ""
                    raise RunRefused(f"{profile.name} was not started. {problem.message}{mend}")
        if workload.faults.unknown_topic > 0:
            self._cluster.forbid_topic(unknown_topic_of(workload.topic))
        run = self.runs.start(profile, rate, limits)
        if workload.per_broker:
            self._canary.follow(run, keeper)
        self.messages.pop(profile.name, None)
        self.apply_event_faults()
        return run

    def profile_row(self, name: str) -> ProfileRow:
        """A stored profile.

        Raises:
            RunRefused: there is none of this name.
        """
        row = self._writer.call(partial(profiles.get, name=name))
        if row is None:
            raise RunRefused(f"There is no profile {name!r}.")
        return row

    def apply_event_faults(self) -> None:
        """Tell the event generators which faults they are to act out."""
        faults = self._cluster.faults
        active = faults.active() if faults is not None else ()
        self.runs.set_oversize(
            frozenset(
                fault.topic
                for fault in active
                if fault.kind is FaultKind.MESSAGE_TOO_LARGE and fault.topic is not None
            )
        )

    def letters_fact(self) -> dict[str, Any]:
        """The fact ``letters``; also looks how full the outbox is."""
        self._waiting = self._writer.call(outbox.waiting)
        return {
            "topic": self._settings.dead_letter_topic,
            "outbox_waiting": self._waiting.rows,
            "outbox_since_us": self._waiting.oldest_us,
            "publisher_error": self.publisher.error,
            "consumer_error": self.consumer.error,
            "behind": self.watch.behind,
            "group": self.consumer.group_offsets.group,
            "group_error": self.consumer.group_offsets.error,
            "topics": self.watch.topics,
        }

    def messages_fact(self) -> list[str]:
        """Which profiles should run and do not, and why: for the fact ``agent``."""
        broken = [
            f"{name} stopped by itself: {why}. Start it again on Profiles."
            for name, why in self.runs.broken().items()
        ]
        return [*self.messages.values(), *broken]

    def runs_fact(self) -> list[dict[str, Any]]:
        """The fact ``runs``."""
        return [asdict(status) for status in self.runs.statuses()]

    def problems_fact(self) -> list[dict[str, Any]]:
        """Topic problems, for the fact ``cluster``."""
        return [
            {
                "topic": problem.topic,
                "message": problem.message,
                "mend": problem.command,
                "severity": "error" if problem.blocking else "warning",
            }
            for problems in self.topic_problems.values()
            for problem in problems
        ]

    def _original_of(self, letter: LetterToReplay) -> Original:
        try:
            record = original_of(letter, self._writer)
        except NoOriginal as error:
            raise Refused(str(error)) from error
        identity = [value for name, value in record.headers if name == IDENTITY_HEADER]
        return Original(
            topic=record.topic,
            key=record.key,
            value=record.value,
            headers=[pair for pair in record.headers if pair[0] not in REPLAY_HEADERS],
            own_bytes=record.own_bytes,
            dropped=record.dropped,
            partition=record.partition,
            offset=record.offset,
            identity=as_bytes(identity[-1]) if identity else None,
            sent_ms=record.sent_ms,
        )

    def _start_again(self, name: str, rate: float) -> None:
        self.start_run(Profile.from_json(self.profile_row(name).body), rate)

    def _keeper_of(self, profile: Profile) -> BrokerPartitions | None:
        workload = profile.workload
        factor = self._settings.topic_replication_factor or workload.replication_factor
        return self._cluster.broker_partitions(workload.topic, factor, workload.min_insync_replicas)

    def _ensure(self, spec: TopicSpec) -> None:
        self.topic_problems[spec.name] = self._cluster.ensure_topics([spec])

    def _hold(self) -> str | None:
        if self._waiting.rows < self._settings.outbox_limit:
            return None
        return (
            f"{self._waiting.rows:,} failed events wait for the dead-letter topic "
            f"(ACKBOARD_OUTBOX_LIMIT={self._settings.outbox_limit:,})"
        )
