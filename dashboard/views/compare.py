"""Compare: which profile should this topic use?"""

from __future__ import annotations

from dataclasses import dataclass

import streamlit as st
from sqlite_utils import Database

from dashboard import context
from dashboard.compare import (
    compare_beside,
    compare_form,
    compare_list,
    compare_progress,
    compare_result,
    compare_start,
    compare_words,
)
from dashboard.compare.compare_start import BESIDE, PARAMETER, Surroundings
from dashboard.components import freshness, notices
from dashboard.formats import code_span
from producer_agent.store.queries import comparisons as queries
from producer_agent.store.queries.comparisons import Summary

_MOST_BESIDE = 50
"""Comparisons that are offered to be laid beside the one that is shown."""


@dataclass(frozen=True, slots=True)
class Seen:
    """What the page shows, of one moment."""

    around: Surroundings
    total: int
    newest: tuple[Summary, ...]
    listed: tuple[Summary, ...]
    chosen: Summary | None
    """None: the URL asks for one that is not there, or there is none at all."""
    other: Summary | None


def draw() -> None:
    """The verdict of the one that is asked for, or of the latest; then the saved ones."""
    asked, beside = st.query_params.get(PARAMETER), st.query_params.get(BESIDE)
    at = int(st.session_state.get("compare_page") or 1)
    seen = context.read(lambda db: look(db, asked, beside, at))
    running, chosen = seen.around.running, seen.chosen
    if running is not None and (chosen is None or chosen.id != running.id):
        compare_progress.strip(running)
    if chosen is None and seen.total:
        _not_there(asked)
    elif chosen is None:
        _empty(seen.around)
    elif chosen.is_running:
        compare_progress.draw(chosen, seen.around)
    elif seen.other is not None:
        compare_beside.draw(*sorted((chosen, seen.other), key=lambda one: one.id))
    else:
        others = [s for s in seen.newest if s.id != chosen.id and s.turns_done and not s.is_running]
        compare_result.draw(chosen, others)
    if seen.total:
        _saved(seen)


def look(db: Database, asked: str | None, beside: str | None, page: int) -> Seen:
    """All that the page shows."""
    newest = queries.comparisons(db, limit=_MOST_BESIDE)
    listed = queries.comparisons(
        db, limit=compare_list.PER_PAGE, offset=(page - 1) * compare_list.PER_PAGE
    )
    chosen = _by_text(db, asked) if asked is not None else next(iter(newest), None)
    other = _by_text(db, beside) if beside is not None else None
    if other is not None and (other.is_running or chosen is None or other.id == chosen.id):
        other = None
    return Seen(
        compare_start.surroundings(db),
        queries.count_comparisons(db),
        newest,
        listed,
        chosen,
        other,
    )


def _by_text(db: Database, text: str) -> Summary | None:
    is_number = text.isascii() and text.isdecimal() and len(text) < 19
    return queries.summary(db, int(text)) if is_number else None


def _empty(around: Surroundings) -> None:
    notices.show(compare_words.EMPTY)
    if around.embedded:
        notices.show(compare_words.EMBEDDED)
    if len(around.profiles) < 2:
        st.caption(around.hindrance or "")
    compare_start.one_click(around)


def _not_there(asked: str | None) -> None:
    st.warning(
        f"There is no comparison {code_span(asked or '')} here: it was deleted, or made in another "
        "database. Open one of those below.",
        icon=":material/search_off:",
    )


def _saved(seen: Seen) -> None:
    st.subheader("Saved comparisons", anchor=False)
    shown = seen.chosen.id if seen.chosen is not None else None
    compare_list.draw(seen.listed)
    opened = st.query_params.get(PARAMETER)
    if opened is not None and opened != str(shown) and seen.chosen is not None:
        st.rerun()  # the table's button was pressed in this run
    pages = -(-seen.total // compare_list.PER_PAGE)
    if pages > 1:
        st.pagination(pages, key="compare_page")


def _controls() -> None:
    if st.button("New comparison…", icon=":material/add:", type="secondary", key="compare-new"):
        compare_form.open_new()
        st.rerun()


freshness.live(draw, title="Compare", controls=_controls)
compare_form.show()
