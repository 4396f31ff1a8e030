"""Where the time goes: librdkafka's statistics split it into queue, socket and round trip."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st
from sqlite_utils import Database

from dashboard import context
from dashboard.components import steady
from dashboard.formats import ACKS_LEVELS, NOTHING, count, latency, visible
from dashboard.latency import stage_figure, stage_words
from producer_agent.store.queries.client_statistics import Stage, StageSplit, stage_splits
from producer_agent.store.queries.windows import Window

_PROFILE, _BROKER = "profile", "profile and broker"

EXPLAINED = (
    "Means of all events or requests of a stage, from librdkafka's statistics: the **client's "
    "queue** from produce() until an event is put into a request (linger.ms, other batches, and "
    "attempts that failed before), the **socket** until that request is written, the **round "
    "trip** until its answer (any request's; under acks=all with the replicas' time). Stages are "
    "measured apart, so their sum comes near the mean acknowledgement and is not it. p99: the "
    "highest of any 5 s."
)


def draw(window: Window, chosen: str) -> None:
    """The answer in words, a stacked bar each, and the figures.

    Args:
        window: What to look at.
        chosen: The same in words, as in "In the last 15 min".
    """

    def read(db: Database) -> tuple[StageSplit, ...]:
        return stage_splits(db, window)

    with st.container(
        horizontal=True, horizontal_alignment="distribute", vertical_alignment="center"
    ):
        st.subheader("Where the time goes", anchor=False, width="content")
        by = st.segmented_control(
            "Split by",
            [_PROFILE, _BROKER],
            default=_PROFILE,
            required=True,
            key="stages",
            bind="query-params",
            label_visibility="collapsed",
        )
    splits = sorted(context.read(read), key=_order)
    totals = [split for split in splits if split.broker is None]
    if not totals:
        st.info(
            f"No client told its statistics in the last {chosen}. librdkafka tells them every 5 s "
            "of a run, so they are here some seconds after a profile starts.",
            icon=":material/timer:",
        )
        return
    st.markdown(stage_words.answer(totals, chosen))
    throttled = stage_words.throttling(splits)
    if throttled is not None:
        st.warning(throttled, icon=":material/speed:")
    shown = [split for split in splits if (split.broker is None) == (by != _BROKER)]
    steady.chart(
        "stage-split",
        window,
        tuple(stage_words.name(split) for split in shown),
        lambda: stage_figure.stage_split(shown, dark=context.is_dark()),
        alt="Mean time in the client's queue, in the socket and at the broker, stacked",
    )
    _table(shown)
    st.caption(EXPLAINED + _left_out(shown))


def _table(shown: Sequence[StageSplit]) -> None:
    names = ("queue", "p99 ", "socket", "p99  ", "round trip", "p99   ", "throttled", "requests")
    st.dataframe(
        [_row(split, names) for split in shown],
        column_config={
            name: st.column_config.TextColumn(width=72, alignment="right") for name in names
        }
        | {"": st.column_config.TextColumn(width=170, pinned=True)},
        hide_index=True,
        height="content" if len(shown) <= 12 else 12 * 35,
        key="stage-table",
        alt="Mean and p99 of each stage",
    )


def _row(split: StageSplit, names: Sequence[str]) -> dict[str, str]:
    figures = [
        *_figures(split.queue),
        *_figures(split.send),
        *(_figures(split.trip) if split.waits_for_answers else ("none", NOTHING)),
        latency(split.throttle.p99 * 1000.0) if split.throttle.p99 else "no",
        count(split.requests),
    ]
    return {"": visible(stage_words.name(split))} | dict(zip(names, figures, strict=True))


def _figures(stage: Stage) -> tuple[str, str]:
    return latency(stage.mean), latency(stage.p99 if stage.n else None)


def _left_out(shown: Sequence[StageSplit]) -> str:
    more = len(shown) - stage_figure.MOST_BARS
    return f" The chart shows {stage_figure.MOST_BARS}; {more} more are in the table." * (more > 0)


def _order(split: StageSplit) -> tuple[int, str, int]:
    broker = -1 if split.broker is None else split.broker
    return ACKS_LEVELS.index(split.acks), split.profile, broker
