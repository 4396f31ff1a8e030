"""Overview: is it being delivered, now?"""

from __future__ import annotations

import time
from collections.abc import Collection, Mapping, Sequence

import streamlit as st
from sqlite_utils import Database

from dashboard import charts, context, verdict
from dashboard.components import freshness, notices, steady, time_range
from dashboard.diagnosis import diagnosis_words
from dashboard.diagnosis.diagnosis_words import Told
from dashboard.formats import NOTHING, ago, count, escape_markdown, latency, rate, ratio, visible
from dashboard.profiles.applications import transaction_figures
from producer_agent.store import facts
from producer_agent.store.queries.applications import outstanding_by_acks
from producer_agent.store.queries.health import Health, health, unresolved_in_open_runs
from producer_agent.store.queries.watch import CauseSummary, LevelSummary, causes, levels
from producer_agent.store.queries.windows import Window, window_to


def _draw() -> None:
    now_us = time.time_ns() // 1000
    chosen = time_range.selected()
    window = window_to(now_us, time_range.RANGES[chosen])

    def query(
        db: Database,
    ) -> tuple[
        Health, list[LevelSummary], list[CauseSummary], dict[str, int], dict[str, int], Told
    ]:
        return (
            health(db),
            levels(db, window, now_us),
            causes(db, window),
            unresolved_in_open_runs(db),
            outstanding_by_acks(db),
            diagnosis_words.told(facts.get(db, "diagnosis")),
        )

    now, found, failing, left_open, of_services, told = context.read(query)
    diagnosed = () if told.is_stale(now_us) else told.diagnoses
    with st.container(key="status"):
        for notice in verdict.notices(
            now, found, failing, chosen, now_us, context.zone(), diagnosed
        ):
            notices.show(notice)
    if not found:
        _nothing_recorded(chosen)
        return
    _cards(found, _unresolved(now, left_open, of_services, now_us), window)
    _charts(found, window)
    said = verdict.incidents(found)
    if said:
        with st.container(key="incidents"):
            st.subheader("Worth knowing", anchor=False)
            st.markdown("\n".join(f"- {words}" for words in said))
    _causes(failing, chosen, now_us, {diagnosis.topic for diagnosis in diagnosed})


def _nothing_recorded(chosen: str) -> None:
    longest = list(time_range.RANGES)[-1]
    hint = "" if chosen == longest else f"Choose a longer time range, up to {longest}, or start"
    st.info(
        f"Nothing was recorded in the last {chosen}. {hint or 'Start'} a profile on "
        f"[Profiles](profiles).",
        icon=":material/inbox:",
    )


def _unresolved(
    now: Health, left_open: Mapping[str, int], of_services: Mapping[str, int], now_us: int
) -> Mapping[str, int]:
    """Events without a report by acks level: live from the agent, or what it left behind; and
    those of services."""
    if notices.is_silent(now, now_us):
        return left_open
    live = dict(of_services)
    for run in now.runs:
        live[run.acks] = live.get(run.acks, 0) + run.outstanding
    return live


def _cards(found: Sequence[LevelSummary], unresolved: Mapping[str, int], window: Window) -> None:
    grid = st.grid(3, min_column_width=260, border=True, key="cards")
    for level in found:
        with grid.cell():
            _card(level, unresolved.get(level.acks, 0), window)


def _card(level: LevelSummary, unresolved: int, window: Window) -> None:
    names = ", ".join(escape_markdown(profile.profile) for profile in level.profiles)
    state = verdict.badge(level)
    with st.container(horizontal=True, horizontal_alignment="distribute", gap="small"):
        st.markdown(f"**acks={level.acks}** · {names}", width="content")
        st.badge(state.word, icon=state.icon, color=state.color)
    if level.acks == "0":
        st.metric(
            "Sent, unconfirmed",
            count(level.counts.unconfirmed),
            help="Under acks=0 no broker confirms: a report says that the event left the client.",
        )
    else:
        st.metric(
            "Delivered",
            ratio(level.counts.delivered, level.counts.reported),
            help=f"{count(level.counts.delivered)} delivered, {count(level.counts.failed)} failed. "
            f"Rejected and unresolved events are counted apart.",
        )
    for profile in level.profiles:
        whose = "" if len(level.profiles) == 1 else f"{escape_markdown(profile.profile)}: "
        st.caption(f"{whose}{verdict.objective_words(profile)}")
    steady.chart(
        f"traffic-{level.acks}",
        window,
        level.acks,
        lambda: charts.traffic(level, window, context.zone(), dark=context.is_dark()),
        config=charts.STILL,
        alt=f"Events a second over time, acks={level.acks}",
    )
    figures = [
        ("p50", latency(level.p50_us)),
        ("p99", latency(level.p99_us)),
        ("rate", rate(level.rate_now)),
        ("failed", count(level.counts.failed)),
        ("unresolved", count(unresolved)),
    ]
    if level.counts.rejected:
        figures.append(("rejected", count(level.counts.rejected)))
    figures += transaction_figures(level.counts)
    # No line break between a label and its figure.
    st.markdown(" \u2003".join(f":gray[{label}]\u00a0**{value}**" for label, value in figures))


def _charts(found: Sequence[LevelSummary], window: Window) -> None:
    zone, dark = context.zone(), context.is_dark()
    levels_shown = tuple(level.acks for level in found)
    grid = st.grid(2, min_column_width=340, key="charts")
    with grid.cell():
        st.subheader("Delivered, share of reports", anchor=False)
        if any(level.acks != "0" for level in found):
            steady.chart(
                "success",
                window,
                levels_shown,
                lambda: charts.success(found, window, zone, dark=dark),
                alt="Share of reports that say delivered, over time, for each acks level",
            )
        else:
            st.caption("Only acks=0 was in use: nothing proves a delivery, so there is no share.")
    with grid.cell():
        st.subheader("Acknowledgement latency, p99 and p50 (dotted)", anchor=False)
        steady.chart(
            "latency",
            window,
            levels_shown,
            lambda: charts.ack_latency(found, window, zone, dark=dark),
            alt="99th percentile of the acknowledgement latency over time, for each acks level",
        )


def _causes(
    failing: Sequence[CauseSummary], chosen: str, now_us: int, diagnosed: Collection[str]
) -> None:
    st.subheader("What failed", anchor=False)
    if not failing:
        st.caption(f"Nothing failed in the last {chosen}.")
        return
    st.dataframe(
        [
            {
                "Cause": visible(cause.cause),
                "Events": cause.events,
                "Last": ago(cause.last_seen_us, now_us),
                "Triage": verdict.dead_letters_link(cause),
                **({"Now": _diagnosis_link(cause, diagnosed)} if diagnosed else {}),
                "Means": verdict.meaning(cause.cause) or NOTHING,
                "Topic": visible(cause.topic),
                "Trend": list(cause.trend),
            }
            for cause in failing
        ],
        column_config={
            # What matters most comes first: on a phone the rest is scrolled to.
            "Cause": st.column_config.TextColumn(width=165),
            "Events": st.column_config.NumberColumn(width=60, format="localized"),
            "Last": st.column_config.TextColumn(width=80),
            "Triage": st.column_config.LinkColumn(
                width=55, display_text="open", help="These in Dead letters"
            ),
            "Now": st.column_config.LinkColumn(
                width=70, display_text="diagnosis", help="What is the matter with its topic now"
            ),
            "Means": st.column_config.TextColumn(width=235),
            "Topic": st.column_config.TextColumn(width=150),
            "Trend": st.column_config.BarChartColumn(width=95, y_min=0),
        },
        hide_index=True,
        key="causes",
        alt="What failed, most events first",
    )


def _diagnosis_link(cause: CauseSummary, diagnosed: Collection[str]) -> str:
    return diagnosis_words.link(cause.topic) if cause.topic in diagnosed else ""


freshness.live(_draw, title="Overview", controls=time_range.choose)
