"""What a topic's retention will take, and when: arithmetic on what the brokers tell.

Kafka deletes whole segments, a segment once its *largest* timestamp is older than retention.ms,
and the one that is being written is closed first if it is that old itself (``UnifiedLog``,
``deleteRetentionMsBreachedSegments``). It looks every log.retention.check.interval.ms, by default
five minutes. So a record may go at its own timestamp + retention.ms at the earliest, and often
goes later.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final, Self

HOUR_US: Final = 3_600 * 1_000_000
DAY_US: Final = 24 * HOUR_US
SOON_US: Final = DAY_US
"""A deletion that is nearer than this is warned of."""
TOLD_FOR_US: Final = 7 * DAY_US
"""How long it is told that records were deleted unread."""
SHORT_MS: Final = 24 * 3_600 * 1_000
"""With a retention below this, records that carry an older time may be gone at once."""


@dataclass(frozen=True, slots=True)
class Retention:
    """A topic's settings that delete records; None: no limit, or not told."""

    ms: int | None = None
    bytes: int | None = None
    compacted: bool = False
    deletes: bool = True
    create_time: bool = False
    """Records keep the time that their producer gave them."""

    @classmethod
    def of(cls, settings: Mapping[str, str]) -> Self:
        """From the broker's own text; empty where the cluster does not tell it."""
        policies = [part.strip() for part in settings.get("cleanup.policy", "delete").split(",")]
        return cls(
            ms=_limit(settings.get("retention.ms")),
            bytes=_limit(settings.get("retention.bytes")),
            compacted="compact" in policies,
            deletes="delete" in policies,
            create_time=settings.get("message.timestamp.type") == "CreateTime",
        )


@dataclass(frozen=True, slots=True)
class PartitionOutlook:
    """A partition of a dead-letter topic."""

    partition: int
    stored_to: int | None
    """Next offset to read; None: nothing was read yet."""
    low: int | None
    high: int | None
    """First offset there is, and the one behind the last; None: not told just now."""
    deleted_unread: int = 0
    deleted_us: int | None = None
    first_unread_ms: int | None = None
    """Timestamp of the first record that is not stored here yet."""

    @property
    def behind(self) -> int | None:
        """Offsets that are there and not stored here yet."""
        if self.low is None or self.high is None:
            return None
        return max(0, self.high - max(self.stored_to or 0, self.low))

    @property
    def lost(self) -> int:
        """Offsets deleted unread, those that the reader has not come upon yet included."""
        if self.low is None or self.stored_to is None:
            return self.deleted_unread
        return self.deleted_unread + max(0, self.low - self.stored_to)


@dataclass(frozen=True, slots=True)
class Warned:
    """Something to be told, and what mends it: words, or a command."""

    message: str
    mend: str


def next_deletion_us(
    retention: Retention, partitions: Sequence[PartitionOutlook], now_us: int
) -> int | None:
    """The earliest moment at which an unread record may be deleted for its age, UTC microseconds;
    ``now_us`` if it may be at once, None if it will not be or cannot be told."""
    if retention.ms is None or not retention.deletes:
        return None
    oldest = [
        at.first_unread_ms for at in partitions if at.behind and at.first_unread_ms is not None
    ]
    return max(now_us, (min(oldest) + retention.ms) * 1000) if oldest else None


def outlook(
    topic: str,
    partitions: Sequence[PartitionOutlook],
    retention: Retention,
    *,
    convention: str | None,
    unreadable: str | None,
    tool: Sequence[str],
    now_us: int,
) -> dict[str, Any]:
    """A topic's entry in the fact ``letters``; see :mod:`producer_agent.store.facts`.

    Args:
        topic: Its name.
        partitions: All that are read.
        retention: Its settings.
        convention: That its policy says.
        unreadable: Why it is not read, if it ought to be and is not.
        tool: Options with which Kafka's own tools reach the cluster.
        now_us: The time, UTC microseconds.
    """
    behind = [at.behind for at in partitions]
    due_us = next_deletion_us(retention, partitions, now_us)
    return {
        "topic": topic,
        "partitions": len(partitions),
        "stored_to": {str(at.partition): at.stored_to for at in partitions},
        "behind": None if None in behind else sum(n for n in behind if n),
        "retention_ms": retention.ms,
        "next_deletion_us": due_us,
        "deleted_unread": sum(at.lost for at in partitions),
        "convention": convention,
        "warnings": [
            {"message": warned.message, "mend": warned.mend}
            for warned in _warnings(topic, partitions, retention, due_us, unreadable, tool, now_us)
        ],
    }


def _warnings(
    topic: str,
    partitions: Sequence[PartitionOutlook],
    retention: Retention,
    due_us: int | None,
    unreadable: str | None,
    tool: Sequence[str],
    now_us: int,
) -> Iterator[Warned]:
    def setting(text: str) -> str:
        options = ["--alter", "--topic", topic, "--add-config", text]
        return shlex.join(["kafka-configs.sh", *tool, *options])

    longer = setting(f"retention.ms={7 * 24 * 3_600 * 1_000}")
    if unreadable is not None:
        yield Warned(
            f"{topic} is not read: {unreadable}.",
            f"See that {topic} exists, and grant READ and DESCRIBE on it to the principal that "
            "Ackboard uses.",
        )
    lost = sum(at.lost for at in partitions)
    lost_us = max((at.deleted_us or now_us for at in partitions if at.lost), default=0)
    if lost and now_us - lost_us < TOLD_FOR_US:
        yield Warned(
            f"Up to {lost:,} records of {topic} were deleted by its retention before they were "
            f"read here (last seen {_moment(lost_us)}). They are lost to triage.",
            longer,
        )
    unread = sum(at.behind or 0 for at in partitions)
    if unread and due_us is not None and due_us - now_us < SOON_US:
        when = "at once" if due_us <= now_us else f"from {_moment(due_us)} on"
        yield Warned(
            f"{unread:,} records of {topic} are not stored here yet, and its retention "
            f"({_span(retention.ms or 0)}) may delete the first {when}.",
            longer,
        )
    if unread and retention.bytes is not None and retention.deletes:
        yield Warned(
            f"{unread:,} records of {topic} are not stored here yet, and a partition that grows "
            f"past {retention.bytes:,} bytes loses its oldest, whatever their age.",
            setting("retention.bytes=-1"),
        )
    if retention.compacted:
        yield Warned(
            f"{topic} is compacted: a dead letter goes as soon as a later one has its key, and one "
            "without a key is refused.",
            setting("cleanup.policy=delete"),
        )
    if (
        retention.create_time
        and retention.deletes
        and retention.ms is not None
        and retention.ms < SHORT_MS
    ):
        yield Warned(
            f"{topic} keeps records for {_span(retention.ms)} counted from the time that they "
            "carry. Kafka Connect and Kafka Streams give a dead letter the time of the original "
            "record: an old one may be deleted right after it is written. Count from its arrival, "
            "or keep it longer.",
            setting("message.timestamp.type=LogAppendTime"),
        )


def _limit(text: str | None) -> int | None:
    try:
        value = int(text) if text is not None else -1
    except ValueError:
        return None
    return None if value < 0 else value


def _moment(at_us: int) -> str:
    return datetime.fromtimestamp(at_us / 1e6, UTC).strftime("%Y-%m-%d %H:%M:%SZ")


def _span(ms: int) -> str:
    for name, size in (("d", 86_400_000), ("h", 3_600_000), ("min", 60_000), ("s", 1_000)):
        if ms >= size:
            return f"{ms / size:.3g} {name}"
    return f"{ms} ms"
