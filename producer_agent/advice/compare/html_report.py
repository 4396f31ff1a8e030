"""A comparison as one HTML file: no network, no script, readable in light, in dark and on paper."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from html import escape
from typing import Final

from producer_agent.advice.compare.analysis import (
    PERCENTILES,
    Analysis,
    Difference,
    Figure,
    Kind,
    ProfileResult,
    RateResult,
    analyse,
)
from producer_agent.advice.compare.report_charts import COLOURS, ecdf_chart, rate_chart
from producer_agent.advice.compare.sweep import KNEE_RULE
from producer_agent.advice.compare.verdict import milliseconds, verdict
from producer_agent.store.queries.comparisons import Comparison

_STYLE: Final = """
:root { color-scheme: light dark; --line: #8886; --soft: #8882; }
body { font: 15px/1.5 system-ui, sans-serif; max-width: 70rem; margin: 2rem auto; padding: 0 1rem; }
h1 { font-size: 1.4rem; } h2 { font-size: 1.1rem; margin-top: 2rem; }
.verdict { font-size: 1.15rem; border-left: 4px solid #0072b2; padding-left: .8rem; }
.caveat::before { content: "\\26a0  "; }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; }
th, td { padding: .25rem .7rem; border-bottom: 1px solid var(--line); text-align: right; }
th:first-child, td:first-child { text-align: left; }
td small { display: block; opacity: .75; }
svg { max-width: 100%; height: auto; } svg text { fill: currentColor; font: 12px sans-serif; }
.mark { display: inline-block; width: .8em; height: .8em; border-radius: 2px; margin-right: .4em; }
pre { background: var(--soft); padding: .8rem; overflow-x: auto; font-size: .85rem; }
"""


def to_html(comparison: Comparison) -> str:
    """The report. Every text in it is escaped."""
    analysis = analyse(comparison)
    words = verdict(analysis)
    parts = [
        f"<p class=verdict>{escape(words.headline)}</p>",
        *(f"<p>{escape(line)}</p>" for line in words.lines),
        *(f"<p class=caveat>{escape(line)}</p>" for line in words.caveats),
    ]
    for at in analysis.rates:
        parts += _rate(comparison, analysis, at)
    if len(analysis.rates) > 1:
        parts += [
            "<h2>Latency against rate</h2>",
            rate_chart(analysis),
            f"<p>{escape(KNEE_RULE)}</p>",
        ]
    parts += _how(analysis)
    title = escape(f"Comparison {comparison.summary.id}: {comparison.summary.title}")
    return (
        f"<!doctype html>\n<html lang=en><head><meta charset=utf-8><title>{title}</title>"
        f'<meta name=viewport content="width=device-width"><style>{_STYLE}</style></head>'
        f"<body><h1>{title}</h1>\n" + "\n".join(parts) + "\n</body></html>\n"
    )


def _rate(comparison: Comparison, analysis: Analysis, at: RateResult) -> list[str]:
    kinds: list[tuple[Kind, str]] = [
        ("ack", "Acknowledgement latency"),
        ("end_to_end", "End-to-end latency"),
    ]
    parts = [f"<h2>At {at.rate:,g} events/s</h2>"]
    for kind, title in kinds:
        rows = [
            [_name(found), *(_cell(found, kind, name) for name in (*PERCENTILES, "max"))]
            for found in at.profiles
        ]
        parts.append(_table([f"{title}, ms", *PERCENTILES, "max"], rows))
        parts.append(ecdf_chart(comparison, analysis, at.rate, kind))
    parts.append(
        _table(
            ["Difference to " + analysis.plan.baseline + ", ms", *PERCENTILES],
            [
                [
                    f"{_name(found)} <small>{escape(title)}</small>",
                    *(_difference(found.differences.get((kind, name))) for name in PERCENTILES),
                ]
                for found in at.profiles
                if found.differences
                for kind, title in kinds
                if any(of == kind for of, _ in found.differences)
            ],
        )
    )
    parts.append(_table(_COUNTS, [_counts(found) for found in at.profiles]))
    return parts


_COUNTS: Final = (
    "Events",
    "sent",
    "acknowledged",
    "unconfirmed",
    "failed",
    "rejected",
    "unresolved",
    "lost",
    "rate reached",
    "schedule delay p99, ms",
    "batch, bytes",
    "requests",
    "compression",
    "client, ms",
    "broker, ms",
    "CPU, µs/event",
)


def _counts(found: ProfileResult) -> list[str]:
    delay = found.delay.get("p99")
    return [
        _name(found),
        f"{found.sent:,}",
        f"{found.acknowledged:,}" if found.confirmed else "–",
        "–" if found.confirmed else f"{found.unconfirmed:,}",
        f"{sum(found.failed.values()):,}",
        f"{sum(found.rejected.values()):,}",
        f"{found.unresolved:,}",
        "not told" if found.lost is None else f"{found.lost:,}",
        f"{found.rate_reached:,.1f}/s",
        "–" if delay is None else milliseconds(delay.us),
        _number(found.batch_bytes, 0),
        _number(found.requests, 0),
        _number(found.compression_ratio, 2, "×"),
        "–" if found.client_us is None else milliseconds(found.client_us),
        "–" if found.broker_us is None else milliseconds(found.broker_us),
        _number(found.cpu_us_per_message, 0),
    ]


def _how(analysis: Analysis) -> list[str]:
    plan, summary = analysis.plan, analysis.summary
    environment, load, layout = summary.environment, plan.load, plan.layout
    began = datetime.fromtimestamp(summary.started_us / 1e6, UTC)
    lines = [
        f"Measured {began:%Y-%m-%d %H:%M:%S} UTC for {summary.made_by}; {summary.state}, "
        f"{summary.turns_done} of {summary.turns} turns.",
        f"Load: payloads of {load.payload_bytes:,} bytes "
        f"({'compressible' if load.compressible else 'random bytes'}), {load.keys:,} keys; "
        f"{load.seconds:g} s a turn after {load.warm_up_s:g} s of warm-up; "
        f"{plan.rounds} interleaved rounds, seed {plan.seed}.",
        f"One topic for all: {layout.partitions} partitions, replication factor "
        f"{layout.replication_factor}, min.insync.replicas {layout.min_insync_replicas}.",
        f"Cluster {environment['cluster_id']} ({environment['cluster_kind']}, "
        f"{environment['brokers']} brokers); librdkafka {environment['librdkafka']}, "
        f"confluent-kafka {environment['confluent_kafka']}, Python {environment['python']}, "
        f"{environment['cpus']} CPUs, {environment['platform']}.",
        "Figures are of all rounds pooled, and below each is its 95% interval over rounds. A "
        "difference is the mean over rounds, each paired with the baseline's; where its interval "
        "covers 0, none is told. All differences to the baseline hold at 95% together.",
    ]
    orders = [
        f"{rate:>9,g}/s round {number}: "
        + ", ".join(plan.names[place] for place in plan.order(rate, number))
        for rate in plan.rates
        for number in range(1, plan.rounds + 1)
    ]
    return [
        "<h2>How it was measured</h2>",
        *(f"<p>{escape(line)}</p>" for line in lines),
        f"<details><summary>Order of turns</summary><pre>{escape(chr(10).join(orders))}</pre>"
        f"</details>",
        *(
            f"<details><summary>{escape(profile.name)}</summary><pre>{escape(profile.to_json())}"
            f"</pre></details>"
            for profile in plan.profiles
        ),
    ]


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Cells are HTML; headings are text."""
    if not rows:
        return ""
    heading = "".join(f"<th>{escape(text)}</th>" for text in head)
    body = "".join("<tr>" + "".join(f"<td>{cell}</td>" for cell in row) + "</tr>" for row in rows)
    return f"<div class=scroll><table><tr>{heading}</tr>{body}</table></div>"


def _name(found: ProfileResult) -> str:
    colour = COLOURS[found.profile]
    told = f"acks={found.acks}" + (", transactional" if found.transactional else "")
    return (
        f'<span class=mark style="background:{colour}"></span>{escape(found.name)}'
        f"<small>{escape(told)}</small>"
    )


def _cell(found: ProfileResult, kind: Kind, percentile: str) -> str:
    figures: dict[str, Figure] = found.ack if kind == "ack" else found.end_to_end
    figure = figures.get(percentile)
    if kind == "ack" and not found.confirmed:
        told = "–" if figure is None else f"({milliseconds(figure.us)})"
        return f"{told}<small>hand-over</small>"
    if figure is None:
        return "<small>too few events</small>"
    if figure.low_us is None or figure.high_us is None:
        return milliseconds(figure.us)
    span = f"{milliseconds(figure.low_us)} to {milliseconds(figure.high_us)}"
    return f"{milliseconds(figure.us)}<small>{span}</small>"


def _difference(found: Difference | None) -> str:
    if found is None:
        return "<small>too few events</small>"
    span = f"{milliseconds(found.low_us)} to {milliseconds(found.high_us)}"
    told = milliseconds(found.us, sign=True) if found.told else "none told"
    return f"{told}<small>{span}</small>"


def _number(value: float | None, digits: int, unit: str = "") -> str:
    return "–" if value is None else f"{value:,.{digits}f}{unit}"
