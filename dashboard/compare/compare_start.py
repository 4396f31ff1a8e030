"""Beginning a comparison: the one click, the request, and what stands in its way."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import streamlit as st
from sqlite_utils import Database

from dashboard import context
from dashboard.compare import compare_draft, compare_words
from dashboard.compare.compare_draft import Checked
from dashboard.components import notices, press
from dashboard.formats import escape_markdown
from producer_agent.advice.compare.plan import ComparisonPlan
from producer_agent.commands import Command
from producer_agent.delivery.profiles import Profile, ProfileInvalid
from producer_agent.store.queries import comparisons as queries
from producer_agent.store.queries.comparisons import Summary
from producer_agent.store.queries.health import Health, health
from producer_agent.store.queries.profiles import stored_profiles

PARAMETER: Final = "comparison"
"""In the URL: the number of the comparison that is shown."""

BESIDE: Final = "with"
"""In the URL: the number of the one that it is laid beside."""

START_TIMEOUT_S: Final = 60.0
"""Its topic has to be made, and led everywhere."""

PAUSE_LABEL: Final = "Pause running profiles meanwhile"
PAUSE_HELP: Final = (
    "They would share the cluster and this machine with what is measured. They are stopped, and "
    "started again at the end at the rate they had."
)

_PAUSE_KEY: Final = "compare-pause"


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What a comparison can be made of, now."""

    health: Health
    running: Summary | None
    profiles: tuple[Profile, ...]
    """Stored ones that this version can read, by name."""

    @property
    def bodies(self) -> Mapping[str, str]:
        """Their JSON, by name."""
        return {profile.name: profile.to_json() for profile in self.profiles}

    @property
    def brokers(self) -> int | None:
        """How many there are; None if that is not known."""
        cluster = self.health.cluster
        return None if cluster is None or not cluster.brokers else cluster.brokers

    @property
    def embedded(self) -> bool:
        """Whether nothing is replicated."""
        cluster = self.health.cluster
        return cluster is not None and cluster.kind == "embedded"

    @property
    def hindrance(self) -> str | None:
        """Why none can be begun now, with the mend, as Markdown."""
        if notices.is_silent(self.health, time.time_ns() // 1000):
            return "No agent is at work: it does the measuring. Start it first."
        if self.health.cluster is not None and not self.health.cluster.reachable:
            return "The cluster cannot be reached: bring it back first."
        if self.running is not None:
            return (
                f"Comparison {self.running.id} is running, and two at once would be each other's "
                "noise. Wait until it is done, or cancel it."
            )
        if len(self.profiles) < 2:
            return "It takes two profiles: make one more under [Profiles](profiles)."
        return None


def surroundings(db: Database) -> Surroundings:
    """As they are in the database."""
    found = []
    for stored in stored_profiles(db):
        try:
            found.append(Profile.from_json(stored.body))
        except ProfileInvalid:
            continue  # Profiles says what is wrong with it
    return Surroundings(health(db), queries.running(db), tuple(found))


def preset(around: Surroundings) -> Checked:
    """What one click measures."""
    chosen = compare_draft.preset(around.profiles)
    return compare_draft.check_draft(
        chosen,
        compare_draft.preset_baseline(chosen, around.profiles),
        compare_draft.preset_texts(around.brokers),
        around.bodies,
        around.brokers,
    )


def one_click(around: Surroundings) -> None:
    """The button that compares one profile an acks level, with what it will do."""
    plan = preset(around).plan
    if plan is None:
        return
    hindrance = around.hindrance
    with st.container(border=True, key="compare-one-click"):
        st.markdown(
            f"**{compare_words.names(plan.names)}** under one load, each held against "
            f"{escape_markdown(plan.baseline)}.  \n{compare_words.beforehand(plan)}"
        )
        pause(around)
        with st.container(horizontal=True, vertical_alignment="center", gap="small"):
            st.button(
                f"Compare {compare_words.names(plan.names)}",
                type="primary",
                icon=":material/balance:",
                disabled=hindrance is not None,
                on_click=_clicked,
                args=(plan,),
                key="compare-now",
            )
        if hindrance is not None:
            st.caption(f":orange[:material/warning: {hindrance}]")


def pause(around: Surroundings, key: str = _PAUSE_KEY) -> bool:
    """The choice whether running profiles are paused meanwhile, and which they are."""
    chosen = st.toggle(PAUSE_LABEL, value=True, key=key, help=PAUSE_HELP)
    sending = [run.profile for run in around.health.runs]
    if sending:
        told = compare_words.names(sending)
        st.caption(
            f"{told} {'is' if len(sending) == 1 else 'are'} paused until it ends: what they watch "
            "is not watched meanwhile."
            if chosen
            else f"{told} go on sending beside it, and disturb what is measured."
        )
    return bool(chosen)


def start(plan: ComparisonPlan, *, pause_runs: bool, title: str | None = None) -> bool:
    """Ask the agent for it, and make the URL show it; False where a toast told what is wrong."""
    arguments: dict[str, Any] = {"plan": compare_draft.asked(plan), "pause_runs": pause_runs}
    if title:
        arguments["title"] = title
    result = press.once(
        f"compare-start-{hash((plan.to_json(), title))}",
        lambda: context.act(Command.COMPARE_START, arguments, timeout_s=START_TIMEOUT_S),
    )
    if result is None:
        return False
    st.query_params[PARAMETER] = str(result["comparison"])
    st.query_params.pop(BESIDE, None)
    return True


def _clicked(plan: ComparisonPlan) -> None:
    start(plan, pause_runs=bool(st.session_state.get(_PAUSE_KEY, True)))
