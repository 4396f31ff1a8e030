"""Which dead letters a command is about: the options that say so, and the filter they make."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import typer

from producer_agent.cli.option_groups import taking
from producer_agent.cli.options import window_of
from producer_agent.cli.output import visible
from producer_agent.store.clock import now_us
from producer_agent.store.queries import dead_letters as queries
from producer_agent.store.queries.dead_letters import LetterFilter
from producer_agent.store.queries.letter_filter import SIDES
from producer_agent.store.reader import Reader


@dataclass(frozen=True, slots=True)
class LetterOptions:
    """The options that choose dead letters, as they were given. All must hold."""

    topic: Annotated[
        str | None, typer.Option(help="Only those meant for this topic.", metavar="TOPIC")
    ] = None
    dead_letter_topic: Annotated[
        str | None, typer.Option(help="Only those read from this topic.", metavar="TOPIC")
    ] = None
    cause: Annotated[
        str | None,
        typer.Option(help="Only those of this cause: its number, or part of its title."),
    ] = None
    status: Annotated[
        list[str] | None,
        typer.Option(
            help=f"Only with this status; may be repeated: {', '.join(queries.STATUSES)}."
        ),
    ] = None
    side: Annotated[
        str | None,
        typer.Option(
            help="producer: never acknowledged; consumer: delivered, not processed; unknown."
        ),
    ] = None
    profile: Annotated[
        str | None, typer.Option(help="Only those sent under this profile.", metavar="NAME")
    ] = None
    convention: Annotated[
        str | None, typer.Option(help="Only those written by this convention.", metavar="NAME")
    ] = None
    error: Annotated[
        str | None,
        typer.Option(help="Only those with this error code, or with this text in the class."),
    ] = None
    group: Annotated[
        str | None, typer.Option(help="Only those of this consumer group.", metavar="GROUP")
    ] = None
    key: Annotated[
        str | None, typer.Option(help="Only those whose original key contains this text.")
    ] = None
    header: Annotated[
        str | None,
        typer.Option(help="Only those with this header.", metavar="NAME[=VALUE]"),
    ] = None
    text: Annotated[
        str | None,
        typer.Option(
            help="Only those with these words in the first 8 KiB of the payload; order-8812 and "
            'what stands in "quotes" is one piece, wor* is a beginning.'
        ),
    ] = None
    plan: Annotated[
        int | None, typer.Option(help="Only those of this replay plan.", metavar="NUMBER")
    ] = None
    came_back: Annotated[
        bool, typer.Option("--came-back", help="Only those that are replays come back.")
    ] = False
    since: Annotated[
        str, typer.Option(help="Stored no longer ago than 30m, 1h, 2d; or all.", metavar="AGE")
    ] = "all"
    until: Annotated[
        str | None, typer.Option(help="Stored longer ago than 30m, 1h, 2d.", metavar="AGE")
    ] = None

    def filter(self, reader: Reader) -> LetterFilter:
        """The filter that they mean.

        Raises:
            typer.BadParameter: an age, a side or a status is none, or a cause fits none or
                several.
            StoreError: the database cannot be read.
        """
        window_s = window_of(self.since)
        until_s = None if self.until is None else window_of(self.until)
        _one_of("status", self.status or (), queries.STATUSES)
        _one_of("side", [self.side] if self.side else (), SIDES)
        at_us = now_us()
        return LetterFilter(
            topic=self.topic,
            dead_letter_topic=self.dead_letter_topic,
            cause=None if self.cause is None else cause_of(reader, self.cause),
            statuses=tuple(self.status) if self.status else None,
            side=self.side,
            profile=self.profile,
            convention=self.convention,
            error=self.error,
            consumer_group=self.group,
            key_contains=self.key or "",
            header=self.header,
            text=self.text or "",
            plan=self.plan,
            came_back=self.came_back,
            since_us=None if window_s is None else at_us - round(window_s * 1e6),
            until_us=None if until_s is None else at_us - round(until_s * 1e6),
        )

    def is_empty(self) -> bool:
        """Whether nothing was chosen, and so everything is meant."""
        return self == LetterOptions()


choosing_letters = taking("chosen", LetterOptions)
"""Gives a command these options; it takes them whole, as ``chosen``."""


def cause_of(reader: Reader, text: str) -> int:
    """The row id of the one cause that ``text`` means: its number, or part of its title.

    Raises:
        typer.BadParameter: it fits none or several; the text lists them.
    """
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


def _one_of(what: str, given: list[str] | tuple[str, ...], known: tuple[str, ...]) -> None:
    unknown = sorted(set(given) - set(known))
    if unknown:
        raise typer.BadParameter(
            f"There is no {what} {unknown[0]!r}. There are: {', '.join(known)}."
        )
