"""Making a plan: which records go where, which do not and why, all before anything is sent."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict
from functools import partial

from producer_agent.kafka.read_back import ReadBack, ReadBackIncomplete
from producer_agent.replay.doubt import look_for
from producer_agent.replay.findings import findings_partitions
from producer_agent.replay.options import PlanOptions
from producer_agent.replay.original import Original, Refused
from producer_agent.replay.record_planning import RecordPlanning
from producer_agent.replay.target_cluster import TargetCluster
from producer_agent.store import letter_edits, replay_letters, replay_plans, replays
from producer_agent.store.reader import Reader
from producer_agent.store.replay_letters import LetterToReplay
from producer_agent.store.writer import Writer

log = logging.getLogger(__name__)

CHUNK = 500
CHUNK_BYTES = 16_000_000


class Planner:
    """Makes plans.

    Args:
        cluster: Where records go.
        writer, reader: The ledger.
        original_of: Reads the original out of a dead letter; raises :class:`Refused`.
        cluster_row: Row id of the cluster.
    """

    def __init__(
        self,
        cluster: TargetCluster,
        writer: Writer,
        reader: Reader,
        original_of: Callable[[LetterToReplay], Original],
        cluster_row: int,
    ) -> None:
        self._cluster = cluster
        self._cluster_row = cluster_row
        self._writer = writer
        self._reader = reader
        self._original_of = original_of

    def make(
        self,
        plan: int,
        ids: Sequence[int],
        options: PlanOptions,
        *,
        ask_groups: bool = True,
        stopped: Callable[[], bool] = lambda: False,
    ) -> None:
        """Write the ledger rows of plan ``plan`` for these dead letters, and what was found; the
        plan is ``planned`` then.

        Raises:
            ClusterUnreachable: no broker answered.
        """
        row = self._reader(partial(replay_plans.get, plan=plan))
        assert row is not None, "the plan was created"
        self._writer.call(partial(replays.clear_plan, plan=plan))
        work = RecordPlanning(self._cluster, self._cluster_row, row.uuid, options)
        ordered = self._reader(
            partial(replay_letters.in_sending_order, ids=list(dict.fromkeys(ids)))
        )
        done = 0
        for letters in self._chunks(ordered):
            if stopped():
                return
            edits = self._reader(
                partial(letter_edits.pending, letters=[letter.id for letter in letters])
            )
            editors = self._reader(
                partial(letter_edits.editors, letters=[letter.id for letter in letters])
            )
            originals = [
                Refused(f"{editors[letter.id]} is editing it: save or discard that first")
                if letter.id in editors
                else self._read(letter)
                for letter in letters
            ]
            records = work.plan(letters, originals, edits)
            self._writer.call(partial(replays.write_planned, plan=plan, records=records))
            done += len(letters)
            self._tell(plan, f"{done:,} of {len(ordered):,} records planned")
        self._look_for_doubtful(plan, work, stopped)
        if ask_groups:
            self._tell(plan, "asking which consumer groups read the targets")
            groups = self._cluster.groups_reading(sorted(work.findings.targets))
            work.findings.groups = None if groups is None else dict(groups)
        work.cut_header_names()
        self._writer.call(
            partial(replay_plans.set_findings, plan=plan, findings=asdict(work.findings))
        )
        # Nothing to send is nothing to wait for anybody's decision about.
        sends = any(target.records for target in work.findings.targets.values())
        state, reason = ("planned", None) if sends else ("done", "nothing of it can be sent")
        self._writer.call(
            partial(
                replay_plans.set_state,
                plan=plan,
                state=state,
                reason=reason,
                only_from=("planning",),
            )
        )

    def _chunks(self, ids: Sequence[int]) -> Iterator[list[LetterToReplay]]:
        """The letters in order, few enough at a time to be held."""
        chunk: list[int] = []
        total = 0
        sizes = self._reader(partial(replay_letters.sizes, ids=ids))
        for letter in ids:
            size = sizes.get(letter, 0)
            if chunk and (len(chunk) == CHUNK or total + size > CHUNK_BYTES):
                yield self._reader(partial(replay_letters.letters, ids=chunk))
                chunk, total = [], 0
            chunk.append(letter)
            total += size
        if chunk:
            yield self._reader(partial(replay_letters.letters, ids=chunk))

    def _read(self, letter: LetterToReplay) -> Original | Refused:
        try:
            return self._original_of(letter)
        except Refused as refusal:
            return refusal
        except Exception as error:
            # One record that cannot be read must not keep the others from being planned.
            log.exception("replay: dead letter %d", letter.id)
            return Refused(f"It could not be prepared: {error}")

    def _look_for_doubtful(
        self, plan: int, work: RecordPlanning, stopped: Callable[[], bool]
    ) -> None:
        if not work.doubtful:
            return
        findings = work.findings
        self._tell(plan, f"looking for {len(work.doubtful):,} that may lie on their target already")
        try:
            with ReadBack(self._cluster.connection) as read_back:
                found = look_for(work.doubtful, findings_partitions(findings), read_back, stopped)
        except ReadBackIncomplete as error:
            findings.look_problem = str(error)
            findings.not_looked_for += len(work.doubtful)
            return
        findings.looked_for = len(work.doubtful)
        self._writer.call(partial(replays.find_already, plan=plan, found=found))

    def _tell(self, plan: int, progress: str) -> None:
        self._writer.call(partial(replay_plans.set_progress, plan=plan, progress=progress))
