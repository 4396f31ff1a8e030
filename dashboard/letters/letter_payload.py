"""The payload of a dead letter on the screen: the original's value and key, whatever wrapped them,
and what a schema registry makes of them."""

from __future__ import annotations

import json
from collections.abc import Sequence

import streamlit as st

from dashboard import context
from dashboard.formats import code_span, escape_markdown, visible
from dashboard.letters.payload import as_text, show_payload
from producer_agent.dead_letters.conventions import Decoded
from producer_agent.dead_letters.wire_format import (
    KEY_HEADER,
    VALUE_HEADER,
    WireFormat,
    describe,
)
from producer_agent.kafka.schema_registry import SchemaRegistry
from producer_agent.settings import schema_registry_user_info
from producer_agent.store.queries import dead_letters as letters
from producer_agent.store.queries.dead_letters import Letter


def draw(letter: Letter, decoded: Decoded, value_here: bytes | None) -> None:
    """The tab.

    Args:
        letter: The letter.
        decoded: What was read from it.
        value_here: The value that was too large to travel along, if this database has it.
    """
    value = decoded.original_value if value_here is None else value_here
    if decoded.value_omitted is not None:
        st.info(
            f"The value of {decoded.value_omitted:,} bytes was too large to travel along. "
            + (
                "It is in this database still, and a replay takes it from here."
                if value_here is not None
                else "It is not in this database, so it cannot be replayed from here: the agent "
                "that sent it keeps it in its own."
            ),
            icon=":material/compress:",
        )
    if decoded.is_pointer:
        st.info(
            "This record only points to its original: the framework did not copy the value, which "
            f"is no tombstone. It lies at {code_span(_place(decoded))}, as long as that topic "
            "keeps it.",
            icon=":material/link:",
        )
    elif value is not None or decoded.value_omitted is None:
        _wire(value, decoded.original_headers, VALUE_HEADER, "value")
        show_payload(value, name=f"dead-letter-{letter.id}.bin", key=f"letter-{letter.id}")
    st.caption("Key")
    if decoded.original_key is None:
        st.text("none")
    else:
        _wire(decoded.original_key, decoded.original_headers, KEY_HEADER, "key")
        st.code(as_text(decoded.original_key).text, language=None, wrap_lines=True)


def left_behind(letter: Letter, decoded: Decoded) -> bytes | None:
    """The value that was too large for its envelope, while this database has it."""
    run, sequence = letter.run_uuid, letter.sequence
    if decoded.value_omitted is None or run is None or sequence is None:
        return None
    return context.read(lambda db: letters.value_left_behind(db, run, sequence))


def _wire(
    payload: bytes | None, headers: Sequence[tuple[str, bytes | None]], header: str, what: str
) -> None:
    """Confluent's wire format: the schema that is named, and what it makes of the bytes."""
    registry = _registry(context.settings().schema_registry_url)
    found = describe(payload, registry, headers, header)
    if found is None:
        return
    schema = (
        f"schema id **{found.schema_id}**"
        if found.schema_id is not None
        else f"schema {code_span(found.schema_guid or '')}"
    )
    where = "a header" if found.in_header else "its first bytes"
    st.markdown(f"The {what} names {schema} in {where} (Confluent's wire format).{_type(found)}")
    if registry is None:
        st.caption(
            "Set `ACKBOARD_SCHEMA_REGISTRY_URL` to see it decoded; the bytes are below as they are."
        )
    elif found.error is not None:
        st.caption(f":material/warning: {escape_markdown(found.error)}")
    else:
        text = json.dumps(found.decoded, indent=2, ensure_ascii=False)
        st.code(visible(text), language="json", wrap_lines=True)


def _type(found: WireFormat) -> str:
    if found.schema_type is None:
        return ""
    name = f", {code_span(found.schema_name)}" if found.schema_name else ""
    return f" It is {escape_markdown(found.schema_type)}{name}."


def _place(decoded: Decoded) -> str:
    if decoded.original_topic is None:
        return "a topic that it does not tell"
    return f"{decoded.original_topic}[{decoded.original_partition}]@{decoded.original_offset}"


@st.cache_resource(show_spinner=False)
def _registry(url: str | None) -> SchemaRegistry | None:
    return None if url is None else SchemaRegistry(url, schema_registry_user_info())
