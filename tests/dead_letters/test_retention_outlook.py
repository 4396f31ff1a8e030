"""What retention takes next, and when, is told from what the brokers say, and with its mend."""

from __future__ import annotations

from typing import Any

import pytest

from producer_agent.dead_letters.retention_outlook import (
    PartitionOutlook,
    Retention,
    next_deletion_us,
    outlook,
)

NOW_MS = 1_800_000_000_000
NOW_US = NOW_MS * 1_000
HOUR_MS = 3_600_000


def part(
    stored_to: int | None = 5, low: int | None = 0, high: int | None = 10, **more: Any
) -> PartitionOutlook:
    return PartitionOutlook(more.pop("partition", 0), stored_to, low, high, **more)


def told(
    *partitions: PartitionOutlook, unreadable: str | None = None, **settings: str
) -> dict[str, Any]:
    return outlook(
        "dlt",
        partitions,
        Retention.of({name.replace("_", "."): value for name, value in settings.items()}),
        convention=None,
        unreadable=unreadable,
        tool=["--bootstrap-server", "h:1"],
        now_us=NOW_US,
    )


def messages(entry: dict[str, Any]) -> str:
    return "\n".join(warning["message"] for warning in entry["warnings"])


def mends(entry: dict[str, Any]) -> str:
    return "\n".join(warning["mend"] for warning in entry["warnings"])


def test_settings_without_a_limit_or_not_told_have_none() -> None:
    assert Retention.of({}) == Retention()
    unlimited = Retention.of({"retention.ms": "-1", "retention.bytes": "-1"})
    assert (unlimited.ms, unlimited.bytes) == (None, None)
    assert Retention.of({"retention.ms": "60000"}).ms == 60_000


@pytest.mark.parametrize(
    ("policy", "compacted", "deletes"),
    [
        ("delete", False, True),
        ("compact", True, False),
        ("compact,delete", True, True),
        ("delete, compact", True, True),
    ],
)
def test_cleanup_policies_are_read(policy: str, compacted: bool, deletes: bool) -> None:
    found = Retention.of({"cleanup.policy": policy})
    assert (found.compacted, found.deletes) == (compacted, deletes)


def test_the_next_deletion_is_the_oldest_unread_record_at_its_age() -> None:
    partitions = [
        part(first_unread_ms=NOW_MS - HOUR_MS),
        part(partition=1, first_unread_ms=NOW_MS - 2 * HOUR_MS),
        part(10, partition=2, first_unread_ms=0),  # all read: its time does not count
    ]
    due = next_deletion_us(Retention(ms=24 * HOUR_MS), partitions, NOW_US)
    assert due == (NOW_MS + 22 * HOUR_MS) * 1_000


def test_what_is_past_its_age_may_go_at_once() -> None:
    entry = told(part(first_unread_ms=NOW_MS - 2 * HOUR_MS), retention_ms=str(HOUR_MS))
    assert entry["next_deletion_us"] == NOW_US
    assert "5 records of dlt are not stored here yet" in messages(entry)
    assert "(1 h) may delete the first at once" in messages(entry)
    assert mends(entry).startswith(
        "kafka-configs.sh --bootstrap-server h:1 --alter --topic dlt --add-config retention.ms="
    )


def test_a_deletion_that_is_far_off_is_told_and_not_warned_of() -> None:
    entry = told(part(first_unread_ms=NOW_MS), retention_ms=str(7 * 24 * HOUR_MS))
    assert entry["next_deletion_us"] == (NOW_MS + 7 * 24 * HOUR_MS) * 1_000
    assert entry["warnings"] == []


@pytest.mark.parametrize(
    ("partition", "retention"),
    [
        (part(10, first_unread_ms=0), Retention(ms=1)),  # nothing is unread
        (part(first_unread_ms=None), Retention(ms=1)),  # its time is not known
        (part(first_unread_ms=0), Retention(ms=None)),  # nothing is deleted for its age
        (part(first_unread_ms=0), Retention(ms=1, deletes=False)),
        (part(low=None, high=None, first_unread_ms=0), Retention(ms=1)),
    ],
)
def test_where_nothing_can_be_told_nothing_is(
    partition: PartitionOutlook, retention: Retention
) -> None:
    assert next_deletion_us(retention, [partition], NOW_US) is None


def test_what_is_behind_counts_from_the_first_record_that_is_there() -> None:
    assert part(5, 0, 10).behind == 5
    assert part(5, 8, 10).behind == 2
    assert part(None, 8, 10).behind == 2
    assert part(12, 0, 10).behind == 0
    assert part(5, None, None).behind is None
    assert told(part(), part(partition=1, low=None, high=None))["behind"] is None
    assert told(part(), part(partition=1))["behind"] == 10


def test_records_that_were_deleted_unread_are_told_also_before_the_reader_meets_them() -> None:
    entry = told(part(5, 8, 10, deleted_unread=4, deleted_us=NOW_US), retention_ms="60000")
    assert entry["deleted_unread"] == 7
    assert "Up to 7 records of dlt were deleted by its retention before" in messages(entry)
    assert "retention.ms=604800000" in mends(entry)


def test_an_old_loss_stays_counted_and_is_warned_of_no_more() -> None:
    entry = told(part(10, deleted_unread=4, deleted_us=NOW_US - 8 * 24 * HOUR_MS * 1_000))
    assert entry["deleted_unread"] == 4
    assert entry["warnings"] == []


def test_a_first_read_partition_that_begins_late_has_lost_nothing_of_ours() -> None:
    assert part(None, 100, 110).lost == 0


def test_size_and_compaction_delete_too_and_are_warned_of() -> None:
    entry = told(part(), retention_bytes="1048576", cleanup_policy="compact,delete")
    assert "past 1,048,576 bytes" in messages(entry)
    assert "dlt is compacted" in messages(entry)
    assert "retention.bytes=-1" in mends(entry)
    assert "cleanup.policy=delete" in mends(entry)
    assert told(part(10), retention_bytes="1048576")["warnings"] == []


def test_a_short_retention_counted_from_the_records_own_time_is_a_trap_even_if_all_is_read() -> (
    None
):
    short = {"retention_ms": str(HOUR_MS), "message_timestamp_type": "CreateTime"}
    entry = told(part(10), **short)
    assert "Kafka Connect and Kafka Streams" in messages(entry)
    assert "message.timestamp.type=LogAppendTime" in mends(entry)
    assert told(part(10), **{**short, "message_timestamp_type": "LogAppendTime"})["warnings"] == []
    assert told(part(10), **{**short, "retention_ms": str(24 * HOUR_MS)})["warnings"] == []


def test_a_topic_that_may_not_be_read_says_so() -> None:
    entry = told(unreadable="Broker: Topic authorization failed")
    assert "dlt is not read: Broker: Topic authorization failed" in messages(entry)
    assert "grant READ" in mends(entry)
