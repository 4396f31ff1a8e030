"""A run in this process, where no agent serves the database: the flows, for one run's length."""

from __future__ import annotations

import time
from functools import partial

from producer_agent.cli.output import note
from producer_agent.cli.run_request import LETTERS_TIMEOUT_S, LOOK_EVERY_S, Look, RunRequest
from producer_agent.cli.stop import Stop
from producer_agent.delivery.run import ProducerRun
from producer_agent.delivery.run_manager import require_usable
from producer_agent.flows import Flows
from producer_agent.kafka.admin import ClusterUnreachable
from producer_agent.kafka.cluster import Cluster
from producer_agent.lock import AgentLock
from producer_agent.settings import Settings
from producer_agent.store.queries.summary import letters_of_run
from producer_agent.store.writer import Writer

VIEW_TIMEOUT_S = 10.0

OUTBOX_EVERY_S = 1.0
"""How often it is looked whether the outbox is full, which pauses the run."""


def run_here(request: RunRequest, settings: Settings, stop: Stop, look: Look) -> str:
    """Run it, and wait until what failed is stored as dead letters; returns the run's uuid.

    Raises:
        AgentRunning, StoreError: the database cannot be had.
        ClusterUnreachable, EmbeddedClusterUnavailable: nor the cluster.
        ProfileInvalid, RunRefused: it cannot run.
    """
    require_usable(request.profile)
    # Only this one run: profiles that start with the agent are the agent's.
    settings = settings.model_copy(update={"autostart": False})
    with AgentLock(settings.db), Writer(settings.db) as writer:
        cluster = Cluster(settings)
        try:
            flows = Flows(cluster, _cluster_id(cluster), writer, settings)
            flows.start()
            try:
                run = _run(request, flows, stop, look)
                _wait_for_letters(writer, run, stop, look)
                return run.uuid.hex
            finally:
                flows.close("ended")
        finally:
            cluster.close()


def _cluster_id(cluster: Cluster) -> str:
    found = cluster.view(VIEW_TIMEOUT_S).cluster_id
    if found is None:
        raise ClusterUnreachable(
            f"{cluster.bootstrap_servers} tells no cluster id: it may be starting. Try again."
        )
    return found


def _run(request: RunRequest, flows: Flows, stop: Stop, look: Look) -> ProducerRun:
    run = flows.start_run(request.profile, request.rate, request.limits)
    for problem in flows.problems_fact():
        note(f"warning: {problem['topic']}: {problem['message']}")
    next_outbox_s = time.monotonic()
    while run.alive:
        now = run.status()
        look(
            now.accepted,
            f"paused: {now.paused_because}" if now.paused_because else f"{now.outstanding} open",
        )
        if time.monotonic() >= next_outbox_s:
            flows.letters_fact()
            next_outbox_s = time.monotonic() + OUTBOX_EVERY_S
        if stop.asked:
            run.stop(stop.reason)
        run.join(LOOK_EVERY_S)
    return run


def _wait_for_letters(writer: Writer, run: ProducerRun, stop: Stop, look: Look) -> None:
    """Wait until each failure was published and read back; what is not stays in the outbox."""
    deadline = time.monotonic() + LETTERS_TIMEOUT_S
    while not stop.impatient and time.monotonic() < deadline:
        letters = writer.call(partial(letters_of_run, uuid=run.uuid.hex))
        if letters.settled:
            return
        look(run.status().accepted, f"dead letters {letters.stored} of {letters.due}")
        time.sleep(LOOK_EVERY_S)
