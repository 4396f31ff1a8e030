"""What happened to one dead letter: who did what and when, its replays, edits and earlier lives."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import streamlit as st

from dashboard import context, formats
from dashboard.formats import visible
from dashboard.letters import triage_words
from producer_agent.store.queries.letter_history import HistoryEntry

REPLAYS_PAGE: Final = "views/replays.py"

MOST_LINKS: Final = 6


def draw(entries: Sequence[HistoryEntry], open_letter_key: str) -> int | None:
    """The entries, newest first, and links to the plans and letters that they name.

    Returns:
        The letter that was chosen to be opened.
    """
    zone = context.zone()
    st.dataframe(
        {
            "When": [formats.moment(entry.at_us, zone) for entry in entries],
            "What": [visible(words(entry)) for entry in entries],
            "Who": [visible(entry.who or "Ackboard") for entry in entries],
            "Why": [visible(entry.why or "") for entry in entries],
            "Detail": [visible(entry.detail or "") for entry in entries],
        },
        column_config={
            "When": st.column_config.TextColumn(width=165),
            "What": st.column_config.TextColumn(width=170),
            "Who": st.column_config.TextColumn(width=80),
            "Why": st.column_config.TextColumn(width=120),
        },
        hide_index=True,
        height="content" if len(entries) <= 10 else 390,
        alt="What happened to this dead letter, newest first",
    )
    return _links(entries, open_letter_key)


def words(entry: HistoryEntry) -> str:
    """What happened, plain text."""
    match entry.what:
        case "stored":
            return "stored here"
        case "status":
            return f"{entry.before} → {entry.after}"
        case "replay":
            state = triage_words.LEDGER_WORDS.get(entry.after or "", entry.after or "?")
            return f"replay (plan {entry.plan}): {state}"
        case "came back":
            return f"its replay came back as letter {entry.letter}"
        case "earlier life":
            return f"it was letter {entry.letter} before"
        case "edit":
            return "edited"
        case "cause state" | "cause note" | "cause owner":
            return f"{entry.what}: {entry.before or 'none'} → {entry.after or 'none'}"
        case _:
            return entry.what


def _links(entries: Sequence[HistoryEntry], key: str) -> int | None:
    plans = list(dict.fromkeys(entry.plan for entry in entries if entry.plan is not None))
    letters = list(dict.fromkeys(entry.letter for entry in entries if entry.letter is not None))
    opened = None
    with st.container(horizontal=True, gap="small"):
        for plan in plans[:MOST_LINKS]:
            if st.button(
                f"Plan {plan}",
                icon=":material/replay:",
                type="tertiary",
                key=f"{key}-plan-{plan}",
            ):
                st.switch_page(REPLAYS_PAGE, query_params={"plan": str(plan)})
        for letter in letters[:MOST_LINKS]:
            if st.button(
                f"Letter {letter}",
                icon=":material/mark_email_unread:",
                type="tertiary",
                key=f"{key}-{letter}",
            ):
                opened = letter
    return opened
