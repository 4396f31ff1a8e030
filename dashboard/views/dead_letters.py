"""Dead letters: what failed, why, and what shall I do?"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime

import streamlit as st

from dashboard import context, formats
from dashboard.components import dead_letter_drawer as drawer
from dashboard.components import dead_letter_filters as filters
from dashboard.components import freshness, letter_queue, replays
from dashboard.formats import NOTHING, count, visible
from producer_agent.store.clock import now_us
from producer_agent.store.database import StoreError
from producer_agent.store.queries import dead_letters as letters
from producer_agent.store.queries.dead_letters import LetterFilter, LetterRow

ROWS_PER_PAGE = 50

_PIN = "dead-letters-pin"
_SHOWN = "dead-letters-shown"
_OPEN_CLICK = "dead-letters-open"


@dataclass(frozen=True, slots=True)
class Pin:
    """When the list was made: rows that come later wait, so that none moves under a finger."""

    newest_id: int
    at_us: int


def pin() -> Pin:
    """The list's pin, set when there is none yet."""
    if _PIN not in st.session_state:
        st.session_state[_PIN] = Pin(context.read(letters.newest_id), now_us())
    held: Pin = st.session_state[_PIN]
    return held


def unpin() -> None:
    """Make the list anew at the next run."""
    st.session_state.pop(_PIN, None)


def headline(wanted: LetterFilter, pinned: Pin) -> None:
    """The answer in words: how many, why, since when; and what is still on its way here."""

    def draw() -> None:
        open_ones, newer, on_the_way = context.read(
            lambda db: (
                letters.summary(db, LetterFilter(statuses=letters.OPEN_STATUSES)),
                letters.count_newer(db, wanted, pinned.newest_id),
                letter_queue.on_the_way(db),
            )
        )
        letter_queue.answer(open_ones, now_us())
        letter_queue.tell(on_the_way, now_us())
        with st.container(key="dead-letters-newer"):
            if newer and st.button(
                f"Show {count(newer)} that came in since",
                icon=":material/arrow_upward:",
                key="dead-letters-show-newer",
            ):
                unpin()
                st.rerun()

    freshness.live(draw)


def table(rows: tuple[LetterRow, ...]) -> list[LetterRow]:
    """The list; returns the rows that are selected."""
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
            "status": [filters.STATUS_WORDS.get(row.status, row.status) for row in rows],
        },
        column_config={
            "open": st.column_config.ButtonColumn(
                "", width=78, type="tertiary", on_click=open_clicked, key=_OPEN_CLICK
            ),
            "when": st.column_config.DatetimeColumn(
                "Stored", width=110, format="distance", help="Hover for the time."
            ),
            "cause": st.column_config.TextColumn("Cause", width=170),
            "meaning": st.column_config.TextColumn("Meaning", width=225),
            "topic": st.column_config.TextColumn("Meant for", width=130),
            "key": st.column_config.TextColumn("Key", width=100),
            "status": st.column_config.TextColumn("Status", width=95),
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
    """The code in words, and whether the record may be stored after all."""
    fact = replays.error_fact(row.error_code)
    stored = "may be stored" if row.may_be_stored else "not stored"
    if fact is not None:
        return f"{fact.meaning}; {stored}"
    return visible(row.cause) if row.error_class else ""


def replay_bar(selected: list[LetterRow]) -> None:
    """The button for what is selected, with what it would touch and what to beware of."""
    able = [row for row in selected if replays.can_be_replayed(row)]
    with st.container(horizontal=True, vertical_alignment="center"):
        pressed = st.button(
            f"Replay {count(len(able))} selected" if able else "Replay selected",
            type="primary" if able else "secondary",
            icon=":material/replay:",
            disabled=not able,
            key="dead-letters-replay",
        )
        if able:
            st.markdown(f"to {replays.targets(able)}", width="content")
        elif not selected:
            st.caption("Tick rows to replay them together; open one to see all of it.")
        if len(able) < len(selected):
            st.caption(
                f"{count(len(selected) - len(able))} of the selected stay: they are replayed, "
                "under way, not known to have arrived, or without a topic."
            )
    for warning in replays.warnings(able):
        st.warning(warning, icon=":material/warning:")
    if pressed:
        with st.spinner(f"Replaying {count(len(able))}"):
            replays.replay([row.id for row in able])
        st.rerun()


def outcomes() -> None:
    """What came of the letters last replayed from here, as the ledger has it now."""
    told = replays.remembered()
    if not told:
        return

    def draw() -> None:
        ledger = context.read(lambda db: letters.replays_of(db, list(told)))
        found = replays.merged(told, ledger)
        with st.container(border=True, key="dead-letters-outcomes"):
            with st.container(horizontal=True, vertical_alignment="center"):
                st.markdown(f"**{replays.tally(found)}**", width="stretch")
                if st.button("Put away", type="tertiary", key="dead-letters-forget"):
                    replays.forget()
                    st.rerun()
            st.dataframe(
                {
                    "Letter": [str(outcome.dead_letter) for outcome in found],
                    "Outcome": [outcome.words for outcome in found],
                    "Where": [visible(outcome.place) for outcome in found],
                    "Reason": [visible(outcome.reason or "") for outcome in found],
                },
                hide_index=True,
                height="content" if len(found) <= 8 else 320,
                key="dead-letters-outcome-table",
            )

    # Settled a moment after the answer at the latest, so it looks again even when paused.
    st.fragment(draw, run_every=freshness.REFRESH_S)()


def nothing_to_list(has_any: bool) -> None:
    """What to do next where the list is empty."""
    if has_any:
        st.info("No dead letter matches these filters.", icon=":material/filter_alt_off:")
        st.button("Clear the filters", on_click=filters.clear, key="dead-letters-clear")
        return
    st.info(
        "Events that fail are published to the dead-letter topic and listed here. The shipped "
        "profiles make a few fail each minute; to see many, inject a fault on the Cluster page.",
        icon=":material/inbox:",
    )


def wait_for_database() -> None:
    """Where it cannot be read, say so, look again by itself, and go on once it can."""
    try:
        context.reader()(letters.newest_id)
    except StoreError:
        st.fragment(go_on, run_every=freshness.REFRESH_S)()


def go_on() -> None:
    """Run the whole page anew; the reading before ends it while there is nothing to read."""
    context.read(letters.newest_id)
    st.rerun()


st.title("Dead letters", anchor=False)
wait_for_database()
pinned = pin()
answer = st.container()
options = context.read(letters.filter_options)
wanted = filters.choose(options, pinned.at_us)
listed = replace(wanted, up_to_id=pinned.newest_id)
with answer:
    headline(wanted, pinned)
outcomes()
total = context.read(lambda db: letters.count(db, listed))
if total == 0:
    nothing_to_list(has_any=pinned.newest_id > 0)
else:
    pages = -(-total // ROWS_PER_PAGE)
    bar = st.container()
    place = st.container()
    with st.container(horizontal=True, vertical_alignment="center"):
        at = st.pagination(pages, key="list_page", bind="query-params") if pages > 1 else 1
        first = (at - 1) * ROWS_PER_PAGE
        st.caption(
            f"{count(first + 1)}–{count(min(first + ROWS_PER_PAGE, total))} of {count(total)}, "
            f"the latest first, as of {formats.clock(pinned.at_us, context.zone())}"
        )
    shown = context.read(lambda db: letters.page(db, listed, limit=ROWS_PER_PAGE, offset=first))
    with place:
        selected = table(shown)
    with bar:
        replay_bar(selected)
drawer.open_from_url()
