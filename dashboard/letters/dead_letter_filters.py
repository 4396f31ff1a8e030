"""The filters of the dead letters: widgets whose values live in the URL."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import Final

import streamlit as st
from streamlit.runtime.scriptrunner import get_script_run_ctx

from dashboard import context
from producer_agent.store.queries import dead_letters as letters
from producer_agent.store.queries.dead_letters import FilterOptions, LetterFilter
from producer_agent.store.queries.letter_filter import SIDES

ANY: Final = "any"

CAUSE: Final = "cause"
"""In the URL: the row id of the cause that the list is narrowed to."""

PAGE: Final = "list_page"
"""In the URL: the page of the list."""

HEARD_WITHIN_S: Final = 10.0
"""A browser that still asks for the cause of before so long after another was chosen means it."""

_CHOSEN: Final = "dead-letters-chosen"
_CLEAR_ALL: Final = "dead-letters-clear-all"

_STATUSES: Final[Mapping[str, tuple[str, ...] | None]] = MappingProxyType(
    {
        "open": letters.OPEN_STATUSES,
        ANY: None,
        **{status: (status,) for status in letters.STATUSES},
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

_SELECTS: Final = (
    "topic",
    "status",
    "since",
    "queue",
    "side",
    "profile",
    "convention",
    "group",
)
_TEXTS: Final = ("text", "error", "key", "header")
_MORE: Final = (
    "queue",
    "side",
    "profile",
    "convention",
    "group",
    "error",
    "key",
    "header",
    "from",
    "until",
    "back",
)
"""Keys of the widgets, and so the names in the URL; those that the popover holds."""


def choose(options: FilterOptions, now_us: int) -> LetterFilter:
    """Draw the filters and return what was chosen; ``cause`` is :func:`chosen_cause`'s to tell, and
    ``up_to_id`` is left to the caller.

    Args:
        options: What occurs among the dead letters.
        now_us: When the list was made, UTC microseconds: what "since" counts back from.
    """
    if _CLEAR_ALL not in st.session_state:
        # A button is forgotten when its page is left, and with it the cause. (What is bound to the
        # URL is not: the filters are there again when the page is.)
        st.session_state.pop(_CHOSEN, None)
    with st.container(horizontal=True, vertical_alignment="bottom", gap="small"):
        with st.container(width=200):
            topic = _select("Meant for topic", "topic", (ANY, *options.topics))
        with st.container(width=130):
            status = _select(
                "Status",
                "status",
                tuple(_STATUSES),
                "open: what still asks for a decision, that is new and acknowledged.",
            )
        with st.container(width=110):
            since = _select("Stored since", "since", tuple(_SINCE_S))
        with st.container(width=220):
            text = _text(
                "Text in the payload",
                "text",
                'order-8812 or "card declined"',
                "Words anywhere in the first 8 KiB of the payload. Double quotes for a phrase; "
                "a * at the end finds what begins so.",
            )
        active = sum(_is_active(key, options) for key in _MORE)
        with st.popover(
            f"More filters ({active})" if active else "More filters",
            icon=":material/filter_alt:",
            type="primary" if active else "secondary",
            key="dead-letters-more",
        ):
            more = _more(options)
    since_s = _SINCE_S[since]
    since_us = None if since_s is None else now_us - since_s * 1_000_000
    # Of two beginnings the later one holds: both were asked for.
    begins = [at for at in (since_us, more.since_us) if at is not None]
    return LetterFilter(
        topic=_chosen(topic),
        side=more.side,
        statuses=_STATUSES[status],
        profile=more.profile,
        since_us=max(begins) if begins else None,
        key_contains=more.key_contains,
        until_us=more.until_us,
        dead_letter_topic=more.dead_letter_topic,
        convention=more.convention,
        error=more.error,
        consumer_group=more.consumer_group,
        header=more.header,
        text=text,
        came_back=more.came_back,
    )


@dataclass(frozen=True, slots=True)
class _Chosen:
    """The cause that was chosen on this page, kept until the browser's URL has it.

    It cannot be kept in the URL alone. A run begins with the URL of the browser that asked for it,
    and a browser may ask before it has heard what the run before made of its URL. Nor does a tick
    come with its own run first: a part that refreshes itself sends every widget's state along,
    so that the tick's callback may be called in the run of that part, which draws nothing else.
    """

    asked: str | None
    """What the URL is to ask for."""
    before: frozenset[str | None] = frozenset()
    """What the URL asked for until then, and a browser may ask for that has not heard."""
    at_s: float = 0.0
    """When it was chosen, on the monotonic clock."""

    def is_newer_than(self, asked: str | None) -> bool:
        """Whether a browser whose URL asks for this has not heard yet."""
        return asked in self.before and time.monotonic() - self.at_s < HEARD_WITHIN_S


def chosen_cause(options: FilterOptions) -> int | None:
    """The cause that was chosen: by the URL its row id, or as other pages link to it its title;
    or on this page, and then the URL is made to ask for it.

    For the page's own run, not that of a part which refreshes itself.
    """
    asked = st.query_params.get(CAUSE) or None
    chosen: _Chosen | None = st.session_state.get(_CHOSEN)
    if chosen is not None and chosen.is_newer_than(asked) and not _is_way_back():
        asked = chosen.asked
        if asked is None:
            st.query_params.pop(CAUSE, None)
        else:
            st.query_params[CAUSE] = asked
        st.session_state[PAGE] = 1
    else:
        st.session_state[_CHOSEN] = _Chosen(asked)
    if asked is None:
        return None
    if asked.isascii() and asked.isdecimal() and len(asked) < 19:
        return int(asked)
    return next((id_ for id_, title in options.causes if title == asked), None)


def narrow_to(cause: int | None) -> None:
    """Choose this cause, or none; for a callback."""
    asked = None if cause is None else str(cause)
    now_s = time.monotonic()
    last: _Chosen = st.session_state.get(_CHOSEN, _Chosen(st.query_params.get(CAUSE) or None))
    unheard = last.before if now_s - last.at_s < HEARD_WITHIN_S else frozenset()
    st.session_state[_CHOSEN] = _Chosen(asked, (unheard | {last.asked}) - {asked}, now_s)


def clear() -> None:
    """Set every filter to leave nothing out but what is settled; for a button's callback."""
    for key in _SELECTS:
        st.session_state[key] = "open" if key == "status" else ANY
    for key in _TEXTS:
        st.session_state[key] = ""
    st.session_state["from"] = st.session_state["until"] = None
    st.session_state["back"] = False
    narrow_to(None)


def _more(options: FilterOptions) -> LetterFilter:
    """The rarer filters, in the popover."""
    grid = st.grid(2, min_column_width=180, width=460)
    with grid.cell():
        queue = _select("Read from dead-letter topic", "queue", (ANY, *options.dead_letter_topics))
    with grid.cell():
        convention = _select(
            "Convention",
            "convention",
            (ANY, *options.conventions),
            "Which framework's way of writing dead letters it follows.",
        )
    with grid.cell():
        group = _select("Consumer group", "group", (ANY, *options.consumer_groups))
    with grid.cell():
        side = _select(
            "Side",
            "side",
            (ANY, *SIDES),
            "producer: never acknowledged. consumer: delivered, then could not be processed.",
        )
    with grid.cell():
        profile = _select("Profile", "profile", (ANY, *options.profiles))
    with grid.cell():
        error = _text(
            "Error class or code",
            "error",
            "TimeoutException or 19",
            "A number is Kafka's error code; anything else is looked for within the class.",
        )
    with grid.cell():
        key = _text("Key contains", "key", "customer-4711")
    with grid.cell():
        header = _text(
            "Header",
            "header",
            "trace-id=ab12",
            "A name, or name=value, exactly; of the record or of the original in it.",
        )
    with grid.cell():
        since_us = _moment("Stored from", "from")
    with grid.cell():
        until_us = _moment("Stored before", "until")
    with grid.cell():
        back = st.checkbox(
            "Came back from a replay", key="back", bind="query-params", help="Sent back in vain."
        )
    with grid.cell():
        st.button(
            "Clear all filters",
            icon=":material/filter_alt_off:",
            on_click=clear,
            type="tertiary",
            key=_CLEAR_ALL,
        )
    return LetterFilter(
        dead_letter_topic=_chosen(queue),
        convention=_chosen(convention),
        consumer_group=_chosen(group),
        side=_chosen(side),
        profile=_chosen(profile),
        error=error or None,
        key_contains=key,
        header=header or None,
        since_us=since_us,
        until_us=until_us,
        came_back=back,
    )


def _is_way_back() -> bool:
    """Whether the browser's back or forward asked for this run: then its URL is the newer one."""
    running = get_script_run_ctx()
    return running is not None and running.is_history_navigation


def _is_active(key: str, options: FilterOptions) -> bool:
    """Whether a filter leaves something out; before its widget is drawn the URL tells."""
    value = st.session_state[key] if key in st.session_state else st.query_params.get(key)
    occurring = {
        "queue": options.dead_letter_topics,
        "side": SIDES,
        "profile": options.profiles,
        "convention": options.conventions,
        "group": options.consumer_groups,
    }.get(key)
    # A link may name what does not occur here: its widget then falls back to any.
    return value not in (None, "", ANY, False) and (occurring is None or value in occurring)


def _select(label: str, key: str, options: tuple[str, ...], help_text: str | None = None) -> str:
    chosen = st.selectbox(label, options, key=key, bind="query-params", help=help_text)
    return chosen if chosen is not None else options[0]


def _text(label: str, key: str, example: str, help_text: str | None = None) -> str:
    written = st.text_input(
        label, key=key, bind="query-params", placeholder=example, help=help_text
    )
    return (written or "").strip()


def _moment(label: str, key: str) -> int | None:
    """A time in the viewer's zone, as UTC microseconds."""
    chosen: datetime | None = st.datetime_input(
        label, value=None, key=key, bind="query-params", step=timedelta(minutes=1)
    )
    if chosen is None:
        return None
    return int(chosen.replace(tzinfo=context.zone()).timestamp() * 1e6)


def _chosen(value: str) -> str | None:
    return None if value == ANY else value
