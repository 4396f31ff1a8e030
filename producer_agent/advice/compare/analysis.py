"""What a comparison's turns come to: percentiles with intervals, differences, sums.

Pure: from stored rows to records, with no database and no Kafka, so that a page, the terminal
and an export say the same.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Literal, NamedTuple

import numpy as np

from producer_agent.advice.compare.plan import ComparisonPlan
from producer_agent.advice.compare.statistics import (
    CONFIDENCE,
    Counts,
    Interval,
    bootstrap_interval,
    paired_interval,
    quantile,
)
from producer_agent.store.comparisons import Bins, Turn
from producer_agent.store.latency_bins import upper_bound_of, value_of
from producer_agent.store.queries.comparisons import Comparison, Summary

Kind = Literal["ack", "end_to_end", "delay"]

PERCENTILES: Final[Mapping[str, float]] = {"p50": 0.5, "p90": 0.9, "p99": 0.99, "p99.9": 0.999}

BACKED_BY: Final = 10
"""Events that must lie beyond a percentile for it to be told: fewer are chance."""

ENOUGH_RATE: Final = 0.95
"""A client that reached less of the rate than this was overloaded."""


class Figure(NamedTuple):
    """A latency with its interval over rounds, in microseconds."""

    us: float
    low_us: float | None
    """None for a maximum: no interval can be made of one."""
    high_us: float | None
    beyond: int
    """Events beyond it."""


class Difference(NamedTuple):
    """How much later than the baseline, round by round, in microseconds."""

    us: float
    low_us: float
    high_us: float
    rounds: int
    confidence: float
    """Of this one interval: with several profiles it is above 0.95, so that all hold at 0.95."""

    @property
    def told(self) -> bool:
        """Whether it is one: an interval that covers 0 is none."""
        return not Interval(self.low_us, self.high_us).covers_zero


@dataclass(frozen=True, slots=True)
class ProfileResult:
    """One profile at one rate, all its rounds together."""

    name: str
    profile: int
    """Its place in the plan."""
    rate: float
    rounds: int
    acks: str
    """"0", "1" or "all"."""
    transactional: bool
    ack: dict[str, Figure]
    """By percentile (``p50`` ... ``p99.9`` where enough events back it, ``max``). Of acks=0 it is
    the hand-over to the client, and no acknowledgement; of a transaction until its commit."""
    end_to_end: dict[str, Figure]
    delay: dict[str, Figure]
    differences: dict[tuple[Kind, str], Difference]
    """To the baseline, by kind and percentile; empty for the baseline itself. No ``ack`` where
    either of the two has acks=0."""
    sent: int
    acknowledged: int
    unconfirmed: int
    unresolved: int
    failed: dict[str, int]
    rejected: dict[str, int]
    lost: int | None
    """None: not told for every turn."""
    duplicated: int | None
    phantom: int | None
    rate_reached: float
    batch_bytes: float | None
    batch_messages: float | None
    requests: int | None
    compression_ratio: float | None
    client_us: float | None
    """Mean time an event's batch waited in the client, sending included."""
    broker_us: float | None
    throttle_ms: float | None
    commits: int | None
    aborts: int | None
    cpu_us_per_message: float | None
    beside_per_s: float | None

    @property
    def confirmed(self) -> bool:
        """Whether a broker answers for its events."""
        return self.acks != "0"

    @property
    def overloaded(self) -> bool:
        """The client did not reach the rate: its latencies are of a client that cannot keep up."""
        return self.rate_reached < ENOUGH_RATE * self.rate

    @property
    def success_ratio(self) -> float | None:
        """Acknowledged of those that were reported; None where nobody answers."""
        reported = self.acknowledged + sum(self.failed.values())
        return self.acknowledged / reported if self.confirmed and reported else None


@dataclass(frozen=True, slots=True)
class RateResult:
    """All profiles at one rate."""

    rate: float
    profiles: tuple[ProfileResult, ...]
    """Those with a turn, in the plan's order."""

    def of(self, profile: int) -> ProfileResult | None:
        """A profile's result, by its place in the plan."""
        return next((found for found in self.profiles if found.profile == profile), None)


@dataclass(frozen=True, slots=True)
class Analysis:
    """A whole comparison."""

    summary: Summary
    plan: ComparisonPlan
    rates: tuple[RateResult, ...]
    """Those with a turn, ascending."""

    @property
    def base(self) -> RateResult | None:
        """At the load's own rate."""
        return next((r for r in self.rates if r.rate == self.plan.load.rate_per_s), None)


def analyse(comparison: Comparison) -> Analysis:
    """Percentiles, intervals and differences of a stored comparison.

    Raises:
        PlanInvalid: its plan was written by a version that knew other fields.
    """
    plan = ComparisonPlan.from_json(comparison.summary.plan)
    by_rate: dict[float, list[Turn]] = {}
    for turn in comparison.measured:
        by_rate.setdefault(turn.rate, []).append(turn)
    rates = tuple(_rate(plan, rate, turns) for rate, turns in sorted(by_rate.items()))
    return Analysis(comparison.summary, plan, rates)


def turns_of(comparison: Comparison, rate: float, profile: int) -> tuple[Turn, ...]:
    """A profile's turns at a rate, by round."""
    found = [t for t in comparison.measured if t.rate == rate and t.profile == profile]
    return tuple(sorted(found, key=lambda turn: turn.round))


def ecdf(turns: Iterable[Turn], kind: Kind) -> tuple[list[float], list[float]]:
    """Latencies in milliseconds, ascending, and the share of events at or below each."""
    counts, bins = pooled([bins_of(turn, kind) for turn in turns])
    if not bins:
        return [], []
    reached = np.cumsum(counts.sum(axis=0))
    return [upper_bound_of(b) / 1000 for b in bins], (reached / reached[-1]).tolist()


def bins_of(turn: Turn, kind: Kind) -> Bins:
    """A turn's counted latencies of a kind."""
    if kind == "ack":
        return turn.ack
    return turn.end_to_end if kind == "end_to_end" else turn.delay


def pooled(rounds: Sequence[Bins]) -> tuple[Counts, list[int]]:
    """Counts by round and bin, and the bins, ascending."""
    bins = sorted({number for counted in rounds for number, _ in counted})
    place = {number: at for at, number in enumerate(bins)}
    counts = np.zeros((len(rounds), len(bins)))
    for row, counted in enumerate(rounds):
        for number, n in counted:
            counts[row, place[number]] += n
    return counts, bins


def _rate(plan: ComparisonPlan, rate: float, turns: Sequence[Turn]) -> RateResult:
    by_profile: dict[int, dict[int, Turn]] = {}
    for turn in turns:
        by_profile.setdefault(turn.profile, {})[turn.round] = turn
    baseline = by_profile.get(plan.baseline_index, {})
    return RateResult(
        rate,
        tuple(
            _profile(plan, rate, profile, by_round, baseline)
            for profile, by_round in sorted(by_profile.items())
        ),
    )


def _profile(
    plan: ComparisonPlan,
    rate: float,
    place: int,
    by_round: dict[int, Turn],
    baseline: dict[int, Turn],
) -> ProfileResult:
    profile = plan.profiles[place]
    turns = [by_round[number] for number in sorted(by_round)]
    measures = [turn.measures for turn in turns]
    sent = sum(m.sent for m in measures)
    batches = _sum(m.batches for m in measures)
    wire = _sum(m.wire_bytes for m in measures)
    messages = _sum(m.message_bytes for m in measures)
    waits = [
        (m.client_queue_us + (m.client_send_us or 0.0), m.sent)
        for m in measures
        if m.client_queue_us is not None
    ]
    return ProfileResult(
        name=profile.name,
        profile=place,
        rate=rate,
        rounds=len(turns),
        acks=profile.acks_label,
        transactional=profile.producer.is_transactional,
        ack=_figures(turns, "ack", plan.seed),
        end_to_end=_figures(turns, "end_to_end", plan.seed),
        delay=_figures(turns, "delay", plan.seed),
        differences={}
        if place == plan.baseline_index
        else _differences(plan, place, by_round, baseline),
        sent=sent,
        acknowledged=sum(m.acknowledged for m in measures),
        unconfirmed=sum(m.unconfirmed for m in measures),
        unresolved=sum(m.unresolved for m in measures),
        failed=_add_up(m.failed for m in measures),
        rejected=_add_up(m.rejected for m in measures),
        lost=_sum(m.lost for m in measures),
        duplicated=_sum(m.duplicated for m in measures),
        phantom=_sum(m.phantom for m in measures),
        rate_reached=sum(m.rate_reached for m in measures) / len(measures),
        batch_bytes=wire / batches if wire is not None and batches else None,
        batch_messages=_weighted([(m.batch_messages, m.batches or 0) for m in measures]),
        requests=_sum(m.requests for m in measures),
        compression_ratio=messages / wire if messages is not None and wire else None,
        client_us=_weighted(waits),
        broker_us=_weighted([(m.broker_us, m.requests or 0) for m in measures]),
        throttle_ms=_weighted([(m.throttle_ms, m.requests or 0) for m in measures]),
        commits=_sum(m.commits for m in measures),
        aborts=_sum(m.aborts for m in measures),
        cpu_us_per_message=_weighted([(m.cpu_us_per_message, m.sent) for m in measures]),
        beside_per_s=_weighted([(m.beside_per_s, 1) for m in measures]),
    )


def _figures(turns: Sequence[Turn], kind: Kind, seed: int) -> dict[str, Figure]:
    counts, bins = pooled([bins_of(turn, kind) for turn in turns])
    events = int(counts.sum())
    if not events:
        return {}
    figures = {}
    for name, q in PERCENTILES.items():
        beyond = _beyond(events, q)
        if beyond < BACKED_BY:
            continue
        interval = bootstrap_interval(counts, bins, q, seed)
        low, high = (None, None) if interval is None else interval
        figures[name] = Figure(quantile(counts, bins, q), low, high, beyond)
    figures["max"] = Figure(value_of(bins[-1]), None, None, 0)
    return figures


def _differences(
    plan: ComparisonPlan, place: int, mine: dict[int, Turn], baseline: dict[int, Turn]
) -> dict[tuple[Kind, str], Difference]:
    rounds = sorted(mine.keys() & baseline.keys())
    if len(rounds) < 2:
        return {}
    confirmed = [plan.profiles[p].acks_label != "0" for p in (place, plan.baseline_index)]
    kinds: list[Kind] = ["ack", "end_to_end"] if all(confirmed) else ["end_to_end"]
    # Bonferroni's: with so many intervals against one baseline, all of them hold at 0.95.
    confidence = 1 - (1 - CONFIDENCE) / (len(plan.profiles) - 1)
    found: dict[tuple[Kind, str], Difference] = {}
    for kind in kinds:
        each = [
            [pooled([bins_of(of[number], kind)]) for number in rounds] for of in (mine, baseline)
        ]
        fewest = min(sum(counts.sum() for counts, _ in of) for of in each)
        if not all(bins for of in each for _, bins in of):
            continue
        for name, q in PERCENTILES.items():
            if _beyond(int(fewest), q) < BACKED_BY:
                continue
            one, other = ([quantile(counts, bins, q) for counts, bins in of] for of in each)
            mean, interval = paired_interval(one, other, confidence)
            found[kind, name] = Difference(mean, *interval, len(rounds), confidence)
    return found


def _beyond(events: int, q: float) -> int:
    return events - int(np.ceil(q * events - 1e-9))


def _sum(values: Iterable[int | None]) -> int | None:
    found = list(values)
    return None if any(value is None for value in found) else sum(v for v in found if v is not None)


def _weighted(pairs: Iterable[tuple[float | None, float]]) -> float | None:
    known = [(value, weight) for value, weight in pairs if value is not None and weight > 0]
    total = sum(weight for _, weight in known)
    return sum(value * weight for value, weight in known) / total if total else None


def _add_up(parts: Iterable[Mapping[str, int]]) -> dict[str, int]:
    total: Counter[str] = Counter()
    for part in parts:
        total.update(part)
    return dict(total.most_common())
