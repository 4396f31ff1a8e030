"""The advice to take along: program, properties, profile; and its profile saved here."""

from __future__ import annotations

from typing import Final

import streamlit as st

from dashboard import context
from dashboard.formats import escape_markdown
from producer_agent.advice.advisor.advice import Advice
from producer_agent.advice.advisor.profile import profile_of
from producer_agent.advice.advisor.properties_files import java_properties, librdkafka_properties
from producer_agent.advice.advisor.python_program import python_program
from producer_agent.commands import Command
from producer_agent.delivery.profiles import Profile, ProfileInvalid
from producer_agent.store.queries.profiles import stored_profiles

PROFILES_PAGE: Final = "views/profiles.py"
_HEIGHT: Final = 420


def draw(advice: Advice) -> None:
    """A tab for each form, to copy or to download."""
    st.subheader("To ship", anchor=False)
    stem = advice.question.name
    python, librdkafka, java, profile = st.tabs(
        ["Python", "librdkafka", "Java", "Profile"], key="advisor-files"
    )
    with python:
        st.caption(
            "Complete: it needs confluent-kafka and the brokers' address. Reads events from "
            "standard input, keeps what fails as dead letters."
        )
        _file(python_program(advice), "python", f"{stem}.py", "text/x-python")
    with librdkafka:
        _file(librdkafka_properties(advice), "properties", f"{stem}.conf", "text/plain")
    with java:
        _file(java_properties(advice), "properties", f"{stem}.properties", "text/plain")
    with profile:
        st.caption("`python -m producer_agent profiles import FILE`, or save it here:")
        _save(advice)
        _file(profile_of(advice).to_json(), "json", f"{stem}.json", "application/json")


def _file(text: str, language: str, name: str, mime: str) -> None:
    st.download_button(
        f"Download {escape_markdown(name)}",
        text,
        file_name=name,
        mime=mime,
        icon=":material/download:",
        on_click="ignore",
        key=f"advisor-download-{name.rpartition('.')[2]}",
    )
    st.code(text, language=language, height=_HEIGHT)


def _save(advice: Advice) -> None:
    with st.container(horizontal=True, vertical_alignment="bottom", gap="small"):
        name = st.text_input(
            "Name of the profile",
            value=advice.question.name,
            key=f"advisor-profile-name-{advice.question.name}",
            width=260,
        )
        taken = {stored.name for stored in context.read(stored_profiles)}
        pressed = st.button(
            "Replace the profile" if name in taken else "Save as profile",
            type="primary",
            icon=":material/save:",
            key="advisor-save",
        )
        st.page_link(PROFILES_PAGE, label="Profiles", icon=":material/tune:")
    if name in taken:
        st.caption(
            f"There is a profile {escape_markdown(name)} already; saving takes its place, from its "
            "next start on."
        )
    if not pressed:
        return
    try:
        profile: Profile = Profile.from_mapping(profile_of(advice).model_dump() | {"name": name})
    except ProfileInvalid as error:
        problem = error.problems[0]
        st.error(escape_markdown(f"{problem.message} {problem.mend}"), icon=":material/error:")
        return
    if context.act(Command.PROFILE_SAVE, {"body": profile.to_json()}) is not None:
        st.success(
            f"**{escape_markdown(name)}** is saved. It is not started: do that under Profiles.",
            icon=":material/check_circle:",
        )
