"""What a dead letter's decoder tells the replay; the flow that reads dead letters fills it in."""

from __future__ import annotations

from dataclasses import dataclass

from producer_agent.store.headers import Headers

REPLAY_HEADER = "ackboard-replay"
"""Header of a replayed record: its replay id. A record that comes back still has it."""

TIMES_HEADER = "ackboard-replay-times"
"""Header with how often the record was replayed, this time included, in decimal digits: told to
boards that do not have this one's ledger."""


class Refused(Exception):
    """A dead letter cannot be replayed; the text says why."""


@dataclass(frozen=True, slots=True)
class Original:
    """The record that failed, as it was."""

    topic: str | None
    """Where it came from, or where its dead-letter topic's policy sends it; None: unknown."""
    key: bytes | None
    value: bytes | None
    headers: Headers
    """Without the failure headers, and without those of an earlier replay."""
    own_bytes: bool = False
    """Key and value are the dead letter's own, byte for byte."""
    dropped: tuple[str, ...] = ()
    """Names of the failure headers."""
    partition: int | None = None
    offset: int | None = None
    identity: bytes | None = None
    """The header that tells this event from every other, where its producer wrote one."""
    sent_ms: int | None = None
    """When it was sent, UTC milliseconds: its first copy on the topic is not older."""
