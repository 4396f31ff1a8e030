"""The side drawer of one dead letter: what failed, why, what to do, and what was done."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import streamlit as st
from sqlite_utils import Database

from dashboard import context
from dashboard.diagnosis import diagnosis_of_failure
from dashboard.formats import code_span, count, escape_markdown, visible
from dashboard.letters import (
    decoding,
    letter_actions,
    letter_edit,
    letter_error,
    letter_history,
    letter_origin,
    letter_payload,
    triage_words,
)
from dashboard.letters.payload import as_text
from dashboard.replays import one_click_replay, plan_dialog
from producer_agent.commands import Command
from producer_agent.dead_letters.conventions import Decoded
from producer_agent.dead_letters.stored import decoded_of
from producer_agent.store.queries import dead_letters as letters
from producer_agent.store.queries import letter_history as history_query
from producer_agent.store.queries.dead_letters import Letter, ReplayRow
from producer_agent.store.queries.letter_history import HistoryEntry

PARAMETER: Final = "letter"
"""In the URL: the id of the letter whose drawer is open."""

_WIDTH_PX: Final = 760

_MOVES: Final = {
    "new": ("acknowledged", "resolved", "archived"),
    "acknowledged": ("resolved", "archived", "new"),
    "resolved": ("archived", "new"),
    "replayed": ("archived",),
    "archived": ("restored",),
}
"""What can be asked of a letter in each status."""


def open_from_url() -> None:
    """Open the drawer that the URL asks for, if it asks for one."""
    asked = st.query_params.get(PARAMETER)
    if asked is None:
        return
    letter = context.read(lambda db: letters.letter(db, int(asked))) if _is_id(asked) else None
    if letter is None:
        st.warning(
            f"There is no dead letter {code_span(asked)} here: it may have been recorded in "
            "another database, or removed. The list below has those that are known.",
            icon=":material/search_off:",
        )
        return
    title = escape_markdown(letter.original_topic or letter.topic)
    st.dialog(
        f"Dead letter {letter.id} · {title}",
        width=_WIDTH_PX,
        position="right",
        icon=":material/mark_email_unread:",
        on_dismiss=close,
    )(draw)(letter.id)


def open_for(id_: int) -> None:
    """Make the URL ask for this letter; for a callback."""
    st.query_params[PARAMETER] = str(id_)


def close() -> None:
    """Make the URL ask for none; for a callback."""
    st.query_params.pop(PARAMETER, None)


def draw(id_: int) -> None:
    """The drawer's content, read anew at each press in it."""

    def query(
        db: Database,
    ) -> tuple[Letter | None, tuple[ReplayRow, ...], tuple[HistoryEntry, ...]]:
        return (
            letters.letter(db, id_),
            letters.replays_of(db, [id_]),
            history_query.history(db, id_),
        )

    letter, ledger, history = context.read(query)
    if letter is None:
        st.warning("This dead letter was removed meanwhile.", icon=":material/search_off:")
        return
    decoded = decoded_of(letter)
    value_here = letter_payload.left_behind(letter, decoded)
    _error_line(letter, decoded)
    _badges(letter)
    _replay(letter, decoded, value_here, ledger)
    _status_bar(letter)
    diagnosis_of_failure.of_letter(letter)
    can_be_edited = (
        letter.status in letters.REPLAYABLE_STATUSES
        and not decoded.is_pointer
        and decoded.value_omitted is None
    )
    names = ["Payload", "Headers", "Error", "Origin", f"History ({len(history)})"]
    tabs = st.tabs([*names, "Edit"] if can_be_edited else names, key=f"letter-{id_}-tabs")
    with tabs[0]:
        letter_payload.draw(letter, decoded, value_here)
    with tabs[1]:
        _headers(letter, decoded)
    with tabs[2]:
        letter_error.draw(letter, decoded)
    with tabs[3]:
        letter_origin.draw(letter, decoded)
    with tabs[4]:
        other = letter_history.draw(history, f"letter-{id_}-other")
    if can_be_edited:
        with tabs[5]:
            letter_edit.panel(id_, decoding.sent_as(letter, decoded))
    if other is not None:
        open_for(other)
        st.rerun()


def _is_id(text: str) -> bool:
    return text.isascii() and text.isdecimal() and len(text) < 19


def _error_line(letter: Letter, decoded: Decoded) -> None:
    fact = one_click_replay.error_fact(letter.error_code)
    name = code_span(letter.error_class or letter.cause)
    if fact:
        st.markdown(f"**{name}** {escape_markdown(fact.summary)}")
        st.caption(f":material/build: {fact.mend}")
        return
    message = " ".join((decoded.error_message or "").split())
    shown = message if len(message) <= 240 else f"{message[:240]}…"
    st.markdown(f"**{name}** {escape_markdown(shown)}")


def _badges(letter: Letter) -> None:
    with st.container(horizontal=True, gap="small"):
        st.badge(
            f"status: {letter.status}",
            icon=triage_words.STATUS_ICONS.get(letter.status),
            color=triage_words.STATUS_COLOURS.get(letter.status, "gray"),
        )
        st.badge(f"{letter.side} side", color="blue")
        st.badge(escape_markdown(letter.convention), color="gray")
        for what, name in (
            ("profile", letter.profile),
            ("group", letter.consumer_group),
            ("connector", letter.connector),
        ):
            if name:
                st.badge(f"{what} {escape_markdown(name)}", color="gray")
        if letter.times_back or letter.replay_id:
            times = f" {count(letter.times_back)}×" if letter.times_back else ""
            st.badge(f"came back from a replay{times}", icon=":material/repeat:", color="orange")


def _replay(
    letter: Letter, decoded: Decoded, value_here: bytes | None, ledger: Sequence[ReplayRow]
) -> None:
    why_not = one_click_replay.why_not(letter, decoded, value_here)
    if why_not:
        st.info(why_not, icon=":material/block:")
    elif why_not is None:
        for warning in one_click_replay.warnings([letter]):
            st.warning(warning, icon=":material/warning:")
        if letter_edit.has_pending(letter.id):
            st.info("Its edit is sent, not the original: see **Edit**.", icon=":material/edit:")
    with st.container(horizontal=True, gap="small"):
        if why_not is None:
            assert letter.original_topic is not None, "why_not tells otherwise"
            if st.button(
                f"Replay to {escape_markdown(letter.original_topic)}",
                type="primary",
                icon=":material/replay:",
                key=f"letter-{letter.id}-replay",
            ):
                with st.spinner("Replaying"):
                    one_click_replay.replay({"dead_letters": [letter.id]})
                st.rerun()  # the status, the history and this button are others now
        if _can_be_planned(letter, decoded) and st.button(
            "Replay…",
            icon=":material/tune:",
            help="Plan it: to another topic, with its reason to send it all the same.",
            key=f"letter-{letter.id}-plan",
        ):
            topic = letter.original_topic
            plan_dialog.ask_for(
                plan_dialog.Selected(
                    {"dead_letters": [letter.id]},
                    1,
                    f"Dead letter {letter.id}",
                    () if topic is None else (topic,),
                )
            )
    told = one_click_replay.remembered().get(letter.id)
    if told is None and not ledger:
        return
    outcome = one_click_replay.merged({letter.id: told}, ledger)[0]
    show_outcome(outcome)


def _can_be_planned(letter: Letter, decoded: Decoded) -> bool:
    """Whether a plan could send it: to another topic, or although it came back."""
    return (
        letter.status in letters.REPLAYABLE_STATUSES
        and not decoded.is_pointer
        and decoded.internal_topic is None
    )


def show_outcome(outcome: one_click_replay.Outcome) -> None:
    """One sentence with its colour and icon."""
    place = code_span(outcome.place)
    words = triage_words.sentence(outcome.reason)
    reason = f" {words}" if words else ""
    match outcome.state:
        case "done":
            st.success(f"**Replayed** to {place}.{reason}", icon=":material/check_circle:")
        case "already":
            st.success(
                f"**It lies on its target already**, at {place}: nothing was sent.{reason}",
                icon=":material/check_circle:",
            )
        case "planned":
            st.info(
                f"**A plan has it**: it waits to be sent to {place}.", icon=":material/list_alt:"
            )
        case "intent":
            st.info(f"A replay to {place} **is under way**.", icon=":material/hourglass_top:")
        case "refused":
            st.warning(f"**Refused**: nothing was sent.{reason}", icon=":material/block:")
        case "cancelled":
            st.info(
                f"Its last replay **was cancelled** before it was sent.{reason}",
                icon=":material/cancel:",
            )
        case "failed":
            st.error(f"**The replay failed.**{reason}", icon=":material/error:")
        case _:
            st.warning(
                f"**It is not known** whether the replay arrived.{reason} "
                f"Look into {place} before anything is sent again.",
                icon=":material/help:",
            )


def _status_bar(letter: Letter) -> None:
    moves = _MOVES.get(letter.status)
    if not moves:
        return
    with st.container(horizontal=True, vertical_alignment="bottom", gap="small"):
        why = letter_actions.why(f"letter-{letter.id}-why")
        for status in moves:
            label, icon, means = triage_words.ACTIONS[status]
            if st.button(label, icon=icon, help=means, key=f"letter-{letter.id}-{status}"):
                asked = {"status": status, "ids": [letter.id]}
                if context.act(Command.LETTERS_STATUS, asked, why=why) is not None:
                    st.rerun()


def _headers(letter: Letter, decoded: Decoded) -> None:
    st.caption("Of the record that failed")
    _header_table(decoded.original_headers)
    st.caption("Of the record on the dead-letter topic")
    _header_table(letter.headers)


def _header_table(headers: Sequence[tuple[str, bytes | None]]) -> None:
    if not headers:
        st.text("none")
        return
    st.dataframe(
        {
            "Header": [visible(name) for name, _ in headers],
            "Value": ["null" if value is None else as_text(value).text for _, value in headers],
            "Bytes": ["" if value is None else f"{len(value):,}" for _, value in headers],
            "Hex": ["" if value is None else value[:64].hex(" ") for _, value in headers],
        },
        hide_index=True,
        height="content",
    )
