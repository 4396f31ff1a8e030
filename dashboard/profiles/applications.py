"""Services of a team's own that record here: a card each, on Profiles."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st
from sqlite_utils import Database

from dashboard import formats
from dashboard.formats import count, escape_markdown
from producer_agent.store.applications import SILENT_AFTER_S
from producer_agent.store.queries.applications import ApplicationRow, applications
from producer_agent.store.queries.watch import Counts

ENDED_SHOWN_S = 24 * 3600
"""How long a service that ended stays on the page."""

LONE_ENDED = 5
"""So many that ended are shown, the newest, however many came and went."""


def recent(db: Database, now_us: int) -> tuple[ApplicationRow, ...]:
    """The living, and the last few that ended within a day."""
    found = applications(db, now_us - ENDED_SHOWN_S * 1_000_000)
    living = tuple(row for row in found if row.ended_us is None)
    return living + tuple(row for row in found if row.ended_us is not None)[:LONE_ENDED]


def draw(found: Sequence[ApplicationRow], now_us: int) -> None:
    """The section; nothing where no service ever recorded here."""
    if not found:
        return
    st.subheader("In your own services", anchor=False)
    for row in found:
        with st.container(border=True, key=f"application-{row.id}"):
            _card(row, now_us)


def transaction_figures(counts: Counts) -> list[tuple[str, str]]:
    """Label and figure of commits and aborts, where there was any transaction."""
    if not counts.commits + counts.aborts:
        return []
    return [("committed", count(counts.commits)), ("aborted", count(counts.aborts))]


def is_silent(row: ApplicationRow, now_us: int) -> bool:
    """Whether a service that did not say goodbye has not been heard of for too long."""
    return row.ended_us is None and now_us - row.heartbeat_us > SILENT_AFTER_S * 1e6


def _card(row: ApplicationRow, now_us: int) -> None:
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        st.markdown(f"**{escape_markdown(row.name)}**", width="content")
        if row.acks is not None:
            st.badge(f"acks={row.acks}", color="gray")
        if row.ended_us is not None:
            st.badge("ended", icon=":material/stop_circle:", color="gray")
        elif is_silent(row, now_us):
            st.badge("silent", icon=":material/help:", color="orange")
        else:
            st.badge("running", icon=":material/play_circle:", color="green")
    st.caption(words(row, now_us))
    if row.letters_lost:
        st.warning(
            f"**{count(row.letters_lost)} failed records found no way to the dead-letter queue.** "
            "Each is in the service's own log.",
            icon=":material/warning:",
        )


def words(row: ApplicationRow, now_us: int) -> str:
    """Where it runs and what it did, on a line, as Markdown."""
    said = [f"pid {row.pid} on {escape_markdown(row.host)}"]
    if row.topic is None:
        said.append("has sent nothing yet")
    else:
        said.append(f"to {formats.code_span(row.topic)}")
        said.append(f"accepted **{count(row.accepted)}**")
        if row.ended_us is None:
            said.append(f"waiting for an answer **{count(row.outstanding)}**")
    if row.commits or row.aborts:
        said.append(f"transactions: {count(row.commits)} committed, {count(row.aborts)} aborted")
    if row.not_kept:
        said.append(f"{count(row.not_kept)} outcomes counted only, as too many came at once")
    if row.ended_us is not None:
        ago = formats.ago(row.ended_us, now_us)
        said.append(f"ended {ago}: {escape_markdown(row.end_reason or 'no reason told')}")
    else:
        said.append(f"up {formats.duration((now_us - row.started_us) / 1e6)}")
        said.append(f"heard of {formats.ago(row.heartbeat_us, now_us)}")
    return " · ".join(said)
