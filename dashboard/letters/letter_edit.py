"""Editing a dead letter's key, value and headers before it is sent; the original stays."""

from __future__ import annotations

import base64
from typing import Any

import streamlit as st
from sqlite_utils import Database

from dashboard import context
from dashboard.formats import ago, clock, escape_markdown, size
from dashboard.letters import edit_draft
from dashboard.letters.edit_draft import KINDS, EditInvalid, Kind, Record
from producer_agent.commands import Command
from producer_agent.store import letter_edits
from producer_agent.store.clock import now_us
from producer_agent.store.letter_edits import Edit, EditLock

_KIND_WORDS = {"text": "text", "base64": "base64", "null": "null (none)"}


def panel(letter: int, original: Record) -> None:
    """The drawer's tab: the edit that waits, if there is one, and the editor.

    Args:
        letter: Row id.
        original: What is sent unless it is edited.
    """
    edit, lock = context.read(lambda db: _state(db, letter))
    now = original if edit is None else edit_draft.record_of(edit.key, edit.value, edit.headers)
    if edit is not None:
        _pending(letter, edit, original, now)
    token = st.session_state.get(_token_key(letter))
    if token is not None:
        _editor(letter, original, now, token, lock)
    elif now.size > edit_draft.LARGEST:
        st.caption(
            f"It is {size(now.size)} large: only up to {size(edit_draft.LARGEST)} can be edited "
            "in a browser."
        )
    else:
        _begin(letter, now, lock)


def has_pending(letter: int) -> bool:
    """Whether its next replay sends an edit."""
    return letter in context.read(lambda db: letter_edits.pending(db, [letter]))


def _state(db: Database, letter: int) -> tuple[Edit | None, EditLock | None]:
    return letter_edits.pending(db, [letter]).get(letter), letter_edits.lock_of(db, letter)


def _pending(letter: int, edit: Edit, original: Record, now: Record) -> None:
    st.info(
        f"**{escape_markdown(edit.who)} edited it {ago(edit.made_us, now_us())}.** "
        "It is sent with the next replay; the original stays as it is here.",
        icon=":material/edit_note:",
    )
    _difference(original, now)
    pressed = st.button(
        "Withdraw the edit",
        icon=":material/undo:",
        help="The next replay sends the original again.",
        key=f"letter-{letter}-withdraw",
    )
    asked = {"dead_letter": letter}
    if pressed and context.act(Command.LETTER_EDIT_WITHDRAW, asked) is not None:
        st.rerun()


def _begin(letter: int, now: Record, lock: EditLock | None) -> None:
    if lock is None:
        st.caption(
            "Change key, value or headers of what is sent. Nobody else can edit it meanwhile."
        )
        if st.button("Edit before sending", icon=":material/edit:", key=f"letter-{letter}-edit"):
            _take(letter, now, take_over=False)
        return
    st.warning(
        f"**{escape_markdown(lock.who)} is editing it**, until "
        f"{clock(lock.until_us, context.zone())} at the latest. If you take over, what they have "
        "not saved is lost.",
        icon=":material/lock:",
    )
    if st.button("Take over", icon=":material/lock_open:", key=f"letter-{letter}-take-over"):
        _take(letter, now, take_over=True)


def _take(letter: int, now: Record, *, take_over: bool) -> None:
    result = context.act(Command.LETTER_EDIT_BEGIN, {"dead_letter": letter, "take_over": take_over})
    if result is None:
        return
    st.session_state[_token_key(letter)] = result["token"]
    st.rerun()


def _editor(letter: int, original: Record, now: Record, token: str, lock: EditLock | None) -> None:
    if _kind_key(letter, "value") not in st.session_state:
        # The first time, or the drawer was closed meanwhile, which forgets what its fields held.
        _write_draft(letter, st.session_state.get(_kept_key(letter), now))
    is_mine = lock is not None and lock.token == token
    if not is_mine:
        who = "your time ran out" if lock is None else f"{escape_markdown(lock.who)} took over"
        st.warning(
            f"**It is no longer yours to edit**: {who}. Your text is still here.",
            icon=":material/lock:",
        )
        if st.button("Begin again", icon=":material/lock_open:", key=f"letter-{letter}-again"):
            _take(letter, now, take_over=lock is not None)
    draft, complaints = _form(letter)
    for complaint in complaints:
        st.error(escape_markdown(complaint), icon=":material/error:")
    if draft is not None:
        st.session_state[_kept_key(letter)] = draft
        _difference(original, draft)
    with st.container(horizontal=True, gap="small"):
        if st.button(
            "Save",
            type="primary",
            icon=":material/save:",
            disabled=not is_mine or draft is None,
            key=f"letter-{letter}-save",
        ):
            assert draft is not None, "the button is disabled then"
            if draft == now:
                st.toast("Nothing is changed yet: there is nothing to save.")
            else:
                _save(letter, token, draft)
        if st.button("Discard", icon=":material/close:", key=f"letter-{letter}-discard"):
            asked = {"dead_letter": letter, "token": token}
            if context.act(Command.LETTER_EDIT_DISCARD, asked) is not None:
                _forget(letter)
                st.rerun()


def _form(letter: int) -> tuple[Record | None, list[str]]:
    """The fields; the record that they say, or what is wrong with them."""
    complaints: list[str] = []
    key = _bytes_field(letter, "key", complaints)
    value = _bytes_field(letter, "value", complaints)
    st.caption("Headers, in their order")
    edited = st.data_editor(
        st.session_state[_headers_key(letter)],
        column_config={
            "name": st.column_config.TextColumn("Name", width=180, required=True),
            "as": st.column_config.SelectboxColumn(
                "As", options=list(KINDS), default="text", width=80, required=True
            ),
            "value": st.column_config.TextColumn("Value", default=""),
        },
        num_rows="dynamic",
        hide_index=True,
        key=f"letter-{letter}-headers-editor",
    )
    headers: tuple[tuple[str, bytes | None], ...] = ()
    try:
        headers = edit_draft.headers_of(edited)
    except EditInvalid as error:
        complaints.append(str(error))
    return (None if complaints else Record(key, value, headers)), complaints


def _bytes_field(letter: int, what: str, complaints: list[str]) -> bytes | None:
    kind_key, text_key = _kind_key(letter, what), _text_key(letter, what)
    kind = st.segmented_control(
        what.capitalize(),
        KINDS,
        required=True,
        format_func=_KIND_WORDS.__getitem__,
        key=kind_key,
        on_change=_convert,
        args=(letter, what),
    )
    if kind is None or kind == "null":
        return None
    if what == "key":
        text = st.text_input(what, key=text_key, label_visibility="collapsed")
    else:
        text = st.text_area(what, key=text_key, height=220, label_visibility="collapsed")
    try:
        return edit_draft.bytes_of(text or "", kind, what.capitalize())
    except EditInvalid as error:
        complaints.append(str(error))
        return None


def _convert(letter: int, what: str) -> None:
    """Write the same bytes in the form that was chosen; where that cannot be, go back to it."""
    kind_key, text_key = _kind_key(letter, what), _text_key(letter, what)
    before_key = f"{kind_key}-before"
    before: Kind = st.session_state[before_key]
    after: Kind = st.session_state[kind_key]
    if "null" not in (before, after):
        try:
            payload = edit_draft.bytes_of(st.session_state.get(text_key) or "", before, what)
            st.session_state[text_key] = edit_draft.written(payload, after)
        except EditInvalid as error:
            st.toast(escape_markdown(str(error)), icon=":material/error:")
            st.session_state[kind_key] = before
            return
    st.session_state[before_key] = after


def _write_draft(letter: int, record: Record) -> None:
    """Set the fields to this record."""
    for what, payload in (("key", record.key), ("value", record.value)):
        kind = edit_draft.kind_of(payload)
        st.session_state[_kind_key(letter, what)] = kind
        st.session_state[f"{_kind_key(letter, what)}-before"] = kind
        st.session_state[_text_key(letter, what)] = edit_draft.written(payload, kind)
    st.session_state[_headers_key(letter)] = edit_draft.header_columns(record.headers)


def _difference(original: Record, now: Record) -> None:
    lines = edit_draft.difference(original, now)
    if lines:
        st.caption("What changes")
        st.code(lines, language="diff", wrap_lines=True)
    else:
        st.caption("Nothing is changed yet.")


def _save(letter: int, token: str, draft: Record) -> None:
    asked: dict[str, Any] = {
        "dead_letter": letter,
        "token": token,
        "key": _base64(draft.key),
        "value": _base64(draft.value),
        "headers": [[name, _base64(value)] for name, value in draft.headers],
    }
    if context.act(Command.LETTER_EDIT_SAVE, asked) is not None:
        _forget(letter)
        st.rerun()


def _base64(payload: bytes | None) -> str | None:
    return None if payload is None else base64.b64encode(payload).decode("ascii")


def _forget(letter: int) -> None:
    for key in (_token_key(letter), _kept_key(letter), _kind_key(letter, "value")):
        st.session_state.pop(key, None)


def _token_key(letter: int) -> str:
    return f"letter-{letter}-token"


def _kept_key(letter: int) -> str:
    return f"letter-{letter}-draft"


def _headers_key(letter: int) -> str:
    return f"letter-{letter}-headers"


def _kind_key(letter: int, what: str) -> str:
    return f"letter-{letter}-{what}-kind"


def _text_key(letter: int, what: str) -> str:
    return f"letter-{letter}-{what}-text"
