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
        help=f"Figures are read anew every {REFRESH_S:g} s; charts every 10 s, or every minute "
        "from 1 h on. Switch it off to read in peace.",
    )


def is_live() -> bool:
    """Whether pages refresh by themselves."""
    return bool(st.session_state.get(_LIVE, True))


def live(
    draw: Callable[[], None],
    *,
    title: str | None = None,
    controls: Callable[[], None] | None = None,
) -> None:
    """Draw now, and again every :data:`REFRESH_S` unless paused; say as of when it is.

    ``draw`` must put the same elements in the same order, with stable keys, or the page flickers.

    Args:
        title: The page's, if it is to be drawn here with the mark beside it.
        controls: Draws what stands right of the title, such as a time range. Using them redraws
            this part alone.
    """

    def draw_and_tell() -> None:
        if title is None:
            draw()
            as_of()
            return
        with st.container(
            horizontal=True, horizontal_alignment="distribute", vertical_alignment="bottom"
        ):
            with st.container(
                horizontal=True, vertical_alignment="bottom", gap="medium", width="content"
            ):
                st.title(title, anchor=False, width="content")
                as_of()
            if controls is not None:
                controls()
        draw()

    st.fragment(draw_and_tell, run_every=REFRESH_S if is_live() else None)()


def as_of() -> None:
    """``as of 05:15:02, updates every 2 s``."""
    now = formats.clock(time.time_ns() // 1000, context.zone())
    rest = f"updates every {REFRESH_S:g} s" if is_live() else "paused"
    st.caption(f"as of {now}, {rest}", width="content")
