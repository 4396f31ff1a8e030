"""Refreshing by itself: every page's content is redrawn every two seconds, unless paused."""

from __future__ import annotations

import time
from collections.abc import Callable

import streamlit as st

from dashboard import context, formats

REFRESH_S = 2.0

_LIVE = "live"


def toggle() -> None:
    """The switch that pauses the refreshing of every page, so that one can read in peace."""
    st.toggle(
        "Refresh",
        value=True,
        key=_LIVE,
        persist_state="session",
        help=f"Redraws the page every {REFRESH_S:g} s. Switch it off to read in peace.",
    )


def is_live() -> bool:
    """Whether pages refresh by themselves."""
    return bool(st.session_state.get(_LIVE, True))


def live(draw: Callable[[], None]) -> None:
    """Draw now, and again every :data:`REFRESH_S` unless paused; then say as of when it is.

    ``draw`` must put the same elements in the same order, with stable keys, or the page flickers.
    """

    def draw_and_tell() -> None:
        draw()
        as_of()

    st.fragment(draw_and_tell, run_every=REFRESH_S if is_live() else None)()


def as_of() -> None:
    """``as of 05:15:02, updates every 2 s``."""
    now = formats.clock(time.time_ns() // 1000, context.zone())
    st.caption(
        f"as of {now}, updates every {REFRESH_S:g} s" if is_live() else f"as of {now}, paused"
    )
