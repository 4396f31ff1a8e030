"""What every page stands on: the settings, the reader, who is asking, and how to act."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import tzinfo
from pathlib import Path
from typing import Any, TypeVar

import streamlit as st

from dashboard import formats
from producer_agent import commands
from producer_agent.commands import Command, CommandFailed
from producer_agent.settings import Settings, SettingsInvalid
from producer_agent.store.database import StoreError
from producer_agent.store.reader import Reader

T = TypeVar("T")


def settings() -> Settings:
    """The settings this process was started with; a wrong one is shown, and ends the page."""
    try:
        return _settings()
    except SettingsInvalid as error:
        st.error(
            formats.escape_markdown(str(error)),
            title="A setting cannot be used",
            icon=":material/settings_alert:",
        )
        st.stop()


def reader() -> Reader:
    """The one reader of the database; it hands each thread a connection of its own."""
    return _reader(settings().db)


def read(query: Callable[..., T]) -> T:
    """``query(db)`` on one snapshot. Where the database cannot be read, the page says why, how
    to mend it, and ends there; the next refresh tries again.
    """
    try:
        return reader()(query)
    except StoreError as error:
        if settings().db.exists():
            st.error(
                formats.escape_markdown(str(error)),
                title="The database cannot be read",
                icon=":material/database_off:",
            )
        else:
            st.warning(
                f"Start the agent: `make run`, or `python -m producer_agent serve`. The database "
                f"is expected at {formats.code_span(str(settings().db.absolute()))}; "
                f"`ACKBOARD_DB` names another place.",
                title="Nothing has been recorded yet: there is no database",
                icon=":material/database_off:",
            )
        st.stop()


def act(
    kind: Command,
    arguments: Mapping[str, Any],
    *,
    why: str | None = None,
    timeout_s: float = 10.0,
) -> dict[str, Any] | None:
    """Ask the agent and wait; its result, or None when it failed, which a toast then tells."""
    try:
        return commands.ask_and_wait(
            settings().db, kind, arguments, who=who(), why=why, timeout_s=timeout_s
        )
    except (CommandFailed, StoreError) as error:
        st.toast(formats.escape_markdown(str(error)), icon=":material/error:", duration="infinite")
        return None


def who() -> str:
    """The person asking, for the audit log."""
    return commands.local_user()


def zone() -> tzinfo:
    """The viewer's time zone."""
    return formats.viewer_zone(st.context.timezone)


def is_dark() -> bool:
    """Whether the viewer sees the dark theme."""
    return st.context.theme.type == "dark"


@st.cache_resource(show_spinner=False)
def _settings() -> Settings:
    return Settings.load()


@st.cache_resource(show_spinner=False)
def _reader(path: Path) -> Reader:
    return Reader(path)
