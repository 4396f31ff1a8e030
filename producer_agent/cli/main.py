"""The command line: one module a group of commands, all listed here."""

from __future__ import annotations

import logging
import sys
from pathlib import Path
from typing import Annotated, NoReturn

import typer

from producer_agent.agent import serve as serve_agent
from producer_agent.kafka.mock_library import EmbeddedClusterUnavailable
from producer_agent.lock import AgentRunning
from producer_agent.settings import Settings, SettingsInvalid
from producer_agent.store.database import StoreError

app = typer.Typer(
    name="producer_agent",
    help="Ackboard's agent: sends events, records what became of each, and keeps the proof.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)

DbOption = Annotated[
    Path | None,
    typer.Option("--db", help="The database; default: $ACKBOARD_DB or data/ackboard.db"),
]


@app.callback()
def root() -> None:
    """Ackboard's agent: sends events, records what became of each, and keeps the proof."""


def settings_for(db: Path | None) -> Settings:
    """The settings from the environment, with ``--db`` over them. Exits with 2 if invalid."""
    try:
        settings = Settings.load()
    except SettingsInvalid as error:
        fail(str(error), code=2)
    return settings if db is None else settings.model_copy(update={"db": db})


def fail(message: str, code: int = 1) -> NoReturn:
    """Print an error to stderr and exit."""
    typer.echo(f"error: {message}", err=True)
    raise typer.Exit(code)


@app.command()
def serve(
    db: DbOption = None,
    parent: Annotated[
        int | None, typer.Option(hidden=True, help="end when this process is gone")
    ] = None,
) -> None:
    """Run the agent until Ctrl-C or SIGTERM, without a browser."""
    settings = settings_for(db)
    logging.basicConfig(
        level=settings.log_level,
        format="%(asctime)s %(levelname)-7s %(name)s: %(message)s",
        stream=sys.stderr,
    )
    logging.getLogger("apscheduler").setLevel(logging.WARNING)
    try:
        serve_agent(settings, parent)
    except (AgentRunning, StoreError, EmbeddedClusterUnavailable) as error:
        fail(str(error))


def main() -> None:
    """Entry point."""
    app()
