"""The original record behind a stored dead letter: what a replay sends back."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

from producer_agent.dead_letters.conventions import Decoded
from producer_agent.dead_letters.stored import decoded_of, original_parts
from producer_agent.store import outbox
from producer_agent.store.headers import Headers, as_bytes
from producer_agent.store.replay_letters import LetterToReplay
from producer_agent.store.writer import Writer


class NoOriginal(Exception):
    """There is nothing that could be sent; the text says why."""


@dataclass(frozen=True, slots=True)
class OriginalRecord:
    """The record that failed, as it was."""

    topic: str | None
    """None: neither the record nor its topic's policy tells where it came from."""
    key: bytes | None
    value: bytes | None
    headers: Headers
    own_bytes: bool
    """Key and value are the dead letter's own, byte for byte."""
    dropped: tuple[str, ...]
    """Names of the dead letter's headers that are not the original's: the failure headers."""
    partition: int | None
    offset: int | None
    sent_ms: int | None
    """When it was sent first, UTC milliseconds."""


def original_of(letter: LetterToReplay, writer: Writer) -> OriginalRecord:
    """Decode the original; a value left out of its envelope is taken from the outbox.

    Raises:
        NoOriginal: it holds nothing to send, or came from where nothing may be sent.
    """
    decoded = decoded_of(letter)
    if decoded.internal_topic:
        raise NoOriginal(
            f"It came from {decoded.internal_topic}, an internal topic of a Streams application: "
            f"nothing may be sent there."
        )
    if decoded.is_pointer:
        raise NoOriginal(
            "It only points to its original and holds nothing to send: read that record at its "
            "topic, partition and offset."
        )
    key, value, headers = original_parts(letter, decoded)
    if decoded.value_omitted is not None:
        kept = _kept(decoded, writer)
        key, value = kept.key, kept.value
        headers = tuple((name, as_bytes(told)) for name, told in kept.headers)
    names = {name for name, _ in headers}
    return OriginalRecord(
        topic=decoded.original_topic,
        key=key,
        value=value,
        headers=headers,
        own_bytes=key is letter.key and value is letter.value,
        dropped=tuple(dict.fromkeys(name for name, _ in letter.headers if name not in names)),
        partition=decoded.original_partition,
        offset=decoded.original_offset,
        sent_ms=decoded.original_timestamp_ms,
    )


def _kept(decoded: Decoded, writer: Writer) -> outbox.KeptEvent:
    """The event whose value was too large to travel along."""
    kept = None
    if decoded.run is not None and decoded.sequence is not None:
        kept = writer.call(
            partial(outbox.event_of, run_uuid=decoded.run, sequence=decoded.sequence)
        )
    if kept is None:
        raise NoOriginal(
            "It was too large for the dead-letter topic and is not in this database; the agent "
            "that sent it keeps it in its own."
        )
    return kept
