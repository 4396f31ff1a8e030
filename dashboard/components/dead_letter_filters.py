"""The filters of the dead letters' list: widgets whose values live in the URL."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

import streamlit as st

from producer_agent.store.queries import dead_letters as letters
from producer_agent.store.queries.dead_letters import FilterOptions, LetterFilter

ANY: Final = "any"

STATUS_WORDS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "new": "new",
        "replaying": "replaying",
        "replayed": "replayed",
        "replay_failed": "replay failed",
        "replay_unknown": "replay unknown",
    }
)

_STATUSES: Final[Mapping[str, tuple[str, ...] | None]] = MappingProxyType(
    {
        "open": letters.OPEN_STATUSES,
        ANY: None,
        **{words: (status,) for status, words in STATUS_WORDS.items()},
    }
)

_SINCE_S: Final[Mapping[str, int | None]] = MappingProxyType(
    {
        ANY: None,
        "15 min": 900,
        "1 h": 3_600,
        "6 h": 21_600,
        "24 h": 86_400,
        "7 d": 604_800,
        "30 d": 2_592_000,
    }
)

_KEYS: Final = ("topic", "cause", "side", "status", "profile", "since", "key")
"""Of the widgets, and so the names in the URL."""


def choose(options: FilterOptions, now_us: int) -> LetterFilter:
    """Draw the filters and return what was chosen; `up_to_id` is left to the caller.

    Args:
        options: What occurs among the dead letters.
        now_us: When the list was made, UTC microseconds: what "since" counts back from.
    """
    causes = _cause_labels(options)
    with st.grid(7, min_column_width=110):
        topic = _select("Topic", "topic", (ANY, *options.topics))
        cause = _select("Cause", "cause", (ANY, *causes))
        side = _select(
            "Side",
            "side",
            (ANY, "producer", "consumer", "unknown"),
            "producer: never acknowledged. consumer: delivered, then could not be processed.",
        )
        status = _select(
            "Status",
            "status",
            tuple(_STATUSES),
            "open: what still asks for a decision, that is new, failed and unknown replays.",
        )
        profile = _select("Profile", "profile", (ANY, *options.profiles))
        since = _select("Since", "since", tuple(_SINCE_S))
        key = st.text_input(
            "Key contains", key="key", bind="query-params", placeholder="order-8812"
        )
    since_s = _SINCE_S[since]
    return LetterFilter(
        topic=_chosen(topic),
        cause=causes.get(cause),
        side=_chosen(side),
        statuses=_STATUSES[status],
        profile=_chosen(profile),
        since_us=None if since_s is None else now_us - since_s * 1_000_000,
        key_contains=(key or "").strip(),
    )


def clear() -> None:
    """Set every filter to leave nothing out but what is settled; for a button's callback."""
    for key in _KEYS:
        st.session_state[key] = {"status": "open", "key": ""}.get(key, ANY)


def _select(label: str, key: str, options: tuple[str, ...], help_text: str | None = None) -> str:
    chosen = st.selectbox(label, options, key=key, bind="query-params", help=help_text)
    return chosen if chosen is not None else options[0]


def _chosen(value: str) -> str | None:
    return None if value == ANY else value


def _cause_labels(options: FilterOptions) -> dict[str, int]:
    """Title to row id; a title that two causes share gets the id behind it."""
    titles = [title for _, title in options.causes]
    return {
        title if titles.count(title) == 1 else f"{title} #{id_}": id_
        for id_, title in options.causes
    }
