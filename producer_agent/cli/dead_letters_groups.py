"""``dead-letters groups``: what failed, by cause."""

from __future__ import annotations

from collections import Counter
from functools import partial
from typing import Annotated, Any, TypeVar

import typer

from producer_agent.cli.letter_filter import SinceOption, StatusOption, TopicOption, filter_of
from producer_agent.cli.options import DbOption, JsonOption, settings_for
from producer_agent.cli.output import count, moment, print_json, print_pairs, say
from producer_agent.store.queries.letter_groups import LetterGroup, groups
from producer_agent.store.reader import Reader

Name = TypeVar("Name", str, str | None)


def list_groups(
    topic: TopicOption = None,
    status: StatusOption = None,
    since: SinceOption = "all",
    limit: Annotated[int, typer.Option(min=1, max=10_000, help="At most so many causes.")] = 50,
    as_json: JsonOption = False,
    db: DbOption = None,
) -> None:
    """Group dead letters by cause, the most frequent first: topics, statuses, first and last.

    Exit codes: 0 done (also when none match); 1 the database cannot be read; 2 bad usage.
    """
    reader = Reader(settings_for(db).db)
    wanted = filter_of(reader, topic=topic, status=status, since=since)
    found = reader(partial(groups, wanted=wanted))
    total = sum(group.count for group in found)
    if as_json:
        print_json(
            {
                "total": total,
                "causes": len(found),
                "groups": [_document(group) for group in found[:limit]],
            }
        )
        return
    if not found:
        say("No dead letter matches.")
        return
    for group in found[:limit]:
        _print(group)
    shown = min(limit, len(found))
    say(f"{count(shown)} of {count(len(found))} causes shown, of {count(total)} dead letters.")


def _document(group: LetterGroup) -> dict[str, Any]:
    return {
        "id": group.cause,
        "fingerprint": group.fingerprint,
        "title": group.title,
        "count": group.count,
        "first_seen_us": group.first_seen_us,
        "last_seen_us": group.last_seen_us,
        "side": group.side,
        "conventions": [name for name, _ in _ordered(group.conventions)],
        "topics": [{"topic": name, "count": n} for name, n in _ordered(group.topics)],
        "statuses": [{"status": name, "count": n} for name, n in _ordered(group.statuses)],
    }


def _print(group: LetterGroup) -> None:
    print_pairs(
        {
            "letters": count(group.count),
            "cause": f"{group.cause}: {group.title}",
            "seen": f"{moment(group.first_seen_us)} to {moment(group.last_seen_us)}",
            "topics": _listed(group.topics),
            "statuses": _listed(group.statuses),
            "told by": f"{', '.join(name for name, _ in _ordered(group.conventions))}; "
            f"{group.side} side",
            "fingerprint": group.fingerprint,
        }
    )
    say()


def _ordered(counted: Counter[Name]) -> list[tuple[Name, int]]:
    """The most frequent first; alike ones by name, so that two looks at the same data agree."""
    return sorted(counted.items(), key=lambda pair: (-pair[1], pair[0] or ""))


def _listed(counted: Counter[Name]) -> str:
    return ", ".join(f"{name or 'not known'} {count(n)}" for name, n in _ordered(counted))
