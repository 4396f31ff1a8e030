"""``deliveries``: what became of the events, in numbers."""

from __future__ import annotations

from enum import StrEnum
from functools import partial
from typing import Annotated, Any

import typer

from producer_agent.cli.options import DbOption, JsonOption, settings_for, window_of
from producer_agent.cli.output import (
    count,
    latency,
    milliseconds,
    moment,
    print_json,
    print_table,
    say,
)
from producer_agent.store.clock import now_us
from producer_agent.store.latency_bins import PERCENTILES
from producer_agent.store.queries import summary as queries
from producer_agent.store.queries.summary import OUTCOMES, Row, Summary
from producer_agent.store.reader import Reader

app = typer.Typer(help="What became of the events.", no_args_is_help=True)


class By(StrEnum):
    """What the rows of a summary stand for."""

    ACKS = "acks"
    PROFILE = "profile"


PERCENTILE_NAMES = tuple(f"p{share * 100:g}".replace(".", "") for share in PERCENTILES)
"""``p50, p90, p95, p99, p999``."""


@app.callback()
def _root() -> None:
    """What became of the events."""


@app.command()
def summary(
    by: Annotated[By, typer.Option(help="One row an acks level, or one a profile.")] = By.ACKS,
    since: Annotated[
        str,
        typer.Option(help="How far back, such as 90s, 30m, 1h or 2d; or all.", metavar="AGE"),
    ] = "1h",
    as_json: JsonOption = False,
    db: DbOption = None,
) -> None:
    """Count outcomes and tell latency percentiles, by acks level or profile.

    The counts are exact, also of events that retention has deleted since. The window begins at
    the asked time rounded down to a whole bucket (1 s to 1 h wide, the wider the longer the
    window); where it really begins is told, in JSON as since_us. Latencies are within 1 %.
    A success ratio is delivered / (delivered + failed); acks=0 has none, for want of proof.

    Exit codes: 0 done; 1 the database cannot be read; 2 bad usage.
    """
    window_s = window_of(since)
    found = Reader(settings_for(db).db)(
        partial(queries.summary, by=by.value, window_s=window_s, now_us=now_us())
    )
    if as_json:
        print_json(_document(by, found))
        return
    if not found.rows:
        say("Nothing was recorded in this window. Try a longer one, such as --since all.")
        return
    print_table(
        [by.value, *OUTCOMES, "total", "success", "p50", "p99", "p99.9"],
        [_line(row) for row in found.rows],
        right=[*OUTCOMES, "total", "success", "p50", "p99", "p99.9"],
    )
    say(f"since {moment(found.since_us)} until {moment(found.until_us)}")


def latencies_ms(quantiles_us: tuple[float, ...] | None) -> dict[str, float | None] | None:
    """Percentiles for JSON, in milliseconds."""
    if quantiles_us is None:
        return None
    return dict(zip(PERCENTILE_NAMES, map(milliseconds, quantiles_us), strict=True))


def _document(by: By, found: Summary) -> dict[str, Any]:
    return {
        "by": by.value,
        "since_us": found.since_us,
        "until_us": found.until_us,
        "rows": [
            {
                by.value: row.name,
                **row.outcomes,
                "total": row.total,
                "success_ratio": row.success_ratio,
                "latency_ms": latencies_ms(row.quantiles_us),
            }
            for row in found.rows
        ],
    }


def _line(row: Row) -> list[object]:
    told = latencies_ms(row.quantiles_us) or {}
    return [
        row.name,
        *(count(row.outcomes[outcome]) for outcome in OUTCOMES),
        count(row.total),
        None if row.success_ratio is None else _percent(row.success_ratio),
        *(latency(told.get(name)) for name in ("p50", "p99", "p999")),
    ]


def _percent(share: float) -> str:
    # Rounding up must not hide a failure: 100 % is said of nothing but all of them.
    return "100 %" if share == 1 else f"{int(share * 1_000_000 + 1e-6) / 10_000:.4f} %"
