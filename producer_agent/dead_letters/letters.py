"""From a consumed record to the row that is stored for it. Nothing in a record makes it fail."""

from __future__ import annotations

import logging

from confluent_kafka import Message

from producer_agent.dead_letters import fingerprint
from producer_agent.dead_letters.conventions import Decoded, RawRecord, decode_under, unknown
from producer_agent.dead_letters.conventions.record import Headers
from producer_agent.kafka.messages import readable_headers
from producer_agent.kafka.our_headers import REPLAY_HEADER, TIMES_HEADER
from producer_agent.store.dead_letter_policies import Policy
from producer_agent.store.dead_letters import Letter
from producer_agent.store.headers import as_bytes

log = logging.getLogger(__name__)


def letter_from(message: Message, topic_id: str, policy: Policy) -> Letter:
    """The row for a message without error, read as its topic's policy says."""
    kind, timestamp = message.timestamp()
    raw = RawRecord(
        topic=message.topic() or "",
        partition=_known(message.partition()),
        offset=_known(message.offset()),
        timestamp_ms=timestamp if kind else None,
        key=as_bytes(message.key()),
        value=as_bytes(message.value()),
        headers=_headers_of(message),
    )
    try:
        decoded = decode_under(raw, policy.convention, policy.default_target)
    except Exception:
        # A convention must never raise, and if it does the record is kept all the same.
        log.exception("a dead letter could not be decoded: %s", (raw.topic, raw.offset))
        decoded = unknown.decode(raw)
    return letter_of(raw, topic_id, decoded, policy)


def letter_of(
    raw: RawRecord, topic_id: str, decoded: Decoded, policy: Policy | None = None
) -> Letter:
    """The row to store for a record and what was read from it."""
    cause = fingerprint.cause_of(decoded)
    return Letter(
        topic=raw.topic,
        topic_id=topic_id,
        partition=raw.partition,
        offset=raw.offset,
        timestamp_ms=raw.timestamp_ms,
        key=raw.key,
        value=raw.value,
        headers=raw.headers,
        convention=decoded.convention,
        side=decoded.side,
        original_topic=decoded.original_topic,
        original_partition=decoded.original_partition,
        original_offset=decoded.original_offset,
        original_timestamp_ms=decoded.original_timestamp_ms,
        original_key=decoded.original_key,
        error_class=decoded.error_class,
        error_code=decoded.error_code,
        error_message=decoded.error_message,
        may_be_stored=decoded.may_be_stored,
        profile=decoded.profile,
        run_uuid=decoded.run,
        sequence=decoded.sequence,
        letter_id=decoded.letter_id,
        consumer_group=decoded.consumer_group,
        connector=decoded.connector,
        replay_id=_header(decoded, REPLAY_HEADER),
        times_replayed=_times_replayed(decoded),
        fingerprint=cause.fingerprint,
        fingerprint_version=fingerprint.VERSION,
        cause_title=cause.title,
        original_value=None if decoded.original_value == raw.value else decoded.original_value,
        original_headers=decoded.original_headers,
        fixed_convention=policy.convention if policy else None,
        default_target=policy.default_target if policy else None,
    )


def _headers_of(message: Message) -> Headers:
    headers = readable_headers(message)
    if headers is not None:
        return headers
    # There is no other way to them; the rest of the record can be kept.
    log.warning(
        "%s[%s]@%s: its headers are left out, as the name of one is no UTF-8",
        message.topic(),
        message.partition(),
        message.offset(),
    )
    return ()


def _header(decoded: Decoded, wanted: str) -> str | None:
    """The last header of this name that the original carried."""
    for name, value in reversed(decoded.original_headers):
        if name == wanted and value is not None:
            return value.decode("utf-8", "replace")
    return None


def _times_replayed(decoded: Decoded) -> int:
    """How often boards sent it back so far, as the last of them told."""
    told = _header(decoded, TIMES_HEADER) or ""
    return int(told) if told.isascii() and told.isdecimal() and len(told) < 9 else 0


def _known(value: int | None) -> int:
    assert value is not None, "a consumed record has a place"
    return value
