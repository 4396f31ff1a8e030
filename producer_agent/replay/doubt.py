"""Looking on their target for records that may lie there already: failures that leave doubt."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from producer_agent.kafka.our_headers import IDENTITY_HEADER
from producer_agent.kafka.read_back import ReadBack

SLACK_MS: Final = 60_000
"""Clocks of producer and broker may differ by so much."""


@dataclass(frozen=True, slots=True)
class Doubt:
    """A planned record that may be stored already."""

    sequence: int
    topic: str
    identity: bytes
    sent_ms: int | None


def look_for(
    doubts: Sequence[Doubt],
    partitions: Mapping[str, int],
    read_back: ReadBack,
    stopped: Callable[[], bool] = lambda: False,
) -> list[tuple[int, int, int]]:
    """Those that are there, as ``(sequence, partition, offset)``.

    Each topic is read once, from the time at which the first of them was sent up to its end now.

    Raises:
        ReadBackIncomplete: not all of it could be read.
    """
    found: list[tuple[int, int, int]] = []
    by_topic: dict[str, list[Doubt]] = defaultdict(list)
    for doubt in doubts:
        by_topic[doubt.topic].append(doubt)
    for topic, of_topic in by_topic.items():
        numbers = range(partitions[topic])
        wanted = {doubt.identity: doubt.sequence for doubt in of_topic}
        times = [doubt.sent_ms for doubt in of_topic]
        marks = read_back.watermarks(topic, numbers)
        stretch = dict(marks)
        known = [at for at in times if at is not None]
        if len(known) == len(times):
            starts = read_back.offsets_at(topic, numbers, min(known) - SLACK_MS)
            # A partition that has nothing so young is left out: there is nothing to read in it.
            stretch = {
                n: (max(starts[n], low), high) for n, (low, high) in marks.items() if n in starts
            }
        for value, partition, offset in read_back.find_header(
            topic, stretch, IDENTITY_HEADER, stopped=stopped
        ):
            sequence = wanted.pop(value, None)
            if sequence is not None:
                found.append((sequence, partition, offset))
    return found
