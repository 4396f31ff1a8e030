"""What a dead letter's decoder tells the replay; the flow that reads dead letters fills it in."""

from __future__ import annotations

from dataclasses import dataclass

from producer_agent.kafka.our_headers import REPLAY_HEADER, REPLAY_HEADERS, TIMES_HEADER
from producer_agent.store.headers import Headers


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


def marked(headers: Headers, plan_uuid: str, sequence: int, times_back: int) -> Headers:
    """The headers with the replay's own in place of any earlier ones, so that they do not grow.

    Args:
        headers: Of the record that is sent.
        plan_uuid, sequence: Of its ledger row.
        times_back: How often it came back so far.
    """
    kept = [pair for pair in headers if pair[0] not in REPLAY_HEADERS]
    kept.append((REPLAY_HEADER, f"{plan_uuid}-{sequence}".encode()))
    kept.append((TIMES_HEADER, b"%d" % (times_back + 1)))
    return kept
