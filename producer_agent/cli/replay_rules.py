"""``replay rules``: causes whose letters the agent sends back by itself."""

from __future__ import annotations

from dataclasses import asdict
from functools import partial
from typing import Annotated, Any

import typer

from producer_agent.cli.letter_filter import cause_of
from producer_agent.cli.options import DbOption, JsonOption, settings_for
from producer_agent.cli.output import count, duration, fail, print_json, print_table, say
from producer_agent.cli.replay_options import SendingOptions, saying_how
from producer_agent.cli.replay_watch import ask_agent
from producer_agent.commands import Command
from producer_agent.store.queries import replays as queries
from producer_agent.store.queries.letter_filter import OPEN_STATUSES, LetterFilter
from producer_agent.store.queries.letter_groups import groups
from producer_agent.store.queries.replays import RuleView
from producer_agent.store.reader import Reader
from producer_agent.store.replay_rules import DEFAULT_CAP_PER_HOUR, DEFAULT_DELAY_S

app = typer.Typer(help="Causes whose letters the agent sends back by itself.", no_args_is_help=True)

WhyOption = Annotated[str | None, typer.Option(help="The reason, for the history.")]


@app.command("list")
def list_rules(as_json: JsonOption = False, db: DbOption = None) -> None:
    """List the rules, what each did within the hour, and why one switched itself off.

    Exit codes: 0 done; 1 the database cannot be read; 2 bad usage.
    """
    found = Reader(settings_for(db).db)(queries.rules)
    if as_json:
        print_json({"rules": [_document(view) for view in found]})
        return
    if not found:
        say("There is no rule. `replay rules set CAUSE` makes one.")
        return
    print_table(
        ["rule", "state", "after", "an hour", "sent", "came back", "cause", "because"],
        [
            [
                view.rule.id,
                "on" if view.rule.enabled else "off",
                duration(view.rule.delay_s),
                count(view.rule.cap_per_hour),
                count(view.lately.sent),
                count(view.lately.came_back),
                view.title,
                view.rule.stopped_reason,
            ]
            for view in found
        ],
        right=["rule", "an hour", "sent", "came back"],
    )


@app.command("set")
@saying_how
def set_rule(
    cause: Annotated[
        str, typer.Argument(metavar="CAUSE", help="Its number, or part of its title.")
    ],
    sending: SendingOptions,
    delay: Annotated[
        float,
        typer.Option(
            min=0, max=30 * 86_400, help="Seconds that a letter has to be old.", metavar="S"
        ),
    ] = DEFAULT_DELAY_S,
    per_hour: Annotated[
        int,
        typer.Option(
            min=1, max=1_000_000, help="Records that it may send in any hour.", metavar="N"
        ),
    ] = DEFAULT_CAP_PER_HOUR,
    off: Annotated[bool, typer.Option("--off", help="Keep it, switched off.")] = False,
    why: WhyOption = None,
    as_json: JsonOption = False,
    db: DbOption = None,
) -> None:
    """Have the letters of a cause sent back by themselves; replaces the cause's rule.

    For causes that are known to pass, such as a time-out. It sends each letter once, and switches
    itself off when too many come back.

    Exit codes: 0 it is set; 1 it was refused, or no agent runs; 2 bad usage.
    """
    path = settings_for(db).db
    reader = Reader(path)
    row = cause_of(reader, cause)
    found = reader(partial(groups, wanted=LetterFilter(cause=row)))
    if not found:
        fail(f"No dead letter of cause {row} is left, so a rule would have nothing to send.")
    group = found[0]
    result = ask_agent(
        path,
        Command.REPLAY_RULE_SAVE,
        {
            "cause": group.fingerprint,
            "enabled": not off,
            "delay_s": delay,
            "cap_per_hour": per_hour,
            "options": sending.read(),
        },
        why,
    )
    if as_json:
        print_json(result)
    else:
        say(f"Rule {result['rule']} is {'off' if off else 'on'}, for: {group.title}")
        waiting = sum(group.statuses.get(status, 0) for status in OPEN_STATUSES)
        if waiting and not off:
            say(f"{waiting:,} open now: they are sent as soon as they are old enough.")


@app.command("remove")
def remove_rule(
    rule: Annotated[int, typer.Argument(metavar="RULE", help="Its number, as `list` tells it.")],
    why: WhyOption = None,
    as_json: JsonOption = False,
    db: DbOption = None,
) -> None:
    """Drop a rule; the plans that it made stay.

    Exit codes: 0 done; 1 there is no such rule, or no agent runs; 2 bad usage.
    """
    result = ask_agent(settings_for(db).db, Command.REPLAY_RULE_DELETE, {"rule": rule}, why)
    if as_json:
        print_json(result)
    else:
        say(f"Rule {rule} removed.")


def _document(view: RuleView) -> dict[str, Any]:
    rule = asdict(view.rule)
    return {
        "rule": rule.pop("id"),
        "fingerprint": rule.pop("cause"),
        "cause": view.cause,
        "title": view.title,
        **rule,
        "last_hour": asdict(view.lately),
    }
