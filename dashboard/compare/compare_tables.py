"""The tables of a comparison: a row a profile, with no more columns at once than can be read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

import streamlit as st

from dashboard.formats import NOTHING, count, rate, ratio
from producer_agent.advice.compare.analysis import (
    PERCENTILES,
    Analysis,
    Figure,
    Kind,
    ProfileResult,
    RateResult,
    bins_of,
)
from producer_agent.advice.compare.side_by_side import SideBySide
from producer_agent.advice.compare.sweep import SweepFinding
from producer_agent.advice.compare.verdict import milliseconds
from producer_agent.store.comparisons import Turn
from producer_agent.store.latency_bins import quantiles
from producer_agent.store.queries.comparisons import Comparison

HAND_OVER: Final = "hand-over, no ack"

LATENCY, DELIVERY, COST = "Latency", "Delivery", "Batching and cost"
VIEWS: Final = (LATENCY, DELIVERY, COST)

MOST_ROUNDS: Final = 10
"""Rounds that the live table shows at once, the latest."""

Row = dict[str, str]


def draw(view: str, at: RateResult) -> None:
    """One of :data:`VIEWS`."""
    if view == DELIVERY:
        _table([delivery(found) for found in at.profiles], _DELIVERY, "delivery")
    elif view == COST:
        _table([cost(found) for found in at.profiles], _COST, "cost")
    else:
        rows = [row for found in at.profiles for row in latencies(found)]
        _table(rows, _LATENCY, "latency")


def latencies(found: ProfileResult) -> list[Row]:
    """Its acknowledgements, and end to end: percentiles in milliseconds with their intervals."""
    of = "until commit" if found.transactional else "ack"
    return [
        _latency(found, of if found.confirmed else HAND_OVER, found.ack),
        _latency(found, "end to end", found.end_to_end),
    ]


def delivery(found: ProfileResult) -> Row:
    """What became of its events."""
    late = found.delay.get("p99")
    reported = found.acknowledged + sum(found.failed.values())
    return {
        "profile": found.name,
        "sent": count(found.sent),
        "success": ratio(found.acknowledged, reported) if found.confirmed else "unconfirmed",
        "unconfirmed": NOTHING if found.confirmed else count(found.unconfirmed),
        "failed": _codes(found.failed),
        "rejected": _codes(found.rejected),
        "unresolved": count(found.unresolved),
        "lost": "not told" if found.lost is None else count(found.lost),
        "twice": "not told" if found.duplicated is None else count(found.duplicated),
        "reached": f"{rate(found.rate_reached)} of {rate(found.rate)}",
        "late": NOTHING if late is None else f"{milliseconds(late.us)} ms",
    }


def cost(found: ProfileResult) -> Row:
    """What the client made of them, from librdkafka's statistics, and what it cost."""
    return {
        "profile": found.name,
        "batch": _number(found.batch_bytes, 0, " B"),
        "events": _number(found.batch_messages, 1),
        "requests": NOTHING if found.requests is None else count(found.requests),
        "compression": _number(found.compression_ratio, 2, "×"),
        "client": _ms(found.client_us),
        "broker": _ms(found.broker_us),
        "throttle": _number(found.throttle_ms, 1, " ms"),
        "cpu": _number(found.cpu_us_per_message, 0, " µs"),
        "commits": NOTHING
        if found.commits is None
        else f"{count(found.commits)}, {count(found.aborts or 0)} aborted",
        "beside": NOTHING if found.beside_per_s is None else rate(found.beside_per_s),
    }


def live(comparison: Comparison, analysis: Analysis) -> None:
    """Each turn's p99 as it is measured; its shape is the same from the first to the last."""
    rows, shown = live_rows(comparison, analysis)
    config: dict[str, Any] = {
        "profile": st.column_config.TextColumn("Profile", width=105, pinned=True),
        "rate": st.column_config.TextColumn("At", width=70),
        "of": st.column_config.TextColumn("p99, ms", width=85),
    } | {name: st.column_config.TextColumn(width=80, alignment="right") for name in shown}
    st.dataframe(
        rows,
        column_config=config,
        hide_index=True,
        height="content" if len(rows) <= 15 else 420,
        key=f"compare-live-{comparison.summary.id}",
        alt="p99 of each turn so far, in milliseconds",
    )


def live_rows(comparison: Comparison, analysis: Analysis) -> tuple[list[Row], tuple[str, ...]]:
    """The live table's rows, and the names of its columns of rounds."""
    plan = analysis.plan
    turns = {(turn.rate, turn.profile, turn.round): turn for turn in comparison.measured}
    latest = max((turn.round for turn in comparison.measured), default=1)
    last = min(max(latest + 1, MOST_ROUNDS), plan.rounds)
    numbers = range(max(last - MOST_ROUNDS, 0) + 1, last + 1)
    rows: list[Row] = []
    for each in plan.rates:
        for place, profile in enumerate(plan.profiles):
            kind: Kind = "ack" if profile.acks_label != "0" else "end_to_end"
            row: Row = {"profile": profile.name}
            if len(plan.rates) > 1:
                row["rate"] = rate(each)
            row["of"] = "ack" if kind == "ack" else "end to end"
            row |= {
                f"round {n}": _turn(turns.get((each, place, n)), kind, PERCENTILES["p99"])
                for n in numbers
            }
            rows.append(row)
    return rows, tuple(f"round {n}" for n in numbers)


def findings(found: Sequence[SweepFinding]) -> None:
    """What the rates tell of each profile."""
    rows: list[Row] = [
        {
            "profile": one.name,
            "leaves": NOTHING if one.leaves_objective_at is None else rate(one.leaves_objective_at),
            "why": "" if one.why is None else one.why + ("" if one.certain else " (in doubt)"),
            "knee": NOTHING if one.knee_at is None else rate(one.knee_at),
            "same": NOTHING
            if one.same_as_baseline_to is None
            else f"up to {rate(one.same_as_baseline_to)}",
        }
        for one in found
    ]
    _table(rows, _SWEEP, "sweep")


def order(analysis: Analysis, at_rate: float) -> None:
    """Which profile had which turn, round by round."""
    plan = analysis.plan
    rows: list[Row] = [
        {"round": str(number)}
        | {
            f"turn {turn}": plan.names[place]
            for turn, place in enumerate(plan.order(at_rate, number), 1)
        }
        for number in range(1, plan.rounds + 1)
    ]
    st.dataframe(
        rows,
        column_config={"round": st.column_config.TextColumn("Round", width=70, pinned=True)},
        hide_index=True,
        height="content" if len(rows) <= 10 else 320,
        key="compare-order",
        alt="The order of turns in each round",
    )


def changes(laid: SideBySide) -> None:
    """Every percentile that both have, and its change."""
    first, second = laid.first.summary.id, laid.second.summary.id
    rows: list[Row] = [
        {
            "profile": change.name,
            "rate": rate(change.rate),
            "of": "ack" if change.kind == "ack" else "end to end",
            "percentile": change.percentile,
            "first": _ms(change.first_us),
            "second": _ms(change.second_us),
            "change": (
                f"{milliseconds(change.difference.us, sign=True)} ms"
                if change.difference.told
                else "none told"
            ),
            "interval": f"{milliseconds(change.difference.low_us)} to "
            f"{milliseconds(change.difference.high_us)}",
        }
        for change in laid.changes
    ]
    head = dict(_CHANGES)
    head["first"] = (f"In {first}", 90)
    head["second"] = (f"In {second}", 90)
    _table(rows, head, "changes")


def differing(laid: SideBySide) -> None:
    """What is not the same in both."""
    first, second = laid.first.summary.id, laid.second.summary.id
    rows: list[Row] = [
        {"what": one.what, "first": one.first, "second": one.second} for one in laid.differing
    ]
    head = {
        "what": ("Not the same", 330),
        "first": (f"In {first}", 280),
        "second": (f"In {second}", 280),
    }
    _table(rows, head, "differing", left=tuple(head))


Columns = Mapping[str, tuple[str, int]]
"""By a row's key: the column's heading and its width in pixels."""

_LATENCY: Final[Columns] = {
    "profile": ("Profile", 115),
    "of": ("ms, of", 118),
    **{name: (name, 138) for name in PERCENTILES},
    "max": ("max", 70),
}
_DELIVERY: Final[Columns] = {
    "profile": ("Profile", 120),
    "sent": ("Sent", 70),
    "success": ("Success", 90),
    "unconfirmed": ("Unconfirmed", 88),
    "failed": ("Failed", 60),
    "rejected": ("Rejected", 68),
    "unresolved": ("Unresolved", 80),
    "lost": ("Lost", 56),
    "twice": ("Twice", 56),
    "reached": ("Rate reached", 120),
    "late": ("Late, p99", 80),
}
_COST: Final[Columns] = {
    "profile": ("Profile", 120),
    "batch": ("Batch", 75),
    "events": ("Events in it", 85),
    "requests": ("Requests", 75),
    "compression": ("Compressed", 88),
    "client": ("In client", 75),
    "broker": ("At broker", 75),
    "throttle": ("Throttled", 75),
    "cpu": ("CPU an event", 92),
    "commits": ("Commits", 80),
    "beside": ("Beside it", 75),
}
_SWEEP: Final[Columns] = {
    "profile": ("Profile", 130),
    "leaves": ("Leaves its objective at", 150),
    "why": ("Why", 280),
    "knee": ("Knee at", 80),
    "same": ("Like the baseline", 130),
}
_CHANGES: Final[Columns] = {
    "profile": ("Profile", 130),
    "rate": ("At", 75),
    "of": ("Of", 85),
    "percentile": ("", 55),
    "first": ("First", 90),
    "second": ("Second", 90),
    "change": ("Change", 95),
    "interval": ("95 %, ms", 130),
}
_HELP: Final[Mapping[str, str]] = {
    "of": "acks=0 gets no acknowledgement: of it this is the hand-over to the network. The range "
    "is the 95 % interval over rounds.",
    "success": "Acknowledged of those that were reported. acks=0 has none: nobody answers.",
    "lost": "Acknowledged (acks=0: handed over) and not there to read.",
    "twice": "Records that were there again, beyond the first of their event.",
    "reached": "Events a second that produce() took, of those that were due.",
    "late": "Schedule delay: how late events were produced after they were due.",
    "batch": "Mean size of a batch as it was sent, compressed.",
    "compression": "Bytes in messages over bytes sent; below 1 the framing outweighs it.",
    "client": "Mean time from produce() until an event's request was sent.",
    "broker": "Mean time from there until the broker's answer.",
    "throttle": "Mean time for which a broker asked to hold back.",
    "cpu": "CPU time of the sending process, all of it, a sent event.",
    "beside": "What Ackboard's own running profiles sent meanwhile.",
    "same": "The highest rate up to which no difference to the baseline is told.",
}
_LEFT: Final = ("profile", "of", "why", "percentile")


def _table(rows: Sequence[Row], columns: Columns, key: str, left: Sequence[str] = _LEFT) -> None:
    st.dataframe(
        [{name: row.get(name, "") for name in columns} for row in rows],
        column_config={
            name: st.column_config.TextColumn(
                title,
                width=width,
                alignment="left" if name in left else "right",
                pinned=name == "profile",
                help=_HELP.get(name),
            )
            for name, (title, width) in columns.items()
        },
        hide_index=True,
        height="content" if len(rows) <= 20 else 560,
        key=f"compare-table-{key}",
        alt=f"{key}, a row a profile",
    )


def _latency(found: ProfileResult, of: str, figures: Mapping[str, Figure]) -> Row:
    shown = {name: _figure(figures.get(name)) for name in (*PERCENTILES, "max")}
    return {"profile": found.name, "of": of} | shown


def _figure(figure: Figure | None) -> str:
    if figure is None:
        return "too few"
    if figure.low_us is None or figure.high_us is None:
        return milliseconds(figure.us)
    span = f"{milliseconds(figure.low_us)}–{milliseconds(figure.high_us)}"
    return f"{milliseconds(figure.us)} ({span})"


def _turn(turn: Turn | None, kind: Kind, q: float) -> str:
    if turn is None:
        return "·"
    value = quantiles(bins_of(turn, kind), [q])[0]
    failed = turn.measures.failed_in_all + turn.measures.rejected_in_all
    told = NOTHING if value is None else milliseconds(value)
    return f"{told}, {count(failed)} failed" if failed else told


def _codes(codes: Mapping[str, int]) -> str:
    if not codes:
        return "0"
    return ", ".join(f"{count(n)} {name}" for name, n in codes.items())


def _ms(us: float | None) -> str:
    return NOTHING if us is None else f"{milliseconds(us)} ms"


def _number(value: float | None, digits: int, unit: str = "") -> str:
    return NOTHING if value is None else f"{value:,.{digits}f}{unit}"
