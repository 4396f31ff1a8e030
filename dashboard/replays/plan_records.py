"""The records of a replay plan: what is refused and why, what came of each, page by page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Final

import streamlit as st
from sqlite_utils import Database

from dashboard import context, formats
from dashboard.formats import NOTHING, count, escape_markdown, visible
from dashboard.letters import triage_words
from producer_agent.store.queries import replays
from producer_agent.store.queries.replays import Plan, PlanRecord

LETTERS_PAGE: Final = "views/dead_letters.py"

ROWS_PER_PAGE: Final = 50
REASONS_SHOWN: Final = 12

ALL, BACK = "all", "came back"

_STATES: Final[Mapping[str, tuple[str, ...] | None]] = MappingProxyType(
    {
        ALL: None,
        "replayed": ("done",),
        "waits": ("planned", "intent"),
        "failed": ("failed",),
        "refused": ("refused",),
        "already there": ("already",),
        "not known": ("unknown",),
        "cancelled": ("cancelled",),
        BACK: None,
    }
)
"""What the records can be narrowed to, and the states that it means."""

PARAMETER: Final = "outcome"
"""In the URL: what the records are narrowed to."""

_OUTCOME = "plan-outcome"
_SHOWN = "plan-records-shown"
_OPEN_CLICK = "plan-records-open"


def draw(plan: Plan) -> None:
    """Refusals by reason, then the records."""
    _refusals(plan)
    if not plan.counts.total:
        return
    st.subheader("Records", anchor=False)
    offered = [name for name in _STATES if name == ALL or _count(plan, name)]
    # Not bound to the URL: it would have the label with its count, which is old at once.
    asked = st.query_params.get(PARAMETER, ALL)
    st.session_state[_OUTCOME] = asked if asked in offered else ALL
    chosen = st.segmented_control(
        "Outcome",
        offered,
        required=True,
        format_func=lambda name: f"{name} {count(_count(plan, name))}",
        key=_OUTCOME,
        on_change=_narrowed,
        label_visibility="collapsed",
    )
    assert chosen is not None, "one is required"
    total = _count(plan, chosen)
    pages = max(-(-total // ROWS_PER_PAGE), 1)
    if st.session_state.get("records_page", 1) > pages:
        st.session_state["records_page"] = 1
    at = st.session_state.get("records_page", 1)
    shown = context.read(lambda db: _page(db, plan.row.id, chosen, at))
    _table(shown)
    with st.container(horizontal=True, vertical_alignment="center"):
        if pages > 1:
            st.pagination(pages, key="records_page")
        first = (at - 1) * ROWS_PER_PAGE
        last = min(first + ROWS_PER_PAGE, total)
        st.caption(f"{count(first + 1)}–{count(last)} of {count(total)}, in the order of sending")


def _narrowed() -> None:
    st.query_params[PARAMETER] = st.session_state[_OUTCOME]
    st.session_state["records_page"] = 1


def _refusals(plan: Plan) -> None:
    if not plan.counts.by_state.get("refused"):
        return
    found = context.read(lambda db: replays.refusals(db, plan.row.id))
    refused = plan.counts.by_state["refused"]
    st.markdown(f"**{triage_words.n_are(refused)} refused**, and not sent:")
    lines = [
        f"- **{count(n)}**: {escape_markdown(reason)} "
        f"([letter {letter}](dead_letters?letter={letter}))"
        for reason, n, letter in found[:REASONS_SHOWN]
    ]
    if len(found) > REASONS_SHOWN:
        lines.append(f"- and for {count(len(found) - REASONS_SHOWN)} more reasons, see the records")
    st.markdown("\n".join(lines))


def _count(plan: Plan, name: str) -> int:
    if name == BACK:
        return plan.counts.came_back
    states = _STATES[name]
    if states is None:
        return plan.counts.total
    return sum(plan.counts.by_state.get(state, 0) for state in states)


def _page(db: Database, plan: int, chosen: str, at: int) -> tuple[PlanRecord, ...]:
    return replays.records(
        db,
        plan,
        states=_STATES[chosen],
        came_back=chosen == BACK,
        limit=ROWS_PER_PAGE,
        offset=(at - 1) * ROWS_PER_PAGE,
    )


def _table(rows: Sequence[PlanRecord]) -> None:
    ids = tuple(row.dead_letter for row in rows)
    st.session_state[_SHOWN] = ids
    zone = context.zone()
    st.dataframe(
        {
            "letter": [f":material/open_in_new: {id_}" for id_ in ids],
            "outcome": [triage_words.LEDGER_WORDS.get(row.state, row.state) for row in rows],
            "where": [_place(row) for row in rows],
            "key": [visible(row.key_text or NOTHING) for row in rows],
            "edited": ["edited" if row.edited else "" for row in rows],
            "back": [
                "" if row.came_back_us is None else formats.clock(row.came_back_us, zone)
                for row in rows
            ],
            "settled": [
                NOTHING if row.settled_us is None else formats.clock(row.settled_us, zone)
                for row in rows
            ],
            "reason": [visible(row.reason or "") for row in rows],
        },
        column_config={
            "letter": st.column_config.ButtonColumn(
                "Letter", width=90, type="tertiary", key=_OPEN_CLICK
            ),
            "outcome": st.column_config.TextColumn("Outcome", width=95),
            "where": st.column_config.TextColumn("Where", width=185),
            "key": st.column_config.TextColumn("Key", width=120),
            "edited": st.column_config.TextColumn("Edited", width=60),
            "back": st.column_config.TextColumn("Came back", width=80),
            "settled": st.column_config.TextColumn("Settled", width=75),
            "reason": st.column_config.TextColumn("Reason", width=225),
        },
        hide_index=True,
        height="content" if len(rows) <= 12 else 460,
        key=f"plan-records-{hash(ids):x}",
        alt="Records of the plan and what came of them",
    )
    clicked = st.session_state.get(_OPEN_CLICK)
    if clicked and clicked["row"] < len(ids):
        st.switch_page(LETTERS_PAGE, query_params={"letter": str(ids[clicked["row"]])})


def _place(row: PlanRecord) -> str:
    """``orders[3]@42`` where it landed; before that where it goes."""
    if row.target_topic is None:
        return NOTHING
    partition = row.target_partition if row.partition is None else row.partition
    where = "" if partition is None else f"[{partition}]"
    offset = "" if row.offset is None else f"@{row.offset}"
    return visible(f"{row.target_topic}{where}{offset}")
