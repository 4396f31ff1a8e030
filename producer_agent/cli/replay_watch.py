"""Asking the agent for something about a plan, and watching the plan until it got there."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

from producer_agent.cli.output import count, duration, fail, visible
from producer_agent.cli.progress import progress_bar
from producer_agent.cli.serving import serving_agent
from producer_agent.commands import Command, ask_and_wait, local_user
from producer_agent.store.queries import replays as queries
from producer_agent.store.queries.replays import Plan
from producer_agent.store.reader import Reader

ANSWER_S = 60.0
"""A filter that matches a million letters takes the agent some seconds to freeze."""

LOOK_EVERY_S = 0.2
ALIVE_EVERY_S = 2.0

Look = Callable[[Plan], None]


def ask_agent(
    db: Path, kind: Command, arguments: dict[str, Any], why: str | None = None
) -> dict[str, Any]:
    """Have the agent do it; fails where none serves the database, as only it speaks to Kafka."""
    _require_agent(db)
    return ask_and_wait(db, kind, arguments, who=local_user(), why=why, timeout_s=ANSWER_S)


def watch(db: Path, plan: int, leaving: tuple[str, ...], look: Look) -> Plan:
    """Wait until a plan is in none of the states ``leaving``; fails if the agent goes away.

    Raises:
        KeyboardInterrupt: whoever waits has seen enough.
    """
    reader = Reader(db)
    alive_s = time.monotonic()
    while True:
        found = reader(partial(queries.plan, plan_id=plan))
        assert found is not None, "plans are never deleted"
        if found.row.state not in leaving:
            return found
        look(found)
        if time.monotonic() - alive_s >= ALIVE_EVERY_S:
            if serving_agent(db) is None:
                fail(
                    f"The agent has gone. Plan {plan} is {found.row.state} as it left it; the next "
                    "agent goes on with it (`python -m producer_agent serve`)."
                )
            alive_s = time.monotonic()
        time.sleep(LOOK_EVERY_S)


@contextmanager
def progress(what: str, *, quiet: bool) -> Iterator[Look]:
    """A bar on a terminal, nothing elsewhere."""
    with progress_bar(what, quiet=quiet) as move:

        def look(plan: Plan) -> None:
            counts = plan.counts
            if plan.row.started_us is None:
                move(0, visible(plan.row.progress or ""))
            else:
                move(counts.to_send - counts.left, told_of(plan), counts.to_send)

        yield look


def told_of(plan: Plan) -> str:
    """How far a plan that is run is, on one line."""
    counts, told = plan.counts, []
    told.append(f"{count(counts.done)} of {count(counts.to_send)}")
    if counts.rate_per_s:
        told.append(f"{counts.rate_per_s:,.0f}/s")
        told.append(f"{duration(counts.left / counts.rate_per_s)} left")
    if counts.by_state.get("failed"):
        told.append(f"{count(counts.by_state['failed'])} failed")
    if counts.came_back:
        told.append(f"{count(counts.came_back)} came back")
    words = plan.row.progress or ""
    if "watching" in words or "tries again" in words or "looking" in words or "reading" in words:
        told.append(visible(words))
    return ", ".join(told)


def _require_agent(db: Path) -> None:
    if serving_agent(db) is None:
        fail(
            f"No agent serves {db}, and only an agent sends records back. Start one "
            "(`python -m producer_agent serve`, or the dashboard), then try again."
        )
