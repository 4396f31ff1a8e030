"""A comparison's verdict in words: what differs, by how much, and what not to read into it."""

from __future__ import annotations

from dataclasses import dataclass

from producer_agent.advice.compare.analysis import Analysis, ProfileResult, RateResult
from producer_agent.advice.compare.sweep import SweepFinding, deciding, sweep


@dataclass(frozen=True, slots=True)
class Verdict:
    """The first line answers; the others tell the rest."""

    headline: str
    lines: tuple[str, ...]
    """One for each further profile and finding."""
    caveats: tuple[str, ...]
    """What the figures must be read with."""


def verdict(analysis: Analysis) -> Verdict:
    """The verdict on a comparison, finished or not."""
    base = analysis.base or (analysis.rates[-1] if analysis.rates else None)
    if base is None:
        return Verdict("Nothing is measured yet.", (), _caveats(analysis))
    sentences = _differences(analysis, base)
    found = [words for words, _ in sentences]
    order = sorted(range(len(found)), key=lambda at: -sentences[at][1])
    lines = [found[at] for at in order]
    lines += [line for finding in sweep(analysis) for line in _sweep_words(analysis, finding)]
    if not lines:
        lines = [f"No round of two profiles is measured yet at {_rate(base.rate)}."]
    return Verdict(lines[0], tuple(lines[1:]), _caveats(analysis))


def milliseconds(us: float, *, sign: bool = False) -> str:
    """``6.1``, ``0.42``, ``123``: as many digits as the bins of 1 % can tell; no unit."""
    ms = us / 1000
    digits = 0 if abs(ms) >= 100 else 1 if abs(ms) >= 1 else 2
    return f"{ms:+.{digits}f}" if sign else f"{ms:.{digits}f}"


def _differences(analysis: Analysis, at: RateResult) -> list[tuple[str, float]]:
    """A sentence a profile, and how large the told difference is (0: none is)."""
    baseline = at.of(analysis.plan.baseline_index)
    if baseline is None:
        return []
    same, told = [], []
    for result in at.profiles:
        found = deciding(result)
        if found is None:
            continue
        percentile, difference = found
        span = f"{milliseconds(difference.low_us)} to {milliseconds(difference.high_us)}"
        if not difference.told:
            same.append((result, percentile, span))
        elif difference.us > 0:
            told.append(
                (
                    f"{result.name} costs {milliseconds(difference.us, sign=True)} ms at "
                    f"{percentile} (95%: {span}) over {baseline.name} at {_rate(at.rate)}.",
                    difference.us,
                )
            )
        else:
            span = f"{milliseconds(-difference.high_us)} to {milliseconds(-difference.low_us)}"
            told.append(
                (
                    f"{result.name} saves {milliseconds(-difference.us)} ms at {percentile} "
                    f"(95%: {span}) against {baseline.name} at {_rate(at.rate)}.",
                    -difference.us,
                )
            )
    return told + [
        (
            f"{result.name} and {baseline.name}: no difference at {percentile} that this "
            f"measurement can tell at {_rate(at.rate)} (95%: {span} ms).",
            0.0,
        )
        for result, percentile, span in same
    ]


def _sweep_words(analysis: Analysis, finding: SweepFinding) -> list[str]:
    words = []
    baseline = analysis.plan.baseline
    if finding.differs_from is not None and finding.same_as_baseline_to is not None:
        words.append(
            f"Up to {_rate(finding.same_as_baseline_to)} you will not notice whether it is "
            f"{finding.name} or {baseline}: a difference is told from "
            f"{_rate(finding.differs_from)} on."
        )
    elif finding.same_as_baseline_to is not None and finding.differs_from is None:
        words.append(
            f"You will not notice whether it is {finding.name} or {baseline} at any rate up to "
            f"{_rate(finding.same_as_baseline_to)}: no difference is told."
        )
    if finding.leaves_objective_at is not None:
        surely = "" if finding.certain else ", though not beyond doubt"
        words.append(
            f"{finding.name} leaves its objective at {_rate(finding.leaves_objective_at)}: "
            f"{finding.why}{surely}."
        )
    if finding.knee_at is not None:
        words.append(f"{finding.name} has its knee at {_rate(finding.knee_at)}.")
    return words


def _caveats(analysis: Analysis) -> tuple[str, ...]:
    summary, plan = analysis.summary, analysis.plan
    found: list[str] = []
    if summary.state in ("incomplete", "cancelled"):
        why = f": {summary.reason}" if summary.reason else "."
        found.append(
            f"It is {summary.state}, with {summary.turns_done} of {summary.turns} turns "
            f"measured{why}"
        )
    found += summary.notes
    results = [result for at in analysis.rates for result in at.profiles]
    for result in results:
        found += _of_one(result)
    if any(profile.acks_label == "0" for profile in plan.profiles):
        named = _named([p.name for p in plan.profiles if p.acks_label == "0"])
        found.append(
            f"{named}: nobody acknowledges with acks=0. The latency shown as acknowledgement is "
            f"the hand-over to the network, and differences are taken end to end."
        )
    transactional = [p.name for p in plan.profiles if p.producer.is_transactional]
    if transactional:
        found.append(
            f"{_named(transactional)}: latency is until the commit, of which there is one each "
            f"`workload.transaction_ms`."
        )
    return tuple(found)


def _of_one(result: ProfileResult) -> list[str]:
    found = []
    where = f"{result.name} at {_rate(result.rate)}"
    if result.overloaded:
        found.append(
            f"{where}: these are figures of an overloaded client, which reached "
            f"{result.rate_reached:,.0f} of {result.rate:,g} events/s."
        )
    if result.failed or result.rejected:
        codes = ", ".join(
            f"{name} ×{n:,}" for name, n in {**result.failed, **result.rejected}.items()
        )
        found.append(f"{where}: events failed, and are in no latency ({codes}).")
    if result.unresolved:
        found.append(f"{where}: {result.unresolved:,} events had no report when a turn ended.")
    if result.lost:
        whose = "acknowledged" if result.confirmed else "handed over"
        found.append(f"{where}: {result.lost:,} {whose} events were not there to read.")
    if result.duplicated:
        found.append(f"{where}: {result.duplicated:,} records were there twice.")
    return found


def _rate(rate: float) -> str:
    return f"{rate:,g}/s"


def _named(names: list[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
