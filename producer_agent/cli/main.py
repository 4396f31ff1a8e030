"""The command line: one module a group of commands, all listed here."""

from __future__ import annotations

import io
import sys

import typer

from producer_agent.cli import compare, dead_letters, deliveries, lab, profiles, replay
from producer_agent.cli.advise import advise
from producer_agent.cli.audit import audit
from producer_agent.cli.diagnose import diagnose
from producer_agent.cli.doctor import doctor
from producer_agent.cli.guard import GuardedGroup
from producer_agent.cli.run import run
from producer_agent.cli.serve import serve
from producer_agent.cli.status import status

app = typer.Typer(
    name="producer_agent",
    cls=GuardedGroup,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)


@app.callback()
def root() -> None:
    """Ackboard's agent: sends events, records what became of each, and keeps the proof.

    Exit codes of every command: 0 done, 1 failed, 2 bad usage. `COMMAND --help` says what 1 means.
    """


app.command()(serve)
app.command()(run)
app.command()(status)
app.add_typer(profiles.app, name="profiles")
app.add_typer(compare.app, name="compare")
app.add_typer(deliveries.app, name="deliveries")
app.add_typer(dead_letters.app, name="dead-letters")
app.add_typer(replay.app, name="replay")
app.add_typer(lab.app, name="lab")
app.command()(audit)
app.command()(advise)
app.command()(diagnose)
app.command()(doctor)


def main() -> None:
    """Entry point."""
    for stream in (sys.stdout, sys.stderr):
        # A terminal that has no UTF-8 shows an escape rather than ending the command.
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    app(prog_name="python -m producer_agent")
