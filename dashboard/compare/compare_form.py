"""The dialog in which a comparison is put together, with its checks as one types."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

import streamlit as st

from dashboard import context
from dashboard.compare import compare_draft, compare_start, compare_words
from dashboard.compare.compare_draft import (
    BASELINE,
    COMPRESSIBLE,
    LOAD,
    MORE,
    PROFILES,
    SWEEP,
    Checked,
)
from dashboard.compare.compare_start import Surroundings
from dashboard.components import notices
from dashboard.formats import escape_markdown
from producer_agent.advice.compare.plan import ComparisonPlan
from producer_agent.delivery.profile_problems import Problem

LONGEST_TITLE: Final = 200

_PREFIX: Final = "compare-form:"
_OPENED: Final = "compare-form-opened"
_CHOSEN: Final = _PREFIX + PROFILES
_BASELINE: Final = _PREFIX + BASELINE
_TITLE: Final = _PREFIX + "title"
_PAUSE: Final = _PREFIX + "pause"


@dataclass(frozen=True, slots=True)
class Opened:
    """What the dialog was opened with."""

    profiles: tuple[str, ...]
    baseline: str
    texts: dict[str, str | bool] = field(default_factory=dict)


def open_new() -> None:
    """Open it, at the page's next run, with what one click would measure."""
    around = context.read(compare_start.surroundings)
    chosen = compare_draft.preset(around.profiles)
    _open(
        Opened(
            chosen,
            compare_draft.preset_baseline(chosen, around.profiles),
            compare_draft.preset_texts(around.brokers),
        )
    )


def open_again(plan: ComparisonPlan) -> None:
    """Open it with the plan of a comparison; profiles that are gone are left out."""
    around = context.read(compare_start.surroundings)
    chosen = tuple(name for name in plan.names if name in around.bodies)
    _open(Opened(chosen, plan.baseline, compare_draft.texts_of(plan)))


def show() -> None:
    """Show the dialog if it is open; at the end of the page's script."""
    opened: Opened | None = st.session_state.get(_OPENED)
    if opened is not None:
        st.dialog("Compare profiles", width="large", icon=":material/balance:", on_dismiss=close)(
            draw
        )(opened)


def close() -> None:
    """Put the dialog and what was typed away."""
    st.session_state.pop(_OPENED, None)
    for key in [key for key in st.session_state if str(key).startswith(_PREFIX)]:
        del st.session_state[key]


def draw(opened: Opened) -> None:
    """The dialog's content; runs again at each pause in typing."""
    around = context.read(compare_start.surroundings)
    verdict = st.container(gap="small")
    chosen: Sequence[str] = st.session_state.get(_CHOSEN, opened.profiles)
    checked = compare_draft.check_draft(
        chosen,
        str(st.session_state.get(_BASELINE) or ""),
        {path: st.session_state.get(_PREFIX + path, text) for path, text in opened.texts.items()},
        around.bodies,
        around.brokers,
    )
    _profiles(around, chosen, checked)
    _load(checked)
    with st.expander("Topic, seed and title", icon=":material/tune:", key="compare-form-more"):
        _grid(MORE, checked)
        st.text_input(
            "Title",
            key=_TITLE,
            max_chars=LONGEST_TITLE,
            placeholder="One is made of the profiles and rates.",
        )
    compare_start.pause(around, key=_PAUSE)
    with verdict:
        if around.embedded:
            notices.show(compare_words.EMBEDDED)
        _verdict(checked)
    _buttons(around, checked)


def _open(opened: Opened) -> None:
    close()
    st.session_state[_OPENED] = opened
    st.session_state[_CHOSEN] = list(opened.profiles)
    st.session_state[_BASELINE] = opened.baseline
    for path, text in opened.texts.items():
        st.session_state[_PREFIX + path] = text


def _profiles(around: Surroundings, chosen: Sequence[str], checked: Checked) -> None:
    acks = {profile.name: profile.acks_label for profile in around.profiles}
    left, right = st.columns([2, 1])
    with left:
        st.multiselect(
            "Profiles",
            list(acks),
            key=_CHOSEN,
            format_func=lambda name: f"{name} (acks={acks.get(name, '?')})",
            max_selections=compare_draft.MOST_PROFILES,
            placeholder="2 to 5 of those stored",
        )
        _problems(checked.of(PROFILES))
    with right:
        if st.session_state.get(_BASELINE) not in chosen:
            st.session_state[_BASELINE] = chosen[0] if chosen else None
        st.selectbox(
            "Baseline",
            list(chosen),
            key=_BASELINE,
            help="What the others are compared with.",
            placeholder="the first",
        )
        _problems(checked.of(BASELINE))


def _load(checked: Checked) -> None:
    st.subheader("Load", anchor=False)
    st.caption("The same events for each, at this rate whatever becomes of them (open loop).")
    _grid(LOAD, checked)
    left, right = st.columns([2, 1], vertical_alignment="bottom")
    with left:
        st.text_input(
            "Sweep: further rates",
            key=_PREFIX + SWEEP,
            live=True,
            placeholder="none; 100, 2000, 5000 for latency against rate",
            help="Events a second, with commas between. Each adds all rounds once more.",
        )
        _problems(checked.of(SWEEP))
    with right:
        st.toggle(
            "Compressible",
            key=_PREFIX + COMPRESSIBLE,
            help="Payloads of words, as JSON compresses; else random bytes.",
        )


def _grid(entries: Sequence[compare_draft.Entry], checked: Checked) -> None:
    grid = st.grid(3, min_column_width=180)
    for entry in entries:
        with grid.cell():
            st.text_input(entry.label, key=_PREFIX + entry.path, help=entry.help, live=True)
            _problems(checked.of(entry.path))


def _problems(problems: Sequence[Problem]) -> None:
    for problem in problems:
        words = escape_markdown(f"{problem.message} {problem.mend}")
        st.caption(f":red[:material/error: {words}]")


def _verdict(checked: Checked) -> None:
    if checked.plan is not None:
        st.success(compare_words.beforehand(checked.plan), icon=":material/schedule:")
        return
    beside = [p for p in checked.problems if p not in checked.elsewhere()]
    if beside:
        st.error("It cannot be measured like this: see beside the field.", icon=":material/error:")
    for problem in checked.elsewhere():
        st.error(
            f"{escape_markdown(problem.message)} {escape_markdown(problem.mend)}",
            icon=":material/error:",
        )


def _buttons(around: Surroundings, checked: Checked) -> None:
    hindrance = around.hindrance
    if hindrance is not None:
        st.caption(f":orange[:material/warning: {hindrance}]")
    with st.container(horizontal=True, gap="small"):
        pressed = st.button(
            "Start",
            type="primary",
            icon=":material/play_arrow:",
            disabled=checked.plan is None or hindrance is not None,
            key="compare-form-start",
        )
        if st.button("Not now", type="tertiary", key="compare-form-not-now"):
            close()
            st.rerun()
    if not pressed or checked.plan is None:
        return
    title = str(st.session_state.get(_TITLE) or "").strip() or None
    paused = bool(st.session_state.get(_PAUSE, True))
    if compare_start.start(checked.plan, pause_runs=paused, title=title):
        close()
        st.rerun()
