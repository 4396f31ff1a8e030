"""The advice in sentences: what a page or a terminal says first."""

from __future__ import annotations

from collections.abc import Sequence

from producer_agent.advice.advisor.advice import Advice, Evidence

HOW_TO_MEASURE = (
    "Nothing was measured here yet: the settings follow from rules. Compare the profiles at this "
    "event's rate on your own cluster (`compare`), and ask again."
)
ONLY_EMBEDDED = (
    "Only the embedded cluster was measured, which does not replicate: its latencies say nothing "
    "about acks. Compare on your own cluster or the lab, and ask again."
)


def answer(advice: Advice) -> str:
    """The answer in a sentence."""
    name, q = advice.question.name, advice.question
    if not advice.is_possible:
        return f"{name}: what was asked cannot be had. {advice.conflicts[0].message}"
    acks = {
        "all": "acks=all, idempotent",
        "1": "acks=1: the leader's word",
        "0": "acks=0: nobody confirms",
    }[advice.acks]
    how = f"{acks}, in transactions" if advice.is_transactional else acks
    if advice.acks == "all":
        copies = advice.topic_settings["min.insync.replicas"]
        held = (
            f"what was acknowledged is on at least {copies} brokers"
            if int(copies) > 1
            else "and yet one broker holds the only copy"
        )
    elif advice.acks == "1":
        held = "a leader's death may lose what it had acknowledged, all else is reported"
    else:
        held = "nothing proves what arrived, and little is lost with one"
    return f"{q.name}: {how}; {held}."


def evidence(advice: Advice) -> tuple[str, ...]:
    """What was measured here that bears on it, a sentence each; how to measure where there is
    nothing.
    """
    real = [found for found in advice.support if found.replicates]
    if not real:
        return (ONLY_EMBEDDED if advice.support else HOW_TO_MEASURE,)
    return tuple(measured(found) for found in real)


def measured(found: Evidence) -> str:
    """One measurement in a sentence."""
    kind = ", in transactions" if found.transactional else ""
    text = (
        f"{found.profile} (acks={found.acks}{kind}) at {found.rate_per_s:g}/s: "
        f"p99 {found.p99_ms:.3g} ms (95%: {found.p99_low_ms:.3g} to {found.p99_high_ms:.3g})"
    )
    if found.lost is not None and found.events:
        text += f"; {found.lost:,} of {found.events:,} events were acknowledged and yet lost"
    return text + "."


def objective(advice: Advice) -> str:
    """The objective that follows, in a sentence."""
    target = advice.objective
    parts = []
    if target.success_ratio is not None:
        parts.append(f"{target.success_ratio * 100:.6g} % delivered")
    if target.latency_p99_ms is not None:
        parts.append(f"p99 within {target.latency_p99_ms:g} ms")
    if not parts:
        return "Objective: none that could be measured; watch the rate of sending instead."
    note = "" if target.success_ratio is not None else " (nothing proves delivery with acks=0)"
    return f"Objective: {' and '.join(parts)}{note}."


def side_by_side(advices: Sequence[Advice]) -> list[tuple[str, tuple[str | None, ...]]]:
    """Each setting with its value for each event type, None where it is left at its default."""
    rows: dict[str, None] = {}
    for advice in advices:
        rows |= dict.fromkeys(choice.name for choice in (*advice.producer, *advice.topic))
    table = [{c.name: c.shown for c in (*advice.producer, *advice.topic)} for advice in advices]
    topic = {choice.name for advice in advices for choice in advice.topic}
    ordered = [name for name in rows if name not in topic] + [n for n in rows if n in topic]
    return [(name, tuple(values.get(name) for values in table)) for name in ordered]
