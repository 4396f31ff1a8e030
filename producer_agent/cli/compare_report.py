"""What the terminal shows of comparisons."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any

from producer_agent.advice.compare.analysis import (
    PERCENTILES,
    Figure,
    Kind,
    ProfileResult,
    RateResult,
    analyse,
)
from producer_agent.advice.compare.export import to_csv, to_json
from producer_agent.advice.compare.html_report import to_html
from producer_agent.advice.compare.side_by_side import SideBySide
from producer_agent.advice.compare.verdict import milliseconds, verdict
from producer_agent.cli.output import count, moment, print_table, say
from producer_agent.store.queries.comparisons import Comparison, Summary

EXPORTS = {".csv": to_csv, ".json": to_json, ".html": to_html}

_SHOWN = (*PERCENTILES, "max")


def write_export(comparison: Comparison, path: Path) -> None:
    """Write a comparison to a file, in the format that its name ends with."""
    path.write_text(EXPORTS[path.suffix](comparison), encoding="utf-8")


def print_comparison(comparison: Comparison) -> None:
    """The verdict, and the figures it rests on."""
    analysis = analyse(comparison)
    summary, words = comparison.summary, verdict(analysis)
    say(f"Comparison {summary.id}: {summary.title}, {summary.state}, {moment(summary.started_us)}")
    say(words.headline)
    for line in words.lines:
        say(line)
    for at in analysis.rates:
        say()
        _print_rate(at, analysis.plan.baseline)
    if words.caveats:
        say()
    for line in words.caveats:
        say(f"note: {line}")


def _print_rate(at: RateResult, baseline: str) -> None:
    say(f"At {at.rate:g}/s, in ms (the 95% interval over rounds below; * told against {baseline})")
    kinds: tuple[tuple[Kind, str], ...] = (("ack", "ack"), ("end_to_end", "end to end"))
    rows: list[list[object]] = []
    for found in at.profiles:
        for kind, title in kinds:
            rows += _latency_rows(found, kind, title)
    print_table(["profile", "latency", *_SHOWN], rows, right=_SHOWN)
    columns = ["profile", "sent", "success", "failed", "lost", "rate", "late p99", "batch"]
    columns += ["requests", "compression", "client", "broker", "CPU/event"]
    print_table(columns, [_counts(found) for found in at.profiles], right=columns[1:])


def _latency_rows(found: ProfileResult, kind: Kind, title: str) -> list[list[object]]:
    if kind == "ack" and not found.confirmed:
        return [[found.name, "ack", *["none: acks=0"] * 1, *[""] * (len(_SHOWN) - 1)]]
    figures: dict[str, Figure] = found.ack if kind == "ack" else found.end_to_end
    values: list[object] = [found.name, title]
    spans: list[object] = ["", ""]
    for name in _SHOWN:
        figure = figures.get(name)
        difference = found.differences.get((kind, name))
        mark = "*" if difference is not None and difference.told else ""
        values.append(None if figure is None else f"{milliseconds(figure.us)}{mark}")
        spans.append(
            ""
            if figure is None or figure.low_us is None or figure.high_us is None
            else f"{milliseconds(figure.low_us)}..{milliseconds(figure.high_us)}"
        )
    return [values, spans]


def _counts(found: ProfileResult) -> list[object]:
    delay = found.delay.get("p99")
    ratio = found.success_ratio
    return [
        found.name,
        count(found.sent),
        "unconfirmed" if ratio is None else f"{ratio:.4%}",
        count(sum(found.failed.values()) + sum(found.rejected.values())),
        found.lost,
        f"{found.rate_reached:.1f}/s",
        _ms(None if delay is None else delay.us),
        None if found.batch_bytes is None else f"{found.batch_bytes:,.0f} B",
        None if found.requests is None else count(found.requests),
        None if found.compression_ratio is None else f"{found.compression_ratio:.2f}×",
        _ms(found.client_us),
        _ms(found.broker_us),
        None if found.cpu_us_per_message is None else f"{found.cpu_us_per_message:.0f} µs",
    ]


def _ms(us: float | None) -> str | None:
    return None if us is None else f"{milliseconds(us)} ms"


def print_list(found: tuple[Summary, ...]) -> None:
    """One line each."""
    print_table(
        ["number", "began", "state", "turns", "cluster", "title"],
        [
            [
                summary.id,
                moment(summary.started_us),
                summary.state,
                f"{summary.turns_done} of {summary.turns}",
                summary.environment["cluster_kind"],
                summary.title,
            ]
            for summary in found
        ],
        right=["number", "turns"],
    )


def summary_document(summary: Summary) -> dict[str, Any]:
    """A comparison of a list, for JSON."""
    told = asdict(summary)
    del told["plan"], told["environment"]
    planned = told.pop("turns")
    return {
        **told,
        "notes": list(summary.notes),
        "turns_planned": planned,
        "cluster_kind": summary.environment["cluster_kind"],
        "cluster_id": summary.environment["cluster_id"],
    }


def print_side_by_side(found: SideBySide) -> None:
    """What differs between two comparisons, then what that came to."""
    first, second = found.first.summary, found.second.summary
    names = [f"comparison {summary.id}" for summary in (first, second)]
    if found.differing:
        print_table(["not the same", *names], [list(entry) for entry in found.differing])
    else:
        say("Both have the same plan, profiles, cluster and versions.")
    say()
    if not found.changes:
        say("They have no profile at a common rate with enough rounds in both.")
        return
    print_table(
        ["profile", "rate", "latency", "at", *names, "difference (95%)"],
        [
            [
                change.name,
                f"{change.rate:g}/s",
                "ack" if change.kind == "ack" else "end to end",
                change.percentile,
                _ms(change.first_us),
                _ms(change.second_us),
                f"{milliseconds(change.difference.us, sign=True)} ms "
                f"({milliseconds(change.difference.low_us)} to "
                f"{milliseconds(change.difference.high_us)})"
                if change.difference.told
                else "none told",
            ]
            for change in found.changes
        ],
        right=["rate", *names],
    )


def side_by_side_document(found: SideBySide) -> dict[str, Any]:
    """Two comparisons, for JSON."""
    return {
        "first": summary_document(found.first.summary),
        "second": summary_document(found.second.summary),
        "differing": [
            {"what": entry.what, "first": entry.first, "second": entry.second}
            for entry in found.differing
        ],
        "changes": [
            {
                "profile": change.name,
                "rate": change.rate,
                "of": change.kind,
                "percentile": change.percentile,
                "first_ms": round(change.first_us / 1000, 3),
                "second_ms": round(change.second_us / 1000, 3),
                "difference_ms": round(change.difference.us / 1000, 3),
                "low_ms": round(change.difference.low_us / 1000, 3),
                "high_ms": round(change.difference.high_us / 1000, 3),
                "told": change.difference.told,
            }
            for change in found.changes
        ],
    }
