"""The garbage collector of a process that handles events in masses."""

from __future__ import annotations

import gc

YOUNG = 100_000
"""Objects made before the young ones are looked through."""


def relax() -> None:
    """Look for cycles far less often than Python does by itself.

    An event in flight is a closure that the collector tracks and that is no part of a cycle.
    With the default threshold of 700 the collector walks all of them a few hundred times a second
    and takes half of the throughput (bench/record.py). What it finds late is a few cycles.
    """
    gc.set_threshold(YOUNG, 50, 100)
