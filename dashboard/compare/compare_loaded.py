"""Stored comparisons and their analyses, kept as long as they stay what they are.

Resampling takes a moment, and a page is drawn every two seconds: a comparison is read and judged
again only when a turn was added, or when it ended.
"""

from __future__ import annotations

import streamlit as st
from sqlite_utils import Database

from dashboard import context
from dashboard.formats import escape_markdown
from producer_agent.advice.compare.analysis import Analysis, analyse
from producer_agent.advice.compare.plan import PlanInvalid
from producer_agent.store.queries import comparisons as queries
from producer_agent.store.queries.comparisons import Comparison, Summary


def whole(summary: Summary) -> tuple[Comparison, Analysis] | None:
    """A comparison with its turns, judged; None where it is gone, or of a version that knew other
    fields, which the page then says.
    """
    key = (summary.uuid, summary.turns_done, summary.state)
    try:
        return context.read(lambda db: _judged(str(context.settings().db), summary.id, key, _db=db))
    except PlanInvalid as error:
        st.error(
            f"{escape_markdown(str(error))}  \nDelete it, or read its row in the database with "
            "the version that wrote it.",
            title=f"Comparison {summary.id} was written by another version",
            icon=":material/history:",
        )
        return None


@st.cache_resource(show_spinner=False, max_entries=16)
def _judged(
    path: str, number: int, version: tuple[str, int, str], _db: Database
) -> tuple[Comparison, Analysis] | None:
    del path, version  # the cache's key, to which Streamlit takes no name with an underscore
    found = queries.comparison(_db, number)
    return None if found is None else (found, analyse(found))
