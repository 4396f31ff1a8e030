"""Asking the agent to inject a fault or to undo it; what came of it is told in a toast."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import streamlit as st

from dashboard import context
from dashboard.formats import escape_markdown
from producer_agent.commands import Command

TIMEOUT_S: Final = 90.0
"""A node of the lab takes seconds to stop and to start, on a busy machine more of them."""


def inject(arguments: Mapping[str, Any], done: str, doing: str) -> None:
    """Put a fault in force, and draw the page anew.

    Args:
        arguments: Of the command ``fault.inject``.
        done: What is told once it is (plain text).
        doing: What is told meanwhile.
    """
    _act(Command.FAULT_INJECT, arguments, done, doing)


def undo(arguments: Mapping[str, Any], done: str, doing: str = "Undoing it") -> None:
    """End a fault, likewise. ``arguments`` are those of ``fault.undo``."""
    _act(Command.FAULT_UNDO, arguments, done, doing)


def undo_all() -> None:
    """End every fault, likewise."""
    _act(Command.FAULT_UNDO_ALL, {}, "Every fault is undone.", "Undoing every fault")


def _act(kind: Command, arguments: Mapping[str, Any], done: str, doing: str) -> None:
    with st.spinner(doing):
        result = context.act(kind, dict(arguments), timeout_s=TIMEOUT_S)
    if result is not None:
        st.toast(escape_markdown(done), icon=":material/bolt:")
    st.rerun()
