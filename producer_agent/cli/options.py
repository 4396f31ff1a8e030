"""Options that several commands share, and how their texts are read."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated

import typer

from producer_agent.settings import Settings

DbOption = Annotated[
    Path | None,
    typer.Option("--db", help="The database; default: $ACKBOARD_DB or data/ackboard.db."),
]

JsonOption = Annotated[
    bool, typer.Option("--json", help="Write JSON for programs; its keys are in docs/cli.md.")
]

_UNITS_S = {"": 1.0, "s": 1.0, "m": 60.0, "min": 60.0, "h": 3600.0, "d": 86_400.0}
_LONGEST_S = 100 * 365 * 86_400.0


def settings_for(db: Path | None) -> Settings:
    """The settings from the environment, with ``--db`` over them.

    Raises:
        SettingsInvalid: naming each variable that is wrong.
    """
    settings = Settings.load()
    return settings if db is None else settings.model_copy(update={"db": db})


def seconds_of(text: str) -> float:
    """The seconds of ``90``, ``90s``, ``30m``, ``1.5h`` or ``2d``.

    Raises:
        typer.BadParameter: it is none of these, or not above 0.
    """
    found = re.fullmatch(r"\s*([0-9]+(?:\.[0-9]+)?)\s*(s|min|m|h|d|)\s*", text)
    seconds = float(found[1]) * _UNITS_S[found[2]] if found else 0.0
    if not 0 < seconds <= _LONGEST_S:
        raise typer.BadParameter(
            f"{text!r} is no length of time. Write a number with s, m, h or d behind it: 90s, "
            "30m, 1h, 2d."
        )
    return seconds


def window_of(text: str) -> float | None:
    """Like :func:`seconds_of`; None for ``all``."""
    return None if text == "all" else seconds_of(text)
