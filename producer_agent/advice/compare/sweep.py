"""Latency against rate: where a profile leaves its objective, where it bends, where it matters."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from producer_agent.advice.compare.analysis import Analysis, Difference, Figure, Kind, ProfileResult

KNEE_TIMES: Final = 3.0

_KINDS: Final[tuple[Kind, ...]] = ("ack", "end_to_end")

KNEE_RULE: Final = (
    "The knee is the lowest rate at which the client reached less than 95 % of what was asked, or "
    "p99 is more than 3 times that of the lowest rate, and the lowest rate's interval lies below "
    "it."
)


@dataclass(frozen=True, slots=True)
class SweepFinding:
    """What the rates tell of one profile. Rates are events a second; None: at none of these."""

    name: str
    profile: int
    leaves_objective_at: float | None
    why: str | None
    """Which part of the objective is missed there, in words."""
    certain: bool
    """The whole interval misses it, not only the figure."""
    knee_at: float | None
    same_as_baseline_to: float | None
    """Up to here, at every lower rate too, no difference to the baseline is told."""
    differs_from: float | None
    """From this rate on a difference is told."""


def latency_of(result: ProfileResult) -> dict[str, Figure]:
    """What a profile is held to: acknowledgements, or where none come, the end-to-end latency."""
    return result.ack if result.confirmed else result.end_to_end


def deciding(result: ProfileResult) -> tuple[str, Difference] | None:
    """The difference to the baseline that the verdict is about, with the name of its percentile.

    p99 of the acknowledgements; end to end where one of the two gets none; a lower percentile
    where too few events lie beyond p99.
    """
    for percentile in ("p99", "p90", "p50"):
        for kind in _KINDS:
            found = result.differences.get((kind, percentile))
            if found is not None:
                return (percentile if kind == "ack" else f"{percentile} end to end"), found
    return None


def sweep(analysis: Analysis) -> tuple[SweepFinding, ...]:
    """Findings for each profile; empty where there is one rate only."""
    if len(analysis.rates) < 2:
        return ()
    return tuple(_finding(analysis, place) for place in range(len(analysis.plan.profiles)))


def _finding(analysis: Analysis, place: int) -> SweepFinding:
    results = [found for rate in analysis.rates if (found := rate.of(place)) is not None]
    profile = analysis.plan.profiles[place]
    leaves, why, certain = _leaves(analysis, place, results)
    same_to, differs_from = _differs(results)
    return SweepFinding(
        profile.name, place, leaves, why, certain, _knee(results), same_to, differs_from
    )


def _leaves(
    analysis: Analysis, place: int, results: list[ProfileResult]
) -> tuple[float | None, str | None, bool]:
    objective = analysis.plan.profiles[place].objective
    for result in results:
        p99 = result.ack.get("p99") if result.confirmed else None
        wanted_us = None if objective.latency_p99_ms is None else objective.latency_p99_ms * 1000
        if p99 is not None and wanted_us is not None and p99.us > wanted_us:
            return (
                result.rate,
                f"p99 is {p99.us / 1000:.1f} ms, its objective {wanted_us / 1000:g} ms",
                p99.low_us is not None and p99.low_us > wanted_us,
            )
        ratio = result.success_ratio
        wanted = objective.success_ratio
        if ratio is not None and wanted is not None and ratio < wanted:
            return result.rate, f"{ratio:.4%} succeed, its objective {wanted:.4%}", True
    return None, None, False


def _knee(results: list[ProfileResult]) -> float | None:
    first = next((f for r in results if (f := latency_of(r).get("p99")) is not None), None)
    for result in results:
        p99 = latency_of(result).get("p99")
        bends = (
            first is not None
            and p99 is not None
            and p99.us > KNEE_TIMES * first.us
            and p99.us > (first.high_us or first.us)
        )
        if result.overloaded or bends:
            return result.rate
    return None


def _differs(results: list[ProfileResult]) -> tuple[float | None, float | None]:
    same_to: float | None = None
    for result in results:
        found = deciding(result)
        if found is None:
            return same_to, None
        if found[1].told:
            return same_to, result.rate
        same_to = result.rate
    return same_to, None
