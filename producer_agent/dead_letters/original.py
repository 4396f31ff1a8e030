"""The original record behind a stored dead letter: what a replay sends back."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

from producer_agent.dead_letters.conventions import RawRecord, decode
from producer_agent.store import outbox
from producer_agent.store.headers import Headers, as_bytes
from producer_agent.store.replays import LetterToReplay
from producer_agent.store.writer import Writer


class NoOriginal(Exception):
    """Nobody told which topic it came from, or its value is gone; the text says which."""


@dataclass(frozen=True, slots=True)
class OriginalRecord:
    """The record that failed, as it was."""

    topic: str
    key: bytes | None
    value: bytes | None
    headers: Headers


def original_of(letter: LetterToReplay, writer: Writer) -> OriginalRecord:
    """Decode the original; a value left out of its envelope is taken from the outbox.

    Raises:
        NoOriginal: see there.
    """
    decoded = decode(
        RawRecord(
            letter.topic,
            letter.partition,
            letter.offset,
            letter.timestamp_ms,
            letter.key,
            letter.value,
            tuple((name, as_bytes(value)) for name, value in letter.headers),
        )
    )
    if decoded.original_topic is None:
        raise NoOriginal(
            f"It came from {decoded.internal_topic}, an internal topic of a Streams application: "
            f"nothing may be sent there."
            if decoded.internal_topic
            else "It does not tell which topic it came from."
        )
    if decoded.is_pointer:
        raise NoOriginal(
            "It only points to its original and holds nothing to send: read that record at its "
            "topic, partition and offset."
        )
    if decoded.value_omitted is None:
        return OriginalRecord(
            decoded.original_topic,
            decoded.original_key,
            decoded.original_value,
            decoded.original_headers,
        )
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
    return OriginalRecord(decoded.original_topic, kept.key, kept.value, kept.headers)
