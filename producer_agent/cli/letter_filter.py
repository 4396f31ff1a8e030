"""Which dead letters a command is about: the options that say so, and the filter they make."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

import typer

from producer_agent.cli.options import window_of
from producer_agent.cli.output import visible
from producer_agent.store.clock import now_us
from producer_agent.store.queries import dead_letters as queries
from producer_agent.store.queries.dead_letters import LetterFilter
from producer_agent.store.reader import Reader

TopicOption = Annotated[
    str | None, typer.Option(help="Only those meant for this topic.", metavar="TOPIC")
]
CauseOption = Annotated[
    str | None, typer.Option(help="Only those of this cause: its number, or part of its title.")
]
StatusOption = Annotated[
    list[str] | None,
    typer.Option(help=f"Only with this status; may be repeated: {', '.join(queries.STATUSES)}."),
]
ProfileOption = Annotated[
    str | None, typer.Option(help="Only those sent under this profile.", metavar="NAME")
]
SinceOption = Annotated[
    str, typer.Option(help="Stored no longer ago than 30m, 1h, 2d; or all.", metavar="AGE")
]


def filter_of(
    reader: Reader,
    *,
    topic: str | None = None,
    cause: str | None = None,
    status: Sequence[str] | None = None,
    profile: str | None = None,
    since: str = "all",
) -> LetterFilter:
    """The filter that these options mean.

    Raises:
        typer.BadParameter: an age or a status is none, or a cause fits none or several.
        StoreError: the database cannot be read.
    """
    window_s = window_of(since)
    unknown = sorted(set(status or ()) - set(queries.STATUSES))
    if unknown:
        raise typer.BadParameter(
            f"There is no status {unknown[0]!r}. There are: {', '.join(queries.STATUSES)}."
        )
    return LetterFilter(
        topic=topic,
        cause=None if cause is None else _cause_of(reader, cause),
        statuses=tuple(status) if status else None,
        profile=profile,
        since_us=None if window_s is None else now_us() - round(window_s * 1e6),
    )


def _cause_of(reader: Reader, text: str) -> int:
    """The row id of the one cause that ``text`` means."""
    causes = reader(queries.filter_options).causes
    if text.isdecimal():
        fitting = [(id_, title) for id_, title in causes if id_ == int(text)]
    else:
        fitting = [(id_, title) for id_, title in causes if text.casefold() in title.casefold()]
        fitting = [pair for pair in fitting if pair[1] == text] or fitting
    if len(fitting) == 1:
        return fitting[0][0]
    told = "; ".join(f"{id_}: {visible(title)}" for id_, title in (fitting or causes)[:20])
    raise typer.BadParameter(
        f"{len(fitting) or 'No'} causes fit {text!r}. Give the number of one. "
        + (f"There are: {told}." if told else "There are none.")
    )
