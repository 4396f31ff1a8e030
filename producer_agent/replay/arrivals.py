"""Which records of a plan lie on a target, found by the replay id in their headers."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from producer_agent.kafka.our_headers import REPLAY_HEADER
from producer_agent.kafka.read_back import ReadBack


def watermarks_of(read_back: ReadBack, topic: str, partitions: int) -> dict[str, int]:
    """Where each partition ends now, by its number as text, as JSON keeps it."""
    marks = read_back.watermarks(topic, range(partitions))
    return {str(partition): high for partition, (_, high) in marks.items()}


def stretch_since(
    read_back: ReadBack,
    topic: str,
    partitions: int,
    watermarks: Mapping[str, int],
    reached: Mapping[tuple[str, int], int],
) -> dict[int, tuple[int, int]]:
    """What of a topic has to be read: beyond the records of the plan that are known to lie there,
    else since the plan began. A topic that was made anew meanwhile is read whole."""
    stretch = {}
    for partition, (low, high) in read_back.watermarks(topic, range(partitions)).items():
        start = max(reached.get((topic, partition), 0), watermarks.get(str(partition), 0))
        stretch[partition] = (low if start > high else max(start, low), high)
    return stretch


def find_arrivals(
    read_back: ReadBack,
    topic: str,
    stretch: Mapping[int, tuple[int, int]],
    plan: str,
    wanted: set[int],
    stopped: Callable[[], bool],
) -> dict[int, tuple[int, int]]:
    """Partition and offset by sequence, of the wanted sequences of plan ``plan`` that are there.

    Raises:
        ReadBackIncomplete: not all of it could be read.
    """
    prefix, bare = f"{plan}-".encode(), plan.encode()
    found: dict[int, tuple[int, int]] = {}
    for value, partition, offset in read_back.find_header(
        topic, stretch, REPLAY_HEADER, stopped=stopped
    ):
        if not value.startswith(bare):
            continue
        # Before there were plans, a replay's id was a uuid alone.
        number = b"0" if value == bare else value.removeprefix(prefix)
        if number.isdigit() and int(number) in wanted:
            found.setdefault(int(number), (partition, offset))
    return found
