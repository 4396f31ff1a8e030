"""The history of the cluster: what changed when, narrowed to a topic or a broker by the URL."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any, Final

import streamlit as st
from sqlite_utils import Database

from dashboard import context
from dashboard.cluster import cluster_change_words as words
from dashboard.diagnosis.diagnosis_words import ABOUT
from dashboard.formats import count, moment, visible
from producer_agent.store.queries import cluster_changes as history
from producer_agent.store.queries.cluster_changes import ChangeRow

BROKER: Final = "broker"
"""In the URL: the broker that the history is narrowed to."""

ROWS_SHOWN: Final = 100
_LISTED_TOPICS: Final = 1_000
_KEPT: Final = "_cluster-changes"


def asked_topic() -> str | None:
    """The topic that the page is asked about, by the URL or by the filter below."""
    if ABOUT in st.session_state:
        chosen = st.session_state[ABOUT]
    else:
        chosen = st.query_params.get(ABOUT)
    return str(chosen) if chosen else None


def draw(topics: Sequence[str], brokers: Sequence[int]) -> None:
    """Filters, and the newest changes that pass them.

    Args:
        topics: Of the cluster now; those of the history are offered beside them.
        brokers: Their ids, of those that are there or missed.
    """
    st.subheader("What changed", anchor=False)
    newest = context.read(history.last_change)
    if not newest:
        st.caption("Nothing was seen yet: the agent notes what changes while it watches.")
        return
    with st.container(horizontal=True, gap="small"):
        topic = _choice("Topic", ABOUT, _topics(newest, topics), "any topic")
        number = _choice("Broker", BROKER, [str(each) for each in brokers], "any broker")
    broker = int(number) if number is not None else None
    found = _kept(
        "rows",
        (newest, topic, broker),
        lambda: context.read(
            partial(history.changes, topic=topic, broker=broker, limit=ROWS_SHOWN + 1)
        ),
    )
    if not found:
        st.caption("Nothing that was seen passes this filter.")
        return
    _table(found[:ROWS_SHOWN])
    more = (
        f"The newest {count(ROWS_SHOWN)}; older ones are kept. " if len(found) > ROWS_SHOWN else ""
    )
    st.caption(
        f"{more}Seen by looks every few seconds: a change happened within the time given before "
        "it was seen. Kept for 14 days; `python -m producer_agent diagnose TOPIC` tells more."
    )


def _table(rows: Sequence[ChangeRow]) -> None:
    zone = context.zone()
    st.dataframe(
        {
            "Seen": [moment(row.at_us, zone) for row in rows],
            "About": [visible(words.about(row)) for row in rows],
            "What changed": [visible(words.what(row)) for row in rows],
            "Within": [words.within(row) for row in rows],
        },
        column_config={
            "Seen": st.column_config.TextColumn(width=170),
            "About": st.column_config.TextColumn(width=160),
            "What changed": st.column_config.TextColumn(width=520),
            "Within": st.column_config.TextColumn(width=80),
        },
        hide_index=True,
        height="content" if len(rows) <= 9 else 352,
        key="cluster-changes",
        alt="Changes of the cluster, the newest first",
    )


def _choice(label: str, key: str, options: Sequence[str], anything: str) -> str | None:
    """A select box whose choice is in the URL; a link may name what is there no more."""
    linked = st.query_params.get(key)
    known = list(options)
    if linked and linked not in known and (linked.isdigit() or key != BROKER):
        known.insert(0, linked)
    return st.selectbox(
        label, known, index=None, placeholder=anything, key=key, bind="query-params", width=260
    )


def _topics(newest: int, topics: Sequence[str]) -> list[str]:
    def read(db: Database) -> tuple[str, ...]:
        return history.topics_that_changed(db, _LISTED_TOPICS)

    changed = _kept("topics", newest, lambda: context.read(read))
    return sorted({*topics[:_LISTED_TOPICS], *changed})


def _kept(name: str, of: Any, read: Any) -> Any:
    """What was read before, while it is of the same: the history grows seldom."""
    kept = st.session_state.get(f"{_KEPT}-{name}")
    if kept is None or kept[0] != of:
        kept = (of, read())
        st.session_state[f"{_KEPT}-{name}"] = kept
    return kept[1]
