"""The list of dead letters: a page of rows, ticked to act on them, opened to see all of one."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Final

import streamlit as st

from dashboard.formats import NOTHING, visible
from dashboard.letters import dead_letter_drawer as drawer
from dashboard.replays import one_click_replay
from producer_agent.store.queries.dead_letters import LetterRow, Sort

ROWS_PER_PAGE: Final = 50

LONGEST_CELL: Final = 160
"""Characters of an error's text in a cell; the drawer has all of it."""

ORDERS: Final[Mapping[str, tuple[Sort, bool]]] = MappingProxyType(
    {
        "latest stored first": ("stored", True),
        "first stored first": ("stored", False),
        "largest first": ("size", True),
        "came back most often first": ("times_back", True),
        "latest produced first": ("original_time", True),
        "first produced first": ("original_time", False),
    }
)
"""How the list can be sorted, with the query's words: by what, and whether it descends."""

_SHOWN = "dead-letters-shown"
_OPEN_CLICK = "dead-letters-open"


def table(rows: tuple[LetterRow, ...]) -> list[LetterRow]:
    """Draw the rows; returns those that are ticked."""
    ids = tuple(row.id for row in rows)
    st.session_state[_SHOWN] = ids
    state = st.dataframe(
        {
            "open": [":material/open_in_new: Open"] * len(rows),
            "when": [datetime.fromtimestamp(row.stored_us / 1e6, UTC) for row in rows],
            "cause": [visible(row.error_class or row.cause) for row in rows],
            "meaning": [meaning(row) for row in rows],
            "topic": [visible(row.original_topic or NOTHING) for row in rows],
            "key": [visible(row.original_key_text or NOTHING) for row in rows],
            "whose": [
                visible(row.consumer_group or row.connector or row.profile or NOTHING)
                for row in rows
            ],
            "status": [_status(row) for row in rows],
        },
        column_config={
            "open": st.column_config.ButtonColumn(
                "", width=72, type="tertiary", on_click=open_clicked, key=_OPEN_CLICK
            ),
            "when": st.column_config.DatetimeColumn(
                "Stored", width=106, format="distance", help="Hover for the time."
            ),
            "cause": st.column_config.TextColumn("Error", width=150),
            "meaning": st.column_config.TextColumn("Meaning", width=176),
            "topic": st.column_config.TextColumn("Meant for", width=110),
            "key": st.column_config.TextColumn("Key", width=103),
            "whose": st.column_config.TextColumn(
                "Whose", width=90, help="Consumer group, connector or profile."
            ),
            "status": st.column_config.TextColumn("Status", width=85),
        },
        hide_index=True,
        height="content" if len(rows) <= 15 else 560,
        on_select="rerun",
        selection_mode="multi-row",
        # A selection is row numbers: it must die with the rows that it numbered.
        key=f"dead-letters-{hash(ids):x}",
        alt="Dead letters that match the filters",
    )
    return [rows[at] for at in state.selection.rows if at < len(rows)]


def open_clicked() -> None:
    """Open the drawer of the row whose button was pressed."""
    ids = st.session_state.get(_SHOWN, ())
    row = st.session_state[_OPEN_CLICK]["row"]
    if row < len(ids):
        drawer.open_for(ids[row])


def meaning(row: LetterRow) -> str:
    """The code in words and whether the record may be stored after all, else what it says."""
    fact = one_click_replay.error_fact(row.error_code)
    if fact is not None:
        return f"{fact.meaning}; {'may be stored' if row.may_be_stored else 'not stored'}"
    said = row.error_message or (row.cause if row.error_class else "")
    shown = visible(" ".join(said.split()))
    return shown if len(shown) <= LONGEST_CELL else f"{shown[:LONGEST_CELL]}…"


def _status(row: LetterRow) -> str:
    return f"{row.status}, back {row.times_back}×" if row.times_back else row.status
