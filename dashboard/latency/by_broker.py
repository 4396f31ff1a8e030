"""Success and latency by the broker that led the partition: one slow or failing broker in one
look."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import streamlit as st
from sqlite_utils import Database

from dashboard import context
from dashboard.components import steady
from dashboard.formats import ACKS_LEVELS, NOTHING, count, latency, ratio
from dashboard.latency import broker_figure, broker_words
from producer_agent.store.queries import broker_rollups as query
from producer_agent.store.queries.broker_rollups import BrokerSummary, StandsOut
from producer_agent.store.queries.windows import Window

QUANTILE_NAMES = ("p50", "p90", "p95", "p99", "p99.9")
"""In the order of ``BrokerSummary.quantiles_us``."""


@dataclass(frozen=True, slots=True)
class _Found:
    acks: str
    summaries: tuple[BrokerSummary, ...]
    outliers: tuple[StandsOut, ...]


def draw(window: Window, chosen: str) -> None:
    """The answer, a chart with a line a broker, and the table.

    Args:
        window: What to look at.
        chosen: The same in words, as in "In the last 15 min".
    """
    levels = context.read(lambda db: query.acks_levels(db, window))
    if not levels:
        st.markdown(broker_words.answer((), (), chosen))
        st.info(
            "Who led each partition is noted while the agent watches the cluster. Start a profile "
            "on [Profiles](profiles), `canary` if nothing else of yours sends, or choose a longer "
            "time range.",
            icon=":material/inbox:",
        )
        return
    top = st.container()
    # Drawn before anything is read: on a page's first run the URL's choice is known only then.
    acks = _choose(levels)

    def read(db: Database) -> _Found:
        return _Found(acks, query.by_broker(db, window, acks), query.standing_out(db, window, acks))

    found = context.read(read)
    answer = broker_words.answer(found.summaries, found.outliers, chosen)
    with top:
        if found.outliers:
            st.warning(answer, icon=":material/dns:")
        else:
            st.markdown(answer)
    if not found.summaries:
        st.caption(f"Nothing was sent under acks={found.acks} in this time.")
        return
    outliers = {one.broker for one in found.outliers}
    steady.chart(
        "by-broker",
        window,
        (found.acks, tuple(one.broker for one in found.summaries), frozenset(outliers)),
        lambda: broker_figure.by_broker(
            found.summaries, outliers, window, context.zone(), dark=context.is_dark()
        ),
        alt=f"p99 of the acknowledgement latency over time, a line a broker, acks={found.acks}",
    )
    _table(found, outliers)
    st.caption(
        " ".join(
            (
                "An acknowledged event counts for the broker that led its partition from produce() "
                "to the acknowledgement, a failed one for the broker that led when it was "
                "produced; both some seconds later. A square marks a time in which events failed.",
                broker_words.legend(found.summaries),
                query.RULE,
            )
        )
    )


def _choose(levels: Sequence[str]) -> str:
    """The heading with the choice of an acks level; the query parameter ``broker-acks``."""
    with st.container(
        horizontal=True, horizontal_alignment="distribute", vertical_alignment="center"
    ):
        st.subheader("p99 by broker", anchor=False, width="content")
        picked = st.segmented_control(
            "Acks level",
            list(ACKS_LEVELS),
            default=levels[0],
            required=True,
            format_func=lambda level: f"acks={level}",
            key="broker-acks",
            bind="query-params",
            label_visibility="collapsed",
        )
    return picked or levels[0]


def _table(found: _Found, outliers: set[int]) -> None:
    names = (*QUANTILE_NAMES, "success", "sent" if found.acks == "0" else "delivered", "failed")
    st.dataframe(
        [_row(one, found.acks, one.broker in outliers) for one in found.summaries],
        column_config={
            name: st.column_config.TextColumn(width=70, alignment="right") for name in names
        }
        | {"": st.column_config.TextColumn(width=190, pinned=True)},
        hide_index=True,
        height="content" if len(found.summaries) <= 12 else 12 * 35,
        key="by-broker-table",
        alt="Outcomes and percentiles by broker",
    )


def _row(one: BrokerSummary, acks: str, stands_out: bool) -> dict[str, str]:
    figures: Sequence[str] = [latency(value) for value in one.quantiles_us]
    row = {"": broker_words.name(one.broker) + ("  ◀ stands out" if stands_out else "")}
    row |= dict(zip(QUANTILE_NAMES, figures, strict=True))
    if acks == "0":
        row |= {"sent": count(one.unconfirmed)}
    else:
        success = ratio(one.delivered, one.delivered + one.failed) if one.broker >= 0 else NOTHING
        row |= {"success": success, "delivered": count(one.delivered)}
    return row | {"failed": count(one.failed)}
