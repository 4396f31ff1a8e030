"""Learning what became of records whose sending was interrupted, before anything else is sent."""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, Final

from producer_agent.kafka.read_back import ReadBack
from producer_agent.replay.arrivals import find_arrivals, stretch_since, watermarks_of
from producer_agent.replay.target_cluster import TargetCluster
from producer_agent.store import replay_plans, replays
from producer_agent.store.reader import Reader
from producer_agent.store.replay_plans import PlanRow
from producer_agent.store.replays import Settled
from producer_agent.store.writer import Writer

log = logging.getLogger(__name__)

LOST_TRACE: Final = "its transaction was committed; it is no longer on its topic"


class Recovery:
    """Of one plan.

    Args:
        plan: The plan.
        cluster: Where it goes.
        writer, reader: The ledger.
        stopped: Whether to give up reading.
    """

    def __init__(
        self,
        plan: PlanRow,
        cluster: TargetCluster,
        writer: Writer,
        reader: Reader,
        stopped: Callable[[], bool],
    ) -> None:
        self._plan = plan
        self._cluster = cluster
        self._writer = writer
        self._reader = reader
        self._stopped = stopped

    def note_watermarks(self) -> None:
        """Before the first record is sent: where the targets end, so that what came since is all
        that ever has to be read back.

        Raises:
            ReadBackIncomplete, ClusterUnreachable: a target did not answer.
        """
        findings = self._findings()
        if "watermarks" in findings or self._reader(partial(replays.open_rows, plan=self._plan.id)):
            return  # where something may have been sent before, the targets are read whole
        topics = self._reader(partial(replays.targets, plan=self._plan.id))
        with ReadBack(self._cluster.connection) as read_back:
            sizes = self._cluster.topic_sizes(topics)
            findings["watermarks"] = {
                topic: watermarks_of(read_back, topic, sizes[topic][0])
                for topic in topics
                if topic in sizes
            }
        self._write(partial(replay_plans.set_findings, findings=findings))

    def settle_open(self, committed: int | None, tell: Callable[[str], None]) -> None:
        """Settle the rows that are open, by the target itself, and by the group's number where
        the target no longer holds what was committed.

        Args:
            committed: Batches below this number have landed, see ``sender.Sender``. Nothing of an
                earlier producer may be able to land any more.
            tell: Is told what is done, in words.

        Raises:
            ReadBackIncomplete, ClusterUnreachable: a target did not answer.
        """
        rows = self._reader(partial(replays.open_rows, plan=self._plan.id))
        if not rows:
            return
        tell(f"reading back what became of {len(rows):,} records")
        by_topic: dict[str, set[int]] = defaultdict(set)
        for sequence, topic, _ in rows:
            by_topic[topic].add(sequence)
        found = self._find(by_topic)
        outcomes = []
        for sequence, _, batch in rows:
            place = found.get(sequence)
            if place is not None:
                outcomes.append(Settled(sequence, "done", None, *place))
            elif committed is not None and batch is not None and batch < committed:
                outcomes.append(Settled(sequence, "done", LOST_TRACE))
            else:
                outcomes.append(Settled(sequence, "planned"))
        self._write(partial(replays.settle, outcomes=outcomes))
        log.info(
            "plan %d: of %d open records, %d had arrived", self._plan.id, len(rows), len(found)
        )

    def _find(self, wanted: Mapping[str, set[int]]) -> dict[int, tuple[int, int]]:
        """Partition and offset by sequence, of those that are on their topic."""
        starts = self._reader(partial(replays.reached, plan=self._plan.id))
        marks: dict[str, dict[str, int]] = self._findings().get("watermarks", {})
        found: dict[int, tuple[int, int]] = {}
        with ReadBack(self._cluster.connection) as read_back:
            sizes = self._cluster.topic_sizes(sorted(wanted))
            for topic, sequences in wanted.items():
                if topic not in sizes:
                    continue
                stretch = stretch_since(
                    read_back, topic, sizes[topic][0], marks.get(topic, {}), starts
                )
                found |= find_arrivals(
                    read_back, topic, stretch, self._plan.uuid, sequences, self._stopped
                )
        return found

    def _findings(self) -> dict[str, Any]:
        row = self._reader(partial(replay_plans.get, plan=self._plan.id))
        assert row is not None
        return row.findings

    def _write(self, work: Callable[..., Any]) -> None:
        self._writer.submit(partial(work, plan=self._plan.id), must=True).result()
