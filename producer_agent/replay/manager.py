"""The plans of one cluster: made, run, paused, resumed and cancelled, several at a time."""

from __future__ import annotations

import logging
import threading
import uuid
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial

from producer_agent.replay.options import PlanOptions
from producer_agent.replay.original import Original
from producer_agent.replay.planner import Planner
from producer_agent.replay.runner import PlanRunner
from producer_agent.replay.selection import Selection
from producer_agent.replay.target_cluster import TargetCluster
from producer_agent.store import replay_plans, replays
from producer_agent.store.reader import Reader
from producer_agent.store.replay_letters import LetterToReplay
from producer_agent.store.replay_plans import PlanRow
from producer_agent.store.writer import Writer

log = logging.getLogger(__name__)

AT_A_TIME = 6
"""Plans that are made or run side by side; others wait for one of them to end."""


class PlanRefused(Exception):
    """The plan cannot be made, or is not in a state for this; the text says what to do."""


class ReplayManager:
    """Makes and runs plans.

    Args:
        cluster: Where records go.
        cluster_row: Its row id.
        writer, reader: The ledger.
        original_of: Reads the original out of a dead letter.
        mark_topic: See ``sender.TransactionalSender``.
    """

    def __init__(
        self,
        cluster: TargetCluster,
        cluster_row: int,
        writer: Writer,
        reader: Reader,
        original_of: Callable[[LetterToReplay], Original],
        mark_topic: str,
    ) -> None:
        self._cluster = cluster
        self._cluster_row = cluster_row
        self._writer = writer
        self._reader = reader
        self._original_of = original_of
        self._mark_topic = mark_topic
        self._planner = Planner(cluster, writer, reader, original_of, cluster_row)
        self._pool = ThreadPoolExecutor(AT_A_TIME, "replay")
        self._lock = threading.Lock()
        self._runners: dict[int, PlanRunner] = {}
        self._closing = threading.Event()

    def start(self) -> None:
        """Go on with what an agent's end left half-done."""
        for plan in self._reader(replay_plans.under_way):
            if self._is_elsewhere(plan):
                self._set_state(
                    plan.id, "paused", "it was made on another cluster than the one connected now"
                )
            elif plan.state == "planning":
                self._pool.submit(self._make, plan.id, ask_groups=True)
            else:
                log.info("plan %d goes on", plan.id)
                self._launch(plan.id)

    def close(self) -> None:
        """Leave running plans at their next safe moment; the next agent goes on with them."""
        self._closing.set()
        with self._lock:
            for runner in self._runners.values():
                runner.leave()
        self._pool.shutdown(wait=True, cancel_futures=True)

    def plan(
        self,
        selection: Selection,
        options: PlanOptions,
        who: str,
        *,
        rule: int | None = None,
        title: str | None = None,
    ) -> int:
        """Begin to make a plan; returns its id at once. Its state tells when it is made.

        Raises:
            PlanRefused: nothing is selected.
        """
        plan, _ = self._create(selection, options, who, rule, title)
        self._pool.submit(self._make, plan, ask_groups=True)
        return plan

    def replay_now(
        self, selection: Selection, options: PlanOptions, who: str, *, rule: int | None = None
    ) -> tuple[int, Future[str]]:
        """Make a plan and run it at once: its id, and the state that its run ends in.

        Raises:
            PlanRefused: nothing is selected.
        """
        plan, ids = self._create(selection, options, who, rule, None)

        def make_and_run() -> str:
            self._make(plan, ask_groups=False, ids=ids)
            if (state := self._row(plan).state) != "planned":
                return state  # nothing of it can be sent, or it could not be made
            self._set_running(plan, ("planned",))
            return self._run(plan)

        return plan, self._pool.submit(make_and_run)

    def run(self, plan: int) -> None:
        """Run a plan that was made, or go on with one that was paused or stopped by itself.

        Raises:
            PlanRefused: it is in another state.
        """
        row = self._row(plan)
        if self._is_elsewhere(row):
            raise PlanRefused(
                f"Plan {plan} was made on another cluster than the one that is connected now. "
                f"Connect to that one, or plan anew."
            )
        if row.state == "stopped":
            sent_and_back = self._reader(partial(replays.sent_and_back, plan=plan))
            findings = {**row.findings, "judged_from": sent_and_back}
            self._writer.call(partial(replay_plans.set_findings, plan=plan, findings=findings))
        self._set_running(plan, ("planned", "paused", "stopped"))
        self._launch(plan)

    def pause(self, plan: int) -> None:
        """Send no further batch.

        Raises:
            PlanRefused: it is not running.
        """
        self._row(plan)
        if not self._set_state(plan, "pausing", None, only_from=("running",)):
            raise self._wrong_state(plan, "Only a running plan can be paused.")
        self._halt(plan)

    def cancel(self, plan: int) -> None:
        """Never send what was not sent yet.

        Raises:
            PlanRefused: it is over.
        """
        row = self._row(plan)
        moved = self._set_state(
            plan, "cancelling", None, only_from=("running", "pausing", "paused", "stopped")
        )
        if moved:
            with self._lock:
                running = plan in self._runners
            if running:
                self._halt(plan)
            else:
                self._launch(plan)  # it learns what became of the records that were under way
            return
        if row.state in ("planning", "planned") and self._set_state(
            plan, "cancelled", None, only_from=("planning", "planned")
        ):
            self._writer.call(partial(replays.cancel_planned, plan=plan))
            return
        raise self._wrong_state(plan, "Only one that is not over can be cancelled.")

    def _create(
        self,
        selection: Selection,
        options: PlanOptions,
        who: str,
        rule: int | None,
        title: str | None,
    ) -> tuple[int, list[int]]:
        frozen = self._reader(selection.frozen)
        ids = self._reader(frozen.ids)
        if not ids:
            raise PlanRefused("No dead letter is selected: nothing to send back.")
        plan = self._writer.call(
            partial(
                replay_plans.create,
                uuid=uuid.uuid4().hex,
                cluster=self._cluster_row,
                title=title or frozen.title(len(ids)),
                selection=frozen.to_json(),
                options=options.model_dump(mode="json", exclude_defaults=True),
                made_by=who,
                rule=rule,
            )
        )
        return plan, ids

    def _make(self, plan: int, *, ask_groups: bool, ids: Sequence[int] | None = None) -> None:
        try:
            row = self._row(plan)
            self._planner.make(
                plan,
                self._reader(Selection.from_json(row.selection).ids) if ids is None else ids,
                PlanOptions.read(row.options),
                ask_groups=ask_groups,
                stopped=lambda: self._closing.is_set() or self._row(plan).state != "planning",
            )
        except Exception as error:
            log.exception("plan %d could not be made", plan)
            self._set_state(plan, "failed", str(error) or type(error).__name__)

    def _launch(self, plan: int) -> None:
        self._pool.submit(self._run, plan)

    def _run(self, plan: int) -> str:
        row = self._row(plan)
        if row.state not in ("running", "pausing", "cancelling"):
            return row.state
        runner = PlanRunner(
            row, self._cluster, self._writer, self._reader, self._original_of, self._mark_topic
        )
        with self._lock:
            if self._closing.is_set():
                return row.state
            self._runners[plan] = runner
        try:
            return runner.run()
        except Exception as error:
            # Nothing is lost: what is open is settled when somebody resumes it.
            log.exception("plan %d broke", plan)
            words = f"{type(error).__name__}: {error}"
            self._set_state(plan, "stopped", f"it met an error that it does not know: {words}")
            return "stopped"
        finally:
            with self._lock:
                del self._runners[plan]

    def _halt(self, plan: int) -> None:
        with self._lock:
            runner = self._runners.get(plan)
        if runner is not None:
            runner.halt()

    def _set_running(self, plan: int, only_from: tuple[str, ...]) -> None:
        if not self._set_state(plan, "running", None, only_from=only_from):
            raise self._wrong_state(plan, f"Only one that is {' or '.join(only_from)} can be run.")
        self._writer.call(partial(replays.begin, plan=plan))

    def _set_state(
        self, plan: int, state: str, reason: str | None, *, only_from: tuple[str, ...] | None = None
    ) -> bool:
        return self._writer.call(
            partial(
                replay_plans.set_state, plan=plan, state=state, reason=reason, only_from=only_from
            )
        )

    def _row(self, plan: int) -> PlanRow:
        row = self._reader(partial(replay_plans.get, plan=plan))
        if row is None:
            raise PlanRefused(f"There is no replay plan {plan}.")
        return row

    def _wrong_state(self, plan: int, rule: str) -> PlanRefused:
        row = self._row(plan)
        why = f" ({row.reason})" if row.reason else ""
        return PlanRefused(f"Plan {plan} is {row.state}{why}. {rule}")

    def _is_elsewhere(self, plan: PlanRow) -> bool:
        return self._cluster.keeps_transactions and plan.cluster != self._cluster_row
