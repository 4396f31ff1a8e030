"""A comparison for other programs: a row a profile and round as CSV, or whole as JSON."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any, Final

from producer_agent.advice.compare.analysis import (
    PERCENTILES,
    Analysis,
    Figure,
    Kind,
    ProfileResult,
    analyse,
    bins_of,
)
from producer_agent.advice.compare.sweep import sweep
from producer_agent.advice.compare.verdict import verdict
from producer_agent.store.comparisons import Bins, Turn, TurnMeasures
from producer_agent.store.latency_bins import quantiles
from producer_agent.store.queries.comparisons import Comparison, Summary

FORMAT: Final = "ackboard-comparison"
VERSION: Final = 1

_KINDS: Final[tuple[Kind, ...]] = ("ack", "end_to_end", "delay")
_SUMMARY: Final = tuple(name for name in Summary.__slots__ if name not in ("plan", "notes"))
_NAMES: Final[Mapping[str, str]] = {"turns": "turns_planned"}
"""Fields that are called otherwise here, where ``turns`` are the turns themselves."""

_PLACE: Final = (
    "comparison",
    "cluster_kind",
    "profile",
    "acks",
    "rate_asked",
    "round",
    "position",
    "started_us",
    "ended_us",
)
_MEASURES: Final = (
    "seconds",
    "sent",
    "acknowledged",
    "unconfirmed",
    "unresolved",
    "failed",
    "rejected",
    "rate_reached",
    "read_back",
    "lost",
    "duplicated",
    "phantom",
    "batches",
    "batch_bytes",
    "batch_messages",
    "requests",
    "message_bytes",
    "wire_bytes",
    "client_queue_us",
    "client_send_us",
    "broker_us",
    "throttle_ms",
    "commits",
    "aborts",
    "cpu_us_per_message",
    "beside_per_s",
)


class NoComparison(ValueError):
    """The document is no exported comparison; the text says what is wrong."""


def to_csv(comparison: Comparison) -> str:
    """A row a profile and round, its columns named with their units; empty: not known."""
    plan = analyse(comparison).plan
    out = io.StringIO()
    latencies = [f"{kind}_{name}_ms" for kind in _KINDS for name in (*PERCENTILES, "max")]
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow([*_PLACE, *_MEASURES, *latencies])
    for turn in comparison.measured:
        profile = plan.profiles[turn.profile]
        measures = turn.measures.to_json()
        writer.writerow(
            [
                comparison.summary.id,
                comparison.summary.environment["cluster_kind"],
                profile.name,
                profile.acks_label,
                turn.rate,
                turn.round,
                turn.position,
                turn.started_us,
                turn.ended_us,
                *(_cell(measures[name]) for name in _MEASURES),
                *(value for kind in _KINDS for value in _latencies_ms(turn, kind)),
            ]
        )
    return out.getvalue()


def to_json(comparison: Comparison) -> str:
    """All of it: plan, environment, results, and every turn with its bins."""
    return json.dumps(document(comparison, turns=True), indent=1, ensure_ascii=False) + "\n"


def document(comparison: Comparison, *, turns: bool) -> dict[str, Any]:
    """A comparison as JSON has it.

    Args:
        comparison: Finished or not.
        turns: Have every turn with its bins in it, from which :func:`from_json` reads it back.
    """
    analysis = analyse(comparison)
    words = verdict(analysis)
    summary = comparison.summary
    told: dict[str, Any] = {
        "format": FORMAT,
        "version": VERSION,
        **{_NAMES.get(name, name): getattr(summary, name) for name in _SUMMARY},
        "notes": list(summary.notes),
        "plan": json.loads(summary.plan),
        "verdict": {
            "headline": words.headline,
            "lines": list(words.lines),
            "caveats": list(words.caveats),
        },
        "rates": [
            {"rate": at.rate, "profiles": [_result(analysis, found) for found in at.profiles]}
            for at in analysis.rates
        ],
        "sweep": [asdict(finding) for finding in sweep(analysis)],
    }
    if turns:
        told["turns"] = [_turn(turn) for turn in comparison.measured]
    return told


def from_json(text: str) -> Comparison:
    """What :func:`to_json` wrote.

    Raises:
        NoComparison: it is something else, or of another version.
    """
    try:
        told = json.loads(text)
        if told["format"] != FORMAT or told["version"] != VERSION:
            raise NoComparison(
                f"This is {told['format']} version {told['version']}, and {FORMAT} version "
                f"{VERSION} is wanted. Export it again with this Ackboard."
            )
        fields = {name: told[_NAMES.get(name, name)] for name in _SUMMARY}
        summary = Summary(
            **fields, plan=json.dumps(told["plan"], ensure_ascii=False), notes=tuple(told["notes"])
        )
        return Comparison(summary, tuple(_read_turn(turn) for turn in told["turns"]))
    except (KeyError, TypeError, AttributeError, json.JSONDecodeError) as error:
        raise NoComparison(
            f"This is no exported comparison ({error!r}). `compare show N --export FILE.json` "
            f"writes one."
        ) from error


def _turn(turn: Turn) -> dict[str, Any]:
    return {
        "rate": turn.rate,
        "round": turn.round,
        "profile": turn.profile,
        "position": turn.position,
        "started_us": turn.started_us,
        "ended_us": turn.ended_us,
        "measures": turn.measures.to_json(),
        "bins": {kind: [list(pair) for pair in bins_of(turn, kind)] for kind in _KINDS},
    }


def _read_turn(told: Mapping[str, Any]) -> Turn:
    bins: dict[str, Bins] = {
        kind: tuple((number, n) for number, n in pairs) for kind, pairs in told["bins"].items()
    }
    return Turn(
        rate=told["rate"],
        round=told["round"],
        profile=told["profile"],
        position=told["position"],
        started_us=told["started_us"],
        ended_us=told["ended_us"],
        measures=TurnMeasures.from_json(told["measures"]),
        ack=bins["ack"],
        end_to_end=bins["end_to_end"],
        delay=bins["delay"],
    )


def _result(analysis: Analysis, result: ProfileResult) -> dict[str, Any]:
    """A profile's result, latencies in milliseconds."""
    plain = asdict(result)
    for kind in _KINDS:
        figures: dict[str, Figure] = plain.pop(kind)
        plain[f"{kind}_ms"] = {name: _figure(figure) for name, figure in figures.items()}
    plain["differences"] = [
        {
            "to": analysis.plan.baseline,
            "of": kind,
            "percentile": percentile,
            "ms": _ms(found.us),
            "low_ms": _ms(found.low_us),
            "high_ms": _ms(found.high_us),
            "rounds": found.rounds,
            "confidence": found.confidence,
            "told": found.told,
        }
        for (kind, percentile), found in result.differences.items()
    ]
    return {**plain, "success_ratio": result.success_ratio, "overloaded": result.overloaded}


def _figure(figure: Figure) -> dict[str, float | int | None]:
    return {
        "ms": _ms(figure.us),
        "low_ms": _ms(figure.low_us),
        "high_ms": _ms(figure.high_us),
        "beyond": figure.beyond,
    }


def _ms(us: float | None) -> float | None:
    return None if us is None else round(us / 1000, 3)


def _latencies_ms(turn: Turn, kind: Kind) -> list[float | None]:
    """A turn's own percentiles, whatever backs them: for whoever computes with rows."""
    return [_ms(us) for us in quantiles(bins_of(turn, kind), [*PERCENTILES.values(), 1.0])]


def _cell(value: Any) -> Any:
    if isinstance(value, dict):
        return " ".join(f"{name}={n}" for name, n in value.items())
    return value
