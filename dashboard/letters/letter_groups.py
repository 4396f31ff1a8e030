"""Dead letters by cause: the table that says what failed and whose it is, and the chosen cause."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import streamlit as st

from dashboard import context, formats
from dashboard.diagnosis import diagnosis_of_failure, timeout_picture
from dashboard.formats import NOTHING, ago, code_span, count, escape_markdown, visible
from dashboard.letters import dead_letter_filters as filters
from dashboard.letters import letter_actions, triage_words
from dashboard.replays import plan_dialog, replay_rules
from producer_agent.commands import Command
from producer_agent.delivery.errors import BY_NAME
from producer_agent.store.clock import now_us
from producer_agent.store.queries import dead_letters as letters
from producer_agent.store.queries.dead_letters import LetterFilter
from producer_agent.store.queries.letter_groups import LetterGroup

ROWS_SHOWN = 9

_MOVES = {
    "new": ("acknowledged", "resolved", "archived"),
    "acknowledged": ("resolved", "archived", "new"),
    "resolved": ("new",),
    "archived": ("restored",),
}
"""What can be asked of a cause in each state, the likeliest first."""


def in_order(groups: Sequence[LetterGroup]) -> list[LetterGroup]:
    """What wants a look first: what came back after it was resolved, what is new, then the rest;
    each the most frequent first."""
    return sorted(groups, key=lambda group: (not group.is_regressed, not group.is_new))


def table(groups: Sequence[LetterGroup], chosen: int | None) -> None:
    """All causes within the filter. Ticking one chooses it.

    Args:
        groups: In the order to show.
        chosen: Row id of the chosen cause.
    """
    ids = tuple(group.cause for group in groups)
    key = f"dead-letters-causes-{hash(ids):x}"
    _select_in_table(key, ids, chosen)
    st.dataframe(
        {
            "state": [triage_words.state(group) for group in groups],
            "cause": [visible(group.title) for group in groups],
            "letters": [group.count for group in groups],
            "trend": [list(group.hours) for group in groups],
            "last": [datetime.fromtimestamp(group.last_seen_us / 1e6, UTC) for group in groups],
            "topics": [triage_words.several(group.topics, 1) for group in groups],
            "whose": [triage_words.whose(group, 1) or NOTHING for group in groups],
            "owner": [visible(group.owner or NOTHING) for group in groups],
        },
        column_config={
            "state": st.column_config.TextColumn(
                "State",
                width=105,
                help="new cause: it came up within a day, after a day of quiet, and nobody has "
                "looked at it. regressed: it was resolved, and came back. back: so many of its "
                "letters are replays come back.",
            ),
            "cause": st.column_config.TextColumn("Cause", width=246),
            "letters": st.column_config.NumberColumn("Letters", width=65, format="localized"),
            "trend": st.column_config.BarChartColumn(
                "Last 24 h", width=80, y_min=0, help="Letters by hour, the current hour last."
            ),
            "last": st.column_config.DatetimeColumn(
                "Last", width=106, format="distance", help="Hover for the time."
            ),
            "topics": st.column_config.TextColumn("Meant for", width=115),
            "whose": st.column_config.TextColumn(
                "Whose", width=105, help="Consumer groups and connectors, else profiles."
            ),
            "owner": st.column_config.TextColumn("Owner", width=70),
        },
        hide_index=True,
        height="content" if len(groups) <= ROWS_SHOWN else 35 * (ROWS_SHOWN + 1) + 20,
        on_select=lambda: _ticked(key, ids),
        selection_mode="single-row",
        key=key,
        alt="Causes of the dead letters that match the filters",
    )


def bar(group: LetterGroup | None, cause: int, pin_id: int) -> None:
    """The chosen cause: what it is, what is known of it, and what can be done with all of it.

    Args:
        group: Its letters within the filters; None where the filters leave none.
        cause: Its row id.
        pin_id: The newest letter of the list as it is read.
    """
    if group is None:
        with st.container(horizontal=True, vertical_alignment="center"):
            st.caption(f"No letter of cause {cause} matches the other filters.")
            _all_causes()
        return
    with st.container(border=True, key="dead-letters-cause", gap="small"):
        _title(group)
        _facts(group)
        if group.note:
            st.caption("Note")
            st.text(visible(group.note))
        if group.side == "producer":
            diagnosis_of_failure.of_cause(group)
            timeout_picture.draw_group(group.cause)
        _actions(group, pin_id)


def _select_in_table(key: str, ids: Sequence[int], chosen: int | None) -> None:
    """The tick follows the choice, which may be a link's, a button's or the way back's."""
    rows = [ids.index(chosen)] if chosen in ids else []
    kept: Any = st.session_state.get(key)
    if kept is None or list(kept["selection"]["rows"]) != rows:
        st.session_state[key] = {"selection": {"rows": rows, "columns": [], "cells": []}}


def _ticked(key: str, ids: Sequence[int]) -> None:
    rows = st.session_state[key]["selection"]["rows"]
    filters.narrow_to(ids[rows[0]] if rows and rows[0] < len(ids) else None)


def _all_causes() -> None:
    st.button(
        "All causes",
        icon=":material/close:",
        type="tertiary",
        on_click=filters.narrow_to,
        args=(None,),
        key="dead-letters-all-causes",
    )


def _title(group: LetterGroup) -> None:
    with st.container(
        horizontal=True, horizontal_alignment="distribute", vertical_alignment="center"
    ):
        with st.container(
            horizontal=True, vertical_alignment="center", gap="small", width="content"
        ):
            st.markdown(f"**{code_span(group.title)}**", width="content")
            _state(group)
            if group.owner:
                st.badge(escape_markdown(group.owner), icon=":material/person:", color="gray")
        _all_causes()


def _state(group: LetterGroup) -> None:
    if group.is_regressed:
        st.badge("regressed", icon=":material/undo:", color="red")
    if group.is_new:
        st.badge("new cause", icon=":material/fiber_new:", color="orange")
    if not group.is_regressed and not group.is_new:
        st.badge(
            group.state,
            icon=triage_words.STATUS_ICONS.get(group.state),
            color=triage_words.STATUS_COLOURS.get(group.state, "gray"),
        )


def _facts(group: LetterGroup) -> None:
    now, zone = now_us(), context.zone()
    fact = BY_NAME.get(group.title.partition(":")[0])
    if fact is not None:
        st.markdown(f"{escape_markdown(fact.summary)}")
    lines = [
        f":gray[letters] **{count(group.count)}**",
        f":gray[side] **{group.side}**",
        f":gray[first] **{formats.moment(group.first_seen_us, zone)}**",
        f":gray[last] **{ago(group.last_seen_us, now)}**",
        f":gray[meant for] {triage_words.in_code(group.topics)}",
    ]
    if group.consumer_groups:
        lines.append(f":gray[consumer groups] {triage_words.in_code(group.consumer_groups)}")
    if group.connectors:
        lines.append(f":gray[connectors] {triage_words.in_code(group.connectors)}")
    if group.profiles:
        lines.append(f":gray[profiles] {triage_words.in_code(group.profiles)}")
    lines.append(f":gray[read from] {triage_words.in_code(group.dead_letter_topics)}")
    if group.came_back:
        lines.append(f":gray[came back from replays] **{count(group.came_back)}**")
    st.markdown(" · ".join(lines))
    told = [f"{what}, {ago(at, now)}" for what, at in _times(group) if at is not None]
    if told:
        st.caption(f"{'; '.join(told)}.")


def _times(group: LetterGroup) -> list[tuple[str, int | None]]:
    by = f" by {escape_markdown(group.state_by)}" if group.state_by else ""
    return [
        ("It came up", group.came_up_us if group.is_new else None),
        ("it came back after it was resolved", group.regressed_us if group.is_regressed else None),
        (f"{group.state}{by}", group.state_us if group.state != "new" else None),
    ]


def _actions(group: LetterGroup, pin_id: int) -> None:
    whole = LetterFilter(cause=group.cause, statuses=letters.OPEN_STATUSES, up_to_id=pin_id)
    open_ones = context.read(lambda db: letters.count(db, whole))
    with st.container(horizontal=True, vertical_alignment="bottom", gap="small"):
        if st.button(
            "Plan a replay of this cause…",
            type="primary",
            icon=":material/replay:",
            disabled=not open_ones,
            key="cause-plan",
        ):
            plan_dialog.ask_for(
                plan_dialog.Selected(
                    {"filter": letters.filter_to_json(whole)},
                    open_ones,
                    f"{count(open_ones)} open dead letters of the cause {group.title}",
                    tuple(topic for topic in group.topics if topic is not None),
                    f"Cause: {group.title}",
                )
            )
        why = letter_actions.why("cause-why")
        for state in _MOVES.get(group.state, ()):
            label, icon, means = triage_words.ACTIONS[state]
            if st.button(label, icon=icon, help=means, key=f"cause-{state}"):
                _move(group, state, why)
        _owner_and_note(group)
        replay_rules.form(group.fingerprint)
    st.caption(
        f"These act on the whole cause, also on letters that the other filters hide: "
        f"{count(open_ones)} of its letters are open."
    )


def _move(group: LetterGroup, state: str, why: str | None) -> None:
    result = context.act(
        Command.CAUSE_STATE, {"cause": group.cause, "state": state}, why=why, timeout_s=60
    )
    if result is None:
        return
    changed = result.get("changed", 0)
    letter_actions.tell(
        f"The cause is {result.get('state', state)}; with it "
        f"{triage_words.n_are(changed, 'letter', 'letters')}."
    )
    st.rerun()


def _owner_and_note(group: LetterGroup) -> None:
    with (
        st.popover("Owner and note", icon=":material/edit_note:", key="cause-edit"),
        st.form(f"cause-{group.cause}-words", border=False),
    ):
        owner = st.text_input("Owner", group.owner or "", placeholder="team-payments, or a name")
        note = st.text_area(
            "Note",
            group.note or "",
            placeholder="What is known, and what to do. Whoever is on call next reads it.",
        )
        if st.form_submit_button("Save", icon=":material/save:"):
            saved: list[Any] = []
            if (owner or "").strip() != (group.owner or ""):
                asked = {"cause": group.cause, "owner": (owner or "").strip()}
                saved.append(context.act(Command.CAUSE_OWNER, asked))
            if (note or "").strip() != (group.note or ""):
                asked = {"cause": group.cause, "note": (note or "").strip()}
                saved.append(context.act(Command.CAUSE_NOTE, asked))
            if None not in saved:
                st.rerun()
