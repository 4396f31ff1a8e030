"""One press, one request, though its callback be called twice.

A part of a page that refreshes itself takes along whatever is pressed, and then the press's own
run comes: Streamlit calls a button's callback in each.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Final, TypeVar

import streamlit as st

T = TypeVar("T")

SAME_PRESS_S: Final = 5.0
"""A person who means it again presses later than this after the first was done."""


def once(name: str, act: Callable[[], T | None]) -> T | None:
    """What ``act()`` gives; what it gave, where this very press has done it already.

    An act that gives None has failed, and is tried again.

    Args:
        name: Of the act and of what it is done to.
    """
    key = f"_press-{name}"
    given, at_s = st.session_state.get(key, (None, 0.0))
    if given is None or time.monotonic() - at_s > SAME_PRESS_S:
        given = act()
        st.session_state[key] = (given, time.monotonic())
    result: T | None = given
    return result
