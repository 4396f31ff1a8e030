"""``dead-letters acknowledge|resolve|archive|restore|reopen|note|owner``: what was decided.

The agent does it where one serves the database, and else this process: deciding needs no broker.
Either way the command stands in the audit log, with who and why.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import typer

from producer_agent.cli.letter_filter import LetterOptions, cause_of, choosing_letters
from producer_agent.cli.options import DbOption, JsonOption, settings_for
from producer_agent.cli.output import count, fail, note, print_json, say
from producer_agent.cli.serving import serving_agent
from producer_agent.commands import Command, CommandRow, ask_and_wait, local_user
from producer_agent.store import commands as table
from producer_agent.store.causes import RESTORED, CauseRefused
from producer_agent.store.queries import dead_letters as queries
from producer_agent.store.queries.dead_letters import filter_to_json, newest_id
from producer_agent.store.reader import Reader
from producer_agent.store.writer import Writer
from producer_agent.triage_commands import TriageCommands, TriageRefused

TIMEOUT_S = 300.0
"""A million letters take the agent some minutes, and it tells when it is done."""

IdsArgument = Annotated[
    list[int] | None, typer.Argument(metavar="[ID]...", help="Their numbers, as `list` tells them.")
]
EverythingOption = Annotated[
    bool, typer.Option("--everything", help="Mean every letter, where nothing else is chosen.")
]
DryRunOption = Annotated[
    bool, typer.Option("--dry-run", help="Say how many are meant, and leave them as they are.")
]
WhyOption = Annotated[str | None, typer.Option(help="The reason, for the history.")]
CauseArgument = Annotated[
    str, typer.Argument(metavar="CAUSE", help="Its number, or part of its title.")
]
TextArgument = Annotated[
    str, typer.Argument(metavar="TEXT", help="Plain text; an empty one ('') removes it.")
]


def register(app: typer.Typer) -> None:
    """Add these commands to ``dead-letters``."""
    for name, status, what in (
        ("acknowledge", "acknowledged", "Somebody has seen them: new letters become acknowledged."),
        ("resolve", "resolved", "Nothing more is to be done: open letters become resolved."),
        ("archive", "archived", "Put letters away: no replay takes them until they are restored."),
        ("restore", RESTORED, "Take archived letters out again: each becomes what it was."),
        ("reopen", "new", "Acknowledged and resolved letters become new again."),
    ):
        app.command(name, help=f"{what}\n\n{_HELP}")(_moving(status))
    app.command("note")(note_cause)
    app.command("owner")(own_cause)


_HELP = """Give numbers, or options that choose. --cause alone means the cause itself, with its
letters. Letters that are being replayed are left alone, and what was skipped is told.

Exit codes: 0 done (also when none match); 1 it was refused, or the database cannot be used; 2 bad
usage."""


def note_cause(
    cause: CauseArgument,
    text: TextArgument,
    why: WhyOption = None,
    as_json: JsonOption = False,
    db: DbOption = None,
) -> None:
    """Replace the note of a cause, up to 4,000 characters.

    Exit codes: 0 done; 1 it was refused, or the database cannot be used; 2 bad usage.
    """
    _tell_cause(Command.CAUSE_NOTE, "note", cause, text, why, as_json, db)


def own_cause(
    cause: CauseArgument,
    text: TextArgument,
    why: WhyOption = None,
    as_json: JsonOption = False,
    db: DbOption = None,
) -> None:
    """Say whose cause it is: a person or a team, up to 200 characters.

    Exit codes: 0 done; 1 it was refused, or the database cannot be used; 2 bad usage.
    """
    _tell_cause(Command.CAUSE_OWNER, "owner", cause, text, why, as_json, db)


def _moving(status: str) -> Callable[..., None]:
    @choosing_letters
    def moving(
        chosen: LetterOptions,
        ids: IdsArgument = None,
        everything: EverythingOption = False,
        dry_run: DryRunOption = False,
        why: WhyOption = None,
        as_json: JsonOption = False,
        db: DbOption = None,
    ) -> None:
        _move(status, chosen, ids or [], everything, dry_run, why, as_json, db)

    return moving


def _move(
    status: str,
    chosen: LetterOptions,
    ids: list[int],
    everything: bool,
    dry_run: bool,
    why: str | None,
    as_json: bool,
    db: Path | None,
) -> None:
    if bool(ids) + (not chosen.is_empty()) + everything != 1:
        raise typer.BadParameter(
            "Say which letters: give numbers, or options that choose, or --everything."
        )
    path = settings_for(db).db
    reader = Reader(path)
    wanted = replace(chosen.filter(reader), up_to_id=reader(newest_id))
    whole_cause = chosen == LetterOptions(cause=chosen.cause) and chosen.cause is not None
    if dry_run:
        meant = len(ids) or reader(partial(queries.count, wanted=wanted))
        if as_json:
            print_json({"meant": meant})
        else:
            say(f"{count(meant)} letters are meant; nothing was changed.")
        return
    if whole_cause:
        kind = Command.CAUSE_STATE
        arguments: dict[str, Any] = {"cause": wanted.cause, "state": status}
    else:
        kind = Command.LETTERS_STATUS
        what = {"ids": ids} if ids else {"filter": filter_to_json(wanted)}
        arguments = {"status": status, **what}
    result = _ask(path, kind, arguments, why)
    if as_json:
        print_json(result)
        return
    if whole_cause:
        say(f"Cause {result['cause']} is {result['state']}.")
    say(f"{count(result['changed'])} letters changed.")
    for status, n in sorted(result["skipped"].items()):
        reason = "there are none of these numbers" if status == "missing" else f"they are {status}"
        note(f"{count(n)} left alone: {reason}.")


def _tell_cause(
    kind: Command,
    field: str,
    cause: str,
    text: str,
    why: str | None,
    as_json: bool,
    db: Path | None,
) -> None:
    path = settings_for(db).db
    row = cause_of(Reader(path), cause)
    result = _ask(path, kind, {"cause": row, field: text}, why)
    if as_json:
        print_json(result)
    else:
        say(f"The {field} of cause {row} is {'set' if text.strip() else 'removed'}.")


def _ask(path: Path, kind: Command, arguments: dict[str, Any], why: str | None) -> dict[str, Any]:
    """Have it done by the agent, if one serves the database, else do it here."""
    if serving_agent(path) is not None:
        return ask_and_wait(path, kind, arguments, who=local_user(), why=why, timeout_s=TIMEOUT_S)
    with Writer(path) as writer:
        command = writer.call(
            partial(
                table.insert_taken, kind=kind.value, arguments=arguments, who=local_user(), why=why
            )
        )
        state, result = "failed", {"error": "it was cut off"}
        try:
            result = _handler(TriageCommands(writer), kind)(command)
            state = "done"
        except (CauseRefused, TriageRefused) as error:
            result = {"error": str(error)}
            fail(str(error))
        finally:
            writer.call(partial(table.settle, command=command.id, state=state, result=result))
    return result


def _handler(triage: TriageCommands, kind: Command) -> Callable[[CommandRow], dict[str, Any]]:
    return {
        Command.LETTERS_STATUS: triage.set_letters,
        Command.CAUSE_STATE: triage.set_cause_state,
        Command.CAUSE_NOTE: triage.set_cause_note,
        Command.CAUSE_OWNER: triage.set_cause_owner,
    }[kind]
