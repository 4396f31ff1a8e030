"""``serve``: the agent as a process."""

from __future__ import annotations

import logging
import sys
from typing import Annotated

import typer

from producer_agent.agent import serve as serve_agent
from producer_agent.cli.options import DbOption, settings_for


def serve(
    db: DbOption = None,
    parent: Annotated[
        int | None, typer.Option(hidden=True, help="End when this process is gone.")
    ] = None,
) -> None:
    """Run the agent until Ctrl-C or SIGTERM, without a browser.

    Exit codes: 0 it was stopped; 1 it could not start (another agent serves the database, say);
    2 bad usage.
    """
    settings = settings_for(db)
    logging.basicConfig(
        level=settings.log_level,
        format="%(asctime)s %(levelname)-7s %(name)s: %(message)s",
        stream=sys.stderr,
    )
    logging.getLogger("apscheduler").setLevel(logging.WARNING)
    serve_agent(settings, parent)
