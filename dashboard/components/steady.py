"""Charts that stand still between their updates.

Streamlit takes a chart with other data for another chart and mounts it anew, which is seen as a
blink. So a figure is kept for some seconds while the numbers around it go on.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Hashable
from typing import Any

import streamlit as st

from dashboard import charts, context
from producer_agent.store.queries.windows import Window


def period_s(window: Window) -> int:
    """How long a figure of a window stands: a bucket, and a minute at most."""
    return min(window.resolution_s, 60)


def chart(
    key: str,
    window: Window,
    view: Hashable,
    build: Callable[[], Any],
    *,
    alt: str,
    config: dict[str, Any] = charts.CONFIG,
) -> None:
    """Draw ``build()``, or what it gave before in the same period and of the same view.

    Args:
        key: Of the element.
        view: What the figure is of: with another view it is built at once.
        alt: The figure in words, for those who do not see it.
    """
    period = int(time.time() / period_s(window))
    still(key, (view, period, window.resolution_s, window.buckets), build, alt=alt, config=config)


def still(
    key: str,
    view: Hashable,
    build: Callable[[], Any],
    *,
    alt: str,
    config: dict[str, Any] = charts.CONFIG,
) -> None:
    """Draw ``build()``, or what it gave before of the same view, however long ago.

    Args:
        key: Of the element.
        view: What the figure is of: with another view it is built at once.
        alt: The figure in words, for those who do not see it.
    """
    token = (view, context.is_dark(), context.zone())
    kept = st.session_state.get(f"_{key}")
    if kept is None or kept[0] != token:
        kept = (token, build())
        st.session_state[f"_{key}"] = kept
    st.plotly_chart(kept[1], key=key, config=config, alt=alt)
