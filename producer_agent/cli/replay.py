"""``replay plan|run|resume|pause|cancel|status``: dead letters sent back, each exactly once."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Annotated, Any, NoReturn

import typer

from producer_agent.cli import replay_rules
from producer_agent.cli.letter_filter import LetterOptions, choosing_letters
from producer_agent.cli.options import DbOption, JsonOption, settings_for
from producer_agent.cli.output import count, fail, note, print_json, say
from producer_agent.cli.replay_options import SendingOptions, saying_how
from producer_agent.cli.replay_report import (
    STATES,
    plan_document,
    print_plan,
    print_plans,
    print_records,
    read_plan,
    read_records,
    record_document,
    whole_document,
)
from producer_agent.cli.replay_watch import ask_agent, progress, watch
from producer_agent.commands import Command
from producer_agent.store.queries import replays as queries
from producer_agent.store.queries.dead_letters import filter_to_json
from producer_agent.store.queries.replays import Plan
from producer_agent.store.reader import Reader

app = typer.Typer(help="Send dead letters back, each exactly once.", no_args_is_help=True)
app.add_typer(replay_rules.app, name="rules")

PlanArgument = Annotated[
    int, typer.Argument(metavar="PLAN", help="Its number, as `replay plan` and `status` tell it.")
]
WhyOption = Annotated[str | None, typer.Option(help="The reason, for the history.")]

_UNDER_WAY = ("running", "pausing", "cancelling")
_WHICH = (*STATES, "came-back", "all")


@app.command()
@choosing_letters
@saying_how
def plan(
    chosen: LetterOptions,
    sending: SendingOptions,
    ids: Annotated[
        list[int] | None,
        typer.Argument(metavar="[ID]...", help="Their numbers, as `dead-letters list` tells them."),
    ] = None,
    everything: Annotated[
        bool, typer.Option("--everything", help="Mean every letter, where nothing else is chosen.")
    ] = False,
    force: Annotated[
        str | None,
        typer.Option(help="Send also what came back too often, and say why.", metavar="REASON"),
    ] = None,
    title: Annotated[str | None, typer.Option(help="A name for the plan.")] = None,
    why: WhyOption = None,
    as_json: JsonOption = False,
    db: DbOption = None,
) -> None:
    """Make a plan of dead letters and tell what it will do: where each goes, what is refused and
    why, who reads it again. Nothing is sent until `replay run`.

    The agent plans; letters that arrive meanwhile stay out. Ctrl-C leaves it planning.

    Exit codes: 0 the plan is made, also if it refuses records; 1 it could not be made; 2 bad
    usage.
    """
    if bool(ids) + (not chosen.is_empty()) + everything != 1:
        raise typer.BadParameter(
            "Say which letters: give numbers, or options that choose, or --everything."
        )
    path = settings_for(db).db
    reader = Reader(path)
    what: dict[str, Any] = (
        {"dead_letters": ids} if ids else {"filter": filter_to_json(chosen.filter(reader))}
    )
    arguments = {**what, "options": sending.read(force)}
    if title is not None:
        arguments["title"] = title
    made = int(ask_agent(path, Command.REPLAY_PLAN, arguments, why)["plan"])
    try:
        with progress(f"plan {made}", quiet=as_json) as look:
            found = watch(path, made, ("planning",), look)
    except KeyboardInterrupt:
        _left(made, "being made")
    _tell(reader, made, as_json)
    if found.row.state == "failed":
        fail(f"Plan {made} could not be made: {found.row.reason}")
    if found.row.state == "planned" and not as_json:
        say()
        if found.counts.left:
            say(f"Nothing was sent. `replay run {made}` sends {count(found.counts.left)} records.")
        else:
            say("Nothing was sent, and nothing is left to send.")


@app.command()
def run(
    plan: PlanArgument,
    wait: Annotated[bool, typer.Option("--wait/--no-wait", help="Watch it until it ends.")] = True,
    why: WhyOption = None,
    as_json: JsonOption = False,
    db: DbOption = None,
) -> None:
    """Send what a plan says, or go on with one that was paused or stopped by itself.

    The agent sends: Ctrl-C ends the watching and leaves the plan running. A plan that runs already
    is only watched.

    Exit codes: 0 it is done and each record is on its target (those it refused to send aside), or
    with --no-wait it was begun; 1 it failed, stopped, was paused or cancelled, or some records
    failed, or watching it was ended; 2 bad usage.
    """
    path = settings_for(db).db
    reader = Reader(path)
    found = _existing(reader, plan)
    try:
        # Once asked, the agent sends, whether or not its answer is waited for.
        if found.row.state != "running":
            ask_agent(path, Command.REPLAY_RUN, {"plan": plan}, why)
        if wait:
            with progress(f"plan {plan}", quiet=as_json) as look:
                found = watch(path, plan, _UNDER_WAY, look)
    except KeyboardInterrupt:
        _left(plan, "running")
    _tell(reader, plan, as_json)
    if wait:
        _judge(found)


@app.command()
def pause(
    plan: PlanArgument, why: WhyOption = None, as_json: JsonOption = False, db: DbOption = None
) -> None:
    """Send no further batch of a plan; `replay resume` goes on with it.

    Waits for the batch that is under way.

    Exit codes: 0 it is paused, or was done first; 1 it does not run, or no agent does; 2 bad usage.
    """
    _end(Command.REPLAY_PAUSE, plan, why, as_json, db)


@app.command()
def cancel(
    plan: PlanArgument, why: WhyOption = None, as_json: JsonOption = False, db: DbOption = None
) -> None:
    """Never send what a plan has not sent yet; its letters stay and can be planned anew.

    Waits until it is known what became of the batch that is under way.

    Exit codes: 0 it is cancelled, or was done first; 1 it is over, or no agent runs; 2 bad usage.
    """
    _end(Command.REPLAY_CANCEL, plan, why, as_json, db)


@app.command()
def status(
    plan: Annotated[
        int | None, typer.Argument(metavar="[PLAN]", help="Its number; else all are listed.")
    ] = None,
    records: Annotated[
        str | None,
        typer.Option(
            help=f"Its records too: {', '.join(_WHICH)}.", metavar="STATE", show_default=False
        ),
    ] = None,
    limit: Annotated[int, typer.Option(min=1, max=100_000, help="At most so many rows.")] = 50,
    as_json: JsonOption = False,
    db: DbOption = None,
) -> None:
    """Tell how plans stand, the latest first; or one plan, and with --records what became of each.

    Exit codes: 0 done; 1 there is no such plan, or the database cannot be read; 2 bad usage.
    """
    if records is not None and records not in _WHICH:
        raise typer.BadParameter(f"There is no state {records!r}. There are: {', '.join(_WHICH)}.")
    if records is not None and plan is None:
        raise typer.BadParameter("--records needs the number of a plan.")
    reader = Reader(settings_for(db).db)
    if plan is not None:
        _existing(reader, plan)
        _tell(reader, plan, as_json, records, limit)
        return
    found = reader(partial(queries.plans, limit=limit))
    if as_json:
        total = reader(queries.count_plans)
        print_json({"total": total, "plans": [plan_document(each) for each in found]})
    elif found:
        print_plans(found)
    else:
        say("There is no plan. `replay plan` makes one.")


app.command(
    "resume",
    help="The same as `replay run`, for a plan that was paused or stopped by itself.\n\n"
    "Exit codes: as of `replay run`.",
)(run)


def _end(kind: Command, plan: int, why: str | None, as_json: bool, db: Path | None) -> None:
    path = settings_for(db).db
    reader = Reader(path)
    _existing(reader, plan)
    try:
        ask_agent(path, kind, {"plan": plan}, why)
        with progress(f"plan {plan}", quiet=as_json) as look:
            watch(path, plan, _UNDER_WAY, look)
    except KeyboardInterrupt:
        note(f"Plan {plan} ends as soon as it can; `replay status {plan}` tells.")
        raise typer.Exit(1) from None
    _tell(reader, plan, as_json)


def _existing(reader: Reader, plan: int) -> Plan:
    found = reader(partial(queries.plan, plan_id=plan))
    if found is None:
        fail(f"There is no replay plan {plan}. `replay status` lists those there are.")
    return found


def _tell(
    reader: Reader, plan: int, as_json: bool, records: str | None = None, limit: int = 0
) -> None:
    told = read_plan(reader, plan)
    assert told is not None, "plans are never deleted"
    rows = () if records is None else read_records(reader, plan, records, limit)
    if as_json:
        document = whole_document(*told)
        if records is not None:
            document["rows"] = [record_document(row) for row in rows]
        print_json(document)
        return
    print_plan(*told)
    if rows:
        say()
        print_records(rows)


def _left(plan: int, doing: str) -> NoReturn:
    note(
        f"Plan {plan} goes on {doing} in the agent. `replay status {plan}` tells how it stands; "
        f"`replay pause {plan}` pauses it, `replay cancel {plan}` ends it for good."
    )
    raise typer.Exit(1)


def _judge(found: Plan) -> None:
    """Exit with 1, and say why, if it did not send all it was to send."""
    row, counts = found.row, found.counts
    if row.state != "done":
        why = f": {row.reason}" if row.reason else ""
        mend = f" `replay resume {row.id}` goes on." if row.state in ("paused", "stopped") else ""
        fail(f"Plan {row.id} is {row.state}{why}.{mend}")
    failed = counts.by_state.get("failed", 0)
    if failed:
        fail(
            f"{count(failed)} records failed; `replay status {row.id} --records failed` says why. "
            "They can be planned anew."
        )
