"""Two saved comparisons laid side by side: what they share, what changed, and by how much."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from producer_agent.advice.compare.analysis import (
    BACKED_BY,
    PERCENTILES,
    Analysis,
    Difference,
    Kind,
    analyse,
    bins_of,
    pooled,
    turns_of,
)
from producer_agent.advice.compare.statistics import CONFIDENCE, quantile, welch_interval
from producer_agent.store.queries.comparisons import Comparison


class Differing(NamedTuple):
    """Something that is not the same in both."""

    what: str
    """Such as ``load.rate_per_s``, ``cluster_kind``, ``profile critical, producer.linger_ms``."""
    first: str
    second: str


class Change(NamedTuple):
    """A percentile of a profile that both have, at a rate that both measured at."""

    name: str
    rate: float
    kind: Kind
    percentile: str
    first_us: float
    second_us: float
    difference: Difference
    """Second less first. The rounds were not run side by side, so the weather of the two days is
    in it."""


@dataclass(frozen=True, slots=True)
class SideBySide:
    """Two comparisons."""

    first: Analysis
    second: Analysis
    differing: tuple[Differing, ...]
    changes: tuple[Change, ...]


def side_by_side(first: Comparison, second: Comparison) -> SideBySide:
    """Lay the second beside the first."""
    one, other = analyse(first), analyse(second)
    changes = [
        change
        for rate in one.plan.rates
        if rate in other.plan.rates
        for name in one.plan.names
        if name in other.plan.names
        for change in _changes(first, second, one, other, rate, name)
    ]
    return SideBySide(one, other, tuple(_differing(one, other)), tuple(changes))


def _changes(
    first: Comparison, second: Comparison, one: Analysis, other: Analysis, rate: float, name: str
) -> list[Change]:
    turns = [
        turns_of(comparison, rate, analysis.plan.names.index(name))
        for comparison, analysis in ((first, one), (second, other))
    ]
    acks = [a.plan.profiles[a.plan.names.index(name)].acks_label for a in (one, other)]
    kinds: list[Kind] = ["end_to_end"] if "0" in acks else ["ack", "end_to_end"]
    found = []
    for kind in kinds:
        rounds = [[pooled([bins_of(turn, kind)]) for turn in of] for of in turns]
        if min(len(of) for of in rounds) < 2 or not all(bins for of in rounds for _, bins in of):
            continue
        fewest = min(sum(counts.sum() for counts, _ in of) for of in rounds)
        whole = [pooled([bins_of(turn, kind) for turn in of]) for of in turns]
        for percentile, q in PERCENTILES.items():
            if fewest * (1 - q) < BACKED_BY:
                continue
            mine, theirs = ([quantile(c, bins, q) for c, bins in of] for of in rounds)
            mean, interval = welch_interval(theirs, mine)
            first_us, second_us = (quantile(counts, bins, q) for counts, bins in whole)
            least = min(len(mine), len(theirs))
            difference = Difference(mean, *interval, least, CONFIDENCE)
            found.append(Change(name, rate, kind, percentile, first_us, second_us, difference))
    return found


def _differing(one: Analysis, other: Analysis) -> list[Differing]:
    found = [
        Differing(what, str(first), str(second))
        for what, first, second in _unlike(one.summary.environment, other.summary.environment)
        if what != "topic"
    ]
    plans = [analysis.plan.model_dump(mode="json") for analysis in (one, other)]
    profiles = [{body["name"]: body for body in plan.pop("profiles")} for plan in plans]
    found += [Differing(what, str(a), str(b)) for what, a, b in _unlike(plans[0], plans[1])]
    for name in dict.fromkeys([*profiles[0], *profiles[1]]):
        bodies = [of.get(name) for of in profiles]
        if None in bodies:
            words = ["measured" if body else "not measured" for body in bodies]
            found.append(Differing(f"profile {name}", *words))
            continue
        found += [
            Differing(f"profile {name}, {what}", str(a), str(b))
            for what, a, b in _unlike(bodies[0] or {}, bodies[1] or {})
            if what.startswith(("producer.", "objective.", "workload.transaction_ms"))
        ]
    return found


def _unlike(
    one: Mapping[str, Any], other: Mapping[str, Any], above: str = ""
) -> list[tuple[str, Any, Any]]:
    found: list[tuple[str, Any, Any]] = []
    for name in dict.fromkeys([*one, *other]):
        first, second = one.get(name), other.get(name)
        if isinstance(first, Mapping) and isinstance(second, Mapping):
            found += _unlike(first, second, f"{above}{name}.")
        elif first != second:
            found.append((f"{above}{name}", first, second))
    return found
