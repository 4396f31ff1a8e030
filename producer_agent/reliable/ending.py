"""How a reliable producer ends: told, recorded, and its letters sent, within some seconds."""

from __future__ import annotations

import logging
import threading
from dataclasses import dataclass

from producer_agent.reliable.clerk import Clerk
from producer_agent.reliable.failures import FailureLog

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Ending:
    """In which way, and how long it waits for the database and for the dead-letter topic."""

    reason: str
    recorded_s: float
    letters_s: float


CLOSED = Ending("closed", 5.0, 10.0)
ABANDONED = Ending("left without close()", 2.0, 2.0)


def abandon(name: str, clerk: Clerk, failure_log: FailureLog) -> None:
    """The producer was let go, or the process ends, without ``close()``."""
    if clerk.is_at_work_here:
        # Collected as part of a cycle, by chance in a thread that ending it would wait for.
        arguments = (name, clerk, failure_log, ABANDONED)
        threading.Thread(target=end, args=arguments, name="ackboard-ending").start()
    else:
        end(name, clerk, failure_log, ABANDONED)


def end(name: str, clerk: Clerk, failure_log: FailureLog, ending: Ending) -> None:
    """Tell and record what is left. Never raises for what is wrong with the database."""
    left = clerk.end()
    failure_log.close()
    if left:
        log.error(
            "%s: %d records were accepted and have no report, so they may or may not have "
            "arrived%s",
            name,
            left,
            "" if ending is CLOSED else ": call flush() or close() before the end",
        )
    if clerk.recording is not None and not clerk.recording.close(ending.reason, ending.recorded_s):
        log.warning(
            "%s: its last outcomes were not recorded: %s",
            name,
            clerk.recording.problem or "there was no time",
        )
    if clerk.letters is not None:
        lost = clerk.letters.close(ending.letters_s)
        if lost:
            log.error("%s: %d failed records were not dead-lettered in time", name, lost)
