"""Where a dead letter came from, and where each field of it was read: with the raw header."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import streamlit as st

from dashboard import context, formats
from dashboard.formats import NOTHING, escape_markdown, visible
from dashboard.letters.decoding import raw_of, value_of
from dashboard.letters.payload import as_text, show_payload
from producer_agent.dead_letters.conventions import Decoded, Hop
from producer_agent.store.clock import now_us
from producer_agent.store.queries.dead_letters import Letter

LONGEST_VALUE: Final = 300
LONGEST_RAW: Final = 64
"""Characters of a field and bytes of its header in a cell; the Headers tab has all of them."""


def draw(letter: Letter, decoded: Decoded) -> None:
    """The tab."""
    meant_for = NOTHING if letter.original_topic is None else letter.original_topic
    if letter.original_partition is not None:
        meant_for += f"[{letter.original_partition}]"
    if letter.original_offset is not None:
        meant_for += f"@{letter.original_offset}"
    rows = {
        "Meant for": meant_for,
        "Produced": moment_ms(letter.original_timestamp_ms),
        "Consumer group": letter.consumer_group,
        "Connector": letter.connector,
        "Stage": decoded.stage,
        "Deliveries": None if decoded.deliveries is None else f"{decoded.deliveries:,}",
        "Profile": letter.profile,
        "Run": letter.run_uuid,
        "Sequence in the run": None if letter.sequence is None else f"{letter.sequence:,}",
        "Found at": f"{letter.topic}[{letter.partition}]@{letter.offset}",
        "Written there": moment_ms(letter.timestamp_ms),
        "Stored here": moment_ms(letter.stored_us // 1000),
        "Size": formats.size(letter.size),
        "Convention": letter.convention
        + (" (said by its topic's policy)" if letter.fixed_convention else ""),
        "Cluster": f"{letter.cluster_kind}, id {letter.cluster_id}",
        "Came back from replay": letter.replay_id,
    }
    told = {what: value for what, value in rows.items() if value}
    told |= {name: value for name, value in decoded.details.items() if value}
    st.table(
        {
            "What": [escape_markdown(what) for what in told],
            "Value": [escape_markdown(value) for value in told.values()],
        }
    )
    if decoded.hops:
        st.caption("Failures on its way, the oldest first")
        _hops(decoded.hops)
    if decoded.fields:
        st.caption("Each field, and the raw header that it was read from")
        _fields(letter, decoded)
    if decoded.undecoded:
        st.caption("Not read: these bytes do not fit the convention's encoding")
        st.dataframe(
            {
                "Field": list(decoded.undecoded),
                "Bytes (hex)": [value[:400] for value in decoded.undecoded.values()],
            },
            hide_index=True,
            height="content",
        )
    st.caption("The record as it lay on the dead-letter topic")
    if decoded.is_pointer:
        st.text("Its key and value are null: they were not copied.")
    else:
        show_payload(
            letter.value,
            name=f"{letter.topic}-{letter.partition}-{letter.offset}.bin",
            key=f"letter-{letter.id}-raw",
        )


def moment_ms(at_ms: int | None) -> str:
    """A time that a record carries, and how long ago that was; a dash where it is no time."""
    if at_ms is None or not 0 <= at_ms < 253_402_300_800_000:  # the year 10000
        return NOTHING
    at_us = at_ms * 1000
    return f"{formats.moment(at_us, context.zone())} ({formats.ago(at_us, now_us())})"


def _fields(letter: Letter, decoded: Decoded) -> None:
    raw = [raw_of(letter, place) for place in decoded.fields.values()]
    st.dataframe(
        {
            "Field": list(decoded.fields),
            "Value": [_shown(value_of(decoded, name)) for name in decoded.fields],
            "Read from": [visible(place) for place in decoded.fields.values()],
            "Raw bytes": ["" if value is None else value[:LONGEST_RAW].hex(" ") for value in raw],
        },
        column_config={
            "Field": st.column_config.TextColumn(width=150),
            "Value": st.column_config.TextColumn(width=180),
            "Read from": st.column_config.TextColumn(width=230),
        },
        hide_index=True,
        height="content" if len(raw) <= 12 else 460,
    )


def _hops(hops: Sequence[Hop]) -> None:
    st.dataframe(
        {
            "Read at": [_place(hop) for hop in hops],
            "Whose": [visible(hop.consumer_group or hop.connector or NOTHING) for hop in hops],
            "Stage": [visible(hop.stage or NOTHING) for hop in hops],
            "Error": [visible(hop.error_class or NOTHING) for hop in hops],
            "Around it": [visible(hop.error_wrapper_class or NOTHING) for hop in hops],
            "Message": [visible((hop.error_message or "")[:LONGEST_VALUE]) for hop in hops],
            "When": [moment_ms(hop.timestamp_ms) for hop in hops],
        },
        hide_index=True,
        height="content",
    )


def _place(hop: Hop) -> str:
    if hop.topic is None:
        return NOTHING
    partition = "" if hop.partition is None else f"[{hop.partition}]"
    offset = "" if hop.offset is None else f"@{hop.offset}"
    return visible(f"{hop.topic}{partition}{offset}")


def _shown(value: object) -> str:
    if value is None:
        return "null"
    text = as_text(value[:LONGEST_VALUE]).text if isinstance(value, bytes) else visible(str(value))
    return text if len(text) <= LONGEST_VALUE else f"{text[:LONGEST_VALUE]}…"
