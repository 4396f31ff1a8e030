"""What was measured here, from comparisons to what the advisor's rules take."""

from __future__ import annotations

from typing import Final

from sqlite_utils import Database

from producer_agent.advice.advisor.advice import Evidence
from producer_agent.advice.compare.measured import MeasuredProfile, measured

_NEWEST: Final = 5
"""Comparisons that are looked at: older ones tell of another cluster, or another load."""

_ENOUGH_RATE: Final = 0.95


def measurements(db: Database) -> tuple[Evidence, ...]:
    """What the newest comparisons found of acks=1 and all; () where none was made.

    Left out is what backs nothing: too few events for a p99, or a client that did not keep up.
    """
    found = (_evidence(one) for one in measured(db, comparisons=_NEWEST))
    return tuple(one for one in found if one is not None)


def _evidence(one: MeasuredProfile) -> Evidence | None:
    p99 = one.ack_p99
    if one.acks == "0" or p99 is None or p99.low_us is None or p99.high_us is None:
        return None
    if one.rate_reached < _ENOUGH_RATE * one.rate:
        return None
    return Evidence(
        profile=one.name,
        acks="all" if one.acks == "all" else "1",
        rate_per_s=one.rate,
        p99_ms=p99.us / 1000,
        p99_low_ms=p99.low_us / 1000,
        p99_high_ms=p99.high_us / 1000,
        replicates=one.cluster_kind != "embedded" and one.replication_factor > 1,
        transactional=one.body.producer.is_transactional,
        comparison=one.comparison,
        lost=one.lost,
        events=one.events,
    )
