"""Profiles: what do we send and how?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import streamlit as st
from sqlite_utils import Database

from dashboard import context, formats
from dashboard.components import freshness
from dashboard.formats import count, escape_markdown
from dashboard.profiles import applications, profile_form
from dashboard.profiles.profile_settings import effective_settings
from producer_agent.commands import Command
from producer_agent.delivery.profiles import ProducerSettings, Profile, ProfileInvalid
from producer_agent.store import facts
from producer_agent.store.clock import now_us
from producer_agent.store.queries.profiles import StoredProfile, stored_profiles

ACKS_COLOURS = {"all": "green", "1": "blue", "0": "orange"}
"""Badge colours nearest to the acks levels' own."""

ACKS_WORDS = {
    "all": "every in-sync replica confirms",
    "1": "the leader confirms",
    "0": "nobody confirms",
}

_DELETE = "profiles-delete"


@dataclass(frozen=True, slots=True)
class Shown:
    """A stored profile, read, with its live run if it has one."""

    stored: StoredProfile
    profile: Profile | None
    """None where this version cannot read what is stored."""
    unreadable: str | None
    run: dict[str, Any] | None
    """Its entry in the fact ``runs``."""

    @property
    def rate(self) -> float:
        """Events a second: of the run, as a person last set it, or of the profile."""
        if self.run is not None:
            return float(self.run["rate"])
        if self.stored.rate is not None:
            return self.stored.rate
        return self.profile.workload.rate_per_s if self.profile is not None else 1.0


def shown(db: Database) -> list[Shown]:
    """Every profile, with what runs under it."""
    fact = facts.get(db, "runs")
    runs = {run["profile"]: run for run in (fact.body if fact is not None else ())}
    found = []
    for stored in stored_profiles(db):
        profile, unreadable = _profile(stored.body)
        found.append(Shown(stored, profile, unreadable, runs.get(stored.name)))
    return found


def draw() -> None:
    """The answer, a card a profile, and one for each service of the team's own."""
    at_us = now_us()
    profiles, services = context.read(lambda db: (shown(db), applications.recent(db, at_us)))
    answer(profiles)
    taken = [item.stored.name for item in profiles]
    for item in profiles:
        with st.container(border=True, key=f"profile-{item.stored.name}"):
            if item.profile is None:
                unreadable(item)
            else:
                card(item, item.profile, taken)
    applications.draw(services, at_us)


def answer(profiles: Sequence[Shown]) -> None:
    """What is being sent, in a sentence."""
    running = [item for item in profiles if item.run is not None]
    paused = [item for item in running if item.run and item.run["paused_because"]]
    if not profiles:
        st.info(
            "There is no profile yet. Make one with **New profile**; the agent brings four "
            "along when it starts on a new database.",
            icon=":material/tune:",
        )
        return
    if not running:
        st.warning(
            f"**Nothing is being sent.** None of {count(len(profiles))} profiles is running: "
            "start one below.",
            icon=":material/stop_circle:",
        )
        return
    rate = sum(item.rate for item in running)
    words = (
        f"**{count(len(running))} of {count(len(profiles))} profiles are running**, set to "
        f"{formats.rate(rate)} in all."
    )
    if paused:
        names = ", ".join(escape_markdown(item.stored.name) for item in paused)
        st.warning(f"{words} **Paused: {names}.**", icon=":material/pause_circle:")
    else:
        st.success(words, icon=":material/play_circle:")


def card(item: Shown, profile: Profile, taken: Sequence[str]) -> None:
    """One profile: what it is, how it fares, and what can be done with it."""
    name = profile.name
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        st.markdown(f"**{escape_markdown(name)}**", width="content")
        st.badge(f"acks={profile.acks_label}", color=ACKS_COLOURS[profile.acks_label])  # type: ignore[arg-type]
        state(item)
        if profile.producer.is_transactional:
            st.badge("transactional", color="gray")
        elif profile.producer.idempotence:
            st.badge("idempotent", color="gray")
    st.caption(
        f"{escape_markdown(profile.description) or ACKS_WORDS[profile.acks_label]}  \n"
        f"{figures(item, profile)}"
    )
    troubles(item)
    controls(item, profile, taken)
    with st.expander(
        "Effective librdkafka configuration",
        icon=":material/code:",
        key=f"profile-{name}-configuration",
    ):
        effective_settings(
            profile.producer, _running_settings(item), key=f"profile-{name}-settings"
        )


def state(item: Shown) -> None:
    """Running, paused or stopped, as a badge."""
    if item.run is None:
        st.badge("stopped", icon=":material/stop_circle:", color="gray")
    elif item.run["paused_because"]:
        st.badge("paused", icon=":material/pause_circle:", color="orange")
    else:
        st.badge("running", icon=":material/play_circle:", color="green")


def figures(item: Shown, profile: Profile) -> str:
    """Topic, rate and counts on a line, as Markdown."""
    topic = f"to {formats.code_span(profile.workload.topic)}"
    run = item.run
    if run is None:
        last = item.stored.last_run
        if last is None:
            return f"{topic} at {formats.rate(item.rate)} · never ran"
        ended = formats.ago(last.ended_us or last.started_us, now_us())
        return (
            f"{topic} at {formats.rate(item.rate)} · last ran {ended}, "
            f"{count(last.accepted)} events"
        )
    return (
        f"{topic} at **{formats.rate(item.rate)}** · accepted **{count(run['accepted'])}** · "
        f"waiting for an answer **{count(run['outstanding'])}** · "
        f"up {formats.duration((now_us() - run['started_us']) / 1e6)}"
    )


def troubles(item: Shown) -> None:
    """Why it is paused, what failed last, and that its settings wait for a start."""
    run = item.run
    if run is None:
        return
    if run["paused_because"]:
        st.warning(
            f"Paused: {escape_markdown(str(run['paused_because']))}",
            icon=":material/pause_circle:",
        )
    if run["last_error"]:
        at_us, text = run["last_error"]
        st.caption(
            f":material/error: last error {formats.ago(at_us, now_us())}: "
            f"{escape_markdown(str(text))}"
        )
    last = item.stored.last_run
    if last is not None and last.ended_us is None and last.body != item.stored.body:
        st.info(
            f"It was changed {formats.ago(item.stored.changed_us, now_us())}, and that takes "
            "effect at its next start: stop and start it.",
            icon=":material/update:",
        )


def controls(item: Shown, profile: Profile, taken: Sequence[str]) -> None:
    """Start or stop, the rate, and the rest in a row that folds."""
    name = profile.name
    with st.container(horizontal=True, vertical_alignment="bottom", gap="small"):
        rate = st.number_input(
            "Events a second",
            min_value=0.1,
            max_value=100_000.0,
            value=max(item.rate, 0.1),
            step=10.0,
            format="%.6g",
            key=f"profile-{name}-rate",
            width=150,
        )
        if item.run is None:
            if st.button(
                "Start", type="primary", icon=":material/play_arrow:", key=f"profile-{name}-start"
            ):
                asked = {"profile": name} | ({"rate": rate} if rate != item.rate else {})
                _act(Command.RUN_START, asked, f"{name} is started.")
        else:
            if st.button(
                "Apply rate",
                icon=":material/speed:",
                disabled=rate == item.rate,
                key=f"profile-{name}-apply",
            ):
                _act(
                    Command.RUN_RATE,
                    {"profile": name, "rate": rate},
                    f"{name} now sends {formats.rate(rate)}.",
                )
            if st.button("Stop", icon=":material/stop:", key=f"profile-{name}-stop"):
                _act(Command.RUN_STOP, {"profile": name}, f"{name} is stopped.")
        if st.button("Edit", icon=":material/edit:", key=f"profile-{name}-edit"):
            profile_form.open_edit(item.stored, profile)
            st.rerun()
        if st.button("Duplicate", icon=":material/content_copy:", key=f"profile-{name}-duplicate"):
            profile_form.open_duplicate(profile, taken)
            st.rerun()
        delete_button(item)


def delete_button(item: Shown) -> None:
    """Opens the question whether to delete it."""
    if st.button(
        "Delete",
        type="tertiary",
        icon=":material/delete:",
        disabled=item.run is not None,
        help="Stop it first." if item.run is not None else None,
        key=f"profile-{item.stored.name}-delete",
    ):
        st.session_state[_DELETE] = item.stored.name
        st.rerun()


def unreadable(item: Shown) -> None:
    """A profile that this version cannot read, with why and what can be done."""
    st.markdown(f"**{escape_markdown(item.stored.name)}**")
    st.error(
        f"This version cannot use it: {escape_markdown(item.unreadable or '')}",
        icon=":material/error:",
    )
    st.code(formats.visible(item.stored.body), language="json", height=200)
    delete_button(item)


def confirm_delete(name: str) -> None:
    """What is deleted, what stays, and the button."""
    st.markdown(
        f"The profile **{escape_markdown(name)}** is removed. Its runs, their figures and its "
        "dead letters stay. It cannot be undone; a profile of the same settings can be made anew."
    )
    with st.container(horizontal=True):
        if st.button("Delete", type="primary", icon=":material/delete:", key="profiles-delete-yes"):
            result = context.act(Command.PROFILE_DELETE, {"profile": name})
            if result is not None:
                st.toast(f"{escape_markdown(name)} is deleted.", icon=":material/check_circle:")
            keep()
            st.rerun()
        if st.button("Keep it", key="profiles-delete-no"):
            keep()
            st.rerun()


def keep() -> None:
    """Put the question whether to delete away."""
    st.session_state.pop(_DELETE, None)


def _act(kind: Command, arguments: dict[str, Any], done: str) -> None:
    if context.act(kind, arguments) is not None:
        st.toast(escape_markdown(done), icon=":material/check_circle:")
    st.rerun()


def _profile(body: str) -> tuple[Profile | None, str | None]:
    try:
        return Profile.from_json(body), None
    except ProfileInvalid as invalid:
        return None, " ".join(f"{p.field}: {p.message} {p.mend}" for p in invalid.problems)


def _running_settings(item: Shown) -> ProducerSettings | None:
    last = item.stored.last_run
    if item.run is None or last is None or last.ended_us is not None:
        return None
    profile, _ = _profile(last.body)
    return None if profile is None else profile.producer


with st.container(horizontal=True, vertical_alignment="center"):
    st.title("Profiles", anchor=False, width="stretch")
    st.button(
        "New profile", icon=":material/add:", on_click=profile_form.open_new, key="profiles-new"
    )
freshness.live(draw)
if (deleting := st.session_state.get(_DELETE)) is not None:
    st.dialog(f"Delete {escape_markdown(deleting)}?", icon=":material/delete:", on_dismiss=keep)(
        confirm_delete
    )(deleting)
else:
    profile_form.show()
