"""Replays: what is being sent back, and did it arrive?"""

from __future__ import annotations

import streamlit as st
from sqlite_utils import Database

from dashboard import context
from dashboard.components import freshness, notices
from dashboard.replays import plan_detail, plan_list, plan_words, replay_rules
from dashboard.replays.plan_list import PARAMETER, PLANS_PER_PAGE
from producer_agent.store.queries import replays
from producer_agent.store.queries.replays import Plan


def draw() -> None:
    """One plan where the URL asks for it, else all of them."""
    asked = st.query_params.get(PARAMETER)
    if asked is None:
        all_plans()
        return
    plan = context.read(lambda db: replays.plan(db, int(asked))) if _is_id(asked) else None
    if plan is None:
        plan_detail.not_there(asked)
    else:
        plan_detail.draw(plan)


def all_plans() -> None:
    """How things stand, and the list."""
    at = int(st.session_state.get("plans_page") or 1)

    def query(db: Database) -> tuple[tuple[Plan, ...], int, tuple[Plan, ...]]:
        return (
            replays.open_plans(db),
            replays.count_plans(db),
            replays.plans(db, limit=PLANS_PER_PAGE, offset=(at - 1) * PLANS_PER_PAGE),
        )

    open_plans, total, shown = context.read(query)
    with st.container(key="replays-answer"):
        notices.show(plan_words.answer(open_plans, total))
    if total:
        plan_list.draw(shown)
        if PARAMETER in st.query_params:  # the table's button was pressed in this run
            st.rerun()
    pages = -(-total // PLANS_PER_PAGE)
    if pages > 1:
        st.pagination(pages, key="plans_page")
    replay_rules.table()


def _is_id(text: str) -> bool:
    return text.isascii() and text.isdecimal() and len(text) < 19


freshness.live(draw, title="Replays")
