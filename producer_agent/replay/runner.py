"""Running one plan: batch after batch, each record exactly once, whatever happens in between.

The order of things is what makes it so:

1. ledger: the batch's rows become ``intent`` and are committed;
2. the batch is sent; in a transaction, its number is committed with it;
3. ledger: the rows become ``done``, with partition and offset.

After a crash or an error, rows in ``intent`` are settled before anything else is sent: by the
number that the plan's group committed, and by reading back the stretch of the target that was
written since, which also tells their offsets. While a batch is under way the next one is made
ready, so that neither the database nor the cluster waits for the other.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from concurrent.futures import Future
from functools import partial
from typing import Any

from confluent_kafka import KafkaException

from producer_agent.kafka.admin import ClusterUnreachable
from producer_agent.kafka.read_back import ReadBackIncomplete
from producer_agent.replay.batches import Batch, Batches
from producer_agent.replay.ledger_sender import LedgerSender
from producer_agent.replay.options import PlanOptions
from producer_agent.replay.original import Original
from producer_agent.replay.pacing import Pacing
from producer_agent.replay.recovery import Recovery
from producer_agent.replay.sender import BatchTooLarge, Interrupted, NotAllowed, Sender, Sent
from producer_agent.replay.target_cluster import TargetCluster
from producer_agent.replay.transactional_sender import TransactionalSender
from producer_agent.store import replay_plans, replays
from producer_agent.store.reader import Reader
from producer_agent.store.replay_letters import LetterToReplay
from producer_agent.store.replay_plans import PlanRow
from producer_agent.store.replays import Settled
from producer_agent.store.writer import Writer

log = logging.getLogger(__name__)

AHEAD = 2
"""Batches that are made ready while one is on its way."""

STATUS_STEP = 2_000
"""Letters whose status one transaction changes: some 30 ms, so that outcomes do not wait."""

FIRST_BACKOFF_S = 0.5
LONGEST_BACKOFF_S = 10.0
BATCH_MARGIN = 0.9
"""How much of a topic's ``max.message.bytes`` a produce batch may take."""


class PlanRunner:
    """Runs one plan in the calling thread.

    Args:
        plan: Row id of a plan that is ``planned``, ``paused``, ``stopped``, or that an agent's
            end left ``running``.
        cluster: Where it goes.
        writer, reader: The ledger.
        original_of: Reads the original of a dead letter whose own bytes are not what is sent.
        mark_topic: See :class:`TransactionalSender`.
    """

    def __init__(
        self,
        plan: PlanRow,
        cluster: TargetCluster,
        writer: Writer,
        reader: Reader,
        original_of: Callable[[LetterToReplay], Original],
        mark_topic: str,
    ) -> None:
        self._mark_topic = mark_topic
        self._plan = plan
        self._cluster = cluster
        self._writer = writer
        self._reader = reader
        self._options = PlanOptions.read(plan.options)
        self._method = plan.method or (
            "ledger"
            if not cluster.keeps_transactions
            else self._options.exactly_once or "transactions"
        )
        self._halt = threading.Event()
        self._recovery = Recovery(plan, cluster, writer, reader, lambda: self._ending)
        self._ending = False
        self._unsettled: list[Future[None]] = []
        self._batches = Batches(plan, writer, reader, original_of)
        self._most_records = 1_000_000
        self._batch_bytes = 1_000_000
        self._sender: Sender | None = None

    def halt(self) -> None:
        """Look at what is wanted of the plan now: it was paused or cancelled."""
        self._halt.set()

    def leave(self) -> None:
        """End at the next safe moment and leave the plan as it is: the agent ends."""
        self._ending = True
        self._halt.set()

    def run(self) -> str:
        """Send until nothing is left, or it is paused, cancelled or stopped; returns the state."""
        self._write(partial(replay_plans.set_method, method=self._method))
        try:
            state, reason = self._run()
        finally:
            self._drop_sender()
        self._settle_writes()
        self._tell_done()
        return self._end(state, reason)

    def _run(self) -> tuple[str, str | None]:
        """The state to end in, and why."""
        backoff_s = FIRST_BACKOFF_S
        while True:
            try:
                return self._attempt()
            except NotAllowed as error:
                return self._wanted() or "stopped", str(error)
            except (
                Interrupted,
                ReadBackIncomplete,
                ClusterUnreachable,
                KafkaException,
                SystemError,
            ) as error:
                # SystemError: confluent-kafka raises it around an error of its own.
                self._drop_sender()
                self._batches.void()
                self._progress(f"waits, and tries again: {_words(error)}")
                log.warning("plan %d: %s", self._plan.id, _words(error))
                self._halt.wait(backoff_s)
                backoff_s = min(backoff_s * 2, LONGEST_BACKOFF_S)
                wanted = "running" if self._ending else self._wanted()
                if wanted == "cancelled" and self._reader(
                    partial(replays.open_rows, plan=self._plan.id)
                ):
                    continue  # what may have been sent is learnt first
                if wanted is not None:
                    # Nothing can be settled now; it is, before anything else, when it goes on.
                    return wanted, _words(error)

    def _attempt(self) -> tuple[str, str | None]:
        """Settle what is open, then send."""
        self._settle_writes()
        self._recovery.note_watermarks()
        self._sender = self._make_sender()
        committed = self._sender.committed_batches()
        self._recovery.settle_open(committed, self._progress)
        last = self._reader(partial(replays.last_batch, plan=self._plan.id))
        number = max(committed or 0, 0 if last is None else last + 1)
        return self._send_all(number)

    def _send_all(self, number: int) -> tuple[str, str | None]:
        pacing, batches = self._pacing(), self._batches
        batches.begin_at(number)
        while True:
            wanted = "running" if self._ending else self._wanted()
            stop = None if wanted else pacing.stop_reason()
            if wanted or stop:
                batches.void()
                return (wanted or "stopped"), stop
            # At full speed, the letters' statuses follow when the run ends: telling them costs
            # as much as all else together, and the ledger has what counts.
            batches.tell = not pacing.is_free
            self._ask(pacing)
            batch = batches.take()
            if batch is None:
                batches.void()
                pacing.finish(self._back)
                return "done", None
            pacing.wait(len(batch.outgoing), self._back, self._progress)
            if pacing.stop_reason() or (self._halt.is_set() and (self._ending or self._wanted())):
                batches.void(batch)
                batches.begin_at(batch.number)
                continue
            self._progress(pacing.words())
            assert self._sender is not None
            self._sender.begin(batch.number, batch.outgoing)
            if pacing.is_free:
                self._ask(pacing)
            sent_now = self._finish(batch)
            if self._settle(batch, sent_now):
                # Its number was not committed: it goes with what is left of the batch.
                batches.void()
                batches.begin_at(batch.number)
            pacing.sent(len(sent_now.landed), self._back())

    def _ask(self, pacing: Pacing) -> None:
        self._batches.ask(
            min(pacing.next_batch(), self._most_records), AHEAD if pacing.is_free else 1
        )

    def _pacing(self) -> Pacing:
        row = self._reader(partial(replay_plans.get, plan=self._plan.id))
        assert row is not None
        sent, back = self._reader(partial(replays.sent_and_back, plan=self._plan.id))
        judged_from = row.findings.get("judged_from") or (0, 0)
        return Pacing(self._options, sent, back, (judged_from[0], judged_from[1]), self._halt)

    def _settle(self, batch: Batch, sent: Sent) -> bool:
        """Write what came of a batch. Returns whether some of it has to be sent again: then
        nothing of it landed, and those that never can are told before the rest goes."""
        rows = batch.sequences
        if sent.refused:
            final = [Settled(rows[at], "failed", reason) for at, reason in sent.refused.items()]
            if self._method == "transactions":
                again = [
                    Settled(row, "planned") for at, row in enumerate(rows) if at not in sent.refused
                ]
                self._write(partial(replays.settle, outcomes=[*final, *again]))
                return True
            self._write(partial(replays.settle, outcomes=final))
        done = [
            Settled(rows[at], "done", None, partition, offset)
            for at, (partition, offset) in sent.landed.items()
        ]
        self._unsettled.append(
            self._writer.submit(
                partial(replays.settle, plan=self._plan.id, outcomes=done, tell=self._batches.tell),
                must=True,
            )
        )
        if len(self._unsettled) > 2:
            self._unsettled.pop(0).result()
        if sent.doubtful:
            raise Interrupted(next(iter(sent.doubtful.values())))
        return False

    def _finish(self, batch: Batch) -> Sent:
        assert self._sender is not None
        try:
            return self._sender.finish()
        except BatchTooLarge:
            # Smaller ones, of the producer and of the ledger.
            self._most_records = max(1, len(batch.outgoing) // 2)
            self._batch_bytes = max(10_000, self._batch_bytes // 2)
            raise

    def _make_sender(self) -> Sender:
        findings = self._findings()
        limits = [
            target["max_message_bytes"]
            for target in findings.get("targets", {}).values()
            if target.get("max_message_bytes")
        ]
        batch_bytes = min(
            [self._batch_bytes, *(max(10_000, int(limit * BATCH_MARGIN)) for limit in limits)]
        )
        compression = findings.get("compression")
        if self._method == "transactions":
            return TransactionalSender(
                self._cluster.connection,
                self._plan.uuid,
                self._mark_topic,
                lambda: self._ending,
                self._progress,
                compression,
                batch_bytes,
            )
        return LedgerSender(
            self._cluster.connection, lambda: self._ending, compression, batch_bytes
        )

    def _tell_done(self) -> None:
        after: int | None = -1
        while after is not None:
            after = self._write(partial(replays.tell_done, after=after, most=STATUS_STEP))

    def _end(self, state: str, reason: str | None) -> str:
        if state == "cancelled":
            self._write(replays.cancel_planned)
            self._write(partial(replays.leave_open, reason=f"cannot be learnt: {reason}"))
        if state != "running":  # left running, the next agent goes on with it
            self._write(partial(replay_plans.set_state, state=state, reason=reason))
        self._progress(None)
        return state

    def _wanted(self) -> str | None:
        """The state that a person wants it in, if that is not running."""
        self._halt.clear()
        if self._ending:
            self._halt.set()
        row = self._reader(partial(replay_plans.get, plan=self._plan.id))
        assert row is not None
        return {"pausing": "paused", "cancelling": "cancelled"}.get(row.state)

    def _back(self) -> int:
        """How many of its records came back as dead letters."""
        return self._reader(partial(replays.came_back, plan=self._plan.id))

    def _findings(self) -> dict[str, Any]:
        row = self._reader(partial(replay_plans.get, plan=self._plan.id))
        assert row is not None
        return row.findings

    def _progress(self, words: str | None) -> None:
        self._writer.submit(partial(replay_plans.set_progress, plan=self._plan.id, progress=words))

    def _write(self, work: Callable[..., Any]) -> Any:
        """Run ``work(db, plan=…)`` in the writer and wait, however long the disk is full."""
        return self._writer.submit(partial(work, plan=self._plan.id), must=True).result()

    def _settle_writes(self) -> None:
        while self._unsettled:
            self._unsettled.pop(0).result()

    def _drop_sender(self) -> None:
        if self._sender is not None:
            self._sender.close()
            self._sender = None


def _words(error: Exception) -> str:
    if isinstance(error, KafkaException) and error.args and hasattr(error.args[0], "str"):
        return str(error.args[0].str())
    return str(error) or type(error).__name__
