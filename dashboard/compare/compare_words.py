"""Comparisons in words: how one stands, what it found, what to read it with.

Pure functions. What they return is Markdown, with foreign text in it escaped.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Final

from dashboard.components.notices import Notice
from dashboard.formats import ago, code_span, count, duration, escape_markdown, rate, size
from dashboard.letters.triage_words import BadgeColour
from producer_agent.advice.compare.analysis import Analysis, Kind, RateResult
from producer_agent.advice.compare.plan import ComparisonPlan
from producer_agent.advice.compare.side_by_side import Change, SideBySide
from producer_agent.advice.compare.sweep import deciding
from producer_agent.advice.compare.verdict import milliseconds, verdict
from producer_agent.store.queries.comparisons import Summary

STATES: Final[Mapping[str, tuple[str, BadgeColour]]] = MappingProxyType(
    {
        "running": (":material/play_circle:", "violet"),
        "done": (":material/check_circle:", "green"),
        "cancelled": (":material/cancel:", "gray"),
        "incomplete": (":material/report:", "orange"),
    }
)
"""Icon and badge colour of each state."""

KIND_WORDS: Final[Mapping[Kind, str]] = MappingProxyType(
    {"ack": "acknowledgement", "end_to_end": "end to end", "delay": "schedule delay"}
)

EMBEDDED: Final = Notice(
    "info",
    "The embedded cluster does not replicate: here only client settings are compared",
    "It is in memory. What acks=all or a transaction costs can be measured on a real cluster "
    "alone: `make lab` starts three nodes on this machine.",
    ":material/memory:",
)

NARROWER: Final = (
    "More rounds, longer turns or a quieter machine make the intervals narrower: **Again** has "
    "these figures to start from."
)

EMPTY: Final = Notice(
    "info",
    "Nothing has been compared yet",
    "A comparison sends the same events under each profile, in rounds whose order is shuffled, to "
    "a topic of its own, and says which differences are real and how large they are.",
    ":material/balance:",
)


def names(these: Sequence[str]) -> str:
    """``critical, analytics and metrics``, as Markdown."""
    escaped = [escape_markdown(name) for name in these]
    return escaped[0] if len(escaped) == 1 else f"{', '.join(escaped[:-1])} and {escaped[-1]}"


def time_of(seconds: float) -> str:
    """``45 s``, ``2 min 10 s``, ``1 h 20 min``: short times to the second."""
    whole = max(round(seconds), 0)
    if 60 <= whole < 600 and whole % 60:
        return f"{whole // 60} min {whole % 60} s"
    return duration(whole)


def beforehand(plan: ComparisonPlan) -> str:
    """How long it takes and what it sends, before it is begun."""
    rates = ", ".join(rate(each) for each in plan.rates)
    events = round(plan.payload_total / plan.load.payload_bytes)
    return (
        f"It takes about **{time_of(plan.expected_s)}**: {plan.rounds} rounds of "
        f"{len(plan.profiles)} profiles at {rates}, and a practice round that is left out; "
        f"{plan.turn_s:.3g} s a turn. It sends {count(events)} events, "
        f"{size(round(plan.payload_total))} of payload."
    )


def share_done(summary: Summary, now_us: int) -> float:
    """How much of the time it takes has passed, 0 to 1; below 1 while it runs."""
    if summary.expected_end_us is None or summary.expected_end_us <= summary.started_us:
        return 0.0
    whole = max(summary.expected_end_us, now_us) - summary.started_us
    return min(max((now_us - summary.started_us) / whole, 0.0), 0.99)


def left(summary: Summary, now_us: int) -> str:
    """``1 min 20 s left``."""
    if summary.expected_end_us is None:
        return "time left not known yet"
    seconds = (summary.expected_end_us - now_us) / 1e6
    if seconds < -5:
        return "it takes longer than expected"
    return f"{time_of(seconds)} left" if seconds >= 1 else "about to end"


def running(summary: Summary, now_us: int, *, silent: bool) -> Notice:
    """How one that is under way stands."""
    title = f"Comparison {summary.id} is running: {left(summary, now_us)}"
    if silent:
        return Notice(
            "warning",
            f"Comparison {summary.id} was running when the agent fell silent",
            "Whether it goes on is not known. When the agent is back it goes on, or is marked "
            "incomplete; what was measured is kept either way.",
            ":material/heart_broken:",
        )
    at = escape_markdown(summary.progress or "It connects, and makes its topic.")
    return Notice(
        "info",
        title,
        f"**{summary.turns_done} of {summary.turns} turns measured**, now at {at}. The verdict "
        "comes at the end: half a comparison looked at early finds differences that are none.",
        ":material/play_circle:",
    )


def found(analysis: Analysis) -> Notice:
    """The verdict, its first sentence as the title; how it ended, where that was early."""
    words = verdict(analysis)
    text = "  \n".join(escape_markdown(line) for line in words.lines)
    if analysis.summary.state in ("incomplete", "cancelled"):
        again = f"{cut_short(analysis.summary)} **Again** measures the whole of it."
        return Notice(
            "warning",
            escape_markdown(words.headline),
            f"{text}  \n{again}" if text else again,
            STATES[analysis.summary.state][0],
        )
    if not _any_told(analysis):
        text = f"{text}  \n{NARROWER}" if text else NARROWER
        return Notice("info", escape_markdown(words.headline), text, ":material/balance:")
    return Notice("success", escape_markdown(words.headline), text, ":material/balance:")


def _any_told(analysis: Analysis) -> bool:
    decided = [deciding(found) for at in analysis.rates for found in at.profiles]
    return any(one is not None and one[1].told for one in decided)


def cut_short(summary: Summary) -> str:
    """That it was not measured to its end, and why."""
    why = f": {escape_markdown(summary.reason)}" if summary.reason else "."
    return (
        f"It is {summary.state}, with {summary.turns_done} of {summary.turns} turns measured{why}"
    )


def care(analysis: Analysis) -> Notice | None:
    """What the figures have to be read with; None where there is nothing."""
    caveats = [
        line
        for line in verdict(analysis).caveats
        # The verdict's notice tells that already.
        if not line.startswith(f"It is {analysis.summary.state}, with ")
    ]
    embedded = analysis.summary.environment["cluster_kind"] == "embedded"
    if not caveats:
        return EMBEDDED if embedded else None
    return Notice(
        "info",
        EMBEDDED.title if embedded else "Read it with this",
        "\n".join(f"- {escape_markdown(line)}" for line in caveats),
        EMBEDDED.icon if embedded else ":material/info:",
    )


def about(summary: Summary, now_us: int) -> str:
    """Who measured it when, for how long, on what."""
    environment = summary.environment
    took = (
        f"took {time_of((summary.ended_us - summary.started_us) / 1e6)}"
        if summary.ended_us is not None
        else "running"
    )
    kind = {"embedded": "embedded cluster", "lab": "lab"}.get(
        str(environment["cluster_kind"]), "real cluster"
    )
    return (
        f"by {escape_markdown(summary.made_by)} {ago(summary.started_us, now_us)} · {took} · "
        f"{kind}, {environment['brokers']} brokers"
    )


def method(analysis: Analysis) -> list[str]:
    """How it was measured, a line each."""
    plan, environment = analysis.plan, analysis.summary.environment
    load, layout = plan.load, plan.layout
    keys = f"{count(load.keys)} keys" if load.keys else "no key"
    return [
        f"**Load**: the same events for each, at {', '.join(rate(r) for r in plan.rates)}, open "
        f"loop; {count(load.payload_bytes)} B of "
        f"{'compressible text' if load.compressible else 'random bytes'}, {keys}. "
        f"{load.seconds:g} s a turn are measured, after {load.warm_up_s:g} s of warm-up and a "
        "practice round that are left out.",
        f"**Topic**: one for all, {layout.partitions} partitions, replication factor "
        f"{layout.replication_factor}, min.insync.replicas {layout.min_insync_replicas}.",
        f"**Cluster**: {code_span(str(environment['cluster_id']))} at "
        f"{code_span(str(environment['bootstrap_servers']))}.",
        f"**Client**: librdkafka {escape_markdown(str(environment['librdkafka']))}, "
        f"confluent-kafka {escape_markdown(str(environment['confluent_kafka']))}, Python "
        f"{escape_markdown(str(environment['python']))}, {environment['cpus']} CPUs, "
        f"{escape_markdown(str(environment['platform']))}.",
        "**Figures** are of all rounds pooled, each with its 95 % interval over rounds (resampled)."
        " A **difference** is the mean over rounds, each paired with the baseline's of the same "
        "round; where its interval covers 0 it is called none. All differences hold at 95 % "
        "together.",
        f"**Order** of the turns: shuffled in each round with seed {plan.seed}.",
    ]


def without_difference(at: RateResult, kind: Kind, baseline: str) -> str | None:
    """Why some profiles have no difference of this kind; None where all have."""
    missing = [
        result
        for result in at.profiles
        if result.name != baseline and not any(of == kind for of, _ in result.differences)
    ]
    if not missing:
        return None
    told = names([result.name for result in missing])
    acks0 = kind == "ack" and (
        any(not result.confirmed for result in missing)
        or any(not result.confirmed for result in at.profiles if result.name == baseline)
    )
    if acks0:
        return (
            f"{told}: nobody acknowledges with acks=0, so there is nothing to take a difference "
            "of. Look at **End to end**."
        )
    return f"{told}: too few rounds of both, or too few events, for a difference."


def beside(laid: SideBySide) -> Notice:
    """What changed from the first to the second, in a sentence."""
    first, second = laid.first.summary.id, laid.second.summary.id
    told = [change for change in laid.changes if change.difference.told]
    warning = (
        f"**{_settings(len(laid.differing))} between them**, see below. "
        if laid.differing
        else "Their settings are the same. "
    ) + "They were not measured side by side: what else changed meanwhile is in it, too."
    if not laid.changes:
        return Notice(
            "warning",
            f"Comparisons {first} and {second} have nothing in common that could be compared",
            "They need a profile of the same name at the same rate, with two rounds in both.",
            ":material/compare_arrows:",
        )
    if not told:
        return Notice(
            "success",
            f"No difference between comparisons {first} and {second} that they can tell",
            warning,
            ":material/compare_arrows:",
        )
    worst = max(told, key=_weight)
    return Notice(
        "info",
        _change(worst, first, second),
        warning,
        ":material/compare_arrows:",
    )


def _settings(n: int) -> str:
    return "One setting differs" if n == 1 else f"{count(n)} settings differ"


def _weight(change: Change) -> tuple[bool, float]:
    """p99 is what is asked of; among those the largest."""
    return change.percentile == "p99", abs(change.difference.us)


def _change(change: Change, first: int, second: int) -> str:
    difference = change.difference
    word = "later" if difference.us > 0 else "earlier"
    low, high = sorted((abs(difference.low_us), abs(difference.high_us)))
    kind = "" if change.kind == "ack" else " end to end"
    return (
        f"{escape_markdown(change.name)} is {milliseconds(abs(difference.us))} ms {word} at "
        f"{change.percentile}{kind} in comparison {second} than in {first}, at "
        f"{rate(change.rate)} (95 %: {milliseconds(low)} to {milliseconds(high)})"
    )
