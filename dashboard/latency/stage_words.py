"""Where the time of an acknowledgement goes, in words."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from dashboard.formats import code_span, latency, percent
from producer_agent.store.queries.client_statistics import Stage, StageSplit

QUEUE: Final = "client's queue"
SEND: Final = "socket"
TRIP: Final = "round trip"

_AT: Final = {
    QUEUE: "in the client's queue",
    SEND: "on its way into the socket",
    TRIP: "at the broker",
}

THROTTLED_MS: Final = 1
"""From this on throttling is worth a sentence; librdkafka tells whole milliseconds."""


def stages(split: StageSplit) -> list[tuple[str, Stage]]:
    """The stages an acknowledgement under its acks level goes through, in order."""
    found = [(QUEUE, split.queue), (SEND, split.send)]
    return [*found, (TRIP, split.trip)] if split.waits_for_answers else found


def answer(profiles: Sequence[StageSplit], chosen: str) -> str:
    """The first line: of each profile the stage that takes most.

    Args:
        profiles: Their totals, in order.
        chosen: The time range in words, as in "In the last 15 min".
    """
    said = [_most(split) for split in profiles if split.total_us]
    return f"In the last {chosen} most of the time was spent " + "; ".join(said) + "."


def throttling(splits: Sequence[StageSplit]) -> str | None:
    """Who was throttled by which broker, and by how much; None: nobody."""
    held = [
        f"broker {split.broker} held {code_span(split.profile)} back for up to "
        f"{latency(split.throttle.p99 * 1000.0)} at once"
        for split in splits
        if split.broker is not None and split.throttle.p99 >= THROTTLED_MS
    ]
    return "**Throttled by quota**: " + "; ".join(held) + "." if held else None


def name(split: StageSplit) -> str:
    """``critical``, ``critical · broker 1``."""
    return split.profile if split.broker is None else f"{split.profile} · broker {split.broker}"


def _most(split: StageSplit) -> str:
    stage, spent = max(stages(split), key=lambda pair: pair[1].mean or 0.0)
    mean = spent.mean or 0.0
    share = percent(round(mean / split.total_us, 2))
    words = f"**{_AT[stage]}** under {code_span(split.profile)} ({latency(mean)}, {share})"
    return words if split.waits_for_answers else words + ", which waits for no answer (acks=0)"
