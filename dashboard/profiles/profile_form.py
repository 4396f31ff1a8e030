"""The dialog that creates, edits or duplicates a profile, with its checks as one types."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

import streamlit as st

from dashboard import context
from dashboard.formats import escape_markdown
from dashboard.profiles.profile_draft import EXTRA, Checked, FieldSpec, check_draft, draft_of, specs
from dashboard.profiles.profile_settings import effective_settings
from producer_agent.commands import Command
from producer_agent.delivery.profile_checks import librdkafka_refusal
from producer_agent.delivery.profiles import Problem, Profile, Workload
from producer_agent.store.queries.profiles import StoredProfile, stored_profiles

_PREFIX: Final = "profile-form:"
_OPENED: Final = "profile-form-opened"


@dataclass(frozen=True, slots=True)
class Opened:
    """What the dialog was opened for."""

    title: str
    profile: Profile
    """What the fields are filled with."""
    edits: str | None = None
    """Name of the stored profile that is replaced; None: a new one is made."""
    base: str | None = None
    """That profile's JSON when the dialog was opened: what somebody else may have changed."""


def open_new() -> None:
    """Open it for a profile from scratch."""
    _open(Opened("New profile", Profile(name="new-profile", workload=Workload(topic="my-topic"))))


def open_edit(stored: StoredProfile, profile: Profile) -> None:
    """Open it for a stored profile."""
    _open(Opened(f"Edit {profile.name}", profile, stored.name, stored.body))


def open_duplicate(profile: Profile, taken: Sequence[str]) -> None:
    """Open it for a new profile that begins as a copy, inactive and under a free name."""
    n = 1
    stem = profile.name[:55]
    while (name := f"{stem}-copy" + (f"-{n}" if n > 1 else "")) in taken:
        n += 1
    copy = profile.model_copy(update={"name": name, "active": False})
    _open(Opened(f"Duplicate {profile.name}", copy))


def show() -> None:
    """Show the dialog if one is open; at the end of the page's script."""
    opened: Opened | None = st.session_state.get(_OPENED)
    if opened is not None:
        st.dialog(
            opened.title,
            width="large",
            icon=":material/tune:",
            on_dismiss=close,
        )(draw)(opened)


def close() -> None:
    """Put the dialog and what was typed away."""
    st.session_state.pop(_OPENED, None)
    _forget()


def draw(opened: Opened) -> None:
    """The dialog's content; runs again at each pause in typing."""
    stored = context.read(stored_profiles)
    taken = [profile.name for profile in stored if profile.name != opened.edits]
    verdict = st.container()
    # Problems are shown beside fields, so they have to be known before the fields are drawn:
    # what was typed is in the session state by then.
    checked = check_draft(
        {
            path: st.session_state.get(_PREFIX + path, value)
            for path, value in draft_of(opened.profile).items()
        },
        taken,
    )
    _fields(opened, checked)
    with verdict:
        _verdict(checked)
    with st.expander("Effective librdkafka configuration", icon=":material/code:"):
        if checked.profile is None:
            st.caption("Shown when every value is well-formed.")
        else:
            effective_settings(checked.profile.producer, key="profile-form-effective")
    _buttons(opened, checked, stored)


def _open(opened: Opened) -> None:
    _forget()
    st.session_state[_OPENED] = opened
    for path, value in draft_of(opened.profile).items():
        st.session_state[_PREFIX + path] = value


def _forget() -> None:
    for key in [key for key in st.session_state if str(key).startswith(_PREFIX)]:
        del st.session_state[key]


def _fields(opened: Opened, checked: Checked) -> None:
    name = FieldSpec("name", "Name", "1 to 63 of a-z, 0-9, dot, underscore and hyphen.")
    _field(name, checked, disabled=opened.edits is not None)
    _field(FieldSpec("description", "What it is for", "Up to 2,000 characters."), checked)
    _field(
        FieldSpec("active", "Start with the agent", "Runs whenever the agent does.", is_flag=True),
        checked,
    )
    st.subheader("Delivery", anchor=False)
    _grid(specs("producer"), checked)
    st.text_area(
        "Further librdkafka properties",
        key=_PREFIX + EXTRA,
        placeholder="socket.keepalive.enable=true",
        help="One name=value a line. Secrets belong into the agent's environment, not here.",
        height=90,
    )
    _problems(checked.of(EXTRA))
    st.subheader("Workload", anchor=False)
    _grid(specs("workload"), checked)
    st.subheader("Made to fail on purpose", anchor=False)
    st.caption("Shares of all events: 0.001 is one in a thousand.")
    _grid(specs("workload.faults"), checked)
    st.subheader("Objective", anchor=False)
    st.caption("What it is held to. Empty: nothing.")
    _grid(specs("objective"), checked)


def _grid(fields: Sequence[FieldSpec], checked: Checked) -> None:
    grid = st.grid(3, min_column_width=220)
    for spec in fields:
        with grid.cell():
            _field(spec, checked)


def _field(spec: FieldSpec, checked: Checked, *, disabled: bool = False) -> None:
    key = _PREFIX + spec.path
    if spec.is_flag:
        st.toggle(spec.label, key=key, help=spec.help)
    elif spec.choices:
        st.selectbox(spec.label, spec.choices, key=key, help=spec.help)
    else:
        st.text_input(
            spec.label,
            key=key,
            help=spec.help,
            live=True,
            disabled=disabled,
            placeholder="not set" if spec.is_optional else None,
        )
    _problems(checked.of(spec.path))


def _problems(problems: Sequence[Problem]) -> None:
    for problem in problems:
        colour, icon = ("red", "error") if problem.severity == "error" else ("orange", "warning")
        words = escape_markdown(f"{problem.message} {problem.mend}")
        st.caption(f":{colour}[:material/{icon}: {words}]")


def _verdict(checked: Checked) -> None:
    errors = sum(problem.severity == "error" for problem in checked.problems)
    warnings = len(checked.problems) - errors
    also = f" {warnings} warning{'s' if warnings > 1 else ''} below." if warnings else ""
    if errors:
        st.error(
            f"**{errors} error{'s keep' if errors > 1 else ' keeps'} it from being saved**, "
            f"beside the field.{also}",
            icon=":material/error:",
        )
    elif warnings:
        st.warning(f"It can be saved.{also}", icon=":material/warning:")
    else:
        st.success("It can be saved: nothing is wrong with it.", icon=":material/check_circle:")
    _problems(checked.elsewhere())


def _buttons(opened: Opened, checked: Checked, stored: Sequence[StoredProfile]) -> None:
    with st.container(horizontal=True):
        saved = st.button(
            "Save" if opened.edits else "Create",
            type="primary",
            icon=":material/save:",
            disabled=not checked.is_usable,
            key="profile-form-save",
        )
        if st.button("Cancel", key="profile-form-cancel"):
            close()
            st.rerun()
    if not saved or checked.profile is None:
        return
    refusal = librdkafka_refusal(checked.profile)
    if refusal is not None:
        _problems([refusal])
        return
    if _changed_meanwhile(opened, stored):
        st.error(
            "Somebody changed this profile since you opened it. Press Save again to replace "
            "their version, or Cancel to look at it first.",
            icon=":material/group:",
        )
        now = next((p.body for p in stored if p.name == opened.edits), None)
        st.session_state[_OPENED] = replace(opened, base=now)
        return
    result = context.act(Command.PROFILE_SAVE, {"body": checked.profile.to_json()})
    if result is None:
        return
    when = " It takes effect at its next start." if result.get("running") else ""
    st.toast(f"{checked.profile.name} is saved.{when}", icon=":material/check_circle:")
    close()
    st.rerun()


def _changed_meanwhile(opened: Opened, stored: Sequence[StoredProfile]) -> bool:
    # The dialog's own argument is from when it was opened; the session has what was seen since.
    seen: Opened = st.session_state.get(_OPENED, opened)
    if opened.edits is None:
        return False
    now = next((profile.body for profile in stored if profile.name == opened.edits), None)
    return now != seen.base
