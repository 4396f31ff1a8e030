"""The comparisons of one cluster: one at a time, started, cancelled, deleted."""

from __future__ import annotations

import logging
import threading
import uuid
from functools import partial
from typing import Final

from producer_agent.advice.compare.beside import Paused, RunsBeside
from producer_agent.advice.compare.comparison_run import ComparisonRun, End
from producer_agent.advice.compare.environment import environment_of
from producer_agent.advice.compare.plan import ComparisonPlan
from producer_agent.delivery.run_manager import require_usable
from producer_agent.kafka.admin import ClusterUnreachable
from producer_agent.kafka.cluster import Cluster
from producer_agent.kafka.topic_removal import remove_topics
from producer_agent.kafka.topics import TopicSpec
from producer_agent.store import comparisons
from producer_agent.store.clock import now_us
from producer_agent.store.queries import comparisons as queries
from producer_agent.store.reader import Reader
from producer_agent.store.writer import Writer

log = logging.getLogger(__name__)

TOPIC_PREFIX: Final = "ackboard-compare-"

EMBEDDED_NOTE: Final = (
    "The embedded cluster is in memory and does not replicate: these figures compare client "
    "settings only. What acks=all or a transaction costs can be measured on a real cluster alone."
)

DIED: Final = "The agent died while it measured. What was measured before is kept."
STOPPED: Final = "The agent was stopped. What was measured before is kept."


class CompareRefused(Exception):
    """A comparison cannot be started, cancelled or deleted; the text says what to do."""


class ComparisonManager:
    """Starts and ends comparisons; its methods may be called from any thread.

    Args:
        cluster: Where they are measured.
        cluster_row: Its row id.
        writer, reader: The database.
        beside: The agent's own runs.
        replication_factor: Instead of the plan's, where the settings say so.
    """

    def __init__(
        self,
        cluster: Cluster,
        cluster_row: int,
        writer: Writer,
        reader: Reader,
        beside: RunsBeside,
        replication_factor: int | None = None,
    ) -> None:
        self._cluster = cluster
        self._cluster_row = cluster_row
        self._writer = writer
        self._reader = reader
        self._beside = beside
        self._replication_factor = replication_factor
        self._lock = threading.Lock()
        self._run: ComparisonRun | None = None
        self._thread: threading.Thread | None = None

    def recover(self) -> None:
        """Settle what an agent that died left: its comparison, and the topic of it."""
        self._writer.call(partial(comparisons.end_open, reason=DIED))
        ours = {
            summary.environment.get("topic")
            for summary in self._reader(partial(queries.comparisons, limit=1_000))
        }
        if self._cluster.kind == "embedded":
            return
        try:
            names = [topic.name for topic in self._cluster.view().topics]
        except ClusterUnreachable as error:
            log.info("topics of comparisons were not looked for: %s", error)
            return
        self._remove([name for name in names if name in ours])

    def start(
        self,
        plan: ComparisonPlan,
        who: str,
        *,
        title: str | None = None,
        pause_runs: bool = False,
    ) -> int:
        """Begin; returns its number at once.

        Raises:
            CompareRefused: another one is running, or its topic cannot be had.
            ProfileInvalid: librdkafka would refuse a profile.
            ClusterUnreachable: no broker answered.
        """
        for profile in plan.profiles:
            require_usable(profile)
        with self._lock:
            running = self._reader(queries.running)
            if running is not None:
                raise CompareRefused(
                    f"Comparison {running.id} ({running.title}) is running, and two at once would "
                    f"be each other's noise. Wait until it is done, or cancel it."
                )
            identity = uuid.uuid4().hex
            topic = f"{TOPIC_PREFIX}{identity[:12]}"
            plan = self._with_factor(plan)
            environment = environment_of(
                self._cluster.view(), self._cluster.kind, self._cluster.bootstrap_servers, topic
            )
            self._make_topic(plan, topic)
            try:
                number = self._writer.call(
                    partial(
                        comparisons.begin,
                        uuid=identity,
                        title=title or f"{' · '.join(plan.names)} at {_rates(plan)}",
                        plan=plan.to_json(),
                        environment=environment,
                        cluster=self._cluster_row,
                        turns=plan.turns,
                        expected_end_us=now_us() + int(plan.expected_s * 1e6),
                        notes=[EMBEDDED_NOTE] if self._cluster.kind == "embedded" else [],
                        made_by=who,
                    )
                )
            except comparisons.ComparisonRunning as error:
                self._remove([topic])
                raise CompareRefused(str(error)) from error
            self._run = ComparisonRun(
                number,
                plan,
                self._cluster.connection,
                self._cluster.kind == "embedded",
                topic,
                self._writer,
                self._beside.rate,
                self._why_unreachable,
            )
            self._thread = threading.Thread(
                target=self._measure, args=(self._run, topic, pause_runs), name="compare"
            )
            self._thread.start()
            return number

    def cancel(self, number: int) -> None:
        """End one that runs, and wait until it has; what is measured is kept.

        Raises:
            CompareRefused: it is not running.
        """
        run, thread = self._run, self._thread
        if run is None or thread is None or run.number != number or not thread.is_alive():
            raise CompareRefused(f"Comparison {number} is not running.")
        run.stop("cancelled")
        thread.join()

    def delete(self, number: int) -> None:
        """Forget one that is over.

        Raises:
            CompareRefused: it is running, or there is none such.
        """
        self.delete_stored(self._writer, self._reader, number)

    @staticmethod
    def delete_stored(writer: Writer, reader: Reader, number: int) -> None:
        """Like :meth:`delete`, with no cluster."""
        if writer.call(partial(comparisons.delete, comparison=number)):
            return
        found = reader(partial(queries.comparison, comparison_id=number))
        if found is None:
            raise CompareRefused(f"There is no comparison {number}.")
        raise CompareRefused(f"Comparison {number} is running. Cancel it first.")

    def close(self) -> None:
        """End what runs, as the agent ends."""
        run, thread = self._run, self._thread
        if run is not None and thread is not None:
            run.stop("incomplete", STOPPED)
            thread.join()

    def _measure(self, run: ComparisonRun, topic: str, pause_runs: bool) -> None:
        paused: list[Paused] = []
        end = End("incomplete", "It could not be begun.")
        notes: list[str] = []
        try:
            if pause_runs:
                paused = self._beside.pause(f"paused for comparison {run.number}")
                notes += [f"Paused meanwhile: {', '.join(name for name, _ in paused)}."] * bool(
                    paused
                )
            end = run.measure()
        except Exception as error:
            log.exception("comparison %d could not be measured", run.number)
            end = End("incomplete", f"It broke: {error}")
        finally:
            notes += run.notes
            notes += self._beside.go_on(paused)
            notes += self._remove([topic])
            log.info(
                "comparison %d: %s%s", run.number, end.state, f": {end.reason}" * bool(end.reason)
            )
            self._writer.submit(
                partial(
                    comparisons.end,
                    comparison=run.number,
                    state=end.state,
                    reason=end.reason,
                    notes=notes,
                ),
                must=True,
            ).result(60.0)

    def _with_factor(self, plan: ComparisonPlan) -> ComparisonPlan:
        factor = self._replication_factor
        if factor is None:
            return plan
        layout = plan.layout.model_copy(
            update={
                "replication_factor": factor,
                "min_insync_replicas": min(plan.layout.min_insync_replicas, factor),
            }
        )
        return plan.model_copy(update={"layout": layout})

    def _make_topic(self, plan: ComparisonPlan, topic: str) -> None:
        layout = plan.layout
        spec = TopicSpec(
            topic, layout.partitions, layout.replication_factor, layout.min_insync_replicas
        )
        for problem in self._cluster.ensure_topics([spec]):
            if problem.blocking:
                mend = f" Mend: {problem.command}" if problem.command else ""
                raise CompareRefused(f"The comparison was not started. {problem.message}.{mend}")

    def _remove(self, topics: list[str]) -> list[str]:
        """Delete topics of comparisons; returns what to do about those that are still there."""
        if self._cluster.kind == "embedded" or not topics:
            return []
        left = []
        for name, why in remove_topics(self._cluster.connection, topics).items():
            log.warning("%s could not be deleted: %s", name, why)
            left.append(f"Its topic {name} could not be deleted ({why}): delete it yourself.")
        return left

    def _why_unreachable(self) -> str | None:
        try:
            self._cluster.view()
        except ClusterUnreachable as error:
            return str(error)
        return None


def _rates(plan: ComparisonPlan) -> str:
    return ", ".join(f"{rate:,g}" for rate in plan.rates) + "/s"
