"""What can be done with many dead letters at once: the ticked ones, or all that match."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import streamlit as st

from dashboard import context
from dashboard.formats import count
from dashboard.letters import letter_export, triage_words
from dashboard.replays import one_click_replay, plan_dialog
from producer_agent.commands import Command
from producer_agent.store.queries import dead_letters as letters
from producer_agent.store.queries.dead_letters import LetterFilter, LetterRow

MOST_AT_ONE_CLICK = 1_000
"""As the agent has it: more deserve a look at the plan first."""

_TOLD = "dead-letters-told"
_SCOPE = "dead-letters-scope"
_TICKED, _ALL = "ticked", "all"


@dataclass(frozen=True, slots=True)
class Scope:
    """The letters that the buttons of the bar act on."""

    count: int
    """How many they are."""
    wanted: LetterFilter | None
    """All that match it; None: those in ``rows``."""
    rows: tuple[LetterRow, ...]
    topics: tuple[str, ...]
    """Topics they were meant for."""

    def selection(self) -> dict[str, Any]:
        """As the commands ``replay`` and ``replay.plan`` take it."""
        if self.wanted is not None:
            return {"filter": letters.filter_to_json(self.wanted)}
        return {"dead_letters": [row.id for row in self.rows]}

    def chosen(self) -> dict[str, Any]:
        """As the command ``letters.status`` takes it."""
        if self.wanted is not None:
            return {"filter": letters.filter_to_json(self.wanted)}
        return {"ids": [row.id for row in self.rows]}

    @property
    def words(self) -> str:
        """For people."""
        return f"{count(self.count)} dead letter{'' if self.count == 1 else 's'}"


def why(key: str) -> str | None:
    """The field for a reason that is kept with what is asked; None where nothing is written."""
    with st.container(width=200):
        written = st.text_input(
            "Why (kept in the history)", key=key, placeholder="INC-4711, fixed in 2.3.1"
        )
    return (written or "").strip() or None


def tell(words: str) -> None:
    """Say this once the page is drawn anew."""
    st.session_state[_TOLD] = words


def told() -> None:
    """Say what was to be said."""
    words = st.session_state.pop(_TOLD, None)
    if words:
        st.toast(words, icon=":material/check_circle:")


def bar(
    wanted: LetterFilter, total: int, ticked: Sequence[LetterRow], topics: Sequence[str]
) -> None:
    """The choice of letters, and every button for them.

    Args:
        wanted: The filter of the list, pinned.
        total: How many match it.
        ticked: Rows that are ticked.
        topics: Topics that those that match were meant for.
    """
    with st.container(key="dead-letters-bar", gap="small"):
        scope = _scope(wanted, total, ticked, topics)
        able = tuple(row for row in scope.rows if one_click_replay.can_be_replayed(row))
        with st.container(horizontal=True, vertical_alignment="bottom", gap="small"):
            pressed = _replay_button(scope, able)
            if st.button(
                "Plan a replay…",
                icon=":material/list_alt:",
                disabled=not scope.count,
                help="See what would go where before anything is sent; with a ramp for many.",
                key="dead-letters-plan",
            ):
                plan_dialog.ask_for(
                    plan_dialog.Selected(scope.selection(), scope.count, scope.words, scope.topics)
                )
            reason = why("dead-letters-why")
            for status in _offered(scope):
                label, icon, means = triage_words.ACTIONS[status]
                if st.button(
                    label,
                    icon=icon,
                    help=means,
                    disabled=not scope.count,
                    key=f"dead-letters-{status}",
                ):
                    _set_status(scope, status, reason)
            letter_export.popover(scope.wanted, [row.id for row in scope.rows], scope.count)
        _warnings(scope, able)
    if pressed:
        _replay(scope, able)


def _scope(
    wanted: LetterFilter, total: int, ticked: Sequence[LetterRow], topics: Sequence[str]
) -> Scope:
    options = {_TICKED: f"{count(len(ticked))} ticked", _ALL: f"all {count(total)} that match"}
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        st.markdown("Act on", width="content")
        chosen = st.segmented_control(
            "Act on",
            list(options),
            default=_TICKED,
            required=True,
            format_func=lambda scope: options[scope],
            label_visibility="collapsed",
            key=_SCOPE,
        )
    if chosen == _ALL:
        return Scope(total, wanted, (), tuple(topics))
    rows = tuple(ticked)
    own = dict.fromkeys(row.original_topic for row in rows if row.original_topic)
    return Scope(len(rows), None, rows, tuple(own))


def _offered(scope: Scope) -> tuple[str, ...]:
    """What makes sense for these letters."""
    if scope.wanted is not None:
        present = set(scope.wanted.statuses or letters.STATUSES)
    else:
        present = {row.status for row in scope.rows} or set(letters.OPEN_STATUSES)
    offered = []
    if "new" in present:
        offered.append("acknowledged")
    if present & {"new", "acknowledged"}:
        offered.append("resolved")
    if present - {"archived", "replaying"}:
        offered.append("archived")
    if present & {"resolved"}:
        offered.append("new")
    if "archived" in present:
        offered.append("restored")
    return tuple(offered)


def _replay_button(scope: Scope, able: Sequence[LetterRow]) -> bool:
    n = scope.count if scope.wanted is not None else len(able)
    too_many = n > MOST_AT_ONE_CLICK
    return st.button(
        f"Replay {count(n)} now" if n else "Replay now",
        type="primary" if n and not too_many else "secondary",
        icon=":material/replay:",
        disabled=not n or too_many,
        help=f"More than {MOST_AT_ONE_CLICK:,} deserve a look first: plan the replay."
        if too_many
        else "Each to the topic it came from, once. What cannot be sent is told.",
        key="dead-letters-replay",
    )


def _warnings(scope: Scope, able: Sequence[LetterRow]) -> None:
    if scope.wanted is not None:
        return
    if not scope.rows:
        st.caption("Tick rows to act on them together; open one to see all of it.")
        return
    if able:
        st.markdown(f"A replay would go to {one_click_replay.targets(able)}.")
    if len(able) < scope.count:
        st.caption(
            f"A replay leaves {count(scope.count - len(able))} of the ticked as they are: they "
            "are replayed, under way, archived, or without a topic to go to."
        )
    for warning in one_click_replay.warnings(able):
        st.warning(warning, icon=":material/warning:")


def _set_status(scope: Scope, status: str, reason: str | None) -> None:
    with st.spinner(f"{triage_words.ACTIONS[status][0]}: {count(scope.count)}"):
        result = context.act(
            Command.LETTERS_STATUS,
            {"status": status, **scope.chosen()},
            why=reason,
            timeout_s=60,
        )
    if result is not None:
        done = {"new": "reopened"}.get(status, status)
        tell(triage_words.moved(result.get("changed", 0), result.get("skipped", {}), done))
        st.rerun()


def _replay(scope: Scope, able: Sequence[LetterRow]) -> None:
    n = scope.count if scope.wanted is not None else len(able)
    with st.spinner(f"Replaying {count(n)}"):
        if scope.wanted is not None:
            one_click_replay.replay(scope.selection())
        else:
            one_click_replay.replay({"dead_letters": [row.id for row in able]})
    st.rerun()
