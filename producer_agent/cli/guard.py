"""What every command does with an error: one line that names the mend, never a traceback."""

from __future__ import annotations

import errno
import traceback
from typing import Any

import typer
from typer.core import TyperGroup

from producer_agent.advice.compare.manager import CompareRefused
from producer_agent.advice.compare.plan import PlanInvalid
from producer_agent.cli.output import fail, note
from producer_agent.cli.profile_files import NoProfile
from producer_agent.cli.serving import DatabaseBusy
from producer_agent.commands import CommandFailed
from producer_agent.dead_letters.policies import PolicyInvalid
from producer_agent.delivery.profiles import ProfileInvalid
from producer_agent.delivery.run_manager import RunRefused
from producer_agent.kafka.admin import ClusterUnreachable
from producer_agent.kafka.embedded import EmbeddedClusterUnavailable
from producer_agent.kafka.lab import LabError
from producer_agent.lock import AgentRunning
from producer_agent.settings import Settings, SettingsInvalid
from producer_agent.store.database import StoreError

_USAGE_ERROR: Any = typer.BadParameter.__base__
"""What typer raises for bad usage, prints itself and ends with 2; not among its public names."""

EXPECTED = (
    AgentRunning,
    ClusterUnreachable,
    CommandFailed,
    CompareRefused,
    DatabaseBusy,
    EmbeddedClusterUnavailable,
    LabError,
    NoProfile,
    PlanInvalid,
    PolicyInvalid,
    ProfileInvalid,
    RunRefused,
    StoreError,
)
"""Errors whose text says what is wrong and what to do."""


class GuardedGroup(TyperGroup):
    """The root of all commands: turns what they raise into a message and an exit code."""

    def invoke(self, ctx: Any) -> Any:
        """Run the command."""
        try:
            return super().invoke(ctx)
        except SettingsInvalid as error:
            fail(str(error), code=2)
        except EXPECTED as error:
            fail(str(error))
        except OSError as error:
            if error.errno == errno.EPIPE:  # whoever read us has gone; typer ends us quietly
                raise
            fail(f"{error}. Check that the path is there, is yours, and that the disk has room.")
        except (typer.Exit, typer.Abort, _USAGE_ERROR):
            raise
        except Exception as error:  # noqa: BLE001 - the last resort, and it tells all it knows
            _unexpected(error)


def _unexpected(error: Exception) -> None:
    try:
        wanted = Settings.load().log_level == "DEBUG"
    except SettingsInvalid:
        wanted = False
    if wanted:
        note(traceback.format_exc())
        fail(f"{type(error).__name__}: {error}")
    fail(
        f"unexpected {type(error).__name__}: {error}. This is a bug in Ackboard: set "
        "ACKBOARD_LOG_LEVEL=DEBUG and run it again for the traceback, and report that."
    )
