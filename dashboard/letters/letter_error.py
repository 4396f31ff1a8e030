"""Why a dead letter failed: the error in words, its text, its stack, the attempts behind it."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Final

import streamlit as st

from dashboard import context, formats
from dashboard.diagnosis import timeout_picture
from dashboard.formats import NOTHING, code_span, count, escape_markdown, visible
from dashboard.letters.payload import SHOWN_BYTES
from dashboard.replays import one_click_replay
from producer_agent.dead_letters.conventions import Decoded
from producer_agent.delivery.errors import BY_NAME, Retried
from producer_agent.store.queries.dead_letters import Letter

_RETRIED: Final[Mapping[Retried, str]] = MappingProxyType(
    {
        Retried.YES: "yes",
        Retried.NO: "no",
        Retried.ENDED: "until its time ran out or they were dropped",
    }
)


def draw(letter: Letter, decoded: Decoded) -> None:
    """The tab."""
    fact = one_click_replay.error_fact(letter.error_code)
    if fact:
        st.markdown(
            f"{code_span(fact.name)} ({fact.code}): {escape_markdown(fact.meaning)}.  \n"
            f"Retried by librdkafka: **{_RETRIED[fact.retried]}** · stored: **{fact.stored}** · "
            f"same record again: **{_again(fact.replay_unchanged)}**"
        )
    if decoded.error_wrapper_class:
        st.markdown(
            f"{code_span(decoded.error_class or letter.cause)} inside "
            f"{code_span(decoded.error_wrapper_class)}"
        )
    st.caption("As it was reported")
    message = decoded.error_message or letter.error_message or "no text"
    st.code(visible(message[:SHOWN_BYTES]), language=None, wrap_lines=True)
    if decoded.cause_message and decoded.cause_message != decoded.error_message:
        st.caption("The cause's own message")
        st.code(visible(decoded.cause_message[:SHOWN_BYTES]), language=None, wrap_lines=True)
    if decoded.stack:
        st.caption("Stack trace")
        st.code(visible(decoded.stack[:SHOWN_BYTES]), language=None, wrap_lines=False, height=360)
        if len(decoded.stack) > SHOWN_BYTES:
            st.caption(
                f"The first {SHOWN_BYTES:,} of {len(decoded.stack):,} characters; the export has "
                "all of them."
            )
    if decoded.side == "producer":
        st.caption("Attempts behind it")
        timeout_picture.draw(letter, decoded)
        _attempts(decoded.attempts)
    elif decoded.deliveries is not None:
        st.caption(
            f"It was handed to the consumer {count(decoded.deliveries)} "
            f"time{'' if decoded.deliveries == 1 else 's'} before that gave up."
        )


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


def _again(passes: bool) -> str:
    return "may pass" if passes else "is refused while what refused it is as it was"
