"""A comparison that is run and watched: by the agent where one serves the database, else here."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from producer_agent.advice.compare.beside import RunsBeside
from producer_agent.advice.compare.manager import ComparisonManager
from producer_agent.advice.compare.plan import ComparisonPlan
from producer_agent.cli import serving
from producer_agent.cli.output import duration, note, visible
from producer_agent.cli.progress import progress_bar
from producer_agent.cli.stop import Stop
from producer_agent.commands import Command, CommandFailed, ask_and_wait, local_user
from producer_agent.delivery.run_manager import RunManager
from producer_agent.kafka.admin import ClusterUnreachable
from producer_agent.kafka.cluster import Cluster
from producer_agent.lock import AgentLock
from producer_agent.settings import Settings
from producer_agent.store import runs
from producer_agent.store.clock import now_us
from producer_agent.store.queries import comparisons as queries
from producer_agent.store.queries.comparisons import Summary
from producer_agent.store.reader import Reader
from producer_agent.store.writer import Writer

VIEW_TIMEOUT_S = 10.0
START_TIMEOUT_S = 60.0
CANCEL_TIMEOUT_S = 90.0
LOOK_EVERY_S = 0.2
ALIVE_EVERY_S = 2.0

Look = Callable[[Summary], None]


def compare_here(
    plan: ComparisonPlan, settings: Settings, title: str | None, stop: Stop, look: Look
) -> int:
    """Measure in this process, where no agent serves the database; returns its number.

    Raises:
        AgentRunning, StoreError: the database cannot be had.
        ClusterUnreachable, EmbeddedClusterUnavailable: nor the cluster.
        CompareRefused, ProfileInvalid: it cannot be measured.
    """
    with AgentLock(settings.db), Writer(settings.db) as writer:
        cluster = Cluster(settings)
        reader = Reader(settings.db)
        try:
            manager = _manager(cluster, writer, reader, settings)
            manager.recover()
            try:
                number = manager.start(plan, local_user(), title=title)
                _watch(reader, number, stop, look, lambda: manager.cancel(number))
            finally:
                manager.close()
            return number
        finally:
            cluster.close()


def compare_in_agent(
    plan: ComparisonPlan,
    db: Path,
    title: str | None,
    pause_runs: bool,
    stop: Stop,
    look: Look,
) -> int:
    """Have the agent measure, and watch it; returns its number.

    Raises:
        CommandFailed: the agent refused, or died.
    """
    arguments = {"plan": json.loads(plan.to_json()), "pause_runs": pause_runs}
    if title is not None:
        arguments["title"] = title
    who = local_user()
    made = ask_and_wait(db, Command.COMPARE_START, arguments, who=who, timeout_s=START_TIMEOUT_S)
    number = int(made["comparison"])

    def cancel() -> None:
        ask_and_wait(
            db, Command.COMPARE_CANCEL, {"comparison": number}, who=who, timeout_s=CANCEL_TIMEOUT_S
        )

    def still_served() -> None:
        if serving.holder(db) is None:
            raise CommandFailed(
                f"The agent ended while it measured comparison {number}. What was measured is "
                f"kept: `compare show {number}`."
            )

    _watch(Reader(db), number, stop, look, cancel, still_served)
    return number


def delete_here(number: int, settings: Settings) -> None:
    """Forget a comparison where no agent serves the database.

    Raises:
        CompareRefused: there is none such.
    """
    with AgentLock(settings.db), Writer(settings.db) as writer:
        ComparisonManager.delete_stored(writer, Reader(settings.db), number)


@contextmanager
def watching(plan: ComparisonPlan, *, quiet: bool) -> Iterator[Look]:
    """A bar with the time left, on a terminal."""
    with progress_bar("comparing", quiet=quiet, total=plan.turns) as move:

        def look(summary: Summary) -> None:
            left_s = max((summary.expected_end_us or now_us()) - now_us(), 0) / 1e6
            told = visible(summary.progress or "")
            move(summary.turns_done, f"{told}, {duration(left_s)} left")

        yield look


def _manager(
    cluster: Cluster, writer: Writer, reader: Reader, settings: Settings
) -> ComparisonManager:
    cluster_id = cluster.view(VIEW_TIMEOUT_S).cluster_id
    if cluster_id is None:
        raise ClusterUnreachable(
            f"{cluster.bootstrap_servers} tells no cluster id: it may be starting. Try again."
        )
    row = writer.call(
        partial(
            runs.register_cluster,
            cluster_id=cluster_id,
            kind=cluster.kind,
            bootstrap_servers=cluster.bootstrap_servers,
        )
    )
    nothing_runs = RunManager(cluster.connection, writer, row, cluster.watermarks, lambda: None)
    return ComparisonManager(
        cluster,
        row,
        writer,
        reader,
        RunsBeside(nothing_runs, lambda _profile, _rate: None),
        settings.topic_replication_factor,
    )


def _watch(
    reader: Reader,
    number: int,
    stop: Stop,
    look: Look,
    cancel: Callable[[], None],
    still_served: Callable[[], None] = lambda: None,
) -> None:
    """Wait until it is over; a signal cancels it."""
    asked_s = time.monotonic()
    cancelled = False
    while True:
        found = reader(queries.running)
        if found is None or found.id != number:
            return
        look(found)
        if stop.asked and not cancelled:
            cancelled = True
            note("Ending it; what was measured is kept.")
            try:
                cancel()
            except Exception:
                if reader(queries.running) is not None:
                    raise  # else it was over by itself
        if time.monotonic() - asked_s >= ALIVE_EVERY_S:
            asked_s = time.monotonic()
            still_served()
        time.sleep(LOOK_EVERY_S)
