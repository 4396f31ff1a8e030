"""``compare``: profiles measured under one load, and what was measured before."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from producer_agent.advice.compare.export import document
from producer_agent.advice.compare.plan import FEWEST_ROUNDS, ComparisonPlan, PlanInvalid
from producer_agent.advice.compare.side_by_side import side_by_side
from producer_agent.cli import profile_files
from producer_agent.cli.compare_report import (
    EXPORTS,
    print_comparison,
    print_list,
    print_side_by_side,
    side_by_side_document,
    summary_document,
    write_export,
)
from producer_agent.cli.compare_run import (
    compare_here,
    compare_in_agent,
    delete_here,
    watching,
)
from producer_agent.cli.options import DbOption, JsonOption, settings_for
from producer_agent.cli.output import fail, note, print_json, say
from producer_agent.cli.serving import serving_agent
from producer_agent.cli.stop import stopping_on_signals
from producer_agent.commands import Command, ask_and_wait, local_user
from producer_agent.delivery.profiles import Profile
from producer_agent.store.queries import comparisons as queries
from producer_agent.store.queries.comparisons import Comparison
from producer_agent.store.reader import Reader


class _RunByDefault(TyperGroup):
    """``compare P1 P2`` is ``compare run P1 P2``."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Put ``run`` before what is no command of this group."""
        if args and args[0] not in (*self.commands, "-h", "--help"):
            args = ["run", *args]
        return super().parse_args(ctx, args)


app = typer.Typer(
    cls=_RunByDefault,
    help="Measure profiles under one load: `compare P1 P2 …` is `compare run P1 P2 …`.",
    no_args_is_help=True,
)

NumberArgument = Annotated[
    int, typer.Argument(metavar="N", help="Its number, as `compare list` tells it.")
]
ExportOption = Annotated[
    Path | None,
    typer.Option("--export", metavar="FILE", help="Also write it to a .csv, .json or .html file."),
]


@app.command()
def run(
    profiles: Annotated[
        list[str],
        typer.Argument(metavar="P1 P2 …", help="2 to 5 profiles: names, or FILE.json."),
    ],
    rate: Annotated[float, typer.Option(metavar="R", help="Events a second.")] = 500,
    seconds: Annotated[
        float, typer.Option(metavar="S", help="Measured seconds of each profile in each round.")
    ] = 5,
    rounds: Annotated[int, typer.Option(metavar="N", help="Interleaved rounds.")] = FEWEST_ROUNDS,
    warm_up: Annotated[
        float, typer.Option(metavar="S", help="Seconds before those, sent and left out.")
    ] = 1,
    size: Annotated[int, typer.Option(metavar="BYTES", help="Median payload.")] = 300,
    keys: Annotated[int, typer.Option(metavar="N", help="Distinct keys; 0 is no key.")] = 1_000,
    incompressible: Annotated[
        bool, typer.Option("--incompressible", help="Random bytes, instead of words as JSON has.")
    ] = False,
    partitions: Annotated[int, typer.Option(metavar="N", help="Of its topic.")] = 6,
    replication_factor: Annotated[int, typer.Option(metavar="N", help="Of its topic.")] = 3,
    min_insync_replicas: Annotated[int, typer.Option(metavar="N", help="Of its topic.")] = 2,
    baseline: Annotated[
        str | None, typer.Option(metavar="P", help="What to compare with; default: the first.")
    ] = None,
    seed: Annotated[int, typer.Option(metavar="N", help="Of events and order.")] = 1,
    sweep: Annotated[
        str | None, typer.Option(metavar="R,R,…", help="Further rates to measure at.")
    ] = None,
    pause_runs: Annotated[
        bool, typer.Option("--pause-runs", help="Stop the agent's runs meanwhile.")
    ] = False,
    title: Annotated[str | None, typer.Option(help="A name for it.")] = None,
    export: ExportOption = None,
    as_json: JsonOption = False,
    db: DbOption = None,
) -> None:
    """Send the same events under each profile, in interleaved rounds, and tell what differs.

    Each round has every profile once, in an order shuffled by the seed, on a topic of the
    comparison's own that is deleted afterwards. Where an agent serves the database, it measures;
    else it is done in this process. Ctrl-C ends it and keeps what is measured.

    Exit codes: 0 every turn was measured; 1 it could not be begun, or is incomplete or cancelled
    (what was measured is told all the same); 2 bad usage.
    """
    _require_format(export)
    settings = settings_for(db)
    data: dict[str, Any] = {
        "profiles": [_body(settings.db, name) for name in profiles],
        "load": {
            "rate_per_s": rate,
            "payload_bytes": size,
            "keys": keys,
            "compressible": not incompressible,
            "seconds": seconds,
            "warm_up_s": warm_up,
        },
        "layout": {
            "partitions": partitions,
            "replication_factor": replication_factor,
            "min_insync_replicas": min_insync_replicas,
        },
        "rounds": rounds,
        "sweep": _rates(sweep),
        "baseline": baseline or "",
        "seed": seed,
    }
    try:
        plan = ComparisonPlan.from_mapping(data)
    except PlanInvalid as error:
        fail(str(error), code=2)
    with stopping_on_signals() as stop, watching(plan, quiet=as_json) as look:
        if serving_agent(settings.db) is None:
            if pause_runs:
                note("No agent runs: there is nothing to pause.")
            number = compare_here(plan, settings, title, stop, look)
        else:
            number = compare_in_agent(plan, settings.db, title, pause_runs, stop, look)
    found = _read(settings.db, number)
    _tell(found, export, as_json)
    if found.summary.state != "done":
        why = f": {found.summary.reason}" if found.summary.reason else "."
        fail(f"Comparison {number} is {found.summary.state}{why}")


@app.command("list")
def list_(
    limit: Annotated[int, typer.Option(metavar="N", min=1, help="How many.")] = 20,
    as_json: JsonOption = False,
    db: DbOption = None,
) -> None:
    """The saved comparisons, newest first.

    Exit codes: 0 told, also if there is none; 1 the database cannot be read; 2 bad usage.
    """
    reader = Reader(settings_for(db).db)
    found = reader(partial(queries.comparisons, limit=limit))
    if as_json:
        print_json({"comparisons": [summary_document(summary) for summary in found]})
    elif not found:
        say("Nothing was compared yet. `compare P1 P2` does it.")
    else:
        print_list(found)


@app.command()
def show(
    number: NumberArgument,
    export: ExportOption = None,
    as_json: JsonOption = False,
    db: DbOption = None,
) -> None:
    """One comparison: the verdict, the figures, and what to read them with.

    Exit codes: 0 told; 1 there is none such; 2 bad usage.
    """
    _require_format(export)
    _tell(_read(settings_for(db).db, number), export, as_json)


@app.command()
def delete(number: NumberArgument, db: DbOption = None) -> None:
    """Forget a comparison that is over.

    Exit codes: 0 it is gone; 1 there is none such, or it is running; 2 bad usage.
    """
    settings = settings_for(db)
    _read(settings.db, number)
    if serving_agent(settings.db) is None:
        delete_here(number, settings)
    else:
        ask_and_wait(settings.db, Command.COMPARE_DELETE, {"comparison": number}, who=local_user())
    say(f"Comparison {number} is deleted.")


@app.command()
def diff(
    first: Annotated[int, typer.Argument(metavar="A", help="The earlier one's number.")],
    second: Annotated[int, typer.Argument(metavar="B", help="The later one's number.")],
    as_json: JsonOption = False,
    db: DbOption = None,
) -> None:
    """Two saved comparisons side by side: what is not the same in them, and what that came to.

    Exit codes: 0 told; 1 one of them is not there; 2 bad usage.
    """
    path = settings_for(db).db
    found = side_by_side(_read(path, first), _read(path, second))
    if as_json:
        print_json(side_by_side_document(found))
    else:
        print_side_by_side(found)


def _tell(found: Comparison, export: Path | None, as_json: bool) -> None:
    if export is not None:
        write_export(found, export)
        note(f"Written to {export}.")
    if as_json:
        print_json(document(found, turns=False))
    else:
        print_comparison(found)


def _read(db: Path, number: int) -> Comparison:
    found = Reader(db)(partial(queries.comparison, comparison_id=number))
    if found is None:
        fail(f"There is no comparison {number}. `compare list` tells those there are.")
    return found


def _body(db: Path, name: str) -> dict[str, Any]:
    if profile_files.is_file_name(name):
        profile = Profile.from_json(profile_files.read_text(Path(name)))
    else:
        profile = Profile.from_json(profile_files.find(db, name).body)
    return profile.model_dump(mode="json")


def _rates(text: str | None) -> list[float]:
    if text is None:
        return []
    try:
        return [float(rate) for rate in text.split(",")]
    except ValueError:
        raise typer.BadParameter(
            f"{text!r} is no list of rates. Write events a second with commas: 100,500,2000."
        ) from None


def _require_format(export: Path | None) -> None:
    if export is not None and export.suffix not in EXPORTS:
        raise typer.BadParameter(f"{export} ends with none of {', '.join(EXPORTS)}.")
