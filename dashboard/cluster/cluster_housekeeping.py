"""What keeps Ackboard itself going: the jobs that run by the clock, and its database."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from dashboard import context, formats
from dashboard.formats import NOTHING, code_span, count, visible
from producer_agent.store.clock import now_us
from producer_agent.store.queries.cluster import DatabaseState, JobRow, database_state, jobs


def draw() -> None:
    """Jobs, then the database."""
    found, state = context.read(lambda db: (jobs(db), database_state(db)))
    st.subheader("Jobs", anchor=False)
    _jobs(found)
    st.subheader("Database", anchor=False)
    _database(state)


def _jobs(found: Sequence[JobRow]) -> None:
    """How each job last went, those that failed first."""
    if not found:
        st.caption("No job has run yet: the agent starts them by the clock.")
        return
    st.dataframe(
        {
            "Job": [visible(job.name) for job in found],
            "Last run": [formats.ago(job.last_run_us, now_us()) for job in found],
            "Outcome": [
                job.last_state
                + (f", {job.failed_in_row} in a row" if job.failed_in_row > 1 else "")
                for job in found
            ],
            "Detail": [visible(job.detail or "") for job in found],
        },
        hide_index=True,
        height="content",
        key="cluster-jobs",
    )


def _database(state: DatabaseState) -> None:
    """Size and contents, on a few lines."""
    free = f", {formats.size(state.free_bytes)} of it free" if state.free_bytes else ""
    since = formats.ago(state.first_run_us, now_us()) if state.first_run_us else NOTHING
    st.markdown(
        f"{code_span(str(context.settings().db.absolute()))}  \n"
        f":gray[size] **{formats.size(state.size_bytes)}**{free} · "
        f":gray[journal] {code_span(state.journal_mode)} · "
        f":gray[schema] {code_span(state.schema)}  \n"
        f":gray[runs] **{count(state.runs)}**, {count(state.open_runs)} open · "
        f":gray[dead letters] **{count(state.dead_letters)}** · "
        f":gray[waiting in the outbox] **{count(state.outbox_waiting)}** · "
        f":gray[first run] {since}"
    )
