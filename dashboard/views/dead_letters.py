"""Dead letters: what failed, why, and what shall I do?"""

from __future__ import annotations

from dataclasses import dataclass, replace

import streamlit as st

from dashboard import context, formats
from dashboard.components import freshness
from dashboard.formats import count, visible
from dashboard.letters import dead_letter_drawer as drawer
from dashboard.letters import (
    dead_letter_filters,
    dead_letter_topics,
    letter_actions,
    letter_groups,
    letter_queue,
    letter_table,
)
from dashboard.letters.letter_table import ROWS_PER_PAGE
from dashboard.replays import one_click_replay, plan_dialog
from producer_agent.store.clock import now_us
from producer_agent.store.database import StoreError
from producer_agent.store.queries import dead_letters as letters
from producer_agent.store.queries.dead_letters import LetterFilter
from producer_agent.store.queries.letter_groups import LetterGroup, groups

_PIN = "dead-letters-pin"


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
                groups(db, LetterFilter(statuses=letters.OPEN_STATUSES)),
                letters.count_newer(db, wanted, pinned.newest_id),
                letter_queue.on_the_way(db),
            )
        )
        letter_queue.answer(open_ones, now_us())
        with st.container(key="dead-letters-retention", gap="small"):
            dead_letter_topics.warnings(on_the_way)
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


def outcomes() -> None:
    """What came of the letters last replayed from here, as the ledger has it now."""
    told = one_click_replay.remembered()
    if not told:
        return

    def draw() -> None:
        ledger = context.read(lambda db: letters.replays_of(db, list(told)))
        found = one_click_replay.merged(told, ledger)
        with st.container(border=True, key="dead-letters-outcomes"):
            with st.container(horizontal=True, vertical_alignment="center"):
                st.markdown(f"**{one_click_replay.tally(found)}**", width="stretch")
                plan = one_click_replay.remembered_plan()
                if plan is not None:
                    st.page_link(
                        plan_dialog.REPLAYS_PAGE,
                        label=f"Plan {plan}",
                        icon=":material/replay:",
                        query_params={"plan": str(plan)},
                    )
                if st.button("Put away", type="tertiary", key="dead-letters-forget"):
                    one_click_replay.forget()
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


def by_cause(found: tuple[LetterGroup, ...], cause: int | None, pinned: Pin) -> None:
    """The causes among the letters that match, and what is to be done with the chosen one."""
    ordered = letter_groups.in_order(found)
    if ordered:
        total = sum(group.count for group in ordered)
        st.subheader(
            f"{count(len(ordered))} cause{'' if len(ordered) == 1 else 's'} of {count(total)} "
            "dead letters",
            anchor=False,
            help="Those that match the filters. Tick one to narrow the list to it.",
        )
        letter_groups.table(ordered, cause)
    if cause is not None:
        mine = next((group for group in ordered if group.cause == cause), None)
        letter_groups.bar(mine, cause, pinned.newest_id)


def listing(listed: LetterFilter, topics: tuple[str, ...], pinned: Pin) -> None:
    """The letters that match, page by page, and what is to be done with them."""
    total = context.read(lambda db: letters.count(db, listed))
    if total == 0:
        nothing_to_list(has_any=pinned.newest_id > 0)
        return
    pages = -(-total // ROWS_PER_PAGE)
    bar = st.container()
    place = st.container()
    with st.container(horizontal=True, vertical_alignment="center"):
        at = (
            st.pagination(pages, key=dead_letter_filters.PAGE, bind="query-params")
            if pages > 1
            else 1
        )
        first = (at - 1) * ROWS_PER_PAGE
        with st.container(width=210):
            chosen = st.selectbox(
                "Sort",
                list(letter_table.ORDERS),
                label_visibility="collapsed",
                key="sort",
                bind="query-params",
            )
        st.caption(
            f"{count(first + 1)}–{count(min(first + ROWS_PER_PAGE, total))} of {count(total)}, "
            f"as of {formats.clock(pinned.at_us, context.zone())}"
        )
    sort, descending = letter_table.ORDERS[chosen]
    shown = context.read(
        lambda db: letters.page(
            db, listed, limit=ROWS_PER_PAGE, offset=first, sort=sort, descending=descending
        )
    )
    with place:
        ticked = letter_table.table(shown)
    with bar:
        letter_actions.bar(listed, total, ticked, topics)


def nothing_to_list(has_any: bool) -> None:
    """What to do next where the list is empty."""
    if has_any:
        st.info("No dead letter matches these filters.", icon=":material/filter_alt_off:")
        st.button("Clear the filters", on_click=dead_letter_filters.clear, key="dead-letters-clear")
        return
    st.info(
        "Events that fail are published to the dead-letter topic and listed here; other teams' "
        "dead-letter topics are added under **What is read**. The shipped profiles make a few "
        "fail each minute; to see many, inject a fault on the Cluster page.",
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


heading = st.container(
    horizontal=True, horizontal_alignment="distribute", vertical_alignment="bottom"
)
with heading:
    st.title("Dead letters", anchor=False, width="content")
wait_for_database()
with heading:
    dead_letter_topics.what_is_read()
letter_actions.told()
pinned = pin()
answer = st.container()
options = context.read(letters.filter_options)
wanted = dead_letter_filters.choose(options, pinned.at_us)
cause = dead_letter_filters.chosen_cause(options)
of_all_causes = replace(wanted, up_to_id=pinned.newest_id)
found = context.read(lambda db: groups(db, of_all_causes))
with answer:
    headline(replace(wanted, cause=cause), pinned)
    outcomes()
by_cause(found, cause, pinned)
topics = dict.fromkeys(
    topic
    for group in found
    if cause in (None, group.cause)
    for topic in group.topics
    if topic is not None
)
listing(replace(of_all_causes, cause=cause), tuple(topics), pinned)
if plan_dialog.is_asked_for():
    plan_dialog.draw()
else:
    drawer.open_from_url()
