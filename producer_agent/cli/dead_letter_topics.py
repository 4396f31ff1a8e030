"""``dead-letters topics``: which dead-letter topics are read, and how each is understood."""

from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum
from functools import partial
from typing import Annotated, Any

import typer
from sqlite_utils import Database

from producer_agent.cli.options import DbOption, JsonOption, settings_for
from producer_agent.cli.output import count, moment, note, print_json, print_table, say
from producer_agent.cli.serving import serving_agent
from producer_agent.commands import Command, ask_and_wait, local_user
from producer_agent.dead_letters.conventions import CONVENTIONS
from producer_agent.dead_letters.policies import policy_from
from producer_agent.dead_letters.topic_commands import delete_policy, save_policy
from producer_agent.settings import Settings
from producer_agent.store import commands as commands_table
from producer_agent.store import facts
from producer_agent.store.database import open_database
from producer_agent.store.dead_letter_policies import Policy, all_policies, policy_of, with_own
from producer_agent.store.reader import Reader

app = typer.Typer(
    help="Which dead-letter topics are read, and how each is understood.", no_args_is_help=True
)

TopicArgument = Annotated[
    str,
    typer.Argument(
        metavar="TOPIC", help="A topic's name, or a pattern that begins with ^, such as '^.*-dlt$'."
    ),
]


class Start(StrEnum):
    """Where reading a topic begins."""

    EARLIEST = "earliest"
    NOW = "now"


@app.command("list")
def list_topics(as_json: JsonOption = False, db: DbOption = None) -> None:
    """List the policies, and the topics that are read: what is stored, what is not yet.

    Exit codes: 0 done; 1 the database cannot be read; 2 bad usage.
    """
    settings = settings_for(db)
    stored: list[Policy] = []
    topics: list[dict[str, Any]] = []
    if settings.db.exists():
        stored, topics = Reader(settings.db)(_read)
        if serving_agent(settings.db) is None:
            note("No agent is running: what is told of the topics is as it was last seen.")
    policies = with_own(stored, settings.dead_letter_topic)
    if as_json:
        print_json(
            {
                "policies": [_policy_document(policy) for policy in policies],
                "topics": [_topic_document(topic, policies) for topic in topics],
            }
        )
        return
    print_table(
        ["topic or pattern", "convention", "default target", "from", "closed ones kept"],
        [
            [
                policy.topic,
                policy.convention or "detected",
                policy.default_target,
                policy.start_from,
                "for good" if policy.keep_closed_days is None else f"{policy.keep_closed_days:g} d",
            ]
            for policy in policies
        ],
    )
    if topics:
        say()
        print_table(
            ["read", "partitions", "not stored yet", "retention takes the first", "deleted unread"],
            [
                [
                    topic["topic"],
                    topic["partitions"],
                    None if topic["behind"] is None else count(topic["behind"]),
                    moment(topic["next_deletion_us"]),
                    count(topic["deleted_unread"]),
                ]
                for topic in topics
            ],
            right=["partitions", "not stored yet", "deleted unread"],
        )
    for topic in topics:
        for warning in topic["warnings"]:
            say(f"warning: {warning['message']}")
            say(f"  mend: {warning['mend']}")


@app.command()
def add(
    topic: TopicArgument,
    convention: Annotated[
        str | None,
        typer.Option(help=f"Read its records by this one alone: {', '.join(CONVENTIONS)}."),
    ] = None,
    target: Annotated[
        str | None,
        typer.Option(help="Where its records go that do not tell where they came from."),
    ] = None,
    start: Annotated[
        Start,
        typer.Option(
            "--from", help="Where reading begins, for topics that are there and were never read."
        ),
    ] = Start.EARLIEST,
    keep_closed_days: Annotated[
        float | None,
        typer.Option(
            help="Delete letters here that were replayed, resolved or archived so long ago."
        ),
    ] = None,
    as_json: JsonOption = False,
    db: DbOption = None,
) -> None:
    """Read a topic, or those that match a pattern; replaces what was said of it before.

    Takes effect within seconds where an agent runs. Letters that are stored already are not read
    anew.

    Exit codes: 0 it is stored; 1 it cannot be; 2 bad usage.
    """
    settings = settings_for(db)
    arguments = {
        "topic": topic,
        "convention": convention,
        "default_target": target,
        "start_from": start.value,
        "keep_closed_days": keep_closed_days,
    }
    result = _do(
        settings,
        Command.DEAD_LETTER_TOPICS_SAVE,
        arguments,
        partial(save_policy, policy=policy_from(arguments), own_topic=settings.dead_letter_topic),
    )
    if as_json:
        print_json(result)
    else:
        say(f"Policy for {topic} {result['change']} in {settings.db}.")


@app.command()
def remove(topic: TopicArgument, as_json: JsonOption = False, db: DbOption = None) -> None:
    """Stop reading a topic or pattern; letters that were read stay.

    Exit codes: 0 done; 1 there is no such policy; 2 bad usage.
    """
    settings = settings_for(db)
    result = _do(
        settings,
        Command.DEAD_LETTER_TOPICS_DELETE,
        {"topic": topic},
        partial(delete_policy, topic=topic),
    )
    if as_json:
        print_json(result)
    else:
        say(f"Policy for {topic} removed from {settings.db}.")


def _do(
    settings: Settings,
    kind: Command,
    arguments: dict[str, Any],
    here: Callable[[Database], dict[str, Any]],
) -> dict[str, Any]:
    """Have it done by the agent, if one serves the database, else do it here."""
    if serving_agent(settings.db) is not None:
        return ask_and_wait(settings.db, kind, arguments, who=local_user())
    db = open_database(settings.db)
    try:
        # Written as a command that was done, since that table is the audit log.
        with db.atomic():
            command = commands_table.insert(
                db, kind.value, arguments, local_user(), "no agent was running"
            )
            result = here(db)
            commands_table.settle(db, command, "done", result)
            return result
    finally:
        db.close()


def _read(db: Database) -> tuple[list[Policy], list[dict[str, Any]]]:
    fact = facts.get(db, "letters")
    topics = [] if fact is None else list(fact.body.get("topics", []))
    return all_policies(db), topics


def _policy_document(policy: Policy) -> dict[str, Any]:
    return {
        "topic": policy.topic,
        "convention": policy.convention,
        "default_target": policy.default_target,
        "start_from": policy.start_from,
        "keep_closed_days": policy.keep_closed_days,
        "stored": policy.id is not None,
        "changed_us": policy.changed_us,
    }


def _topic_document(topic: dict[str, Any], policies: list[Policy]) -> dict[str, Any]:
    policy = policy_of(policies, topic["topic"])
    return {**topic, "policy": None if policy is None else policy.topic}
