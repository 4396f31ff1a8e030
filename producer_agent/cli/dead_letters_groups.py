"""``dead-letters groups``: what failed, by cause."""

from __future__ import annotations

from collections import Counter
from functools import partial
from typing import Annotated, Any, TypeVar

import typer

from producer_agent.cli.letter_filter import LetterOptions, choosing_letters
from producer_agent.cli.options import DbOption, JsonOption, settings_for
from producer_agent.cli.output import count, moment, print_json, print_pairs, say
from producer_agent.store.queries.letter_groups import LetterGroup, groups
from producer_agent.store.reader import Reader

Name = TypeVar("Name", str, str | None)


@choosing_letters
def list_groups(
    chosen: LetterOptions,
    limit: Annotated[int, typer.Option(min=1, max=10_000, help="At most so many causes.")] = 50,
    as_json: JsonOption = False,
    db: DbOption = None,
) -> None:
    """Group dead letters by cause, the most frequent first: whose, since when, what was done.

    Exit codes: 0 done (also when none match); 1 the database cannot be read; 2 bad usage.
    """
    reader = Reader(settings_for(db).db)
    found = reader(partial(groups, wanted=chosen.filter(reader)))
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
        "dead_letter_topics": [
            {"topic": name, "count": n} for name, n in _ordered(group.dead_letter_topics)
        ],
        "consumer_groups": [
            {"group": name, "count": n} for name, n in _ordered(group.consumer_groups)
        ],
        "connectors": [{"connector": name, "count": n} for name, n in _ordered(group.connectors)],
        "profiles": [{"profile": name, "count": n} for name, n in _ordered(group.profiles)],
        "state": group.state,
        "state_us": group.state_us,
        "state_by": group.state_by,
        "owner": group.owner,
        "note": group.note,
        "is_new": group.is_new,
        "is_regressed": group.is_regressed,
        "came_back": group.came_back,
        "last_24_hours": list(group.hours),
        "last_14_days": list(group.days),
    }


def _print(group: LetterGroup) -> None:
    print_pairs(
        {
            "letters": count(group.count),
            "cause": f"{group.cause}: {group.title}",
            "seen": f"{moment(group.first_seen_us)} to {moment(group.last_seen_us)}",
            "state": _state(group),
            "owner": group.owner,
            "note": group.note,
            "last day": f"{count(sum(group.hours))}, of those {count(group.hours[-1])} this hour",
            "topics": _listed(group.topics),
            "consumer groups": _listed(group.consumer_groups) or None,
            "connectors": _listed(group.connectors) or None,
            "statuses": _listed(group.statuses),
            "came back": f"{count(group.came_back)} of its replays" if group.came_back else None,
            "told by": f"{', '.join(name for name, _ in _ordered(group.conventions))}; "
            f"{group.side} side",
            "fingerprint": group.fingerprint,
        }
    )
    say()


def _state(group: LetterGroup) -> str:
    mark = " (came back after it was resolved)" if group.is_regressed else ""
    mark = mark or (" (came up within a day)" if group.is_new else "")
    by = f", by {group.state_by} at {moment(group.state_us)}" if group.state_by else ""
    return f"{group.state}{by}{mark}"


def _ordered(counted: Counter[Name]) -> list[tuple[Name, int]]:
    """The most frequent first; alike ones by name, so that two looks at the same data agree."""
    return sorted(counted.items(), key=lambda pair: (-pair[1], pair[0] or ""))


def _listed(counted: Counter[Name]) -> str:
    return ", ".join(f"{name or 'not known'} {count(n)}" for name, n in _ordered(counted))
