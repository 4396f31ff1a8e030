"""What runs by the clock, in the agent: APScheduler, with every failure written down."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from functools import partial

from apscheduler.events import (
    EVENT_JOB_ERROR,
    EVENT_JOB_EXECUTED,
    EVENT_JOB_MAX_INSTANCES,
    EVENT_JOB_MISSED,
    JobEvent,
    JobExecutionEvent,
)
from apscheduler.schedulers.background import BackgroundScheduler

from producer_agent.settings import Settings
from producer_agent.store import applications, retention
from producer_agent.store import jobs as table
from producer_agent.store.broker_rollups import BrokerRollups
from producer_agent.store.clock import now_us
from producer_agent.store.reader import Reader
from producer_agent.store.retention import Keep
from producer_agent.store.writer import Writer

log = logging.getLogger(__name__)

RETENTION_EVERY_S = 60
OPTIMIZE_EVERY_S = 3600
RULES_EVERY_S = 15
APPLICATIONS_EVERY_S = 5
BY_BROKER_EVERY_S = 2
MOST_STEPS = 200
"""Retention steps in one run of the job; what is left waits for the next."""

_STATES = {
    EVENT_JOB_EXECUTED: "done",
    EVENT_JOB_ERROR: "failed",
    EVENT_JOB_MISSED: "missed",
    EVENT_JOB_MAX_INSTANCES: "missed",
}


class Jobs:
    """The scheduler and its jobs.

    Args:
        writer: The database.
        settings: What is kept for how long.
        follow_replay_rules: Sends what is due by the automatic replay rules.
    """

    def __init__(
        self,
        writer: Writer,
        settings: Settings,
        follow_replay_rules: Callable[[], None] = lambda: None,
    ) -> None:
        self._writer = writer
        self._keep = Keep(
            deliveries=settings.keep_deliveries,
            undelivered_s=settings.keep_undelivered_days * 86400,
            published_s=settings.keep_published_days * 86400,
        )
        # APScheduler's own grace time of 1 s would drop jobs whenever the machine is busy.
        self._scheduler = BackgroundScheduler(
            timezone="UTC",
            job_defaults={"misfire_grace_time": 60, "coalesce": True, "max_instances": 1},
        )
        self._scheduler.add_listener(self._note, sum(_STATES))
        self._every("retention", RETENTION_EVERY_S, self._trim)
        self._every("optimize", OPTIMIZE_EVERY_S, self._optimize)
        self._every("replay-rules", RULES_EVERY_S, follow_replay_rules)
        by_broker = BrokerRollups(Reader(writer.path), writer)
        self._every("by-broker", BY_BROKER_EVERY_S, lambda: by_broker.roll(now_us()))
        self._every("applications", APPLICATIONS_EVERY_S, self._end_silent_applications)

    def start(self) -> None:
        """Begin."""
        self._scheduler.start()

    def close(self) -> None:
        """End, after the job that is running."""
        if self._scheduler.running:
            self._scheduler.shutdown(wait=True)

    def _every(self, name: str, seconds: int, job: Callable[[], object]) -> None:
        self._scheduler.add_job(
            job, "interval", seconds=seconds, id=name, name=name, replace_existing=True
        )

    def _trim(self) -> None:
        for _ in range(MOST_STEPS):
            if not self._writer.call(partial(retention.trim, now_s=time.time(), keep=self._keep)):
                return

    def _end_silent_applications(self) -> None:
        left = self._writer.call(partial(applications.end_silent, at_us=now_us()))
        for name, unresolved in left.items():
            log.warning("%s died without a word: %d events unresolved", name, unresolved)

    def _optimize(self) -> None:
        self._writer.call(lambda db: db.execute("PRAGMA optimize").fetchall())

    def _note(self, event: JobEvent) -> None:
        state = _STATES.get(event.code, "failed")
        detail = None
        if isinstance(event, JobExecutionEvent) and event.exception is not None:
            detail = f"{type(event.exception).__name__}: {event.exception}"
            log.error("job %s failed: %s", event.job_id, detail)
        elif state == "missed":
            detail = "its last run was not over, or the machine was busy"
        try:
            self._writer.submit(partial(table.note, name=event.job_id, state=state, detail=detail))
        except RuntimeError:
            log.debug("the writer is closed; job %s is not noted", event.job_id)
