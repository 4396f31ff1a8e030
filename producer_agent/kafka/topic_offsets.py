"""Where partitions begin and end, many at a time."""

from __future__ import annotations

import logging
from collections.abc import Iterable

from confluent_kafka import IsolationLevel, KafkaException, TopicPartition
from confluent_kafka.admin._listoffsets import OffsetSpec

from producer_agent.kafka.admin import Admin

log = logging.getLogger(__name__)


def offset_bounds(
    admin: Admin, partitions: Iterable[tuple[str, int]], timeout_s: float = 5.0
) -> dict[tuple[str, int], tuple[int, int]]:
    """``{(topic, partition): (low, high)}``: the first offset that is there, and the one behind
    the last that can be read (records of an open transaction cannot).

    Best effort: a partition that has no leader, is not there or may not be read is left out. Two
    requests a broker, however many partitions there are.
    """
    wanted = [TopicPartition(topic, partition) for topic, partition in partitions]
    if not wanted:
        return {}
    ends: list[dict[tuple[str, int], int]] = []
    for spec in (
        OffsetSpec.earliest(),  # type: ignore[no-untyped-call]
        OffsetSpec.latest(),  # type: ignore[no-untyped-call]
    ):
        futures = admin.client.list_offsets(
            dict.fromkeys(wanted, spec),
            isolation_level=IsolationLevel.READ_COMMITTED,
            request_timeout=timeout_s,
        )
        found: dict[tuple[str, int], int] = {}
        for at, future in futures.items():
            try:
                found[at.topic, at.partition] = int(future.result(timeout_s + 1).offset)
            except (KafkaException, TimeoutError) as error:
                log.debug("no offsets of %s[%s]: %s", at.topic, at.partition, error)
        ends.append(found)
    lows, highs = ends
    return {place: (low, highs[place]) for place, low in lows.items() if place in highs}
