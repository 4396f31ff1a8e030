"""The side drawer of one dead letter: what failed, why, what to do, and what was done."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any, Final

import streamlit as st

from dashboard import context, formats, triage_words
from dashboard.components import replays
from dashboard.components.payload import as_text, show_payload
from dashboard.formats import NOTHING, code_span, escape_markdown, visible
from producer_agent.dead_letters.conventions import Decoded, RawRecord, decode
from producer_agent.delivery.errors import BY_NAME, Retried
from producer_agent.store.clock import now_us
from producer_agent.store.queries import dead_letters as letters
from producer_agent.store.queries.dead_letters import Letter, ReplayRow

PARAMETER: Final = "letter"
"""In the URL: the id of the letter whose drawer is open."""

_WIDTH_PX: Final = 720

_RETRIED: Final[Mapping[Retried, str]] = MappingProxyType(
    {
        Retried.YES: "yes",
        Retried.NO: "no",
        Retried.ENDED: "until its time ran out or they were dropped",
    }
)


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
    letter, ledger = context.read(
        lambda db: (letters.letter(db, id_), letters.replays_of(db, [id_]))
    )
    if letter is None:
        st.warning("This dead letter was removed meanwhile.", icon=":material/search_off:")
        return
    decoded = decode(
        RawRecord(
            letter.topic,
            letter.partition,
            letter.offset,
            letter.timestamp_ms,
            letter.key,
            letter.value,
            letter.headers,
        )
    )
    _error_line(letter)
    with st.container(horizontal=True, gap="small"):
        for badge in (f"{letter.side} side", f"status: {letter.status}"):
            st.badge(badge, color="blue")
        if letter.profile:
            st.badge(f"profile {escape_markdown(letter.profile)}", color="gray")
        if letter.replay_id:
            st.badge("came back from a replay", icon=":material/repeat:", color="orange")
    _replay(letter, ledger)
    payload, headers, error, origin, history = st.tabs(
        ["Payload", "Headers", "Error", "Origin", f"History ({len(ledger)})"],
        key=f"letter-{id_}-tabs",
    )
    with payload:
        _payload(letter, decoded)
    with headers:
        _headers(letter, decoded)
    with error:
        _error(letter, decoded)
    with origin:
        _origin(letter, decoded)
    with history:
        _history(letter, ledger)


def _is_id(text: str) -> bool:
    return text.isascii() and text.isdecimal() and len(text) < 19


def _error_line(letter: Letter) -> None:
    fact = replays.error_fact(letter.error_code)
    name = code_span(letter.error_class or letter.cause)
    st.markdown(f"**{name}** {escape_markdown(fact.summary)}" if fact else f"**{name}**")
    if fact:
        st.caption(f":material/build: {fact.mend}")


def _replay(letter: Letter, ledger: Sequence[ReplayRow]) -> None:
    told = None
    if replays.can_be_replayed(letter):
        for warning in replays.warnings([letter]):
            st.warning(warning, icon=":material/warning:")
        assert letter.original_topic is not None
        if st.button(
            f"Replay to {escape_markdown(letter.original_topic)}",
            type="primary",
            icon=":material/replay:",
            key=f"letter-{letter.id}-replay",
        ):
            with st.spinner("Replaying"):
                told = replays.replay({"dead_letters": [letter.id]})
            ledger = context.read(lambda db: letters.replays_of(db, [letter.id]))
    elif letter.original_topic is None:
        st.info(
            "It cannot be replayed: the record does not tell which topic it was meant for.",
            icon=":material/block:",
        )
    if told is None and not ledger:
        return
    outcome = replays.merged({letter.id: (told or {}).get(letter.id)}, ledger)[0]
    show_outcome(outcome)


def show_outcome(outcome: replays.Outcome) -> None:
    """One sentence with its colour and icon."""
    place = code_span(outcome.place)
    words = (outcome.reason or "").rstrip(".")
    reason = f" {escape_markdown(words)}." if words else ""
    match outcome.state:
        case "done":
            st.success(f"**Replayed** to {place}.{reason}", icon=":material/check_circle:")
        case "intent":
            st.info(f"A replay to {place} **is under way**.", icon=":material/hourglass_top:")
        case "refused":
            st.warning(f"**Refused**: nothing was sent.{reason}", icon=":material/block:")
        case "failed":
            st.error(f"**The replay failed.**{reason}", icon=":material/error:")
        case _:
            st.warning(
                f"**It is not known** whether the replay arrived.{reason} "
                f"Look into {place} before anything is sent again.",
                icon=":material/help:",
            )


def _payload(letter: Letter, decoded: Decoded) -> None:
    value = decoded.original_value
    if decoded.value_omitted is not None and value is None:
        value = _left_behind(letter)
        st.info(
            f"The value of {decoded.value_omitted:,} bytes was too large to travel along. "
            + (
                "It is in this database still, and a replay takes it from here."
                if value is not None
                else "It is not in this database, so it cannot be replayed from here: the agent "
                "that sent it keeps it in its own."
            ),
            icon=":material/compress:",
        )
    if value is not None or decoded.value_omitted is None:
        show_payload(value, name=f"dead-letter-{letter.id}.bin", key=f"letter-{letter.id}")
    st.caption("Key")
    if decoded.original_key is None:
        st.text("none")
    else:
        st.code(as_text(decoded.original_key).text, language=None, wrap_lines=True)


def _left_behind(letter: Letter) -> bytes | None:
    run, sequence = letter.run_uuid, letter.sequence
    if run is None or sequence is None:
        return None
    return context.read(lambda db: letters.value_left_behind(db, run, sequence))


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


def _error(letter: Letter, decoded: Decoded) -> None:
    fact = replays.error_fact(letter.error_code)
    if fact:
        st.markdown(
            f"{code_span(fact.name)} ({fact.code}): {escape_markdown(fact.meaning)}.  \n"
            f"Retried by librdkafka: **{_RETRIED[fact.retried]}** · stored: **{fact.stored}** · "
            f"same record again: **{'may pass' if fact.replay_unchanged else 'will be refused'}**"
        )
    st.caption("As it was reported")
    st.code(visible(letter.error_message or "no text"), language=None, wrap_lines=True)
    st.caption("Attempts behind it")
    _attempts(decoded.attempts)


def _attempts(attempts: Mapping[str, Any] | None) -> None:
    """`AttemptSummary.to_json`, though whatever a foreign record holds in its place is borne."""
    if attempts is None:
        st.text("The record tells of none.")
        return
    causes = attempts.get("causes")
    known = [cause for cause in causes if isinstance(cause, dict)] if causes else []
    if known:
        st.dataframe(
            {
                "Cause": [visible(str(cause.get("cause"))) for cause in known],
                "Meaning": [
                    fact.meaning if (fact := BY_NAME.get(str(cause.get("cause")))) else ""
                    for cause in known
                ],
                "Times": [str(cause.get("count", NOTHING)) for cause in known],
                "First": [_time_of(cause.get("first_us")) for cause in known],
                "Last": [_time_of(cause.get("last_us")) for cause in known],
                "Stored": [visible(str(cause.get("stored", NOTHING))) for cause in known],
            },
            hide_index=True,
            height="content",
        )
        st.caption(
            "Attempts of this very record."
            if attempts.get("exact")
            else "Attempts of its partition while it waited: librdkafka numbers single records "
            "only under idempotence."
        )
    elif attempts.get("never_sent"):
        st.text("It was never sent: its time ran out before a request held it.")
    else:
        st.text("It was not sent, or librdkafka told no cause.")
    if attempts.get("connection"):
        st.caption("The last connection error while it waited")
        st.code(visible(str(attempts["connection"])), language=None, wrap_lines=True)


def _time_of(at_us: object) -> str:
    if not isinstance(at_us, int) or not 0 <= at_us < 253_402_300_800_000_000:  # the year 10000
        return NOTHING
    return formats.clock(at_us, context.zone())


def _origin(letter: Letter, decoded: Decoded) -> None:
    meant_for = NOTHING if letter.original_topic is None else letter.original_topic
    if letter.original_partition is not None:
        meant_for += f"[{letter.original_partition}]"
    if letter.original_offset is not None:
        meant_for += f"@{letter.original_offset}"
    rows = {
        "Meant for": meant_for,
        "Produced": _moment_ms(letter.original_timestamp_ms),
        "Profile": letter.profile or NOTHING,
        "Run": letter.run_uuid or NOTHING,
        "Sequence in the run": NOTHING if letter.sequence is None else f"{letter.sequence:,}",
        "Found at": f"{letter.topic}[{letter.partition}]@{letter.offset}",
        "Written there": _moment_ms(letter.timestamp_ms),
        "Stored here": _moment_ms(letter.stored_us // 1000),
        "Size": formats.size(letter.size),
        "Convention": letter.convention,
        "Cluster": f"{letter.cluster_kind}, id {letter.cluster_id}",
        "Came back from replay": letter.replay_id or "no",
    }
    st.table({"What": list(rows), "Value": [escape_markdown(value) for value in rows.values()]})
    if decoded.fields:
        st.caption("Where each field was read from")
        st.dataframe(
            {
                "Field": list(decoded.fields),
                "Read from": [visible(place) for place in decoded.fields.values()],
            },
            hide_index=True,
            height="content",
        )
    st.caption("The record as it lay on the dead-letter topic")
    show_payload(
        letter.value,
        name=f"{letter.topic}-{letter.partition}-{letter.offset}.bin",
        key=f"letter-{letter.id}-raw",
    )


def _moment_ms(at_ms: int | None) -> str:
    if at_ms is None or not 0 <= at_ms < 253_402_300_800_000:
        return NOTHING
    at_us = at_ms * 1000
    return f"{formats.moment(at_us, context.zone())} ({formats.ago(at_us, now_us())})"


def _history(letter: Letter, ledger: Sequence[ReplayRow]) -> None:
    st.text(f"Stored here {_moment_ms(letter.stored_us // 1000)}.")
    if not ledger:
        st.text("It was never replayed.")
        return
    zone = context.zone()
    st.dataframe(
        {
            "Planned": [formats.moment(row.planned_us, zone) for row in ledger],
            "State": [triage_words.LEDGER_WORDS.get(row.state, row.state) for row in ledger],
            "Landed at": [_landed(row) for row in ledger],
            "Reason": [visible(row.reason or "") for row in ledger],
            "Asked by": [visible(row.who or NOTHING) for row in ledger],
            "Replay id": [row.replay_id for row in ledger],
        },
        hide_index=True,
        height="content",
    )


def _landed(row: ReplayRow) -> str:
    return replays.Outcome(
        row.dead_letter, row.state, None, row.target_topic, row.partition, row.offset
    ).place
